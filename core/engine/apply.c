/* The engine's one entry: matching_engine_apply.
 *
 * What most commands are goes a short way that is all in this file: limit and market orders, good
 * till cancelled or immediate, with nothing special about them, in a trading book without stops;
 * and the cancel by order id of such an order. It takes the same steps as place.c and change.c with
 * what it needs at hand, and without the questions that such a command answers with no. Whatever is
 * not plain, or may be refused, is left to those files before anything has changed. The random
 * tests hold both ways to the same rules.
 */
#include "engine/book.h"
#include "engine/orders.h"
#include "engine/stops.h"

#ifndef MATCHING_ENGINE_CHECKS
#define MATCHING_ENGINE_CHECKS 0 /* 1 in debug and fuzz builds */
#endif
/* Orders and levels that an engine may have and still check itself after each command. */
#define CHECKED_EACH 1024

#define AT(member)                                                                                 \
    (8 * (offsetof(matching_command, member) - offsetof(matching_command, instrument)))
#define ALL_BUT(harmless) (0xFFull & ~(uint64_t)(harmless))

/* Of the eight bytes from `instrument` on, those bits that make an order special. */
static const uint64_t special =
    ALL_BUT(MATCHING_LIMIT | MATCHING_MARKET) << AT(order_type) |
    ALL_BUT(MATCHING_GTC | MATCHING_IOC) << AT(time_in_force) |
    ALL_BUT(MATCHING_FLAG_COLLECT | MATCHING_FLAG_BRIEF | MATCHING_FLAG_HAS_SYMBOL) << AT(flags) |
    ALL_BUT(MATCHING_STP_NONE) << AT(self_trade);

_Static_assert((MATCHING_LIMIT | MATCHING_MARKET) == 1 && (MATCHING_GTC | MATCHING_IOC) == 1,
               "bit 0 tells these apart, the others are zero");
_Static_assert(AT(self_trade) == 56 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "eight bytes that are read as one number");

