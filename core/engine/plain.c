/* The short way of what most commands are: limit and market orders, good till cancelled or
 * immediate, with nothing special about them, in a trading book without stops; and the cancel by
 * order id of such an order. It takes the same steps as place.c, match.c and change.c with what it
 * needs at hand, and without the questions that such a command answers with no. Whatever is not
 * plain, or may be refused, is left to those files before anything has changed. The random tests
 * hold both ways to the same rules.
 *
 * Members of commands and orders are read where they are needed, and again where they are needed
 * again: there are more of them than registers. What lies side by side is written in one piece,
 * since it will be read so.
 */
#include "engine/orders.h"
#include "engine/sweep.h"

#define AT(member)                                                                                 \
    (8 * (offsetof(matching_command, member) - offsetof(matching_command, instrument)))
/* How far ahead the slots of orders to come are asked for: nobody has looked at them for long. */
#define ORDERS_AHEAD 16
#define HISTORIES_AHEAD 32
#define ALL_BUT(harmless) (0xFFull & ~(uint64_t)(harmless))

/* Of the eight bytes from `instrument` on, those bits that make an order special. */
static const uint64_t special = ALL_BUT(MATCHING_LIMIT | MATCHING_MARKET) << AT(order_type) |
                                ALL_BUT(MATCHING_GTC | MATCHING_IOC) << AT(time_in_force) |
                                ALL_BUT(MATCHING_FLAG_COLLECT | MATCHING_FLAG_BRIEF |
                                        MATCHING_FLAG_HAS_SYMBOL | MATCHING_FLAG_GUARDED)
                                    << AT(flags) |
                                ALL_BUT(MATCHING_STP_NONE) << AT(self_trade);

_Static_assert((MATCHING_LIMIT | MATCHING_MARKET) == 1 && (MATCHING_GTC | MATCHING_IOC) == 1,
               "bit 0 tells these apart, the others are zero");
_Static_assert(AT(self_trade) == 56 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "eight bytes that are read as one number");

/* Those eight bytes. */
static inline uint64_t terms_asked(const matching_command *command)
{
    uint64_t asked;
    memcpy(&asked, &command->instrument, sizeof asked);
    return asked;
}

static inline bool is_plain(const matching_command *command)
{
    uint64_t client_id;
    memcpy(&client_id, command->client_order_id, sizeof client_id);
    return ((terms_asked(command) & special) | client_id | (uint64_t)command->display_lots |
            (uint64_t)command->stop_price_ticks | command->expire_time_ms) == 0;
}

/* Could place.c come to another outcome than that the order is entered? */
static inline bool may_be_refused(const matching_engine *engine, const matching_command *command,
                                  const book_record *book)
{
    uint32_t trader = command->trader_hint;
    return !book->is_plain || trader - 1 >= engine->trader_count ||
           !trader_has_name(&engine->traders[trader], command->trader_id) ||
           engine->orders_left == 0 || !level_is_free(engine);
}

/* The order that a plain command enters, as it begins. */
static inline uint64_t next_order_id(matching_engine *engine)
{
    return ++engine->last_number << engine->limits.shard_bits | engine->limits.shard;
}

#define GUARDED_ASKED ((uint64_t)MATCHING_FLAG_GUARDED << AT(flags))
#define GUARDED_KEPT ((uint64_t)ORDER_GUARDED << 56)

/* Its terms; what else there is to them is zero while it is open. Side, type and time in force lie
 * in one row in the command as in the record. */
static inline uint64_t terms_of(const matching_command *command)
{
    uint64_t asked = terms_asked(command);
    return (asked & 0xFFFF) | (asked & 0xFFFFFFull << AT(side)) << (32 - AT(side)) |
           (asked & GUARDED_ASKED) * (GUARDED_KEPT / GUARDED_ASKED);
}

_Static_assert(AT(order_type) == AT(side) + 8 && AT(time_in_force) == AT(side) + 16 &&
                   GUARDED_KEPT % GUARDED_ASKED == 0 &&
                   offsetof(order_record, side) == offsetof(order_record, terms) + 4 &&
                   offsetof(order_record, type) == offsetof(order_record, terms) + 5 &&
                   offsetof(order_record, time_in_force) == offsetof(order_record, terms) + 6 &&
                   offsetof(order_record, flags) == offsetof(order_record, terms) + 7,
               "as terms_of() has it");

static inline void begin_history(matching_engine *engine, const matching_command *command,
                                 uint32_t slot)
{
    engine->histories[slot] =
        (order_history){.created_ns = command->time_ns, .updated_ns = command->time_ns};
}

