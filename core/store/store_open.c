/* Opening and closing a store: whose folder it is, RocksDB's settings, where the shards stand.
 *
 * A folder is taken only if it is absent, empty, cut short while it was made, or a store of this
 * data directory in this format. Whether it was made to the end shows by the format's value: it is
 * written with nothing else there yet, and without it there can be no data.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/background.h"
#include "store/store_internal.h"

#define MIB (UINT64_C(1) << 20)
#define NS_PER_DAY (UINT64_C(86400) * 1000000000)
#define OPEN_FILES 256
#define BYTES_PER_SYNC (UINT64_C(1) << 19)
#define FILES_TO_MERGE 8
#define BLOOM_BITS 10
#define PARTS 8   /* of memory_bytes, each of which goes to disk as a whole */
#define TABLES 16 /* of a part, at most */
#define TABLE_LEAST MIB
#define TABLE_SMALLEST (UINT64_C(1) << 16) /* RocksDB makes them no smaller */
#define LOG_NOTHING 4 /* FATAL_LEVEL; a higher one could not be kept in its file of options */

void store_options_default(store_options *options)
{
    *options =
        (store_options){.memory_bytes = 128 * MIB, .cache_bytes = 32 * MIB, .max_candles = 500000};
}

int store_judge(char *rocksdb_error, char *error, size_t error_size)
{
    if (rocksdb_error == NULL) {
        return 0;
    }
    int code = strstr(rocksdb_error, "No space") != NULL   ? -ENOSPC
               : strstr(rocksdb_error, "IO error") != NULL ? -EIO
                                                           : -EBADMSG;
    if (error != NULL && error_size > 0) {
        snprintf(error, error_size, "%s", rocksdb_error);
    }
    rocksdb_free(rocksdb_error);
    return code;
}

/* ---- Whose folder is it --------------------------------------------------------------------- */

/* Says what is wrong and how to get out of it: a rebuild, which deletes nothing (store_clear.c)
 * that is not known for this data directory's store. Returns -EBADMSG. */
__attribute__((format(printf, 5, 6))) static int refuse(const store_options *options, bool is_known,
                                                        char *error, size_t error_size,
                                                        const char *format, ...)
{
    char reason[STORE_ERROR_SIZE / 2];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    snprintf(error, error_size, "the store %s %s; `matching store rebuild %s` %s from the journal",
             options->path, reason, options->data_dir,
             is_known ? "makes it anew" : "puts it aside and makes a new one");
    return -EBADMSG;
}

int store_judge_folder(const store_options *options, bool has_data, char *error, size_t error_size)
{
    DIR *folder = opendir(options->path);
    if (folder == NULL) {
        int code = -errno;
        snprintf(error, error_size, "the store %s cannot be read: %s", options->path,
                 strerror(errno));
        return code;
    }
    int outcome = 0;
    for (struct dirent *entry; outcome == 0 && (entry = readdir(folder)) != NULL;) {
        store_file_kind kind = store_file_kind_of(dirfd(folder), entry->d_name);
        if (!has_data && kind != STORE_FILE_OF_BEGINNING) {
            outcome = refuse(options, false, error, error_size, "holds %s but is no store",
                             entry->d_name);
        } else if (has_data && kind == STORE_FILE_IN_DANGER) {
            outcome = refuse(options, false, error, error_size,
                             "holds %s, which is none of its files and might be deleted for one",
                             entry->d_name);
        }
    }
    closedir(folder);
    return outcome;
}

/* Makes the folder and brings its name to disk, which RocksDB leaves to others: without its name
 * all that it holds would be lost with the power, and the journal may have let go of it by then.
 * One that is there may have been made a moment before a crash. */
static int make_folder(const char *path)
{
    char parent[4096]; /* whatever the path looks like: "x/store/" is in "x", "." in ".." */
    if (snprintf(parent, sizeof parent, "%s/..", path) >= (int)sizeof parent) {
        return -ENAMETOOLONG;
    }
    if (mkdir(path, 0777) != 0 && errno != EEXIST) {
        return -errno;
    }
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int code = fd >= 0 && fsync(fd) == 0 ? 0 : -errno;
    if (fd < 0 && errno == EACCES) {
        code = 0; /* somebody else's folder, who made this one */
    }
    if (fd >= 0) {
        close(fd);
    }
    return code;
}

