/* Books to bytes and back (books.h): what stands around the engine, then the engine's own state.
 * docs/snapshots.md has the layout in words; numbers are little-endian.
 *
 *   books_head
 *   head.instruments times:
 *     saved_instrument
 *     saved_minute      the running one, then .minutes closed ones, oldest first
 *     saved_trade       .trades of them, the last one's id is .last_trade_id
 *   the engine (engine/state_layout.h)
 *
 * What can be worked out is not there: the sums over a ticker's minutes, ids of trades, states.
 */
#include <string.h>

#include "shard/books.h"

#define BOOKS_VERSION 1u
#define NS_PER_MINUTE UINT64_C(60000000000)

typedef struct books_head {
    uint32_t version;
    uint32_t instruments;
    uint64_t reserved;
} books_head;

typedef struct saved_instrument {
    char symbol[MATCHING_SYMBOL_MAX];
    uint32_t id;
    uint16_t index;
    char sbe_char;
    uint8_t reserved;
    int64_t tick_size, lot_size;
    int64_t last_ticks; /* the ticker's */
    uint64_t last_trade_id;
    uint32_t trades;
    uint32_t minutes;
} saved_instrument;

typedef struct saved_minute {
    uint64_t begin_ns;
    int64_t open_ticks, high_ticks, low_ticks;
    uint64_t count;
    uint64_t volume_low, volume_high;
    uint64_t turnover[3];
} saved_minute;

typedef struct saved_trade {
    int64_t price_ticks;
    int64_t quantity_lots;
    uint64_t time_ns;
    uint64_t buy_order_id, sell_order_id;
    char buyer[MATCHING_TRADER_MAX];
    char seller[MATCHING_TRADER_MAX];
    uint8_t taker_side;
    uint8_t reserved[7];
} saved_trade;

_Static_assert(sizeof(books_head) == 16, "the format is pinned");
_Static_assert(sizeof(saved_instrument) == 64, "the format is pinned");
_Static_assert(sizeof(saved_minute) == 80, "the format is pinned");
_Static_assert(sizeof(saved_trade) == 112, "the format is pinned");
_Static_assert(sizeof(matching_turnover) == 24, "the format is pinned");

static const char cut_short[] = "the state ends too early";

/* ---- Saving ---------------------------------------------------------------------------------- */

static bool put(const matching_state_output *output, const void *bytes, size_t size)
{
    return output->write(output->context, bytes, size);
}

static bool put_minute(const matching_state_output *output, const ticker_minute *minute)
{
    saved_minute saved = {.begin_ns = minute->begin_ns,
                          .open_ticks = minute->open_ticks,
                          .high_ticks = minute->high_ticks,
                          .low_ticks = minute->low_ticks,
                          .count = minute->count,
                          .volume_low = (uint64_t)minute->volume_lots,
                          .volume_high = (uint64_t)(minute->volume_lots >> 64)};
    memcpy(saved.turnover, minute->turnover.words, sizeof saved.turnover);
    return put(output, &saved, sizeof saved);
}

static bool put_minutes(const matching_state_output *output, const ticker *t)
{
    bool taken = put_minute(output, &t->running);
    for (uint32_t i = 0; i < t->closed_count && taken; i++) {
        taken = put_minute(output, &t->closed[(t->oldest + i) % TICKER_MINUTES]);
    }
    return taken;
}

static bool put_trade(const matching_state_output *output, const matching_trade *trade)
{
    saved_trade saved = {.price_ticks = trade->price_ticks,
                         .quantity_lots = trade->quantity_lots,
                         .time_ns = trade->time_ns,
                         .buy_order_id = trade->buy_order_id,
                         .sell_order_id = trade->sell_order_id,
                         .taker_side = trade->taker_side};
    memcpy(saved.buyer, trade->buyer, sizeof saved.buyer);
    memcpy(saved.seller, trade->seller, sizeof saved.seller);
    return put(output, &saved, sizeof saved);
}

