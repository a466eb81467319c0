/* The short way of what most commands are: limit and market orders, good till cancelled or
 * immediate, with nothing special about them, in a trading book without stops; and the cancel, or
 * the move to another price, by order id of such an order. It takes the same steps as place.c,
 * match.c and change.c with what it needs at hand, and without the questions that such a command
 * answers with no. Whatever is not plain, or may be refused, is left to those files before anything
 * has changed. The random tests hold both ways to the same rules.
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
#define HISTORIES_AHEAD 16
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

static inline bool is_plain(const matching_command *command, uint64_t asked)
{
    uint64_t client_id;
    memcpy(&client_id, command->client_order_id, sizeof client_id);
    return ((asked & special) | client_id | (uint64_t)command->display_lots |
            (uint64_t)command->stop_price_ticks | command->expire_time_ms) == 0;
}

/* Could place.c come to another outcome than that the order is entered? */
static inline bool may_be_refused(const matching_engine *engine, const matching_command *command,
                                  const book_record *book)
{
    uint32_t trader = command->trader_hint;
    return !book->is_plain || trader - 1 >= engine->trader_count ||
           !trader_has_name(&engine->traders[trader], command->trader_id) ||
           orders_are_full(engine) || !level_is_free(engine);
}

#define GUARDED_ASKED ((uint64_t)MATCHING_FLAG_GUARDED << AT(flags))
#define GUARDED_KEPT ((uint64_t)ORDER_GUARDED << 56)

/* Its terms; what else there is to them is zero while it is open. Side, type and time in force lie
 * in one row in the command as in the record. */
static inline uint64_t terms_of(uint64_t asked)
{
    return (asked & 0xFFFF) | (asked & 0xFFFFFFull << AT(side)) << (32 - AT(side)) |
           (asked & GUARDED_ASKED) * (GUARDED_KEPT / GUARDED_ASKED);
}

/* Of an order's terms. */
#define STATUS_OF(terms) ((uint8_t)((terms) >> 16))
#define SIDE_OF(terms) ((uint8_t)((terms) >> 32))

_Static_assert(AT(order_type) == AT(side) + 8 && AT(time_in_force) == AT(side) + 16 &&
                   GUARDED_KEPT % GUARDED_ASKED == 0 &&
                   offsetof(order_record, instrument) == offsetof(order_record, terms) &&
                   offsetof(order_record, status) == offsetof(order_record, terms) + 2 &&
                   offsetof(order_record, side) == offsetof(order_record, terms) + 4 &&
                   offsetof(order_record, type) == offsetof(order_record, terms) + 5 &&
                   offsetof(order_record, time_in_force) == offsetof(order_record, terms) + 6 &&
                   offsetof(order_record, flags) == offsetof(order_record, terms) + 7,
               "as terms_of() has it");

static inline void begin_history(matching_engine *engine, const matching_command *command,
                                 uint32_t slot)
{
    engine->histories[slot] = (order_history){.created_ns = command->time_ns};
}

/* What no fill and no end changes of the order's record. Returns its terms. */
static inline uint64_t write_order(const matching_command *command, uint64_t asked,
                                   order_record *order, uint64_t id, int64_t open_lots,
                                   unsigned outcome)
{
    uint64_t terms = terms_of(asked) | (uint64_t)outcome << 16;
    order->order_id = id;
    order->price_ticks = command->price_ticks;
    order->quantity_lots = command->quantity_lots;
    order->remaining_lots = open_lots;
    order->updated_ns = command->time_ns;
    order->belongings = command->trader_hint;
    order->terms = terms;
    return terms;
}

_Static_assert(
    offsetof(matching_order, client_order_id) == offsetof(matching_order, instrument) + 6,
    "the two bytes of a brief reply's terms that are zero say that there is no client id");

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
    terms &= 0xFFFFFFFFFFFFu; /* up to the type; behind that it has no client id */
    memcpy(&out->instrument, &terms, sizeof terms);
}

/* An order comes to the back of a level, all of it visible. Returns the level. */
static inline uint32_t come_to_level(matching_engine *engine, const matching_command *command,
                                     matching_event_sink *sink, book_record *book,
                                     uint16_t instrument, unsigned side, int64_t price,
                                     uint32_t slot, int64_t lots)
{
    uint32_t at = level_obtain(engine, book, side & 1u, price);
    level_record *level = &engine->levels[at];
    queue_link_last(engine, level, slot);
    level_sum sum = level_join(level, lots);
    write_level_sum(sink, command, book, instrument, side, price, sum_total(sum),
                    (uint32_t)sum.counts);
    return at;
}

