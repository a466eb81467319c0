/* How many orders are acknowledged: frames of many orders in flight on each connection, the next
 * one sent when all of one has been answered. Time is that of a frame, until its last answer.
 *
 * Answers come in the order of the requests. What an echo sends back is as long as what it was
 * sent, frame by frame.
 */
#include <stdio.h>
#include <stdlib.h>

#include "load/client.h"
#include "load/report.h"
#include "load/turns.h"
#include "sbe_load.h"

#define WARM_UP_NS UINT64_C(300000000)
#define NS_PER_S 1e9

typedef struct sent {
    uint64_t sent_ns;
    uint32_t bytes, answers; /* answers: that are still to come */
} sent;

/* What a connection has under way, and the orders that it can cancel. */
typedef struct lane {
    sent *frames; /* a ring */
    uint32_t head, tail;
    uint64_t *resting; /* a ring as well */
    uint32_t first_resting, resting_end, resting_mask;
} lane;

typedef struct load {
    swarm clients;
    const sbe_settings *settings;
    bool is_echo;
    lane *lanes;
    uint64_t number; /* of the next order */
    bool is_sending, is_measured;
    uint64_t measured_ns, under_way, answers, heard_ns;
    histogram *times;
} load;

static size_t write_next(load *l, lane *own, unsigned trader, uint8_t *out, unsigned i)
{
    if (l->settings->mix == MIX_CROSS) {
        return write_crossing(out, trader, i);
    }
    /* An echo tells of no orders; what it is sent is as long as a cancel. */
    bool may_cancel = own->resting_end - own->first_resting > l->settings->resting;
    if (i % 2 == 1 && (may_cancel || l->is_echo)) {
        return write_cancel(out, own->resting[own->first_resting++ & own->resting_mask]);
    }
    return write_resting(out, trader, l->number++);
}

static void send_frame(load *l, client *c)
{
    static uint8_t frame[FRAME_BYTES_MAX];
    lane *own = &l->lanes[c->number];
    size_t length = 0;
    for (unsigned i = 0; i < l->settings->frame; i++) {
        length += write_next(l, own, c->number % 100, frame + length, i);
    }
    own->frames[own->head++ % l->settings->in_flight] =
        (sent){.sent_ns = now_ns(), .bytes = (uint32_t)length, .answers = l->settings->frame};
    l->under_way++;
    client_queue_binary(c, frame, length);
}

static void frame_is_answered(load *l, client *c, const sent *s)
{
    if (l->is_measured && s->sent_ns >= l->measured_ns) {
        histogram_add(l->times, l->clients.now_ns - s->sent_ns);
    }
    l->lanes[c->number].tail++;
    l->under_way--;
    if (l->is_sending) {
        send_frame(l, c);
    }
}

static sent *oldest(load *l, const client *c)
{
    lane *own = &l->lanes[c->number];
    if (own->head == own->tail) {
        fail("an answer that nothing was asked for");
    }
    return &own->frames[own->tail % l->settings->in_flight];
}

static void take_answer(load *l, client *c, const sbe_message *message)
{
    lane *own = &l->lanes[c->number];
    sent *s = oldest(l, c);
    if (message->template_id != SBE_EXECUTION_REPORT) {
        fail("not the reply that was expected: template %u", message->template_id);
    }
    if (l->settings->mix == MIX_CANCEL &&
        sbe_execution_report_exec_type(message->block) == SBE_EXEC_NEW) {
        own->resting[own->resting_end++ & own->resting_mask] =
            sbe_execution_report_order_id(message->block);
    }
    l->answers += l->is_measured;
    if (--s->answers == 0) {
        frame_is_answered(l, c, s);
    }
}

static void on_message(void *context, client *c, const char *data, size_t length)
{
    load *l = context;
    sbe_frame frame;
    sbe_message message;
    l->heard_ns = l->clients.now_ns;
    if (l->is_echo) {
        const sent *s = oldest(l, c);
        if (length != s->bytes) {
            fail("%zu bytes came back of %u", length, s->bytes);
        }
        l->answers += l->is_measured ? l->settings->frame : 0;
        frame_is_answered(l, c, s);
        return;
    }
    sbe_frame_init(&frame, data, length);
    while (next_answer(&frame, &message)) {
        take_answer(l, c, &message);
    }
}

/* ---- A round --------------------------------------------------------------------------------- */

