/* How much one connection's Subscribes may set off before others are looked at: a door without a
 * thread, whose turns this test makes one by one.
 */
#include "door.h"

#include "../wire/lone_door.h"
#include "support/cunit_main.h"
#include "support/spans.h"

#define INSTRUMENTS 256u
#define ALL (SBE_CHANNEL_TRADES | SBE_CHANNEL_BOOK | SBE_CHANNEL_TRADES_EXACT)
#define MESSAGES 1000u
#define TURNS_MAX 100000u

static lone_door lone;
static sbe_door *door;

typedef struct client {
    sbe_connection connection; /* the server's end */
    int fd;
    unsigned char in[1u << 20]; /* frames that have come */
    size_t length;
    size_t books, heartbeats, reports;
} client;

static client flooder, honest;

static void open_client(client *c, uint32_t slot)
{
    memset(c, 0, sizeof *c);
    c->fd = lone_door_open(&lone, &c->connection.peer, slot);
    c->connection.peer.level = MATCHING_ACCESS_FULL;
    c->connection.told = door->feeds.listed; /* nothing but what it asks for */
}

static void begin(void)
{
    lone_door_prepare(&lone);
    lone_door_begin(&lone, &matching_sbe_transport, INSTRUMENTS);
    door = (sbe_door *)lone.server;
    open_client(&flooder, 0);
    open_client(&honest, 1);
}

static void end(void)
{
    lone_door_close(&lone, &flooder.connection.peer, flooder.fd);
    lone_door_close(&lone, &honest.connection.peer, honest.fd);
    lone_door_end(&lone);
}

static void turn(void)
{
    lone_door_turn(&lone);
}

/* ---- Messages -------------------------------------------------------------------------------- */

static uint8_t out[WIRE_INPUT_MAX];
static size_t out_length;

/* instrument_id 0: all. */
static void add_subscribe(uint32_t instrument_id, unsigned channels, sbe_action action)
{
    const sbe_subscribe message = {
        .instrument_id = instrument_id, .channels = (uint8_t)channels, .action = (uint8_t)action};
    out_length += sbe_subscribe_write(out + out_length, sizeof out - out_length, &message);
}

static void add_order(uint64_t client_order_id)
{
    sbe_new_order order = {.client_order_id = client_order_id,
                           .instrument_id = 1,
                           .side = 0, /* Buy */
                           .price = 100000000,
                           .quantity = 100000000,
                           .display_quantity = SBE_NULL_I64,
                           .stop_price = SBE_NULL_I64};
    memcpy(order.trader_id, "ann", 3);
    out_length += sbe_new_order_write(out + out_length, sizeof out - out_length, &order);
}

/* The frame ends with a Heartbeat, whose answer says that all of it has been carried out. */
static void send_frame(client *c)
{
    const sbe_heartbeat beat = {.timestamp = 1};
    out_length += sbe_heartbeat_write(out + out_length, sizeof out - out_length, &beat);
    door->server.handlers->on_message(&c->connection.peer, (const char *)out, out_length);
    out_length = 0;
}

static void count_messages(client *c, const unsigned char *data, size_t length)
{
    sbe_frame frame;
    sbe_message message;
    sbe_error error;
    sbe_frame_init(&frame, data, length);
    while (sbe_frame_next(&frame, &message, &error)) {
        CU_ASSERT_TRUE_FATAL(message.template_id == SBE_BOOK_UPDATE ||
                             message.template_id == SBE_EXECUTION_REPORT ||
                             message.template_id == SBE_HEARTBEAT);
        c->reports += message.template_id == SBE_EXECUTION_REPORT;
        c->books += message.template_id == SBE_BOOK_UPDATE;
        c->heartbeats += message.template_id == SBE_HEARTBEAT;
    }
    CU_ASSERT_EQUAL(error.fault, SBE_FAULT_NONE);
}

/* Reads all that is there, and counts it. */
static void read_all(client *c)
{
    size_t got, at = 0;
    while ((got = lone_read(&c->connection.peer, c->fd, c->in + c->length,
                            sizeof c->in - c->length)) > 0) {
        c->length += got;
        wire_flush(&c->connection.peer);
    }
    while (at + 4 <= c->length) {
        size_t head = c->in[at + 1] < 126 ? 2 : 4;
        size_t size = head == 2 ? c->in[at + 1] : (size_t)c->in[at + 2] << 8 | c->in[at + 3];
        if (at + head + size > c->length) {
            break;
        }
        count_messages(c, c->in + at + head, size);
        at += head + size;
    }
    c->length -= at;
    memmove(c->in, c->in + at, c->length);
}