static int prepare_folder(const store_options *options, char *error, size_t error_size)
{
    char current[4096];
    int code = make_folder(options->path);
    if (code != 0) {
        snprintf(error, error_size, "the store %s cannot be made: %s", options->path,
                 strerror(-code));
        return code;
    }
    snprintf(current, sizeof current, "%s/CURRENT", options->path);
    return store_judge_folder(options, access(current, F_OK) == 0, error, error_size);
}

/* ---- RocksDB's settings --------------------------------------------------------------------- */

static void make_table(store *s)
{
    rocksdb_block_based_table_options_t *table = rocksdb_block_based_options_create();
    rocksdb_block_based_options_set_block_cache(table, s->cache);
    rocksdb_block_based_options_set_filter_policy(
        table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
    /* Filters and indexes grow with what is stored; by themselves they would stay in memory for as
     * long as their file is there. In pieces, as a whole one has no room in a cache of many parts:
     * each read would fetch it anew. */
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1);
    rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, 1);
    rocksdb_block_based_options_set_index_type(
        table, rocksdb_block_based_table_index_type_two_level_index_search);
    rocksdb_block_based_options_set_partition_filters(table, 1);
    rocksdb_options_set_block_based_table_factory(s->settings, table);
    rocksdb_block_based_options_destroy(table);
}

/* What waits in memory is in skip lists. A key costs the comparisons that find its place, and those
 * are fewer, and in nearer memory, the shorter a list is: so a part is several of them, which
 * become one file. A commit in its own list, in the order of its keys, is the least.
 *
 * Not RocksDB's hints where to begin (memtable_insert_with_hint_prefix_extractor): a range
 * deletion, whose list is another, takes the same hint, and the process ends by an assertion. */
static void make_tables(store *s, uint64_t memory_bytes)
{
    uint64_t part_bytes = memory_bytes / PARTS, tables = part_bytes / TABLE_LEAST;
    tables = tables < 1 ? 1 : tables > TABLES ? TABLES : tables;
    rocksdb_options_set_write_buffer_size(s->settings, part_bytes / tables);
    rocksdb_options_set_min_write_buffer_number_to_merge(s->settings, (int)tables);
    /* One part is being filled while others are being written. RocksDB counts them, while large
     * commits make larger ones: the last part is for these (store_commit). */
    rocksdb_options_set_max_write_buffer_number(s->settings, (int)(tables * (PARTS - 1)));
}

static void *start_threads(void *env)
{
    background_begin_awaited();                               /* a closing service waits for them */
    rocksdb_env_set_background_threads(env, 1);               /* merges files */
    rocksdb_env_set_high_priority_background_threads(env, 1); /* writes them */
    return NULL;
}

/* Writing and merging files gives way to matching. A thread is as the one that starts it; beside
 * trading niceness, which is all that RocksDB has, is not enough: see background.c. */
static void make_env(store *s, bool in_background)
{
    pthread_t thread;
    s->env = rocksdb_create_default_env();
    if (in_background && pthread_create(&thread, NULL, start_threads, s->env) == 0) {
        pthread_join(thread, NULL);
    } else {
        rocksdb_env_lower_thread_pool_cpu_priority(s->env);
        rocksdb_env_lower_high_priority_thread_pool_cpu_priority(s->env);
    }
    rocksdb_env_lower_thread_pool_io_priority(s->env);
    rocksdb_env_lower_high_priority_thread_pool_io_priority(s->env);
}

rocksdb_options_t *store_settings_of_reader(void)
{
    rocksdb_options_t *settings = rocksdb_options_create();
    rocksdb_options_set_info_log_level(settings, LOG_NOTHING);
    rocksdb_options_set_max_open_files(settings, OPEN_FILES); /* else all that there are */
    return settings;
}

