/* The matching engine of one shard: a state machine and nothing else.
 *
 * One entry changes it: matching_engine_apply(command) -> reply and events. No I/O, no clock, no
 * randomness, no locks, no floating point, no recursion, no allocation: sequence and time arrive in
 * the command, memory is the caller's. The same commands give the same replies, events and state
 * hash on any machine.
 *
 * Thread: all functions belong to the one thread that owns the engine, but for
 * matching_engine_trader, which any thread may call for a number that it got through an event.
 */
#ifndef MATCHING_ENGINE_H
#define MATCHING_ENGINE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/command.h"
#include "matching/event.h"
#include "matching/port.h"

typedef struct matching_engine matching_engine;

typedef struct matching_engine_limits {
    uint32_t instruments;     /* indexes are below it, also those of instruments added later */
    uint32_t shard;           /* this shard's number, below 2^shard_bits */
    uint32_t shard_bits;      /* order_id = n << shard_bits | shard, n = 1, 2, 3, ... */
    uint64_t max_orders;      /* working orders, at least 1; each limit at most 2^26 */
    uint64_t max_levels;      /* price levels with an order */
    uint64_t max_traders;     /* trader ids that can be known */
    uint64_t retained_orders; /* ended orders that can still be read */
} matching_engine_limits;

#define MATCHING_WATCH_BUCKETS 4096u

/* Whose orders somebody wants to hear of: counts that any thread raises and lowers. It decides
 * which ORDER and CHANGE events are written and nothing else; a trader that shares a watched one's
 * bucket is told too. */
typedef struct matching_watch {
    _Atomic uint32_t watchers;  /* of ORDER events: the two below together */
    _Atomic uint32_t everybody; /* those who want all traders */
    _Atomic uint32_t following; /* of CHANGE events: the last ones together */
    _Atomic uint32_t buckets[MATCHING_WATCH_BUCKETS];
    _Atomic uint32_t followers[MATCHING_WATCH_BUCKETS]; /* of CHANGE events */
} matching_watch;

/* Where events go: a ring of power-of-two size, written at head and never at or beyond limit. */
typedef struct matching_event_sink {
    matching_event *slots;
    uint64_t mask;  /* slots - 1 */
    uint64_t head;  /* next position to be written; counts up forever */
    uint64_t limit; /* head must stay below it */
    /* Called between two events when the next one does not fit below limit: must raise limit. May
     * publish what is there. */
    void (*make_room)(struct matching_event_sink *sink);
    void *context;               /* make_room's */
    const matching_watch *watch; /* whose orders are told; NULL: everybody's, by ORDER events */
} matching_event_sink;

/* A page of READ_ORDERS or READ_OPEN_ORDERS while it is being gathered: scanned in bounded steps.
 * The caller sets orders and capacity, the rest is 0 at first. */
typedef struct matching_order_page {
    matching_order *orders; /* room for `capacity`; sorted by order_id once `done` */
    uint32_t capacity, count;
    uint64_t next_slot; /* where the next step begins */
    uint64_t next_id;   /* READ_OPEN_ORDERS: the order that was there */
    uint64_t after;     /* READ_OPEN_ORDERS: orders up to this id were looked at */
    bool more;          /* orders with larger ids matched too */
    bool done;
} matching_order_page;

/* Bytes that an engine with these limits needs; 0: limits out of range. */
size_t matching_engine_size(const matching_engine_limits *limits);

/* Builds an empty engine in memory (zero-filled, matching_engine_size bytes, 64-byte aligned). All
 * instruments trade. The memory stays the caller's; there is nothing to undo. */
matching_engine *matching_engine_init(void *memory, const matching_engine_limits *limits);

/* One of the arrays that an engine's memory is made of. */
typedef struct matching_engine_part {
    const void *memory;
    size_t size;     /* bytes of an entry */
    uint64_t places; /* entries */
    uint64_t used;   /* so many from the first on have been used, or may be used any time */
    bool is_round;   /* orders use all of it in turn, whether they stay or not */
} matching_engine_part;

/* MATCHING_ENGINE_EXTRAS: the array that is used in turn from the first order on that needs it. */
enum { MATCHING_ENGINE_PARTS = 14, MATCHING_ENGINE_EXTRAS = 4 };

/* Tells all of them. What is not used yet is used from its beginning, so an owner of the memory
 * that wants it to be there in time knows where it will be needed next. */
void matching_engine_parts(const matching_engine *engine,
                           matching_engine_part parts[MATCHING_ENGINE_PARTS]);

