/* Ports and shards on threads of their own: every reply once, order kept, both ports see the same
 * events, and the end applies what was handed in. The tsan preset looks for races in this.
 */
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/shard/bench.h"
#include "support/cunit_main.h"

#define WINDOW 200u
#define COMMANDS 20000u

/* A port's thread: keeps a window of orders and cancels under way, sleeps as a door does. */
typedef struct client {
    matching_core *core;
    matching_port *port;
    const char *trader;
    int wake_fd;
    uint64_t sent, answered;
    uint64_t wrong;                       /* replies out of order, unknown or repeated */
    uint64_t next_tag[BENCH_INSTRUMENTS]; /* of the replies, for each instrument */
    uint64_t sent_tag[BENCH_INSTRUMENTS];
    uint64_t last_id[BENCH_INSTRUMENTS];
    uint64_t positions[MATCHING_SHARDS_MAX]; /* after the last event */
    uint64_t digest[MATCHING_SHARDS_MAX];    /* of all events */
    uint64_t lapped;
    bool late;
} client;

static void client_on_reply(void *context, const matching_reply *reply)
{
    client *c = context;
    unsigned instrument = (unsigned)(reply->tag >> 32);
    c->wrong += (uint32_t)reply->tag != c->next_tag[instrument]++;
    c->answered++;
    if (reply->type == MATCHING_PLACE) {
        c->wrong += reply->code != MATCHING_OK;
        c->last_id[instrument] = reply->order.order_id;
    }
}

static void client_on_event(void *context, unsigned number, uint64_t position,
                            const matching_event *event, const matching_order *order)
{
    client *c = context;
    c->wrong += position != c->positions[number];
    c->positions[number] = position + (order != NULL ? 1 + MATCHING_ORDER_SLOTS : 1);
    uint64_t what = event->kind + event->time_ns + event->sequence_low;
    if (event->kind == MATCHING_EVENT_TRADE) {
        what += event->trade.trade_id * 3 + event->trade.maker_order_id * 5;
        c->wrong += matching_core_trader(c->core, number, event->trade.maker_trader)[0] != 't' ||
                    matching_core_trader(c->core, number, event->trade.taker_trader)[0] != 't';
    } else if (order != NULL) {
        what += order->order_id * 7 + (uint64_t)order->filled_lots * 11 + order->status;
    }
    c->digest[number] = (c->digest[number] ^ what) * 0x100000001b3u;
}

static void client_on_lapped(void *context, unsigned number)
{
    (void)number;
    ((client *)context)->lapped++;
}

static void client_wake(void *context)
{
    uint64_t one = 1;
    ssize_t written = write(((client *)context)->wake_fd, &one, sizeof one);
    (void)written;
}

static matching_command next_command(client *c)
{
    uint64_t n = c->sent;
    unsigned index = (unsigned)(n * 2654435761u >> 7) % BENCH_INSTRUMENTS;
    const matching_instrument *instrument = matching_core_instrument(c->core, index);
    matching_command command;
    if (n % 3 == 2 && c->last_id[index] != 0) {
        command = cancel_by_id(c->last_id[index]); /* may have traded: refused then */
    } else {
        command = limit_order(instrument, c->trader, n & 1 ? MATCHING_BUY : MATCHING_SELL,
                              100 + (int64_t)(n % 5), 1 + (int64_t)(n % 3));
        command.flags |= n % 7 == 0 ? MATCHING_FLAG_COLLECT : 0;
        command.time_in_force = n % 5 == 0 ? MATCHING_IOC : MATCHING_GTC;
    }
    command.tag = (uint64_t)index << 32 | c->sent_tag[index];
    return command;
}

static void sleep_until_woken(client *c)
{
    struct pollfd descriptor = {.fd = c->wake_fd, .events = POLLIN};
    uint64_t count;
    if (poll(&descriptor, 1, BENCH_DEADLINE_MS) != 1) {
        c->late = true;
    } else if (read(c->wake_fd, &count, sizeof count) != sizeof count) {
        c->wrong++;
    }
}

static void *run_client(void *argument)
{
    client *c = argument;
    while (c->answered < COMMANDS && !c->late) {
        while (c->sent < COMMANDS && c->sent - c->answered < WINDOW) {
            matching_command command = next_command(c);
            if (matching_port_submit(c->port, &command) != MATCHING_OK) {
                break;
            }
            c->sent_tag[command.tag >> 32]++;
            c->sent++;
        }
        matching_port_flush(c->port);
        while (matching_port_poll(c->port, 0)) {
        }
        if (c->answered < COMMANDS && matching_port_in_flight(c->port) > 0 &&
            matching_port_sleep(c->port)) {
            sleep_until_woken(c);
        }
    }
    return NULL;
}

