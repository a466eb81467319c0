/* How much memory resting orders take: ten million of them in one engine, and what of it the
 * machine had to give. The engine gets pages that are taken only when written, as in service.
 *
 * Prints bytes an order for each kind of book. Only the plain ones have a bound, a GiB for all.
 * MATCHING_MEMORY_ORDERS=n places n orders instead, each with the same bound.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/engine.h"
#include "fixture.h"
#include "support/cunit_main.h"

#define ORDERS 10000000u
#define BOUND (1024.0 * 1024.0 * 1024.0 / ORDERS) /* bytes an order */
#define RING 4096u

typedef struct kind {
    const char *name;
    uint32_t instruments;
    uint64_t levels; /* prices with orders, of all books together */
    bool client_ids; /* each order has one */
    bool icebergs;   /* each order is one, with a time at which it expires */
    unsigned traders;
    bool bounded;
} kind;

static uint64_t wanted_orders(void)
{
    const char *text = getenv("MATCHING_MEMORY_ORDERS");
    uint64_t orders = text != NULL ? strtoull(text, NULL, 10) : 0;
    return orders > 0 ? orders : ORDERS;
}

/* Bytes that this process has of the machine. */
static uint64_t resident(void)
{
    unsigned long long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file != NULL) {
        int got = fscanf(file, "%llu %llu", &size, &pages);
        pages = got == 2 ? pages : 0;
        fclose(file);
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* The ring starts over whenever it is full: nobody reads it. */
static void make_room(matching_event_sink *sink)
{
    sink->limit = sink->head + RING;
}

/* Buys below and sells above a middle; which price is next jumps about, as in a market. */
static matching_command order_number(const kind *k, uint64_t n)
{
    uint64_t at = n * 2654435761u % k->levels;
    uint64_t book = at % k->instruments, level = at / k->instruments;
    bool buys = level % 2 == 0;
    int64_t middle = (int64_t)k->levels + 1000, away = (int64_t)(level / 2);
    char name[MATCHING_TRADER_MAX + 1], id[MATCHING_CLIENT_ID_MAX + 1];
    snprintf(name, sizeof name, "trader-%" PRIu64, n % k->traders);
    matching_command c = limit_order(name, buys ? MATCHING_BUY : MATCHING_SELL,
                                     buys ? middle - away : middle + 1 + away, 1000);
    c.instrument = (uint16_t)book;
    c.sequence = n + 1;
    c.time_ns = 1700000000000000000u + n;
    if (k->client_ids) {
        snprintf(id, sizeof id, "my-order-%" PRIu64, n);
        set_client_id(&c, id);
    }
    if (k->icebergs) {
        c.display_lots = 10;
        c.time_in_force = MATCHING_GTD;
        c.expire_time_ms = 1800000000000u + n % 1000;
    }
    return c;
}

static void place_all(matching_engine *engine, const kind *k, uint64_t orders)
{
    static matching_event ring[RING];
    static matching_reply reply;
    matching_event_sink sink = {.slots = ring, .mask = RING - 1, .make_room = make_room};
    uint64_t resting = 0;
    for (uint64_t n = 0; n < orders; n++) {
        matching_command command = order_number(k, n);
        matching_engine_apply(engine, &command, &sink, &reply);
        resting += reply.code == MATCHING_OK && reply.order.status == MATCHING_OPEN;
    }
    CU_ASSERT_EQUAL(resting, orders);
}

static void measure(const kind *k)
{
    uint64_t orders = wanted_orders();
    matching_engine_limits limits = {.instruments = k->instruments,
                                     .max_orders = orders,
                                     .max_levels = k->levels,
                                     .max_traders = k->traders,
                                     .retained_orders = 100000};
    size_t bytes = matching_engine_size(&limits);
    CU_ASSERT_TRUE_FATAL(bytes > 0);
    uint64_t before = resident();
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CU_ASSERT_TRUE_FATAL(memory != MAP_FAILED);
    matching_engine *engine = matching_engine_init(memory, &limits);
    place_all(engine, k, orders);
    uint64_t taken = resident() - before;
    printf("\n    %s: %" PRIu64
           " orders, %.0f MiB resident, %.1f bytes an order, %.0f MiB reserved",
           k->name, orders, (double)taken / 1048576, (double)taken / (double)orders,
           (double)bytes / 1048576);
    CU_ASSERT_TRUE(!k->bounded || (double)taken / (double)orders <= BOUND);
    munmap(memory, bytes);
}

static void test_plain_orders(void)
{
    measure(&(kind){.name = "one instrument, 100,000 prices",
                    .instruments = 1,
                    .levels = 100000,
                    .traders = 1000,
                    .bounded = true});
}

static void test_plain_orders_of_many_instruments(void)
{
    measure(&(kind){.name = "200 instruments, 1,000 prices each",
                    .instruments = 200,
                    .levels = 200000,
                    .traders = 1000,
                    .bounded = true});
}

static void test_a_price_for_each_order(void)
{
    measure(&(kind){.name = "one instrument, each order at a price of its own",
                    .instruments = 1,
                    .levels = wanted_orders(),
                    .traders = 1000});
}

static void test_orders_with_client_ids(void)
{
    measure(&(kind){.name = "with client ids",
                    .instruments = 1,
                    .levels = 100000,
                    .traders = 1000,
                    .client_ids = true});
}

static void test_icebergs_that_expire(void)
{
    measure(&(kind){.name = "icebergs that expire",
                    .instruments = 1,
                    .levels = 100000,
                    .traders = 1000,
                    .icebergs = true});
}

static void test_many_traders(void)
{
    measure(&(kind){
        .name = "a million traders", .instruments = 1, .levels = 100000, .traders = 1000000});
}

MATCHING_TESTS(MATCHING_TEST(test_plain_orders),
               MATCHING_TEST(test_plain_orders_of_many_instruments),
               MATCHING_TEST(test_a_price_for_each_order),
               MATCHING_TEST(test_orders_with_client_ids), MATCHING_TEST(test_icebergs_that_expire),
               MATCHING_TEST(test_many_traders))
