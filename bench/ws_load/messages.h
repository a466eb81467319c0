/* The messages that the load consists of, and what comes back.
 *
 * Prices and quantities are patched into fixed texts: putting a message together must cost the load
 * far less than the server. Three price ranges keep the kinds of load apart on one book: bids that
 * rest and are cancelled around 40,000, orders that trade with each other at 50,000, single trades
 * at 60,000. A bid and an ask of one number are of different traders.
 */
#ifndef MATCHING_BENCH_WS_LOAD_MESSAGES_H
#define MATCHING_BENCH_WS_LOAD_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAX 256

typedef enum message_kind {
    MESSAGE_PING,
    MESSAGE_REST,   /* a bid that rests; n varies price and quantity */
    MESSAGE_CANCEL, /* n: the order */
    MESSAGE_CROSS_BID,
    MESSAGE_CROSS_ASK, /* fills what a cross bid left */
    MESSAGE_TRADE_ASK,
    MESSAGE_TRADE_BID /* fills a trade ask */
} message_kind;

/* Writes the message; its length. */
size_t message_write(char room[MESSAGE_MAX], message_kind kind, unsigned trader, uint64_t n);

/* False: it is no order_ack of an order that was accepted. order_id may be NULL. */
bool message_is_ack(const char *text, size_t length, uint64_t *order_id);

bool message_is_pong(const char *text, size_t length);
bool message_is_trade(const char *text, size_t length);

#endif
