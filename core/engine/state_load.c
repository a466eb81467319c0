/* The engine's state from bytes, which state_save.c wrote and anybody may have changed since: each
 * number is held against what the engine takes for granted before it gets there.
 *
 * Orders come in the order of their slots, so memory is written from its beginning to its end.
 * Queues and lists then lead all over it; their ids come in pieces, and the processor is asked for
 * what a piece names before it is used.
 */
#include "engine/book.h"
#include "engine/state.h"
#include "engine/state_layout.h"
#include "engine/stops.h"

#define AHEAD 24u /* ids that are asked for before they are used */

static const char cut_short[] = "the engine's state ends too early";

typedef struct loader {
    matching_engine *engine;
    const matching_state_input *input;
    state_head head;
    uint32_t last_slot; /* of the orders read so far */
    uint64_t working;   /* of them */
    bool has_extras;
} loader;

static bool get(const loader *l, void *bytes, size_t size)
{
    return size == 0 || l->input->read(l->input->context, bytes, size);
}

/* ---- Head, traders, books -------------------------------------------------------------------- */

static bool is_of_limits(const state_head *head, const matching_engine_limits *limits)
{
    return head->instruments == limits->instruments && head->shard == limits->shard &&
           head->shard_bits == limits->shard_bits && head->max_orders == limits->max_orders &&
           head->max_levels == limits->max_levels && head->max_traders == limits->max_traders &&
           head->retained_orders == limits->retained_orders;
}

static const char *load_head(loader *l)
{
    matching_engine *engine = l->engine;
    state_head *head = &l->head;
    if (!get(l, head, sizeof *head)) {
        return cut_short;
    }
    if (head->version != STATE_VERSION) {
        return "the engine's state is of another version";
    }
    if (!is_of_limits(head, &engine->limits)) {
        return "the engine's state was made with other limits";
    }
    if (head->traders > head->max_traders || head->working > head->max_orders ||
        head->working > head->orders || head->orders > engine->last_slot) {
        return "the engine's state counts more than its limits allow";
    }
    if (head->last_number > (uint64_t)MATCHING_ORDER_ID_MAX >> head->shard_bits ||
        head->ended_count > head->last_number || head->orders > head->last_number ||
        head->working > head->last_number - head->ended_count || head->reserved != 0) {
        return "the engine's state counts orders that cannot have been";
    }
    engine->last_number = head->last_number;
    engine->ended_count = head->ended_count;
    engine->full_at =
        engine->limits.max_orders + head->last_number - head->ended_count - head->working;
    return NULL;
}

static bool is_padded(const char *text, size_t size)
{
    size_t length = 0;
    while (length < size && text[length] != 0) {
        length++;
    }
    while (length < size && text[length] == 0) {
        length++;
    }
    return length == size;
}

static const char *load_traders(loader *l)
{
    state_trader batch[STATE_BATCH];
    for (uint64_t done = 0; done < l->head.traders;) {
        uint64_t left = l->head.traders - done, count = left < STATE_BATCH ? left : STATE_BATCH;
        if (!get(l, batch, count * sizeof *batch)) {
            return cut_short;
        }
        for (uint64_t i = 0; i < count; i++) {
            const char *name = batch[i].name;
            if (name[0] == 0 || !is_padded(name, MATCHING_TRADER_MAX) ||
                trader_find(l->engine, name) != 0) {
                return "a trader's name is empty, twice there, or not a name";
            }
            trader_intern(l->engine, name);
        }
        done += count;
    }
    return NULL;
}

static const char *load_books(loader *l)
{
    for (uint32_t i = 0; i < l->head.instruments; i++) {
        book_record *book = &l->engine->books[i];
        state_book saved;
        if (!get(l, &saved, sizeof saved)) {
            return cut_short;
        }
        if (saved.tick_size <= 0 || saved.lot_size <= 0 || saved.last_price_ticks < 0 ||
            saved.last_price_ticks > MATCHING_TICKS_MAX || saved.state > MATCHING_AUCTION ||
            (saved.last_price_ticks == 0) != (saved.last_trade_id == 0)) {
            return "a book's sizes, last trade or state cannot be";
        }
        book->last_trade_id = saved.last_trade_id;
        book->depth_sequence = saved.depth_sequence;
        book->last_price_ticks = saved.last_price_ticks;
        book->tick_size = saved.tick_size;
        book->lot_size = saved.lot_size;
        book->state = saved.state;
    }
    return NULL;
}

