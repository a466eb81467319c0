/* The engine's state to bytes; state_layout.h has their order, state_load.c reads them back. */
#include "engine/levels.h"
#include "engine/state.h"
#include "engine/state_layout.h"

typedef struct saver {
    const matching_engine *engine;
    const matching_state_output *output;
} saver;

static bool put(const saver *s, const void *bytes, size_t size)
{
    return size == 0 || s->output->write(s->output->context, bytes, size);
}

/* Slots beyond it were never used. */
static uint32_t used_slots(const matching_engine *engine)
{
    return engine->last_number < engine->last_slot ? (uint32_t)engine->last_number
                                                   : engine->last_slot;
}

static bool save_head(const saver *s)
{
    const matching_engine *engine = s->engine;
    const matching_engine_limits *limits = &engine->limits;
    state_head head = {.version = STATE_VERSION,
                       .instruments = limits->instruments,
                       .shard = limits->shard,
                       .shard_bits = limits->shard_bits,
                       .max_orders = limits->max_orders,
                       .max_levels = limits->max_levels,
                       .max_traders = limits->max_traders,
                       .retained_orders = limits->retained_orders,
                       .traders = engine->trader_count,
                       .working = working_count(engine),
                       .last_number = engine->last_number,
                       .ended_count = engine->ended_count};
    for (uint32_t slot = 1; slot <= used_slots(engine); slot++) {
        head.orders += engine->orders[slot].order_id != 0;
    }
    return put(s, &head, sizeof head);
}

static bool save_traders(const saver *s)
{
    state_trader batch[STATE_BATCH];
    uint32_t count = 0;
    for (uint32_t trader = 1; trader <= s->engine->trader_count; trader++) {
        memcpy(batch[count++].name, s->engine->traders[trader].name, MATCHING_TRADER_MAX);
        if (count == STATE_BATCH || trader == s->engine->trader_count) {
            if (!put(s, batch, count * sizeof *batch)) {
                return false;
            }
            count = 0;
        }
    }
    return true;
}

static bool save_books(const saver *s)
{
    for (uint32_t i = 0; i < s->engine->limits.instruments; i++) {
        const book_record *book = &s->engine->books[i];
        state_book saved = {.last_trade_id = book->last_trade_id,
                            .depth_sequence = book->depth_sequence,
                            .last_price_ticks = book->last_price_ticks,
                            .tick_size = book->tick_size,
                            .lot_size = book->lot_size,
                            .state = book->state};
        if (!put(s, &saved, sizeof saved)) {
            return false;
        }
    }
    return true;
}

/* Orders that are not written yet, and their details. */
typedef struct batch {
    uint32_t count;
    size_t detail_bytes;
    state_order orders[STATE_BATCH];
    char details[STATE_BATCH * STATE_DETAIL_MAX];
} batch;

static void add_detail(batch *b, const void *bytes, size_t size)
{
    memcpy(b->details + b->detail_bytes, bytes, size);
    b->detail_bytes += size;
}

static uint8_t add_details(const matching_engine *engine, batch *b, uint32_t slot)
{
    const order_record *order = &engine->orders[slot];
    matching_wide surplus = engine->histories[slot].surplus;
    uint8_t has = 0;
    if (!record_is_working(order)) {
        add_detail(b, &order->end_mark, sizeof order->end_mark);
    }
    if (surplus != 0) {
        uint64_t words[2] = {(uint64_t)surplus, (uint64_t)(surplus >> 64)};
        add_detail(b, words, sizeof words);
        has |= STATE_HAS_SURPLUS;
    }
    if (order->extra != 0) {
        const order_extra *extra = &engine->extras[order->extra];
        state_extra saved = {.visible_lots = extra->visible_lots,
                             .display_lots = extra->display_lots,
                             .stop_price_ticks = extra->stop_price_ticks,
                             .expire_time_ms = extra->expire_time_ms};
        memcpy(saved.client_order_id, extra->client_order_id, CLIENT_ID_BYTES);
        add_detail(b, &saved, sizeof saved);
        has |= STATE_HAS_EXTRA;
        if ((order->flags & ORDER_HAS_CLIENT_ID) &&
            client_find(engine, order->trader, order->instrument, extra->client_order_id) == slot) {
            has |= STATE_OWNS_CLIENT_ID;
        }
    }
    return has;
}

