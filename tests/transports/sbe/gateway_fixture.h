/* The library for trades with a handler that notes what it is told, and clients of it. */
#ifndef MATCHING_TESTS_SBE_GATEWAY_FIXTURE_H
#define MATCHING_TESTS_SBE_GATEWAY_FIXTURE_H

#include <pthread.h>

#include "matching/sbe_gateway.h"
#include "sbe_frame.h"
#include "sbe_messages.h"
#include "support/ws_client.h"

#define DEADLINE_MS 20000
#define MANY 100u

/* Written by the gateway's thread: a line for each call, with connections by the order in which
 * they came. */
typedef struct told_calls {
    pthread_mutex_t lock;
    char lines[4096];
    size_t length;
    uint64_t numbers[2 * MANY];
    unsigned connects, disconnects, errors;
    uint64_t trades, volume, last_id;
    int answer; /* of on_trades */
} told_calls;

typedef struct client {
    ws_client ws;
    uint8_t out[65536]; /* a frame that is being made */
    size_t length;
} client;

extern matching_sbe_gateway *gateway;
extern told_calls told;
extern const matching_sbe_handler ALL; /* on_trade: trades 13 and 14 are errors */
extern client one, two;

void open_with(const matching_sbe_gateway_options *options, const matching_sbe_handler *handler);
void open_gateway(const matching_sbe_handler *handler);
void close_gateway(void);

/* What on_trades answers from now on. */
void set_answer(int answer);

/* What was told since the last look. */
void expect_told(const char *wanted);

/* Connects; adds a trade to the frame; sends the frame. */
void join(client *c);
void add_trade(client *c, uint64_t trade_id);
void go(client *c);

/* Until all that was sent has been handled: from then on `told` may be read. */
void settle(client *c);
void hear_reject(client *c, uint64_t client_order_id, unsigned template_id, unsigned code);

#endif
