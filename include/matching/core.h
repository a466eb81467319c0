/* The core: shards with their engines and journals, and the table of instruments.
 *
 * Life: create -> (ports are created) -> start -> ... -> ports drained -> stop -> destroy, all on
 * the main thread. Look-ups are for any thread.
 */
#ifndef MATCHING_CORE_H
#define MATCHING_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/codes.h"
#include "matching/command.h"

#define MATCHING_SHARDS_MAX 64
#define MATCHING_INSTRUMENTS_MAX 65535

/* When a command counts as safe, and its reply leaves (the name journal.sync of the
 * configuration). */
typedef enum matching_sync {
    MATCHING_SYNC_COMMIT = 0,   /* once it is on disk */
    MATCHING_SYNC_INTERVAL = 1, /* once written; on disk every sync_interval_ms */
    MATCHING_SYNC_NONE = 2      /* once written; on disk when the system likes */
} matching_sync;

typedef struct matching_core matching_core;

typedef struct matching_instrument {
    char symbol[MATCHING_SYMBOL_MAX + 1]; /* NUL-terminated */
    uint32_t id;                          /* what clients know it by, from 1 */
    uint16_t index;                       /* position in the table, what commands and events use */
    uint8_t shard;
    char sbe_char;     /* 0: none */
    int64_t tick_size; /* mantissas of 10^-8 */
    int64_t lot_size;
} matching_instrument;

typedef struct matching_instrument_options {
    char symbol[MATCHING_SYMBOL_MAX + 1];
    uint32_t id; /* 0: one above the highest so far */
    char sbe_char;
    int64_t tick_size;
    int64_t lot_size;
} matching_instrument_options;

typedef struct matching_core_options {
    const matching_instrument_options *instruments; /* copied */
    size_t instrument_count;                        /* 1 ... max_instruments */
    bool instruments_are_defaults; /* nobody asked for them: only for a new data directory */
    unsigned max_instruments;      /* with those added later; at most MATCHING_INSTRUMENTS_MAX */
    unsigned shards;               /* 1 ... MATCHING_SHARDS_MAX; 0: one for each two cores */
    unsigned ring_size;  /* commands in flight of a (port, shard), rounded up to a power of two */
    unsigned batch_size; /* commands a shard takes before it publishes */
    unsigned event_ring_size; /* events a shard keeps for its readers, power of two; 0: default */
    uint64_t max_orders;      /* working orders of a shard */
    uint64_t max_levels;      /* price levels of a shard; 0: as many as orders */
    uint64_t max_traders;     /* trader ids a shard can know */
    uint64_t retained_orders; /* ended orders a shard can still tell of */
    bool memory_at_start;     /* not as orders come; if within an eighth of what there is */
    unsigned recent_trades;   /* trades kept for each instrument */
    unsigned spin_us;         /* how long an idle shard looks before it sleeps */
    unsigned serve_max;       /* a port's commands that run on its thread while the shard sleeps */
    const int *cpu_affinity;  /* CPU of each shard, NULL: anywhere */
    size_t cpu_affinity_count;
    const char *data_dir;      /* where journals and snapshots are; NULL: all in memory */
    matching_sync sync;        /* when a reply leaves */
    unsigned sync_interval_ms; /* with MATCHING_SYNC_INTERVAL */
    uint64_t segment_bytes;    /* of a journal's file */
    uint64_t snapshot_every;   /* commands of a shard; 0: only on request */
    bool metrics;              /* counts and measures are kept (metrics.h) */
    /* While the shards are recovered, on the caller's thread; each may be NULL. What is done with a
     * shard and how far it is, 0 ... 1; and lines to be read, "warn: " before what is unusual. */
    void (*on_progress)(void *context, unsigned shard, const char *what, double fraction);
    void (*on_note)(void *context, const char *line);
    void *progress_context;
} matching_core_options;

/* Fills in the defaults (everything but the instruments). */
void matching_core_options_default(matching_core_options *options);

/* Takes all memory that the shards will ever use; with a data directory takes that too, and brings
 * the shards to where its journals end. NULL on failure, with the reason and what to do in error
 * (NUL-terminated) and errno set: EBADMSG where what is in the directory is damaged or contradicts
 * the options; then nothing in it was changed. */
matching_core *matching_core_create(const matching_core_options *options, char *error,
                                    size_t error_size);

