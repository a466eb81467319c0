/* Adding to the store: one thread for all shards.
 *
 * Invariants: what has been added for a shard and is not committed is in its batch, its open pages
 * and fill runs, and in the states of the instruments that its `touched` lists; discard puts these
 * back to what was committed. A batch goes to RocksDB as a whole, progress included.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "store/store_internal.h"

#define TRIMS_PER_COMMIT 8 /* instruments that are looked at for what is too old */

__attribute__((format(printf, 3, 4))) static int fail(store *s, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->why, sizeof s->why, format, arguments);
    va_end(arguments);
    return code;
}

static int no_memory(store *s, unsigned shard)
{
    store_discard(s, shard);
    return fail(s, -ENOMEM, "no memory for the index of a batch");
}

const char *store_why(const store *s)
{
    return s->why;
}

static void put(shard_writer *w, const char *key, size_t key_length, const void *value,
                size_t length)
{
    rocksdb_writebatch_put(w->batch, key, key_length, value, length);
}

/* ---- Pages ---------------------------------------------------------------------------------- */

/* Pages of orders go into the batch as they are full, those of trades with the index entries.
 * False: no memory. */
static bool close_page(shard_writer *w, store_kind kind, open_page *page)
{
    if (page->count == 0) {
        return true;
    }
    char key[STORE_LOG_KEY];
    bool good = true;
    store_page_header header = {.version = STORE_VALUE_VERSION, .count = page->count};
    memcpy(page->bytes, &header, sizeof header);
    if (kind == STORE_TRADES) {
        good = entries_add_page(&w->entries, page->log, page->first, page->bytes, page->length);
    } else {
        put(w, key, store_log_key(key, kind, page->log, page->first), page->bytes, page->length);
    }
    page->count = 0;
    return good;
}

/* Room for one more entry of the log, on a page that has no other log's. NULL: no memory. */
static char *page_room(shard_writer *w, store_kind kind, open_page *page, unsigned log,
                       uint64_t number)
{
    unsigned most = kind == STORE_TRADES ? STORE_PAGE_TRADES : STORE_PAGE_ORDERS;
    if (page->count > 0 && (page->log != log || page->count == most) &&
        !close_page(w, kind, page)) {
        return NULL;
    }
    if (page->count == 0) {
        page->log = (uint16_t)log;
        page->first = number;
        page->length = sizeof(store_page_header);
    }
    page->count++;
    return page->bytes + page->length;
}

/* All that is open. False: no memory. */
static bool close_all(shard_writer *w)
{
    bool good = close_page(w, STORE_ENDED, w->ended_page);
    for (unsigned i = 0; i < STORE_OPEN_PAGES; i++) {
        good = close_page(w, STORE_TRADES, &w->pages[i]) && good;
    }
    return good;
}

static void note_entry(log_state *log, uint64_t number)
{
    log->oldest = log->last == 0 ? number : log->oldest;
    log->last = number;
}

/* ---- Candles -------------------------------------------------------------------------------- */

typedef struct candle_target {
    store *s;
    shard_writer *w;
    unsigned instrument;
} candle_target;

static void keep_candle(void *context, const matching_candle *candle)
{
    const candle_target *target = context;
    char key[STORE_CANDLE_KEY], value[sizeof(store_candle)];
    size_t key_length =
        store_candle_key(key, target->instrument, candle->interval, candle->start_s);
    size_t length = store_put_candle(value, candle);
    put(target->w, key, key_length, value, length);
}

static instrument_state *touch(store *s, shard_writer *w, unsigned instrument)
{
    instrument_state *state = &s->instruments[instrument];
    if (!state->is_touched) {
        state->is_touched = true;
        w->touched[w->touched_count++] = (uint16_t)instrument;
        if (!state->is_known) {
            state->is_known = true;
            w->mine[w->mine_count++] = (uint16_t)instrument;
        }
    }
    return state;
}

/* Time has passed: what has ended becomes final, also where nobody trades. */
static void advance_candles(store *s, shard_writer *w, uint64_t time_ns)
{
    if (time_ns < w->next_end_ns) {
        return;
    }
    w->next_end_ns = UINT64_MAX;
    for (size_t i = 0; i < w->mine_count; i++) {
        instrument_state *state = &s->instruments[w->mine[i]];
        if (matching_candles_next_end(&state->candles) <= time_ns) {
            candle_target target = {s, w, w->mine[i]};
            touch(s, w, w->mine[i]);
            matching_candles_advance(&state->candles, time_ns, keep_candle, &target);
        }
        if (matching_candles_next_end(&state->candles) < w->next_end_ns) {
            w->next_end_ns = matching_candles_next_end(&state->candles);
        }
    }
}

