/* An SBE door with a core of its own in this process, on a free port of 127.0.0.1, and clients that
 * speak to it in messages. */
#ifndef MATCHING_TESTS_SBE_FIXTURE_H
#define MATCHING_TESTS_SBE_FIXTURE_H

#include "sbe.h"
#include "sbe_frame.h"
#include "support/cunit_main.h"
#include "support/ws_client.h"

#define DEADLINE_MS 20000
#define ONE INT64_C(100000000) /* 1 as a decimal of the wire */
#define BTC 1u
#define ETH 2u
#define SOL 3u

extern matching_config config;
extern matching_access access_rules;
extern matching_transport door;
extern matching_counters counters;
extern const matching_sbe_handler *trade_handler; /* NULL after prepare */
extern bool others_watch; /* somebody else asks for everybody's orders; false after prepare */
extern unsigned event_ring_size; /* 0 after prepare: the core's default */

/* Defaults; what a test wants otherwise it sets between prepare and open_door. */
void prepare(void);
void open_door(void);
void close_door(void);

/* What this door does not take: sets an instrument's state, adds one. */
void set_state(const char *symbol, const char *state);
void add_instrument(const char *symbol, uint32_t id);

/* As another door's client would: ann bids for one unit at so many prices, this one the highest;
 * cancels all of a trader's orders. */
void bid_elsewhere(const char *symbol, int64_t price, unsigned count);
void cancel_all_elsewhere(const char *trader_id);

typedef struct client {
    ws_client ws;
    sbe_frame frame;    /* messages of the last frame that have not been looked at */
    size_t frames;      /* that have come */
    uint8_t out[70000]; /* a frame that is being made */
    size_t length;
} client;

/* Connected, with the three instruments passed over. `connect_raw`: with them still to come. */
void connect_client(client *c);
void connect_raw(client *c);
void disconnect(client *c);

/* Adds a message to the frame; the values are an initialiser of the structure. */
#define ADD(c, name, ...)                                                                          \
    ((c)->length += sbe_##name##_write((c)->out + (c)->length, sizeof(c)->out - (c)->length,       \
                                       &(sbe_##name){__VA_ARGS__}))

/* Sends the frame. */
void go(client *c);

#define TELL(c, name, ...) (ADD(c, name, __VA_ARGS__), go(c))

/* A NewOrder of a limit order in BTCUSDT, in whole units; the same in another instrument. */
sbe_new_order limit(uint64_t client_order_id, const char *trader, unsigned side, int64_t price,
                    int64_t quantity);
sbe_new_order in(sbe_new_order order, uint32_t instrument_id);

/* Adds it to the frame; and sends that. */
void add_order(client *c, sbe_new_order order);
void tell_order(client *c, sbe_new_order order);

/* The next message, valid until the next call. The test ends if there is none. */
sbe_message hear(client *c);

/* The next message is of this template. */
const uint8_t *hear_block(client *c, uint16_t template_id);

/* The next message is an ExecutionReport or a Reject with this clientOrderId. */
sbe_execution_report hear_report(client *c, uint64_t client_order_id, unsigned exec_type,
                                 unsigned status);
void hear_reject(client *c, uint64_t client_order_id, uint16_t template_id, unsigned code,
                 const char *text);
void hear_heartbeat(client *c, uint64_t timestamp); /* 0: any */

/* Nothing has come before the answer to a Heartbeat of now. */
void hear_nothing(client *c);

/* Waits for the server's close frame and compares its code and reason. */
void expect_close(client *c, unsigned code, const char *reason);

/* A limit order that rests; its order id. */
uint64_t rest(client *c, const char *trader, unsigned side, int64_t price, int64_t quantity);

#endif
