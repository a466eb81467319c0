/* The snapshot of a trader with many orders: it comes in parts, as fast as the client reads, while
 * orders come, change and end. A door without a thread, so that what comes between what is certain.
 */
#include "door.h"

#include <sched.h>
#include <stdlib.h>

#include "../wire/lone_door.h"
#include "support/cunit_main.h"
#include "websocket.h"

#define ORDERS 900u      /* before anybody follows them */
#define ORDERS_MAX 1000u /* ids, from 1 */
#define QUEUE 65536u     /* bytes: a part is a few thirds of that, some 160 orders */
#define INSTRUMENTS 6u   /* more than are asked for at once */
#define WIDE (4u << 20)  /* ... so that pages of several instruments are under way at once */
#define PATIENCE_NS 20000000000u /* for the shard, which has a thread of its own */

#define SUBSCRIBE "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"ann\"}"

enum { FOLLOWER, TRADER, OTHERS, COUNT = OTHERS + WS_SNAPSHOTS_AT_ONCE + 4 };

typedef struct state {
    bool works;
    unsigned remaining;
} state;

static lone_door lone;
static ws_connection connections[COUNT];
static int clients[COUNT];
static state truth[ORDERS_MAX + 1], copy[ORDERS_MAX + 1];
static unsigned char received[1u << 17];
static size_t received_length;
static uint64_t begun_ns;
static unsigned placed, parts, last_parts, shown[ORDERS_MAX + 1];

__attribute__((format(printf, 2, 3))) static void tell(unsigned which, const char *format, ...)
{
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    lone.server->handlers->on_message(&connections[which].peer, text, (size_t)length);
}

static bool has_time(void)
{
    sched_yield();
    return matching_monotonic_ns() - begun_ns < PATIENCE_NS;
}

static void turn(void)
{
    char bytes[4096];
    lone_door_turn(&lone);
    while (lone_read(&connections[TRADER].peer, clients[TRADER], bytes, sizeof bytes) > 0) {
        wire_flush(&connections[TRADER].peer);
    }
}

static void place(void)
{
    placed++;
    tell(TRADER,
         "{\"type\":\"limit_order\",\"trader_id\":\"ann\",\"side\":\"buy\",\"price\":%u,"
         "\"quantity\":9}",
         1 + placed % 50);
    truth[placed] = (state){true, 9};
}

static void cancel(unsigned id)
{
    tell(TRADER, "{\"type\":\"cancel_order\",\"order_id\":%u}", id);
    truth[id].works = false;
}

static void reduce(unsigned id)
{
    if (truth[id].works && truth[id].remaining > 1) {
        truth[id].remaining--;
        tell(TRADER, "{\"type\":\"amend_order\",\"order_id\":%u,\"quantity\":%u}", id,
             truth[id].remaining);
    }
}

static void begin_with(unsigned orders, unsigned queue)
{
    lone_door_prepare(&lone);
    lone.config.websocket.max_queue_bytes = queue;
    lone_door_begin(&lone, &matching_websocket_transport, INSTRUMENTS);
    memset(connections, 0, sizeof connections);
    memset(truth, 0, sizeof truth);
    memset(copy, 0, sizeof copy);
    memset(shown, 0, sizeof shown);
    placed = parts = last_parts = 0;
    received_length = 0;
    begun_ns = matching_monotonic_ns();
    for (unsigned i = 0; i < COUNT; i++) {
        clients[i] = lone_door_open(&lone, &connections[i].peer, i);
        connections[i].peer.level = MATCHING_ACCESS_FULL;
    }
    while (placed < orders) {
        place();
        turn();
    }
}

static void begin(void)
{
    begin_with(ORDERS, QUEUE);
}

static ws_feeds *feeds(void)
{
    return &((ws_door *)lone.server)->feeds;
}

static void end(void)
{
    ws_door *door = (ws_door *)lone.server;
    for (unsigned i = 0; i < COUNT; i++) {
        lone_door_close(&lone, &connections[i].peer, clients[i]);
    }
    ev_timer_stop(door->server.loop, &door->round);
    ev_timer_stop(door->server.loop, &door->candle);
    lone_door_end(&lone);
}