static void make_settings(store *s, const store_options *options)
{
    make_env(s, options->in_background);
    s->cache = rocksdb_cache_create_lru(options->cache_bytes);
    s->write = rocksdb_writeoptions_create();
    rocksdb_writeoptions_disable_WAL(s->write, 1);
    s->read = rocksdb_readoptions_create();
    s->read_disk = rocksdb_readoptions_create();
    rocksdb_readoptions_set_read_tier(s->read_disk, 2); /* kPersistedTier: not from memory */
    s->settings = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(s->settings, 1);
    rocksdb_options_set_env(s->settings, s->env);
    rocksdb_options_set_max_background_jobs(s->settings, 2);
    rocksdb_options_set_max_open_files(s->settings, OPEN_FILES);
    /* Nothing goes to the library's own log: once that cannot be written, on a full disk, the next
     * line of it ends the process where the library was built with its assertions, as Debian's is.
     * What fails it tells its callers too. */
    rocksdb_options_set_info_log_level(s->settings, LOG_NOTHING);
    /* In small portions, so that a journal on the same disk is not held up by large ones. */
    rocksdb_options_set_bytes_per_sync(s->settings, BYTES_PER_SYNC);
    rocksdb_options_set_keep_log_file_num(s->settings, 2);
    rocksdb_options_set_stats_dump_period_sec(s->settings, 0);
    rocksdb_options_set_allow_concurrent_memtable_write(s->settings, 0); /* there is one writer */
    rocksdb_options_set_enable_write_thread_adaptive_yield(s->settings, 0);
    make_tables(s, options->memory_bytes);
    /* Files are merged later, and so less often, than RocksDB would by itself: a history is written
     * more than it is read. */
    rocksdb_options_set_level0_file_num_compaction_trigger(s->settings, FILES_TO_MERGE);
    rocksdb_options_set_level0_slowdown_writes_trigger(s->settings, 5 * FILES_TO_MERGE);
    rocksdb_options_set_level0_stop_writes_trigger(s->settings, 8 * FILES_TO_MERGE);
    rocksdb_options_set_level_compaction_dynamic_level_bytes(s->settings, 1);
    rocksdb_options_set_compression(s->settings, rocksdb_lz4_compression);
    s->filter = store_filter(s);
    rocksdb_options_set_compaction_filter(s->settings, s->filter);
    make_table(s);
}

/* ---- What is in it -------------------------------------------------------------------------- */

static int write_format(store *s, const store_format *format, char *error, size_t error_size)
{
    char key[STORE_META_KEY], *failure = NULL;
    size_t length = store_meta_key(key, STORE_FORMAT_OF, 0);
    rocksdb_put(s->db, s->write, key, length, (const char *)format, sizeof *format, &failure);
    int outcome = store_judge(failure, error, error_size);
    if (outcome == 0 && (outcome = store_flush(s)) != 0) {
        snprintf(error, error_size, "%s", s->why);
    }
    return outcome;
}

store_owner store_judge_format(const store_options *options, const char *value, size_t length)
{
    store_format format;
    if (length != sizeof format) {
        return STORE_IS_NONE;
    }
    memcpy(&format, value, sizeof format);
    return memcmp(format.magic, STORE_MAGIC, sizeof format.magic) != 0 ? STORE_IS_NONE
           : format.version != STORE_FORMAT                            ? STORE_IS_OF_A_VERSION
           : format.shards != options->shards ||
                   memcmp(format.identity, options->identity, sizeof format.identity) != 0
               ? STORE_IS_ANOTHERS
               : STORE_IS_OURS;
}

static int check_format(store *s, const store_options *options, char *error, size_t error_size)
{
    store_format format = {.version = STORE_FORMAT, .shards = options->shards};
    char key[STORE_META_KEY], *value = NULL;
    size_t length = 0, key_length = store_meta_key(key, STORE_FORMAT_OF, 0);
    memcpy(format.magic, STORE_MAGIC, sizeof format.magic);
    memcpy(format.identity, options->identity, sizeof format.identity);
    int outcome = store_get(s, s->read, key, key_length, &value, &length);
    if (outcome == -ENOENT) {
        rocksdb_iterator_t *any = rocksdb_create_iterator(s->db, s->read);
        rocksdb_iter_seek_to_first(any);
        bool is_empty = !rocksdb_iter_valid(any);
        rocksdb_iter_destroy(any);
        return is_empty
                   ? write_format(s, &format, error, error_size)
                   : refuse(options, false, error, error_size, "was not written by this program");
    }
    if (outcome != 0) {
        return refuse(options, false, error, error_size, "is damaged (its format cannot be read)");
    }
    store_owner owner = store_judge_format(options, value, length);
    if (owner == STORE_IS_OF_A_VERSION) {
        memcpy(&format, value, sizeof format);
    }
    rocksdb_free(value);
    switch (owner) {
    case STORE_IS_OURS:
        return 0;
    case STORE_IS_OF_A_VERSION:
        return refuse(options, false, error, error_size, "has format %u, this program reads %u",
                      format.version, STORE_FORMAT);
    case STORE_IS_ANOTHERS:
        return refuse(options, false, error, error_size, "belongs to another data directory");
    default:
        return refuse(options, false, error, error_size, "was not written by this program");
    }
}

