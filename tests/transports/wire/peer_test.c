/* A connection: when its replies stop its reading, how one that is too slow ends, and how much work
 * is done for it in a turn. */
#include "lone_peer.h"
#include "support/cunit_main.h"

#include <sys/socket.h>

#define LIMIT 65536u       /* of replies */
#define BURST (16 * LIMIT) /* of events, for who reads */
#define REPLY 1000u
#define MANY 3u

static wire_server server;
static wire_settings settings;
static wire_handlers handlers;
static matching_connection_table table;
static matching_connection entries[MANY];
static wire_peer *dirty[2 * MANY];
static wire_peer peers[MANY], *const peer = &peers[0];
static int clients[MANY];

static void begin(unsigned count)
{
    memset(&server, 0, sizeof server);
    memset(peers, 0, sizeof peers);
    settings = (wire_settings){.kind = WIRE_OPCODE_BINARY};
    matching_writer_init(&server.writer);
    server.settings = &settings;
    server.handlers = &handlers;
    server.table = &table;
    server.dirty = dirty;
    server.limits = (wire_limits){.queue = 4 * LIMIT,
                                  .burst = BURST,
                                  .conflate = LIMIT,
                                  .fresh = LIMIT / 4,
                                  .replies = LIMIT};
    server.loop = ev_loop_new(0);
    for (unsigned i = 0; i < count; i++) {
        clients[i] = lone_open(&server, &peers[i], &entries[i]);
    }
}

static void end(unsigned count)
{
    wire_begin(&server);
    for (unsigned i = 0; i < count; i++) {
        wire_outbox_free(&peers[i].outbox, &server.queued);
        lone_close(&peers[i], clients[i]);
    }
    CU_ASSERT_EQUAL(server.queued, 0);
    matching_writer_fini(&server.writer);
    ev_loop_destroy(server.loop);
}

/* ---- Replies that are not read --------------------------------------------------------------- */

/* The end of a turn. */
static void flush(void)
{
    server.dirty_count = 0;
    peer->is_dirty = false;
    wire_flush(peer);
}

/* A message of so many bytes is in the writer. */
static void write_message(void)
{
    static const char bytes[REPLY];
    matching_write(wire_begin(&server), bytes, sizeof bytes);
}

static void reply(void)
{
    write_message();
    wire_send_reply(peer);
}

static size_t read_some(size_t most)
{
    unsigned char bytes[REPLY];
    return lone_read(peer, clients[0], bytes, most < sizeof bytes ? most : sizeof bytes);
}

/* Whoever has not read its answers is read again as soon as half of them have gone, not only when
 * the last one has. */
static void test_reading_goes_on_at_half(void)
{
    begin(1);
    while (!peer->is_paused) {
        reply();
        flush();
        CU_ASSERT_TRUE_FATAL(wire_outbox_length(&peer->outbox) < 2 * LIMIT);
    }
    CU_ASSERT_TRUE(wire_outbox_length(&peer->outbox) > LIMIT);
    CU_ASSERT_FALSE(ev_is_active(&peer->reading));
    while (peer->is_paused) {
        size_t before = wire_outbox_length(&peer->outbox);
        CU_ASSERT_TRUE_FATAL(before > LIMIT / 2); /* at half it goes on, and no earlier */
        size_t got = read_some(REPLY);
        CU_ASSERT_TRUE_FATAL(got > 0);
        flush();
    }
    CU_ASSERT_TRUE(wire_outbox_length(&peer->outbox) > 0);
    CU_ASSERT_TRUE(ev_is_active(&peer->reading));
    end(1);
}

/* A feed that never lets the queue run empty is not taken for replies that are not read. */
static void test_a_feed_is_no_reason_to_stop_reading(void)
{
    begin(1);
    while (wire_outbox_length(&peer->outbox) < LIMIT / 4) {
        write_message();
        wire_send_event(peer);
        flush();
    }
    for (unsigned replies = 0; replies < 4 * LIMIT / REPLY; replies++) {
        reply();
        flush();
        CU_ASSERT_FALSE_FATAL(peer->is_paused);
        for (size_t want = REPLY; want > 0;) {
            size_t got = read_some(want);
            CU_ASSERT_TRUE_FATAL(got > 0);
            want -= got;
            flush();
        }
        CU_ASSERT_TRUE_FATAL(wire_outbox_length(&peer->outbox) > 0);
    }
    end(1);
}

