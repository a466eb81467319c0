/* The engine's own types. Indexes instead of pointers: half the size, and the state can be copied.
 *
 * orders   slot = n & slot_mask for order number n, so an id leads to its order in one step. A slot
 *          is used again only when its order has ended and `retained_orders` others ended after it;
 *          numbers whose slot is taken are skipped. order_record is what matching touches,
 *          order_extra what only replies and rare rules need.
 * levels   one pool for all books; a red-black tree a side orders them by price, `best` is cached.
 * Index 0 is "none" everywhere, but for slots, which use NO_SLOT.
 */
#ifndef MATCHING_ENGINE_INTERNAL_H
#define MATCHING_ENGINE_INTERNAL_H

#include <string.h>

#include "engine/engine.h"
#include "matching/gateway.h"

#define NO_SLOT UINT32_MAX
#define ICEBERG_SLICES_MAX 1000 /* display_quantity is at least a thousandth of the quantity */

#define engine_assert(condition)                                                                   \
    do {                                                                                           \
        if (__builtin_expect(!(condition), 0)) {                                                   \
            matching_engine_panic(__FILE__, __LINE__, #condition);                                 \
        }                                                                                          \
    } while (0)

typedef struct order_record {
    uint64_t order_id; /* 0: never used */
    int64_t price_ticks;
    int64_t quantity_lots;
    int64_t remaining_lots;
    int64_t visible_lots; /* of an order in a queue: what the market sees, at most remaining_lots */
    uint32_t prev, next;  /* neighbours in the level's queue */
    uint32_t level;       /* 0: in no queue */
    uint32_t trader;      /* from 1 */
    uint16_t instrument;
    uint8_t side;
    uint8_t type;
    uint8_t time_in_force;
    uint8_t status;
    uint8_t reason;
    uint8_t flags; /* ORDER_* */
} order_record;

enum {
    ORDER_POST_ONLY = 1,
    ORDER_HAS_CLIENT_ID = 2,
    ORDER_LOADED = 4,          /* in the heap of triggered stops */
    ORDER_SELF_TRADE_SHIFT = 4 /* matching_self_trade in the bits from here */
};

_Static_assert(sizeof(order_record) == 64, "what matching touches of an order is one cache line");

typedef struct order_extra {
    matching_wide notional; /* sum of ticks x lots */
    uint64_t created_ns;
    uint64_t updated_ns;
    uint64_t end_mark; /* engine->ended_count when it ended */
    int64_t stop_price_ticks;
    int64_t display_lots; /* 0: not an iceberg */
    uint64_t expire_time_ms;
    uint32_t trader_prev, trader_next; /* neighbours among the trader's working orders */
    uint32_t expiry_at;                /* place in the expiry heap, from 1; 0: not in it */
    char client_order_id[40];
} order_extra;

typedef struct level_record {
    matching_wide total_lots;  /* sum of the queue's visible_lots */
    matching_wide hidden_lots; /* sum of what is behind them */
    int64_t price_ticks;
    uint32_t head, tail; /* queue, oldest first */
    uint32_t orders;
    uint32_t parent, left, right; /* tree; `right` also links the free list */
    uint8_t red;
    uint8_t side;
    uint16_t instrument;
} level_record;

typedef struct book_side {
    uint32_t root;
    uint32_t best; /* level: highest bid, lowest ask */
} book_side;

/* Untriggered stops wait at levels of their stop price: sides like those of a book, where the best
 * is the next to trigger: the lowest stop_price of the buys, the highest of the sells. */
typedef struct book_record {
    book_side sides[2];
    book_side stops[2];
    uint64_t last_trade_id;
    uint64_t depth_sequence;
    int64_t last_price_ticks;    /* 0: no trade yet */
    int64_t tick_size, lot_size; /* mantissas of 10^-8 */
    uint8_t state;               /* matching_state */
} book_record;

typedef struct trader_record {
    char name[MATCHING_TRADER_MAX + 1];
    uint32_t first, last; /* working orders, oldest first; NO_SLOT: none */
} trader_record;

struct matching_engine {
    matching_engine_limits limits;
    order_record *orders;
    order_extra *extras;
    level_record *levels;   /* [0] is the tree's nil */
    book_record *books;     /* by instrument index */
    trader_record *traders; /* [0] unused */
    uint32_t *trader_table; /* open addressing: trader numbers, 0 free */
    uint32_t *client_table; /* open addressing: slot + 1, 0 free */
    uint32_t *expiry_heap;  /* slots by (expire_time, order_id), from [1] */
    uint32_t *trigger_heap; /* slots by order_id, from [1]: stops that the cascade has loaded */
    uint64_t trader_mask, client_mask, slot_mask;
    uint64_t last_number; /* n of the newest order */
    uint64_t working_count;
    uint64_t ended_count;
    uint64_t retained_orders;
    uint32_t trader_count;
    uint32_t free_level; /* head of the free list */
    uint32_t used_levels;
    uint32_t
        reserved_levels; /* for stop-limit orders that wait: they may need one when triggered */
    uint32_t expiry_count, trigger_count;
};

/* What one apply carries along. */
typedef struct apply_context {
    matching_engine *engine;
    const matching_command *command;
    matching_event_sink *sink;
    matching_reply *reply;
} apply_context;

/* orders.c: slots, traders, client order ids */
uint32_t order_find(const matching_engine *engine, uint64_t order_id);
uint32_t order_allocate(matching_engine *engine);
void order_end(apply_context *context, uint32_t slot, matching_status status,
               matching_reason reason);
void order_copy(const matching_engine *engine, uint32_t slot, matching_order *out);
uint32_t order_locate(const matching_engine *engine, const matching_command *command);
uint32_t trader_find(const matching_engine *engine, const char name[MATCHING_TRADER_MAX]);
uint32_t trader_intern(matching_engine *engine, const char name[MATCHING_TRADER_MAX]);
void trader_link(matching_engine *engine, uint32_t slot);
uint32_t client_find(const matching_engine *engine, uint32_t trader, uint16_t instrument,
                     const char client_order_id[40]);
void client_insert(matching_engine *engine, uint32_t slot);
void client_remove(matching_engine *engine, uint32_t slot);

/* levels.c: the ordered levels of a side */
uint32_t level_find(const matching_engine *engine, const book_side *side, int64_t price_ticks);
uint32_t level_insert(matching_engine *engine, book_side *side, unsigned side_number,
                      uint16_t instrument, int64_t price_ticks);
void level_remove(matching_engine *engine, book_side *side, uint32_t level);
uint32_t level_after(const matching_engine *engine, const book_side *side, unsigned side_number,
                     int64_t price_ticks);
uint32_t level_worse(const matching_engine *engine, unsigned side_number, uint32_t level);
uint32_t level_better(const matching_engine *engine, unsigned side_number, uint32_t level);

/* book.c: queues of orders at levels */
bool level_is_free(const matching_engine *engine);
void book_enqueue(apply_context *context, uint32_t slot);
void book_dequeue(apply_context *context, uint32_t slot);
void book_reduce(apply_context *context, uint32_t slot, int64_t lots);
void queue_append(matching_engine *engine, uint32_t level, uint32_t slot);
void queue_unlink(matching_engine *engine, uint32_t slot);
void slice_renew(matching_engine *engine, uint32_t slot);
bool price_reaches(unsigned taker_side, int64_t limit_ticks, int64_t maker_ticks);

/* match.c: a taker against the other side */
bool match_can_fill(const matching_engine *engine, uint32_t taker);
void match_run(apply_context *context, uint32_t taker);
void fill_order(apply_context *context, uint32_t slot, int64_t ticks, int64_t lots);

/* place.c: order entry */
bool may_rest(unsigned type, unsigned time_in_force);
void enter_order(apply_context *context, uint32_t slot, bool told);
void apply_place(apply_context *context);

/* change.c: one function a command */
void cancel_order(apply_context *context, uint32_t slot, matching_reason reason);
void apply_cancel(apply_context *context);
void apply_cancel_all(apply_context *context);
void apply_amend(apply_context *context);
void apply_set_state(apply_context *context);
void apply_add_instrument(apply_context *context);

/* stops.c: orders that wait for a price */
void stop_insert(matching_engine *engine, uint32_t slot);
void stop_remove(matching_engine *engine, uint32_t slot);
void stops_run(apply_context *context, uint16_t instrument);

/* expiry.c: orders that end by time */
void expiry_insert(matching_engine *engine, uint32_t slot);
void expiry_remove(matching_engine *engine, uint32_t slot);
void expire_due(apply_context *context);

/* auction.c: the single price at which a crossed book uncrosses */
bool book_is_crossed(const matching_engine *engine, uint16_t instrument);
bool auction_price(const matching_engine *engine, uint16_t instrument, int64_t *price_ticks,
                   matching_wide *volume_lots);
void auction_uncross(apply_context *context, uint16_t instrument);

/* events.c */
void emit_trade(apply_context *context, uint32_t maker, uint32_t taker, int64_t lots);
void emit_cross(apply_context *context, uint32_t buy, uint32_t sell, int64_t price_ticks,
                int64_t lots);
void emit_level(apply_context *context, uint16_t instrument, unsigned side, int64_t price_ticks,
                uint32_t level);
void emit_order(apply_context *context, uint32_t slot, uint64_t trade_id, int64_t price_ticks,
                int64_t lots);
void emit_state(apply_context *context, uint16_t instrument, unsigned state);
void emit_instrument(apply_context *context);

static inline bool record_is_working(const order_record *order)
{
    return order->status == MATCHING_OPEN || order->status == MATCHING_PARTIAL ||
           order->status == MATCHING_UNTRIGGERED;
}

static inline unsigned record_self_trade(const order_record *order)
{
    return order->flags >> ORDER_SELF_TRADE_SHIFT;
}

/* A limit price for orders without one: reaches everything. */
static inline int64_t taker_limit(const order_record *order)
{
    if (order->price_ticks != 0) {
        return order->price_ticks;
    }
    return order->side == MATCHING_BUY ? INT64_MAX : 0;
}

static inline uint64_t slot_number(const matching_engine *engine, uint64_t order_id)
{
    return order_id >> engine->limits.shard_bits;
}

static inline uint64_t mix64(uint64_t value)
{
    value = (value ^ value >> 32) * 0x9E3779B97F4A7C15u;
    value = (value ^ value >> 29) * 0xBF58476D1CE4E5B9u;
    return value ^ value >> 32;
}

#endif