static bool load_shard(store *s, unsigned shard)
{
    store_progress_value progress = {0};
    shard_writer *w = &s->writers[shard];
    char key[STORE_META_KEY], *value = NULL;
    size_t length = 0, key_length = store_meta_key(key, STORE_PROGRESS_OF, shard);
    int outcome = store_get(s, s->read, key, key_length, &value, &length);
    bool good = outcome == -ENOENT || (outcome == 0 && length == sizeof progress);
    if (good && outcome == 0) {
        memcpy(&progress, value, sizeof progress);
        good = progress.version == STORE_VALUE_VERSION;
    }
    rocksdb_free(value);
    w->sequence = progress.sequence;
    w->time_ns = progress.time_ns;
    w->ended = (log_state){.oldest = progress.oldest, .last = progress.last};
    w->committed_ended = w->ended;
    w->next_end_ns = UINT64_MAX;
    atomic_init(&s->oldest_ended[shard], progress.oldest);
    if (progress.time_ns / 1000000000 > atomic_load(&s->now_s)) {
        atomic_store(&s->now_s, progress.time_ns / 1000000000);
    }
    return good;
}

static bool load_instrument(store *s, unsigned index, const char *value, size_t length)
{
    matching_instrument instrument;
    if (index >= s->max_instruments ||
        !store_get_instrument(value, length, (uint16_t)index, &instrument) ||
        instrument.shard >= s->shards) {
        return false;
    }
    s->instruments[index].is_here = true;
    s->instruments[index].shard = instrument.shard;
    return true;
}

static bool load_state(store *s, unsigned index, const char *value, size_t length)
{
    if (index >= s->max_instruments || !s->instruments[index].is_here) {
        return false;
    }
    instrument_state *state = &s->instruments[index];
    shard_writer *w = &s->writers[state->shard];
    bool good = store_get_state(value, length, &state->candles, &state->trades.exact_from_s,
                                &state->trades.oldest, &state->trades.last);
    state->is_known = true;
    w->mine[w->mine_count++] = (uint16_t)index;
    if (matching_candles_next_end(&state->candles) < w->next_end_ns) {
        w->next_end_ns = matching_candles_next_end(&state->candles);
    }
    atomic_init(&s->oldest_trades[index], state->trades.oldest);
    return good;
}

/* Instruments, and where their trades and candles stand: the keys of these come before those
 * of states. False: not
 * as this program writes them. */
static bool load_instruments(store *s)
{
    bool good = true;
    rocksdb_iterator_t *all = rocksdb_create_iterator(s->db, s->read);
    for (rocksdb_iter_seek(all, "I", 1); good && rocksdb_iter_valid(all); rocksdb_iter_next(all)) {
        size_t key_length, length;
        const char *key = rocksdb_iter_key(all, &key_length);
        if (key[0] > STORE_STATE_OF) {
            break;
        }
        const char *value = rocksdb_iter_value(all, &length);
        unsigned index = (unsigned)store_key_number(key + 1, key_length == STORE_META_KEY ? 2 : 0);
        good = key_length == STORE_META_KEY;
        if (good && key[0] == STORE_INSTRUMENT_OF) {
            good = load_instrument(s, index, value, length);
        } else if (good && key[0] == STORE_STATE_OF) {
            good = load_state(s, index, value, length);
        }
    }
    char *failure = NULL;
    rocksdb_iter_get_error(all, &failure);
    rocksdb_iter_destroy(all);
    return store_judge(failure, NULL, 0) == 0 && good;
}

static int load(store *s, const store_options *options, char *error, size_t error_size)
{
    int outcome = check_format(s, options, error, error_size);
    for (unsigned i = 0; i < s->shards && outcome == 0; i++) {
        if (!load_shard(s, i)) {
            outcome =
                refuse(options, false, error, error_size, "is damaged (shard %u's progress)", i);
        }
    }
    if (outcome == 0 && !load_instruments(s)) {
        outcome = refuse(options, true, error, error_size, "is damaged (an instrument's state)");
    }
    return outcome;
}

/* ---- Memory --------------------------------------------------------------------------------- */

static bool make_writer(store *s, shard_writer *w)
{
    w->batch = rocksdb_writebatch_create();
    w->pages = calloc(STORE_OPEN_PAGES, sizeof *w->pages);
    w->ended_page = calloc(1, sizeof *w->ended_page);
    w->touched = calloc(s->max_instruments, sizeof *w->touched);
    w->mine = calloc(s->max_instruments, sizeof *w->mine);
    return w->pages != NULL && w->ended_page != NULL && w->touched != NULL && w->mine != NULL;
}

