/* What is let go of while RocksDB rewrites its files: candles that are too old, and index entries
 * that lead to trades and orders that are gone. Readers take neither for existing, so when exactly
 * that happens makes no difference.
 *
 * Thread: the filter runs on RocksDB's threads and looks at nothing but atomics.
 */
#include <string.h>

#include "store/store_internal.h"

uint64_t store_candle_cutoff(const store *s, unsigned interval)
{
    uint64_t now_s = atomic_load_explicit(&s->now_s, memory_order_relaxed);
    uint64_t seconds = matching_interval_seconds(interval);
    if (s->max_candles == 0 || seconds == 0 || s->max_candles > now_s / seconds) {
        return 0;
    }
    return now_s - s->max_candles * seconds;
}

static bool is_gone(const store *s, const store_place *place)
{
    return place->shard < s->shards &&
           place->page < atomic_load_explicit(&s->oldest_ended[place->shard], memory_order_relaxed);
}

/* A store_place, or a store_ended, which begins with one. */
static bool place_is_gone(const store *s, const char *value, size_t length)
{
    store_place place;
    if (length != sizeof place && length != sizeof(store_ended)) {
        return false;
    }
    memcpy(&place, value, sizeof place);
    return is_gone(s, &place);
}

static bool fill_is_gone(const store *s, uint64_t first_trade, const char *value, size_t length)
{
    store_fill fill;
    if (length != sizeof fill) {
        return false;
    }
    memcpy(&fill, value, sizeof fill);
    return fill.instrument < s->max_instruments &&
           first_trade + fill.count <=
               atomic_load_explicit(&s->oldest_trades[fill.instrument], memory_order_relaxed);
}

static bool candle_is_gone(const store *s, const char *key)
{
    return store_key_number(key + 4, 8) <
           store_candle_cutoff(s, (unsigned)store_key_number(key + 3, 1));
}

static unsigned char is_to_go(void *context, int level, const char *key, size_t key_length,
                              const char *value, size_t length, char **changed,
                              size_t *changed_length, unsigned char *has_changed)
{
    (void)level, (void)changed, (void)changed_length, (void)has_changed;
    switch (key[0]) {
    case STORE_CANDLES:
        return key_length == STORE_CANDLE_KEY && candle_is_gone(context, key);
    case STORE_BY_ID:
        if (key_length == STORE_ID_KEY && store_key_number(key + 9, 8) != 0) {
            return fill_is_gone(context, store_key_number(key + 9, 8), value, length);
        }
        return place_is_gone(context, value, length);
    case STORE_BY_CLIENT:
    case STORE_BY_TRADER:
        return place_is_gone(context, value, length);
    default:
        return 0;
    }
}

static const char *filter_name(void *context)
{
    (void)context;
    return "matching";
}

static void filter_end(void *context)
{
    (void)context;
}

rocksdb_compactionfilter_t *store_filter(const store *s)
{
    return rocksdb_compactionfilter_create((void *)(uintptr_t)s, filter_end, is_to_go, filter_name);
}
