/* Reading from the store: any thread. Each read looks at what was committed when it began.
 *
 * Invariants: an index entry whose order or trade is gone, or not there yet, is as none. No answer
 * takes memory beyond what the caller gave and RocksDB's blocks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_internal.h"

#define LOOKED_MAX 20000 /* index entries that one read of a list looks at */

int store_get(const store *s, const rocksdb_readoptions_t *read, const char *key, size_t key_length,
              char **value, size_t *length)
{
    char *failure = NULL;
    *value = rocksdb_get(s->db, read, key, key_length, length, &failure);
    if (failure != NULL) {
        return store_judge(failure, NULL, 0);
    }
    return *value != NULL ? 0 : -ENOENT;
}

/* ---- Progress and instruments --------------------------------------------------------------- */

static uint64_t read_progress(const store *s, const rocksdb_readoptions_t *read, unsigned shard,
                              uint64_t *time_ns)
{
    store_progress_value progress = {0};
    char key[STORE_META_KEY], *value = NULL;
    size_t length = 0, key_length = store_meta_key(key, STORE_PROGRESS_OF, shard);
    if (store_get(s, read, key, key_length, &value, &length) == 0) {
        if (length == sizeof progress) {
            memcpy(&progress, value, sizeof progress);
        }
        rocksdb_free(value);
    }
    if (time_ns != NULL) {
        *time_ns = progress.time_ns;
    }
    return progress.sequence;
}

uint64_t store_progress(const store *s, unsigned shard, uint64_t *time_ns)
{
    return read_progress(s, s->read, shard, time_ns);
}

uint64_t store_safe_sequence(const store *s, unsigned shard)
{
    return read_progress(s, s->read_disk, shard, NULL);
}

int store_read_instrument(const store *s, uint16_t index, matching_instrument *out)
{
    char key[STORE_META_KEY], *value = NULL;
    size_t length = 0, key_length = store_meta_key(key, STORE_INSTRUMENT_OF, index);
    int outcome = store_get(s, s->read, key, key_length, &value, &length);
    if (outcome == 0) {
        outcome = store_get_instrument(value, length, index, out) ? 0 : -EBADMSG;
        rocksdb_free(value);
    }
    return outcome;
}

int store_get_instrument_state(const store *s, const rocksdb_readoptions_t *read, unsigned index,
                               matching_candles *candles, log_state *trades)
{
    char key[STORE_META_KEY], *value = NULL;
    size_t length = 0, key_length = store_meta_key(key, STORE_STATE_OF, index);
    int outcome = store_get(s, read, key, key_length, &value, &length);
    if (outcome == 0) {
        *trades = (log_state){0};
        outcome = store_get_state(value, length, candles, &trades->exact_from_s, &trades->oldest,
                                  &trades->last)
                      ? 0
                      : -EBADMSG;
        rocksdb_free(value);
    }
    return outcome;
}

/* ---- Trades --------------------------------------------------------------------------------- */

/* Takes those of the page that are from `from` on and below `before`. False: it is damaged. */
static bool take_trades(const log_cursor *cursor, uint64_t from, uint64_t before, size_t limit,
                        matching_trade *out, size_t *count)
{
    const char *at = cursor->at;
    for (unsigned i = 0; i < cursor->count && *count < limit; i++) {
        matching_trade *trade = &out[*count];
        uint64_t trade_id = cursor->first + i;
        if (trade_id >= before) {
            break;
        }
        if (!store_get_trade(&at, cursor->end, trade)) {
            return false;
        }
        trade->trade_id = trade_id;
        trade->instrument = (uint16_t)cursor->log;
        *count += trade_id >= from;
    }
    return true;
}

/* Trades from ... before - 1, as far as they are there. */
static int read_range(log_cursor *cursor, uint64_t from, uint64_t before, size_t limit,
                      matching_trade *out, size_t *count)
{
    int outcome = 0;
    while (*count < limit && from < before && (outcome = log_find(cursor, from)) == 0) {
        if (!take_trades(cursor, from, before, limit, out, count)) {
            return -EBADMSG;
        }
        from = cursor->first + cursor->count;
    }
    return outcome == -ENOENT ? 0 : outcome;
}

