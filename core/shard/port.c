/* A port: a transport's rings to and from every shard, and its cursor in every broadcast ring.
 *
 * Per shard and turn: look at the event tail and the gate, deliver the replies that the gate lets
 * through, then the events up to that tail. So a reply always comes before its events. Replies that
 * gather something wait here until their events have passed.
 */
#include <stdlib.h>
#include <string.h>

#include "matching/probes.h"
#include "metrics/recorder.h"
#include "shard/gate.h"
#include "shard/gather.h"
#include "shard/hints.h"
#include "shard/order_trace.h"
#include "shard/port_internal.h"

#define DEFAULT_BUDGET 4096
#define BULK_READS_MAX 64 /* reads with a large answer that one port may have under way, and ... */
#define HISTORY_READS_MAX 1024 /* of any kind that wait for the store */
#define BULK_READS_SHARE 4     /* ... its part of a ring (one over this): orders need room too */

matching_port *matching_port_create(matching_core *core, const matching_port_handlers *handlers,
                                    void *context)
{
    if (core->started || core->port_count == PORTS_MAX) {
        return NULL;
    }
    matching_port *port = aligned_alloc(64, (sizeof *port + 63) & ~(size_t)63);
    if (port == NULL) {
        return NULL;
    }
    memset(port, 0, sizeof *port);
    port->core = core;
    port->handlers = *handlers;
    port->context = context;
    port->number = core->port_count;
    port->shards = calloc(core->shard_count, sizeof *port->shards);
    port->chunk = aligned_alloc(64, CHUNK_SLOTS * sizeof *port->chunk);
    port->hints = calloc(HINT_PLACES, sizeof *port->hints);
    port->metrics = core->options.metrics ? calloc(1, sizeof *port->metrics) : NULL;
    port->traces = matching_trace_is_on() ? port_traces_create(core, core->shard_count) : NULL;
    if (port->shards == NULL || port->chunk == NULL || port->hints == NULL ||
        (core->options.metrics && port->metrics == NULL) ||
        (matching_trace_is_on() && port->traces == NULL)) {
        port_destroy(port);
        return NULL;
    }
    core->ports[core->port_count++] = port;
    return port;
}

void port_destroy(matching_port *port)
{
    while (port->gathers != NULL) {
        gather *next = port->gathers->next;
        gather_free(&port->spare_gathers, port->gathers);
        port->gathers = next;
    }
    gather_spares_fini(&port->spare_gathers);
    for (unsigned s = 0; port->shards != NULL && s < port->core->shard_count; s++) {
        free(port->shards[s].held.slots);
    }
    free(port->shards);
    free(port->chunk);
    free(port->hints);
    free(port->metrics);
    port_traces_destroy(port->traces);
    free(port);
}

void matching_port_name(matching_port *port, const char *name)
{
    if (port->metrics != NULL) {
        port->metrics->name = name;
    }
    if (port->traces != NULL) {
        port->traces->transport = name;
    }
}

void matching_port_refused(matching_port *port, matching_code code)
{
    if (code != MATCHING_OK) {
        MATCHING_PROBE2(refused, port->number, code);
    }
    if (port->metrics != NULL && code != MATCHING_OK) {
        metric_add(&port->metrics->refused[code], 1);
    }
}

void matching_port_responded(matching_port *port, unsigned status)
{
    unsigned first = status / 100;
    if (port->metrics != NULL && first < METRIC_STATUSES) {
        metric_add(&port->metrics->responses[first], 1);
    }
}

void matching_port_connected(matching_port *port)
{
    if (port->metrics != NULL) {
        metric_add(&port->metrics->connected, 1);
    }
}

void matching_port_disconnected(matching_port *port)
{
    if (port->metrics != NULL) {
        metric_add(&port->metrics->disconnected, 1);
    }
}

void matching_port_carried(matching_port *port, uint64_t received, uint64_t sent)
{
    if (port->metrics != NULL) {
        metric_add(&port->metrics->bytes_received, received);
        metric_add(&port->metrics->bytes_sent, sent);
    }
}

const port_metrics *port_metrics_of(const matching_port *port)
{
    return port->metrics;
}

matching_core *port_core(matching_port *port)
{
    return port->core;
}

bool port_listens(const matching_port *port)
{
    return port->handlers.on_event != NULL;
}

void port_notify(matching_port *port, bool only_events)
{
    if (only_events && !port_listens(port)) {
        return;
    }
    if (atomic_exchange(&port->sleeping, false)) {
        port->handlers.wake(port->context);
    }
}