/* ---- Orders ---------------------------------------------------------------------------------- */

/* The slot of a saved order; NO_SLOT: its id cannot be, or does not come in order. */
static uint32_t slot_of(const loader *l, uint64_t order_id)
{
    const matching_engine *engine = l->engine;
    uint64_t number = order_number(engine, order_id), slot = number & engine->slot_mask;
    uint64_t shard = order_id & ((UINT64_C(1) << engine->limits.shard_bits) - 1);
    return shard == engine->limits.shard && number <= engine->last_number && slot > l->last_slot &&
                   slot <= engine->last_slot
               ? (uint32_t)slot
               : NO_SLOT;
}

static bool is_stop_type(unsigned type)
{
    return type == MATCHING_STOP || type == MATCHING_STOP_LIMIT;
}

/* What any order is. */
static bool is_order(const loader *l, const state_order *saved)
{
    bool has_price = saved->type == MATCHING_LIMIT || saved->type == MATCHING_STOP_LIMIT;
    return saved->trader - 1u < l->head.traders && saved->instrument < l->head.instruments &&
           saved->side <= MATCHING_SELL && saved->type <= MATCHING_STOP_LIMIT &&
           saved->time_in_force <= MATCHING_GTD && saved->status <= MATCHING_UNTRIGGERED &&
           saved->reason <= MATCHING_REASON_DISCONNECT && saved->quantity_lots > 0 &&
           saved->quantity_lots <= MATCHING_LOTS_MAX && saved->remaining_lots >= 0 &&
           saved->remaining_lots <= saved->quantity_lots && saved->price_ticks >= 0 &&
           saved->price_ticks <= MATCHING_TICKS_MAX && has_price == (saved->price_ticks != 0) &&
           (saved->flags & (ORDER_LOADED | 128)) == 0 && saved->has <= 7 &&
           (!(saved->has & STATE_OWNS_CLIENT_ID) || (saved->flags & ORDER_HAS_CLIENT_ID)) &&
           (saved->reserved[0] | saved->reserved[1] | saved->reserved[2]) == 0;
}

/* What a working one is; slot: with its history and its extra in place. */
static bool is_sound_working(const matching_engine *engine, uint32_t slot)
{
    const order_record *order = &engine->orders[slot];
    bool filled = order->remaining_lots < order->quantity_lots;
    if (order->reason != MATCHING_REASON_NONE || filled != (order_notional(engine, slot) != 0) ||
        filled != (order->status == MATCHING_PARTIAL)) {
        return false;
    }
    return order->status == MATCHING_UNTRIGGERED ? is_stop_type(order->type)
                                                 : may_rest(order->type, order->time_in_force);
}

/* What goes with each other in an order and its extra; [0] is all zero. */
static bool is_sound_extra(const matching_engine *engine, const order_record *order)
{
    const order_extra *extra = &engine->extras[order->extra];
    bool is_iceberg = order->flags & ORDER_ICEBERG, is_dated = order->time_in_force == MATCHING_GTD;
    bool is_named = order->flags & ORDER_HAS_CLIENT_ID, is_stop = is_stop_type(order->type);
    bool is_needed = is_iceberg || is_dated || is_named || is_stop;
    return is_needed == (order->extra != 0) && is_iceberg == (extra->display_lots != 0) &&
           is_dated == (extra->expire_time_ms != 0) && is_stop == (extra->stop_price_ticks != 0) &&
           is_named == (extra->client_order_id[0] != 0) && extra->display_lots >= 0 &&
           extra->stop_price_ticks >= 0 && extra->stop_price_ticks <= MATCHING_TICKS_MAX &&
           extra->visible_lots >= 0 && extra->visible_lots <= extra->display_lots &&
           is_padded(extra->client_order_id, CLIENT_ID_BYTES);
}

static void write_order(matching_engine *engine, uint32_t slot, const state_order *saved)
{
    engine->orders[slot] = (order_record){.order_id = saved->order_id,
                                          .price_ticks = saved->price_ticks,
                                          .quantity_lots = saved->quantity_lots,
                                          .remaining_lots = saved->remaining_lots,
                                          .updated_ns = saved->updated_ns,
                                          .trader = saved->trader,
                                          .instrument = saved->instrument,
                                          .side = saved->side,
                                          .type = saved->type,
                                          .outcome = OUTCOME(saved->status, saved->reason),
                                          .time_in_force = saved->time_in_force,
                                          .flags = saved->flags};
    engine->histories[slot] = (order_history){.created_ns = saved->created_ns};
}

