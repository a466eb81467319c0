/* What is done about a client that does not read is counted: once each time, and as what it is. */
#include "lone_peer.h"
#include "support/cunit_main.h"

#define LIMIT 65536u /* of a backlog */
#define MESSAGE 1000u

static wire_server server;
static wire_settings settings;
static wire_handlers handlers;
static matching_connection_table table;
static matching_connection entry;
static wire_peer *dirty[2];
static wire_peer peer;
static int client;

static void begin(void)
{
    memset(&server, 0, sizeof server);
    memset(&peer, 0, sizeof peer);
    memset(&table, 0, sizeof table);
    settings = (wire_settings){.kind = WIRE_OPCODE_BINARY};
    matching_writer_init(&server.writer);
    server.settings = &settings;
    server.handlers = &handlers;
    server.table = &table;
    server.dirty = dirty;
    server.limits =
        (wire_limits){.queue = 4 * LIMIT, .conflate = LIMIT, .fresh = LIMIT / 4, .replies = LIMIT};
    server.loop = ev_loop_new(0);
    client = lone_open(&server, &peer, &entry);
}

static void end(void)
{
    wire_begin(&server);
    wire_outbox_free(&peer.outbox, &server.queued);
    lone_close(&peer, client);
    CU_ASSERT_EQUAL(server.queued, 0);
    matching_writer_fini(&server.writer);
    ev_loop_destroy(server.loop);
}

/* The end of a turn. */
static void flush(void)
{
    server.dirty_count = 0;
    peer.is_dirty = false;
    wire_flush(&peer);
}

static void write_message(void)
{
    static const char bytes[MESSAGE];
    matching_write(wire_begin(&server), bytes, sizeof bytes);
}

/* Reads until no more than this waits. */
static void read_down_to(size_t length)
{
    unsigned char bytes[MESSAGE];
    while (wire_outbox_length(&peer.outbox) > length) {
        CU_ASSERT_TRUE_FATAL(lone_read(&peer, client, bytes, sizeof bytes) > 0);
        flush();
    }
}

static void expect(uint64_t closed, uint64_t conflated, uint64_t paused)
{
    CU_ASSERT_EQUAL(atomic_load(&table.totals[MATCHING_CONNECTIONS_SLOW_CLOSED]), closed);
    CU_ASSERT_EQUAL(atomic_load(&table.totals[MATCHING_CONNECTIONS_SLOW_CONFLATED]), conflated);
    CU_ASSERT_EQUAL(atomic_load(&table.totals[MATCHING_CONNECTIONS_SLOW_PAUSED]), paused);
}

static void test_each_time_that_reading_stops(void)
{
    begin();
    for (unsigned times = 1; times <= 3; times++) {
        while (!peer.is_paused) {
            expect(0, 0, times - 1);
            write_message();
            wire_send_reply(&peer);
            flush();
        }
        expect(0, 0, times);
        write_message();
        wire_send_reply(&peer); /* it has stopped already */
        expect(0, 0, times);
        read_down_to(0);
        CU_ASSERT_FALSE(peer.is_paused);
    }
    end();
}

static void test_each_state_that_is_left_out(void)
{
    begin();
    wire_pass_over(&peer); /* owed something fresh, and not for being slow */
    while (!wire_is_behind(&peer)) {
        write_message();
        CU_ASSERT_TRUE(wire_send_state(&peer));
        flush();
    }
    expect(0, 0, 0);
    for (unsigned i = 1; i <= 3; i++) {
        write_message();
        CU_ASSERT_FALSE(wire_send_state(&peer));
        expect(0, i, 0);
    }
    wire_pass_over(&peer); /* it is known to be owed something fresh now */
    expect(0, 4, 0);
    read_down_to(LIMIT / 4);
    wire_pass_over(&peer);
    write_message();
    CU_ASSERT_TRUE(wire_send_state(&peer));
    expect(0, 4, 0);
    end();
}

/* Once, however many events there are still for it. */
static void test_who_is_ended(void)
{
    begin();
    for (unsigned i = 0; i < 1000 && peer.state == WIRE_OPEN; i++) {
        expect(0, 0, 0);
        write_message();
        wire_send_event(&peer);
        flush();
    }
    CU_ASSERT_NOT_EQUAL(peer.state, WIRE_OPEN);
    expect(1, 0, 0);
    write_message();
    wire_send_event(&peer);
    expect(1, 0, 0);
    end();
}

/* Who asks for much work is made to wait, too, but reads all that it is sent. */
static void test_who_only_asks_for_much_is_not_slow(void)
{
    begin();
    wire_work(&peer, 2 * WIRE_WORK_A_TURN);
    CU_ASSERT_TRUE(peer.is_paused);
    expect(0, 0, 0);
    wire_work_forget(&peer);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_each_time_that_reading_stops),
               MATCHING_TEST(test_each_state_that_is_left_out), MATCHING_TEST(test_who_is_ended),
               MATCHING_TEST(test_who_only_asks_for_much_is_not_slow))