/* ---- Too slow -------------------------------------------------------------------------------- */

/* Tells it of events that it does not read until they do not fit; returns how many did. */
static size_t overflow(void)
{
    size_t count = 0;
    server.limits.burst = server.limits.queue; /* as if nobody had seen it read */
    for (; peer->state == WIRE_OPEN; count++) {
        CU_ASSERT_TRUE_FATAL(wire_outbox_length(&peer->outbox) <= server.limits.queue);
        write_message();
        wire_send_event(peer);
        flush();
    }
    CU_ASSERT_EQUAL(peer->state, WIRE_ENDING);
    CU_ASSERT_EQUAL(peer->close_code, 1008);
    return count - 1; /* the last one is what was too much */
}

static void pass(uint64_t ms)
{
    server.now_ms += ms;
    wire_peer_second(peer);
}

/* Up to the 30th second it may read what it was told before, and then why that was all. */
static void test_a_slow_one_has_half_a_minute_to_read(void)
{
    static unsigned char bytes[8 * LIMIT];
    static const unsigned char why[] = "\x88\x0f\x03\xf0slow consumer";
    size_t length = 0;
    begin(1);
    size_t events = overflow();
    for (unsigned seconds = 0; seconds < 29; seconds++) {
        pass(1000);
    }
    pass(999);
    CU_ASSERT_EQUAL(peer->state, WIRE_ENDING);
    for (size_t got = 1; got > 0 && length < sizeof bytes; length += got) {
        got = lone_read(peer, clients[0], bytes + length, sizeof bytes - length);
        flush();
    }
    CU_ASSERT_EQUAL(length, events * (4 + REPLY) + sizeof why - 1);
    CU_ASSERT_EQUAL(memcmp(bytes + length - (sizeof why - 1), why, sizeof why - 1), 0);
    CU_ASSERT_EQUAL(peer->state, WIRE_WAITING); /* for its close frame, some seconds more */
    pass(1);
    CU_ASSERT_EQUAL(peer->state, WIRE_WAITING);
    pass(WIRE_CLOSE_GRACE_MS);
    CU_ASSERT_EQUAL(peer->state, WIRE_OVER);
    end(1);
}

static void test_a_slow_one_that_does_not_read_is_gone_after_it(void)
{
    begin(1);
    overflow();
    pass(29999);
    CU_ASSERT_EQUAL(peer->state, WIRE_ENDING);
    pass(1);
    CU_ASSERT_EQUAL(peer->state, WIRE_OVER);
    end(1);
}

/* ---- More events than may wait ------------------------------------------------------------- */

/* Events of one moment: so many bytes of them wait then. */
static void send_events(size_t bytes)
{
    while (peer->state == WIRE_OPEN && wire_outbox_length(&peer->outbox) < bytes) {
        write_message();
        wire_send_event(peer);
        flush();
    }
}

/* Time passes, and the client reads or not. */
static void go_on(uint64_t ms, bool reads)
{
    server.now_ms += ms;
    for (size_t got = reads ? read_some(REPLY) : 0; got > 0; got = read_some(REPLY)) {
    }
    flush();
}

static void test_who_reads_survives_a_burst(void)
{
    begin(1);
    send_events(BURST - 2 * REPLY);
    CU_ASSERT_EQUAL(peer->state, WIRE_OPEN);
    reply(); /* what it asks for meanwhile is answered */
    CU_ASSERT_EQUAL(peer->state, WIRE_OPEN);
    while (wire_outbox_length(&peer->outbox) > 4 * LIMIT) {
        go_on(WIRE_READS_WITHIN_MS - 1, true);
        wire_peer_second(peer);
        write_message();
        wire_send_event(peer); /* it goes on, however long it takes */
        CU_ASSERT_EQUAL_FATAL(peer->state, WIRE_OPEN);
    }
    go_on(10 * WIRE_READS_WITHIN_MS, false); /* nothing is too much for it any more */
    wire_peer_second(peer);
    CU_ASSERT_EQUAL(peer->state, WIRE_OPEN);
    end(1);
}

