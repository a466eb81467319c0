/* A core on the test bench: shards that the test drives step by step, and ports that keep a log of
 * all that came out of them, in the order in which it came.
 *
 * By hand (bench_init) there is one thread, the test's: nothing happens until it says so, and the
 * gate can be held. Running (bench_init_running) the shards have their own threads.
 */
#ifndef MATCHING_TESTS_SHARD_BENCH_H
#define MATCHING_TESTS_SHARD_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/core.h"
#include "matching/gateway.h"
#include "matching/port.h"
#include "shard/core_internal.h"

#define BENCH_INSTRUMENTS 16
#define BENCH_PORTS_MAX 4
#define BENCH_DEADLINE_MS 20000

typedef enum entry_kind { ENTRY_REPLY, ENTRY_EVENT, ENTRY_LAPPED } entry_kind;

/* Something that a port delivered. Arrays are copies, owned by the probe. */
typedef struct entry {
    entry_kind kind;
    unsigned shard;
    uint64_t position;    /* EVENT */
    matching_event event; /* EVENT */
    matching_order order; /* EVENT of an order */
    matching_reply reply; /* REPLY; its arrays are the copies below */
    matching_trade *trades;
    uint64_t *order_ids;
    matching_order *orders;
    matching_candle *candles;
    matching_depth depth;   /* of a depth read */
    matching_ticker ticker; /* of a ticker read */
} entry;

typedef struct probe {
    matching_port *port;
    entry *log;
    size_t count, room;
    atomic_uint wakes;
    /* May be set: called inside on_reply after it was logged, and inside wake. */
    void (*at_reply)(struct probe *probe, const matching_reply *reply);
    void (*at_wake)(struct probe *probe);
    void *context;
} probe;

typedef struct bench_options {
    unsigned shards;          /* 0: 1 */
    unsigned ports;           /* 0: 1 */
    unsigned ring_size;       /* 0: 256 */
    unsigned event_ring_size; /* 0: 65536 */
    unsigned batch_size;      /* 0: 100 */
    uint64_t max_orders;      /* 0: 20000 */
    uint64_t retained_orders; /* 0: 20000 */
    unsigned max_instruments; /* 0: 64 */
    bool memory_at_start;     /* as a service has it by default */
    bool deaf;                /* the ports do not listen to events */
    bool defaults;            /* nobody asked for these instruments */
    const char *data_dir;     /* NULL: in memory */
    matching_sync sync;       /* 0: COMMIT */
    uint64_t segment_bytes;   /* 0: 1 MiB */
    uint64_t snapshot_every;  /* 0: only on request */
    unsigned instruments;     /* the first so many of BENCH_INSTRUMENTS; 0: all */
    int64_t tick_size;        /* of all of them; 0: 1 */
    uint64_t max_traders;     /* 0: 100 */
    uint64_t max_levels;      /* 0: as many as orders */
    unsigned recent_trades;   /* 0: 1000 */
    void (*on_note)(void *context, const char *line);
    void *note_context;
    /* May be set: the core is made, and not started yet. */
    void (*at_create)(void *context, matching_core *core);
    void *create_context;
} bench_options;

typedef struct bench {
    matching_core *core;
    probe probes[BENCH_PORTS_MAX];
    unsigned port_count;
} bench;

void bench_init(bench *b, const bench_options *options);
void bench_init_running(bench *b, const bench_options *options);
void bench_fini(bench *b);

/* A core that cannot be made: the errno, with its message in error. */
int bench_refused(const bench_options *options, char *error, size_t error_size);

/* Ends it as a process that dies does: everything safe stays, nobody takes leave. */
void bench_die(bench *b);

/* By hand: lets every shard work until none has anything to do. Returns how many turns did work. */
unsigned bench_step(bench *b);

/* By hand: shards and ports in turn until neither has anything to do. */
void bench_settle(bench *b);

/* By hand: closes the gate of a shard after this command; the next step opens it again. */
void bench_hold_gate(bench *b, unsigned number, uint64_t durable_sequence);

/* Polls the port until this many replies are in its log, or fails the test at the deadline. */
void bench_wait_replies(probe *p, size_t replies);

/* The n-th instrument (0, 1, ...) of a shard. */
const matching_instrument *bench_instrument(const bench *b, unsigned number, unsigned n);

/* Commands as the gateway makes them. */
matching_command limit_order(const matching_instrument *instrument, const char *trader,
                             matching_side side, int64_t price_ticks, int64_t quantity_lots);
matching_command cancel_by_id(uint64_t order_id);
matching_command cancel_everything(const char *trader);
matching_command read_command(matching_command_type type, const matching_instrument *instrument,
                              uint32_t limit);

/* Submits with this tag and flushes; the answer of submit. */
matching_code submit(probe *p, matching_command command, uint64_t tag);

/* Of a log: the n-th entry of a kind, NULL beyond the last; how many; the reply with this tag. */
const entry *entry_of(const probe *p, entry_kind kind, size_t n);
size_t count_entries(const probe *p, entry_kind kind);
const entry *reply_of(const probe *p, uint64_t tag);
size_t count_replies_of(const probe *p, uint64_t tag);
size_t index_of(const probe *p, const entry *e);
void forget(probe *p);

/* The engine's own verdict on its invariants and a number that stands for its state. */
void assert_books_are_sound(const bench *b);
uint64_t state_of(const bench *b);

#endif