/* Starts the shard threads. 0, or a negative errno with the reason in error. */
int matching_core_start(matching_core *core, char *error, size_t error_size);

/* Applies what the ports have submitted, then ends the shard threads and closes the journals. Ports
 * must be drained. */
void matching_core_stop(matching_core *core);

/* Frees everything, ports included. */
void matching_core_destroy(matching_core *core);

unsigned matching_core_shard_count(const matching_core *core);

/* Does the shard still take commands? False: writing its journal failed, with the reason in why
 * (NUL-terminated). It then answers INTERNAL_ERROR until the process is started again; whether what
 * was answered so is in the journal only that start shows. Any thread, without a lock. */
bool matching_core_shard_is_healthy(const matching_core *core, unsigned shard, char *why,
                                    size_t why_size);

/* All of them; why names the first one that does not. Any thread, without a lock. */
bool matching_core_is_healthy(const matching_core *core, char *why, size_t why_size);

/* What may keep the shard from taking commands soon, but does not yet: no room on the disk, or no
 * descriptor, for the journal's next file. "": nothing. A static string. Any thread, without a
 * lock. */
const char *matching_core_shard_warning(const matching_core *core, unsigned shard);

/* How far a shard is: its commands that are safe, and the records of events that it has published
 * since the start (one about an order counts six). Any thread, without a lock. */
typedef struct matching_progress {
    uint64_t commands, events;
} matching_progress;
matching_progress matching_core_shard_progress(const matching_core *core, unsigned shard);

/* What became of a requested snapshot of one shard. */
typedef struct matching_snapshot_result {
    uint64_t sequence; /* of the shard's newest good snapshot, 0: it has none */
    bool failed;       /* the attempt that was asked for failed; sequence is an older one's */
} matching_snapshot_result;

/* Asks for a snapshot of every shard that holds at least what was acknowledged before the call.
 * MATCHING_OK with *ticket set, never 0; snapshots under way do not keep it from being taken, and
 * nothing has to be given back. INVALID_PARAMETER: the core has no journal. SHUTTING_DOWN: the core
 * is being stopped. Any thread; does not wait for a disk. */
matching_code matching_core_request_snapshot(matching_core *core, uint64_t *ticket);

/* True once all shards are through with it, well or not: results then has one entry a shard.
 * A shard whose journal has failed, or fails meanwhile, is through with it: failed. So is one that
 * warns (see above) of what the snapshot waits for: within about a second. Any thread; does not
 * wait for a disk. */
bool matching_core_snapshot_done(matching_core *core, uint64_t ticket,
                                 matching_snapshot_result *results);

/* Instruments by index 0 ... count - 1, the configured ones first, in their order, then those added
 * while the core runs. NULL beyond, and for one whose addition is still under way in another shard.
 * An instrument that has been found stays and never changes, but for its state. No look-up
 * locks. */
size_t matching_core_instrument_count(const matching_core *core);
const matching_instrument *matching_core_instrument(const matching_core *core, size_t index);

/* max_instruments: the count never passes it. */
size_t matching_core_instrument_limit(const matching_core *core);

/* By name (not NUL-terminated); NULL if there is none. */
const matching_instrument *matching_core_find_instrument(const matching_core *core,
                                                         const char *symbol, size_t length);

/* The instrument's present state; halted beyond the table. */
matching_state matching_core_state(const matching_core *core, size_t index);

/* The name behind a trader number of an event. NUL-terminated, lives as long as the core. */
const char *matching_core_trader(const matching_core *core, unsigned shard, uint32_t trader);

/* Decimal mantissas (10^-8) of a number of ticks and lots. Exact for every legal value. */
static inline int64_t matching_price_of(const matching_instrument *instrument, int64_t ticks)
{
    return ticks * instrument->tick_size;
}
static inline int64_t matching_quantity_of(const matching_instrument *instrument, int64_t lots)
{
    return lots * instrument->lot_size;
}

/* Average price of an order's fills as a mantissa, rounded half up to eight decimals; 0: no
 * fill. */
int64_t matching_average_price(const matching_instrument *instrument, const matching_order *order);

/* Clocks as the core uses them, in nanoseconds: Unix time; monotonic. */
uint64_t matching_unix_ns(void);
uint64_t matching_monotonic_ns(void);

#endif
