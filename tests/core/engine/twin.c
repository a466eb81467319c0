/* See twin.h. */
#include "twin.h"

#include <stdlib.h>
#include <string.h>

struct fixture_twin {
    fixture engine;
    matching_watch watch;
    uint32_t traders;         /* the largest number in a reply */
    matching_command last[2]; /* for matching_engine_prefetch */
};

fixture_twin *twin_create(const matching_engine_limits *limits)
{
    fixture_twin *twin = calloc(1, sizeof *twin);
    if (twin == NULL) {
        abort();
    }
    fixture_init_alone(&twin->engine, limits);
    twin->engine.sink.watch = &twin->watch;
    return twin;
}

void twin_reset(fixture_twin *twin)
{
    fixture_reset(&twin->engine);
    twin->engine.sink.watch = &twin->watch;
    twin_watch_nobody(twin);
    twin->traders = 0;
}

void twin_destroy(fixture_twin *twin)
{
    if (twin != NULL) {
        fixture_fini(&twin->engine);
        free(twin);
    }
}

void twin_set_instrument(fixture_twin *twin, uint16_t instrument, int64_t tick_size,
                         int64_t lot_size)
{
    matching_engine_set_instrument(twin->engine.engine, instrument, tick_size, lot_size);
}

static uint32_t bucket_of(const char *trader)
{
    matching_command named = {0};
    set_trader(&named, trader);
    return matching_watch_bucket(named.trader_id);
}

void twin_watch(fixture_twin *twin, const char *trader)
{
    atomic_fetch_add(&twin->watch.watchers, 1);
    if (trader == NULL) {
        atomic_fetch_add(&twin->watch.everybody, 1);
    } else {
        atomic_fetch_add(&twin->watch.buckets[bucket_of(trader)], 1);
    }
}

void twin_follow(fixture_twin *twin, const char *trader)
{
    atomic_fetch_add(&twin->watch.following, 1);
    atomic_fetch_add(&twin->watch.followers[bucket_of(trader)], 1);
}

void twin_watch_nobody(fixture_twin *twin)
{
    memset(&twin->watch, 0, sizeof twin->watch);
}

/* The trader's number, if a reply has told it. */
static uint32_t known_number(const fixture_twin *twin, const matching_command *command)
{
    for (uint32_t number = twin->traders; number > 0; number--) {
        if (strncmp(matching_engine_trader(twin->engine.engine, number), command->trader_id,
                    MATCHING_TRADER_MAX) == 0) {
            return number;
        }
    }
    return 0;
}

/* Must the twin have told this event of the other one? */
static bool is_due(const fixture_twin *twin, const matching_command *command,
                   const fixture_event *event)
{
    return event->event.kind != MATCHING_EVENT_ORDER || command->type == MATCHING_CANCEL_ALL ||
           twin->watch.everybody != 0 ||
           twin->watch.buckets[matching_watch_bucket(event->order.trader_id)] != 0;
}

static bool same_event(const fixture_event *a, const fixture_event *b)
{
    const matching_event *x = &a->event, *y = &b->event;
    if (x->sequence_low != y->sequence_low || x->instrument != y->instrument ||
        x->kind != y->kind || x->side != y->side || x->time_ns != y->time_ns) {
        return false;
    }
    switch (x->kind) {
    case MATCHING_EVENT_TRADE:
        return memcmp(&x->trade, &y->trade, sizeof x->trade) == 0;
    case MATCHING_EVENT_LEVEL:
        return x->level.total_lots == y->level.total_lots &&
               x->level.price_ticks == y->level.price_ticks &&
               x->level.depth_sequence == y->level.depth_sequence &&
               x->level.orders == y->level.orders;
    case MATCHING_EVENT_ORDER:
        return memcmp(&x->order, &y->order, sizeof x->order) == 0 &&
               memcmp(&a->order, &b->order, sizeof a->order) == 0;
    default:
        return memcmp(x, y, sizeof *x) == 0; /* STATE, INSTRUMENT: no byte is left unset */
    }
}

/* What the events of a command have told of an order so far, where it is the command's own. */
typedef struct told_order {
    const matching_event *begun; /* NULL: no amend has begun */
    int64_t filled_lots;
} told_order;

static bool is_followed(const fixture_twin *twin, const matching_order *order)
{
    return twin->watch.followers[matching_watch_bucket(order->trader_id)] != 0;
}

/* The ORDER event that nobody watches in short. */
static bool same_change(const fixture_event *wanted, const matching_event *got)
{
    const matching_order *order = &wanted->order;
    return got->kind == MATCHING_EVENT_CHANGE && got->sequence_low == wanted->event.sequence_low &&
           got->time_ns == wanted->event.time_ns && got->instrument == wanted->event.instrument &&
           got->side == wanted->event.side && got->change.order_id == order->order_id &&
           got->change.price_ticks == order->price_ticks &&
           got->change.quantity_lots == order->quantity_lots &&
           got->change.filled_lots == order->filled_lots &&
           got->change.trader == wanted->event.order.trader &&
           got->change.status == order->status && got->change.reason == order->reason &&
           !got->change.is_begun;
}

/* Do TRADE events and what an amend has told before them lead to what a fill's ORDER event
 * tells? */
static bool is_known(const fixture *f, const matching_command *command, told_order *own,
                     const fixture_event *fill)
{
    const matching_order *order = &fill->order;
    if (command->type != MATCHING_AMEND || order->order_id != f->reply.order.order_id ||
        order->type >= MATCHING_STOP) { /* those may be triggered, which is told first */
        return true;
    }
    own->filled_lots += fill->event.order.last_quantity_lots;
    return own->begun != NULL && own->begun->change.price_ticks == order->price_ticks &&
           own->begun->change.quantity_lots == order->quantity_lots &&
           own->filled_lots == order->filled_lots;
}

