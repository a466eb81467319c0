/* The C interface of the public matching-engine benchmark
 * (flash1-dev/matching-engine-benchmark), told in our own words: what libmatching_yardstick.so
 * offers and what any engine's library has to offer that yardstick_bench can load.
 *
 * One instrument, one caller. Every message is answered by reports, in the order of the
 * messages; a transport carries them to a second thread. Prices are ticks, quantities lots.
 * Little endian, natural alignment.
 *
 * Reports of a message: a new order gets ORDER_ACK (its original quantity) and a TRADE for each
 * fill, and CANCEL_ACK for what an immediate-or-cancel order leaves over. A cancel gets
 * CANCEL_ACK with the order's side, price and open quantity, or CANCEL_REJECT. A modify takes
 * the order out, enters it at the new price with the new open quantity behind all others, and
 * gets its TRADEs and one MODIFY_ACK, or MODIFY_REJECT and nothing has changed. A TRADE has the
 * taker's sequence number and the maker's price.
 */
#ifndef MATCHING_BENCH_YARDSTICK_H
#define MATCHING_BENCH_YARDSTICK_H

#include <stddef.h>
#include <stdint.h>

typedef struct yardstick_new {
    uint64_t order_id; /* any that no resting order has */
    uint64_t sequence;
    int64_t price_ticks;
    uint32_t quantity_lots;
    uint8_t side; /* 0 buy, 1 sell */
    uint8_t immediate;
    uint8_t reserved[2];
} yardstick_new;

typedef struct yardstick_cancel {
    uint64_t order_id;
    uint64_t sequence;
} yardstick_cancel;

typedef struct yardstick_modify {
    uint64_t order_id;
    uint64_t sequence;
    int64_t price_ticks;
    uint32_t quantity_lots; /* shall be open */
    uint8_t side;           /* the order's own */
    uint8_t reserved[3];
} yardstick_modify;

enum { YARDSTICK_NEW = 0, YARDSTICK_CANCEL = 1, YARDSTICK_MODIFY = 2 };

typedef struct yardstick_message {
    uint8_t type;
    uint8_t reserved[7];
    union {
        yardstick_new enter;
        yardstick_cancel cancel;
        yardstick_modify modify;
    };
} yardstick_message;

enum {
    YARDSTICK_ORDER_ACK = 0,
    YARDSTICK_TRADE = 1,
    YARDSTICK_CANCEL_ACK = 2,
    YARDSTICK_MODIFY_ACK = 3,
    YARDSTICK_CANCEL_REJECT = 4,
    YARDSTICK_MODIFY_REJECT = 5
};

typedef struct yardstick_report {
    uint8_t type;
    uint8_t side;
    uint8_t reserved[6];
    uint64_t sequence; /* the message's */
    uint64_t order_id;
    int64_t price_ticks;
    uint32_t quantity_lots;
    uint32_t reserved2;
    uint64_t maker_id; /* TRADE */
    uint64_t taker_id; /* TRADE */
    uint64_t reserved3;
} yardstick_report;

_Static_assert(sizeof(yardstick_new) == 32, "as the interface has it");
_Static_assert(sizeof(yardstick_cancel) == 16, "as the interface has it");
_Static_assert(sizeof(yardstick_modify) == 32, "as the interface has it");
_Static_assert(sizeof(yardstick_message) == 40, "as the interface has it");
_Static_assert(offsetof(yardstick_message, enter) == 8, "as the interface has it");
_Static_assert(sizeof(yardstick_report) == 64, "as the interface has it");
_Static_assert(offsetof(yardstick_report, maker_id) == 40, "as the interface has it");

/* How reports travel: one thread pushes and flushes, one drains. */
typedef struct yardstick_transport {
    void *(*create)(uint32_t capacity); /* room for at least so many reports; NULL: no memory */
    int (*push)(void *handle, const yardstick_report *report);            /* 1, or 0: it is full */
    uint32_t (*drain)(void *handle, yardstick_report *out, uint32_t max); /* how many */
    void (*flush)(void *handle); /* what was pushed can be drained now */
    void (*destroy)(void *handle);
} yardstick_transport;

/* What a library exports, by these names. The last two are optional. */
void engine_init(uint64_t nonce, const yardstick_transport *transport, void *sink);
void engine_shutdown(void);
void engine_on_new_order(const yardstick_new *message);
void engine_on_cancel(const yardstick_cancel *message);
void engine_on_modify(const yardstick_modify *message);
void engine_flush(void);
int64_t engine_query_best_bid(void); /* INT64_MIN: none */
int64_t engine_query_best_ask(void); /* INT64_MAX: none */
uint64_t engine_query_depth_at(int64_t price_ticks, uint8_t side);
const yardstick_transport *engine_get_transport(void);
void engine_on_batch(const yardstick_message *messages, uint32_t count);

#endif