/* Marks where among the last that ended the order stands. Two at one place would be kept longer
 * than the limits allow. The marks are in the client table, which is not in use yet. */
static bool mark_ended(matching_engine *engine, uint64_t age)
{
    if (age > engine->limits.retained_orders) {
        return true;
    }
    uint32_t *word = &engine->client_table[(age - 1) / 32], bit = 1u << (age - 1) % 32;
    bool is_free = (*word & bit) == 0;
    *word |= bit;
    return is_free;
}

static void unmark_ended(matching_engine *engine)
{
    memset(engine->client_table, 0, (engine->limits.retained_orders / 32 + 1) * sizeof(uint32_t));
}

static const char *add_ended(matching_engine *engine, order_record *order, const char *details)
{
    memcpy(&order->end_mark, details, sizeof order->end_mark);
    bool is_filled = order->remaining_lots == 0;
    if (order->status != (is_filled ? MATCHING_FILLED : MATCHING_CANCELLED)) {
        return "an order ended in a way that there is not";
    }
    return order->end_mark < engine->ended_count &&
                   mark_ended(engine, engine->ended_count - order->end_mark)
               ? NULL
               : "an order ended at no time or at another's";
}

static void add_extra(loader *l, uint32_t slot, const char *details)
{
    order_extra *extra = order_add_extra(l->engine, slot);
    state_extra saved;
    memcpy(&saved, details, sizeof saved);
    extra->visible_lots = saved.visible_lots;
    extra->display_lots = saved.display_lots;
    extra->stop_price_ticks = saved.stop_price_ticks;
    extra->expire_time_ms = saved.expire_time_ms;
    memcpy(extra->client_order_id, saved.client_order_id, CLIENT_ID_BYTES);
    l->has_extras = true;
}

static bool is_working_status(unsigned status)
{
    return status != MATCHING_FILLED && status != MATCHING_CANCELLED;
}

static size_t detail_bytes(const state_order *saved)
{
    return (is_working_status(saved->status) ? 0 : sizeof(uint64_t)) +
           (saved->has & STATE_HAS_SURPLUS ? 2 * sizeof(uint64_t) : 0) +
           (saved->has & STATE_HAS_EXTRA ? sizeof(state_extra) : 0);
}

/* One order with its details, in no queue and no list yet. ORDER_LOADED notes for a while that it
 * owns its client id. */
static const char *load_order(loader *l, const state_order *saved, const char *details)
{
    matching_engine *engine = l->engine;
    uint32_t slot = slot_of(l, saved->order_id);
    if (slot == NO_SLOT || !is_order(l, saved)) {
        return slot == NO_SLOT ? "an order's id cannot be" : "an order's values cannot be";
    }
    l->last_slot = slot;
    write_order(engine, slot, saved);
    order_record *order = &engine->orders[slot];
    bool is_working = is_working_status(saved->status);
    if (!is_working) {
        const char *wrong = add_ended(engine, order, details);
        if (wrong != NULL) {
            return wrong;
        }
        details += sizeof order->end_mark;
    }
    if (saved->has & STATE_HAS_SURPLUS) {
        uint64_t words[2];
        memcpy(words, details, sizeof words);
        engine->histories[slot].surplus = (matching_wide)words[1] << 64 | words[0];
        details += sizeof words;
    }
    if (saved->has & STATE_HAS_EXTRA) {
        add_extra(l, slot, details);
    }
    if (!is_sound_extra(engine, order) || (is_working && !is_sound_working(engine, slot))) {
        return "an order's values do not go with each other";
    }
    l->working += is_working;
    order->flags |= saved->has & STATE_OWNS_CLIENT_ID ? ORDER_LOADED : 0;
    return NULL;
}