static void add_order(const matching_engine *engine, batch *b, uint32_t slot)
{
    const order_record *order = &engine->orders[slot];
    b->orders[b->count++] = (state_order){.order_id = order->order_id,
                                          .price_ticks = order->price_ticks,
                                          .quantity_lots = order->quantity_lots,
                                          .remaining_lots = order->remaining_lots,
                                          .created_ns = engine->histories[slot].created_ns,
                                          .updated_ns = order->updated_ns,
                                          .trader = order->trader,
                                          .instrument = order->instrument,
                                          .side = order->side,
                                          .type = order->type,
                                          .time_in_force = order->time_in_force,
                                          .status = order->status,
                                          .reason = order->reason,
                                          .flags = order->flags,
                                          .has = add_details(engine, b, slot)};
}

static bool put_batch(const saver *s, batch *b)
{
    bool taken =
        put(s, b->orders, b->count * sizeof *b->orders) && put(s, b->details, b->detail_bytes);
    b->count = 0;
    b->detail_bytes = 0;
    return taken;
}

static bool save_orders(const saver *s)
{
    batch b;
    b.count = 0;
    b.detail_bytes = 0;
    uint32_t used = used_slots(s->engine);
    for (uint32_t slot = 1; slot <= used; slot++) {
        if (s->engine->orders[slot].order_id == 0) {
            continue;
        }
        add_order(s->engine, &b, slot);
        if (b.count == STATE_BATCH && !put_batch(s, &b)) {
            return false;
        }
    }
    return put_batch(s, &b);
}

/* Ids that are not written yet. */
typedef struct id_list {
    const saver *saver;
    uint32_t count;
    uint64_t ids[STATE_IDS];
} id_list;

static bool put_ids(id_list *list)
{
    bool taken = put(list->saver, list->ids, list->count * sizeof *list->ids);
    list->count = 0;
    return taken;
}

static bool add_id(id_list *list, uint32_t slot)
{
    list->ids[list->count++] = list->saver->engine->orders[slot].order_id;
    return list->count < STATE_IDS || put_ids(list);
}

static bool save_side(const saver *s, const book_record *book, unsigned kind)
{
    const matching_engine *engine = s->engine;
    uint64_t count = 0;
    for (uint32_t at = book->sides[kind].best; at != 0; at = level_worse(engine, kind, at)) {
        count += engine->levels[at].orders;
    }
    if (!put(s, &count, sizeof count)) {
        return false;
    }
    id_list list;
    list.saver = s;
    list.count = 0;
    for (uint32_t at = book->sides[kind].best; at != 0; at = level_worse(engine, kind, at)) {
        for (uint32_t slot = engine->levels[at].head; slot != NO_SLOT;
             slot = engine->links[slot].next) {
            if (!add_id(&list, slot)) {
                return false;
            }
        }
    }
    return put_ids(&list);
}

static bool save_queues(const saver *s)
{
    for (uint32_t i = 0; i < s->engine->limits.instruments; i++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            if (!save_side(s, &s->engine->books[i], kind)) {
                return false;
            }
        }
    }
    return true;
}

static bool save_lists(const saver *s)
{
    const matching_engine *engine = s->engine;
    id_list list;
    list.saver = s;
    list.count = 0;
    for (uint32_t trader = 1; trader <= engine->trader_count; trader++) {
        for (uint32_t slot = trader_first(engine, trader); slot != NO_SLOT;
             slot = trader_after(engine, slot)) {
            if (!add_id(&list, slot)) {
                return false;
            }
        }
    }
    return put_ids(&list);
}

bool matching_engine_save(const matching_engine *engine, const matching_state_output *output)
{
    engine_assert(engine->trigger_count == 0);
    saver s = {engine, output};
    return save_head(&s) && save_traders(&s) && save_books(&s) && save_orders(&s) &&
           save_queues(&s) && save_lists(&s);
}