static ring *commands_of(matching_port *port, unsigned s)
{
    return &port->core->shards[s].commands[port->number];
}

static ring *replies_of(matching_port *port, unsigned s)
{
    return &port->core->shards[s].replies[port->number];
}

static ring *extras_of(matching_port *port, unsigned s)
{
    return &port->core->shards[s].extras[port->number];
}

static unsigned route(const matching_core *core, const matching_command *command)
{
    if (command->order_id != 0 && command->type != MATCHING_READ_ORDERS &&
        command->type != MATCHING_READ_OPEN_ORDERS) {
        unsigned s = (unsigned)(command->order_id & ((1u << core->shard_bits) - 1));
        return s < core->shard_count ? s : 0; /* no shard made such an id: shard 0 will say so */
    }
    if (command->type == MATCHING_ADD_INSTRUMENT) {
        return core_shard_of(core, command->symbol);
    }
    return core->instruments.entries[command->instrument].shard;
}

static bool for_all_shards(const matching_command *command)
{
    return (command->flags & MATCHING_FLAG_ALL_SYMBOLS) &&
           (command->type == MATCHING_CANCEL_ALL || command->type == MATCHING_READ_ORDERS ||
            command->type == MATCHING_READ_OPEN_ORDERS);
}

/* Done before a thread would have been woken for it. */
static bool is_light(const matching_command *command)
{
    return command->type == MATCHING_PLACE || command->type == MATCHING_CANCEL ||
           command->type == MATCHING_AMEND || command->type == MATCHING_READ_ORDER ||
           command->type == MATCHING_READ_TICKER;
}

/* The caller has seen that there is room. */
static void push(matching_port *port, unsigned s, const matching_command *command, void *payload)
{
    ring *commands = commands_of(port, s);
    if (ring_unpublished(commands) == 0) {
        ring_rewind(commands);
    }
    matching_command *slot = ring_slot(commands);
    if (slot == NULL) {
        matching_engine_panic(__FILE__, __LINE__, "a command ring is full");
    }
    *slot = *command;
    slot->payload = payload;
    slot->trace = port_traces_push(port->traces, s, ring_written(commands), slot);
    if (slot->type == MATCHING_PLACE) {
        hints_give(port->hints, s, slot);
    }
    port_metrics_push(port->core->shards[s].metrics, port->number, commands, slot);
    MATCHING_PROBE2(submitted, s, ring_written(commands));
    ring_advance(commands);
    port->shards[s].in_flight++;
    port->shards[s].is_heavy = port->shards[s].is_heavy || !is_light(slot);
}

static void link_gather(matching_port *port, gather *g)
{
    g->previous = NULL;
    g->next = port->gathers;
    if (g->next != NULL) {
        g->next->previous = g;
    }
    port->gathers = g;
}

static void unlink_gather(matching_port *port, gather *g)
{
    if (g->next != NULL) {
        g->next->previous = g->previous;
    }
    if (g->previous != NULL) {
        g->previous->next = g->next;
    } else {
        port->gathers = g->next;
    }
}

static bool may_read_bulk(const matching_port *port)
{
    uint64_t share = port->core->ring_slots / BULK_READS_SHARE;
    return port->bulk_reads < BULK_READS_MAX && (port->bulk_reads < share || share == 0);
}

bool matching_port_is_bulk(const matching_command *command)
{
    return gather_is_bulk(command);
}

matching_code matching_port_submit(matching_port *port, const matching_command *command)
{
    matching_core *core = port->core;
    if (port->closed || !core->started) {
        return MATCHING_SHUTTING_DOWN;
    }
    bool all = for_all_shards(command);
    unsigned first = all ? 0 : route(core, command);
    unsigned count = all ? core->shard_count : 1;
    for (unsigned i = 0; i < count; i++) {
        if (port->shards[first + i].in_flight >= core->ring_slots) {
            return MATCHING_OVERLOADED;
        }
    }
    gather *g = NULL;
    if (gather_needed(command) || (core->history != NULL && command->type == MATCHING_READ_ORDER)) {
        bool bulk = gather_is_bulk(command);
        if (bulk && !may_read_bulk(port)) {
            return MATCHING_OVERLOADED;
        }
        g = gather_create(&port->spare_gathers, command, count);
        if (g == NULL) {
            return MATCHING_OVERLOADED;
        }
        port->bulk_reads += bulk;
        link_gather(port, g);
    }
    for (unsigned i = 0; i < count; i++) {
        push(port, first + i, command, g == NULL ? NULL : &g->parts[i]);
    }
    port->in_flight++;
    return MATCHING_OK;
}

