/* What the oracle's files share: oracle.c (commands), oracle_match.c (matching and stops),
 * oracle_auction.c (the uncross), oracle_read.c (questions). */
#ifndef MATCHING_TESTS_ORACLE_INTERNAL_H
#define MATCHING_TESTS_ORACLE_INTERNAL_H

#include "oracle.h"

/* Ended orders remembered; more than any engine under test has slots for. */
#define ENDED_MAX 8192

typedef struct record {
    matching_order order;
    int64_t shown; /* of a resting order: what the market may see of it */
    uint64_t arrival;
    bool guarded;
} record;

typedef struct market {
    uint8_t state;
    uint64_t last_trade_id;
    int64_t last_price; /* 0: no trade yet */
    int64_t tick_size, lot_size;
} market;

struct oracle {
    oracle_limits limits;
    market *markets;
    record *working;
    size_t working_count, working_room;
    record *ended; /* oldest first */
    size_t ended_count;
    char (*traders)[MATCHING_TRADER_MAX + 1];
    size_t trader_count;
    uint64_t arrivals;
    bool silent; /* a trial on a copy: no events, no memory of ended orders */
    oracle_event *events;
    size_t event_count, event_room;
    oracle_reply reply;
    const matching_command *command; /* the one being applied */
    char trader_id[MATCHING_TRADER_MAX + 1], client_order_id[MATCHING_CLIENT_ID_MAX + 1];
};

static inline int64_t oracle_remaining(const matching_order *order)
{
    return order->quantity_lots - order->filled_lots;
}

/* In the book, as opposed to waiting for something or ended. */
static inline bool oracle_is_resting(const record *r)
{
    return r->order.status == MATCHING_OPEN || r->order.status == MATCHING_PARTIAL;
}

/* Is price `a` better than `b` for an order of this side? */
static inline bool oracle_better(unsigned side, int64_t a, int64_t b)
{
    return side == MATCHING_BUY ? a > b : a < b;
}

static inline bool oracle_is_stop(const matching_order *order)
{
    return order->type == MATCHING_STOP || order->type == MATCHING_STOP_LIMIT;
}

static inline bool oracle_may_rest(const matching_order *order)
{
    return (order->type == MATCHING_LIMIT || order->type == MATCHING_STOP_LIMIT) &&
           (order->time_in_force == MATCHING_GTC || order->time_in_force == MATCHING_GTD);
}

/* oracle_match.c. A record that is taken out of the array is the caller's until it is added again
 * or ended. */
void *oracle_need(void *memory);
oracle_event *oracle_add_event(oracle *o, matching_event_kind kind, uint16_t instrument);
void oracle_tell_order(oracle *o, const record *r, uint64_t trade_id, int64_t price, int64_t lots);
void oracle_tell_trade(oracle *o, const record *maker, const record *taker, uint64_t trade_id,
                       int64_t price, int64_t lots);
void oracle_add_working(oracle *o, const record *r);
record oracle_take_working(oracle *o, record *r);
void oracle_remember_ended(oracle *o, const record *r);
void oracle_touch(oracle *o, record *r);
void oracle_end(oracle *o, record *r, matching_status status, matching_reason reason);
void oracle_show_slice(record *r);
void oracle_fill(oracle *o, record *r, int64_t price, int64_t lots);
bool oracle_would_cross(oracle *o, const matching_order *order);
void oracle_match(oracle *o, record *taker);
void oracle_enter(oracle *o, record *r, bool told);
void oracle_run_stops(oracle *o, uint16_t instrument);

/* oracle_auction.c */
bool oracle_is_crossed(const oracle *o, uint16_t instrument);
void oracle_uncross(oracle *o, uint16_t instrument);

/* Starts a reply to a command or a read. */
void oracle_begin(oracle *o, const matching_command *command);

/* Does the command of oracle_begin name this order, by id or by client id? */
bool oracle_is_named(const oracle *o, const matching_order *order);

void oracle_refuse(oracle *o, matching_code code, matching_field field);
void oracle_refuse_not_found(oracle *o);
void oracle_show(oracle *o, const record *r);

/* Shows the order as it is now, wherever it is. */
void oracle_show_by_id(oracle *o, uint64_t order_id);

#endif