/* ---- Trades --------------------------------------------------------------------------------- */

static bool close_run(shard_writer *w, fill_run *run)
{
    if (run->count == 0) {
        return true;
    }
    id_entry *entry = entries_add_id(&w->entries, run->order_id, run->first_trade);
    if (entry == NULL) {
        return false;
    }
    entry->fill = (store_fill){
        .version = STORE_VALUE_VERSION, .instrument = run->instrument, .count = run->count};
    run->count = 0;
    return true;
}

/* A taker's trades follow each other and so need one entry. */
static bool note_fill(shard_writer *w, matching_side side, uint64_t order_id,
                      const matching_trade *trade)
{
    fill_run *run = &w->runs[side];
    if (run->count > 0 && run->order_id == order_id && run->instrument == trade->instrument &&
        run->first_trade + run->count == trade->trade_id) {
        run->count++;
        return true;
    }
    if (!close_run(w, run)) {
        return false;
    }
    *run = (fill_run){.order_id = order_id,
                      .first_trade = trade->trade_id,
                      .count = 1,
                      .instrument = trade->instrument};
    return true;
}

int store_add_trade(store *s, unsigned shard, const matching_trade *trade)
{
    shard_writer *w = &s->writers[shard];
    if (trade->instrument >= s->max_instruments || !s->instruments[trade->instrument].is_here ||
        s->instruments[trade->instrument].shard != shard) {
        store_discard(s, shard);
        return fail(s, -EBADMSG, "a trade of instrument %u, which shard %u does not have",
                    trade->instrument, shard);
    }
    const log_state *log = &s->instruments[trade->instrument].trades;
    if (trade->trade_id == 0 || (log->last != 0 && trade->trade_id != log->last + 1)) {
        uint64_t last = log->last;
        store_discard(s, shard);
        return fail(s, -EBADMSG, "trade %llu of instrument %u does not follow trade %llu",
                    (unsigned long long)trade->trade_id, trade->instrument,
                    (unsigned long long)last);
    }
    instrument_state *state = touch(s, w, trade->instrument);
    open_page *page = &w->pages[trade->instrument % STORE_OPEN_PAGES];
    char *at = page_room(w, STORE_TRADES, page, trade->instrument, trade->trade_id);
    if (at == NULL) {
        return no_memory(s, shard);
    }
    page->length += store_put_trade(at, trade);
    if (state->trades.last == 0 && trade->trade_id > 1) {
        /* There were others before, nobody knows until when. */
        state->trades.exact_from_s = (uint32_t)(trade->time_ns / 1000000000 + 1);
    }
    note_entry(&state->trades, trade->trade_id);
    if (!note_fill(w, MATCHING_BUY, trade->buy_order_id, trade) ||
        !note_fill(w, MATCHING_SELL, trade->sell_order_id, trade)) {
        return no_memory(s, shard);
    }
    candle_target target = {s, w, trade->instrument};
    matching_candles_trade(&state->candles, trade->time_ns, trade->price_ticks,
                           trade->quantity_lots, keep_candle, &target);
    if (matching_candles_next_end(&state->candles) < w->next_end_ns) {
        w->next_end_ns = matching_candles_next_end(&state->candles);
    }
    return 0;
}

/* ---- Orders and instruments ----------------------------------------------------------------- */

/* Its last trades are told beside its place, mostly: then they need no entry of their own. */
static void take_run(shard_writer *w, const matching_order *order, store_ended *ended)
{
    for (unsigned i = 0; i < 2; i++) {
        fill_run *run = &w->runs[i];
        if (run->count > 0 && run->order_id == order->order_id) {
            ended->first_trade = run->first_trade;
            ended->count = run->count;
            run->count = 0;
        }
    }
}

