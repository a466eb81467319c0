/* The registry of connections: who is connected at which door since when, and what went both ways.
 *
 * Each door that has lasting connections makes a table, with a slot for each connection that it can
 * have. One thread writes a table, the door's, by plain stores: no lock, no read-modify-write. Any
 * thread reads. Counts may be a moment old, but never belong to another connection than the id
 * beside them.
 */
#ifndef MATCHING_CONNECTIONS_H
#define MATCHING_CONNECTIONS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/command.h"
#include "matching/core.h"
#include "matching/trace.h"

#define MATCHING_CONNECTION_ID_SIZE 37     /* a UUID's text, NUL included */
#define MATCHING_CONNECTION_REMOTE_SIZE 56 /* "[address]:port", NUL included */
#define MATCHING_CONNECTION_TABLES_MAX 8   /* of a core */
#define MATCHING_CONNECTION_WINDOW_S 10    /* what rates are taken over */
#define MATCHING_CONNECTION_IDENTITY_WORDS 15
#define MATCHING_CONNECTION_TRADER_WORD 3 /* where the trader is in an identity */

enum { /* what a connection counts */
       MATCHING_CONNECTION_MESSAGES_RECEIVED,
       MATCHING_CONNECTION_MESSAGES_SENT,
       MATCHING_CONNECTION_BYTES_RECEIVED,
       MATCHING_CONNECTION_BYTES_SENT,
       MATCHING_CONNECTION_ERRORS,
       MATCHING_CONNECTION_SUBSCRIPTIONS,
       MATCHING_CONNECTION_SEEN_MS, /* monotonic: when something last came from it */
       MATCHING_CONNECTION_COUNTS = 8
};

enum { /* what a table counts since its making; SUBSCRIPTIONS: of the connections that are open */
       MATCHING_CONNECTIONS_CLOSED,
       MATCHING_CONNECTIONS_OPENED,
       MATCHING_CONNECTIONS_SUBSCRIPTIONS,
       MATCHING_CONNECTIONS_SLOW_CLOSED,    /* too slow for what may not be left out */
       MATCHING_CONNECTIONS_SLOW_CONFLATED, /* messages that were left out, a newer one follows */
       MATCHING_CONNECTIONS_SLOW_PAUSED,    /* times that nothing more was read from one */
       MATCHING_CONNECTIONS_BYTES_RECEIVED,
       MATCHING_CONNECTIONS_BYTES_SENT,
       MATCHING_CONNECTIONS_RECEIVED, /* messages; from here on what a second's sample holds */
       MATCHING_CONNECTIONS_SENT,
       MATCHING_CONNECTIONS_ERRORS,
       MATCHING_CONNECTIONS_LATENCY_NS,
       MATCHING_CONNECTIONS_LATENCIES,
       MATCHING_CONNECTIONS_TOTALS
};

/* A slot. Members are for the functions below alone. */
typedef struct matching_connection {
    _Alignas(64) _Atomic uint64_t counts[MATCHING_CONNECTION_COUNTS];
    _Atomic uint64_t sequence; /* odd while the identity is being written */
    _Atomic uint64_t identity[MATCHING_CONNECTION_IDENTITY_WORDS];
} matching_connection;

/* A door's table. Likewise. */
typedef struct matching_connection_table {
    _Alignas(64) _Atomic uint64_t totals[MATCHING_CONNECTIONS_TOTALS];
    matching_connection *slots;
    struct connection_table_rest *rest;
} matching_connection_table;

/* A connection as it is listed. */
typedef struct matching_connection_info {
    const char *transport;
    char id[MATCHING_CONNECTION_ID_SIZE];         /* a UUID of version 4 */
    char trader_id[MATCHING_TRADER_MAX + 1];      /* "": it has named none yet */
    char remote[MATCHING_CONNECTION_REMOTE_SIZE]; /* the client's address */
    uint64_t connected_ms, seen_ms;               /* Unix time */
    uint64_t counts[MATCHING_CONNECTION_COUNTS];
} matching_connection_info;

