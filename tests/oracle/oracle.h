/* The oracle: a naive book that says what the engine must answer.
 *
 * Plain arrays and linear searches, written from the contract alone; it shares nothing with core/
 * but the public headers. Slow on purpose: every rule is done in the most obvious way, an order
 * that must be filled at once is tried out on a copy of the whole market.
 *
 * It does not invent order ids: which id a new order gets is the engine's choice (increasing, never
 * reused), so the caller passes the one that the engine gave. Level events are not predicted one by
 * one; oracle_depth tells what a client that replayed them must see.
 */
#ifndef MATCHING_TESTS_ORACLE_H
#define MATCHING_TESTS_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/codes.h"
#include "matching/command.h"
#include "matching/event.h"
#include "matching/gateway.h"
#include "matching/order.h"
#include "matching/port.h"

typedef struct oracle oracle;

typedef struct oracle_limits {
    uint32_t instruments;
    uint64_t max_orders;      /* working orders */
    uint64_t max_levels;      /* price levels of all books together */
    uint64_t max_traders;     /* trader ids ever seen */
    uint64_t retained_orders; /* ended orders that can still be read */
} oracle_limits;

/* A trade, an order update or a change of state, in the order in which they must be told. */
typedef struct oracle_event {
    uint8_t kind; /* MATCHING_EVENT_TRADE, _ORDER or _STATE */
    uint8_t side; /* TRADE: the taker's; ORDER: the order's */
    uint8_t state;
    uint16_t instrument;
    uint64_t trade_id; /* ORDER: the fill that changed it, 0: something else did */
    int64_t price_ticks;
    int64_t quantity_lots;
    uint64_t maker_order_id, taker_order_id;
    char maker_trader[MATCHING_TRADER_MAX + 1];
    char taker_trader[MATCHING_TRADER_MAX + 1];
    matching_order order; /* ORDER: as it is right after the change */
} oracle_event;

/* Belongs to the oracle, valid until its next call. */
typedef struct oracle_reply {
    matching_code code;
    matching_field field;
    bool has_order;
    matching_order order;
    uint64_t related_order_id;
    bool may_be_forgotten; /* reads: retained_orders others ended later, "not found" is fine too */
    const oracle_event *events;
    size_t event_count;
} oracle_reply;

/* All instruments trade, with tick and lot sizes of 1. */
oracle *oracle_create(const oracle_limits *limits);
void oracle_destroy(oracle *oracle);

/* As it was when it was created. */
void oracle_reset(oracle *oracle);

/* Mantissas of 10^-8; before the first command. */
void oracle_set_instrument(oracle *oracle, uint16_t instrument, int64_t tick_size,
                           int64_t lot_size);

/* What the command must do. new_order_id: the id that the engine gave, if it accepted an order. */
const oracle_reply *oracle_apply(oracle *oracle, const matching_command *command,
                                 uint64_t new_order_id);

/* What a MATCHING_READ_ORDER must answer (code, field, order; no events). */
const oracle_reply *oracle_read_order(oracle *oracle, const matching_command *command);

/* Orders that a READ_ORDERS or READ_OPEN_ORDERS command means, by ascending id: of the working
 * ones, or of the last retained_orders ended ones. Fills in up to capacity, returns how many there
 * are. */
size_t oracle_orders(oracle *oracle, const matching_command *command, bool ended,
                     matching_order *orders, size_t capacity);

/* All levels of a side, best first. There must be room for them. Returns how many. */
size_t oracle_depth(const oracle *oracle, uint16_t instrument, unsigned side,
                    matching_level *levels, size_t capacity);

/* The price at which a crossed book would uncross, and how much. False: it is not crossed. */
bool oracle_indicative(const oracle *oracle, uint16_t instrument, int64_t *price_ticks,
                       matching_wide *volume_lots);

/* When the next good-till-date order expires, milliseconds; 0: none will. */
uint64_t oracle_next_expiry(const oracle *oracle);

/* Working orders by index, in no meaningful order; ended ones by age, 0 the one that ended last. */
size_t oracle_working_count(const oracle *oracle);
const matching_order *oracle_working(const oracle *oracle, size_t index);
size_t oracle_ended_count(const oracle *oracle);
const matching_order *oracle_ended(const oracle *oracle, size_t age);

#endif
