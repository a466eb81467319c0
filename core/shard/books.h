/* All that a shard's commands lead to, and nothing else: the engine with what is derived from its
 * events, and the instruments that were added. The shard's thread owns the living one; recovery
 * builds it, the snapshot worker and the tools have one of their own. Replaying the same commands
 * gives equal ones.
 *
 * Thread: one at a time.
 */
#ifndef MATCHING_BOOKS_H
#define MATCHING_BOOKS_H

#include "engine/engine.h"
#include "engine/state.h"
#include "market/recent_trades.h"
#include "market/ticker.h"
#include "matching/core.h"

typedef struct books {
    matching_engine_limits limits;
    matching_engine *engine;
    void *engine_memory;
    size_t engine_bytes;
    unsigned recent_capacity;
    recent_trades *recent;            /* by instrument index; of other shards' unused */
    ticker *tickers;                  /* by instrument index; of other shards' unused */
    matching_instrument *instruments; /* by index; symbol "" for what is not of this shard */
    uint8_t *states;                  /* matching_state, by index; of this shard's */
    unsigned instrument_end;          /* one past the highest index of this shard */
    matching_trade *trade_memory;     /* pages, touched as used */
    ticker_minute *ticker_memory;
    matching_event *scratch;       /* events of a replay, for a moment */
    struct shard_metrics *metrics; /* where a living shard's trades are counted; else NULL */
    uint64_t sequence;             /* of the last command */
    uint64_t time_ns;              /* of the last command, never going back */
} books;

/* Takes the memory and makes empty ones. 0, or a negative errno and nothing to undo. */
int books_init(books *b, const matching_engine_limits *limits, unsigned recent_capacity);
void books_fini(books *b);

/* An event of the engine: trades become recent ones and count in the ticker, states and additions
 * are noted. `name` leads from trader numbers to names: the engine itself. */
void books_note(books *b, const matching_event *event);

/* Trade event to what the outside sees. */
void books_trade_of(const books *b, const matching_event *event, matching_trade *trade);

/* The order that follows an ORDER event in the ring, which it may wrap around. */
void books_order_after(const matching_event_sink *sink, uint64_t position, matching_order *order);

/* Applies a command that has its sequence and time, and notes its events; for replay, where nobody
 * listens. reply may be NULL. */
void books_replay(books *b, const matching_command *command, matching_reply *reply);

/* Takes an event of a replay; order: for ORDER events, else NULL. Valid during the call only. */
typedef void books_listener(void *context, const matching_event *event,
                            const matching_order *order);

/* The same for somebody who wants to hear of all events, ORDER events of everybody among them. What
 * is kept of trades (recent ones, tickers) is left as it was. */
void books_replay_told(books *b, const matching_command *command, books_listener *listener,
                       void *context);

/* The whole to bytes and back (books_state.c): into ones just initialised with the same limits and
 * recent_trades of its own (fewer: the oldest are left out). sequence and time_ns are the caller's
 * to set. */
bool books_save(const books *b, const matching_state_output *output);
const char *books_load(books *b, const matching_state_input *input);

#endif
