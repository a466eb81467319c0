/* How much is answered: a number of messages in flight on each connection, the next one sent as
 * soon as one is answered; or messages at fixed times, however fast they are answered.
 *
 * Replies of a connection come in the order of its messages, so the times at which these were due
 * stand in a ring. With a fixed rate that is the time by the plan and not the time of sending: a
 * server that stalls is charged for all that had to wait, also for what could not even be sent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/client.h"
#include "load/report.h"
#include "load/turns.h"
#include "messages.h"
#include "ws_load.h"

#define WARM_UP_NS UINT64_C(300000000)
#define SILENCE_NS UINT64_C(10000000000)
#define RESTING 128u     /* orders that a connection leaves in the book before it cancels one */
#define AHEAD_MAX 65536u /* messages of a connection that may wait for a reply, with a fixed rate */
#define NS_PER_S 1e9

typedef struct sent {
    uint64_t due_ns;
    uint16_t length;
    uint8_t kind;
} sent;

/* What a connection has under way, and the orders that it can cancel. */
typedef struct lane {
    sent *ring;
    uint32_t head, tail;
    uint64_t *resting; /* a ring as well; as large, plus RESTING */
    uint32_t first_resting, resting_end;
} lane;

typedef struct throughput {
    swarm clients;
    const settings *settings;
    bool is_echo;
    lane *lanes;
    uint32_t ring_size; /* a power of two */
    uint64_t number;    /* of the next message */
    bool is_sending, is_measured;
    uint64_t measured_ns; /* what was due before does not count */
    uint64_t under_way, replies, heard_ns;
    histogram *times;
} throughput;

static message_kind next_kind(throughput *t, lane *l)
{
    switch (t->is_echo ? MIX_REST : t->settings->mix) {
    case MIX_CANCEL:
        return l->resting_end - l->first_resting > RESTING ? MESSAGE_CANCEL : MESSAGE_REST;
    case MIX_CROSS:
        return l->head % 2 == 0 ? MESSAGE_CROSS_BID : MESSAGE_CROSS_ASK;
    default:
        return MESSAGE_REST;
    }
}

static void queue_next(throughput *t, client *c, uint64_t due_ns)
{
    char text[MESSAGE_MAX];
    lane *l = &t->lanes[c->number];
    message_kind kind = next_kind(t, l);
    uint64_t n =
        kind == MESSAGE_CANCEL ? l->resting[l->first_resting++ & (t->ring_size - 1)] : t->number++;
    size_t length = message_write(text, kind, c->number % 100, n);
    l->ring[l->head++ & (t->ring_size - 1)] =
        (sent){.due_ns = due_ns, .length = (uint16_t)length, .kind = (uint8_t)kind};
    t->under_way++;
    client_queue(c, text, length);
}

static void take_reply(throughput *t, lane *l, const sent *s, const char *text, size_t length)
{
    uint64_t order_id;
    if (t->is_echo ? length != s->length : !message_is_ack(text, length, &order_id)) {
        fail("not the reply that was expected: %.*s", (int)length, text);
    }
    if (!t->is_echo && s->kind == MESSAGE_REST && t->settings->mix == MIX_CANCEL) {
        l->resting[l->resting_end++ & (t->ring_size - 1)] = order_id;
    }
}

static void on_message(void *context, client *c, const char *text, size_t length)
{
    throughput *t = context;
    lane *l = &t->lanes[c->number];
    if (l->head == l->tail) {
        fail("a message that nothing was asked for: %.*s", (int)length, text);
    }
    const sent *s = &l->ring[l->tail & (t->ring_size - 1)];
    take_reply(t, l, s, text, length);
    if (t->is_measured && s->due_ns >= t->measured_ns) {
        histogram_add(t->times, t->clients.now_ns - s->due_ns);
        t->replies++;
    }
    t->heard_ns = t->clients.now_ns;
    t->under_way--;
    l->tail++;
    if (t->is_sending && t->settings->rate == 0) {
        queue_next(t, c, t->clients.now_ns);
    }
}

/* ---- Fixed times ----------------------------------------------------------------------------- */

/* Sends all that has become due by now. Where a connection has too much under way the plan waits,
 * and its times stay what they were. */
static uint64_t send_due(throughput *t, uint64_t due, uint64_t begun_ns)
{
    uint64_t now = now_ns(), first = due;
    unsigned count = t->settings->connections;
    for (;; due++) {
        uint64_t due_ns = begun_ns + (uint64_t)((double)due * NS_PER_S / t->settings->rate);
        lane *l = &t->lanes[due % count];
        if (due_ns > now || l->head - l->tail >= AHEAD_MAX) {
            break;
        }
        queue_next(t, t->clients.clients[due % count], due_ns);
    }
    for (unsigned i = 0; i < count && i < due - first; i++) {
        client_flush(&t->clients, t->clients.clients[(first + i) % count]);
    }
    return due;
}