static bool put_instrument(const books *b, uint32_t index, const matching_state_output *output)
{
    const matching_instrument *entry = &b->instruments[index];
    const recent_trades *recent = &b->recent[index];
    const ticker *t = &b->tickers[index];
    uint64_t oldest = recent_trades_oldest(recent);
    saved_instrument saved = {.id = entry->id,
                              .index = entry->index,
                              .sbe_char = entry->sbe_char,
                              .tick_size = entry->tick_size,
                              .lot_size = entry->lot_size,
                              .last_ticks = t->last_ticks,
                              .last_trade_id = recent->last_id,
                              .trades = (uint32_t)(recent->last_id - oldest + 1),
                              .minutes = t->closed_count};
    memcpy(saved.symbol, entry->symbol, sizeof saved.symbol);
    bool taken = put(output, &saved, sizeof saved) && put_minutes(output, t);
    for (uint64_t id = oldest; id <= recent->last_id && taken; id++) {
        taken = put_trade(output, &recent->trades[id % recent->capacity]);
    }
    return taken;
}

bool books_save(const books *b, const matching_state_output *output)
{
    books_head head = {.version = BOOKS_VERSION};
    for (uint32_t i = 0; i < b->instrument_end; i++) {
        head.instruments += b->instruments[i].symbol[0] != 0;
    }
    bool taken = put(output, &head, sizeof head);
    for (uint32_t i = 0; i < b->instrument_end && taken; i++) {
        taken = b->instruments[i].symbol[0] == 0 || put_instrument(b, i, output);
    }
    return taken && matching_engine_save(b->engine, output);
}

/* ---- Loading --------------------------------------------------------------------------------- */

static bool get(const matching_state_input *input, void *bytes, size_t size)
{
    return input->read(input->context, bytes, size);
}

/* Text, then zeros; not empty. */
static bool is_text(const char *text, size_t size)
{
    size_t length = strnlen(text, size), at = length;
    while (at < size && text[at] == 0) {
        at++;
    }
    return length > 0 && at == size;
}

/* Could these be the trades of a minute? All is 0 without any. */
static bool is_minute(const saved_minute *saved)
{
    if (saved->begin_ns % NS_PER_MINUTE != 0) {
        return false;
    }
    if (saved->count == 0) {
        return (saved->open_ticks | saved->high_ticks | saved->low_ticks) == 0 &&
               (saved->volume_low | saved->volume_high) == 0 &&
               (saved->turnover[0] | saved->turnover[1] | saved->turnover[2]) == 0;
    }
    return saved->low_ticks > 0 && saved->low_ticks <= saved->open_ticks &&
           saved->open_ticks <= saved->high_ticks && saved->high_ticks <= MATCHING_TICKS_MAX;
}

static const char *get_minute(const matching_state_input *input, ticker_minute *minute)
{
    saved_minute saved;
    if (!get(input, &saved, sizeof saved)) {
        return cut_short;
    }
    if (!is_minute(&saved)) {
        return "a ticker's minute cannot be";
    }
    *minute =
        (ticker_minute){.begin_ns = saved.begin_ns,
                        .open_ticks = saved.open_ticks,
                        .high_ticks = saved.high_ticks,
                        .low_ticks = saved.low_ticks,
                        .count = saved.count,
                        .volume_lots = (matching_wide)saved.volume_high << 64 | saved.volume_low};
    memcpy(minute->turnover.words, saved.turnover, sizeof saved.turnover);
    return NULL;
}

static const char *load_minutes(ticker *t, const saved_instrument *saved,
                                const matching_state_input *input)
{
    const char *wrong = get_minute(input, &t->running);
    for (uint32_t i = 0; i < saved->minutes && wrong == NULL; i++) {
        ticker_minute minute;
        wrong = get_minute(input, &minute);
        if (wrong == NULL && !ticker_restore(t, &minute)) {
            wrong = "a ticker's minutes are too many, empty, or out of order";
        }
    }
    t->last_ticks = saved->last_ticks;
    return wrong;
}

