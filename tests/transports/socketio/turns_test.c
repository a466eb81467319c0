/* Pages of history that find no room in the core wait their turn, client by client, and go with
 * their client. */
#include <time.h>
#include <unistd.h>

#include "door_fixture.h"
#include "matching/command.h"
#include "matching/connections.h"
#include "matching/history.h"
#include "support/held_core.h"

/* The candle feed's own reads: the trades of either instrument, when the door opens. */
enum { OF_FEED = 2, CLIENTS = 24, GREEDY = 60, LOOKS_MAX = 3000 };

/* As door.h has them, and docs/socketio.md. */
enum { AT_ONCE = 4, MAY_WAIT = 50 };

bool __wrap_matching_core_has_history(const matching_core *core);

/* In place of the core's: so the door takes its way to a store. */
bool __wrap_matching_core_has_history(const matching_core *core)
{
    (void)core;
    return true;
}

static void wait_until_taken(unsigned type, size_t wanted)
{
    for (int look = 0; look < LOOKS_MAX && held_core_taken(type) < wanted; look++) {
        const struct timespec length = {0, 10000000};
        nanosleep(&length, NULL);
    }
    CU_ASSERT_EQUAL_FATAL(held_core_taken(type), wanted);
}

/* The door has noticed who left. */
static void wait_until_active(uint64_t wanted)
{
    matching_connections_metrics metrics = {0};
    for (int look = 0; look < LOOKS_MAX; look++) {
        const struct timespec length = {0, 10000000};
        matching_connections_measure(door.core, &metrics);
        if (metrics.active == wanted) {
            break;
        }
        nanosleep(&length, NULL);
    }
    CU_ASSERT_EQUAL_FATAL(metrics.active, wanted);
}

static size_t pages_taken(void)
{
    return held_core_taken(MATCHING_READ_CANDLES);
}

/* A core that takes so many pages and answers none before it is let go. */
static void begin(size_t room)
{
    prepare();
    held_core_hold(OF_FEED + room);
    open_door();
    wait_until_taken(MATCHING_READ_TRADES, OF_FEED);
}

static void end(void)
{
    close_door();
    held_core_fini();
}

static void join(ws_client *client)
{
    CU_ASSERT_TRUE_FATAL(ws_open(client, ""));
    ws_say(client, "40/ws/kline,");
    CU_ASSERT_TRUE_FATAL(ws_until(client, "connection_success"));
}

static void ask_page(ws_client *client, unsigned id)
{
    char text[80];
    snprintf(text, sizeof text, "42/ws/kline,%u[\"get_history\",{\"interval\":\"m1\"}]", id);
    ws_say(client, text);
}

/* All that it said has been dealt with. */
static void sync_with(ws_client *client)
{
    ws_say(client, "42/ws/kline,9999[\"unsubscribe\",{\"topic\":\"token_events\"}]");
    CU_ASSERT_TRUE(ws_until(client, "43/ws/kline,9999["));
}

static bool has_page(ws_client *client, unsigned id)
{
    char text[80];
    snprintf(text, sizeof text,
             "43/ws/kline,%u[{\"symbol\":\"BTCUSDT\",\"interval\":\"m1\",\"data\":[", id);
    return ws_until(client, text);
}

static void let_go(ws_client *waker)
{
    held_core_let_go();
    ws_say(waker, "42/ws/kline,[\"unsubscribe\",{\"topic\":\"token_events\"}]");
}

static void test_each_client_gets_its_page(void)
{
    static ws_client clients[CLIENTS];
    enum { ROOM = 3 };
    begin(ROOM);
    for (unsigned i = 0; i < CLIENTS; i++) {
        join(&clients[i]);
        ask_page(&clients[i], i);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        sync_with(&clients[i]);
    }
    CU_ASSERT_EQUAL(pages_taken(), ROOM);
    let_go(&clients[0]);
    for (unsigned i = 0; i < CLIENTS; i++) {
        CU_ASSERT_TRUE(has_page(&clients[i], i));
        ws_client_close(&clients[i]);
    }
    CU_ASSERT_EQUAL(pages_taken(), CLIENTS);
    end();
}

/* It has a few under way, a list that waits, and is told where that ends; others pass it. */
static void test_who_asks_for_much_keeps_nobody_waiting(void)
{
    static ws_client greedy, other;
    begin(AT_ONCE + 1);
    join(&greedy);
    join(&other);
    for (unsigned i = 0; i < GREEDY; i++) {
        ask_page(&greedy, i);
    }
    for (unsigned i = AT_ONCE + MAY_WAIT; i < GREEDY; i++) {
        char text[80];
        snprintf(text, sizeof text, "43/ws/kline,%u[{\"code\":1003,", i);
        CU_ASSERT_TRUE(ws_until(&greedy, text));
    }
    CU_ASSERT_EQUAL(pages_taken(), AT_ONCE);
    ask_page(&other, 7);
    wait_until_taken(MATCHING_READ_CANDLES,
                     AT_ONCE + 1); /* at once: fifty of the other's wait still */
    let_go(&other);
    CU_ASSERT_TRUE(has_page(&other, 7));
    for (unsigned i = 0; i < AT_ONCE + MAY_WAIT; i++) {
        CU_ASSERT_TRUE(has_page(&greedy, i)); /* in the order in which it asked */
    }
    CU_ASSERT_EQUAL(pages_taken(), AT_ONCE + MAY_WAIT + 1);
    ask_page(&greedy, 500); /* there is room again */
    CU_ASSERT_TRUE(has_page(&greedy, 500));
    ws_client_close(&greedy);
    ws_client_close(&other);
    end();
}