/* All tables together. */
typedef struct matching_connections_metrics {
    uint64_t opened, active; /* connections: since the start, now */
    uint64_t messages_sent;  /* since the start */
    uint64_t subscriptions;  /* now */
    /* Of the last MATCHING_CONNECTION_WINDOW_S seconds, or since the start if that is less. */
    uint64_t messages_a_1000_s; /* how many would come and go in a thousand seconds at this rate */
    uint64_t received, errors;  /* messages; how many of them were answered by an error */
    uint64_t latency_ns, latencies; /* of acknowledged orders: the sum, and how many */
} matching_connections_metrics;

/* ---- For a door ------------------------------------------------------------------------------ */

/* A table with so many slots. transport: static, as in the ops. The core frees it. NULL: no memory,
 * no random numbers, or too many tables. Main thread, before the core starts. */
matching_connection_table *matching_connections_create(matching_core *core, const char *transport,
                                                       uint32_t max_connections);

/* The functions from here on are for the door's thread.
 *
 * A connection takes a slot that is free, below max_connections; low ones first keep lists short.
 * remote: its address. NULL: the system gives no random numbers for an id. */
matching_connection *matching_connection_open(matching_connection_table *table, uint32_t slot,
                                              const char *remote);

/* It has ended, which is logged; code: why, in the protocol's own terms. The slot is free again. */
void matching_connection_close(matching_connection_table *table, matching_connection *connection,
                               unsigned code);

/* The connection as it is listed now. False: it is not open. */
bool matching_connection_read(const matching_connection_table *table,
                              const matching_connection *connection,
                              matching_connection_info *info);

/* Once a second: keeps what rates are taken from. now_ns: monotonic. */
void matching_connections_second(matching_connection_table *table, uint64_t now_ns);

/* Below are the counts, which take some nanoseconds. */
static inline void matching_connection_add(_Atomic uint64_t *count, uint64_t more)
{
    uint64_t before = atomic_load_explicit(count, memory_order_relaxed);
    atomic_store_explicit(count, before + more, memory_order_release);
}

/* Bytes have come in. now_ms: monotonic. */
static inline void matching_connection_heard(matching_connection_table *table,
                                             matching_connection *connection, size_t bytes,
                                             uint64_t now_ms)
{
    matching_connection_add(&table->totals[MATCHING_CONNECTIONS_BYTES_RECEIVED], bytes);
    matching_connection_add(&connection->counts[MATCHING_CONNECTION_BYTES_RECEIVED], bytes);
    atomic_store_explicit(&connection->counts[MATCHING_CONNECTION_SEEN_MS], now_ms,
                          memory_order_release);
}

/* Bytes have gone out. */
static inline void matching_connection_wrote(matching_connection_table *table,
                                             matching_connection *connection, size_t bytes)
{
    matching_connection_add(&table->totals[MATCHING_CONNECTIONS_BYTES_SENT], bytes);
    matching_connection_add(&connection->counts[MATCHING_CONNECTION_BYTES_SENT], bytes);
}

/* A message has come in; one is on its way out; one was answered by an error. */
static inline void matching_connection_received(matching_connection_table *table,
                                                matching_connection *connection)
{
    matching_connection_add(&connection->counts[MATCHING_CONNECTION_MESSAGES_RECEIVED], 1);
    matching_connection_add(&table->totals[MATCHING_CONNECTIONS_RECEIVED], 1);
}
static inline void matching_connection_sent(matching_connection_table *table,
                                            matching_connection *connection)
{
    matching_connection_add(&connection->counts[MATCHING_CONNECTION_MESSAGES_SENT], 1);
    matching_connection_add(&table->totals[MATCHING_CONNECTIONS_SENT], 1);
}
static inline void matching_connection_failed(matching_connection_table *table,
                                              matching_connection *connection)
{
    matching_connection_add(&connection->counts[MATCHING_CONNECTION_ERRORS], 1);
    matching_connection_add(&table->totals[MATCHING_CONNECTIONS_ERRORS], 1);
}

/* A client is too slow for what it follows: one of MATCHING_CONNECTIONS_SLOW_*. */
static inline void matching_connection_slow(matching_connection_table *table, unsigned what)
{
    matching_connection_add(&table->totals[what], 1);
}