static const char *load_orders(loader *l)
{
    state_order orders[STATE_BATCH];
    char details[STATE_BATCH * STATE_DETAIL_MAX];
    for (uint64_t done = 0; done < l->head.orders;) {
        uint64_t left = l->head.orders - done, count = left < STATE_BATCH ? left : STATE_BATCH;
        size_t bytes = 0, at = 0;
        if (!get(l, orders, count * sizeof *orders)) {
            return cut_short;
        }
        for (uint64_t i = 0; i < count; i++) {
            bytes += detail_bytes(&orders[i]);
        }
        if (!get(l, details, bytes)) {
            return cut_short;
        }
        for (uint64_t i = 0; i < count; i++) {
            const char *wrong = load_order(l, &orders[i], details + at);
            if (wrong != NULL) {
                return wrong;
            }
            at += detail_bytes(&orders[i]);
        }
        done += count;
    }
    unmark_ended(l->engine);
    return l->working == l->head.working ? NULL : "the count of working orders is wrong";
}

/* ---- Client ids and times of expiry ---------------------------------------------------------- */

static const char *own_client_ids(loader *l)
{
    matching_engine *engine = l->engine;
    for (uint32_t slot = 1; slot <= l->last_slot; slot++) {
        const order_record *order = &engine->orders[slot];
        if (order->flags & ORDER_LOADED) {
            if (client_find(engine, order->trader, order->instrument,
                            engine->extras[order->extra].client_order_id) != NO_SLOT) {
                return "two orders own a client id";
            }
            client_insert(engine, slot);
        }
    }
    return NULL;
}

/* An order that does not own its client id: it has ended, and if it is still promised, the one that
 * does is later. */
static bool may_lack_it(const matching_engine *engine, const order_record *order)
{
    return !record_is_working(order) &&
           (engine->ended_count - order->end_mark > engine->limits.retained_orders ||
            client_find(engine, order->trader, order->instrument,
                        engine->extras[order->extra].client_order_id) != NO_SLOT);
}

static const char *load_special(loader *l)
{
    const char *wrong = l->has_extras ? own_client_ids(l) : NULL;
    if (wrong != NULL) {
        return wrong;
    }
    for (uint32_t slot = 1; slot <= l->last_slot && l->has_extras; slot++) {
        order_record *order = &l->engine->orders[slot];
        bool is_owner = order->flags & ORDER_LOADED;
        order->flags &= (uint8_t)~ORDER_LOADED;
        if ((order->flags & ORDER_HAS_CLIENT_ID) && !is_owner && !may_lack_it(l->engine, order)) {
            return "an order cannot be found by its client id";
        }
        if (order->time_in_force == MATCHING_GTD && record_is_working(order) &&
            order->order_id != 0) {
            expiry_insert(l->engine, slot);
        }
    }
    return NULL;
}

/* ---- Queues and lists ------------------------------------------------------------------------ */

/* Calls `use` for the slot of each of `count` ids, in order. An id of no order leads to slot 0,
 * which is no working order. */
typedef const char *use_slot(loader *l, uint32_t slot, void *context);

static const char *each_id(loader *l, uint64_t count, use_slot *use, void *context)
{
    uint64_t ids[STATE_IDS];
    const matching_engine *engine = l->engine;
    for (uint64_t done = 0; done < count;) {
        uint64_t left = count - done, size = left < STATE_IDS ? left : STATE_IDS;
        if (!get(l, ids, size * sizeof *ids)) {
            return cut_short;
        }
        for (uint64_t i = 0; i < size; i++) {
            uint64_t ahead = i + AHEAD < size ? i + AHEAD : i;
            uint64_t slot = order_number(engine, ids[ahead]) & engine->slot_mask;
            __builtin_prefetch(&engine->orders[slot <= engine->last_slot ? slot : 0], 1);
            const char *wrong = use(l, order_find(engine, ids[i]), context);
            if (wrong != NULL) {
                return wrong;
            }
        }
        done += size;
    }
    return NULL;
}

typedef struct side_loader {
    uint16_t instrument;
    unsigned kind;
    int64_t last_ticks; /* 0: none yet */
} side_loader;

static int64_t place_ticks(const matching_engine *engine, const order_record *order)
{
    return order->status == MATCHING_UNTRIGGERED ? engine->extras[order->extra].stop_price_ticks
                                                 : order->price_ticks;
}