static void test_who_does_not_read_is_ended_at_the_limit(void)
{
    begin(1);
    send_events(2 * LIMIT);
    go_on(WIRE_READS_WITHIN_MS, false);
    send_events(5 * LIMIT);
    CU_ASSERT_EQUAL(peer->state, WIRE_ENDING);
    CU_ASSERT_TRUE(wire_outbox_length(&peer->outbox) <= 4 * LIMIT + REPLY);
    end(1);
}

static void test_who_stops_reading_in_a_burst_is_ended(void)
{
    begin(1);
    send_events(5 * LIMIT);
    go_on(WIRE_READS_WITHIN_MS - 1, false);
    wire_peer_second(peer);
    CU_ASSERT_EQUAL(peer->state, WIRE_OPEN);
    go_on(1, false);
    wire_peer_second(peer); /* also when no event comes any more */
    CU_ASSERT_EQUAL(peer->state, WIRE_ENDING);
    end(1);
}

/* The client reads; the door does not learn of it. */
static void read_unseen(void)
{
    unsigned char bytes[REPLY];
    while (recv(clients[0], bytes, sizeof bytes, 0) > 0) {
    }
    CU_ASSERT_TRUE(peer->is_blocked);
}

/* The door stands still for longer than a client may go without reading, in which this one has read
 * all that its socket held. */
static void test_a_pause_of_the_door_is_not_the_clients(void)
{
    begin(1);
    send_events(2 * LIMIT);
    read_unseen();
    server.now_ms += 10 * WIRE_READS_WITHIN_MS;
    send_events(5 * LIMIT); /* the first one more than may wait is what asks */
    CU_ASSERT_EQUAL_FATAL(peer->state, WIRE_OPEN);
    CU_ASSERT_TRUE(peer->is_bursting);
    server.now_ms += 10 * WIRE_READS_WITHIN_MS;
    wire_peer_second(peer);
    CU_ASSERT_EQUAL(peer->state, WIRE_OPEN);
    go_on(0, true); /* the door has come to it, and it takes no more from here on */
    send_events(5 * LIMIT);
    server.now_ms += WIRE_READS_WITHIN_MS;
    wire_peer_second(peer);
    CU_ASSERT_EQUAL(peer->state, WIRE_ENDING);
    end(1);
}

static void test_a_burst_is_bounded(void)
{
    begin(1);
    send_events(2 * BURST);
    CU_ASSERT_EQUAL(peer->state, WIRE_ENDING);
    CU_ASSERT_EQUAL(peer->close_code, 1008);
    CU_ASSERT_TRUE(wire_outbox_length(&peer->outbox) <= BURST + REPLY);
    end(1);
}

/* ---- Work ------------------------------------------------------------------------------------ */

static bool is_reading(unsigned which)
{
    CU_ASSERT_EQUAL(peers[which].is_paused, wire_is_spent(&peers[which]));
    return ev_is_active(&peers[which].reading);
}

/* A share a turn, whether it is taken at once or bit by bit, costs nobody anything. */
static void test_a_share_in_each_turn_is_free(void)
{
    begin(1);
    for (unsigned turns = 0; turns < 10; turns++) {
        for (unsigned i = 0; i < WIRE_WORK_A_SHARE; i++) {
            wire_work(peer, 1);
        }
        CU_ASSERT_TRUE(is_reading(0));
        wire_work_turn(&server);
    }
    CU_ASSERT_EQUAL(server.dirty_count, 0);
    end(1);
}

/* What all of them get in a turn goes to the first in the line until that is paid for; then it goes
 * on, with what it is owed before all. */
