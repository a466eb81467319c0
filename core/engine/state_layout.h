/* The bytes of a saved engine; docs/snapshots.md tells them in words. Numbers are little-endian.
 *
 *   state_head
 *   state_trader    head.traders of them, by number
 *   state_book      head.instruments of them, by index
 *   orders          head.orders of them, working and ended, in batches of STATE_BATCH (the last may
 *                   be shorter): the state_orders of the batch, then the details of each that has
 *                   some: if it has ended uint64_t end_mark; STATE_HAS_SURPLUS: uint64_t low, high;
 *                   STATE_HAS_EXTRA: state_extra
 *   queues          for each book, for each of its four sides: uint64_t count, then as many ids of
 *                   orders (uint64_t), best level first, each level's oldest first
 *   traders' lists  head.working ids, by trader, each one's oldest first
 *
 * An order's place among the orders of the file follows from its number (engine_internal.h says
 * which slot that leads to), so that it is written and read in the order of memory.
 */
#ifndef MATCHING_ENGINE_STATE_LAYOUT_H
#define MATCHING_ENGINE_STATE_LAYOUT_H

#include "engine/orders.h"

#define STATE_VERSION 1u
#define STATE_BATCH 128u
#define STATE_IDS 512u /* read or written at once */

typedef struct state_head {
    uint32_t version;
    uint32_t instruments;
    uint32_t shard, shard_bits;
    uint64_t max_orders, max_levels, max_traders, retained_orders;
    uint64_t traders;
    uint64_t orders;      /* that can be read, working and ended */
    uint64_t working;     /* of these */
    uint64_t last_number; /* of the newest order */
    uint64_t ended_count; /* orders that have ever ended */
    uint64_t reserved;
} state_head;

typedef struct state_trader {
    char name[MATCHING_TRADER_MAX];
} state_trader;

typedef struct state_book {
    uint64_t last_trade_id;
    uint64_t depth_sequence;
    int64_t last_price_ticks;
    int64_t tick_size, lot_size;
    uint8_t state;
    uint8_t reserved[7];
} state_book;

enum {
    STATE_HAS_SURPLUS = 1,
    STATE_HAS_EXTRA = 2,
    STATE_OWNS_CLIENT_ID = 4 /* its client id leads to it, not to another order of that id */
};

typedef struct state_order {
    uint64_t order_id;
    int64_t price_ticks;
    int64_t quantity_lots;
    int64_t remaining_lots;
    uint64_t created_ns;
    uint64_t updated_ns;
    uint32_t trader; /* number, from 1 */
    uint16_t instrument;
    uint8_t side;
    uint8_t type;
    uint8_t time_in_force;
    uint8_t status;
    uint8_t reason;
    uint8_t flags; /* ORDER_* without ORDER_LOADED */
    uint8_t has;   /* STATE_* */
    uint8_t reserved[3];
} state_order;

typedef struct state_extra {
    int64_t visible_lots;
    int64_t display_lots;
    int64_t stop_price_ticks;
    uint64_t expire_time_ms;
    char client_order_id[CLIENT_ID_BYTES];
    uint32_t reserved;
} state_extra;

_Static_assert(sizeof(state_head) == 96 && offsetof(state_head, traders) == 48, "it is pinned");
_Static_assert(sizeof(state_trader) == 32, "the format is pinned");
_Static_assert(sizeof(state_book) == 48, "the format is pinned");
_Static_assert(sizeof(state_order) == 64, "the format is pinned");
_Static_assert(offsetof(state_order, trader) == 48, "the format is pinned");
_Static_assert(offsetof(state_order, has) == 60, "the format is pinned");
_Static_assert(sizeof(state_extra) == 72, "the format is pinned");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "structs are written as they are");

#define STATE_DETAIL_MAX (24u + sizeof(state_extra)) /* bytes of one order's details */

#endif
