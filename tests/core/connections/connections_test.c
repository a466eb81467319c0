/* Tests of the registry of connections: what is listed, what rates are, and that readers on other
 * threads never see the counts of one connection beside the id of another.
 */
#include "connections/registry.h"

#include <pthread.h>
#include <stdlib.h>

#include "support/cunit_main.h"

#define S UINT64_C(1000000000)

static connection_registry registry;
static matching_connection_table *table;

static void set_up(uint32_t max_connections)
{
    memset(&registry, 0, sizeof registry);
    table = connection_registry_add(&registry, "websocket", max_connections);
    CU_ASSERT_PTR_NOT_NULL_FATAL(table);
}

static void tear_down(void)
{
    connection_registry_fini(&registry);
}

static matching_connection *open_at(uint32_t slot, const char *remote)
{
    matching_connection *made = matching_connection_open(table, slot, remote);
    CU_ASSERT_PTR_NOT_NULL_FATAL(made);
    return made;
}

static void name_trader(matching_connection *connection, const char *name)
{
    char padded[MATCHING_TRADER_MAX] = {0};
    memcpy(padded, name, strlen(name));
    matching_connection_trader(connection, padded);
}

/* RFC 9562: 8-4-4-4-12 hex digits, the version and the two bits of the variant in their places. */
static bool is_uuid4(const char *text)
{
    bool good = strlen(text) == 36;
    for (size_t i = 0; good && i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        good = dash ? text[i] == '-' : strchr("0123456789abcdef", text[i]) != NULL;
    }
    return good && text[14] == '4' && strchr("89ab", text[19]) != NULL;
}

static void test_a_connection_is_listed_while_it_lasts(void)
{
    set_up(10);
    matching_connection_info info;
    uint64_t position = 0, before_ms = matching_unix_ns() / 1000000;
    CU_ASSERT_FALSE(connection_registry_next(&registry, &position, &info));
    matching_connection *one = open_at(3, "127.0.0.1:4711");
    CU_ASSERT_TRUE_FATAL(connection_registry_next(&registry, &position, &info));
    CU_ASSERT_STRING_EQUAL(info.transport, "websocket");
    CU_ASSERT_STRING_EQUAL(info.remote, "127.0.0.1:4711");
    CU_ASSERT_STRING_EQUAL(info.trader_id, "");
    CU_ASSERT_TRUE(is_uuid4(info.id));
    CU_ASSERT_TRUE(info.connected_ms >= before_ms && info.seen_ms >= info.connected_ms);
    CU_ASSERT_FALSE(connection_registry_next(&registry, &position, &info));
    matching_connection_close(table, one, 1000);
    position = 0;
    CU_ASSERT_FALSE(connection_registry_next(&registry, &position, &info));
    tear_down();
}