static void begin(load *l, const target *server)
{
    const sbe_settings *s = l->settings;
    uint32_t resting = 1;
    while (resting < s->resting + 1 + s->frame * s->in_flight) {
        resting *= 2;
    }
    swarm_init(&l->clients);
    l->clients.is_binary = true;
    l->clients.on_message = on_message;
    l->clients.context = l;
    l->lanes = calloc(s->connections, sizeof *l->lanes);
    for (unsigned i = 0; l->lanes != NULL && i < s->connections; i++) {
        lane *own = &l->lanes[i];
        own->resting_mask = resting - 1;
        own->frames = malloc(s->in_flight * sizeof *own->frames);
        own->resting = calloc(resting, sizeof *own->resting);
        if (own->frames == NULL || own->resting == NULL) {
            fail("out of memory");
        }
    }
    if (l->lanes == NULL) {
        fail("out of memory");
    }
    swarm_connect(&l->clients, &server->address, s->connections, false);
}

static void end(load *l)
{
    for (unsigned i = 0; i < l->settings->connections; i++) {
        free(l->lanes[i].frames);
        free(l->lanes[i].resting);
    }
    free(l->lanes);
    swarm_fini(&l->clients);
}

static void fill_pipes(load *l)
{
    l->is_sending = true;
    for (unsigned i = 0; i < l->settings->connections; i++) {
        for (unsigned k = 0; k < l->settings->in_flight; k++) {
            send_frame(l, l->clients.clients[i]);
        }
        client_flush(&l->clients, l->clients.clients[i]);
    }
}

static void await(load *l, const target *server)
{
    if (swarm_turn(&l->clients, 0) == 0 && now_ns() - l->heard_ns > SILENCE_NS) {
        fail("%s: no reply for ten seconds", server->name);
    }
}

/* Cancels what rests, so that the next round begins with the same book. */
static void clear_book(load *l, const target *server)
{
    uint8_t message[SBE_CANCEL_ORDER_BYTES];
    for (unsigned i = 0; i < l->settings->connections; i++) {
        lane *own = &l->lanes[i];
        while (own->resting_end != own->first_resting) {
            size_t length =
                write_cancel(message, own->resting[own->first_resting++ & own->resting_mask]);
            own->frames[own->head++ % l->settings->in_flight] = (sent){.answers = 1};
            l->under_way++;
            client_queue_binary(l->clients.clients[i], message, length);
            client_flush(&l->clients, l->clients.clients[i]);
            while (own->head - own->tail == l->settings->in_flight) {
                await(l, server);
            }
        }
    }
    while (l->under_way > 0) {
        await(l, server);
    }
}

static void run(load *l, target *server, unsigned round)
{
    uint64_t begun = now_ns(), now = begun, cpu_ns = 0;
    uint64_t length_ns = l->settings->seconds * (uint64_t)NS_PER_S;
    l->heard_ns = begun;
    fill_pipes(l);
    while (!l->is_measured || now - l->measured_ns < length_ns) {
        await(l, server);
        now = now_ns();
        if (!l->is_measured && now - begun >= WARM_UP_NS) {
            l->is_measured = true;
            l->measured_ns = now;
            cpu_ns = target_cpu_ns(server);
        }
    }
    server->cpu_ns += target_cpu_ns(server) - cpu_ns;
    server->messages += l->answers;
    server->rates[round] = (double)l->answers * NS_PER_S / (double)(now - l->measured_ns);
    l->is_measured = l->is_sending = false;
    while (l->under_way > 0) {
        await(l, server);
    }
    if (!l->is_echo) {
        clear_book(l, server);
    }
}

void measure_orders(const sbe_settings *s, target *targets, unsigned count)
{
    char measure[64];
    for (unsigned round = 0; round < s->rounds; round++) {
        for (unsigned i = 0; i < count; i++) {
            load l = {.settings = s, .is_echo = targets[i].is_echo, .times = &targets[i].times};
            turn_of(&targets[i]);
            begin(&l, &targets[i]);
            run(&l, &targets[i], round);
            end(&l);
        }
    }
    snprintf(measure, sizeof measure, "%s, %ux%ux%u",
             s->mix == MIX_CROSS ? "orders that trade" : "order and cancel", s->connections,
             s->in_flight, s->frame);
    targets_report(measure, targets, count, s->rounds, NULL);
}
