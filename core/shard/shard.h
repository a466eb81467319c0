/* A shard: one engine with its books, fed by the ports' rings, read through its broadcast ring.
 *
 * shard_poll() is the whole of its work; its own thread calls it in a loop. While that sleeps, a
 * port with a few commands calls it instead (shard_serve): waking a thread for them takes longer
 * than they do. Whoever calls it owns the engine outright: nothing else touches a book, no lock, no
 * atomic beyond ring positions and the gate.
 *
 * The gate (gate.h): replies and events leave only once durable_sequence has reached their command.
 */
#ifndef MATCHING_SHARD_H
#define MATCHING_SHARD_H

#include <pthread.h>

#include "journal/writer.h"
#include "matching/core.h"
#include "matching/port.h"
#include "shard/ahead.h"
#include "shard/books.h"
#include "shard/broadcast.h"
#include "shard/ring.h"

/* What travels back to a port. What most replies have set lies in the first two cache lines. */
typedef struct shard_reply {
    void *payload; /* the command's */
    matching_reply reply;
} __attribute__((aligned(64))) shard_reply;

_Static_assert(offsetof(shard_reply, reply.order.client_order_id) + 2 <= 128,
               "what a brief reply has of an order ends with its second cache line");

#define GATHER_TRADES_INLINE 4

/* What a reply brings beyond its order. The shard fills it in between submit and reply; the port
 * owns it before and after. Reads go into memory that came along; how many trades or ids a command
 * will bring nobody knows before, so they travel beside the reply, through the port's ring of
 * extras. */
typedef struct gather_part {
    struct gather *owner;
    matching_order_page page; /* READ_ORDERS, READ_OPEN_ORDERS */
    matching_depth depth;     /* READ_DEPTH */
    matching_ticker ticker;   /* READ_TICKER */
    matching_trade *trades;   /* READ_TRADES: room for command.limit; PLACE, AMEND: the port's */
    size_t trade_count;
    uint64_t *order_ids; /* CANCEL_ALL: the port's; heap */
    size_t order_id_count;
    matching_candle *candles; /* READ_CANDLES: room for command.limit */
    uint64_t extras;          /* slots of the ring that hold its trades or ids */
    uint64_t sequence;        /* reads: of the shard's last command before it */
    uint64_t newest_id;       /* READ_ORDERS: the last order id that had been given out by then */
    bool complete;  /* READ_ORDER, READ_ORDERS, READ_TRADES: memory has all there is to it */
    bool truncated; /* more trades than a reply tells, or no memory for them or the ids */
    matching_trade first_trades[GATHER_TRADES_INLINE]; /* so that most replies need no heap */
} gather_part;

/* A slot of a ring of extras: a trade, or some of the ids that a mass cancel ended. */
#define EXTRA_IDS (sizeof(matching_event) / sizeof(uint64_t))

typedef union shard_extra {
    matching_event trade;
    uint64_t order_ids[EXTRA_IDS];
} shard_extra;

/* What a port waits for; each on a cache line of its own. */
typedef struct shard_wanted {
    _Alignas(64) _Atomic uint64_t sequence;
} shard_wanted;

typedef struct shard {
    matching_core *core;
    unsigned number;
    unsigned port_count;
    unsigned batch_size;
    unsigned spin_us;
    int cpu; /* -1: anywhere */
    books books;
    journal *journal; /* NULL: everything in memory */
    broadcast events;
    matching_event *event_memory;
    ring *commands;       /* by port number: port -> shard, matching_command */
    ring *replies;        /* by port number: shard -> port, shard_reply */
    ring *extras;         /* by port number: shard -> port, shard_extra */
    uint64_t extra_slots; /* of each of them */
    ahead_marks ahead;
    uint64_t noted;         /* events before this position were looked at for what follows */
    gather_part *gathering; /* of the command that is being applied; NULL: it gathers nothing */
    const matching_command *gathering_for;
    const matching_reply *gathering_reply;
    ring *gathering_extras;
    unsigned polled_port;  /* whose commands are being applied; PORTS_MAX: the shard's own */
    bool *answered;        /* by port number: it has replies that did not go to the gate yet */
    bool has_shown_events; /* and events, which anybody may have */
    uint64_t shown;        /* commands whose replies can be seen, but did not go to the gate yet */
    shard_wanted *wanted; /* by port number: the last sequence of which there is something for it */
    pthread_t thread;
    bool running;
    int wake_fd;
    unsigned serve_max;      /* commands of a port for which the thread is not woken */
    pthread_mutex_t polling; /* held by whoever may call shard_poll; the thread lets go to sleep */
    matching_port *server;   /* the port on whose thread that is; NULL: it is the shard's own */
    _Alignas(64) _Atomic uint64_t durable_sequence;
    _Atomic uint64_t complete_sequence; /* the replies up to this one are published; events above it
                                           are those of a command that is not through, and */
    _Atomic unsigned unfinished_port;   /* ... this port's */
    _Alignas(64) atomic_bool sleeping;
    atomic_bool stopping;
    uint64_t snapshot_due; /* the flusher's: the next one is made once this sequence is safe */
    atomic_bool failed;    /* the journal has; commands are answered INTERNAL_ERROR */
    _Atomic(const char *) warning; /* what the journal warns of; NULL or "": nothing */
    atomic_bool starving;          /* a command waits for room among its port's extras */
    struct shard_metrics *metrics; /* NULL: there are none */
    struct shard_traces *traces;   /* NULL: none are recorded */
} shard;

/* Takes a batch from every port, applies it, publishes what came of it. True if there was any. The
 * shard's thread, or one that holds `polling`. */
bool shard_poll(shard *shard);

/* Starts and ends the thread. start: 0 or a negative errno. stop: applies what is in the rings. */
int shard_start(shard *shard);
void shard_stop(shard *shard);

/* Wakes the shard if it sleeps. Any thread. Sleeper and waker both exchange the flag: whoever comes
 * second sees what the first did before, so either the shard sees the commands or the waker sees it
 * asleep. */
void shard_wake(shard *shard);

/* A port has published commands, so many: they are applied here and now if the shard sleeps and
 * they are few, else it is woken. On the port's thread, which must be ready to be handed replies
 * and events: a command with more events than the ring holds goes on only as they are taken. */
void shard_serve(shard *shard, matching_port *port, uint64_t count);

/* A port has made room among its extras: wakes the shard if it waits for that. The same
 * hand-shake. */
void shard_feed(shard *shard);

#endif
