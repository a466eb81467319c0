/* Reads of the engine's state: orders, pages of orders, depth, the state hash. Nothing changes. */
#include "engine/levels.h"
#include "engine/orders.h"

void matching_engine_read_order(const matching_engine *engine, const matching_command *command,
                                matching_reply *reply)
{
    uint32_t slot = order_locate(engine, command);
    reply->type = command->type;
    reply->related_order_id = 0;
    reply->has_order = slot != NO_SLOT;
    if (slot == NO_SLOT) {
        reply->code = MATCHING_ORDER_NOT_FOUND;
        reply->field =
            command->order_id != 0 ? MATCHING_FIELD_ORDER_ID : MATCHING_FIELD_CLIENT_ORDER_ID;
        return;
    }
    reply->code = MATCHING_OK;
    reply->field = MATCHING_FIELD_NONE;
    reply->trader = engine->orders[slot].trader;
    order_copy(engine, slot, &reply->order);
}

uint64_t matching_engine_newest(const matching_engine *engine)
{
    return engine->last_number << engine->limits.shard_bits | engine->limits.shard;
}

bool matching_engine_forgets(const matching_engine *engine)
{
    return engine->ended_count > engine->limits.retained_orders;
}

static bool status_matches(const order_record *order, unsigned wanted)
{
    return wanted == MATCHING_STATUS_ANY ||
           (wanted == MATCHING_STATUS_WORKING ? record_is_working(order) : order->status == wanted);
}

/* Moves orders[at] to its place in a heap whose root has the largest id. */
static void sift_down(matching_order *orders, uint32_t count, uint32_t at)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= count) {
            return;
        }
        if (child + 1 < count && orders[child + 1].order_id > orders[child].order_id) {
            child++;
        }
        if (orders[child].order_id <= orders[at].order_id) {
            return;
        }
        matching_order swap = orders[at];
        orders[at] = orders[child];
        orders[child] = swap;
        at = child;
    }
}

/* Keeps the `capacity` smallest ids seen: a heap once the page is full. */
static void page_add(const matching_engine *engine, matching_order_page *page, uint32_t slot)
{
    if (page->count < page->capacity) {
        order_copy(engine, slot, &page->orders[page->count++]);
        if (page->count == page->capacity) {
            for (uint32_t at = page->count / 2; at-- > 0;) {
                sift_down(page->orders, page->count, at);
            }
        }
        return;
    }
    page->more = true;
    if (engine->orders[slot].order_id < page->orders[0].order_id) {
        order_copy(engine, slot, &page->orders[0]);
        sift_down(page->orders, page->count, 0);
    }
}

static void page_sort(matching_order_page *page)
{
    for (uint32_t at = page->count / 2; at-- > 0;) {
        sift_down(page->orders, page->count, at);
    }
    for (uint32_t end = page->count; end-- > 1;) {
        matching_order swap = page->orders[0];
        page->orders[0] = page->orders[end];
        page->orders[end] = swap;
        sift_down(page->orders, end, 0);
    }
}

void matching_engine_read_orders(const matching_engine *engine, const matching_command *command,
                                 matching_order_page *page, uint32_t budget)
{
    engine_assert(page->capacity > 0);
    uint64_t used = engine->last_number < engine->last_slot ? engine->last_number + 1
                                                            : (uint64_t)engine->last_slot + 1;
    uint32_t trader = 0;
    if (command->trader_id[0] != 0 && (trader = trader_find(engine, command->trader_id)) == 0) {
        used = 0;
    }
    for (; page->next_slot < used && budget > 0; page->next_slot++, budget--) {
        uint32_t slot = (uint32_t)page->next_slot;
        const order_record *order = &engine->orders[slot];
        if (order->order_id <= command->order_id || (trader != 0 && order->trader != trader) ||
            (!(command->flags & MATCHING_FLAG_ALL_SYMBOLS) &&
             order->instrument != command->instrument) ||
            !status_matches(order, command->status)) {
            continue;
        }
        if (command->client_order_id[0] != 0 &&
            memcmp(extra_of(engine, slot)->client_order_id, command->client_order_id,
                   CLIENT_ID_BYTES) != 0) {
            continue;
        }
        page_add(engine, page, slot);
    }
    if (page->next_slot >= used) {
        page_sort(page);
        page->done = true;
    }
}

/* The trader's working order of this number. */
static uint32_t working_of(const matching_engine *engine, uint32_t trader, uint64_t number)
{
    uint32_t slot = order_find(engine, number << engine->limits.shard_bits | engine->limits.shard);
    const order_record *order = &engine->orders[slot];
    return slot != NO_SLOT && order->trader == trader && record_is_working(order) ? slot : NO_SLOT;
}

/* Where to look for the trader's first order above the page's `after`: at it, or at an older one.
 * The order where the last step stopped says where it is while it works; else the numbers from
 * `after` on may lead to one; else all of the trader's have to be gone through. */
static uint32_t page_resume(const matching_engine *engine, uint32_t trader,
                            const matching_order_page *page, uint32_t *budget)
{
    const order_record *stood = &engine->orders[page->next_slot];
    if (page->next_slot != 0 && stood->order_id == page->next_id && record_is_working(stood)) {
        return (uint32_t)page->next_slot;
    }
    uint32_t first = trader_first(engine, trader);
    if (first == NO_SLOT || engine->orders[first].order_id > page->after) {
        return first;
    }
    uint32_t newest = engine->links[engine->lists + trader].older;
    if (engine->orders[newest].order_id <= page->after) {
        return NO_SLOT;
    }
    uint64_t number = order_number(engine, page->after);
    for (uint32_t tries = *budget / 2; tries > 0; tries--, --*budget) {
        uint32_t near = working_of(engine, trader, number++);
        if (near != NO_SLOT) {
            return near; /* at `after` or, as the numbers go up, the first above it */
        }
    }
    return first;
}