/* A number of bytes that has grown, never shrinks, and is cheap: what `used` of the parts says has
 * changed by no more than it has. */
uint64_t matching_engine_used(const matching_engine *engine);

/* Tells an instrument's sizes (mantissas of 10^-8, > 0), for commands that carry decimals. Before
 * its first command; 1 and 1 until then. For those that are there from the start; one that is added
 * later brings them in its ADD_INSTRUMENT. */
void matching_engine_set_instrument(matching_engine *engine, uint16_t instrument, int64_t tick_size,
                                    int64_t lot_size);

/* A trader's bucket in matching_watch; name zero-padded. */
uint32_t matching_watch_bucket(const char name[MATCHING_TRADER_MAX]);

/* How many commands ahead matching_engine_prefetch wants to be called. */
enum { MATCHING_PREFETCH_NEAR = 4, MATCHING_PREFETCH_MIDDLE = 8, MATCHING_PREFETCH_FAR = 12 };

/* Do so many orders work that more of them is far from the caches? To be told to
 * matching_engine_prefetch. */
bool matching_engine_is_large(const matching_engine *engine);

/* Asks the processor for what three coming commands will touch: of the far one what it names, of
 * the middle one what that leads to, and so on. Changes nothing; any command will do, reads too. */
void matching_engine_prefetch(const matching_engine *engine, const matching_command *far,
                              const matching_command *middle, const matching_command *near,
                              bool is_large);

/* The same for the first commands of a row, which matching_engine_prefetch is too late for. */
void matching_engine_prefetch_first(const matching_engine *engine, const matching_command *commands,
                                    size_t count, bool is_large);

/* Applies one command (types below 32) that the gateway has made: numbers are in range, texts well
 * formed. Sets reply->code, field, type, has_order, order (with MATCHING_FLAG_BRIEF a part of it),
 * related_order_id and sequence; leaves the rest alone. First all orders that are due by the
 * command's time expire, whatever becomes of it; beyond that a refusal changes nothing and emits
 * nothing. */
void matching_engine_apply(matching_engine *engine, const matching_command *command,
                           matching_event_sink *sink, matching_reply *reply);

/* Reads; see the commands of the same name. They change nothing. */
void matching_engine_read_order(const matching_engine *engine, const matching_command *command,
                                matching_reply *reply);

/* One step of at most `budget` slots. */
void matching_engine_read_orders(const matching_engine *engine, const matching_command *command,
                                 matching_order_page *page, uint32_t budget);

/* The same for the trader's working orders with a larger order_id than the command's; budget: at
 * least 2. Where the order that a step came to has ended before the next, what was passed may have
 * to be passed again; no order is told twice or left out. */
void matching_engine_read_open_orders(const matching_engine *engine,
                                      const matching_command *command, matching_order_page *page,
                                      uint32_t budget);

/* Up to `levels` levels a side into depth->bids and depth->asks (room for that many). */
void matching_engine_read_depth(const matching_engine *engine, uint16_t instrument, uint32_t levels,
                                matching_depth *depth);

/* When the next order expires, Unix milliseconds: a TICK is wanted then. 0: none will. */
uint64_t matching_engine_next_expiry(const matching_engine *engine);

/* In an auction: the price at which the book would uncross now, and how much would trade. False: it
 * would not trade. O(levels that cross). */
bool matching_engine_indicative(const matching_engine *engine, uint16_t instrument,
                                int64_t *price_ticks, matching_wide *volume_lots);

/* Is there an order that CANCEL_GUARDED would end? O(orders). */
bool matching_engine_has_guarded(const matching_engine *engine);

/* The id of the newest order; that of nobody if there was none. All ids yet to come are higher. */
uint64_t matching_engine_newest(const matching_engine *engine);

/* Has an order ended so long ago that it need not be known any more? */
bool matching_engine_forgets(const matching_engine *engine);

/* The name behind a trader number, NUL-terminated; "" for an unknown number. */
const char *matching_engine_trader(const matching_engine *engine, uint32_t trader);

/* A number that two engines share, but for chance, only when books, queues, ids, trades, states and
 * how many traders are known are equal. Ended orders are not in it. */
uint64_t matching_engine_hash(const matching_engine *engine);

/* Walks every invariant. NULL, or what is broken (static string). Debug builds call it from
 * matching_engine_apply: after each command of an engine with small limits, of others now and
 * then. */
const char *matching_engine_check(const matching_engine *engine);

/* Called when an invariant does not hold (a bug): must not return. The embedding program's. */
_Noreturn void matching_engine_panic(const char *file, int line, const char *what);

#endif