static void test_what_waits_goes_with_its_client(void)
{
    static ws_client first, leaves, stays;
    char query[64];
    begin(1);
    join(&first);
    ask_page(&first, 1);
    wait_until_taken(MATCHING_READ_CANDLES, 1);
    join(&leaves);
    ask_page(&leaves, 1);
    ask_page(&leaves, 2);
    ws_say(&leaves, "41/ws/kline,"); /* leaves the namespace, comes back, and ends */
    ws_say(&leaves, "40/ws/kline,");
    CU_ASSERT_TRUE(ws_until(&leaves, "connection_success"));
    ask_page(&leaves, 3);
    sync_with(&leaves);
    ws_client_close(&leaves);
    int fd = dial();
    join_namespace(fd, query);
    expect(ask(fd, "POST", query, "42/ws/kline,4[\"get_history\",{\"interval\":\"m1\"}]"), 200,
           "ok");
    expect(ask(fd, "POST", query, "1"), 200, "ok"); /* a session over polling ends itself */
    close(fd);
    wait_until_active(1); /* an end may come to the door after what others say later */
    join(&stays);
    ask_page(&stays, 5);
    sync_with(&stays);
    let_go(&stays);
    CU_ASSERT_TRUE(has_page(&first, 1));
    CU_ASSERT_TRUE(has_page(&stays, 5));
    CU_ASSERT_EQUAL(pages_taken(), 2);
    ws_client_close(&first);
    ws_client_close(&stays);
    end();
}

/* It would be taken for what a client asks for after it came back, whose ids begin anew. */
static void test_what_is_under_way_goes_with_its_membership(void)
{
    static ws_client client, other;
    begin(1);
    join(&client);
    join(&other);
    ask_page(&client, 1);
    wait_until_taken(MATCHING_READ_CANDLES, 1);
    ws_say(&client, "41/ws/kline,");
    ws_say(&client, "40/ws/kline,");
    CU_ASSERT_TRUE(ws_until(&client, "connection_success"));
    ask_page(&client, 2);
    sync_with(&client);
    let_go(&other);
    CU_ASSERT_PTR_NOT_NULL(strstr(ws_hear(&client), "[\"history_data\","));
    CU_ASSERT_PTR_NOT_NULL(strstr(ws_hear(&client), "43/ws/kline,2["));
    CU_ASSERT_EQUAL(pages_taken(), 2); /* the first one too, whose answer nobody wants */
    ws_client_close(&client);
    ws_client_close(&other);
    end();
}

/* Its answers would fill its queue, and it would be ended as too slow for what it asked for
 * itself. */
static void test_who_does_not_read_is_asked_for_no_more(void)
{
    enum { PAGES = 48, OTHERS = 24 };
    static ws_client other;
    char query[64], body[PAGES * 64] = "";
    prepare();
    config.socketio.max_queue_bytes =
        65536; /* a sixteenth of it is what may wait: some 26 answers */
    held_core_hold(OF_FEED);
    held_core_let_go();
    open_door();
    int fd = dial();
    join_namespace(fd, query);
    for (unsigned i = 0; i < PAGES; i++) {
        size_t used = strlen(body);
        snprintf(body + used, sizeof body - used,
                 "%s42/ws/kline,%u[\"get_history\",{\"interval\":\"m1\"}]", i == 0 ? "" : "\x1e",
                 i);
    }
    expect(ask(fd, "POST", query, body), 200, "ok");
    join(&other);
    for (unsigned i = 0; i < OTHERS; i++) { /* by turns: as many of the other's would have come */
        ask_page(&other, i);
        CU_ASSERT_TRUE(has_page(&other, i));
    }
    CU_ASSERT_TRUE(pages_taken() < PAGES + OTHERS);
    for (unsigned i = 0; i < PAGES; i += PAGES - 1) {
        char text[32];
        snprintf(text, sizeof text, "43/ws/kline,%u[{\"symbol\"", i);
        CU_ASSERT_TRUE(poll_until(fd, query, text));
    }
    CU_ASSERT_EQUAL(pages_taken(), PAGES + OTHERS);
    ws_client_close(&other);
    close(fd);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_each_client_gets_its_page),
               MATCHING_TEST(test_who_asks_for_much_keeps_nobody_waiting),
               MATCHING_TEST(test_what_waits_goes_with_its_client),
               MATCHING_TEST(test_what_is_under_way_goes_with_its_membership),
               MATCHING_TEST(test_who_does_not_read_is_asked_for_no_more))
