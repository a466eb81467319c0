/* What comes out of the engine beside the reply: events, in the order in which things happened.
 *
 * Events of a shard go into its broadcast ring as 64-byte records. Level totals are what the market
 * may see (visible quantity); ids and sequences let a reader resume after a snapshot.
 */
#ifndef MATCHING_EVENT_H
#define MATCHING_EVENT_H

#include <stdint.h>

#include "matching/order.h"

typedef enum matching_event_kind {
    MATCHING_EVENT_TRADE = 1, /* two orders traded */
    MATCHING_EVENT_LEVEL = 2, /* a price level has a new visible total */
    MATCHING_EVENT_ORDER = 3, /* an order changed: followed in the ring by its matching_order */
    MATCHING_EVENT_STATE = 4, /* an instrument changed its state */
    MATCHING_EVENT_INSTRUMENT = 5, /* an instrument was added */
    MATCHING_EVENT_CHANGE = 6 /* an order changed, in short, for those who know it and its trades */
} matching_event_kind;

typedef struct matching_event {
    uint32_t sequence_low; /* low 32 bits of the sequence of the command that caused it */
    uint16_t instrument;
    uint8_t kind;
    uint8_t side;     /* TRADE: the taker's, MATCHING_SIDE_NONE in an auction, where the buy order
                     stands in the taker's place; LEVEL: the level's; ORDER, CHANGE: the order's */
    uint64_t time_ns; /* the command's time */
    union {
        struct {
            uint64_t trade_id;
            int64_t price_ticks;
            int64_t quantity_lots;
            uint64_t maker_order_id;
            uint64_t taker_order_id;
            uint32_t maker_trader; /* numbers of the shard, matching_core_trader() has the names */
            uint32_t taker_trader;
        } trade;
        struct {
            matching_wide total_lots; /* visible; 0: the level is gone */
            int64_t price_ticks;
            uint64_t depth_sequence; /* 1, 2, 3, ... of the instrument's LEVEL events */
            uint32_t orders;
        } level;
        struct {
            uint64_t order_id;
            uint64_t trade_id; /* the fill that changed it, 0: something else did */
            int64_t last_price_ticks;
            int64_t last_quantity_lots;
            uint32_t trader; /* its number in the shard */
            uint32_t reserved;
        } order;
        struct {
            uint64_t order_id;
            int64_t price_ticks; /* as it is now, likewise those below */
            int64_t quantity_lots;
            int64_t filled_lots;
            uint32_t trader; /* its number in the shard */
            uint8_t status;
            uint8_t reason;
            uint8_t is_begun; /* by an amend: fills or a CHANGE follow that tell it */
        } change;
        struct {
            uint8_t state;
        } state;
        struct {
            char symbol[MATCHING_SYMBOL_MAX]; /* zero-padded */
            int64_t tick_size, lot_size;      /* mantissas of 10^-8 */
            uint32_t id;
            char sbe_char; /* 0: none */
            uint8_t state; /* that it begins in */
        } added;
    };
} matching_event;

_Static_assert(sizeof(matching_event) == 64, "an event fills one cache line");

/* Slots of the ring that follow an ORDER event and hold its matching_order. */
#define MATCHING_ORDER_SLOTS ((sizeof(matching_order) + 63) / 64)

/* How many slots of the ring the event takes, what follows it included. Whoever walks over events
 * takes steps of this: what follows an ORDER event may look like any other. */
static inline uint32_t matching_event_slots(const matching_event *event)
{
    return event->kind == MATCHING_EVENT_ORDER ? 1 + (uint32_t)MATCHING_ORDER_SLOTS : 1;
}

#endif