/* Turns until the client has heard so many Heartbeats. Returns how many those were. */
static unsigned await(client *c, size_t heartbeats)
{
    unsigned turns = 0;
    for (; c->heartbeats < heartbeats && turns < TURNS_MAX; turns++) {
        turn();
        read_all(c);
    }
    CU_ASSERT_EQUAL(c->heartbeats, heartbeats);
    return turns;
}

/* Somebody follows all books, which are known from then on. */
static void know_all_books(void)
{
    add_subscribe(0, SBE_CHANNEL_BOOK, SBE_ACTION_SUBSCRIBE);
    send_frame(&honest);
    for (unsigned turns = 0; honest.books < INSTRUMENTS && turns < 1000 * TURNS_MAX; turns++) {
        turn();
        read_all(&honest);
    }
    CU_ASSERT_EQUAL_FATAL(honest.books, INSTRUMENTS);
    CU_ASSERT_EQUAL(honest.heartbeats, 1);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

/* What is asked for a thousand times in one frame is told once, though the first telling is over
 * before the second Subscribe is looked at; asked for later, it is told again. */
static void test_what_is_owed_is_not_owed_twice(void)
{
    begin();
    know_all_books();
    for (unsigned i = 0; i < MESSAGES; i++) {
        add_subscribe(0, SBE_CHANNEL_BOOK, SBE_ACTION_SUBSCRIBE);
    }
    send_frame(&flooder);
    unsigned turns = await(&flooder, 1);
    for (unsigned i = 0; i < 10; i++) {
        turn();
        read_all(&flooder);
    }
    CU_ASSERT_EQUAL(flooder.books, INSTRUMENTS);
    CU_ASSERT_TRUE(turns < 10);
    for (unsigned i = 0; i < MESSAGES; i++) {
        add_subscribe(0, SBE_CHANNEL_BOOK, SBE_ACTION_SUBSCRIBE);
    }
    send_frame(&flooder);
    await(&flooder, 2);
    turn();
    read_all(&flooder);
    CU_ASSERT_EQUAL(flooder.books, 2 * INSTRUMENTS);
    /* What is left in the meantime and asked for again is owed again. */
    add_subscribe(0, SBE_CHANNEL_BOOK, SBE_ACTION_SUBSCRIBE);
    add_subscribe(0, SBE_CHANNEL_BOOK, SBE_ACTION_UNSUBSCRIBE);
    add_subscribe(0, SBE_CHANNEL_BOOK, SBE_ACTION_SUBSCRIBE);
    send_frame(&flooder);
    await(&flooder, 3);
    for (unsigned i = 0; i < 10; i++) {
        turn();
        read_all(&flooder);
    }
    CU_ASSERT_TRUE(flooder.books >= 3 * INSTRUMENTS);
    end();
}

/* The dearest that there is: everything is followed and left again. Nothing is forgotten, but in
 * each turn no more is done than a share and the message that goes beyond it. */
static void test_a_flood_waits_for_its_turns(void)
{
    const size_t most_at_once = WIRE_WORK_A_SHARE + SBE_CHANNEL_COUNT * INSTRUMENTS * 2;
    size_t done = 0;
    unsigned turns = 0;
    begin();
    know_all_books();
    for (unsigned i = 0; i < MESSAGES; i++) {
        add_subscribe(0, ALL, i % 2 == 0 ? SBE_ACTION_SUBSCRIBE : SBE_ACTION_UNSUBSCRIBE);
    }
    wire_peer *peer = &flooder.connection.peer;
    send_frame(&flooder);
    while (flooder.heartbeats == 0 && turns < TURNS_MAX) {
        CU_ASSERT_EQUAL(peer->is_paused, wire_is_spent(peer));
        CU_ASSERT_TRUE(peer->share.work <= most_at_once);
        size_t before = wire_is_spent(peer) ? peer->share.work : 0;
        size_t paid = before < WIRE_WORK_A_TURN ? before : WIRE_WORK_A_TURN;
        done += paid;
        if (turns == 10) { /* who asks for little is answered in this very turn */
            add_subscribe(7, SBE_CHANNEL_TRADES, SBE_ACTION_SUBSCRIBE);
            send_frame(&honest);
        }
        turn();
        turns++;
        read_all(&flooder);
        if (turns == 11) {
            read_all(&honest);
            CU_ASSERT_EQUAL(honest.heartbeats, 2);
        }
    }
    CU_ASSERT_EQUAL(flooder.heartbeats, 1);
    CU_ASSERT_EQUAL(flooder.connection.subscription_count, 0);
    /* Each of them does something for each channel of each instrument. */
    CU_ASSERT_TRUE(done >= (MESSAGES - 1) * SBE_CHANNEL_COUNT * INSTRUMENTS);
    CU_ASSERT_TRUE(turns >= done / WIRE_WORK_A_TURN);
    end();
}

/* Instruments are told a share at a time too. */
static void test_instruments_are_told_in_turns(void)
{
    begin();
    flooder.connection.told = 0;
    door->feeds.listed = INSTRUMENTS;
    unsigned char byte;
    wire_peer *peer = &flooder.connection.peer;
    wire_work(peer, WIRE_WORK_A_SHARE - 100); /* something else came before */
    wire_mark_dirty(peer);
    wire_flush(peer);
    CU_ASSERT_EQUAL(flooder.connection.told, 101);
    while (recv(flooder.fd, &byte, 1, 0) > 0) {
    }
    turn();
    turn();
    CU_ASSERT_EQUAL(flooder.connection.told, INSTRUMENTS);
    end();
}

/* More than a share, of which nothing is left to tell. */
static void add_flood(void)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        add_subscribe(0, SBE_CHANNEL_TRADES,
                      i % 2 == 0 ? SBE_ACTION_SUBSCRIBE : SBE_ACTION_UNSUBSCRIBE);
    }
}