int store_read_trades(const store *s, uint16_t instrument, uint64_t from_id, uint64_t before_id,
                      size_t limit, matching_trade *out, size_t *count)
{
    log_cursor cursor;
    *count = 0;
    if (instrument >= s->max_instruments || limit == 0) {
        return 0;
    }
    uint64_t oldest = atomic_load_explicit(&s->oldest_trades[instrument], memory_order_relaxed);
    log_open(&cursor, s, STORE_TRADES, instrument);
    int outcome = log_find_before(&cursor, UINT64_MAX);
    if (outcome == 0) {
        uint64_t end = cursor.first + cursor.count;
        uint64_t before = before_id != 0 && before_id < end ? before_id : end;
        uint64_t newest = before > limit ? before - limit : 1;
        uint64_t from = from_id != 0 ? from_id : newest;
        outcome = read_range(&cursor, from > oldest ? from : oldest, before, limit, out, count);
    }
    log_close(&cursor);
    return outcome == -ENOENT ? 0 : outcome;
}

/* The run of fills under the iterator, if it is this order's. -ENOENT: it is not, or there is
 * none. */
static int take_fill(rocksdb_iterator_t *fills, uint64_t order_id, uint64_t *first,
                     store_fill *fill)
{
    size_t length;
    char wanted[STORE_ID_KEY], *failure = NULL;
    if (!rocksdb_iter_valid(fills)) {
        rocksdb_iter_get_error(fills, &failure);
        return failure != NULL ? store_judge(failure, NULL, 0) : -ENOENT;
    }
    const char *key = rocksdb_iter_key(fills, &length);
    size_t wanted_length = store_id_key(wanted, order_id, 0);
    if (length != wanted_length || memcmp(key, wanted, wanted_length - 8) != 0) {
        return -ENOENT;
    }
    *first = store_key_number(key + wanted_length - 8, 8);
    const char *value = rocksdb_iter_value(fills, &length);
    if (*first == 0) {
        return -ENOENT; /* the order itself */
    }
    if (length != sizeof *fill) {
        return -EBADMSG;
    }
    memcpy(fill, value, sizeof *fill);
    return 0;
}

/* The last trades of an order that has ended; none of one that has not. */
static int take_last_fill(rocksdb_iterator_t *fills, uint64_t order_id, store_ended *ended)
{
    char key[STORE_ID_KEY];
    size_t length, key_length = store_id_key(key, order_id, 0);
    *ended = (store_ended){.count = 0};
    rocksdb_iter_seek(fills, key, key_length);
    if (!rocksdb_iter_valid(fills)) {
        return 0;
    }
    const char *found = rocksdb_iter_key(fills, &length);
    if (length != key_length || memcmp(found, key, key_length) != 0) {
        return 0;
    }
    const char *value = rocksdb_iter_value(fills, &length);
    if (length != sizeof *ended) {
        return -EBADMSG;
    }
    memcpy(ended, value, sizeof *ended);
    return 0;
}

/* Those of a run that come after one. */
static int read_run(log_cursor *cursor, unsigned instrument, uint64_t first, uint32_t count,
                    uint64_t after_id, size_t limit, matching_trade *out, size_t *read)
{
    cursor->log = instrument;
    return read_range(cursor, first > after_id ? first : after_id + 1, first + count, limit, out,
                      read);
}

int store_read_fills(const store *s, uint64_t order_id, uint64_t after_id, size_t limit,
                     matching_trade *out, size_t *count)
{
    char key[STORE_ID_KEY];
    uint64_t first;
    store_fill fill;
    store_ended ended;
    log_cursor cursor;
    *count = 0;
    rocksdb_iterator_t *fills = rocksdb_create_iterator(s->db, s->read);
    log_open(&cursor, s, STORE_TRADES, 0);
    int outcome = take_last_fill(fills, order_id, &ended);
    if (outcome == 0) {
        /* The run that trade after_id + 1 may be in the middle of, or else the next. */
        rocksdb_iter_seek_for_prev(fills, key, store_id_key(key, order_id, after_id + 1));
        outcome = take_fill(fills, order_id, &first, &fill);
    }
    if (outcome == -ENOENT) {
        rocksdb_iter_seek(fills, key, store_id_key(key, order_id, after_id + 1));
        outcome = take_fill(fills, order_id, &first, &fill);
    }
    while (outcome == 0 && *count < limit) {
        outcome =
            read_run(&cursor, fill.instrument, first, fill.count, after_id, limit, out, count);
        if (outcome == 0) {
            rocksdb_iter_next(fills);
            outcome = take_fill(fills, order_id, &first, &fill);
        }
    }
    if (outcome == -ENOENT) {
        outcome = read_run(&cursor, ended.place.instrument, ended.first_trade, ended.count,
                           after_id, limit, out, count);
    }
    log_close(&cursor);
    rocksdb_iter_destroy(fills);
    return outcome;
}

/* ---- Orders --------------------------------------------------------------------------------- */

