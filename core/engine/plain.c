/* The order that most commands enter: a limit order, good till cancelled, with nothing special about
 * it, that rests. It takes the steps of place.c with what it needs at hand and without the questions
 * that such an order answers with no. Whatever is not plain, or is refused, is left to place.c, before
 * anything has changed. The random tests hold both ways to the same rules.
 */
#include "engine/book.h"
#include "engine/orders.h"

#define BYTE_OF(member)                                                                            \
    (8 * (offsetof(matching_command, member) - offsetof(matching_command, instrument)))

/* Of the eight bytes from `instrument` on: those that make an order special. */
static const uint64_t special =
    0xFFull << BYTE_OF(order_type) | 0xFFull << BYTE_OF(time_in_force) |
    (0xFFull & ~(uint64_t)(MATCHING_FLAG_COLLECT | MATCHING_FLAG_BRIEF | MATCHING_FLAG_HAS_SYMBOL))
        << BYTE_OF(flags) |
    0xFFull << BYTE_OF(self_trade);

_Static_assert(MATCHING_LIMIT == 0 && MATCHING_GTC == 0 && MATCHING_STP_NONE == 0,
               "an order without anything special has zeros there");

static inline bool is_plain(const matching_command *command)
{
    uint64_t terms, client_id;
    memcpy(&terms, &command->instrument, sizeof terms);
    memcpy(&client_id, command->client_order_id, sizeof client_id);
    return ((terms & special) | client_id | (uint64_t)command->display_lots |
            (uint64_t)command->stop_price_ticks | command->expire_time_ms) == 0;
}

bool place_plain(apply_context *context)
{
    matching_engine *engine = context->engine;
    const matching_command *command = context->command;
    const matching_watch *watch = context->sink->watch;
    book_record *book = &engine->books[command->instrument];
    unsigned side = command->side;
    int64_t ticks = command->price_ticks;
    uint64_t slot = (engine->last_number + 1) & engine->slot_mask;
    order_record *order = &engine->orders[slot];
    uint32_t trader = command->trader_hint;
    if (unlikely(!is_plain(command) || book->state != MATCHING_TRADING ||
                 price_reaches(side, ticks, book->sides[!side].best_ticks) ||
                 trader - 1 >= engine->trader_count ||
                 !trader_has_name(&engine->traders[trader], command->trader_id) ||
                 engine->working_count >= engine->limits.max_orders || !level_is_free(engine) ||
                 slot - 1 >= engine->last_slot || !order_slot_is_free(engine, order) ||
                 order->extra != 0 || watch == NULL ||
                 atomic_load_explicit(&watch->watchers, memory_order_relaxed) != 0)) {
        return false;
    }
    __builtin_prefetch(order + 8, 1);
    int64_t lots = command->quantity_lots;
    uint64_t order_id = ++engine->last_number << engine->limits.shard_bits | engine->limits.shard;
    uint32_t at = level_obtain(engine, command->instrument, side, ticks);
    level_record *level = &engine->levels[at];
    *order = (order_record){.order_id = order_id,
                            .price_ticks = ticks,
                            .quantity_lots = lots,
                            .remaining_lots = lots,
                            .level = at,
                            .trader = trader,
                            .instrument = command->instrument,
                            .side = (uint8_t)side};
    engine->histories[slot] =
        (order_history){.created_ns = command->time_ns, .updated_ns = command->time_ns};
    engine->working_count++;
    queue_link_last(engine, level, order, (uint32_t)slot);
    level_add_total(level, lots);
    trader_link(engine, order, (uint32_t)slot);
    emit_level(context, book, command->instrument, side, ticks, level);

    matching_reply *reply = context->reply;
    reply->has_order = 1;
    reply->trader = trader;
    if (likely(command->flags & MATCHING_FLAG_BRIEF)) {
        matching_order *out = &reply->order;
        out->order_id = order_id;
        out->price_ticks = ticks;
        out->quantity_lots = lots;
        out->filled_lots = 0;
        out->instrument = command->instrument;
        out->side = (uint8_t)side;
        out->type = MATCHING_LIMIT;
        out->status = MATCHING_OPEN;
        out->reason = MATCHING_REASON_NONE;
        out->client_order_id[0] = 0;
    } else {
        order_copy(engine, (uint32_t)slot, &reply->order);
    }
    return true;
}