static void test_counts_are_the_connections_own(void)
{
    set_up(10);
    matching_connection_info info;
    uint64_t position = 0;
    matching_connection *one = open_at(0, "a"), *other = open_at(1, "b");
    matching_connection_heard(table, one, 100, matching_monotonic_ns() / 1000000);
    matching_connection_heard(table, one, 11, matching_monotonic_ns() / 1000000);
    matching_connection_wrote(table, one, 7);
    for (int i = 0; i < 3; i++) {
        matching_connection_received(table, one);
    }
    matching_connection_sent(table, one);
    matching_connection_sent(table, other);
    matching_connection_failed(table, one);
    matching_connection_subscribed(table, one, 5);
    matching_connection_subscribed(table, one, 4);
    CU_ASSERT_TRUE_FATAL(connection_registry_next(&registry, &position, &info));
    CU_ASSERT_EQUAL(info.counts[MATCHING_CONNECTION_BYTES_RECEIVED], 111);
    CU_ASSERT_EQUAL(info.counts[MATCHING_CONNECTION_BYTES_SENT], 7);
    CU_ASSERT_EQUAL(info.counts[MATCHING_CONNECTION_MESSAGES_RECEIVED], 3);
    CU_ASSERT_EQUAL(info.counts[MATCHING_CONNECTION_MESSAGES_SENT], 1);
    CU_ASSERT_EQUAL(info.counts[MATCHING_CONNECTION_ERRORS], 1);
    CU_ASSERT_EQUAL(info.counts[MATCHING_CONNECTION_SUBSCRIPTIONS], 4);
    /* The slot's next connection begins with nothing; the door keeps what it had. */
    matching_connection_close(table, one, 1000);
    CU_ASSERT_EQUAL(table->totals[MATCHING_CONNECTIONS_BYTES_RECEIVED], 111);
    CU_ASSERT_EQUAL(table->totals[MATCHING_CONNECTIONS_BYTES_SENT], 7);
    char id[MATCHING_CONNECTION_ID_SIZE];
    strcpy(id, info.id);
    open_at(0, "c");
    position = 0;
    CU_ASSERT_TRUE_FATAL(connection_registry_next(&registry, &position, &info));
    CU_ASSERT_STRING_EQUAL(info.remote, "c");
    CU_ASSERT_STRING_NOT_EQUAL(info.id, id);
    for (size_t i = 0; i < MATCHING_CONNECTION_SEEN_MS; i++) {
        CU_ASSERT_EQUAL(info.counts[i], 0);
    }
    tear_down();
}

static void test_the_last_trader_that_was_named_counts(void)
{
    static const char longest[] = "12345678901234567890123456789012";
    set_up(1);
    matching_connection_info info;
    matching_connection *one = open_at(0, "a");
    static const struct {
        const char *named, *wanted;
    } steps[] = {{"", ""}, {"alice", "alice"}, {"", "alice"}, {longest, longest}, {"bo", "bo"}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        uint64_t position = 0;
        name_trader(one, steps[i].named);
        CU_ASSERT_TRUE_FATAL(connection_registry_next(&registry, &position, &info));
        CU_ASSERT_STRING_EQUAL(info.trader_id, steps[i].wanted);
    }
    tear_down();
}

static void test_a_long_address_is_cut(void)
{
    char longer[2 * MATCHING_CONNECTION_REMOTE_SIZE];
    set_up(1);
    matching_connection_info info;
    uint64_t position = 0;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    open_at(0, longer);
    CU_ASSERT_TRUE_FATAL(connection_registry_next(&registry, &position, &info));
    CU_ASSERT_EQUAL(strlen(info.remote), MATCHING_CONNECTION_REMOTE_SIZE - 1);
    CU_ASSERT_STRING_EQUAL(info.trader_id, "");
    tear_down();
}