static void flush(matching_port *port)
{
    for (unsigned s = 0; s < port->core->shard_count; s++) {
        ring *commands = commands_of(port, s);
        uint64_t count = ring_unpublished(commands);
        if (count == 0) {
            continue;
        }
        port_metrics_publish(commands);
        bool is_heavy = port->shards[s].is_heavy;
        port->shards[s].is_heavy = false;
        MATCHING_PROBE2(queued, s, count);
        port_traces_publish(port->traces, s);
        ring_publish(commands);
        /* A shard that runs on this thread may have to deliver, which is no good in the midst of
         * delivering. */
        if (is_heavy || port->is_taking) {
            shard_wake(&port->core->shards[s]);
        } else {
            shard_serve(&port->core->shards[s], port, count);
        }
    }
}

void matching_port_flush(matching_port *port)
{
    port_metrics_turn(port->metrics);
    port_traces_turn(port->traces);
    flush(port);
}

/* A page that was scanned in part goes on where it stood; one of one moment as long as nothing has
 * been looked at that could be on it. */
static bool goes_on(matching_port *port, unsigned s, gather_part *part)
{
    const matching_command *command = &part->owner->command;
    bool has_begun = part->page.after > command->order_id;
    bool may_go_on = command->type == MATCHING_READ_ORDERS ||
                     (command->type == MATCHING_READ_OPEN_ORDERS &&
                      !((command->flags & MATCHING_FLAG_ONE_MOMENT) && has_begun));
    if (!may_go_on || part->page.done) {
        return false;
    }
    push(port, s, command, part);
    return true;
}

/* Before anybody hears of it, so that whoever does can trade it, or sees its new state. */
static void note_reply(matching_port *port, const matching_reply *reply)
{
    if (reply->code != MATCHING_OK) {
        return;
    }
    if (reply->type == MATCHING_ADD_INSTRUMENT) {
        core_list_instrument(port->core, reply->instrument);
    } else if (reply->type == MATCHING_SET_STATE) {
        core_set_state(port->core, reply->instrument, reply->state, reply->sequence);
    }
}

static void deliver_gather(matching_port *port, gather *g)
{
    unlink_gather(port, g);
    port->in_flight--;
    port->bulk_reads -= g->bulk;
    port_metrics_answer(port->metrics, &g->reply);
    port->handlers.on_reply(port->context, &g->reply);
    gather_free(&port->spare_gathers, g);
}

/* Memory did not have all of it. */
static void ask_history(matching_port *port, gather *g)
{
    const history_link *history = port->core->history;
    if (history == NULL) {
        if (g->command.type == MATCHING_READ_CANDLES) {
            gather_make_candles(g);
        }
        deliver_gather(port, g);
    } else if (port->history_reads == HISTORY_READS_MAX) {
        g->reply.code = MATCHING_OVERLOADED;
        g->reply.trade_count = g->reply.order_count = 0;
        deliver_gather(port, g);
    } else {
        port->history_reads++;
        g->read = (history_read){.port = port, .gather = g};
        history->read(history, &g->read);
    }
}

/* The last one in is the first one out; each of them was under way with the others. */
void port_finish_read(history_read *read)
{
    matching_port *port = read->port;
    read->next = atomic_load_explicit(&port->finished, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&port->finished, &read->next, read)) {
    }
    port_notify(port, false);
}

static void take_finished(matching_port *port)
{
    if (atomic_load_explicit(&port->finished, memory_order_relaxed) == NULL) {
        return;
    }
    history_read *read = atomic_exchange(&port->finished, NULL);
    while (read != NULL) {
        history_read *next = read->next;
        port->history_reads--;
        deliver_gather(port, read->gather);
        read = next;
    }
}

/* The last part of a gather completes its reply. */
static void take_part(matching_port *port, unsigned s, gather_part *part,
                      const matching_reply *reply)
{
    gather *g = part->owner;
    unsigned failed = g->reply.code; /* one shard's answer of several: the first bad one stays */
    if (part->extras > 0) {
        gather_take_extras(part, port->core, s, extras_of(port, s));
        shard_feed(&port->core->shards[s]);
    }
    g->reply = *reply;
    g->reply.code = failed != MATCHING_OK ? (uint16_t)failed : reply->code;
    if (--g->parts_left > 0) {
        return;
    }
    gather_finish(g);
    if (!gather_wants_history(g)) {
        deliver_gather(port, g);
    } else {
        ask_history(port, g);
    }
}

