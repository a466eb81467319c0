/* One trade told to many subscribers, until the last one has it; beside it the echo, which writes
 * the very same bytes to as many connections in a bare loop when a message begins with "!".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load/client.h"
#include "load/report.h"
#include "load/turns.h"
#include "messages.h"
#include "ws_load.h"

#define SILENCE_NS UINT64_C(10000000000)
#define WARM_UPS 3u

typedef struct fanout {
    swarm clients; /* the first one trades, the others listen */
    const target *target;
    char *trade; /* the last one, behind a "!"; room for MESSAGE_MAX */
    size_t *trade_length;
    size_t received, acks;
} fanout;

static void on_message(void *context, client *c, const char *text, size_t length)
{
    fanout *f = context;
    if (message_is_trade(text, length)) {
        f->received++;
        if (!f->target->is_echo && length + 2 <= MESSAGE_MAX) {
            memcpy(f->trade + 1, text, length);
            *f->trade_length = length + 1;
        }
    } else if (message_is_ack(text, length, NULL)) {
        f->acks++;
    } else if (c->number == 0 || memcmp(text, "{\"type\":\"subscribed\"", 19) != 0) {
        fail("not the message that was expected: %.*s", (int)length, text);
    } else {
        f->acks++;
    }
}

/* Until `counter` has come to `wanted`. */
static void await(fanout *f, const size_t *counter, size_t wanted)
{
    uint64_t heard = now_ns();
    while (*counter < wanted) {
        if (swarm_turn(&f->clients, 0) > 0) {
            heard = f->clients.now_ns;
        } else if (now_ns() - heard > SILENCE_NS) {
            fail("%s: %zu of %zu came, then nothing for ten seconds", f->target->name, *counter,
                 wanted);
        }
    }
}

static void say(fanout *f, client *c, const char *text, size_t length)
{
    client_queue(c, text, length);
    client_flush(&f->clients, c);
}

static void begin(fanout *f, const target *t, unsigned subscribers)
{
    static const char SUBSCRIBE[] = "{\"type\":\"subscribe\",\"channels\":[\"trades\"]}";
    f->target = t;
    swarm_init(&f->clients);
    f->clients.on_message = on_message;
    f->clients.context = f;
    swarm_connect(&f->clients, &t->address, subscribers + 1, true);
    for (unsigned i = 1; i <= subscribers && !t->is_echo; i++) {
        say(f, f->clients.clients[i], SUBSCRIBE, sizeof SUBSCRIBE - 1);
        await(f, &f->acks, i);
    }
}

/* The time from before the order that trades until the last subscriber has read the trade. */
static uint64_t trade(fanout *f)
{
    char text[MESSAGE_MAX];
    client *c = f->clients.clients[0];
    size_t wanted = f->clients.count - 1;
    f->received = f->acks = 0;
    if (f->target->is_echo) {
        uint64_t begun = now_ns();
        say(f, c, f->trade, *f->trade_length);
        await(f, &f->received, wanted);
        return f->clients.now_ns - begun;
    }
    say(f, c, text, message_write(text, MESSAGE_TRADE_ASK, 0, 0));
    await(f, &f->acks, 1);
    uint64_t begun = now_ns();
    say(f, c, text, message_write(text, MESSAGE_TRADE_BID, 0, 0));
    await(f, &f->received, wanted);
    uint64_t took = f->clients.now_ns - begun;
    await(f, &f->acks, 2);
    return took;
}

static void visit(fanout *f, target *t, unsigned subscribers, unsigned trades, bool measured)
{
    turn_of(t);
    begin(f, t, subscribers);
    for (unsigned i = 0; i < WARM_UPS; i++) {
        trade(f);
    }
    uint64_t cpu_ns = target_cpu_ns(t);
    for (unsigned i = 0; i < trades && measured; i++) {
        progress("%s: %u of %u trades", t->name, i, trades);
        histogram_add(&t->times, trade(f));
        t->messages += subscribers;
    }
    t->cpu_ns += target_cpu_ns(t) - cpu_ns;
    swarm_fini(&f->clients);
}

void measure_fanout(const settings *s, target *targets, unsigned count)
{
    char measure[64], bytes[MESSAGE_MAX] = "!{\"type\":\"trade\"}";
    size_t length = strlen(bytes);
    for (unsigned i = 0; i < count; i++) { /* what a trade looks like */
        if (!targets[i].is_echo) {
            fanout f = {.trade = bytes, .trade_length = &length};
            visit(&f, &targets[i], 1, 0, false);
            break;
        }
    }
    for (unsigned round = 0; round < s->rounds; round++) {
        for (unsigned i = 0; i < count; i++) {
            fanout f = {.trade = bytes, .trade_length = &length};
            visit(&f, &targets[i], s->subscribers, s->trades, true);
        }
    }
    snprintf(measure, sizeof measure, "trade of %zu B to %u", length - 1, s->subscribers);
    targets_report(measure, targets, count, s->rounds, NULL);
}