/* The entry of a page of orders. */
static bool take_from_page(const char *value, size_t length, unsigned index, matching_order *out)
{
    store_page_header header;
    if (length < sizeof header) {
        return false;
    }
    memcpy(&header, value, sizeof header);
    const char *at = value + sizeof header;
    bool good = header.version == STORE_VALUE_VERSION && index < header.count;
    for (unsigned i = 0; i <= index && good; i++) {
        good = store_get_order(&at, value + length, out);
    }
    return good;
}

/* The order at a place. -ENOENT: it is gone. */
static int take_order(const store *s, const store_place *place, uint64_t order_id,
                      matching_order *out)
{
    char key[STORE_LOG_KEY], *failure = NULL;
    size_t length;
    if (place->version != STORE_VALUE_VERSION || place->shard >= s->shards) {
        return -EBADMSG;
    }
    if (place->page < atomic_load_explicit(&s->oldest_ended[place->shard], memory_order_relaxed)) {
        return -ENOENT;
    }
    size_t key_length = store_log_key(key, STORE_ENDED, place->shard, place->page);
    rocksdb_pinnableslice_t *page = rocksdb_get_pinned(s->db, s->read, key, key_length, &failure);
    if (failure != NULL || page == NULL) {
        return failure != NULL ? store_judge(failure, NULL, 0) : -ENOENT;
    }
    const char *value = rocksdb_pinnableslice_value(page, &length);
    bool good = take_from_page(value, length, place->index, out) && out->order_id == order_id;
    rocksdb_pinnableslice_destroy(page);
    return good ? 0 : -EBADMSG;
}

int store_read_order(const store *s, uint64_t order_id, matching_order *out)
{
    char key[STORE_ID_KEY], *value = NULL;
    size_t length = 0, key_length = store_id_key(key, order_id, 0);
    store_ended ended;
    int outcome = store_get(s, s->read, key, key_length, &value, &length);
    if (outcome != 0) {
        return outcome;
    }
    bool good = length == sizeof ended;
    if (good) {
        memcpy(&ended, value, sizeof ended);
    }
    rocksdb_free(value);
    if (!good) {
        return -EBADMSG;
    }
    return take_order(s, &ended.place, order_id, out);
}

/* An index entry under the iterator whose key is `prefix` and then an order id. -ENOENT: none. */
static int take_place(rocksdb_iterator_t *entries, const char *prefix, size_t prefix_length,
                      store_place *place, uint64_t *order_id)
{
    size_t length;
    char *failure = NULL;
    if (!rocksdb_iter_valid(entries)) {
        rocksdb_iter_get_error(entries, &failure);
        return failure != NULL ? store_judge(failure, NULL, 0) : -ENOENT;
    }
    const char *key = rocksdb_iter_key(entries, &length);
    if (length != prefix_length + 8 || memcmp(key, prefix, prefix_length) != 0) {
        return -ENOENT;
    }
    *order_id = store_key_number(key + prefix_length, 8);
    const char *value = rocksdb_iter_value(entries, &length);
    if (length != sizeof *place) {
        return -EBADMSG;
    }
    memcpy(place, value, sizeof *place);
    return 0;
}

static bool is_name(const char *text, size_t most)
{
    return text[0] != '\0' && strnlen(text, most + 1) <= most;
}

int store_read_client_order(const store *s, const char *trader_id, const char *client_order_id,
                            uint16_t instrument, matching_order *out)
{
    char key[STORE_CLIENT_KEY_MAX];
    store_place place;
    uint64_t order_id;
    if (!is_name(trader_id, MATCHING_TRADER_MAX) ||
        !is_name(client_order_id, MATCHING_CLIENT_ID_MAX)) {
        return -ENOENT;
    }
    size_t length = store_client_key(key, trader_id, client_order_id, instrument, UINT64_MAX);
    rocksdb_iterator_t *entries = rocksdb_create_iterator(s->db, s->read);
    rocksdb_iter_seek_for_prev(entries, key, length);
    int outcome = take_place(entries, key, length - 8, &place, &order_id);
    for (unsigned looked = 1; outcome == 0; looked++) {
        outcome = take_order(s, &place, order_id, out);
        if (outcome != -ENOENT || looked == LOOKED_MAX) {
            break;
        }
        rocksdb_iter_prev(entries);
        outcome = take_place(entries, key, length - 8, &place, &order_id);
    }
    rocksdb_iter_destroy(entries);
    return outcome;
}

static bool is_wanted(const store_order_query *query, const store_place *place)
{
    return (query->status == MATCHING_STATUS_ANY || query->status == place->status) &&
           (!query->has_instrument || query->instrument == place->instrument);
}

