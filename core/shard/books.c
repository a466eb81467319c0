/* See books.h. Saving and loading is in books_state.c. */
#define _GNU_SOURCE
#include "shard/books.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "metrics/recorder.h"
#include "shard/pages.h"

#define SCRATCH_SLOTS 4096u

static size_t trade_bytes(const books *b)
{
    return (size_t)b->limits.instruments * b->recent_capacity * sizeof(matching_trade);
}

static size_t ticker_bytes(const books *b)
{
    return b->limits.instruments * TICKER_BYTES;
}

/* An instrument that trades for the first time, also one that is added later, finds its place here;
 * until then that costs addresses, no memory. */
static bool take_memory(books *b)
{
    uint32_t instruments = b->limits.instruments;
    b->engine_memory = pages_take(b->engine_bytes);
    b->trade_memory = pages_take(trade_bytes(b));
    b->ticker_memory = pages_take(ticker_bytes(b));
    b->scratch = pages_take(SCRATCH_SLOTS * sizeof *b->scratch);
    b->recent = calloc(instruments, sizeof *b->recent);
    b->tickers = calloc(instruments, sizeof *b->tickers);
    b->instruments = calloc(instruments, sizeof *b->instruments);
    b->states = calloc(instruments, sizeof *b->states);
    return b->engine_memory != NULL && b->trade_memory != NULL && b->ticker_memory != NULL &&
           b->scratch != NULL && b->recent != NULL && b->tickers != NULL &&
           b->instruments != NULL && b->states != NULL;
}

int books_init(books *b, const matching_engine_limits *limits, unsigned recent_capacity)
{
    *b = (books){.limits = *limits, .recent_capacity = recent_capacity};
    b->engine_bytes = matching_engine_size(limits);
    if (b->engine_bytes == 0) {
        return -EINVAL;
    }
    if (!take_memory(b)) {
        books_fini(b);
        return -ENOMEM;
    }
    madvise(b->engine_memory, b->engine_bytes, MADV_HUGEPAGE); /* a wish: its arrays are large */
    b->engine = matching_engine_init(b->engine_memory, limits);
    for (size_t i = 0; i < limits->instruments; i++) {
        b->recent[i].capacity = recent_capacity;
        b->recent[i].trades = b->trade_memory + i * recent_capacity;
        b->tickers[i].closed = b->ticker_memory + i * TICKER_MINUTES;
    }
    return 0;
}

void books_fini(books *b)
{
    pages_give(b->engine_memory, b->engine_bytes);
    pages_give(b->trade_memory, trade_bytes(b));
    pages_give(b->ticker_memory, ticker_bytes(b));
    pages_give(b->scratch, SCRATCH_SLOTS * sizeof *b->scratch);
    free(b->recent);
    free(b->tickers);
    free(b->instruments);
    free(b->states);
    *b = (books){0};
}

void books_trade_of(const books *b, const matching_event *event, matching_trade *trade)
{
    bool buys = event->side != MATCHING_SELL; /* without a taker (auction) the buyer stands there */
    const char *maker = matching_engine_trader(b->engine, event->trade.maker_trader);
    const char *taker = matching_engine_trader(b->engine, event->trade.taker_trader);
    trade->trade_id = event->trade.trade_id;
    trade->price_ticks = event->trade.price_ticks;
    trade->quantity_lots = event->trade.quantity_lots;
    trade->time_ns = event->time_ns;
    trade->buy_order_id = buys ? event->trade.taker_order_id : event->trade.maker_order_id;
    trade->sell_order_id = buys ? event->trade.maker_order_id : event->trade.taker_order_id;
    trade->instrument = event->instrument;
    trade->taker_side = event->side;
    memcpy(trade->buyer, buys ? taker : maker, sizeof trade->buyer);
    memcpy(trade->seller, buys ? maker : taker, sizeof trade->seller);
}