static void test_ids_differ_and_positions_last(void)
{
    enum { COUNT = 500 };
    static matching_connection_info all[COUNT];
    static char remote[16];
    set_up(COUNT);
    matching_connection_table *second = connection_registry_add(&registry, "sbe", 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    for (uint32_t i = 0; i < COUNT - 1; i++) {
        snprintf(remote, sizeof remote, "%u", i);
        open_at(i, remote);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(matching_connection_open(second, 1, "of the other door"));
    uint64_t position = 0, last = 0;
    for (size_t i = 0; i < COUNT; i++) {
        CU_ASSERT_TRUE_FATAL(connection_registry_next(&registry, &position, &all[i]));
        CU_ASSERT_TRUE(position > last);
        last = position;
        for (size_t k = 0; k < i; k++) {
            CU_ASSERT_FATAL(strcmp(all[i].id, all[k].id) != 0);
        }
    }
    CU_ASSERT_FALSE(connection_registry_next(&registry, &position, &all[0]));
    CU_ASSERT_STRING_EQUAL(all[COUNT - 1].transport, "sbe");
    /* Who goes on behind one that has ended meanwhile misses none. */
    position = 0;
    for (size_t i = 0; i < 100; i++) {
        connection_registry_next(&registry, &position, &all[0]);
    }
    matching_connection_close(table, &table->slots[99], 1000);
    CU_ASSERT_TRUE(connection_registry_next(&registry, &position, &all[0]));
    CU_ASSERT_STRING_EQUAL(all[0].remote, "100");
    tear_down();
}

static void test_tables_are_bounded(void)
{
    set_up(1);
    for (int i = 1; i < MATCHING_CONNECTION_TABLES_MAX; i++) {
        CU_ASSERT_PTR_NOT_NULL(connection_registry_add(&registry, "more", 1));
    }
    CU_ASSERT_PTR_NULL(connection_registry_add(&registry, "too many", 1));
    tear_down();
}

/* ---- Rates ----------------------------------------------------------------------------------- */

static void test_metrics_tell_now_and_ever(void)
{
    set_up(10);
    matching_connections_metrics metrics;
    matching_connection *one = open_at(0, "a"), *other = open_at(1, "b");
    matching_connection_subscribed(table, one, 3);
    matching_connection_subscribed(table, other, 2);
    matching_connection_sent(table, other);
    matching_connection_close(table, one, 1000);
    connection_registry_measure(&registry, matching_monotonic_ns(), &metrics);
    CU_ASSERT_EQUAL(metrics.opened, 2);
    CU_ASSERT_EQUAL(metrics.active, 1);
    CU_ASSERT_EQUAL(metrics.subscriptions, 2);
    CU_ASSERT_EQUAL(metrics.messages_sent, 1);
    tear_down();
}

/* Ten messages in, one of them in error, and thirty out; two acknowledged after 2 and 4 ms. */
static void busy_second(matching_connection *one)
{
    for (int i = 0; i < 10; i++) {
        matching_connection_received(table, one);
    }
    for (int i = 0; i < 30; i++) {
        matching_connection_sent(table, one);
    }
    matching_connection_failed(table, one);
    matching_connection_latency(table, 2000000);
    matching_connection_latency(table, 4000000);
}

static void test_rates_are_of_the_last_ten_seconds(void)
{
    set_up(1);
    matching_connections_metrics metrics;
    uint64_t begin = matching_monotonic_ns() + S; /* past the table's making */
    matching_connection *one = open_at(0, "a");
    matching_connections_second(table, begin);
    /* Five seconds after the beginning, all of it is told of, over a little more than 5 s. */
    uint64_t second = 0;
    for (; second < 5; second++) {
        busy_second(one);
        matching_connections_second(table, begin + (second + 1) * S);
    }
    connection_registry_measure(&registry, begin + 5 * S, &metrics);
    CU_ASSERT_EQUAL(metrics.received, 50);
    CU_ASSERT_EQUAL(metrics.errors, 5);
    CU_ASSERT_EQUAL(metrics.latencies, 10);
    CU_ASSERT_EQUAL(metrics.latency_ns, 30000000);
    /* After a minute the window is ten whole seconds, 40 messages in each. */
    for (; second < 60; second++) {
        busy_second(one);
        matching_connections_second(table, begin + (second + 1) * S);
    }
    connection_registry_measure(&registry, begin + 60 * S, &metrics);
    CU_ASSERT_EQUAL(metrics.messages_a_1000_s, 40000);
    CU_ASSERT_EQUAL(metrics.received, 100);
    CU_ASSERT_EQUAL(metrics.errors, 10);
    CU_ASSERT_EQUAL(metrics.latencies, 20);
    /* What the running second brings counts at once. */
    matching_connection_received(table, one);
    connection_registry_measure(&registry, begin + 60 * S, &metrics);
    CU_ASSERT_EQUAL(metrics.received, 101);
    /* Ten quiet seconds later nothing is left of it, but for the totals. */
    for (; second < 71; second++) {
        matching_connections_second(table, begin + (second + 1) * S);
    }
    connection_registry_measure(&registry, begin + 71 * S, &metrics);
    CU_ASSERT_EQUAL(metrics.messages_a_1000_s, 0);
    CU_ASSERT_EQUAL(metrics.received + metrics.errors + metrics.latencies, 0);
    CU_ASSERT_EQUAL(metrics.messages_sent, 60 * 30);
    tear_down();
}

/* ---- Threads --------------------------------------------------------------------------------- */

#define SLOTS 4u
#define LIVES 20000u
#define PER_LIFE 5u

typedef struct walker {
    atomic_bool *done;
    unsigned seen, torn;
} walker;

/* A connection's address is its number, and so are its trader and the begin of its counts: what
 * does not belong together shows. Runs on a reader's thread, where nothing is asserted. */
static bool fits_together(const matching_connection_info *info)
{
    unsigned long number = strtoul(info->remote, NULL, 10);
    bool named = info->trader_id[0] != '\0';
    uint64_t bytes = info->counts[MATCHING_CONNECTION_BYTES_RECEIVED];
    return is_uuid4(info->id) && number > 0 &&
           (!named || strtoul(info->trader_id, NULL, 10) == number) &&
           (bytes == 0 || (bytes >= number && bytes % number == 0 && bytes / number <= PER_LIFE));
}

static void *walk(void *context)
{
    walker *self = context;
    while (!atomic_load(self->done)) {
        matching_connections_metrics metrics;
        matching_connection_info info;
        uint64_t position = 0;
        while (connection_registry_next(&registry, &position, &info)) {
            self->seen++;
            self->torn += !fits_together(&info);
        }
        connection_registry_measure(&registry, matching_monotonic_ns(), &metrics);
        self->torn += metrics.active > SLOTS + 1 || metrics.errors > metrics.received;
    }
    return NULL;
}

static void live(uint32_t number)
{
    char remote[16], trader[MATCHING_TRADER_MAX] = {0};
    snprintf(remote, sizeof remote, "%u", number);
    snprintf(trader, sizeof trader, "%u", number);
    uint32_t slot = number % SLOTS;
    matching_connection *one = &table->slots[slot];
    if (number > SLOTS) {
        matching_connection_close(table, one, 1000);
    }
    one = matching_connection_open(table, slot, remote);
    for (unsigned i = 0; i < PER_LIFE; i++) {
        matching_connection_heard(table, one, number, i);
        matching_connection_received(table, one);
        matching_connection_trader(one, trader);
    }
    if (number % 64 == 0) {
        matching_connections_second(table, matching_monotonic_ns());
    }
}

static void test_readers_never_see_two_connections_mixed(void)
{
    set_up(SLOTS);
    atomic_bool done = false;
    walker walkers[2] = {{.done = &done}, {.done = &done}};
    pthread_t threads[2];
    for (uint32_t number = 1; number <= SLOTS; number++) {
        live(number);
    }
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, walk, &walkers[i]), 0);
    }
    for (uint32_t number = SLOTS + 1; number <= LIVES; number++) {
        live(number);
    }
    atomic_store(&done, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(walkers[i].torn, 0);
    }
    matching_connections_metrics metrics;
    connection_registry_measure(&registry, matching_monotonic_ns(), &metrics);
    CU_ASSERT_EQUAL(metrics.opened, LIVES);
    CU_ASSERT_EQUAL(metrics.active, SLOTS);
    tear_down();
}

MATCHING_TESTS(MATCHING_TEST(test_a_connection_is_listed_while_it_lasts),
               MATCHING_TEST(test_counts_are_the_connections_own),
               MATCHING_TEST(test_the_last_trader_that_was_named_counts),
               MATCHING_TEST(test_a_long_address_is_cut),
               MATCHING_TEST(test_ids_differ_and_positions_last),
               MATCHING_TEST(test_tables_are_bounded),
               MATCHING_TEST(test_metrics_tell_now_and_ever),
               MATCHING_TEST(test_rates_are_of_the_last_ten_seconds),
               MATCHING_TEST(test_readers_never_see_two_connections_mixed))