/* It leaves the one where it rests. terms: the order's. */
static inline void leave_level(matching_engine *engine, const matching_command *command,
                               matching_event_sink *sink, book_record *book,
                               const order_record *order, uint64_t terms, uint32_t slot)
{
    uint32_t at = order->level;
    level_record *level = &engine->levels[at];
    unsigned side = SIDE_OF(terms);
    queue_unlink_only(engine, level, slot);
    level_sum sum = level_leave(level, order->remaining_lots);
    if (unlikely((uint32_t)sum.counts == 0)) {
        level_remove(engine, book, side, at);
    }
    write_level_sum(sink, command, book, (uint16_t)terms, side, order->price_ticks, sum_total(sum),
                    (uint32_t)sum.counts);
}

/* An order, or what is left of it, comes to rest. Its record is written when all of it is known. */
static inline void rest(matching_engine *engine, const matching_command *command, uint64_t asked,
                        matching_event_sink *sink, book_record *book, order_record *order,
                        uint32_t slot, int64_t lots)
{
    order->level = come_to_level(engine, command, sink, book, (uint16_t)asked,
                                 asked >> AT(side) & 0xFF, command->price_ticks, slot, lots);
    engine->links[slot].in_list = trader_append(engine, command->trader_hint, slot);
}

/* The taker meets an order that is not plain: match.c goes on from here. */
static __attribute__((noinline)) void take_on(apply_context *context, order_record *order,
                                              uint32_t slot)
{
    matching_engine *engine = context->engine;
    order->level = 0;
    engine->links[slot] = (order_links){.prev = NO_SLOT};
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
    uint64_t asked = terms_asked(command);
    book_record *book = &engine->books[command->instrument];
    unsigned side = command->side;
    book_side *other = &book->sides[!side];
    int64_t price = command->price_ticks, wanted = command->quantity_lots;
    int64_t limit = taker_limit(side, price);
    sweep_taker taker = {
        .order_id = order_next_id(engine), .trader = command->trader_hint, .side = side};
    matching_wide_member *surplus = &engine->histories[slot].surplus;
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
            write_order(command, asked, order, taker.order_id, wanted, MATCHING_OPEN);
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
        rest(engine, command, asked, sink, book, order, slot, wanted);
    } else {
        unsigned reason = command->order_type == MATCHING_MARKET ? MATCHING_REASON_NO_LIQUIDITY
                                                                 : MATCHING_REASON_IOC;
        outcome = wanted == 0 ? OUTCOME(MATCHING_FILLED, MATCHING_REASON_NONE)
                              : OUTCOME(MATCHING_CANCELLED, reason);
        order->end_mark = engine->ended_count++;
    }
    uint64_t terms = write_order(command, asked, order, taker.order_id, wanted, outcome);
    reply_plain(engine, command, reply, order, slot, terms, MATCHING_PLACE);
}

__attribute__((noinline)) void place_plain(matching_engine *engine, const matching_command *command,
                                           matching_event_sink *sink, matching_reply *reply)
{
    uint64_t asked = terms_asked(command);
    book_record *book = &engine->books[(uint16_t)asked];
    if (unlikely(!is_plain(command, asked) || may_be_refused(engine, command, book) ||
                 trader_is_watched(engine, sink, command->trader_hint))) {
        apply_any(engine, command, sink, reply);
        return;
    }
    uint32_t slot = order_next_slot(engine);
    order_record *order = &engine->orders[slot];
    __builtin_prefetch(order + ORDERS_AHEAD, 1);
    __builtin_prefetch(&engine->histories[slot + HISTORIES_AHEAD], 1);
    begin_history(engine, command, slot);
    unsigned side = asked >> AT(side) & 0xFF;
    if ((asked & (1ull << AT(order_type) | 1ull << AT(time_in_force))) != 0 ||
        price_reaches(side, command->price_ticks, book->sides[!side].best_ticks)) {
        take(engine, command, sink, reply, order, slot);
        return;
    }
    int64_t lots = command->quantity_lots;
    rest(engine, command, asked, sink, book, order, slot, lots);
    uint64_t terms = write_order(command, asked, order, order_next_id(engine), lots,
                                 OUTCOME(MATCHING_OPEN, MATCHING_REASON_NONE));
    reply_plain(engine, command, reply, order, slot, terms, MATCHING_PLACE);
}