/* A trader's, or everybody's: then those of STORE_BY_ID, of which fills are passed over. */
typedef struct order_list {
    rocksdb_iterator_t *entries;
    char prefix[STORE_TRADER_KEY_MAX];
    size_t prefix_length;
    bool is_by_id;
} order_list;

static void open_list(order_list *list, const store *s, const store_order_query *query)
{
    char key[STORE_TRADER_KEY_MAX > STORE_ID_KEY ? STORE_TRADER_KEY_MAX : STORE_ID_KEY];
    list->is_by_id = query->trader_id == NULL;
    size_t length = list->is_by_id ? store_id_key(key, query->after + 1, 0)
                                   : store_trader_key(key, query->trader_id, query->after + 1);
    list->prefix_length = list->is_by_id ? 0 : length - 8;
    memcpy(list->prefix, key, list->prefix_length);
    list->entries = rocksdb_create_iterator(s->db, s->read);
    rocksdb_iter_seek(list->entries, key, length);
}

/* The entry under the iterator; *is_order false: a fill. */
static int take_entry(order_list *list, store_place *place, uint64_t *order_id, bool *is_order)
{
    *is_order = true;
    if (!list->is_by_id) {
        return take_place(list->entries, list->prefix, list->prefix_length, place, order_id);
    }
    size_t length;
    char *failure = NULL;
    if (!rocksdb_iter_valid(list->entries)) {
        rocksdb_iter_get_error(list->entries, &failure);
        return failure != NULL ? store_judge(failure, NULL, 0) : -ENOENT;
    }
    const char *key = rocksdb_iter_key(list->entries, &length);
    if (length != STORE_ID_KEY || key[0] != STORE_BY_ID) {
        return -ENOENT;
    }
    *order_id = store_key_number(key + 1, 8);
    *is_order = store_key_number(key + 9, 8) == 0;
    const char *value = rocksdb_iter_value(list->entries, &length);
    if (*is_order && length != sizeof(store_ended)) {
        return -EBADMSG;
    }
    if (*is_order) {
        memcpy(place, value, sizeof *place);
    }
    return 0;
}

int store_read_orders(const store *s, const store_order_query *query, matching_order *out,
                      size_t *count, uint64_t *after)
{
    order_list list;
    int outcome = 0;
    *count = 0;
    *after = 0;
    if (query->after >= MATCHING_ORDER_ID_MAX ||
        (query->trader_id != NULL && !is_name(query->trader_id, MATCHING_TRADER_MAX))) {
        return 0;
    }
    open_list(&list, s, query);
    uint64_t looked_at = query->after;
    for (unsigned looked = 0; outcome == 0; looked++) {
        store_place place;
        uint64_t order_id;
        bool is_order;
        outcome = take_entry(&list, &place, &order_id, &is_order);
        if (outcome == 0 && (*count == query->limit || (looked >= LOOKED_MAX && is_order))) {
            *after = looked_at;
            break;
        }
        if (outcome == 0 && is_order && is_wanted(query, &place)) {
            outcome = take_order(s, &place, order_id, &out[*count]);
            *count += outcome == 0;
            outcome = outcome == -ENOENT ? 0 : outcome;
        }
        if (outcome == 0) {
            looked_at = order_id;
            rocksdb_iter_next(list.entries);
        }
    }
    rocksdb_iter_destroy(list.entries);
    return outcome == -ENOENT ? 0 : outcome;
}

/* ---- Candles -------------------------------------------------------------------------------- */

typedef struct candle_read {
    const store_candle_query *query;
    rocksdb_iterator_t *finals;
    uint64_t from_s, to_s;
    matching_candle running; /* update_count 0: there is none within from_s ... to_s */
    matching_candle *out;
    size_t count;
} candle_read;

/* The final candle under the iterator, as long as it is one that was asked for. */
static int take_candle(const candle_read *r, matching_candle *candle)
{
    size_t key_length, length;
    char *failure = NULL;
    if (!rocksdb_iter_valid(r->finals)) {
        rocksdb_iter_get_error(r->finals, &failure);
        return failure != NULL ? store_judge(failure, NULL, 0) : -ENOENT;
    }
    const char *key = rocksdb_iter_key(r->finals, &key_length);
    if (key_length != STORE_CANDLE_KEY || key[0] != STORE_CANDLES ||
        store_key_number(key + 1, 2) != r->query->instrument ||
        store_key_number(key + 3, 1) != r->query->interval) {
        return -ENOENT;
    }
    const char *value = rocksdb_iter_value(r->finals, &length);
    if (!store_get_candle(value, length, key, candle)) {
        return -EBADMSG;
    }
    return candle->start_s >= r->from_s && candle->start_s <= r->to_s ? 0 : -ENOENT;
}

