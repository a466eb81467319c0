/* The door itself falls so far behind that its shard overwrites events: a door without a thread,
 * which takes none while another port trades.
 */
#include "door.h"

#include "../wire/lone_door.h"
#include "inprocess.h"
#include "support/cunit_main.h"
#include "websocket.h"

#define EVENTS 1024u /* of the shard's ring */
#define TURNS 20u    /* more than any of this takes */

enum { TRADES, ORDERS, STATES, COUNT };

static lone_door lone;
static ws_connection connections[COUNT];
static int clients[COUNT];
static matching_inprocess *trader;

/* The door's own init; and a port beside the door's, which has to be there before the core
 * starts. */
static int init(matching_transport *transport)
{
    trader = matching_inprocess_create(transport->core, NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(trader);
    return matching_websocket_transport.init(transport);
}

static void tell(unsigned which, const char *text)
{
    lone.server->handlers->on_message(&connections[which].peer, text, strlen(text));
}

static void turns(void)
{
    for (unsigned i = 0; i < TURNS; i++) {
        lone_door_turn(&lone);
    }
}

static void begin(void)
{
    static matching_transport_ops ops;
    ops = matching_websocket_transport;
    ops.init = init;
    lone_door_prepare(&lone);
    lone.event_ring_size = EVENTS;
    lone_door_begin(&lone, &ops, 1);
    memset(connections, 0, sizeof connections);
    for (unsigned i = 0; i < COUNT; i++) {
        clients[i] = lone_door_open(&lone, &connections[i].peer, i);
        connections[i].peer.level = MATCHING_ACCESS_FULL;
    }
    tell(TRADES, "{\"type\":\"subscribe\",\"channels\":[\"trades\",\"book\"]}");
    tell(ORDERS, "{\"type\":\"subscribe\",\"channels\":[\"orders\"],\"trader_id\":\"ann\"}");
    tell(STATES, "{\"type\":\"subscribe\",\"channels\":[\"book\",\"depth\",\"ticker\"]}");
    turns();
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
    matching_inprocess_destroy(trader);
}

static void place(const char *side, int64_t price)
{
    const matching_reply *reply;
    matching_error error;
    matching_request request = {
        .action = MATCHING_ACTION_PLACE,
        .present =
            MATCHING_FIELD_BIT(MATCHING_FIELD_TYPE) | MATCHING_FIELD_BIT(MATCHING_FIELD_TRADER_ID) |
            MATCHING_FIELD_BIT(MATCHING_FIELD_SIDE) | MATCHING_FIELD_BIT(MATCHING_FIELD_PRICE) |
            MATCHING_FIELD_BIT(MATCHING_FIELD_QUANTITY),
        .type = {"limit", 5},
        .trader_id = {"ann", 3},
        .side = {side, strlen(side)},
        .price = price * MATCHING_DECIMAL_ONE,
        .quantity = MATCHING_DECIMAL_ONE,
    };
    CU_ASSERT_EQUAL(matching_inprocess_call(trader, &request, &reply, &error), MATCHING_OK);
}

/* All that has come, with spaces for zero bytes. */
static const char *read_all(unsigned which, size_t *length)
{
    static char bytes[1u << 20];
    size_t got;
    *length = 0;
    while ((got = lone_read(&connections[which].peer, clients[which], bytes + *length,
                            sizeof bytes - 1 - *length)) > 0) {
        *length += got;
        wire_flush(&connections[which].peer);
    }
    for (size_t i = 0; i < *length; i++) {
        bytes[i] = bytes[i] == '\0' ? ' ' : bytes[i];
    }
    bytes[*length] = '\0';
    return bytes;
}

/* The last that has come is the close frame. */
static void expect_slow(unsigned which)
{
    static const char frame[] = "\x88\x0f\x03\xf0slow consumer";
    size_t length, wanted = sizeof frame - 1;
    const char *bytes = read_all(which, &length);
    CU_ASSERT_TRUE_FATAL(length >= wanted);
    CU_ASSERT_EQUAL(memcmp(bytes + length - wanted, frame, wanted), 0);
}

static void test_who_lost_events_is_told_to_be_slow_and_who_follows_states_goes_on(void)
{
    size_t length;
    begin();
    for (unsigned i = 0; i < EVENTS / 2;
         i++) { /* three events a pair at least, and nobody takes them */
        place("sell", 100);
        place("buy", 100);
    }
    turns();
    expect_slow(TRADES);
    expect_slow(ORDERS);
    CU_ASSERT_EQUAL_FATAL(connections[STATES].peer.state, WIRE_OPEN);
    (void)read_all(STATES, &length);
    place("sell", 101);
    turns();
    const char *told = read_all(STATES, &length);
    CU_ASSERT_PTR_NOT_NULL(strstr(told, "\"best_ask\":101,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(told, "\"asks\":[[101,1]]"));
    end();
}

MATCHING_TESTS(
    MATCHING_TEST(test_who_lost_events_is_told_to_be_slow_and_who_follows_states_goes_on))