static void take_reply(matching_port *port, unsigned s, const shard_reply *in)
{
    gather_part *part = in->payload;
    if (part == NULL) {
        note_reply(port, &in->reply);
        port->in_flight--;
        port_metrics_answer(port->metrics, &in->reply);
        port->handlers.on_reply(port->context, &in->reply);
    } else if (!goes_on(port, s, part)) {
        take_part(port, s, part, &in->reply);
    }
}

/* It happened, but is not in the journal and will not be: nobody may hear of it. */
static void forget_outcome(matching_reply *reply)
{
    reply->code = MATCHING_INTERNAL_ERROR;
    reply->field = 0;
    reply->has_order = 0;
    reply->related_order_id = 0;
    reply->history = MATCHING_HISTORY_FINE;
}

static void drain_replies(matching_port *port, unsigned s, uint64_t durable, bool failed)
{
    ring *replies = replies_of(port, s);
    for (uint64_t end = ring_end(replies); replies->read < end;) {
        shard_reply *in = ring_at(replies, replies->read);
        if (in->reply.sequence > durable) {
            if (!failed) {
                break;
            }
            forget_outcome(&in->reply);
        }
        MATCHING_PROBE2(answered, s, in->reply.sequence);
        hints_learn(port->hints, s, &in->reply);
        port_metrics_take(port->metrics, port->core->shards[s].metrics, port->number, replies,
                          &in->reply);
        port_traces_take(port->traces, s, ring_taken(replies), &in->reply);
        take_reply(port, s, in);
        replies->read++;
        ring_release(replies);
        port->shards[s].in_flight--; /* only now: on_reply may submit, and that needs a free slot */
    }
}

/* Delivers what a shard has ready. True: there are more events. */
static bool take(matching_port *port, unsigned s, unsigned budget)
{
    shard *owner = &port->core->shards[s];
    uint64_t tail = atomic_load_explicit(&owner->events.tail, memory_order_acquire);
    uint64_t complete = port_complete(port, s); /* whose replies are there, for events below tail */
    bool failed = gate_has_failed(owner);       /* looked at first: then durable is final */
    uint64_t durable = atomic_load_explicit(&owner->durable_sequence, memory_order_acquire);
    bool more = false;
    port->is_taking = true;
    drain_replies(port, s, durable, failed);
    if (port_listens(port)) {
        more = port_take_events(port, s, tail, durable, complete, budget);
    }
    port->is_taking = false;
    return more;
}

static bool take_all(matching_port *port, unsigned budget)
{
    bool more = false;
    for (unsigned s = 0; s < port->core->shard_count; s++) {
        more = take(port, s, budget) || more;
    }
    port->is_taking = true;
    take_finished(port);
    port->is_taking = false;
    return more;
}

void port_take(matching_port *port)
{
    (void)take_all(port, DEFAULT_BUDGET);
}

bool matching_port_poll(matching_port *port, unsigned budget)
{
    bool more = take_all(port, budget == 0 ? DEFAULT_BUDGET : budget);
    flush(port);
    return more;
}

/* Is there something that poll would deliver? */
static bool is_ready(matching_port *port, unsigned s)
{
    shard *owner = &port->core->shards[s];
    ring *replies = replies_of(port, s);
    uint64_t durable = atomic_load(&owner->durable_sequence), end = ring_end(replies);
    if (replies->read != end &&
        (((const shard_reply *)ring_at(replies, replies->read))->reply.sequence <= durable ||
         gate_has_failed(owner))) {
        return true;
    }
    return port_listens(port) && (broadcast_has_events(&owner->events, port->number, durable) ||
                                  port_has_held(port, s, port_complete(port, s)));
}

bool matching_port_sleep(matching_port *port)
{
    matching_port_flush(port);
    atomic_exchange(&port->sleeping, true); /* the same hand-shake as with a shard (shard.h) */
    if (atomic_load(&port->finished) != NULL) {
        atomic_store(&port->sleeping, false);
        return false;
    }
    for (unsigned s = 0; s < port->core->shard_count; s++) {
        if (is_ready(port, s)) {
            atomic_store(&port->sleeping, false);
            return false;
        }
    }
    return true;
}

size_t matching_port_in_flight(const matching_port *port)
{
    return port->in_flight;
}

void matching_port_close(matching_port *port)
{
    port->closed = true;
}