/* ---- The follower's copy --------------------------------------------------------------------- */

static unsigned number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);
    return at != NULL ? (unsigned)strtoul(at + strlen(name), NULL, 10) : 0;
}

/* An Order object begins here. */
static void take_order(const char *text, bool is_update)
{
    unsigned id = number_after(text, "\"order_id\":");
    CU_ASSERT_TRUE_FATAL(id > 0 && id <= ORDERS_MAX);
    const char *status = strstr(text, "\"status\":\"");
    CU_ASSERT_PTR_NOT_NULL_FATAL(status);
    if (is_update && id <= ORDERS) {
        CU_ASSERT_EQUAL(shown[id],
                        1); /* nobody is told how something changed that it does not know */
    }
    shown[id] += !is_update;
    copy[id].works = strncmp(status + 10, "open", 4) == 0;
    copy[id].remaining = number_after(text, "\"remaining_quantity\":");
}

static bool is_of(const char *text, const char *type)
{
    return strncmp(text, "{\"type\":\"", 9) == 0 && strncmp(text + 9, type, strlen(type)) == 0;
}

static void take_message(const char *text)
{
    if (is_of(text, "order_update")) {
        take_order(text, true);
        return;
    }
    if (!is_of(text, "orders_snapshot")) {
        return;
    }
    parts++;
    last_parts += strstr(text, "]}") != NULL;
    CU_ASSERT_PTR_NULL(strstr(text, "truncated"));
    for (const char *at = strstr(text, "{\"order_id\":"); at != NULL;
         at = strstr(at + 1, "{\"order_id\":")) {
        take_order(at, false);
    }
}

/* The length of the frame that begins here, and where its payload does; 0: it is not whole. */
static size_t frame_length(const unsigned char *bytes, size_t length, size_t *payload)
{
    *payload = length >= 2 && bytes[1] == 126 ? 4 : 2;
    if (length < *payload) {
        return 0;
    }
    CU_ASSERT_TRUE_FATAL(bytes[0] == 0x81 && bytes[1] < 127);
    size_t whole = *payload + (*payload == 2 ? bytes[1] : (size_t)(bytes[2] << 8 | bytes[3]));
    return whole <= length ? whole : 0;
}

/* Reads at most so many bytes, and takes what is whole of all that has come. False: there was
 * none. */
static bool follow(size_t most)
{
    size_t room = sizeof received - 1 - received_length, payload, whole;
    size_t got = lone_read(&connections[FOLLOWER].peer, clients[FOLLOWER],
                           received + received_length, most < room ? most : room);
    wire_flush(&connections[FOLLOWER].peer);
    received_length += got;
    while ((whole = frame_length(received, received_length, &payload)) > 0) {
        unsigned char next = received[whole];
        received[whole] = '\0';
        take_message((const char *)received + payload);
        received[whole] = next;
        received_length -= whole;
        memmove(received, received + whole, received_length);
    }
    return got > 0;
}

static bool is_true(void)
{
    bool is_same = last_parts > 0;
    for (unsigned id = 1; is_same && id <= placed; id++) {
        is_same = copy[id].works == truth[id].works &&
                  (!truth[id].works || copy[id].remaining == truth[id].remaining);
    }
    return is_same;
}

/* Until the copy is right; the shard has a thread of its own. */
static void follow_to_the_end(void)
{
    while (!is_true() && has_time()) {
        turn();
        while (follow(SIZE_MAX)) {
        }
    }
}