static inline bool is_plain(const matching_command *command)
{
    uint64_t terms, client_id;
    memcpy(&terms, &command->instrument, sizeof terms);
    memcpy(&client_id, command->client_order_id, sizeof client_id);
    return ((terms & special) | client_id | (uint64_t)command->display_lots |
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

/* All of the way, for any command. */
static __attribute__((noinline)) void apply_any(matching_engine *engine,
                                                const matching_command *command,
                                                matching_event_sink *sink, matching_reply *reply)
{
    apply_context context = {engine, command, sink, reply};
    begin_reply(reply, command->type, command->sequence);
    if (engine->next_expiry_ns <= command->time_ns) {
        expire_due(&context);
    }
    switch (command->type) {
    case MATCHING_PLACE:
        apply_place(&context);
        break;
    case MATCHING_CANCEL:
        apply_cancel(&context);
        break;
    case MATCHING_AMEND:
        apply_amend(&context);
        break;
    case MATCHING_CANCEL_ALL:
        apply_cancel_all(&context);
        break;
    case MATCHING_SET_STATE:
        apply_set_state(&context);
        break;
    case MATCHING_ADD_INSTRUMENT:
        apply_add_instrument(&context);
        break;
    case MATCHING_SET_LIMITS:
        apply_set_limits(&context);
        break;
    case MATCHING_RELEASE_GUARDS:
        apply_release_guards(&context);
        break;
    case MATCHING_CANCEL_GUARDED:
        apply_cancel_guarded(&context);
        break;
    case MATCHING_TICK:
        break; /* time has passed: what was due has expired */
    default:
        matching_engine_panic(__FILE__, __LINE__, "not a command");
    }
}

/* What place.c's create() makes of such a command. */
static inline void write_order(matching_engine *engine, const matching_command *command,
                               order_record *order, uint64_t slot)
{
    *order = (order_record){.order_id = ++engine->last_number << engine->limits.shard_bits |
                                        engine->limits.shard,
                            .price_ticks = command->price_ticks,
                            .quantity_lots = command->quantity_lots,
                            .remaining_lots = command->quantity_lots,
                            .trader = command->trader_hint,
                            .instrument = command->instrument,
                            .side = command->side,
                            .type = command->order_type,
                            .time_in_force = command->time_in_force};
    engine->histories[slot] =
        (order_history){.created_ns = command->time_ns, .updated_ns = command->time_ns};
    order_count(engine, slot);
}

/* An order that reaches the other side, or may not rest. */
static __attribute__((noinline)) void take(matching_engine *engine, const matching_command *command,
                                           matching_event_sink *sink, matching_reply *reply,
                                           order_record *order, uint32_t slot)
{
    apply_context whole = {engine, command, sink, reply}, *context = &whole;
    write_order(engine, command, order, slot);
    reply->order.order_id = order->order_id; /* told before its events */
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
    reply_order(context, order, slot);
}

/* An order that rests at once. Its record is written when all of it is known, so that nothing is
 * read back that was just stored in other pieces. */
static inline void rest(matching_engine *engine, const matching_command *command,
                        matching_event_sink *sink, matching_reply *reply, book_record *book,
                        order_record *order, uint32_t slot)
{
    uint16_t instrument = command->instrument;
    unsigned side = command->side;
    int64_t ticks = command->price_ticks, lots = command->quantity_lots;
    uint64_t id = ++engine->last_number << engine->limits.shard_bits | engine->limits.shard;
    uint32_t at = level_obtain(engine, instrument, side, ticks);
    level_record *level = &engine->levels[at];
    uint32_t last = level->tail;
    order->order_id = id;
    order->price_ticks = ticks;
    order->quantity_lots = lots;
    order->remaining_lots = lots;
    order->prev = last;
    order->next = NO_SLOT;
    order->level = at;
    order->place = trader_add(engine, command->trader_hint, slot);
    order->trader = command->trader_hint;
    order->extra = 0;
    order->instrument = instrument;
    order->side = (uint8_t)side;
    order->type = MATCHING_LIMIT;
    order->outcome = OUTCOME(MATCHING_OPEN, MATCHING_REASON_NONE);
    order->time_in_force = MATCHING_GTC;
    order->flags = 0;
    engine->histories[slot] =
        (order_history){.created_ns = command->time_ns, .updated_ns = command->time_ns};
    order_count(engine, slot);
    engine->orders[last].next = slot;
    level->head = last == NO_SLOT ? slot : level->head;
    level->tail = slot;
    level->orders++;
    level_add_total(level, lots);
    write_level(sink, command, book, instrument, side, ticks, level);

    reply->has_order = 1;
    reply->trader = command->trader_hint;
    matching_order *out = &reply->order;
    if (unlikely(!(command->flags & MATCHING_FLAG_BRIEF))) {
        order_copy(engine, slot, out);
        return;
    }
    out->order_id = id;
    out->price_ticks = ticks;
    out->quantity_lots = lots;
    out->filled_lots = 0;
    out->instrument = instrument;
    out->status = MATCHING_OPEN;
    out->reason = MATCHING_REASON_NONE;
    out->side = (uint8_t)side;
    out->type = MATCHING_LIMIT;
    out->client_order_id[0] = 0;
}

static __attribute__((noinline)) void place_plain(matching_engine *engine,
                                                  const matching_command *command,
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
    __builtin_prefetch(order + 8, 1);
    begin_reply(reply, MATCHING_PLACE, command->sequence);
    unsigned side = command->side;
    if ((command->order_type | command->time_in_force) != 0 ||
        price_reaches(side, command->price_ticks, book->sides[!side].best_ticks)) {
        take(engine, command, sink, reply, order, (uint32_t)slot);
    } else {
        rest(engine, command, sink, reply, book, order, (uint32_t)slot);
    }
}

static __attribute__((noinline)) void cancel_plain(matching_engine *engine,
                                                   const matching_command *command,
                                                   matching_event_sink *sink, matching_reply *reply)
{
    uint32_t slot = order_find(engine, command->order_id);
    order_record *order = &engine->orders[slot];
    if (unlikely(slot == NO_SLOT || order->status > MATCHING_PARTIAL || order->extra != 0 ||
                 command->trader_id[0] != 0 || (command->flags & MATCHING_FLAG_HAS_SYMBOL) ||
                 trader_is_watched(engine, sink, order->trader))) {
        apply_any(engine, command, sink, reply);
        return;
    }
    uint16_t instrument = order->instrument;
    unsigned side = order->side;
    int64_t lots = order->remaining_lots, ticks = order->price_ticks;
    uint32_t at = order->level;
    book_record *book = &engine->books[instrument];
    level_record *level = &engine->levels[at];
    queue_unlink_only(engine, level, order);
    level_take_total(level, lots);
    if (unlikely(level->orders == 0)) {
        level_remove(engine, book, side, at);
    }
    write_level(sink, command, book, instrument, side, ticks, level);
    trader_unlink(engine, order, slot);
    order->outcome = OUTCOME(MATCHING_CANCELLED, command->reason);
    order->end_mark = engine->ended_count++;
    order->ended_ns = command->time_ns;
    order_uncount(engine, slot);

    begin_reply(reply, MATCHING_CANCEL, command->sequence);
    reply->has_order = 1;
    reply->trader = order->trader;
    matching_order *out = &reply->order;
    if (unlikely(!(command->flags & MATCHING_FLAG_BRIEF))) {
        order_copy(engine, slot, out);
        return;
    }
    out->order_id = command->order_id;
    out->price_ticks = ticks;
    out->quantity_lots = order->quantity_lots;
    out->filled_lots = order->quantity_lots - lots;
    out->instrument = instrument;
    out->status = MATCHING_CANCELLED;
    out->reason = command->reason;
    out->side = (uint8_t)side;
    out->type = order->type;
    out->client_order_id[0] = 0;
}

/* Walks every invariant: in a small engine after each command, in a larger one as much more
 * seldom as the walk is longer. */
static void check_itself(const matching_engine *engine, const matching_command *command)
{
    const matching_engine_limits *limits = &engine->limits;
    uint64_t size = limits->max_orders + limits->retained_orders + limits->max_levels;
    if (command->sequence % (1 + size / CHECKED_EACH) == 0) {
        const char *broken = matching_engine_check(engine);
        if (broken != NULL) {
            matching_engine_panic(__FILE__, __LINE__, broken);
        }
    }
}

void matching_engine_apply(matching_engine *engine, const matching_command *command,
                           matching_event_sink *sink, matching_reply *reply)
{
    engine_assert(command->instrument < engine->limits.instruments);
    bool is_due = engine->next_expiry_ns <= command->time_ns;
    if (command->type == MATCHING_PLACE && likely(!is_due)) {
        place_plain(engine, command, sink, reply);
    } else if (command->type == MATCHING_CANCEL && likely(!is_due)) {
        cancel_plain(engine, command, sink, reply);
    } else {
        apply_any(engine, command, sink, reply);
    }
    if (MATCHING_ENGINE_CHECKS) {
        check_itself(engine, command);
    }
}
