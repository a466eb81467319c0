/* What oracle.c (the rules) and oracle_read.c (the questions) share. */
#ifndef MATCHING_TESTS_ORACLE_INTERNAL_H
#define MATCHING_TESTS_ORACLE_INTERNAL_H

#include "oracle.h"

/* Ended orders remembered; more than any engine under test has slots for. */
#define ENDED_MAX 8192

typedef struct record {
    matching_order order;
    uint64_t arrival;
} record;

typedef struct market {
    uint8_t state;
    uint64_t last_trade_id;
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

/* What the market may see of an order. */
static inline int64_t oracle_lots_shown(const record *r)
{
    return oracle_remaining(&r->order);
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

/* Starts a reply to a command or a read. */
void oracle_begin(oracle *o, const matching_command *command);

/* Does the command of oracle_begin name this order, by id or by client id? */
bool oracle_is_named(const oracle *o, const matching_order *order);

void oracle_refuse(oracle *o, matching_code code, matching_field field);
void oracle_refuse_not_found(oracle *o);
void oracle_show(oracle *o, const record *r);

#endif