int store_add_order(store *s, unsigned shard, const matching_order *order)
{
    shard_writer *w = &s->writers[shard];
    open_page *page = w->ended_page;
    char *at = page_room(w, STORE_ENDED, page, shard, w->ended.last + 1);
    if (at == NULL) {
        return no_memory(s, shard);
    }
    page->length += store_put_order(at, order);
    note_entry(&w->ended, w->ended.last + 1);
    store_place place = {.version = STORE_VALUE_VERSION,
                         .shard = (uint8_t)shard,
                         .status = order->status,
                         .instrument = order->instrument,
                         .index = (uint16_t)(page->count - 1),
                         .page = page->first};
    id_entry *id = entries_add_id(&w->entries, order->order_id, 0);
    owner_entry *trader = entries_add_owner(&w->entries);
    if (id == NULL || trader == NULL) {
        return no_memory(s, shard);
    }
    id->ended = (store_ended){.place = place};
    take_run(w, order, &id->ended);
    trader->place = place;
    trader->key_length = (uint8_t)store_trader_key(trader->key, order->trader_id, order->order_id);
    if (order->client_order_id[0] != '\0') {
        owner_entry *client = entries_add_owner(&w->entries);
        if (client == NULL) {
            return no_memory(s, shard);
        }
        client->place = place;
        client->key_length =
            (uint8_t)store_client_key(client->key, order->trader_id, order->client_order_id,
                                      order->instrument, order->order_id);
    }
    return 0;
}

static bool same_instrument(const matching_instrument *a, const matching_instrument *b)
{
    return strcmp(a->symbol, b->symbol) == 0 && a->id == b->id && a->shard == b->shard &&
           a->sbe_char == b->sbe_char && a->tick_size == b->tick_size && a->lot_size == b->lot_size;
}

int store_add_instrument(store *s, const matching_instrument *instrument)
{
    matching_instrument found;
    if (instrument->index >= s->max_instruments || instrument->shard >= s->shards) {
        return fail(s, -EBADMSG, "instrument %u of shard %u is beyond the limits",
                    instrument->index, instrument->shard);
    }
    int outcome = store_read_instrument(s, instrument->index, &found);
    if (outcome == 0 && same_instrument(&found, instrument)) {
        return 0;
    }
    if (outcome != -ENOENT) {
        store_discard(s, instrument->shard);
        return fail(s, -EBADMSG, "instrument %u is not %s as it was told before", instrument->index,
                    instrument->symbol);
    }
    char key[STORE_META_KEY], value[sizeof(store_instrument)];
    size_t length = store_put_instrument(value, instrument);
    put(&s->writers[instrument->shard], key,
        store_meta_key(key, STORE_INSTRUMENT_OF, instrument->index), value, length);
    s->instruments[instrument->index].is_here = true;
    s->instruments[instrument->index].shard = instrument->shard;
    return 0;
}

/* ---- Commits -------------------------------------------------------------------------------- */

/* A few instruments a commit, in turn, and the ended orders. */
static void trim(store *s, shard_writer *w, unsigned shard, uint64_t now_ns)
{
    log_trim(s, w->batch, STORE_ENDED, shard, &w->ended, s->max_orders, now_ns);
    for (unsigned i = 0; i < TRIMS_PER_COMMIT && i < w->mine_count; i++) {
        w->trim_at = w->trim_at + 1 < w->mine_count ? w->trim_at + 1 : 0;
        unsigned instrument = w->mine[w->trim_at];
        if (log_trim(s, w->batch, STORE_TRADES, instrument, &s->instruments[instrument].trades,
                     s->max_trades, now_ns)) {
            touch(s, w, instrument);
        }
    }
}

static void put_progress(store *s, shard_writer *w, unsigned shard, uint64_t sequence,
                         uint64_t time_ns)
{
    char key[STORE_META_KEY], value[STORE_STATE_MAX];
    for (size_t i = 0; i < w->touched_count; i++) {
        const instrument_state *state = &s->instruments[w->touched[i]];
        size_t length = store_put_state(value, &state->candles, state->trades.exact_from_s,
                                        state->trades.oldest, state->trades.last);
        put(w, key, store_meta_key(key, STORE_STATE_OF, w->touched[i]), value, length);
    }
    store_progress_value progress = {.version = STORE_VALUE_VERSION,
                                     .sequence = sequence,
                                     .time_ns = time_ns,
                                     .oldest = w->ended.oldest,
                                     .last = w->ended.last};
    put(w, key, store_meta_key(key, STORE_PROGRESS_OF, shard), &progress, sizeof progress);
}

