/* Many connections that do nothing: what each costs the server's memory, and how fast one client
 * among them is answered.
 */
#include <stdio.h>
#include <stdlib.h>

#include "probe.h"
#include "report.h"

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

static void visit(const settings *s, target *t, probe_kind kind)
{
    probe p;
    probe_begin(&p, t);
    probe_run(&p, kind, s->samples, &(histogram){0}); /* whatever is taken once is taken now */
    uint64_t before = target_resident_bytes(t);
    progress("%s: connecting %u", t->name, s->idle);
    if (s->idle > 0) {
        swarm_connect(&p.clients, &t->address, s->idle, true);
        settle(&p);
        uint64_t after = target_resident_bytes(t);
        t->idle_bytes = after > before ? (after - before) / s->idle : 0;
    }
    probe_run(&p, kind, s->samples, &t->times);
    probe_end(&p);
}

void measure_idle(const settings *s, target *targets, unsigned count)
{
    static const probe_kind kinds[] = {PROBE_ORDER, PROBE_PING};
    static const char *const names[] = {"limit order", "ping"};
    char measure[64];
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        for (unsigned i = 0; i < count; i++) {
            target_clear(&targets[i]);
            visit(s, &targets[i], kinds[k]);
        }
        snprintf(measure, sizeof measure, "%s beside %u idle", names[k], s->idle);
        /* Memory that was used once stays with the process: only the first visit tells. */
        targets_report(measure, targets, count, 1, k == 0 ? note : NULL);
    }
}
