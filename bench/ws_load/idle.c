/* Many connections that do nothing: what each costs the server's memory, and how fast one client
 * among them is answered.
 */
#include <stdio.h>
#include <stdlib.h>

#include "load/report.h"
#include "load/turns.h"
#include "probe.h"
#include "ws_load.h"

#define SETTLE_NS UINT64_C(3000000000) /* the server takes back what idle connections hold */

static void settle(probe *p)
{
    uint64_t until = now_ns() + SETTLE_NS;
    while (now_ns() < until) {
        swarm_turn(&p->clients, 100);
    }
}

static const char *note(const target *t)
{
    static char text[64];
    if (t->pid == 0) {
        return NULL;
    }
    snprintf(text, sizeof text, "%.0f bytes a connection", (double)t->idle_bytes);
    return text;
}

/* pings: where the times of pings go; those of orders are the target's own. */
static void visit(const settings *s, target *t, target *pings)
{
    static histogram unused;
    probe p;
    probe_begin(&p, t);
    probe_run(&p, PROBE_ORDER, s->samples, &unused); /* whatever is taken once is taken now */
    uint64_t before = target_resident_bytes(t);
    if (s->idle > 0) {
        progress("%s: connecting %u", t->name, s->idle);
        swarm_connect(&p.clients, &t->address, s->idle, true);
        settle(&p);
        uint64_t after = target_resident_bytes(t);
        t->idle_bytes = after > before ? (after - before) / s->idle : 0;
    }
    probe_run(&p, PROBE_ORDER, s->samples, &t->times);
    probe_run(&p, PROBE_PING, s->samples, &pings->times);
    probe_end(&p);
}

void measure_idle(const settings *s, target *targets, unsigned count)
{
    static target pings[TARGETS_MAX];
    char measure[64];
    for (unsigned i = 0; i < count; i++) {
        pings[i] = targets[i];
        turn_of(&targets[i]);
        visit(s, &targets[i], &pings[i]);
    }
    snprintf(measure, sizeof measure, "limit order beside %u idle", s->idle);
    targets_report(measure, targets, count, 1, note);
    snprintf(measure, sizeof measure, "ping beside %u idle", s->idle);
    targets_report(measure, pings, count, 1, NULL);
}