/* ---- A round --------------------------------------------------------------------------------- */

static void begin(throughput *t, const target *server)
{
    unsigned most = t->settings->rate > 0 ? AHEAD_MAX : t->settings->in_flight;
    for (t->ring_size = 2; t->ring_size < most + RESTING + 1; t->ring_size *= 2) {
    }
    swarm_init(&t->clients);
    t->clients.on_message = on_message;
    t->clients.context = t;
    t->lanes = calloc(t->settings->connections, sizeof *t->lanes);
    for (unsigned i = 0; t->lanes != NULL && i < t->settings->connections; i++) {
        t->lanes[i].ring = malloc(t->ring_size * sizeof *t->lanes[i].ring);
        t->lanes[i].resting = malloc(t->ring_size * sizeof *t->lanes[i].resting);
        if (t->lanes[i].ring == NULL || t->lanes[i].resting == NULL) {
            fail("out of memory");
        }
    }
    if (t->lanes == NULL) {
        fail("out of memory");
    }
    swarm_connect(&t->clients, &server->address, t->settings->connections, false);
}

static void end(throughput *t)
{
    for (unsigned i = 0; i < t->settings->connections; i++) {
        free(t->lanes[i].ring);
        free(t->lanes[i].resting);
    }
    free(t->lanes);
    swarm_fini(&t->clients);
}

static void fill_pipes(throughput *t)
{
    uint64_t now = now_ns();
    for (unsigned i = 0; i < t->settings->connections; i++) {
        for (unsigned k = 0; k < t->settings->in_flight; k++) {
            queue_next(t, t->clients.clients[i], now);
        }
        client_flush(&t->clients, t->clients.clients[i]);
    }
}

static void tell(const throughput *t, const target *server, uint64_t now)
{
    double seconds = (double)(now - t->measured_ns) / NS_PER_S;
    progress("%s: %.1f s, %.0f replies a second, p50 %.1f us, p99 %.1f us", server->name, seconds,
             seconds > 0 ? (double)t->replies / seconds : 0,
             (double)histogram_at(t->times, 0.5) / 1e3, (double)histogram_at(t->times, 0.99) / 1e3);
}

static void run(throughput *t, target *server, unsigned round)
{
    uint64_t begun = now_ns(), due = 0, now = begun, next_ns = 0, cpu_ns = 0;
    uint64_t length_ns = t->settings->seconds * (uint64_t)NS_PER_S;
    t->heard_ns = begun;
    t->is_sending = true;
    if (t->settings->rate == 0) {
        fill_pipes(t);
    }
    while (!t->is_measured || now - t->measured_ns < length_ns) {
        if (t->settings->rate > 0) {
            due = send_due(t, due, begun);
        }
        swarm_turn(&t->clients, 0);
        now = now_ns();
        if (!t->is_measured && now - begun >= WARM_UP_NS) {
            t->is_measured = true;
            t->measured_ns = now;
            cpu_ns = target_cpu_ns(server);
        }
        if (t->under_way > 0 && now - t->heard_ns > SILENCE_NS) {
            fail("%s: no reply for ten seconds", server->name);
        }
        if (t->is_measured && now >= next_ns) {
            next_ns = now + (uint64_t)NS_PER_S;
            tell(t, server, now);
        }
    }
    server->cpu_ns += target_cpu_ns(server) - cpu_ns;
    server->messages += t->replies;
    server->rates[round] = (double)t->replies * NS_PER_S / (double)(now - t->measured_ns);
    t->is_measured = t->settings->rate > 0; /* what is still owed counts where times are fixed */
    t->is_sending = false;
    while (t->under_way > 0) {
        if (swarm_turn(&t->clients, 10000) == 0) {
            fail("%s: no reply for ten seconds", server->name);
        }
    }
}

void measure_throughput(const settings *s, target *targets, unsigned count)
{
    static const char *const mixes[] = {"order and cancel", "orders that trade", "orders"};
    char measure[64];
    for (unsigned round = 0; round < s->rounds; round++) {
        for (unsigned i = 0; i < count; i++) {
            throughput t = {
                .settings = s, .is_echo = targets[i].is_echo, .times = &targets[i].times};
            turn_of(&targets[i]);
            begin(&t, &targets[i]);
            run(&t, &targets[i], round);
            end(&t);
        }
    }
    if (s->rate > 0) {
        snprintf(measure, sizeof measure, "%s, %u/s", mixes[s->mix], s->rate);
    } else {
        snprintf(measure, sizeof measure, "%s, %ux%u", mixes[s->mix], s->connections, s->in_flight);
    }
    targets_report(measure, targets, count, s->rounds, NULL);
}
