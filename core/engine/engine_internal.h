/* The engine's own types. Indexes instead of pointers: half the size, and the state can be copied.
 *
 * orders   order number n lives in slot n & slot_mask, so an id leads to its order in one step. A
 *          slot is used again only when its order has ended and `retained_orders` others ended
 *          after it; numbers whose slot is taken or does not exist are skipped. order_record is
 *          what matching touches, one cache line; order_history beside it what a full reply tells;
 *          order_extra, from a pool, only what icebergs, stops, good-till-date orders and client
 *          ids need.
 * levels   32 bytes each, PAGE_LEVELS neighbouring prices to a page; a page exists while an order
 *          rests at one of its prices, so any price works and memory follows what rests. An
 *          emptied one stays for IDLE_PAGES others at most, as prices come back. A red-black tree a
 *          side orders the pages, a small direct-mapped table (`near`) leads to those in use.
 * links    16 bytes beside each order: its neighbours in its queue and among its trader's working
 *          orders. These are a ring, oldest first, closed by an entry that stands for the trader.
 *          In an array of their own, as an order that comes or goes writes to its neighbours'.
 * Index 0 is "none" everywhere: slot, level, page, extra, trader.
 */
#ifndef MATCHING_ENGINE_INTERNAL_H
#define MATCHING_ENGINE_INTERNAL_H

#include <string.h>

#include "engine/engine.h"
#include "matching/gateway.h"

