/* A shard's loop: take commands, number and stamp them, apply, publish, wake who sleeps.
 *
 * Invariants: replies are published before the events of their commands, so that a port which reads
 * the event tail first meets the reply first; sequence and time never go back; a reply slot is
 * always free, because a port has at most as many commands in flight as its reply ring holds.
 */
#define _GNU_SOURCE
#include "shard/shard.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "matching/probes.h"
#include "metrics/recorder.h"
#include "shard/core_internal.h"
#include "shard/gate.h"
#include "shard/gather.h"
#include "shard/order_trace.h"

#define READ_ORDERS_BUDGET 4096 /* orders looked at before other commands get their turn */
/* Whoever does the shard's work looks at replies when it is through, so batches go to the gate
 * together, and into one write of the journal; but others wait for theirs. */
#define SERVED_AT_ONCE 1024
#define SLEEP_MAX_MS 60000 /* then look at the clock again: it may have been set */
#define FIRST_READ 32      /* command types from here on change nothing */

/* Reads move the time too and are in no journal: a clock that is set back while the process is dead
 * takes the time back to that of the last command. That undoes nothing that a client was told. What
 * a read says of the time is its own moment and the day that a ticker looks back on; whether an
 * order is open or has expired is what commands made it, a tick included, and those are safe before
 * anybody hears of them. */
static void stamp(shard *s)
{
    uint64_t now = matching_unix_ns();
    s->books.time_ns = now > s->books.time_ns ? now : s->books.time_ns;
}

/* Looks at the events that were not looked at yet: trades become recent ones and count in the
 * ticker, and what the command's own reply wants is gathered. */
static void note_events(shard *s)
{
    const matching_event_sink *sink = &s->events.sink;
    while (s->noted < sink->head) {
        const matching_event *event = &sink->slots[s->noted & sink->mask];
        bool is_order = event->kind == MATCHING_EVENT_ORDER;
        books_note(&s->books, event);
        if (s->gathering != NULL) {
            matching_order order;
            if (is_order) {
                books_order_after(sink, s->noted, &order);
            }
            gather_event(s->gathering, s->gathering_for, s->gathering_reply, s->gathering_extras,
                         event, is_order ? &order : NULL);
        }
        s->noted += matching_event_slots(event);
    }
}

/* Shows everything up to here to those whom the gate lets through: replies, then events. complete:
 * the last command that is through. */
static void show(shard *s, bool has_events, uint64_t complete)
{
    note_events(s);
    for (unsigned i = 0; i < s->port_count; i++) {
        if (s->answered[i]) {
            ring_publish(&s->extras[i]);
            ring_publish(&s->replies[i]);
        }
    }
    atomic_store(&s->unfinished_port, s->polled_port); /* then what port_complete looks at first */
    atomic_store(&s->complete_sequence, complete);
    broadcast_publish(&s->events);
    s->has_shown_events = s->has_shown_events || has_events;
}

/* Then to the gate, which lets go all that was shown. */
static void let_go(shard *s)
{
    gate_publish(s, s->has_shown_events);
    for (unsigned i = 0; i < s->port_count; i++) {
        s->answered[i] = false;
    }
    s->has_shown_events = false;
    s->shown = 0;
}

static void publish(shard *s, bool has_events, uint64_t complete)
{
    show(s, has_events, complete);
    let_go(s);
}

/* The engine has filled the ring in the midst of a command. What is there goes out; once it is
 * durable the readers get a bounded time. */
static void make_room(matching_event_sink *sink)
{
    shard *s = sink->context;
    note_events(s); /* before they are overwritten */
    if (broadcast_raise_limit(&s->events)) {
        return;
    }
    publish(s, true, s->books.sequence - 1);
    uint64_t deadline = matching_monotonic_ns() + BROADCAST_LAP_AFTER_MS * 1000000ull;
    while (!broadcast_raise_limit(&s->events)) {
        uint64_t now = matching_monotonic_ns();
        if (gate_has_failed(s) || now > deadline) {
            broadcast_lap(&s->events);
        } else if (!gate_is_open(s)) {
            deadline = now + BROADCAST_LAP_AFTER_MS * 1000000ull; /* nobody may read it yet */
        }
        if (s->server != NULL) { /* this thread is one of the readers, of the other shards too */
            port_take(s->server);
        }
        sched_yield();
    }
}

