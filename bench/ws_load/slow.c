/* What clients that stop reading do to one that reads: trades at fixed times, told to a follower,
 * without and with others who follow all there is and never read a byte. The time of a trade counts
 * from when its order was due until the follower has it; one that is missing ends the program.
 */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <string.h>

#include "load/client.h"
#include "load/report.h"
#include "load/turns.h"
#include "messages.h"
#include "ws_load.h"

#define SILENCE_NS UINT64_C(10000000000)
#define WARM_UP_NS UINT64_C(300000000)
#define NS_PER_S 1e9
#define TRADES_A_SECOND 5000 /* unless --rate says otherwise */

/* The clients, by their number. */
enum { TRADER, FOLLOWER, FIRST_SLOW };

typedef struct slow {
    swarm clients;
    const settings *settings;
    target *target;
    uint64_t begun_ns;
    uint64_t sent, told; /* trades */
    size_t acks;
    double rate;
    uint64_t last_id;
} slow;

static uint64_t due_of(const slow *s, uint64_t trade)
{
    return s->begun_ns + (uint64_t)((double)trade / s->rate * NS_PER_S);
}

static uint64_t id_of(const char *text, size_t length)
{
    static const char KEY[] = "\"trade_id\":";
    const char *at = memmem(text, length, KEY, sizeof KEY - 1);
    uint64_t id = 0;
    for (at = at == NULL ? text + length : at + sizeof KEY - 1;
         at < text + length && *at >= '0' && *at <= '9'; at++) {
        id = id * 10 + (uint64_t)(*at - '0');
    }
    return id;
}

static void on_trade(slow *s, const char *text, size_t length)
{
    uint64_t id = id_of(text, length), due = due_of(s, s->told++);
    if (s->last_id != 0 && id != s->last_id + 1) {
        fail("%s: trade %llu came after %llu", s->target->name, (unsigned long long)id,
             (unsigned long long)s->last_id);
    }
    s->last_id = id;
    if (due - s->begun_ns >= WARM_UP_NS) {
        histogram_add(&s->target->times, s->clients.now_ns > due ? s->clients.now_ns - due : 0);
    }
}

static void on_message(void *context, client *c, const char *text, size_t length)
{
    slow *s = context;
    if (c->number == FOLLOWER && message_is_trade(text, length)) {
        on_trade(s, text, length);
    } else if (message_is_ack(text, length, NULL) ||
               memcmp(text, "{\"type\":\"subscribed\"", 19) == 0) {
        s->acks++;
    } else {
        fail("not the message that was expected: %.*s", (int)length, text);
    }
}

static void say(slow *s, client *c, const char *text)
{
    client_queue(c, text, strlen(text));
    client_flush(&s->clients, c);
}

static void begin(slow *s, unsigned slow_count)
{
    swarm_init(&s->clients);
    s->clients.on_message = on_message;
    s->clients.context = s;
    swarm_connect(&s->clients, &s->target->address, FIRST_SLOW + slow_count, false);
    for (unsigned i = 0; i < slow_count; i++) {
        client *c = s->clients.clients[FIRST_SLOW + i];
        swarm_neglect(&s->clients, c);
        say(s, c,
            "{\"type\":\"subscribe\",\"channels\":[\"trades\",\"book\",\"depth\",\"ticker\"]}");
    }
    say(s, s->clients.clients[FOLLOWER], "{\"type\":\"subscribe\",\"channels\":[\"trades\"]}");
    while (s->acks == 0) {
        swarm_turn(&s->clients, 100);
    }
}

/* Two orders make a trade; those that are due go out with one write. */
static void send_due(slow *s, uint64_t total)
{
    char text[MESSAGE_MAX];
    client *c = s->clients.clients[TRADER];
    bool any = false;
    for (uint64_t now = now_ns(); s->sent < total && due_of(s, s->sent) <= now; s->sent++) {
        client_queue(c, text, message_write(text, MESSAGE_TRADE_ASK, 0, 0));
        client_queue(c, text, message_write(text, MESSAGE_TRADE_BID, 0, 0));
        any = true;
    }
    if (any) {
        client_flush(&s->clients, c);
    }
}

static void visit(slow *s, unsigned slow_count)
{
    uint64_t total = (uint64_t)(s->rate * s->settings->seconds);
    begin(s, slow_count);
    s->begun_ns = now_ns();
    uint64_t heard = s->begun_ns;
    while (s->told < total) {
        send_due(s, total);
        if (swarm_turn(&s->clients, 0) > 0) {
            heard = s->clients.now_ns;
        } else if (now_ns() - heard > SILENCE_NS) {
            fail("%s: %llu trades of %llu came, then nothing for ten seconds", s->target->name,
                 (unsigned long long)s->told, (unsigned long long)total);
        }
    }
    swarm_fini(&s->clients);
}

void measure_slow(const settings *s, target *targets, unsigned count)
{
    static target pair[2];
    double rate = s->rate > 0 ? s->rate : TRADES_A_SECOND;
    for (unsigned i = 0; i < count; i++) {
        if (targets[i].is_echo) {
            continue; /* it has no feeds */
        }
        pair[0] = pair[1] = targets[i];
        turn_of(&targets[i]);
        for (unsigned round = 0; round < s->rounds; round++) {
            for (unsigned with = 0; with < 2; with++) {
                progress("%s: %s slow clients, round %u of %u", targets[i].name,
                         with != 0 ? "with" : "without", round + 1, s->rounds);
                slow run = {.settings = s, .target = &pair[with], .rate = rate};
                visit(&run, with != 0 ? s->slow : 0);
            }
        }
        char measure[2][64];
        snprintf(measure[0], sizeof measure[0], "%.0f trades/s, alone", rate);
        snprintf(measure[1], sizeof measure[1], "... beside %u who do not read", s->slow);
        targets_report_pair(measure[0], measure[1], pair);
    }
}