static void free_all(store *s)
{
    for (unsigned i = 0; s->writers != NULL && i < s->shards; i++) {
        shard_writer *w = &s->writers[i];
        if (w->batch != NULL) {
            rocksdb_writebatch_destroy(w->batch);
        }
        entries_free(&w->entries);
        free(w->pages);
        free(w->ended_page);
        free(w->touched);
        free(w->mine);
    }
    if (s->settings != NULL) {
        rocksdb_options_destroy(s->settings);
        rocksdb_compactionfilter_destroy(s->filter);
        rocksdb_cache_destroy(s->cache);
        rocksdb_writeoptions_destroy(s->write);
        rocksdb_readoptions_destroy(s->read);
        rocksdb_readoptions_destroy(s->read_disk);
        rocksdb_env_destroy(s->env);
    }
    free(s->instruments);
    free(s->writers);
    free((void *)s->oldest_trades);
    free((void *)s->oldest_ended);
    free(s);
}

static store *make(const store_options *options)
{
    store *s = calloc(1, sizeof *s);
    if (s == NULL) {
        return NULL;
    }
    s->shards = options->shards;
    s->max_instruments = options->max_instruments;
    s->memory_bytes = options->memory_bytes > PARTS * TABLE_SMALLEST ? options->memory_bytes
                                                                     : PARTS * TABLE_SMALLEST;
    s->retention_ns = options->retention_days * NS_PER_DAY;
    s->max_trades = options->max_trades;
    s->max_orders = options->max_orders;
    s->max_candles = options->max_candles;
    s->instruments = calloc(s->max_instruments, sizeof *s->instruments);
    s->writers = calloc(s->shards, sizeof *s->writers);
    s->oldest_trades = calloc(s->max_instruments, sizeof *s->oldest_trades);
    s->oldest_ended = calloc(s->shards, sizeof *s->oldest_ended);
    bool good = s->instruments != NULL && s->writers != NULL && s->oldest_trades != NULL &&
                s->oldest_ended != NULL;
    for (unsigned i = 0; good && i < s->shards; i++) {
        good = make_writer(s, &s->writers[i]);
    }
    for (unsigned i = 0; good && i < s->max_instruments; i++) {
        s->instruments[i].candles.next_end_ns = UINT64_MAX;
    }
    if (!good) {
        free_all(s);
        return NULL;
    }
    return s;
}

/* RocksDB says so in words. That its lock file cannot be read or written is another matter. */
static bool is_locked(const char *failure)
{
    return strstr(failure, "lock hold by current process") != NULL ||
           (strstr(failure, "lock file") != NULL && strstr(failure, strerror(EAGAIN)) != NULL);
}

static int open_db(store *s, const store_options *options, char *error, size_t error_size)
{
    char *failure = NULL, text[STORE_ERROR_SIZE / 4];
    int outcome = prepare_folder(options, error, error_size);
    if (outcome != 0) {
        return outcome;
    }
    s->db = rocksdb_open(s->settings, options->path, &failure);
    if (failure == NULL) {
        return 0;
    }
    if (is_locked(failure)) {
        snprintf(error, error_size, "the store %s is in use by another process", options->path);
        rocksdb_free(failure);
        return -EBUSY;
    }
    outcome = store_judge(failure, text, sizeof text);
    if (outcome == -ENOSPC) {
        snprintf(error, error_size, "the store %s cannot be opened: %s", options->path, text);
        return outcome;
    }
    return refuse(options, false, error, error_size, "cannot be opened or is damaged (%s)", text);
}

store *store_open(const store_options *options, char *error, size_t error_size)
{
    store *s = make(options);
    if (s == NULL) {
        snprintf(error, error_size, "no memory for the store %s", options->path);
        errno = ENOMEM;
        return NULL;
    }
    make_settings(s, options);
    int outcome = open_db(s, options, error, error_size);
    if (outcome == 0 && (outcome = load(s, options, error, error_size)) != 0) {
        rocksdb_close(s->db);
    }
    if (outcome != 0) {
        free_all(s);
        errno = -outcome;
        return NULL;
    }
    return s;
}

int store_close(store *s, char *error, size_t error_size)
{
    int outcome = store_flush(s);
    if (outcome != 0) {
        snprintf(error, error_size, "%s", s->why);
    }
    rocksdb_close(s->db);
    free_all(s);
    return outcome;
}