/* How many subscriptions it has now. */
static inline void matching_connection_subscribed(matching_connection_table *table,
                                                  matching_connection *connection, uint64_t now)
{
    _Atomic uint64_t *own = &connection->counts[MATCHING_CONNECTION_SUBSCRIPTIONS];
    uint64_t before = atomic_load_explicit(own, memory_order_relaxed);
    atomic_store_explicit(own, now, memory_order_release);
    matching_connection_add(&table->totals[MATCHING_CONNECTIONS_SUBSCRIPTIONS], now - before);
}

/* An order is acknowledged, so long after it came in. */
static inline void matching_connection_latency(matching_connection_table *table, uint64_t ns)
{
    matching_connection_add(&table->totals[MATCHING_CONNECTIONS_LATENCY_NS], ns);
    matching_connection_add(&table->totals[MATCHING_CONNECTIONS_LATENCIES], 1);
}

/* A message has named this trader (zero-padded; all zero: none, and the last one stays). */
void matching_connection_rename(matching_connection *connection,
                                const char trader_id[MATCHING_TRADER_MAX]);
static inline void matching_connection_trader(matching_connection *connection,
                                              const char trader_id[MATCHING_TRADER_MAX])
{
    const _Atomic uint64_t *known = &connection->identity[MATCHING_CONNECTION_TRADER_WORD];
    uint64_t words[MATCHING_TRADER_MAX / sizeof(uint64_t)], changed = 0;
    __builtin_memcpy(words, trader_id, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        changed |= words[i] ^ atomic_load_explicit(&known[i], memory_order_relaxed);
    }
    if (changed != 0 && trader_id[0] != '\0') {
        matching_connection_rename(connection, trader_id);
    }
}

/* ---- For a door whose connections come and go with their requests, and are in no table ----- */

/* What went over one connection of HTTP; bytes are those of bodies. The door's own. */
typedef struct matching_http_traffic {
    uint64_t since_ns; /* monotonic */
    uint64_t requests, answers, bytes_received, bytes_sent;
    uint64_t errors; /* answers that refuse something, such as those with a status from 400 on */
    unsigned last_status; /* of the last answer; 0: there was none */
    char id[MATCHING_CONNECTION_ID_SIZE];
    char trader_id[MATCHING_TRADER_MAX + 1]; /* the last one that was named; "": none */
    char remote[MATCHING_CONNECTION_REMOTE_SIZE];
    matching_span span; /* of the connection; its requests' spans have it as their link */
} matching_http_traffic;

/* A connection begins, and its span does. address: the client's, without the port; "": unknown. */
void matching_http_began(matching_http_traffic *traffic, const char *address, unsigned port);

/* A command came over it, whose trader may be named. */
void matching_http_named(matching_http_traffic *traffic, const matching_command *command);

static inline void matching_http_answered(matching_http_traffic *traffic, unsigned status,
                                          size_t bytes)
{
    traffic->answers++;
    traffic->bytes_sent += bytes;
    traffic->errors += status >= 400;
    traffic->last_status = status;
}

/* One that lasts, though in no table, has ended: the line that matching_connection_close writes of
 * those in one. info: all but the times. */
void matching_connection_ended(const matching_connection_info *info, uint64_t duration_ms,
                               unsigned code);

/* It has ended, which is logged like that of one in a table, the last status being its code. span:
 * its name, static. address: as at the beginning. */
void matching_http_ended(const char *transport, const char *span, const char *address,
                         matching_http_traffic *traffic);

/* ---- For any thread -------------------------------------------------------------------------- */

/* The first connection at *position or behind it; moves *position behind that one. False: there is
 * none. Begin with 0. A connection keeps its place as long as it lasts, so whoever walks through to
 * the end sees each that was there all the time exactly once. */
bool matching_connections_next(const matching_core *core, uint64_t *position,
                               matching_connection_info *info);

/* The totals of one door's table; numbers from 0. False: there are no more tables. */
bool matching_connections_totals(const matching_core *core, uint32_t number, const char **transport,
                                 uint64_t totals[MATCHING_CONNECTIONS_TOTALS]);

void matching_connections_measure(const matching_core *core, matching_connections_metrics *metrics);

#endif