static bool is_trade(const saved_trade *saved)
{
    return saved->price_ticks > 0 && saved->price_ticks <= MATCHING_TICKS_MAX &&
           saved->quantity_lots > 0 && saved->quantity_lots <= MATCHING_LOTS_MAX &&
           (saved->taker_side <= MATCHING_SELL || saved->taker_side == MATCHING_SIDE_NONE) &&
           is_text(saved->buyer, sizeof saved->buyer) &&
           is_text(saved->seller, sizeof saved->seller);
}

static const char *load_trades(recent_trades *recent, const saved_instrument *saved,
                               const matching_state_input *input)
{
    recent_trades_begin(recent, saved->last_trade_id - saved->trades);
    for (uint32_t i = 0; i < saved->trades; i++) {
        saved_trade from;
        if (!get(input, &from, sizeof from)) {
            return cut_short;
        }
        if (!is_trade(&from)) {
            return "a trade cannot be";
        }
        matching_trade *trade = recent_trades_add(recent);
        *trade = (matching_trade){.trade_id = recent->last_id,
                                  .price_ticks = from.price_ticks,
                                  .quantity_lots = from.quantity_lots,
                                  .time_ns = from.time_ns,
                                  .buy_order_id = from.buy_order_id,
                                  .sell_order_id = from.sell_order_id,
                                  .instrument = saved->index,
                                  .taker_side = from.taker_side};
        memcpy(trade->buyer, from.buyer, sizeof from.buyer);
        memcpy(trade->seller, from.seller, sizeof from.seller);
    }
    return NULL;
}

static bool is_instrument(const books *b, const saved_instrument *saved)
{
    return is_text(saved->symbol, sizeof saved->symbol) && saved->id != 0 &&
           saved->index >= b->instrument_end && saved->index < b->limits.instruments &&
           saved->tick_size > 0 && saved->lot_size > 0 && saved->last_ticks >= 0 &&
           saved->last_ticks <= MATCHING_TICKS_MAX && saved->trades <= saved->last_trade_id &&
           saved->last_trade_id <= INT64_MAX && saved->reserved == 0;
}

static const char *load_instrument(books *b, const matching_state_input *input)
{
    saved_instrument saved;
    if (!get(input, &saved, sizeof saved)) {
        return cut_short;
    }
    if (!is_instrument(b, &saved)) {
        return "an instrument's values cannot be";
    }
    matching_instrument *entry = &b->instruments[saved.index];
    *entry = (matching_instrument){.id = saved.id,
                                   .index = saved.index,
                                   .shard = (uint8_t)b->limits.shard,
                                   .sbe_char = saved.sbe_char,
                                   .tick_size = saved.tick_size,
                                   .lot_size = saved.lot_size};
    memcpy(entry->symbol, saved.symbol, sizeof saved.symbol);
    b->instrument_end = saved.index + 1u;
    const char *wrong = load_minutes(&b->tickers[saved.index], &saved, input);
    return wrong != NULL ? wrong : load_trades(&b->recent[saved.index], &saved, input);
}

/* The engine knows them. */
static void take_states(books *b)
{
    for (uint32_t i = 0; i < b->instrument_end; i++) {
        matching_depth depth = {0};
        matching_engine_read_depth(b->engine, (uint16_t)i, 0, &depth);
        b->states[i] = b->instruments[i].symbol[0] != 0 ? depth.state : 0;
    }
}

const char *books_load(books *b, const matching_state_input *input)
{
    books_head head;
    if (!get(input, &head, sizeof head)) {
        return cut_short;
    }
    if (head.version != BOOKS_VERSION || head.reserved != 0) {
        return "the state is of another version";
    }
    const char *wrong = NULL;
    for (uint32_t i = 0; i < head.instruments && wrong == NULL; i++) {
        wrong = load_instrument(b, input);
    }
    if (wrong == NULL) {
        wrong = matching_engine_load(b->engine, input);
    }
    if (wrong == NULL) {
        take_states(b);
    }
    return wrong;
}
