/* The options of a history, and the opening of its store by them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "history/history_internal.h"

#define GIB (UINT64_C(1) << 30)

_Static_assert(DATA_DIR_IDENTITY_SIZE == STORE_IDENTITY_SIZE, "it is the same one");

void matching_history_options_default(matching_history_options *options)
{
    store_options defaults;
    store_options_default(&defaults);
    *options = (matching_history_options){.retention_days = defaults.retention_days,
                                          .max_trades = defaults.max_trades,
                                          .max_orders = defaults.max_orders,
                                          .max_candles = defaults.max_candles,
                                          .memory_bytes = defaults.memory_bytes,
                                          .cache_bytes = defaults.cache_bytes,
                                          .max_backlog_bytes = 8 * GIB};
}

/* path: where wanted->path is kept. */
static void options_of(store_options *wanted, char path[HISTORY_PATH_SIZE], const data_dir *dir,
                       unsigned max_instruments, const matching_history_options *options)
{
    store_options_default(wanted);
    snprintf(path, HISTORY_PATH_SIZE, "%s/" DATA_DIR_STORE, dir->path);
    wanted->path = path;
    wanted->data_dir = dir->path;
    memcpy(wanted->identity, dir->identity, sizeof wanted->identity);
    wanted->shards = dir->shards;
    wanted->max_instruments = max_instruments;
    wanted->memory_bytes = options->memory_bytes;
    wanted->cache_bytes = options->cache_bytes;
    wanted->retention_days = options->retention_days;
    wanted->max_trades = options->max_trades;
    wanted->max_orders = options->max_orders;
    wanted->max_candles = options->max_candles;
}

static int open_store(store **s, const store_options *wanted, char *error, size_t error_size)
{
    errno = EIO;
    *s = store_open(wanted, error, error_size);
    return *s != NULL ? 0 : -errno;
}

int history_open_store(store **s, const data_dir *dir, unsigned max_instruments,
                       const matching_history_options *options, char *error, size_t error_size)
{
    char path[HISTORY_PATH_SIZE];
    store_options wanted;
    options_of(&wanted, path, dir, max_instruments, options);
    wanted.in_background = true;
    return open_store(s, &wanted, error, error_size);
}

/* A tool's. */
static void without_limits(matching_history_options *options)
{
    matching_history_options_default(options);
    options->retention_days = options->max_trades = options->max_orders = options->max_candles = 0;
}

int history_open_store_whole(store **s, const data_dir *dir, char *error, size_t error_size)
{
    char path[HISTORY_PATH_SIZE];
    store_options wanted;
    matching_history_options options;
    without_limits(&options);
    options_of(&wanted, path, dir, MATCHING_INSTRUMENTS_MAX, &options);
    return open_store(s, &wanted, error, error_size);
}

int history_put_store_aside(const data_dir *dir, store_aside *aside, char *error, size_t error_size)
{
    char path[HISTORY_PATH_SIZE];
    store_options wanted;
    matching_history_options options;
    without_limits(&options);
    options_of(&wanted, path, dir, MATCHING_INSTRUMENTS_MAX, &options);
    return store_put_aside(&wanted, aside, error, error_size);
}
