/* A gateway for trades: a program that links the library `matching_sbe_gateway` is handed the
 * trades that clients send over WebSocket as SBE messages (docs/sbe.md), decoded in place.
 *
 * A gateway stands by itself, on a thread of its own, and matches nothing: it takes Trade and
 * answers Heartbeat; anything else, orders too, is refused with a Reject. A program that has a core
 * gives its SBE door a handler instead: matching_sbe_set_handler.
 *
 * What a client sends wrongly ends its frame, is refused with a Reject, and reaches on_error; the
 * connection and all others go on. So does what a handler answers with an error. A Trade whose
 * quantity is null (4294967295) is refused and told too, but its frame goes on.
 *
 * Signals: none is delivered on the gateway's thread, so a client that is gone does not end the
 * program by SIGPIPE, whatever that program does with it; how it is handled stays as it was.
 * libwebsockets, which changes that when it starts, is put right: a program that changes its
 * handling of SIGPIPE on another thread while matching_sbe_gateway_start runs may lose the change.
 */
#ifndef MATCHING_SBE_GATEWAY_H
#define MATCHING_SBE_GATEWAY_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct matching_transport;

/* A Trade, template 1. */
typedef struct matching_sbe_trade {
    uint64_t trade_id;
    double price;
    uint32_t quantity; /* whole units */
    char symbol;       /* the instrument's letter */
} matching_sbe_trade;

#define MATCHING_SBE_HEADER_SIZE 8 /* of each message, before its fields */
#define MATCHING_SBE_TRADE_SIZE 29 /* of a Trade with its header, as far as it is known here */

/* The fields of a Trade where they lie. message: its header's first byte, at any address. */
static inline uint64_t matching_sbe_trade_id(const void *message)
{
    uint64_t bits;
    memcpy(&bits, (const char *)message + MATCHING_SBE_HEADER_SIZE, sizeof bits);
    return le64toh(bits);
}
static inline char matching_sbe_trade_symbol(const void *message)
{
    return ((const char *)message)[MATCHING_SBE_HEADER_SIZE + 8];
}
static inline double matching_sbe_trade_price(const void *message)
{
    uint64_t bits;
    double price;
    memcpy(&bits, (const char *)message + MATCHING_SBE_HEADER_SIZE + 9, sizeof bits);
    bits = le64toh(bits);
    memcpy(&price, &bits, sizeof price);
    return price;
}
static inline uint32_t matching_sbe_trade_quantity(const void *message)
{
    uint32_t quantity;
    memcpy(&quantity, (const char *)message + MATCHING_SBE_HEADER_SIZE + 17, sizeof quantity);
    return le32toh(quantity);
}

#define MATCHING_SBE_ONE_BY_ONE 1 /* what on_trades answers to have on_trade called instead */

/* What is done with the trades. Any of these may be NULL. All calls: the gateway's thread, which
 * they keep waiting (on_disconnect: also the thread in stop, once that one has ended); what
 * pointers lead to is valid during the call. `connection` is the same in all calls about one
 * connection, and no other ever has it. The calls about it: on_connect, then any of the others,
 * then on_disconnect. */
typedef struct matching_sbe_handler {
    void *context; /* the first argument of every call */

    /* A run of Trades of one frame that stand back to back. data: the header of the first one, in
     * the frame as it was received; each of the others begins message_size bytes behind the one
     * before (29, or more where clients know a later schema), so all of it is count * message_size
     * bytes, which could be sent on as a frame. 0: they are taken. MATCHING_SBE_ONE_BY_ONE: hand
     * them to on_trade. Anything else is an error, for on_error. */
    int (*on_trades)(void *context, uint64_t connection, const void *data, size_t message_size,
                     size_t count);

    /* One Trade: where on_trades is NULL, or did not want the run. 0: it is taken. Anything else is
     * an error, for on_error; the trades behind it still come. */
    int (*on_trade)(void *context, uint64_t connection, const matching_sbe_trade *trade);

    void (*on_connect)(void *context, uint64_t connection);
    void (*on_disconnect)(void *context, uint64_t connection);

    /* error: what a handler returned; 0: the client sent what is no message that is taken here, or
     * what ends its connection: a text frame, one that is too large or breaks the protocol; or a
     * Trade without a quantity. text: one line, for instance "insufficient data: expected 29 bytes,
     * got 20". */
    void (*on_error)(void *context, uint64_t connection, int error, const char *text);
} matching_sbe_handler;

/* All zeros: the defaults. */
typedef struct matching_sbe_gateway_options {
    const char *bind;         /* a numeric address; NULL: 127.0.0.1 */
    uint16_t port;            /* 0: any free one */
    uint32_t max_connections; /* at most 1,000,000; 0: 1024 */

    /* Memory for the buffers of one connection, at most: 8192 ... 65536; 0: 65536. Half of it is
     * taken when it connects and is what a frame may have; the rest is for answers that wait and
     * for what was read meanwhile. */
    uint32_t connection_bytes;

    uint32_t max_errors_in_a_row;  /* of a client; then it is disconnected. 0: never */
    uint32_t heartbeat_interval_s; /* between pings, at most 3600; 0: 30 */
    uint32_t client_timeout_s;     /* of silence, more than that, at most 86400; 0: 60 */

    /* Host names that clients may ask for, beside loopback and `bind`; origins of web pages that
     * may connect ("https://example.com"). Each list ends with NULL; NULL: none. */
    const char *const *allow_hosts, *const *allow_origins;
} matching_sbe_gateway_options;

typedef struct matching_sbe_gateway matching_sbe_gateway;

/* Opens nothing yet. The handler is copied, its context must live until stop has returned; options
 * (NULL: the defaults) are not kept. NULL: out of memory, or an option is wrong; error
 * (NUL-terminated) says what. */
matching_sbe_gateway *matching_sbe_gateway_create(const matching_sbe_gateway_options *options,
                                                  const matching_sbe_handler *handler, char *error,
                                                  size_t error_size);

/* Listens, and starts the thread. Once, from any thread. 0, or a negative errno with the reason in
 * error. */
int matching_sbe_gateway_start(matching_sbe_gateway *gateway, char *error, size_t error_size);

/* After start: "127.0.0.1:9001", as long as the gateway lives. */
const char *matching_sbe_gateway_address(const matching_sbe_gateway *gateway);

/* Says goodbye to all clients and ends the thread, with on_disconnect for each: no handler is
 * called once it has returned. May take seconds where clients do not answer. Not from a handler. */
void matching_sbe_gateway_stop(matching_sbe_gateway *gateway);

/* Stops it first if it runs. NULL is allowed. */
void matching_sbe_gateway_destroy(matching_sbe_gateway *gateway);

/* For a program that runs the SBE door on a core of its own (matching/transport.h): who is handed
 * the trades that come in there. Between the door's init and start, on the main thread; the handler
 * must live until the door's fini has returned, which tells of the clients that did not answer. */
void matching_sbe_set_handler(struct matching_transport *door, const matching_sbe_handler *handler);

#endif
