/* One order at a time, from before it is put together until its report has been read. Between two
 * of them the order is cancelled.
 */
#include <stdio.h>

#include "load/client.h"
#include "load/report.h"
#include "load/turns.h"
#include "sbe_load.h"

typedef struct probe {
    swarm clients;
    const target *target;
    size_t length;
    bool is_answered;
    uint64_t answered_ns, order_id;
} probe;

static void on_message(void *context, client *c, const char *data, size_t length)
{
    probe *p = context;
    sbe_frame frame;
    sbe_message message;
    (void)c;
    p->answered_ns = p->clients.now_ns;
    if (p->target->is_echo) {
        if (length != p->length) {
            fail("%zu bytes came back of %zu", length, p->length);
        }
        p->is_answered = true;
        return;
    }
    sbe_frame_init(&frame, data, length);
    while (next_answer(&frame, &message)) {
        if (message.template_id != SBE_EXECUTION_REPORT) {
            fail("not the reply that was expected: template %u", message.template_id);
        }
        p->order_id = sbe_execution_report_order_id(message.block);
        p->is_answered = true;
    }
}

static uint64_t ask(probe *p, const uint8_t *message, size_t length, uint64_t begun)
{
    client *c = p->clients.clients[0];
    p->length = length;
    p->is_answered = false;
    client_queue_binary(c, message, length);
    client_flush(&p->clients, c);
    while (!p->is_answered) {
        if (swarm_turn(&p->clients, 0) == 0 && now_ns() - begun > SILENCE_NS) {
            fail("%s: no reply for ten seconds", p->target->name);
        }
    }
    return p->answered_ns - begun;
}

static void run(probe *p, unsigned samples, histogram *times)
{
    uint8_t message[SBE_MESSAGE_BYTES_MAX];
    unsigned warm_up = samples / 10 + 1;
    for (unsigned i = 0; i < warm_up + samples; i++) {
        uint64_t begun = now_ns();
        size_t length = write_resting(message, 0, i);
        uint64_t took = ask(p, message, length, begun);
        if (i >= warm_up) {
            histogram_add(times, took);
        }
        if (!p->target->is_echo) {
            length = write_cancel(message, p->order_id);
            ask(p, message, length, now_ns());
        }
    }
}

void measure_order_latency(const sbe_settings *s, target *targets, unsigned count)
{
    for (unsigned round = 0; round < s->rounds; round++) {
        for (unsigned i = 0; i < count; i++) {
            probe p = {.target = &targets[i]};
            turn_of(&targets[i]);
            swarm_init(&p.clients);
            p.clients.is_binary = true;
            p.clients.on_message = on_message;
            p.clients.context = &p;
            swarm_connect(&p.clients, &targets[i].address, 1, false);
            run(&p, s->samples, &targets[i].times);
            swarm_fini(&p.clients);
        }
    }
    targets_report("order, one in flight", targets, count, s->rounds, NULL);
}