/* Does the order belong here, and to no queue yet? */
static bool belongs(const matching_engine *engine, const order_record *order, const side_loader *s)
{
    if (order->order_id == 0 || !record_is_working(order) || order->level != 0 ||
        order->instrument != s->instrument || order->side != s->kind % 2 ||
        (order->status == MATCHING_UNTRIGGERED) != (s->kind >= BUY_STOPS)) {
        return false;
    }
    int64_t ticks = place_ticks(engine, order);
    return s->last_ticks == 0 || ticks == s->last_ticks ||
           (ticks < s->last_ticks) == best_is_highest(s->kind);
}

/* The order to the back of its level, showing what it showed. */
static void append(matching_engine *engine, uint32_t at, uint32_t slot)
{
    order_record *order = &engine->orders[slot];
    level_record *level = &engine->levels[at];
    int64_t visible = visible_lots(engine, order);
    order->level = at;
    queue_link_last(engine, level, slot);
    level->orders++;
    level_add_total(level, visible);
    level_add_hidden(level, order->remaining_lots - visible);
}

static const char *queue_one(loader *l, uint32_t slot, void *context)
{
    matching_engine *engine = l->engine;
    side_loader *s = context;
    order_record *order = &engine->orders[slot];
    if (!belongs(engine, order, s)) {
        return "an order is in a queue that is not its own, or out of order";
    }
    int64_t visible = visible_lots(engine, order), ticks = place_ticks(engine, order);
    if (visible <= 0 || visible > order->remaining_lots) {
        return "an order shows more or less than it can";
    }
    bool is_reserving = order->status == MATCHING_UNTRIGGERED && order->type == MATCHING_STOP_LIMIT;
    if (engine->levels_left < (ticks != s->last_ticks) + is_reserving) {
        return "more levels are there than the limit allows";
    }
    s->last_ticks = ticks;
    append(engine, level_obtain(engine, &engine->books[s->instrument], s->kind, ticks), slot);
    engine->levels_left -= is_reserving;
    return NULL;
}

/* Neither crossed nor with a stop whose price has come, where it trades. */
static const char *check_book(const matching_engine *engine, uint16_t instrument)
{
    const book_record *book = &engine->books[instrument];
    int64_t last = book->last_price_ticks;
    if (book->state != MATCHING_TRADING) {
        return NULL;
    }
    if (book_is_crossed(engine, instrument)) {
        return "a book is crossed";
    }
    bool is_met = last != 0 && (book->sides[BUY_STOPS].best_ticks <= last ||
                                book->sides[SELL_STOPS].best_ticks >= last);
    return is_met ? "a stop waits though its price has come" : NULL;
}

static const char *load_queues(loader *l)
{
    uint64_t queued = 0;
    for (uint32_t i = 0; i < l->head.instruments; i++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            side_loader s = {(uint16_t)i, kind, 0};
            uint64_t count;
            if (!get(l, &count, sizeof count)) {
                return cut_short;
            }
            if (count > l->head.working - queued) {
                return "queues hold more orders than work";
            }
            queued += count;
            const char *wrong = each_id(l, count, queue_one, &s);
            if (wrong != NULL) {
                return wrong;
            }
        }
        book_note_plain(&l->engine->books[i]);
        const char *wrong = check_book(l->engine, (uint16_t)i);
        if (wrong != NULL) {
            return wrong;
        }
    }
    return queued == l->head.working ? NULL : "orders work outside the book";
}

static const char *list_one(loader *l, uint32_t slot, void *context)
{
    matching_engine *engine = l->engine;
    order_record *order = &engine->orders[slot];
    (void)context;
    if (order->order_id == 0 || !record_is_working(order) || engine->links[slot].older != NO_SLOT) {
        return "a trader's list has what is not its order, or twice";
    }
    uint32_t newest = engine->links[engine->lists + order->trader].older;
    if (newest <= engine->last_slot && engine->orders[newest].order_id > order->order_id) {
        return "a trader's orders are not by age";
    }
    trader_link(engine, order, slot);
    return NULL;
}

const char *matching_engine_load(matching_engine *engine, const matching_state_input *input)
{
    loader l = {.engine = engine, .input = input};
    engine_assert(engine->last_number == 0 && engine->trader_count == 0);
    const char *wrong = load_head(&l);
    static const char *(*const parts[])(loader *) = {load_traders, load_books, load_orders,
                                                     load_special, load_queues};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && wrong == NULL; i++) {
        wrong = parts[i](&l);
    }
    return wrong != NULL ? wrong : each_id(&l, l.head.working, list_one, NULL);
}