static void read_trades(shard *s, const matching_command *command, gather_part *part)
{
    note_events(s); /* those of this batch too */
    const recent_trades *recent = &s->books.recent[command->instrument];
    part->trade_count = recent_trades_read(recent, command->from_id, command->before_id,
                                           command->limit, part->trades);
    uint64_t oldest = recent_trades_oldest(recent);
    part->complete = oldest <= 1 || (command->from_id != 0 ? command->from_id >= oldest
                                                           : part->trade_count == command->limit);
}

/* The uncross price is worked out here, when somebody asks, and not with each command of an
 * auction. */
static void read_ticker(shard *s, const matching_command *command, matching_ticker *out)
{
    note_events(s); /* those of this batch too */
    *out = (matching_ticker){0};
    ticker_read(&s->books.tickers[command->instrument], s->books.time_ns, out);
    matching_level bid = {0}, ask = {0};
    matching_depth best = {.bids = &bid, .asks = &ask};
    matching_engine_read_depth(s->books.engine, command->instrument, 1, &best);
    if (matching_engine_indicative(s->books.engine, command->instrument, &out->indicative_ticks,
                                   &out->indicative_lots)) {
        return;
    }
    out->bid_ticks = bid.price_ticks;
    out->ask_ticks = ask.price_ticks;
}

/* The reply to what changes nothing. */
static void begin_answer(const shard *s, const matching_command *command, matching_reply *reply)
{
    reply->code = MATCHING_OK;
    reply->field = 0;
    reply->type = command->type;
    reply->has_order = 0;
    reply->related_order_id = 0;
    reply->sequence = s->books.sequence;
}

static void answer_read(shard *s, const matching_command *command, matching_reply *reply)
{
    gather_part *part = command->payload;
    begin_answer(s, command, reply);
    if (part != NULL) {
        part->sequence = s->books.sequence;
        part->newest_id = matching_engine_newest(s->books.engine);
        part->complete = !matching_engine_forgets(s->books.engine);
    }
    switch (command->type) {
    case MATCHING_READ_ORDER:
        matching_engine_read_order(s->books.engine, command, reply);
        break;
    case MATCHING_READ_ORDERS:
        matching_engine_read_orders(s->books.engine, command, &part->page, READ_ORDERS_BUDGET);
        break;
    case MATCHING_READ_OPEN_ORDERS:
        matching_engine_read_open_orders(s->books.engine, command, &part->page, READ_ORDERS_BUDGET);
        break;
    case MATCHING_READ_DEPTH:
        matching_engine_read_depth(s->books.engine, command->instrument, command->limit,
                                   &part->depth);
        break;
    case MATCHING_READ_TRADES:
        read_trades(s, command, part);
        break;
    case MATCHING_READ_TICKER:
        read_ticker(s, command, &part->ticker);
        break;
    case MATCHING_READ_CANDLES: /* a store has them: here is only found out as of when */
        if (s->core->history == NULL) {
            read_trades(
                s,
                &(matching_command){.instrument = command->instrument, .limit = MATCHING_PAGE_MAX},
                part);
        }
        break;
    default:
        matching_engine_panic(__FILE__, __LINE__, "not a read");
    }
}

/* Applies a command; one with a payload gathers from its own events while they pass. */
static void apply(shard *s, const matching_command *command, matching_reply *reply, ring *extras)
{
    if (command->payload != NULL) {
        note_events(s); /* of the commands before it */
        s->gathering = command->payload;
        s->gathering_for = command;
        s->gathering_reply = reply;
        s->gathering_extras = extras;
    }
    matching_engine_apply(s->books.engine, command, &s->events.sink, reply);
    if (command->payload != NULL) {
        note_events(s);
        s->gathering = NULL;
    }
}

/* Whether an instrument can be added depends on all shards, so it is decided here and not in the
 * engine. A refused addition is no command: it is not numbered, and a replay never meets it. */