static void seek_candle(const candle_read *r, uint64_t start_s, bool forward)
{
    char key[STORE_CANDLE_KEY];
    size_t length = store_candle_key(key, r->query->instrument, r->query->interval, start_s);
    if (forward) {
        rocksdb_iter_seek(r->finals, key, length);
    } else {
        rocksdb_iter_seek_for_prev(r->finals, key, length);
    }
}

static int read_forward(candle_read *r, bool *more)
{
    matching_candle candle = {0};
    int outcome;
    seek_candle(r, r->from_s, true);
    while ((outcome = take_candle(r, &candle)) == 0 && r->count < r->query->limit) {
        r->out[r->count++] = candle;
        rocksdb_iter_next(r->finals);
    }
    *more = outcome == 0;
    bool is_new = r->running.update_count > 0 &&
                  (r->count == 0 || r->out[r->count - 1].start_s < r->running.start_s);
    if (outcome == -ENOENT && is_new) {
        *more = r->count == r->query->limit;
        if (!*more) {
            r->out[r->count++] = r->running;
        }
    }
    return outcome;
}

static int read_backward(candle_read *r, bool *more)
{
    matching_candle candle = {0};
    seek_candle(r, r->to_s, false);
    int outcome = take_candle(r, &candle);
    if (r->running.update_count > 0 && (outcome != 0 || candle.start_s < r->running.start_s)) {
        r->out[r->count++] = r->running;
    }
    while (outcome == 0 && r->count < r->query->limit) {
        r->out[r->count++] = candle;
        rocksdb_iter_prev(r->finals);
        outcome = take_candle(r, &candle);
    }
    *more = outcome == 0;
    for (size_t i = 0, k = r->count; i + 1 < k; i++) {
        candle = r->out[i];
        r->out[i] = r->out[--k];
        r->out[k] = candle;
    }
    return outcome;
}

/* The running candle of the interval, if it was asked for; and from when on candles are whole. */
static int read_running(candle_read *r, const store *s, const rocksdb_readoptions_t *read)
{
    matching_candles candles;
    log_state trades;
    int outcome = store_get_instrument_state(s, read, r->query->instrument, &candles, &trades);
    if (outcome == 0) {
        r->from_s = r->from_s > trades.exact_from_s ? r->from_s : trades.exact_from_s;
        const matching_candle *running = matching_candles_running(&candles, r->query->interval);
        if (running != NULL && running->start_s >= r->from_s && running->start_s <= r->to_s) {
            r->running = *running;
        }
    }
    return outcome == -ENOENT ? 0 : outcome;
}

int store_read_candles(const store *s, const store_candle_query *query, matching_candle *out,
                       size_t *count, bool *more)
{
    uint64_t cutoff_s = store_candle_cutoff(s, query->interval);
    candle_read r = {.query = query,
                     .from_s = query->from_s > cutoff_s ? query->from_s : cutoff_s,
                     .to_s = query->to_s != 0 ? query->to_s : UINT64_MAX,
                     .out = out};
    *count = 0;
    *more = false;
    if (query->limit == 0 || (unsigned)query->interval >= MATCHING_INTERVALS) {
        return 0;
    }
    const rocksdb_snapshot_t *snapshot = rocksdb_create_snapshot(s->db);
    rocksdb_readoptions_t *read = rocksdb_readoptions_create();
    rocksdb_readoptions_set_snapshot(read, snapshot);
    r.finals = rocksdb_create_iterator(s->db, read);
    int outcome = read_running(&r, s, read);
    if (outcome == 0) {
        outcome = query->from_s != 0 ? read_forward(&r, more) : read_backward(&r, more);
    }
    rocksdb_iter_destroy(r.finals);
    rocksdb_readoptions_destroy(read);
    rocksdb_release_snapshot(s->db, snapshot);
    *count = r.count;
    return outcome == -ENOENT ? 0 : outcome;
}

int store_read_running(const store *s, uint16_t instrument, matching_candles *candles,
                       uint64_t *last_trade_id, uint64_t *exact_from_s)
{
    log_state trades = {0};
    rocksdb_readoptions_t *read = rocksdb_readoptions_create();
    int outcome = store_get_instrument_state(s, read, instrument, candles, &trades);
    rocksdb_readoptions_destroy(read);
    *last_trade_id = trades.last;
    *exact_from_s = trades.exact_from_s;
    return outcome;
}
