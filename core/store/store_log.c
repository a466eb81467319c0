/* Logs: entries numbered without gaps, on pages (layout.h). Finding one, letting go of the oldest.
 *
 * Invariants: a page lies within one commit, and what RocksDB has is all up to some commit. So
 * pages never overlap, and none lies beyond the last entry that progress tells of.
 */
#include <errno.h>
#include <string.h>

#include "store/store_internal.h"

#define SLACK                                                                                      \
    32 /* a share of the retention that may be there in excess: trimming is for now and then */

void log_open(log_cursor *cursor, const store *s, store_kind kind, unsigned log)
{
    *cursor = (log_cursor){.kind = kind, .log = log};
    cursor->iterator = rocksdb_create_iterator(s->db, s->read);
}

void log_close(log_cursor *cursor)
{
    rocksdb_iter_destroy(cursor->iterator);
}

/* The page under the iterator. -ENOENT: it is of another log, or there is none. */
static int take_page(log_cursor *cursor)
{
    size_t length;
    char *failure = NULL;
    cursor->count = 0;
    if (!rocksdb_iter_valid(cursor->iterator)) {
        rocksdb_iter_get_error(cursor->iterator, &failure);
        return failure != NULL ? store_judge(failure, NULL, 0) : -ENOENT;
    }
    const char *key = rocksdb_iter_key(cursor->iterator, &length);
    if (length != STORE_LOG_KEY || key[0] != (char)cursor->kind ||
        store_key_number(key + 1, 2) != cursor->log) {
        return -ENOENT;
    }
    cursor->first = store_key_number(key + 3, 8);
    const char *value = rocksdb_iter_value(cursor->iterator, &length);
    store_page_header header;
    if (length < sizeof header) {
        return -EBADMSG;
    }
    memcpy(&header, value, sizeof header);
    if (header.version != STORE_VALUE_VERSION || header.count == 0) {
        return -EBADMSG;
    }
    cursor->count = header.count;
    cursor->at = value + sizeof header;
    cursor->end = value + length;
    return 0;
}

int log_find_before(log_cursor *cursor, uint64_t number)
{
    char key[STORE_LOG_KEY];
    size_t length = store_log_key(key, cursor->kind, cursor->log, number);
    rocksdb_iter_seek_for_prev(cursor->iterator, key, length);
    return take_page(cursor);
}

int log_find(log_cursor *cursor, uint64_t number)
{
    int outcome = log_find_before(cursor, number);
    if (outcome == 0 && number - cursor->first < cursor->count) {
        return 0;
    }
    if (outcome == 0 || outcome == -ENOENT) {
        char key[STORE_LOG_KEY];
        size_t length = store_log_key(key, cursor->kind, cursor->log, number);
        rocksdb_iter_seek(cursor->iterator, key, length);
        outcome = take_page(cursor);
    }
    return outcome;
}

/* The time of the page's first entry. False: it is damaged. */
static bool first_time(const log_cursor *cursor, uint64_t *time_ns)
{
    const char *at = cursor->at;
    matching_trade trade;
    matching_order order;
    if (cursor->kind == STORE_TRADES) {
        bool good = store_get_trade(&at, cursor->end, &trade);
        *time_ns = trade.time_ns;
        return good;
    }
    bool good = store_get_order(&at, cursor->end, &order);
    *time_ns = order.updated_ns;
    return good;
}

/* ---- Letting go ----------------------------------------------------------------------------- */

/* The time of the first entry of the page that entry `number` is on. */
static bool page_time(log_cursor *cursor, uint64_t number, uint64_t *time_ns)
{
    return log_find(cursor, number) == 0 && first_time(cursor, time_ns);
}

/* The first entry that is not older than the cutoff, give or take a page: times never fall within a
 * log. */
static uint64_t first_since(log_cursor *cursor, const log_state *state, uint64_t cutoff_ns)
{
    uint64_t low = state->oldest, high = state->last;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2, time_ns;
        if (page_time(cursor, middle, &time_ns) && time_ns < cutoff_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint64_t cut_by_age(const store *s, log_cursor *cursor, log_state *state, uint64_t now_ns)
{
    uint64_t cutoff_ns = now_ns > s->retention_ns ? now_ns - s->retention_ns : 0;
    uint64_t slack_ns = s->retention_ns / SLACK;
    if (s->retention_ns == 0 || cutoff_ns < slack_ns) {
        return 0;
    }
    if (state->oldest_ns == 0 && !page_time(cursor, state->oldest, &state->oldest_ns)) {
        return 0;
    }
    return state->oldest_ns < cutoff_ns - slack_ns ? first_since(cursor, state, cutoff_ns) : 0;
}

bool log_trim(const store *s, rocksdb_writebatch_t *batch, store_kind kind, unsigned log,
              log_state *state, uint64_t most, uint64_t now_ns)
{
    log_cursor cursor = {.iterator = NULL};
    if (state->last == 0) {
        return false;
    }
    uint64_t held = state->last - state->oldest + 1, cut = 0;
    bool too_many = most > 0 && held > most + most / 16 + STORE_PAGE_TRADES;
    uint64_t age_ns = s->retention_ns + s->retention_ns / SLACK;
    bool may_be_old = s->retention_ns > 0 && state->oldest_ns + age_ns < now_ns;
    if (!too_many && !may_be_old) {
        return false;
    }
    log_open(&cursor, s, kind, log);
    cut = cut_by_age(s, &cursor, state, now_ns);
    if (too_many && state->last - most + 1 > cut) {
        cut = state->last - most + 1;
    }
    bool let_go =
        cut > state->oldest && log_find_before(&cursor, cut) == 0 && cursor.first > state->oldest;
    if (let_go) {
        char from[STORE_LOG_KEY], to[STORE_LOG_KEY];
        size_t from_length = store_log_key(from, kind, log, 0);
        size_t to_length = store_log_key(to, kind, log, cursor.first);
        rocksdb_writebatch_delete_range(batch, from, from_length, to, to_length);
        state->oldest = cursor.first;
        state->oldest_ns = 0;
    }
    log_close(&cursor);
    return let_go;
}