static bool refuse_addition(shard *s, matching_command *command, matching_reply *reply)
{
    matching_field field = MATCHING_FIELD_NONE;
    if (command->type != MATCHING_ADD_INSTRUMENT) {
        return false;
    }
    matching_code code = core_reserve_instrument(s->core, command, &field);
    if (code == MATCHING_OK) {
        return false;
    }
    begin_answer(s, command, reply);
    reply->code = (uint16_t)code;
    reply->field = (uint8_t)field;
    return true;
}

/* With a failed journal nothing is done any more. */
static bool refuse_all(const shard *s, const matching_command *command, matching_reply *reply)
{
    if (!gate_has_failed(s)) {
        return false;
    }
    begin_answer(s, command, reply);
    reply->code = MATCHING_INTERNAL_ERROR;
    return true;
}

/* From here on the command has happened, and its time with it. */
static void enter(shard *s, matching_command *command)
{
    command->sequence = ++s->books.sequence;
    command->time_ns = s->books.time_ns;
    if (s->journal != NULL) {
        journal_append(s->journal, command);
    }
}

static void process(shard *s, matching_command *command, shard_reply *out, ring *extras)
{
    matching_reply *reply = &out->reply;
    out->payload = command->payload;
    if (command->type >= FIRST_READ) {
        answer_read(s, command, reply);
    } else if (!refuse_all(s, command, reply) && !refuse_addition(s, command, reply)) {
        enter(s, command);
        MATCHING_PROBE2(sequenced, s->number, command->sequence);
        apply(s, command, reply, extras);
        MATCHING_PROBE3(matched, s->number, command->sequence, reply->code);
        shard_metrics_command(s->metrics, command, reply);
    }
    if (command->type == MATCHING_SET_STATE) {
        reply->instrument = command->instrument;
        reply->state = command->state;
    }
    reply->hint_place = command->type == MATCHING_PLACE ? command->hint_place : 0;
    reply->tag = command->tag;
    reply->received_ns = command->received_ns;
    reply->shard = s->number;
    reply->time_ns = s->books.time_ns;
    reply->events_end = s->events.sink.head;
}

/* Milliseconds until an order expires; -1: none will; 0: one is due. */
static int until_expiry(const shard *s)
{
    if (gate_has_failed(s)) {
        return -1;
    }
    uint64_t next_ms = matching_engine_next_expiry(s->books.engine);
    if (next_ms == 0) {
        return -1;
    }
    uint64_t now_ms = matching_unix_ns() / 1000000;
    uint64_t wait_ms = next_ms > now_ms ? next_ms - now_ms : 0;
    return wait_ms < SLEEP_MAX_MS ? (int)wait_ms : SLEEP_MAX_MS;
}

/* Where there is none, gate_on_room wakes the shard. */
static bool has_journal_room(shard *s)
{
    return s->journal == NULL || gate_has_failed(s) || journal_has_room(s->journal);
}

/* No command comes and an order is due: one of the shard's own lets time pass. */
static bool tick(shard *s)
{
    if (until_expiry(s) != 0 || !has_journal_room(s)) {
        return false;
    }
    matching_reply reply;
    stamp(s);
    matching_command command = {.type = MATCHING_TICK};
    s->polled_port = PORTS_MAX;
    enter(s, &command);
    matching_engine_apply(s->books.engine, &command, &s->events.sink, &reply);
    publish(s, true, s->books.sequence);
    return true;
}

/* Can the port's next command be applied? There is one. It waits in its ring while the journal is
 * behind, and until the port has taken replies, if what it may bring beside its own does not fit;
 * nobody else waits for that. Once all shall end it goes on without: that port does not listen any
 * more. */
static bool can_go(shard *s, unsigned port)
{
    const matching_command *command = ring_at(&s->commands[port], s->commands[port].read);
    if (!has_journal_room(s)) {
        return false;
    }
    return ring_has_room(&s->extras[port],
                         gather_extras_most(command, s->core->options.max_orders)) ||
           atomic_load_explicit(&s->stopping, memory_order_relaxed);
}