/* An amend may say what it has set before it says anything else of its order. */
static bool take_begun(const fixture_twin *twin, const fixture *f, const matching_command *command,
                       size_t *next, told_order *own)
{
    if (*next == twin->engine.event_count) {
        return true;
    }
    const matching_event *event = &twin->engine.events[*next].event;
    if (event->kind != MATCHING_EVENT_CHANGE || !event->change.is_begun) {
        return true;
    }
    *own = (told_order){event, event->change.filled_lots};
    (*next)++;
    return command->type == MATCHING_AMEND && event->change.order_id == f->reply.order.order_id &&
           is_followed(twin, &f->reply.order);
}

static const char *compare_events(const fixture_twin *twin, const fixture *f,
                                  const matching_command *command)
{
    size_t next = 0;
    told_order own = {0};
    for (size_t i = 0; i < f->event_count; i++) {
        const fixture_event *wanted = &f->events[i];
        if (!take_begun(twin, f, command, &next, &own)) {
            return "twin: an amend that is not one has begun";
        }
        bool is_left = next < twin->engine.event_count;
        const fixture_event *got = is_left ? &twin->engine.events[next] : NULL;
        if (is_due(twin, command, wanted)) {
            if (!is_left || !same_event(wanted, got)) {
                return "twin: an event is missing or different";
            }
            next++;
        } else if (!is_followed(twin, &wanted->order)) {
            continue;
        } else if (wanted->event.order.trade_id != 0) {
            if (!is_known(f, command, &own, wanted)) {
                return "twin: a fill cannot be known from its trade";
            }
        } else if (command->type != MATCHING_PLACE ||
                   wanted->order.order_id != f->reply.order.order_id) {
            if (!is_left || !same_change(wanted, &got->event)) {
                return "twin: a change is missing or different";
            }
            next++;
        }
    }
    return next == twin->engine.event_count ? NULL : "twin: an event too many";
}

size_t twin_count_changes(const fixture_twin *twin, bool begun)
{
    size_t count = 0;
    for (size_t i = 0; i < twin->engine.event_count; i++) {
        const matching_event *event = &twin->engine.events[i].event;
        count += event->kind == MATCHING_EVENT_CHANGE && (event->change.is_begun != 0) == begun;
    }
    return count;
}

/* What a brief reply keeps of an order; the fixture zeroes replies beforehand. */
static matching_order brief_of(const matching_order *order)
{
    matching_order brief;
    memset(&brief, 0, sizeof brief);
    brief.order_id = order->order_id;
    brief.instrument = order->instrument;
    brief.side = order->side;
    brief.type = order->type;
    brief.price_ticks = order->price_ticks;
    brief.quantity_lots = order->quantity_lots;
    brief.filled_lots = order->filled_lots;
    brief.status = order->status;
    brief.reason = order->reason;
    memcpy(brief.client_order_id, order->client_order_id, sizeof brief.client_order_id);
    return brief;
}

static const char *compare_reply(const fixture_twin *twin, const matching_reply *wanted, bool brief)
{
    const matching_reply *got = &twin->engine.reply;
    if (wanted->code != got->code || wanted->field != got->field || wanted->type != got->type ||
        wanted->sequence != got->sequence || wanted->has_order != got->has_order ||
        wanted->related_order_id != got->related_order_id) {
        return "twin: another reply";
    }
    if (!wanted->has_order) {
        return NULL;
    }
    if (wanted->trader != got->trader ||
        strcmp(matching_engine_trader(twin->engine.engine, got->trader), wanted->order.trader_id)) {
        return "twin: another trader's number in the reply";
    }
    matching_order order = wanted->order;
    if (brief) {
        order = brief_of(&wanted->order);
    }
    return memcmp(&order, &got->order, sizeof order) == 0 ? NULL
                                                          : "twin: another order in the reply";
}

const char *twin_apply(fixture_twin *twin, const fixture *f, matching_command command)
{
    bool brief = (command.type == MATCHING_PLACE || command.type == MATCHING_CANCEL ||
                  command.type == MATCHING_AMEND) &&
                 f->sequence % 3 != 0;
    if (brief) {
        command.flags |= MATCHING_FLAG_BRIEF;
    }
    if (command.trader_hint == 0) {
        command.trader_hint = known_number(twin, &command);
    }
    matching_engine_prefetch(twin->engine.engine, &command, &twin->last[0], &twin->last[1],
                             f->sequence % 2 != 0);
    matching_engine_prefetch_first(twin->engine.engine, twin->last, 2, f->sequence % 4 > 1);
    twin->last[1] = twin->last[0];
    twin->last[0] = command;
    command.time_ns = f->time_ns;
    twin->engine.time_ns = f->time_ns - 1;
    twin->engine.sequence = f->sequence - 1;
    fixture_apply_alone(&twin->engine, command);
    const matching_reply *reply = &twin->engine.reply;
    if (reply->has_order && reply->trader > twin->traders) {
        twin->traders = reply->trader;
    }
    const char *difference = compare_reply(twin, &f->reply, brief);
    return difference != NULL ? difference : compare_events(twin, f, &command);
}

const char *twin_check(const fixture_twin *twin, const fixture *f)
{
    const char *wrong = matching_engine_check(twin->engine.engine);
    if (wrong == NULL &&
        matching_engine_hash(twin->engine.engine) != matching_engine_hash(f->engine)) {
        wrong = "twin: another hash";
    }
    return wrong;
}
