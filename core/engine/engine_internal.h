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
    uint32_t prev, next;               /* neighbours in the level's queue */
    uint32_t level;                    /* 0: not in a book */
    uint32_t trader;                   /* from 1 */
    uint32_t trader_prev, trader_next; /* neighbours among the trader's working orders */
    uint16_t instrument;
    uint8_t side;
    uint8_t type;
    uint8_t time_in_force;
    uint8_t status;
    uint8_t reason;
    uint8_t flags; /* ORDER_* */
} order_record;

enum { ORDER_POST_ONLY = 1, ORDER_HAS_CLIENT_ID = 2 };

typedef struct order_extra {
    matching_wide notional; /* sum of ticks x lots */
    uint64_t created_ns;
    uint64_t updated_ns;
    uint64_t end_mark; /* engine->ended_count when it ended */
    char client_order_id[40];
} order_extra;

typedef struct level_record {
    matching_wide total_lots; /* sum of the queue's remaining_lots */
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

typedef struct book_record {
    book_side sides[2];
    uint64_t last_trade_id;
    uint64_t depth_sequence;
    int64_t last_price_ticks; /* 0: no trade yet */
    int64_t tick_size, lot_size; /* mantissas of 10^-8 */
    uint8_t state;            /* matching_state */
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
    uint64_t trader_mask, client_mask, slot_mask;
    uint64_t last_number; /* n of the newest order */
    uint64_t working_count;
    uint64_t ended_count;
    uint64_t retained_orders;
    uint32_t trader_count;
    uint32_t free_level; /* head of the free list */
    uint32_t used_levels;
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
uint32_t level_worse(const matching_engine *engine, unsigned side_number, uint32_t level);

/* book.c: queues of orders at levels */
void book_enqueue(apply_context *context, uint32_t slot);
void book_dequeue(apply_context *context, uint32_t slot);
void book_reduce(apply_context *context, uint32_t slot, int64_t lots);
bool price_reaches(unsigned taker_side, int64_t limit_ticks, int64_t maker_ticks);

/* match.c: a taker against the other side */
bool match_can_fill(const matching_engine *engine, uint16_t instrument, unsigned side,
                    int64_t limit_ticks, int64_t lots);
void match_run(apply_context *context, uint32_t taker);

/* place.c, change.c: one function a command */
void apply_place(apply_context *context);
void apply_cancel(apply_context *context);
void apply_cancel_all(apply_context *context);
void apply_amend(apply_context *context);
void apply_set_state(apply_context *context);

/* events.c */
void emit_trade(apply_context *context, uint32_t maker, uint32_t taker, int64_t lots);
void emit_level(apply_context *context, uint16_t instrument, unsigned side, int64_t price_ticks,
                uint32_t level);
void emit_order(apply_context *context, uint32_t slot, uint64_t trade_id, int64_t price_ticks,
                int64_t lots);
void emit_state(apply_context *context, uint16_t instrument, unsigned state);

static inline bool record_is_working(const order_record *order)
{
    return order->status == MATCHING_OPEN || order->status == MATCHING_PARTIAL ||
           order->status == MATCHING_UNTRIGGERED;
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