static void test_the_spent_are_paid_for_in_their_order(void)
{
    begin(MANY);
    wire_work(&peers[0], 3 * WIRE_WORK_A_TURN); /* one message took as much */
    CU_ASSERT_FALSE(is_reading(0));
    wire_work(&peers[2], WIRE_WORK_A_SHARE + 1);
    wire_work(&peers[1], WIRE_WORK_A_SHARE);
    CU_ASSERT_TRUE(is_reading(1)); /* it has had no more than its share */
    for (unsigned turns = 1; turns < 3; turns++) {
        wire_work_turn(&server);
        CU_ASSERT_FALSE(is_reading(0));
        CU_ASSERT_FALSE(is_reading(2));
    }
    CU_ASSERT_EQUAL(server.dirty_count, 0);
    wire_work_turn(&server);
    CU_ASSERT_TRUE(is_reading(0));
    CU_ASSERT_FALSE(is_reading(2));
    CU_ASSERT_EQUAL(server.dirty_count, 1);
    wire_work_turn(&server);
    CU_ASSERT_TRUE(is_reading(2));
    CU_ASSERT_EQUAL(server.dirty_count, 2);
    wire_work_turn(&server);
    CU_ASSERT_EQUAL(server.dirty_count, 2);
    end(MANY);
}

/* Three that go on asking take turns, and no turn does more for all of them than its part. */
static void test_a_turn_is_bounded_however_many_ask(void)
{
    enum { TURNS = 300 };
    size_t done[MANY] = {0}, sum = 0;
    begin(MANY);
    for (unsigned turns = 0; turns < TURNS; turns++) {
        for (unsigned i = 0; i < MANY; i++) {
            while (!wire_is_spent(&peers[i])) {
                wire_work(&peers[i], 100);
                done[i] += 100;
            }
        }
        wire_work_turn(&server);
    }
    for (unsigned i = 0; i < MANY; i++) {
        sum += done[i];
    }
    for (unsigned i = 0; i < MANY; i++) { /* who is let go on in one turn may go on in any order */
        CU_ASSERT_TRUE(done[i] > sum / MANY / 2);
    }
    CU_ASSERT_TRUE(sum <= TURNS * WIRE_WORK_A_TURN + MANY * (WIRE_WORK_A_SHARE + 100));
    end(MANY);
}

static void test_one_that_ends_leaves_the_line(void)
{
    for (unsigned gone = 0; gone < MANY; gone++) {
        begin(MANY);
        for (unsigned i = 0; i < MANY; i++) {
            wire_work(&peers[i], WIRE_WORK_A_TURN);
        }
        wire_work_forget(&peers[gone]);
        wire_work_forget(&peers[gone]);
        wire_work_turn(&server);
        wire_work_turn(&server);
        for (unsigned i = 0; i < MANY; i++) {
            CU_ASSERT_FALSE(wire_is_spent(&peers[i]));
        }
        CU_ASSERT_PTR_NULL(server.first_spent);
        CU_ASSERT_PTR_NULL(server.last_spent);
        end(MANY);
    }
}

MATCHING_TESTS(MATCHING_TEST(test_reading_goes_on_at_half),
               MATCHING_TEST(test_a_feed_is_no_reason_to_stop_reading),
               MATCHING_TEST(test_a_slow_one_has_half_a_minute_to_read),
               MATCHING_TEST(test_a_slow_one_that_does_not_read_is_gone_after_it),
               MATCHING_TEST(test_who_reads_survives_a_burst),
               MATCHING_TEST(test_who_does_not_read_is_ended_at_the_limit),
               MATCHING_TEST(test_who_stops_reading_in_a_burst_is_ended),
               MATCHING_TEST(test_a_pause_of_the_door_is_not_the_clients),
               MATCHING_TEST(test_a_burst_is_bounded),
               MATCHING_TEST(test_a_share_in_each_turn_is_free),
               MATCHING_TEST(test_the_spent_are_paid_for_in_their_order),
               MATCHING_TEST(test_a_turn_is_bounded_however_many_ask),
               MATCHING_TEST(test_one_that_ends_leaves_the_line))
