/* What the measures of sbe_load share: settings, the messages that they send, what comes back.
 *
 * Messages are patched into fixed bytes, since putting one together must cost the load far less
 * than the server.
 */
#ifndef MATCHING_BENCH_SBE_LOAD_H
#define MATCHING_BENCH_SBE_LOAD_H

#include "load/target.h"
#include "sbe_frame.h"

#define FRAME_BYTES_MAX 65535u
#define SILENCE_NS UINT64_C(10000000000)

enum { MIX_CANCEL, MIX_CROSS };

/* Every setting has a default (sbe_load.c). */
typedef struct sbe_settings {
    unsigned connections, in_flight; /* in_flight: frames of each connection */
    unsigned frame;                  /* messages in a frame */
    unsigned rounds, seconds, samples;
    unsigned resting; /* orders that a connection leaves in the book before it cancels one */
    unsigned mix;     /* MIX_* */
} sbe_settings;

/* A bid that rests; n varies price and quantity. One of an even and an odd n, which trade with each
 * other. The cancel of an order. Returns the bytes written; there must be room. */
size_t write_resting(uint8_t *out, unsigned trader, uint64_t n);
size_t write_crossing(uint8_t *out, unsigned trader, uint64_t n);
size_t write_cancel(uint8_t *out, uint64_t order_id);
size_t write_trade(uint8_t *out, uint64_t trade_id);
size_t write_heartbeat(uint8_t *out, uint64_t number);

/* The next answer of a frame. False: there is none. What comes unasked, instruments and later
 * fills, is passed over; a Reject or anything else that is wrong ends the program. */
bool next_answer(sbe_frame *frame, sbe_message *message);

void measure_orders(const sbe_settings *s, target *targets, unsigned count);
void measure_trades(const sbe_settings *s, target *targets, unsigned count);
void measure_order_latency(const sbe_settings *s, target *targets, unsigned count);

#endif