/* A stop waits for the rest of a frame as it does for replies: it was read, and nobody would carry
 * it out any more. */
static void test_the_rest_of_a_frame_is_owed(void)
{
    begin();
    bool (*is_owed)(const wire_peer *) = door->server.handlers->is_owed;
    const wire_peer *peer = &flooder.connection.peer;
    CU_ASSERT_FALSE(is_owed(peer));
    add_flood();
    send_frame(&flooder);
    while (flooder.connection.rest != NULL) {
        CU_ASSERT_TRUE_FATAL(is_owed(peer));
        turn();
    }
    CU_ASSERT_FALSE(is_owed(peer));
    await(&flooder, 1);
    end();
}

/* As the server hands over a message that is sampled. */
static void send_sampled_frame(client *c)
{
    matching_span span;
    matching_span_begin(&span, NULL, 0);
    wire_message_sampled(&c->connection.peer, &span, (const char *)out, out_length);
    out_length = 0;
}

static void await_reports(client *c, size_t reports)
{
    for (unsigned turns = 0; c->reports < reports && turns < 1000 * TURNS_MAX; turns++) {
        turn();
        read_all(c);
    }
    CU_ASSERT_EQUAL_FATAL(c->reports, reports);
}

/* The orders before and behind the place where a frame is left for later are both below its span;
 * those of the next frame, which is not sampled and is left as well, are below none. */
static void test_a_frame_that_is_left_half_way_has_one_span(void)
{
    spans_record(&spans_all);
    begin();
    add_order(1);
    add_flood();
    add_order(2);
    send_sampled_frame(&flooder);
    CU_ASSERT_PTR_NOT_NULL(flooder.connection.rest);
    await_reports(&flooder, 2);
    CU_ASSERT_PTR_NULL(matching_trace_current);
    add_flood();
    add_order(3);
    send_frame(&flooder);
    CU_ASSERT_PTR_NOT_NULL(flooder.connection.rest);
    await_reports(&flooder, 3);
    end();
    const span_record *frame = spans_only("sbe.message.handle");
    CU_ASSERT_EQUAL_FATAL(spans_count("order.match"), 2);
    CU_ASSERT_TRUE(span_is_below(spans_nth("order.match", 0), frame));
    CU_ASSERT_TRUE(span_is_below(spans_nth("order.match", 1), frame));
    spans_forget();
}

/* The rest of a frame that was left is dropped with its connection. */
static void test_a_connection_that_ends_half_way(void)
{
    begin();
    add_flood();
    send_frame(&flooder);
    CU_ASSERT_PTR_NOT_NULL(flooder.connection.rest);
    CU_ASSERT_TRUE(wire_is_spent(&flooder.connection.peer));
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_what_is_owed_is_not_owed_twice),
               MATCHING_TEST(test_a_flood_waits_for_its_turns),
               MATCHING_TEST(test_instruments_are_told_in_turns),
               MATCHING_TEST(test_the_rest_of_a_frame_is_owed),
               MATCHING_TEST(test_a_frame_that_is_left_half_way_has_one_span),
               MATCHING_TEST(test_a_connection_that_ends_half_way))