static void expect_the_truth(void)
{
    CU_ASSERT_TRUE(is_true());
    CU_ASSERT_EQUAL(last_parts, 1);
    for (unsigned id = 1; id <= placed; id++) {
        CU_ASSERT_TRUE(shown[id] <= 1);
    }
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void test_a_snapshot_in_parts_shows_each_order_once(void)
{
    begin();
    tell(FOLLOWER, "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"ann\"}");
    follow_to_the_end();
    CU_ASSERT_TRUE(parts > ORDERS / (QUEUE / 400));
    expect_the_truth();
    for (unsigned id = 1; id <= ORDERS; id++) {
        CU_ASSERT_EQUAL(shown[id], 1);
    }
    end();
}

/* Nobody reads it: little is read from the shard, and what is followed goes on once it does. */
static void test_no_more_is_made_than_is_read(void)
{
    begin();
    tell(FOLLOWER, "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"ann\"}");
    for (unsigned i = 0; i < 100; i++) {
        turn();
        CU_ASSERT_TRUE(wire_outbox_length(&connections[FOLLOWER].peer.outbox) <= QUEUE);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(connections[FOLLOWER].reads.first);
    CU_ASSERT_EQUAL(connections[FOLLOWER].peer.state, WIRE_OPEN);
    follow_to_the_end();
    CU_ASSERT_PTR_NULL(connections[FOLLOWER].reads.first);
    expect_the_truth();
    end();
}

/* Orders end, shrink and come between any two pages, read and not, told and not. */
static void test_what_changes_meanwhile_is_told_once(void)
{
    begin();
    tell(FOLLOWER, "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"ann\"}");
    for (unsigned i = 0; i < 400; i++) {
        unsigned id = 1 + i * 377 % ORDERS;
        if (i % 3 == 0) {
            cancel(id);
        } else {
            reduce(id);
        }
        if (i % 10 == 0) {
            place();
        }
        turn();
        follow(i % 7 * 500);
    }
    follow_to_the_end();
    CU_ASSERT_TRUE(parts > 2);
    expect_the_truth();
    end();
}

static void test_who_leaves_in_the_middle_leaves_nothing_behind(void)
{
    begin();
    for (unsigned turns = 0; turns < 12; turns++) {
        tell(FOLLOWER, "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"ann\"}");
        tell(FOLLOWER, "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"bob\"}");
        for (unsigned i = 0; i < turns; i++) {
            turn();
            follow(1000);
        }
        if (turns % 2 == 0) {
            tell(FOLLOWER, "{\"type\":\"unsubscribe\",\"channels\":[\"orders\"]}");
            CU_ASSERT_EQUAL(connections[FOLLOWER].subscription_count, 0);
        }
        lone_door_close(&lone, &connections[FOLLOWER].peer, clients[FOLLOWER]);
        memset(&connections[FOLLOWER], 0, sizeof connections[FOLLOWER]);
        clients[FOLLOWER] = lone_door_open(&lone, &connections[FOLLOWER].peer, FOLLOWER);
        connections[FOLLOWER].peer.level = MATCHING_ACCESS_FULL;
        connections[FOLLOWER].peer.generation = turns + 1;
        received_length = 0;
    }
    CU_ASSERT_EQUAL(feeds()->order_feed_count, 0);
    CU_ASSERT_PTR_NULL(feeds()->reads.first);
    end();
}

/* They take turns: few have orders in memory that nobody was told of. */
static void test_few_snapshots_are_half_made_at_once(void)
{
    char bytes[4096];
    bool is_over = false;
    begin();
    for (unsigned i = OTHERS; i < COUNT; i++) {
        tell(i, SUBSCRIBE);
    }
    CU_ASSERT_EQUAL(feeds()->making, WS_SNAPSHOTS_AT_ONCE);
    while (!is_over && has_time()) {
        turn();
        is_over = true;
        for (unsigned i = OTHERS; i < COUNT; i++) {
            CU_ASSERT_TRUE_FATAL(feeds()->making <= WS_SNAPSHOTS_AT_ONCE);
            while (lone_read(&connections[i].peer, clients[i], bytes, sizeof bytes) > 0) {
                wire_flush(&connections[i].peer);
            }
            is_over = is_over && connections[i].reads.first == NULL;
        }
    }
    CU_ASSERT_TRUE(is_over);
    CU_ASSERT_EQUAL(feeds()->making, 0);
    CU_ASSERT_PTR_NULL(feeds()->reads.first);
    end();
}

/* Those who do not read keep nobody else from theirs. */
static void test_who_does_not_read_is_not_waited_for(void)
{
    begin();
    for (unsigned i = OTHERS; i < COUNT; i++) {
        tell(i, SUBSCRIBE);
    }
    tell(FOLLOWER, SUBSCRIBE);
    follow_to_the_end();
    expect_the_truth();
    while (feeds()->making > 0 && has_time()) {
        turn();
    }
    CU_ASSERT_EQUAL(feeds()->making, 0);
    for (unsigned i = OTHERS; i < COUNT; i++) {
        CU_ASSERT_PTR_NOT_NULL(connections[i].reads.first);
        CU_ASSERT_EQUAL(connections[i].peer.state, WIRE_OPEN);
    }
    end();
}

/* However often it is asked for and taken back before anything is answered. */
static void test_a_snapshot_that_nobody_wants_is_dropped(void)
{
    begin();
    for (unsigned i = 0; i < 300; i++) {
        tell(FOLLOWER, SUBSCRIBE);
        CU_ASSERT_PTR_NOT_NULL(connections[FOLLOWER].reads.first);
        tell(FOLLOWER, "{\"type\":\"unsubscribe\",\"channels\":[\"orders\"]}");
        CU_ASSERT_PTR_NULL(connections[FOLLOWER].reads.first);
        CU_ASSERT_EQUAL(feeds()->making, 0);
    }
    while (feeds()->abandoned.first != NULL && has_time()) {
        turn();
    }
    CU_ASSERT_PTR_NULL(feeds()->abandoned.first); /* its answers have come */
    CU_ASSERT_PTR_NULL(feeds()->reads.first);
    tell(FOLLOWER, SUBSCRIBE);
    follow_to_the_end();
    expect_the_truth();
    end();
}

/* The orders of one instrument have been read, those of the others have not, when it is followed no
 * more, and then again: the first snapshot is without them, since they change and nobody looks. */
static void test_what_is_followed_again_is_only_in_the_second_snapshot(void)
{
    begin_with(40, WIDE);
    tell(FOLLOWER, SUBSCRIBE);
    const ws_subscription *first = &connections[FOLLOWER].subscriptions[0];
    matching_port_flush(lone.server->port);
    while (first->from_position == UINT64_MAX && has_time()) {
        matching_port_poll(lone.server->port, 1);
    }
    CU_ASSERT_NOT_EQUAL_FATAL(first->from_position, UINT64_MAX);
    CU_ASSERT_PTR_NOT_NULL_FATAL(first->reading); /* the others' pages have not come */
    tell(FOLLOWER, "{\"type\":\"unsubscribe\",\"channels\":[\"orders\"],\"symbols\":[\"S0\"]}");
    cancel(7);
    reduce(8);
    tell(FOLLOWER, "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"symbols\":[\"S0\"],"
                   "\"trader_id\":\"ann\"}");
    while (last_parts < 2 && has_time()) {
        turn();
        while (follow(SIZE_MAX)) {
        }
    }
    CU_ASSERT_EQUAL(last_parts, 2);
    CU_ASSERT_TRUE(is_true());
    for (unsigned id = 1; id <= placed; id++) {
        CU_ASSERT_EQUAL(shown[id], id != 7);
    }
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_snapshot_in_parts_shows_each_order_once),
               MATCHING_TEST(test_no_more_is_made_than_is_read),
               MATCHING_TEST(test_what_changes_meanwhile_is_told_once),
               MATCHING_TEST(test_who_leaves_in_the_middle_leaves_nothing_behind),
               MATCHING_TEST(test_few_snapshots_are_half_made_at_once),
               MATCHING_TEST(test_who_does_not_read_is_not_waited_for),
               MATCHING_TEST(test_a_snapshot_that_nobody_wants_is_dropped),
               MATCHING_TEST(test_what_is_followed_again_is_only_in_the_second_snapshot))