/* What no fill and no end changes of the order's record. Returns its terms. */
static inline uint64_t write_order(const matching_command *command, order_record *order,
                                   uint64_t id, int64_t open_lots, unsigned outcome)
{
    uint64_t terms = terms_of(command) | (uint64_t)outcome << 16;
    order->order_id = id;
    order->price_ticks = command->price_ticks;
    order->quantity_lots = command->quantity_lots;
    order->remaining_lots = open_lots;
    order->belongings = command->trader_hint;
    order->terms = terms;
    return terms;
}

/* terms: the order's. The outcome in them may be in its record for no longer than one store of two
 * bytes, and reading eight would wait for that to leave for the cache. */
static inline void reply_plain(const matching_engine *engine, const matching_command *command,
                               matching_reply *reply, const order_record *order, uint32_t slot,
                               uint64_t terms, unsigned type)
{
    begin_reply(reply, type, true, command->sequence);
    reply->trader = order->trader;
    matching_order *out = &reply->order;
    if (unlikely(!(command->flags & MATCHING_FLAG_BRIEF))) {
        order_copy(engine, slot, out);
        return;
    }
    out->order_id = order->order_id;
    out->price_ticks = order->price_ticks;
    out->quantity_lots = order->quantity_lots;
    out->filled_lots = order->quantity_lots - order->remaining_lots;
    terms &= 0xFFFFFFFFFFFFu; /* up to the type */
    memcpy(&out->instrument, &terms, sizeof terms);
    out->client_order_id[0] = 0;
}

/* An order, or what is left of it, comes to rest. Its record is written when all of it is known. */
static inline void rest(matching_engine *engine, const matching_command *command,
                        matching_event_sink *sink, book_record *book, order_record *order,
                        uint32_t slot, int64_t lots)
{
    uint32_t at = level_obtain(engine, book, command->side & 1u, command->price_ticks);
    level_record *level = &engine->levels[at];
    uint32_t last = level->tail;
    order->neighbours = last; /* and nobody behind it */
    engine->orders[last].next = slot;
    /* Whether it is the first one there is as good as random. */
    level->head |= slot & -(uint32_t)(last == NO_SLOT);
    level->tail = slot;
    level->orders++;
    level_add_total(level, lots);
    write_level(sink, command, book, command->instrument, command->side, command->price_ticks,
                level);
    order->whereabouts = (uint64_t)trader_add(engine, command->trader_hint, slot) << 32 | at;
    order_count(engine, slot);
}

/* The taker meets an order that is not plain: match.c goes on from here. */
static __attribute__((noinline)) void take_on(apply_context *context, order_record *order,
                                              uint32_t slot)
{
    matching_engine *engine = context->engine;
    order->neighbours = order->whereabouts = 0;
    order_count(engine, slot);
    match_run(context, slot);
    if (record_is_working(order)) {
        if (order->type == MATCHING_LIMIT && order->time_in_force == MATCHING_GTC) {
            book_enqueue(context, order, slot);
            trader_link(engine, order, slot);
        } else {
            order_end(context, order, slot, MATCHING_CANCELLED,
                      order->type == MATCHING_MARKET ? MATCHING_REASON_NO_LIQUIDITY
                                                     : MATCHING_REASON_IOC);
        }
    }
    begin_reply(context->reply, MATCHING_PLACE, true, context->command->sequence);
    reply_order(context, order, slot);
}

/* An order that reaches the other side, or may not rest. */
static __attribute__((noinline)) void take(matching_engine *engine, const matching_command *command,
                                           matching_event_sink *sink, matching_reply *reply,
                                           order_record *order, uint32_t slot)
{
    book_record *book = &engine->books[command->instrument];
    unsigned side = command->side;
    book_side *other = &book->sides[!side];
    int64_t price = command->price_ticks, wanted = command->quantity_lots;
    int64_t limit = taker_limit(side, price);
    sweep_taker taker = {
        .order_id = next_order_id(engine), .trader = command->trader_hint, .side = side};
    matching_wide *surplus = &engine->histories[slot].surplus;
    reply->order.order_id = taker.order_id; /* told before its events */
    while (wanted > 0 && price_reaches(side, limit, other->best_ticks)) {
        uint32_t at = other->best;
        int64_t ticks = other->best_ticks;
        level_record *level = &engine->levels[at];
        int64_t left = sweep(engine, command, sink, &taker, wanted, book, level, ticks);
        *surplus += ((matching_wide)ticks - (matching_wide)price) * (matching_wide)(wanted - left);
        wanted = left;
        if (unlikely(wanted > 0 && level->orders > 0)) {
            apply_context context = {engine, command, sink, reply};
            /* Open as yet: it trades with this maker at once, and is partial then. */
            write_order(command, order, taker.order_id, wanted, MATCHING_OPEN);
            take_on(&context, order, slot);
            return;
        }
        if (level->orders == 0) {
            level_remove(engine, book, !side, at);
        }
        write_level(sink, command, book, command->instrument, !side, ticks, level);
    }
    unsigned outcome = wanted < command->quantity_lots ? MATCHING_PARTIAL : MATCHING_OPEN;
    if (wanted > 0 && (command->order_type | command->time_in_force) == 0) {
        rest(engine, command, sink, book, order, slot, wanted);
    } else {
        unsigned reason = command->order_type == MATCHING_MARKET ? MATCHING_REASON_NO_LIQUIDITY
                                                                 : MATCHING_REASON_IOC;
        outcome = wanted == 0 ? OUTCOME(MATCHING_FILLED, MATCHING_REASON_NONE)
                              : OUTCOME(MATCHING_CANCELLED, reason);
        order->end_mark = engine->ended_count++;
        order->ended_ns = command->time_ns;
    }
    uint64_t terms = write_order(command, order, taker.order_id, wanted, outcome);
    reply_plain(engine, command, reply, order, slot, terms, MATCHING_PLACE);
}