void matching_engine_read_open_orders(const matching_engine *engine,
                                      const matching_command *command, matching_order_page *page,
                                      uint32_t budget)
{
    engine_assert(page->capacity > 0 && budget > 1);
    page->after = page->after > command->order_id ? page->after : command->order_id;
    uint32_t slot = page_resume(engine, trader_find(engine, command->trader_id), page, &budget);
    for (; slot != NO_SLOT; slot = trader_after(engine, slot)) {
        const order_record *order = &engine->orders[slot];
        if (budget-- == 0) {
            page->next_slot = slot;
            page->next_id = order->order_id;
            return;
        }
        if (order->order_id <= page->after) {
            continue;
        }
        bool is_wanted = (command->flags & MATCHING_FLAG_ALL_SYMBOLS) ||
                         order->instrument == command->instrument;
        if (is_wanted && page->count == page->capacity) {
            page->more = true;
            break;
        }
        page->after = order->order_id;
        if (is_wanted) {
            order_copy(engine, slot, &page->orders[page->count++]);
        }
    }
    page->done = true;
}

static uint32_t read_side(const matching_engine *engine, const book_record *book, unsigned side,
                          uint32_t levels, matching_level *out, uint8_t *complete)
{
    uint32_t count = 0, at = book->sides[side].best;
    for (; at != 0 && count < levels; at = level_worse(engine, side, at)) {
        const level_record *level = &engine->levels[at];
        out[count++] = (matching_level){level_total(level), level_price(engine, at), level->orders};
    }
    *complete = at == 0;
    return count;
}

void matching_engine_read_depth(const matching_engine *engine, uint16_t instrument, uint32_t levels,
                                matching_depth *depth)
{
    engine_assert(instrument < engine->limits.instruments);
    const book_record *book = &engine->books[instrument];
    depth->sequence = book->depth_sequence;
    depth->state = book->state;
    depth->bid_count =
        read_side(engine, book, MATCHING_BUY, levels, depth->bids, &depth->bids_complete);
    depth->ask_count =
        read_side(engine, book, MATCHING_SELL, levels, depth->asks, &depth->asks_complete);
}

/* Of an order's words every two are multiplied without waiting for the others. Each pair has
 * constants of its own, so what stands elsewhere counts otherwise. */
static uint64_t hash_words(const uint64_t *words, size_t count)
{
    uint64_t sum = 0, constant = 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i + 1 < count; i += 2) {
        matching_wide product = (matching_wide)(words[i] ^ constant) *
                                (words[i + 1] ^ (constant ^ 0xBF58476D1CE4E5B9u));
        sum += (uint64_t)product ^ (uint64_t)(product >> 64);
        constant += 0x94D049BB133111EAu;
    }
    return mix64(sum);
}

/* A working order with its place in its queue, which the id behind it tells. */
static uint64_t hash_order(const matching_engine *engine, uint32_t slot)
{
    enum { NUMBERS = 15, TEXTS = 9 };
    _Static_assert(MATCHING_TRADER_MAX + CLIENT_ID_BYTES <= 8 * TEXTS, "there is room");
    const order_record *order = &engine->orders[slot];
    const order_extra *extra = &engine->extras[order->extra];
    matching_wide notional = order_notional(engine, slot);
    uint64_t words[NUMBERS + TEXTS] = {
        order->order_id,
        engine->orders[engine->links[slot].next].order_id,
        (uint64_t)order->price_ticks,
        (uint64_t)order->quantity_lots,
        (uint64_t)order->remaining_lots,
        (uint64_t)notional,
        (uint64_t)(notional >> 64),
        engine->histories[slot].created_ns,
        order->updated_ns,
        (uint64_t)visible_lots(engine, order),
        (uint64_t)extra->stop_price_ticks,
        (uint64_t)extra->display_lots,
        extra->expire_time_ms,
        (uint64_t)order->instrument << 32 | (uint64_t)order->side << 24 | order->status,
        (uint64_t)order->type << 16 | (uint64_t)order->time_in_force << 8 | order->flags};
    char *texts = (char *)&words[NUMBERS];
    memcpy(texts, engine->traders[order->trader].name, MATCHING_TRADER_MAX);
    memcpy(texts + MATCHING_TRADER_MAX, extra->client_order_id, CLIENT_ID_BYTES);
    return hash_words(words, sizeof words / sizeof words[0]);
}

/* The sum of all working orders' hashes, in the order of memory and so as fast as memory is. */
static uint64_t hash_orders(const matching_engine *engine)
{
    uint64_t sum = 0, left = working_count(engine);
    for (uint32_t slot = 1; left > 0; slot++) {
        engine_assert(slot <= engine->last_slot);
        const order_record *order = &engine->orders[slot];
        if (order->order_id != 0 && record_is_working(order)) {
            sum += hash_order(engine, slot);
            left--;
        }
    }
    return sum;
}

uint64_t matching_engine_hash(const matching_engine *engine)
{
    uint64_t hash = mix64(engine->last_number) ^ engine->ended_count;
    hash = mix64(hash ^ (uint64_t)engine->trader_count << 32); /* how many more may come */
    for (uint32_t i = 0; i < engine->limits.instruments; i++) {
        const book_record *book = &engine->books[i];
        hash = mix64(hash ^ book->last_trade_id);
        hash = mix64(hash ^ (uint64_t)book->last_price_ticks);
        hash = mix64(hash ^ book->depth_sequence ^ (uint64_t)book->state << 56);
        hash = mix64(hash ^ (uint64_t)book->tick_size);
        hash = mix64(hash ^ (uint64_t)book->lot_size);
    }
    return mix64(hash ^ hash_orders(engine));
}