static void note_addition(books *b, const matching_event *event)
{
    matching_instrument *entry = &b->instruments[event->instrument];
    *entry = (matching_instrument){.id = event->added.id,
                                   .index = event->instrument,
                                   .shard = (uint8_t)b->limits.shard,
                                   .sbe_char = event->added.sbe_char,
                                   .tick_size = event->added.tick_size,
                                   .lot_size = event->added.lot_size};
    memcpy(entry->symbol, event->added.symbol, sizeof event->added.symbol);
    b->states[event->instrument] = event->added.state;
    if (event->instrument >= b->instrument_end) {
        b->instrument_end = event->instrument + 1u;
    }
}

void books_note(books *b, const matching_event *event)
{
    switch (event->kind) {
    case MATCHING_EVENT_TRADE:
        books_trade_of(b, event, recent_trades_add(&b->recent[event->instrument]));
        ticker_add(&b->tickers[event->instrument], event->time_ns, event->trade.price_ticks,
                   event->trade.quantity_lots);
        shard_metrics_trade(b->metrics, event);
        break;
    case MATCHING_EVENT_STATE:
        b->states[event->instrument] = event->state.state;
        break;
    case MATCHING_EVENT_INSTRUMENT:
        note_addition(b, event);
        break;
    default:
        break;
    }
}

/* ---- Replay ---------------------------------------------------------------------------------- */

/* The scratch ring of one replayed command. */
typedef struct replay {
    books *b;
    uint64_t noted;
    books_listener *listener; /* NULL: nobody listens */
    void *context;            /* the listener's */
} replay;

void books_order_after(const matching_event_sink *sink, uint64_t position, matching_order *order)
{
    union {
        matching_order order;
        matching_event slots[MATCHING_ORDER_SLOTS];
    } copy;
    for (size_t i = 0; i < MATCHING_ORDER_SLOTS; i++) {
        copy.slots[i] = sink->slots[(position + 1 + i) & sink->mask];
    }
    *order = copy.order;
}

static void tell_listener(replay *r, const matching_event_sink *sink, const matching_event *event)
{
    matching_order order;
    bool is_order = event->kind == MATCHING_EVENT_ORDER;
    if (is_order) {
        books_order_after(sink, r->noted, &order);
    }
    if (event->kind != MATCHING_EVENT_TRADE) {
        books_note(r->b, event);
    }
    r->listener(r->context, event, is_order ? &order : NULL);
}

static void note_up_to(replay *r, const matching_event_sink *sink)
{
    while (r->noted < sink->head) {
        const matching_event *event = &sink->slots[r->noted & sink->mask];
        if (r->listener != NULL) {
            tell_listener(r, sink, event);
        } else {
            books_note(r->b, event);
        }
        /* A mass cancel tells orders though nobody watches. */
        r->noted += matching_event_slots(event);
    }
}

static void make_room(matching_event_sink *sink)
{
    note_up_to(sink->context, sink);
    sink->limit = sink->head + sink->mask + 1;
}

static void apply(replay *r, const matching_command *command, const matching_watch *watch,
                  matching_reply *reply)
{
    books *b = r->b;
    matching_event_sink sink = {.slots = b->scratch,
                                .mask = SCRATCH_SLOTS - 1,
                                .limit = SCRATCH_SLOTS,
                                .make_room = make_room,
                                .context = r,
                                .watch = watch};
    b->sequence = command->sequence;
    b->time_ns = command->time_ns;
    matching_engine_apply(b->engine, command, &sink, reply);
    note_up_to(r, &sink);
}

void books_replay(books *b, const matching_command *command, matching_reply *reply)
{
    static const matching_watch nobody;
    matching_reply unread;
    replay r = {.b = b};
    apply(&r, command, &nobody, reply != NULL ? reply : &unread);
}

void books_replay_told(books *b, const matching_command *command, books_listener *listener,
                       void *context)
{
    matching_reply unread;
    replay r = {.b = b, .listener = listener, .context = context};
    apply(&r, command, NULL, &unread);
}