/* Asks for what commands behind `at` will touch; where there are none, for the last one's again. */
static void prefetch(const shard *s, ring *commands, uint64_t at, uint64_t end, bool is_large)
{
    uint64_t last = end - 1, far = at + MATCHING_PREFETCH_FAR,
             middle = at + MATCHING_PREFETCH_MIDDLE, near = at + MATCHING_PREFETCH_NEAR;
    matching_engine_prefetch(s->books.engine, ring_at(commands, far < last ? far : last),
                             ring_at(commands, middle < last ? middle : last),
                             ring_at(commands, near < last ? near : last), is_large);
}

/* The same for the first ones, as far as they lie side by side. One alone has nothing before it. */
static void prefetch_first(const shard *s, ring *commands, uint64_t end, bool is_large)
{
    uint64_t count = end - commands->read;
    uint64_t beside = commands->mask + 1 - (commands->read & commands->mask);
    if (count > 1) {
        matching_engine_prefetch_first(s->books.engine, ring_at(commands, commands->read),
                                       count < beside ? count : beside, is_large);
    }
}

bool shard_poll(shard *s)
{
    uint64_t events_before = s->events.sink.head, sequence_before = s->books.sequence;
    uint64_t began_ns = 0, done = 0;
    bool worked = false, is_large = matching_engine_is_large(s->books.engine);
    for (unsigned i = 0; i < s->port_count; i++) {
        ring *commands = &s->commands[i], *replies = &s->replies[i];
        uint64_t end = ring_end(commands);
        if (commands->read == end) {
            continue;
        }
        if (end - commands->read > s->batch_size) {
            end = commands->read + s->batch_size;
        }
        if (!s->answered[i]) {
            ring_rewind(replies);
        }
        s->polled_port = i;
        if (can_go(s, i)) {
            stamp(s);
            began_ns = worked ? began_ns : s->books.time_ns;
            worked = true;
        }
        prefetch_first(s, commands, end, is_large);
        while (commands->read < end && can_go(s, i)) {
            shard_reply *out = ring_slot(replies);
            if (out == NULL) {
                matching_engine_panic(__FILE__, __LINE__, "a reply ring is full");
            }
            prefetch(s, commands, commands->read, end, is_large);
            sample_times *sample = shard_metrics_begin(s->metrics, i, commands);
            matching_command *command = ring_at(commands, commands->read);
            order_trace *trace = command->trace;
            if (trace != NULL) {
                shard_traces_begin(trace);
            }
            process(s, command, out, &s->extras[i]);
            if (trace != NULL) {
                shard_traces_end(s->traces, trace, out->reply.sequence);
            }
            if (sample != NULL) {
                shard_metrics_end(s->metrics, sample, out->reply.sequence);
            }
            done++;
            /* Free before its reply can be seen, which make_room may publish in mid-batch: the port
             * counts on a slot for each command whose reply it has taken. */
            commands->read++;
            ring_release(commands);
            ring_advance(replies);
            s->answered[i] = true;
        }
    }
    if (worked) {
        show(s, s->events.sink.head != events_before, s->books.sequence);
        s->shown += done;
        if (s->server == NULL || s->shown >= SERVED_AT_ONCE) {
            let_go(s);
        }
        ahead_note(s);
        shard_metrics_batch(s->metrics, began_ns, done);
        MATCHING_PROBE2(batch, s->number, done);
    }
    /* Reads let nothing expire, however many come. */
    return (s->books.sequence == sequence_before && tick(s)) || worked;
}

void shard_wake(shard *s)
{
    if (atomic_exchange(&s->sleeping, false)) {
        uint64_t one = 1;
        ssize_t written = write(s->wake_fd, &one, sizeof one);
        (void)written; /* a full counter has woken it already */
    }
}

void shard_feed(shard *s)
{
    if (atomic_exchange(&s->starving, false)) {
        shard_wake(s);
    }
}

/* Is there any, whether or not its time has come? */
static bool has_commands(shard *s)
{
    for (unsigned i = 0; i < s->port_count; i++) {
        uint64_t end = ring_end(&s->commands[i]);
        if (s->commands[i].read != end) {
            return true;
        }
    }
    return false;
}