#define NO_SLOT 0u
#define ICEBERG_SLICES_MAX 1000 /* display_quantity is at least a thousandth of the quantity */
#define PAGE_BITS 5
#define PAGE_LEVELS (1u << PAGE_BITS)
#define NEAR_PAGES 32u
#define IDLE_PAGES 128u
#define GROUP_BITS 9 /* of slots, for the search of a free one */
#define CLIENT_ID_BYTES 36u
#define BEYOND_PRICES (1LL << 62) /* the best ask where there is none */

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#define engine_assert(condition)                                                                   \
    do {                                                                                           \
        if (unlikely(!(condition))) {                                                              \
            matching_engine_panic(__FILE__, __LINE__, #condition);                                 \
        }                                                                                          \
    } while (0)

typedef struct order_record {
    uint64_t order_id; /* 0: never used */
    int64_t price_ticks;
    int64_t quantity_lots;
    int64_t remaining_lots;
    uint64_t updated_ns; /* when it changed last, or ended */
    union {
        uint32_t level;    /* 0: in no queue */
        uint64_t end_mark; /* once it has ended: engine->ended_count of then */
    };
    union {
        struct {
            uint32_t trader; /* from 1 */
            uint32_t extra;  /* 0: it has none */
        };
        uint64_t belongings; /* both */
    };
    union {
        struct {
            uint16_t instrument;
            union {
                struct {
                    uint8_t status, reason;
                };
                uint16_t outcome; /* both */
            };
            uint8_t side, type, time_in_force;
            uint8_t flags; /* ORDER_* */
        };
        uint64_t terms; /* all of them: up to time_in_force as in matching_order */
    };
} order_record;

enum {
    ORDER_POST_ONLY = 1,
    ORDER_HAS_CLIENT_ID = 2,
    ORDER_LOADED = 4,           /* in the heap of triggered stops */
    ORDER_ICEBERG = 8,          /* shows extra->visible_lots; any other shows all that remains */
    ORDER_SELF_TRADE_SHIFT = 4, /* matching_self_trade in the two bits from here */
    ORDER_GUARDED = 64          /* ends with CANCEL_GUARDED */
};

_Static_assert(sizeof(order_record) == 64, "what matching touches of an order is one cache line");

/* Its neighbours, by slot, while it works. */
typedef struct order_links {
    union {
        struct {
            uint32_t prev, next; /* in its level's queue */
        };
        uint64_t in_queue; /* both */
    };
    union {
        struct {
            uint32_t older, newer; /* among its trader's; older 0: it is not among them */
        };
        uint64_t in_list; /* both */
    };
} order_links;

typedef struct order_history {
    uint64_t created_ns;
    /* notional - price_ticks x filled, modulo 2^128: 0 unless it was filled at other prices */
    matching_wide_member surplus;
} order_history;

typedef struct order_extra {
    int64_t visible_lots; /* of an iceberg in a queue: what the market sees */
    int64_t display_lots; /* 0: not an iceberg */
    int64_t stop_price_ticks;
    uint64_t expire_time_ms;
    uint32_t expiry_at; /* in the expiry heap, from 1; 0: not in it. Free: the next free one */
    char client_order_id[CLIENT_ID_BYTES];
} order_extra;

typedef struct level_record {
    uint64_t total_low;  /* sum of what the queue shows ... */
    uint64_t hidden_low; /* ... and of what is behind that */
    union {
        struct {
            uint32_t head, tail; /* queue, oldest first */
        };
        uint64_t ends; /* both */
    };
    union {
        struct {
            uint32_t orders; /* 0: there is no such level */
            uint16_t total_high, hidden_high;
        };
        uint64_t counts; /* all three */
    };
} level_record;

_Static_assert(sizeof(level_record) == 32, "two levels fill one cache line");

typedef struct page_record {
    int64_t base;                 /* its prices >> PAGE_BITS; -1: free */
    uint64_t used;                /* a bit for each level with orders, the lowest price first;
                                    0: the page is idle */
    uint32_t parent, left, right; /* tree; `right` also links the free list */
    uint16_t instrument;
    uint8_t kind; /* of the side it belongs to */
    uint8_t red : 1;
    uint8_t in_line : 1; /* it is in engine->idle, perhaps with orders again */
} page_record;

/* The four sides of a book. Untriggered stops wait at levels of their stop price; their best level
 * is the next to trigger: the lowest stop_price of the buys, the highest of the sells. */
enum { BIDS = MATCHING_BUY, ASKS = MATCHING_SELL, BUY_STOPS = 2, SELL_STOPS = 3, KINDS = 4 };

typedef struct book_side {
    int64_t best_ticks; /* where there is none: 0 if the best is the highest, else BEYOND_PRICES */
    uint32_t best;      /* level */
    uint32_t root;      /* page */
} book_side;

typedef struct book_record {
    book_side sides[KINDS];
    uint64_t last_trade_id;
    uint64_t depth_sequence;
    int64_t last_price_ticks;    /* 0: no trade yet */
    int64_t tick_size, lot_size; /* mantissas of 10^-8 */
    uint8_t state;               /* matching_state */
    uint8_t is_plain;            /* it trades, and no stops wait */
    uint8_t reserved[22];
    uint32_t near[KINDS][NEAR_PAGES]; /* where a page is likely to be: at base % NEAR_PAGES */
} book_record;

_Static_assert(sizeof(book_record) % 64 == 0, "books do not share cache lines");

typedef struct trader_record {
    char name[MATCHING_TRADER_MAX + 1];
    uint16_t watch; /* matching_watch_bucket(name) */
} __attribute__((aligned(64))) trader_record;

struct matching_engine {
    order_record *orders;
    order_links *links;       /* by slot; then, from `lists` on, by trader: the ends of its list */
    order_history *histories; /* by slot */
    level_record *levels;     /* page << PAGE_BITS | offset */
    page_record *pages;       /* [0] is the tree's nil */
    book_record *books;       /* by instrument index */
    trader_record *traders;   /* [0] unused */
    order_extra *extras;      /* [0] unused */
    uint64_t last_number;     /* n of the newest order */
    uint64_t slot_mask;
    /* The book is full when last_number - ended_count gets here: max_orders and the numbers that
     * led to no order. */
    uint64_t full_at;
    /* max_levels - used ones - those that waiting stop-limit orders may need */
    int64_t levels_left;
    uint64_t ended_count;
    uint64_t next_expiry_ns; /* UINT64_MAX: nothing expires */
    uint32_t last_slot;      /* slots are 1 ... last_slot */
    uint32_t lists;          /* where in links the traders are: number 0, which has no orders */
    uint32_t free_page;      /* heads of free lists */
    uint32_t free_extra;
    matching_engine_limits limits;
    uint32_t *trader_table; /* open addressing: trader numbers, 0 free */
    uint32_t *client_table; /* open addressing: slots, 0 free */
    uint32_t *expiry_heap;  /* slots by (expire_time, order_id), from [1] */
    uint32_t *trigger_heap; /* slots by order_id, from [1]: stops that the cascade has loaded */
    uint8_t *full_groups;   /* of groups of neighbouring slots: 1: the orders of all of them work */
    uint64_t trader_mask, client_mask;
    uint32_t trader_count;
    uint32_t expiry_count, trigger_count;
    uint32_t new_pages, new_extras; /* never used so far: from here on */
    uint32_t idle_next;             /* the place in `idle` that is overwritten next */
    uint32_t idle[IDLE_PAGES];      /* as they were emptied; 0, or a page that has left: none */
};

/* What one apply carries along. */
typedef struct apply_context {
    matching_engine *engine;
    const matching_command *command;
    matching_event_sink *sink;
    matching_reply *reply;
} apply_context;

/* pages.c: the ordered pages of a side */
uint32_t page_search(const matching_engine *engine, const book_side *side, int64_t base);
uint32_t page_obtain(matching_engine *engine, book_record *book, unsigned kind, int64_t base);
void page_leave(matching_engine *engine, uint32_t page);
void page_clear_way(matching_engine *engine, uint32_t page, bool lower);
uint32_t page_beyond(const matching_engine *engine, const book_side *side, int64_t base,
                     bool lower);
uint32_t page_neighbour(const matching_engine *engine, uint32_t page, bool lower);
uint32_t page_next(const matching_engine *engine, uint32_t page, bool lower);

/* apply.c: all of the way, for any command */
void apply_any(matching_engine *engine, const matching_command *command, matching_event_sink *sink,
               matching_reply *reply);

/* plain.c: the short way, for what most commands are */
void place_plain(matching_engine *engine, const matching_command *command,
                 matching_event_sink *sink, matching_reply *reply);
void cancel_plain(matching_engine *engine, const matching_command *command,
                  matching_event_sink *sink, matching_reply *reply);
void amend_plain(matching_engine *engine, const matching_command *command,
                 matching_event_sink *sink, matching_reply *reply);

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
void apply_set_limits(const apply_context *context);

/* guards.c: orders that end with the service */
void apply_release_guards(const apply_context *context);
void apply_cancel_guarded(apply_context *context);

/* stops.c: orders that wait for a price */
void stop_insert(matching_engine *engine, uint32_t slot);
void stop_remove(matching_engine *engine, uint32_t slot);
void stops_cascade(apply_context *context, uint16_t instrument);

/* expiry.c: orders that end by time */
void expiry_insert(matching_engine *engine, uint32_t slot);
void expiry_remove(matching_engine *engine, uint32_t slot);
void expire_due(apply_context *context);

/* auction.c: the single price at which a crossed book uncrosses */
bool book_is_crossed(const matching_engine *engine, uint16_t instrument);
bool auction_price(const matching_engine *engine, uint16_t instrument, int64_t *price_ticks,
                   matching_wide *volume_lots);
void auction_uncross(apply_context *context, uint16_t instrument);

#define OUTCOME(status, reason) ((uint16_t)((status) | (reason) << 8))

static inline bool record_is_working(const order_record *order)
{
    enum { WORKING = 1 << MATCHING_OPEN | 1 << MATCHING_PARTIAL | 1 << MATCHING_UNTRIGGERED };
    return WORKING >> order->status & 1;
}

static inline unsigned record_self_trade(const order_record *order)
{
    return order->flags >> ORDER_SELF_TRADE_SHIFT & 3;
}

/* The limit of a taker that pays or takes whatever is asked. */
static inline int64_t any_price(unsigned taker_side)
{
    _Static_assert(MATCHING_BUY == 0 && MATCHING_TICKS_MAX % 2 == 1, "the lowest price is in it");
    return 1 | (MATCHING_TICKS_MAX & ((int64_t)taker_side - 1));
}

/* What an order would pay or take at worst; without a price of its own it reaches everything. */
static inline int64_t taker_limit(unsigned side, int64_t price_ticks)
{
    return price_ticks | (any_price(side) & -(int64_t)(price_ticks == 0));
}

/* Without a branch: the side of an order is as good as random. */
static inline bool price_reaches(unsigned taker_side, int64_t limit_ticks, int64_t maker_ticks)
{
    int64_t flip = -(int64_t)taker_side; /* all ones for a seller */
    return (limit_ticks ^ flip) >= (maker_ticks ^ flip);
}

static inline uint64_t working_count(const matching_engine *engine)
{
    return engine->last_number - engine->ended_count -
           (engine->full_at - engine->limits.max_orders);
}

static inline bool orders_are_full(const matching_engine *engine)
{
    return engine->last_number - engine->ended_count == engine->full_at;
}

static inline uint64_t order_number(const matching_engine *engine, uint64_t order_id)
{
    return order_id >> engine->limits.shard_bits;
}

static inline const order_extra *extra_of(const matching_engine *engine, uint32_t slot)
{
    return &engine->extras[engine->orders[slot].extra]; /* [0] is all zero */
}

/* What the market sees of an order in a queue. */
static inline int64_t visible_lots(const matching_engine *engine, const order_record *order)
{
    return order->flags & ORDER_ICEBERG ? engine->extras[order->extra].visible_lots
                                        : order->remaining_lots;
}

static inline uint64_t mix64(uint64_t value)
{
    value = (value ^ value >> 32) * 0x9E3779B97F4A7C15u;
    value = (value ^ value >> 29) * 0xBF58476D1CE4E5B9u;
    return value ^ value >> 32;
}

#endif
