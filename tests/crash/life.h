/* One life of a core on a data directory: what it is told to do and what it got done, in memory
 * that outlives it. The test program plans a life (driver.h), the child program (child.c) lives it,
 * and whatever ends it, the log says what was acknowledged until then.
 *
 * Thread: the test program writes before the child starts and reads after it has ended; in between
 * the memory is the child's. Whatever has a state is complete once the state says so.
 */
#ifndef MATCHING_TESTS_CRASH_LIFE_H
#define MATCHING_TESTS_CRASH_LIFE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "matching/core.h"
#include "matching/port.h"

#define LIFE_SHARDS_MAX 4
#define LIFE_SYMBOLS 6      /* configured instruments */
#define LIFE_SYMBOLS_MAX 16 /* ... with those added */
#define LIFE_STEPS_MAX 6000
#define LIFE_ORDERS_MAX 150 /* that work, of a shard */
/* Of all shards: a trade ends its taker, or a slice of its maker. An iceberg has a thousand slices
 * at most, and as many again with each amend. */
#define LIFE_TRADES_MAX (1002u * (LIFE_STEPS_MAX + LIFE_SHARDS_MAX * LIFE_ORDERS_MAX))
#define LIFE_PATH_SIZE 128

typedef enum life_stage {
    LIFE_BEGUN = 0,
    LIFE_REFUSED,   /* matching_core_create said no, see error */
    LIFE_RECOVERED, /* `recovered` is set */
    LIFE_STOPPED    /* ended by itself, cleanly */
} life_stage;

typedef enum life_state { STEP_PLANNED = 0, STEP_SENT, STEP_ANSWERED } life_state;

/* A command or read, and its reply. */
typedef struct life_step {
    matching_command command; /* its instrument is set from `symbol` when it is sent */
    int64_t expire_in_ms;     /* GTD: from when it is sent */
    uint8_t symbol;           /* number of the instrument's name, see life_symbol */
    _Atomic uint8_t state;    /* life_state */
    /* Of the reply. */
    uint8_t field, has_order;
    uint16_t code;
    uint32_t shard;
    uint64_t sequence;
    uint64_t digest; /* of all that it says, see life_digest */
} life_step;

typedef struct life_trade {
    uint32_t shard;
    matching_event event;
} life_trade;

typedef struct life {
    /* The set-up. */
    char folder[LIFE_PATH_SIZE];  /* the data directory */
    char archive[LIFE_PATH_SIZE]; /* gets a copy of each segment that is removed */
    unsigned shards;
    matching_sync sync;
    unsigned sync_interval_ms;
    uint64_t segment_bytes, snapshot_every;
    uint64_t max_orders, max_levels, max_traders, retained_orders;
    unsigned window;      /* commands in flight */
    unsigned tell_after;  /* answers until it writes a line; more than there are steps: never */
    unsigned snapshot_at; /* answers until it asks for a snapshot; likewise */
    unsigned notice_ms;   /* how long a failure may take to be noticed */
    bool lingers;         /* is there to be killed; else it ends by itself */
    bool has_history;     /* keeps a store; its reads look at memory all the same */
    bool sees_snapshot;   /* ends when the snapshot that it asked for is there */
    bool frees_journal;   /* has its history write files, and what these hold leave the journal */

    /* The log. */
    _Atomic int stage; /* life_stage */
    char error[700];
    char
        passed_over[300]; /* what the start said of a snapshot that it could not use; "": nothing */
    char trouble[400];    /* ... of a torn tail, likewise */
    struct {
        uint64_t sequence, state_hash;
        uint32_t checksum; /* of all that a snapshot would hold */
    } recovered[LIFE_SHARDS_MAX];
    bool had_fault;               /* at the end, before it stopped: the shim's call had come */
    bool failed[LIFE_SHARDS_MAX]; /* likewise: not healthy */
    char why[LIFE_SHARDS_MAX][200];
    uint64_t last_event[LIFE_SHARDS_MAX]; /* sequence of the last one delivered */
    unsigned lapped;
    _Atomic unsigned answered;
    unsigned step_count;
    life_step steps[LIFE_STEPS_MAX];
    _Atomic unsigned trade_count;
    life_trade trades[LIFE_TRADES_MAX]; /* only the first trade_count are ever touched */
} life;

/* Memory for one, zero-filled; *fd is what the child maps. Ends the program where there is none. */
life *life_create(int *fd);
life *life_map(int fd);

/* The name of the n-th symbol, those that are added later included. */
const char *life_symbol(unsigned number);
int64_t life_tick_size(unsigned number);
int64_t life_lot_size(unsigned number);

/* All that a reply says but where it stands: code, field, order, lists. */
uint64_t life_digest(const matching_reply *reply);

#endif
