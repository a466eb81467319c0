/* How much one connection's messages may set off before others are looked at: a door without a
 * thread, whose turns this test makes one by one.
 */
#include "door.h"

#include "../wire/lone_door.h"
#include "support/cunit_main.h"
#include "websocket.h"

#define INSTRUMENTS 200u
#define TURNS_MAX 1000000u

static lone_door lone;
static ws_door *door;
static ws_connection connection;
static int client;

static void begin(uint32_t max_subscriptions)
{
    lone_door_prepare(&lone);
    lone.config.websocket.max_subscriptions_per_client = max_subscriptions;
    lone_door_begin(&lone, &matching_websocket_transport, INSTRUMENTS);
    door = (ws_door *)lone.server;
    memset(&connection, 0, sizeof connection);
    client = lone_door_open(&lone, &connection.peer, 0);
    connection.peer.level = MATCHING_ACCESS_FULL;
}

static void end(void)
{
    lone_door_close(&lone, &connection.peer, client);
    ev_timer_stop(door->server.loop, &door->round);
    ev_timer_stop(door->server.loop, &door->candle);
    lone_door_end(&lone);
}

static void turn(void)
{
    lone_door_turn(&lone);
}

static void tell(const char *text)
{
    door->server.handlers->on_message(&connection.peer, text, strlen(text));
}

/* All that has come, up to what fits. */
static const char *read_all(void)
{
    static char bytes[1u << 20];
    size_t got, length = 0;
    while ((got = lone_read(&connection.peer, client, bytes + length, sizeof bytes - 1 - length)) >
           0) {
        for (size_t i = 0; i < got; i++) { /* lengths of frames may be zero bytes */
            bytes[length + i] = bytes[length + i] == '\0' ? ' ' : bytes[length + i];
        }
        length += got;
        wire_flush(&connection.peer);
    }
    bytes[length] = '\0';
    return bytes;
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

/* Until so many snapshots of the depth have come; in each turn no more is made than a share. */
static void await_snapshots(size_t wanted)
{
    size_t count = 0;
    for (unsigned turns = 0; count < wanted && turns < TURNS_MAX; turns++) {
        turn();
        CU_ASSERT_EQUAL(connection.peer.is_paused, wire_is_spent(&connection.peer));
        count += count_of(read_all(), "\"depth_snapshot\"");
    }
    CU_ASSERT_EQUAL(count, wanted);
}

/* A message about everything is refused for a limit; that costs what it looks at, and whoever goes
 * on with it is read a few times a turn. */
static void test_refusals_are_work(void)
{
    unsigned told = 0;
    begin(50);
    while (!wire_is_spent(&connection.peer) && told < TURNS_MAX) {
        tell("{\"type\":\"subscribe\",\"channels\":[\"trades\",\"book\",\"depth\",\"ticker\"]}");
        told++;
    }
    CU_ASSERT_TRUE(told > 1 && told <= WIRE_WORK_A_SHARE / (4 * INSTRUMENTS / 8) + 1);
    CU_ASSERT_TRUE(connection.peer.is_paused);
    turn();
    CU_ASSERT_FALSE(connection.peer.is_paused);
    CU_ASSERT_EQUAL(count_of(read_all(), "TOO_MANY_SUBSCRIPTIONS"), told);
    CU_ASSERT_EQUAL(connection.subscription_count, 0);
    end();
}

/* Snapshots are owed by the dozen: a share at a time is made, and all come. */
static void test_snapshots_come_in_turns(void)
{
    size_t at_once = 0;
    begin(4096);
    tell("{\"type\":\"subscribe\",\"channels\":[\"depth\"]}");
    await_snapshots(INSTRUMENTS);
    CU_ASSERT_EQUAL(connection.stale_count, 0);
    for (unsigned i = 0; i < 3; i++) {
        turn();
    }
    tell("{\"type\":\"subscribe\",\"channels\":[\"depth\"]}");
    tell("{\"type\":\"subscribe\",\"channels\":[\"depth\"]}"); /* they are owed already */
    CU_ASSERT_EQUAL(connection.stale_count, INSTRUMENTS);
    size_t used = connection.peer.share.work;
    turn();
    at_once = INSTRUMENTS - connection.stale_count;
    CU_ASSERT_TRUE(at_once > 0 && at_once < INSTRUMENTS); /* each is more than one unit */
    CU_ASSERT_TRUE(used > 0 && wire_is_spent(&connection.peer));
    await_snapshots(INSTRUMENTS);
    CU_ASSERT_EQUAL(connection.stale_count, 0);
    end();
}

/* Views are read a few at a time, whoever follows how many. */
static void test_views_are_loaded_a_few_at_a_time(void)
{
    begin(4096);
    tell("{\"type\":\"subscribe\",\"channels\":[\"book\"]}");
    for (unsigned turns = 0; connection.stale_count > 0 && turns < TURNS_MAX; turns++) {
        turn();
        (void)read_all();
        size_t loading = 0;
        for (size_t i = 0; i < INSTRUMENTS; i++) {
            loading += door->feeds.markets[i].view.is_loading;
        }
        CU_ASSERT_TRUE(loading <= WIRE_LOADS_AT_ONCE); /* there is one shard */
        CU_ASSERT_EQUAL(loading, door->feeds.loads.shards[0].under_way);
    }
    CU_ASSERT_EQUAL(connection.stale_count, 0);
    CU_ASSERT_EQUAL(door->feeds.loads.shards[0].under_way, 0);
    end();
}

/* Orders of one trader and of another are different subscriptions to the same instruments. */
static void test_what_is_followed_is_found(void)
{
    begin(4096);
    tell("{\"type\":\"subscribe\",\"channels\":[\"orders\",\"trades\"],\"trader_id\":\"ann\"}");
    CU_ASSERT_EQUAL(connection.subscription_count, 2 * INSTRUMENTS);
    tell("{\"type\":\"subscribe\",\"channels\":[\"orders\",\"trades\"],\"trader_id\":\"bob\"}");
    CU_ASSERT_EQUAL(connection.subscription_count, 3 * INSTRUMENTS);
    tell("{\"type\":\"subscribe\",\"channels\":[\"orders\",\"book\"],\"trader_id\":\"ann\"}");
    CU_ASSERT_EQUAL(connection.subscription_count, 4 * INSTRUMENTS);
    tell("{\"type\":\"subscribe\",\"channels\":[\"book\"],\"symbols\":[\"S3\",\"S4\",\"S3\"]}");
    CU_ASSERT_EQUAL(connection.subscription_count, 4 * INSTRUMENTS);
    tell("{\"type\":\"unsubscribe\",\"channels\":[\"orders\"],\"trader_id\":\"ann\"}");
    CU_ASSERT_EQUAL(connection.subscription_count, 3 * INSTRUMENTS);
    tell("{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"ann\"}");
    CU_ASSERT_EQUAL(connection.subscription_count, 4 * INSTRUMENTS);
    size_t snapshots = 0;
    for (unsigned turns = 0; snapshots < 2 && turns < TURNS_MAX; turns++) {
        turn();
        snapshots += count_of(read_all(), "\"orders_snapshot\"");
    }
    CU_ASSERT_EQUAL(snapshots, 2); /* of bob, and of ann as asked for last */
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_refusals_are_work), MATCHING_TEST(test_snapshots_come_in_turns),
               MATCHING_TEST(test_views_are_loaded_a_few_at_a_time),
               MATCHING_TEST(test_what_is_followed_is_found))