static matching_core *make_core(unsigned shards, unsigned spin_us)
{
    static matching_instrument_options instruments[BENCH_INSTRUMENTS];
    char error[200];
    for (unsigned i = 0; i < BENCH_INSTRUMENTS; i++) {
        instruments[i] = (matching_instrument_options){.id = i + 1, .tick_size = 1, .lot_size = 1};
        snprintf(instruments[i].symbol, sizeof instruments[i].symbol, "SYM%u", i);
    }
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = BENCH_INSTRUMENTS;
    options.shards = shards;
    options.ring_size = 256;
    options.max_orders = 100000;
    options.max_traders = 10;
    options.spin_us = spin_us;
    return matching_core_create(&options, error, sizeof error);
}

static void run_two_clients(unsigned shards, unsigned spin_us)
{
    static client clients[2];
    const matching_port_handlers handlers = {.on_reply = client_on_reply,
                                             .on_event = client_on_event,
                                             .on_lapped = client_on_lapped,
                                             .wake = client_wake};
    matching_core *core = make_core(shards, spin_us);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    for (unsigned i = 0; i < 2; i++) {
        clients[i] = (client){.core = core,
                              .trader = i == 0 ? "tom" : "tim",
                              .wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
        clients[i].port = matching_port_create(core, &handlers, &clients[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(clients[i].port);
    }
    char error[200];
    CU_ASSERT_EQUAL_FATAL(matching_core_start(core, error, sizeof error), 0);
    pthread_t threads[2];
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, run_client, &clients[i]), 0);
    }
    for (unsigned i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    matching_core_stop(core);
    for (unsigned i = 0; i < 2; i++) {
        while (matching_port_poll(clients[i].port, 0)) {
        }
        CU_ASSERT_EQUAL(clients[i].answered, COMMANDS);
        CU_ASSERT_EQUAL(clients[i].wrong, 0);
        CU_ASSERT_EQUAL(clients[i].lapped, 0);
        CU_ASSERT_FALSE(clients[i].late);
        close(clients[i].wake_fd);
    }
    for (unsigned s = 0; s < shards; s++) {
        CU_ASSERT_TRUE(clients[0].positions[s] > 0);
        CU_ASSERT_EQUAL(clients[0].positions[s], clients[1].positions[s]);
        CU_ASSERT_EQUAL(clients[0].digest[s], clients[1].digest[s]);
        CU_ASSERT_PTR_NULL(matching_engine_check(core->shards[s].books.engine));
    }
    matching_core_destroy(core);
}

static void test_two_ports_on_two_threads(void)
{
    run_two_clients(1, 0);
    run_two_clients(3, 0);
}

static void test_two_ports_and_shards_that_spin(void)
{
    run_two_clients(2, 50);
}

static void test_stop_applies_what_is_in_the_rings(void)
{
    for (unsigned round = 0; round < 50; round++) {
        bench b;
        bench_init_running(&b, &(bench_options){.shards = 2});
        probe *p = &b.probes[0];
        unsigned sent = 0;
        for (; sent < 100; sent++) {
            matching_command order =
                limit_order(bench_instrument(&b, sent % 2, 0), "ann", MATCHING_BUY, 10, 1);
            order.tag = sent;
            CU_ASSERT_EQUAL(matching_port_submit(p->port, &order), MATCHING_OK);
        }
        matching_port_flush(p->port);
        matching_core_stop(b.core);
        CU_ASSERT_EQUAL(b.core->shards[0].books.sequence + b.core->shards[1].books.sequence, sent);
        CU_ASSERT_EQUAL(submit(p, cancel_everything("ann"), 999), MATCHING_SHUTTING_DOWN);
        bench_wait_replies(p, sent); /* they are still to be had */
        CU_ASSERT_EQUAL(count_entries(p, ENTRY_REPLY), sent);
        bench_fini(&b);
    }
}

static void test_a_long_read_goes_on_while_orders_come(void)
{
    bench b;
    bench_init_running(&b, &(bench_options){.shards = 2, .deaf = true});
    probe *p = &b.probes[0];
    size_t expected = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        const matching_instrument *instrument = bench_instrument(&b, i % 2, 0);
        submit(p, limit_order(instrument, "ann", MATCHING_BUY, 10, 1), i);
        expected++;
        if (i % 2000 == 1999) {
            submit(p, read_command(MATCHING_READ_ORDERS, NULL, 1000), 20000 + i);
            expected++;
        }
        if (i % 100 == 99) {
            bench_wait_replies(p, expected - 50);
        }
    }
    bench_wait_replies(p, expected);
    for (uint64_t i = 1999; i < 10000; i += 2000) {
        const entry *e = reply_of(p, 20000 + i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(e);
        CU_ASSERT_EQUAL(e->reply.order_count, 1000);
        CU_ASSERT_FALSE(e->reply.orders_complete);
        for (size_t n = 1; n < e->reply.order_count; n++) {
            CU_ASSERT_TRUE(e->orders[n].order_id > e->orders[n - 1].order_id);
        }
    }
    bench_fini(&b);
}

MATCHING_TESTS(MATCHING_TEST(test_two_ports_on_two_threads),
               MATCHING_TEST(test_two_ports_and_shards_that_spin),
               MATCHING_TEST(test_stop_applies_what_is_in_the_rings),
               MATCHING_TEST(test_a_long_read_goes_on_while_orders_come))
