/* See probe.h. The latency measure too, which is nothing but probes in turn. */
#include "probe.h"
#include "ws_load.h"

#include <stdio.h>
#include <string.h>

#include "load/report.h"
#include "load/turns.h"
#include "messages.h"

#define SILENCE_NS UINT64_C(10000000000)

const char *const probe_names[] = {"ping, one in flight", "limit order, one in flight",
                                   "matching, until the trade"};

static void on_message(void *context, client *c, const char *text, size_t length)
{
    probe *p = context;
    if (c->number != 0) {
        fail("an idle connection was told: %.*s", (int)length, text);
    }
    bool is_ack = message_is_ack(text, length, &p->order_id);
    bool is_trade = message_is_trade(text, length);
    if (p->target->is_echo) {
        p->is_answered = length == p->length;
    } else {
        p->is_answered = p->wants_trade ? is_trade : is_ack || message_is_pong(text, length);
    }
    if (!p->is_answered && !is_ack && !is_trade &&
        memcmp(text, "{\"type\":\"subscribed\"", 19) != 0) {
        fail("not the reply that was expected: %.*s", (int)length, text);
    }
    p->answered_ns = p->clients.now_ns;
}

static void await(probe *p)
{
    uint64_t begun = now_ns();
    while (!p->is_answered) {
        if (swarm_turn(&p->clients, 0) == 0 && now_ns() - begun > SILENCE_NS) {
            fail("%s: no reply for ten seconds", p->target->name);
        }
    }
}

/* From before it is put together until after its answer was read. */
static uint64_t ask(probe *p, message_kind kind, uint64_t n)
{
    char text[MESSAGE_MAX];
    uint64_t begun = now_ns();
    client *c = p->clients.clients[0];
    p->length = message_write(text, kind, 0, n);
    p->is_answered = false;
    client_queue(c, text, p->length);
    client_flush(&p->clients, c);
    await(p);
    return p->answered_ns - begun;
}

static uint64_t ask_kind(probe *p, probe_kind kind)
{
    uint64_t took;
    p->wants_trade = false;
    switch (kind) {
    case PROBE_PING:
        return ask(p, MESSAGE_PING, 0);
    case PROBE_ORDER:
        took = ask(p, MESSAGE_REST, p->number++);
        if (!p->target->is_echo) {
            ask(p, MESSAGE_CANCEL, p->order_id);
        }
        return took;
    case PROBE_TRADE:
        break;
    }
    if (!p->target->is_echo) {
        ask(p, MESSAGE_TRADE_ASK, 0);
    }
    p->wants_trade = true;
    return ask(p, MESSAGE_TRADE_BID, 0);
}

void probe_begin(probe *p, const target *t)
{
    memset(p, 0, sizeof *p);
    p->target = t;
    swarm_init(&p->clients);
    p->clients.on_message = on_message;
    p->clients.context = p;
    swarm_connect(&p->clients, &t->address, 1, false);
}

void probe_end(probe *p)
{
    swarm_fini(&p->clients);
}

/* Whatever is asked next is answered after it. */
static void subscribe(probe *p)
{
    static const char SUBSCRIBE[] = "{\"type\":\"subscribe\",\"channels\":[\"trades\"]}";
    client_queue(p->clients.clients[0], SUBSCRIBE, sizeof SUBSCRIBE - 1);
    client_flush(&p->clients, p->clients.clients[0]);
}

void probe_run(probe *p, probe_kind kind, unsigned samples, histogram *times)
{
    if (kind == PROBE_TRADE && !p->target->is_echo) {
        subscribe(p);
    }
    for (unsigned i = 0; i < samples / 10 + 1; i++) {
        ask_kind(p, kind);
    }
    for (unsigned i = 0; i < samples; i++) {
        histogram_add(times, ask_kind(p, kind));
        if (i % 256 == 0) {
            progress("%s: %s, %u of %u, p50 %.1f us", p->target->name, probe_names[kind], i + 1,
                     samples, (double)histogram_at(times, 0.5) / 1e3);
        }
    }
}

void measure_latency(const settings *s, target *targets, unsigned count)
{
    static const probe_kind kinds[] = {PROBE_PING, PROBE_ORDER, PROBE_TRADE};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        unsigned samples = kinds[k] == PROBE_TRADE ? (s->samples + 1) / 2 : s->samples;
        for (unsigned i = 0; i < count; i++) {
            target_clear(&targets[i]);
        }
        for (unsigned round = 0; round < s->rounds; round++) {
            for (unsigned i = 0; i < count; i++) {
                probe p;
                turn_of(&targets[i]);
                probe_begin(&p, &targets[i]);
                probe_run(&p, kinds[k], samples, &targets[i].times);
                probe_end(&p);
            }
        }
        targets_report(probe_names[kinds[k]], targets, count, s->rounds, NULL);
    }
}