/* The batch is in: what it says counts from now on. */
static void note_commit(store *s, shard_writer *w, unsigned shard, uint64_t sequence,
                        uint64_t time_ns)
{
    for (size_t i = 0; i < w->touched_count; i++) {
        instrument_state *state = &s->instruments[w->touched[i]];
        state->is_touched = false;
        atomic_store_explicit(&s->oldest_trades[w->touched[i]], state->trades.oldest,
                              memory_order_relaxed);
    }
    w->touched_count = 0;
    w->committed_ended = w->ended;
    w->sequence = sequence;
    w->time_ns = time_ns;
    atomic_store_explicit(&s->oldest_ended[shard], w->ended.oldest, memory_order_relaxed);
    if (time_ns / 1000000000 > atomic_load_explicit(&s->now_s, memory_order_relaxed)) {
        atomic_store_explicit(&s->now_s, time_ns / 1000000000, memory_order_relaxed);
    }
    rocksdb_writebatch_clear(w->batch);
}

/* RocksDB counts lists, not bytes, and a commit is never split: those of large commits would take
 * several times memory_bytes where the disk is slow. The one that is being filled is not among what
 * it tells. */
static int make_room(store *s)
{
    uint64_t bytes = 0;
    if (rocksdb_property_int(s->db, "rocksdb.cur-size-all-mem-tables", &bytes) != 0 ||
        bytes < s->memory_bytes) {
        return 0;
    }
    return store_flush(s);
}

/* All that was added, and progress, to RocksDB. */
static int write_batch(store *s, shard_writer *w, unsigned shard, uint64_t sequence,
                       uint64_t time_ns)
{
    char *failure = NULL;
    int outcome = make_room(s);
    if (outcome != 0) {
        return outcome;
    }
    entries_put(&w->entries, w->batch);
    trim(s, w, shard, time_ns);
    put_progress(s, w, shard, sequence, time_ns);
    rocksdb_write(s->db, s->write, w->batch, &failure);
    return store_judge(failure, s->why, sizeof s->why);
}

int store_commit(store *s, unsigned shard, uint64_t sequence, uint64_t time_ns)
{
    shard_writer *w = &s->writers[shard];
    if (sequence < w->sequence) {
        store_discard(s, shard);
        return fail(s, -EBADMSG, "shard %u goes back from command %llu to %llu", shard,
                    (unsigned long long)w->sequence, (unsigned long long)sequence);
    }
    time_ns = time_ns > w->time_ns ? time_ns : w->time_ns;
    advance_candles(s, w, time_ns);
    if (!close_all(w) || !close_run(w, &w->runs[MATCHING_BUY]) ||
        !close_run(w, &w->runs[MATCHING_SELL])) {
        return no_memory(s, shard);
    }
    int outcome = write_batch(s, w, shard, sequence, time_ns);
    if (outcome != 0) {
        store_discard(s, shard);
        return outcome;
    }
    note_commit(s, w, shard, sequence, time_ns);
    return 0;
}

void store_discard(store *s, unsigned shard)
{
    shard_writer *w = &s->writers[shard];
    rocksdb_writebatch_clear(w->batch);
    entries_clear(&w->entries);
    for (unsigned i = 0; i < STORE_OPEN_PAGES; i++) {
        w->pages[i].count = 0;
    }
    w->ended_page->count = 0;
    w->runs[MATCHING_BUY].count = 0;
    w->runs[MATCHING_SELL].count = 0;
    w->ended = w->committed_ended;
    for (size_t i = 0; i < w->touched_count; i++) {
        instrument_state *state = &s->instruments[w->touched[i]];
        state->is_touched = false;
        if (store_get_instrument_state(s, s->read, w->touched[i], &state->candles,
                                       &state->trades) != 0) {
            matching_candles_init(&state->candles);
            state->trades = (log_state){0};
        }
    }
    w->touched_count = 0;
    w->next_end_ns = 0; /* looked up again by the next commit */
    for (unsigned i = 0; i < s->max_instruments; i++) {
        matching_instrument found;
        if (s->instruments[i].is_here && s->instruments[i].shard == shard) {
            s->instruments[i].is_here = store_read_instrument(s, (uint16_t)i, &found) == 0;
        }
    }
}

size_t store_pending(const store *s, unsigned shard)
{
    size_t length;
    rocksdb_writebatch_data(s->writers[shard].batch, &length);
    return length + entries_bytes(&s->writers[shard].entries);
}

int store_flush(store *s)
{
    char *failure = NULL;
    rocksdb_flushoptions_t *options = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(options, 1);
    rocksdb_flush(s->db, options, &failure);
    rocksdb_flushoptions_destroy(options);
    return store_judge(failure, s->why, sizeof s->why);
}