__attribute__((noinline)) void cancel_plain(matching_engine *engine,
                                            const matching_command *command,
                                            matching_event_sink *sink, matching_reply *reply)
{
    uint32_t slot = order_find(engine, command->order_id);
    order_record *order = &engine->orders[slot];
    uint64_t open_terms = order->terms, belongings = order->belongings;
    uint32_t trader = (uint32_t)belongings;
    if (unlikely(slot == NO_SLOT || STATUS_OF(open_terms) > MATCHING_PARTIAL ||
                 belongings >> 32 != 0 || command->trader_id[0] != 0 ||
                 ((command->flags & MATCHING_FLAG_HAS_SYMBOL) &&
                  command->instrument != (uint16_t)open_terms) ||
                 trader_is_watched(engine, sink, trader))) {
        apply_any(engine, command, sink, reply);
        return;
    }
    book_record *book = &engine->books[(uint16_t)open_terms];
    leave_level(engine, command, sink, book, order, open_terms, slot);
    trader_unlink(engine, slot);
    unsigned outcome = OUTCOME(MATCHING_CANCELLED, command->reason);
    uint64_t terms = (open_terms & ~(0xFFFFull << 16)) | (uint64_t)outcome << 16;
    order->terms = terms;
    if (unlikely(trader_is_followed(engine, sink, trader))) {
        write_change(sink, command, order, false);
    }
    order->end_mark = order_note_end(engine, slot);
    order->updated_ns = command->time_ns;
    reply_plain(engine, command, reply, order, slot, terms, MATCHING_CANCEL);
}

/* Is it an amend, by order id, of an order with nothing special about it? terms: the order's. */
static inline bool is_plain_amend(const matching_command *command, const order_record *order,
                                  uint64_t terms)
{
    return STATUS_OF(terms) <= MATCHING_PARTIAL && order->extra == 0 &&
           !(command->flags & MATCHING_FLAG_DECIMALS) &&
           (!(command->flags & MATCHING_FLAG_HAS_SYMBOL) ||
            command->instrument == (uint16_t)terms) &&
           command->trader_id[0] == 0 && command->stop_price_ticks == 0;
}

/* The order's quantity as the command has it: a total, or what shall be open. A number that is too
 * large stays so. */
static inline int64_t amended_lots(const matching_command *command, const order_record *order,
                                   int64_t filled)
{
    int64_t given = command->quantity_lots;
    if (given == 0) {
        return order->quantity_lots;
    }
    bool is_open = command->flags & MATCHING_FLAG_OPEN_QUANTITY;
    return is_open && given <= MATCHING_LOTS_MAX ? given + filled : given;
}

/* One that moves to another price, or grows, and reaches nobody there: it goes to the back of that
 * price's queue. */
__attribute__((noinline)) void amend_plain(matching_engine *engine, const matching_command *command,
                                           matching_event_sink *sink, matching_reply *reply)
{
    uint32_t slot = order_find(engine, command->order_id);
    order_record *order = &engine->orders[slot];
    uint64_t terms = order->terms;
    book_record *book = &engine->books[(uint16_t)terms];
    unsigned side = SIDE_OF(terms);
    int64_t from = order->price_ticks;
    int64_t to = command->price_ticks != 0 ? command->price_ticks : from;
    int64_t filled = order->quantity_lots - order->remaining_lots;
    int64_t lots = amended_lots(command, order, filled);
    bool moves =
        to != from || lots > order->quantity_lots || (command->flags & MATCHING_FLAG_OPEN_QUANTITY);
    if (unlikely(slot == NO_SLOT || !is_plain_amend(command, order, terms) || !moves || to < 1 ||
                 to > MATCHING_TICKS_MAX || lots <= filled || lots > MATCHING_LOTS_MAX ||
                 !book->is_plain || !level_is_free(engine) ||
                 price_reaches(side, to, book->sides[!side].best_ticks) ||
                 trader_is_watched(engine, sink, order->trader) ||
                 trader_is_followed(engine, sink, order->trader))) {
        apply_any(engine, command, sink, reply);
        return;
    }
    leave_level(engine, command, sink, book, order, terms, slot);
    if (unlikely(filled != 0)) { /* at the old price: the notional stays */
        engine->histories[slot].surplus +=
            ((matching_wide)from - (matching_wide)to) * (matching_wide)filled;
    }
    order->price_ticks = to;
    order->quantity_lots = lots;
    order->remaining_lots = lots - filled;
    order->updated_ns = command->time_ns;
    order->level =
        come_to_level(engine, command, sink, book, (uint16_t)terms, side, to, slot, lots - filled);
    reply_plain(engine, command, reply, order, slot, terms, MATCHING_AMEND);
}