__attribute__((noinline)) void place_plain(matching_engine *engine, const matching_command *command,
                                           matching_event_sink *sink, matching_reply *reply)
{
    book_record *book = &engine->books[command->instrument];
    uint64_t slot = (engine->last_number + 1) & engine->slot_mask;
    order_record *order = &engine->orders[slot];
    if (unlikely(!is_plain(command) || may_be_refused(engine, command, book) ||
                 slot - 1 >= engine->last_slot || !order_slot_is_free(engine, order) ||
                 order->extra != 0 || trader_is_watched(engine, sink, command->trader_hint))) {
        apply_any(engine, command, sink, reply);
        return;
    }
    /* Written in the end, by trader_add(): of many traders few blocks are near. */
    __builtin_prefetch(&engine->blocks[engine->traders[command->trader_hint].last], 1);
    __builtin_prefetch(order + ORDERS_AHEAD, 1);
    __builtin_prefetch(&engine->histories[slot + HISTORIES_AHEAD], 1);
    begin_history(engine, command, (uint32_t)slot);
    if ((command->order_type | command->time_in_force) != 0 ||
        price_reaches(command->side, command->price_ticks,
                      book->sides[!command->side].best_ticks)) {
        take(engine, command, sink, reply, order, (uint32_t)slot);
        return;
    }
    rest(engine, command, sink, book, order, (uint32_t)slot, command->quantity_lots);
    uint64_t terms = write_order(command, order, next_order_id(engine), command->quantity_lots,
                                 OUTCOME(MATCHING_OPEN, MATCHING_REASON_NONE));
    reply_plain(engine, command, reply, order, (uint32_t)slot, terms, MATCHING_PLACE);
}

__attribute__((noinline)) void cancel_plain(matching_engine *engine,
                                            const matching_command *command,
                                            matching_event_sink *sink, matching_reply *reply)
{
    uint32_t slot = order_find(engine, command->order_id);
    order_record *order = &engine->orders[slot];
    if (unlikely(slot == NO_SLOT || order->status > MATCHING_PARTIAL || order->extra != 0 ||
                 command->trader_id[0] != 0 ||
                 ((command->flags & MATCHING_FLAG_HAS_SYMBOL) &&
                  command->instrument != order->instrument) ||
                 trader_is_watched(engine, sink, order->trader))) {
        apply_any(engine, command, sink, reply);
        return;
    }
    uint32_t at = order->level;
    book_record *book = &engine->books[order->instrument];
    level_record *level = &engine->levels[at];
    queue_unlink_only(engine, level, order);
    level_take_total(level, order->remaining_lots);
    if (unlikely(level->orders == 0)) {
        level_remove(engine, book, order->side, at);
    }
    write_level(sink, command, book, order->instrument, order->side, order->price_ticks, level);
    trader_unlink(engine, order, slot);
    uint64_t open_terms = order->terms;
    unsigned outcome = OUTCOME(MATCHING_CANCELLED, command->reason);
    order->outcome = (uint16_t)outcome;
    if (unlikely(trader_is_followed(engine, sink, order->trader))) {
        write_change(sink, command, order, false);
    }
    order->end_mark = engine->ended_count++;
    order->ended_ns = command->time_ns;
    order_uncount(engine, slot);
    uint64_t terms = (open_terms & ~(0xFFFFull << 16)) | (uint64_t)outcome << 16;
    reply_plain(engine, command, reply, order, slot, terms, MATCHING_CANCEL);
}