/* Is there one that can be applied now? */
static bool has_work(shard *s)
{
    for (unsigned i = 0; i < s->port_count; i++) {
        uint64_t end = ring_end(&s->commands[i]);
        if (s->commands[i].read == end) {
            continue;
        }
        if (can_go(s, i)) {
            return true;
        }
        atomic_exchange(&s->starving, true);
        if (can_go(s, i)) {
            return true;
        }
    }
    return false;
}

/* What the thread has to look after itself: an order that expires before it would wake; commands
 * that wait for room in the journal or for a port to take its extras. */
static bool is_thread_needed(shard *s, uint64_t expiry_before)
{
    uint64_t expiry = matching_engine_next_expiry(s->books.engine);
    return has_commands(s) || (expiry != 0 && (expiry_before == 0 || expiry < expiry_before));
}

void shard_serve(shard *s, matching_port *port, uint64_t count)
{
    uint64_t turns =
        count / s->batch_size + 1; /* others' commands are no business of this thread */
    if (count > s->serve_max || !atomic_load(&s->sleeping) ||
        pthread_mutex_trylock(&s->polling) != 0) {
        shard_wake(s);
        return;
    }
    uint64_t expiry_before = matching_engine_next_expiry(s->books.engine);
    s->server = port;
    while (shard_poll(s) && --turns > 0) {
    }
    if (s->shown > 0) {
        let_go(s);
    }
    s->server = NULL;
    bool needed = is_thread_needed(s, expiry_before);
    pthread_mutex_unlock(&s->polling);
    if (needed) {
        shard_wake(s);
    }
}

static void sleep_until_woken(shard *s)
{
    atomic_exchange(&s->sleeping, true); /* see shard_wake */
    if (has_work(s) || atomic_load(&s->stopping)) {
        atomic_store(&s->sleeping, false);
        return;
    }
    struct pollfd wanted = {.fd = s->wake_fd, .events = POLLIN};
    int timeout_ms = until_expiry(s);
    pthread_mutex_unlock(&s->polling);
    if (poll(&wanted, 1, timeout_ms) > 0) {
        uint64_t count;
        ssize_t got = read(s->wake_fd, &count, sizeof count);
        (void)got; /* whatever came: look at the rings */
    }
    pthread_mutex_lock(&s->polling);
    atomic_store(&s->sleeping, false);
}

static void *run(void *argument)
{
    shard *s = argument;
    uint64_t idle_since = 0;
    pthread_mutex_lock(&s->polling);
    ahead_note(s);
    for (;;) {
        if (shard_poll(s)) {
            idle_since = 0;
            continue;
        }
        if (atomic_load(&s->stopping) && !has_commands(s)) {
            pthread_mutex_unlock(&s->polling);
            return NULL;
        }
        if (s->spin_us > 0) {
            uint64_t now = matching_monotonic_ns();
            idle_since = idle_since == 0 ? now : idle_since;
            if (now - idle_since < s->spin_us * 1000ull) {
                continue;
            }
        }
        sleep_until_woken(s);
        idle_since = 0;
    }
}

/* Where it is to run it begins: what memory it is given hangs on that. */
static int create_thread(shard *s)
{
    pthread_attr_t attributes;
    int failed = pthread_attr_init(&attributes);
    if (failed != 0) {
        return failed;
    }
    if (s->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((unsigned)s->cpu, &set);
        failed = pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
    }
    if (failed == 0) {
        failed = pthread_create(&s->thread, &attributes, run, s);
    }
    pthread_attr_destroy(&attributes);
    return failed;
}

int shard_start(shard *s)
{
    s->events.sink.make_room = make_room;
    s->events.sink.watch = &s->core->watch;
    s->events.sink.context = s;
    int failed = create_thread(s);
    if (failed != 0) {
        return -failed;
    }
    s->running = true;
    char name[16];
    snprintf(name, sizeof name, "shard-%u", s->number);
    pthread_setname_np(s->thread, name);
    return 0;
}

void shard_stop(shard *s)
{
    if (s->running) {
        atomic_store(&s->stopping, true);
        shard_wake(s);
        pthread_join(s->thread, NULL);
        s->running = false;
    }
}
