/* How many trades are taken in, on one connection. Nothing answers them, so every group of frames
 * ends with a frame of a Heartbeat, which comes back when all before it has been dealt with; time
 * is that of a group. An echo sends back all of it.
 */
#include <stdio.h>

#include "load/client.h"
#include "load/report.h"
#include "load/turns.h"
#include "sbe_load.h"

#define WARM_UP_NS UINT64_C(300000000)
#define GROUP_BYTES 65536u /* of trades, at least */
#define GROUPS_MAX 64u
#define NS_PER_S 1e9

typedef struct load {
    swarm clients;
    const sbe_settings *settings;
    bool is_echo, is_measured;
    unsigned frames; /* of trades in a group */
    uint64_t sent_ns[GROUPS_MAX];
    uint64_t head, tail; /* groups sent, answered */
    uint64_t trade_id, frames_back, measured_ns, groups, heard_ns;
    histogram *times;
} load;

static void send_group(load *l)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    client *c = l->clients.clients[0];
    l->sent_ns[l->head++ % GROUPS_MAX] = now_ns();
    for (unsigned i = 0; i < l->frames; i++) {
        size_t length = 0;
        for (unsigned k = 0; k < l->settings->frame; k++) {
            length += write_trade(frame + length, ++l->trade_id);
        }
        client_queue_binary(c, frame, length);
    }
    client_queue_binary(c, frame, write_heartbeat(frame, l->head));
    client_flush(&l->clients, c);
}

static void group_is_answered(load *l, uint64_t number)
{
    if (number != l->tail + 1 || l->tail == l->head) {
        fail("heartbeat %llu instead of %llu", (unsigned long long)number,
             (unsigned long long)l->tail + 1);
    }
    uint64_t sent_ns = l->sent_ns[l->tail++ % GROUPS_MAX];
    if (l->is_measured && sent_ns >= l->measured_ns) {
        histogram_add(l->times, l->clients.now_ns - sent_ns);
    }
    l->groups += l->is_measured;
}

static void on_message(void *context, client *c, const char *data, size_t length)
{
    load *l = context;
    sbe_frame frame;
    sbe_message message;
    (void)c;
    l->heard_ns = l->clients.now_ns;
    if (l->is_echo && length != SBE_HEARTBEAT_BYTES) {
        if (length != l->settings->frame * SBE_TRADE_BYTES) {
            fail("%zu bytes came back", length);
        }
        l->frames_back++;
        return;
    }
    if (l->is_echo && l->frames_back != (l->tail + 1) * l->frames) {
        fail("%llu frames came back", (unsigned long long)l->frames_back);
    }
    sbe_frame_init(&frame, data, length);
    while (next_answer(&frame, &message)) {
        group_is_answered(l, sbe_heartbeat_timestamp(message.block));
    }
}

static void await(load *l, const target *server)
{
    if (swarm_turn(&l->clients, 0) == 0 && now_ns() - l->heard_ns > SILENCE_NS) {
        fail("%s: no reply for ten seconds", server->name);
    }
}

static void run(load *l, target *server, unsigned round)
{
    uint64_t begun = now_ns(), now = begun, cpu_ns = 0;
    uint64_t length_ns = l->settings->seconds * (uint64_t)NS_PER_S;
    l->heard_ns = begun;
    while (!l->is_measured || now - l->measured_ns < length_ns) {
        while (l->head - l->tail < l->settings->in_flight) {
            send_group(l);
        }
        await(l, server);
        now = now_ns();
        if (!l->is_measured && now - begun >= WARM_UP_NS) {
            l->is_measured = true;
            l->measured_ns = now;
            cpu_ns = target_cpu_ns(server);
        }
    }
    uint64_t trades = l->groups * l->frames * l->settings->frame;
    server->cpu_ns += target_cpu_ns(server) - cpu_ns;
    server->messages += trades;
    server->rates[round] = (double)trades * NS_PER_S / (double)(now - l->measured_ns);
    while (l->head != l->tail) {
        await(l, server);
    }
}

void measure_trades(const sbe_settings *s, target *targets, unsigned count)
{
    char measure[64];
    for (unsigned round = 0; round < s->rounds; round++) {
        for (unsigned i = 0; i < count; i++) {
            load l = {.settings = s,
                      .is_echo = targets[i].is_echo,
                      .frames = GROUP_BYTES / (s->frame * SBE_TRADE_BYTES) + 1,
                      .times = &targets[i].times};
            turn_of(&targets[i]);
            swarm_init(&l.clients);
            l.clients.is_binary = true;
            l.clients.on_message = on_message;
            l.clients.context = &l;
            swarm_connect(&l.clients, &targets[i].address, 1, false);
            run(&l, &targets[i], round);
            swarm_fini(&l.clients);
        }
    }
    snprintf(measure, sizeof measure, "trades, frames of %u", s->frame);
    targets_report(measure, targets, count, s->rounds, NULL);
}
