/* See past.h. */
#define _GNU_SOURCE
#include "crash/past.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crash/process.h"
#include "crash/segments.h"
#include "history/follower.h"
#include "support/same.h"

#define PAGE 500u

/* What the process that looks says by its exit code; without SAW_ALL it is wrong. A sanitizer that
 * has found something ends it with a code of its own. */
enum { SAW_WRONG = 0, SAW_BEHIND = 1, SAW_CUT_SHORT = 2, SAW_ALL = 32 };

past *past_create(const matching_engine_limits *limits, unsigned shards)
{
    past *p = calloc(1, sizeof *p);
    bool good = p != NULL;
    for (unsigned i = 0; good && i < shards; i++) {
        matching_engine_limits own = *limits;
        own.shard = i;
        good = books_init(&p->books[i], &own, 1) == 0;
    }
    if (!good) {
        process_give_up("no memory for the past");
    }
    p->shards = shards;
    return p;
}

void past_destroy(past *p)
{
    for (unsigned i = 0; i < p->shards; i++) {
        books_fini(&p->books[i]);
    }
    for (unsigned i = 0; i < LIFE_SYMBOLS_MAX; i++) {
        free(p->trades[i].list);
    }
    free(p->ended);
    free(p);
}

/* ---- What happened --------------------------------------------------------------------------- */

static void *with_room(void *list, size_t *room, size_t count, size_t size)
{
    if (count < *room) {
        return list;
    }
    *room = *room == 0 ? 1024 : 2 * *room;
    void *larger = realloc(list, *room * size);
    if (larger == NULL) {
        process_give_up("no memory for the past");
    }
    return larger;
}

typedef struct telling {
    past *p;
    const books *b;
} telling;

static void on_event(void *context, const matching_event *event, const matching_order *order)
{
    past *p = ((telling *)context)->p;
    if (event->kind == MATCHING_EVENT_TRADE) {
        past_trades *t = &p->trades[event->instrument];
        t->list = with_room(t->list, &t->room, t->count, sizeof *t->list);
        books_trade_of(((telling *)context)->b, event, &t->list[t->count++]);
    } else if (order != NULL && !matching_order_is_working(order)) {
        p->ended = with_room(p->ended, &p->ended_room, p->ended_count, sizeof *p->ended);
        p->ended[p->ended_count++] = *order;
    }
}

void past_apply(past *p, unsigned shard, const matching_command *command)
{
    telling it = {p, &p->books[shard]};
    books_replay_told(&p->books[shard], command, on_event, &it);
}

/* ---- Is it told ------------------------------------------------------------------------------ */

static bool differs(const char *what, uint64_t a, uint64_t b)
{
    printf("\n    %s: %" PRIu64 ", expected %" PRIu64 "\n", what, a, b);
    return false;
}

static bool tells_trades(const past *p, const store *s, unsigned instrument)
{
    static matching_trade read[PAGE];
    const past_trades *all = &p->trades[instrument];
    size_t seen = 0, count;
    do {
        if (store_read_trades(s, (uint16_t)instrument, seen + 1, 0, PAGE, read, &count) != 0) {
            return differs("trades cannot be read from", seen + 1, 0);
        }
        for (size_t i = 0; i < count; i++, seen++) {
            if (seen >= all->count || !same_trade(&read[i], &all->list[seen])) {
                return differs("trade", read[i].trade_id, seen + 1);
            }
        }
    } while (count > 0);
    return seen == all->count || differs("trades", seen, all->count);
}

static int by_id(const void *a, const void *b)
{
    const matching_order *x = a, *y = b;
    return (x->order_id > y->order_id) - (x->order_id < y->order_id);
}

/* The trades in which it took part. */
static bool tells_fills(const past *p, const store *s, const matching_order *order)
{
    static matching_trade read[PAGE];
    const past_trades *all = &p->trades[order->instrument];
    size_t count = 0, seen = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < all->count; i++) {
        const matching_trade *trade = &all->list[i];
        if (trade->buy_order_id != order->order_id && trade->sell_order_id != order->order_id) {
            continue;
        }
        if (seen == count) {
            seen = 0;
            if (store_read_fills(s, order->order_id, last, PAGE, read, &count) != 0) {
                return differs("fills cannot be read of order", order->order_id, 0);
            }
        }
        if (seen >= count || !same_trade(&read[seen], trade)) {
            return differs("a fill of order", order->order_id, trade->trade_id);
        }
        last = read[seen++].trade_id;
    }
    if (store_read_fills(s, order->order_id, last, PAGE, read, &count) != 0 || count > 0) {
        return differs("further fills of order", order->order_id, count);
    }
    return true;
}

/* The list of everybody's, each by its id, and its fills. Sorts the past's. */
static bool tells_orders(const past *p, const store *s)
{
    static matching_order read[PAGE];
    store_order_query query = {.status = MATCHING_STATUS_ANY, .limit = PAGE};
    size_t seen = 0, count;
    uint64_t after;
    if (p->ended_count > 0) {
        qsort(p->ended, p->ended_count, sizeof *p->ended, by_id);
    }
    do {
        if (store_read_orders(s, &query, read, &count, &after) != 0) {
            return differs("orders cannot be read after", query.after, 0);
        }
        for (size_t i = 0; i < count; i++, seen++) {
            matching_order one;
            if (seen >= p->ended_count || !same_order(&read[i], &p->ended[seen]) ||
                store_read_order(s, read[i].order_id, &one) != 0 ||
                !same_order(&one, &p->ended[seen])) {
                return differs("order", read[i].order_id, seen);
            }
            if (!tells_fills(p, s, &one)) {
                return false;
            }
        }
        query.after = after;
    } while (after != 0);
    return seen == p->ended_count || differs("ended orders", seen, p->ended_count);
}

typedef struct candle_list {
    matching_candle *list;
    size_t count;
    matching_interval interval;
} candle_list;

static void keep(void *context, const matching_candle *candle)
{
    candle_list *all = context;
    if (candle->interval == all->interval) {
        all->list[all->count++] = *candle;
    }
}

static bool tells_candles(const past *p, const store *s, unsigned instrument, unsigned interval)
{
    static matching_candle read[PAGE];
    const past_trades *trades = &p->trades[instrument];
    candle_list all = {calloc(trades->count + 1, sizeof *all.list), 0, (matching_interval)interval};
    matching_candles candles;
    matching_candles_init(&candles);
    for (size_t i = 0; i < trades->count; i++) {
        const matching_trade *t = &trades->list[i];
        matching_candles_trade(&candles, t->time_ns, t->price_ticks, t->quantity_lots, keep, &all);
    }
    matching_candles_advance(&candles, UINT64_MAX, keep, &all);
    store_candle_query query = {.instrument = (uint16_t)instrument,
                                .interval = (matching_interval)interval,
                                .from_s = 1,
                                .limit = PAGE};
    size_t seen = 0, count = 0;
    bool more = true, good = true;
    while (more && good) {
        good = store_read_candles(s, &query, read, &count, &more) == 0;
        for (size_t i = 0; good && i < count; i++, seen++) {
            good = seen < all.count && same_candle(&read[i], &all.list[seen]);
            query.from_s = read[i].start_s + 1;
        }
    }
    good = good && seen == all.count;
    free(all.list);
    return good || differs("candles of an instrument", seen, all.count);
}

static bool tells_all(const past *p, const store *s)
{
    bool good = true;
    for (unsigned i = 0; good && i < LIFE_SYMBOLS_MAX; i++) {
        good = tells_trades(p, s, i);
        for (unsigned k = 0; good && k < MATCHING_INTERVALS; k++) {
            good = tells_candles(p, s, i, k);
        }
    }
    return good && tells_orders(p, s);
}

/* ---- A start --------------------------------------------------------------------------------- */

/* Up to the end that the truth came to. */
static bool catch_up(const past *p, const data_dir *dir, store *s, unsigned shard)
{
    follower f;
    uint64_t end = p->books[shard].sequence;
    bool more = true;
    int failed;
    follower_init(&f, dir, shard, s, true);
    failed = follower_open(&f, NULL);
    bool good = failed == 0 && f.begins == 0 && f.sequence <= end;
    if (!good) {
        printf("\n    shard %u: begins after command %" PRIu64 ", stands at %" PRIu64 " of %" PRIu64
               ": %s\n",
               shard, f.begins, f.sequence, end, f.why);
    }
    while (good && more) {
        good = follower_step(&f, end, &more) == 0 || differs(f.why, f.sequence, end);
    }
    follower_fini(&f);
    return good;
}

static bool has_first_segment(const data_dir *dir, unsigned shard)
{
    char path[DATA_DIR_PATH_SIZE + 64];
    snprintf(path, sizeof path, "%s/shard-%02u/%020u.journal", dir->path, shard, 1u);
    return access(path, F_OK) == 0;
}

static store *open_store(const data_dir *dir, const char *path)
{
    char error[STORE_ERROR_SIZE];
    store_options options;
    store_options_default(&options);
    options.path = path;
    options.data_dir = dir->path;
    options.shards = dir->shards;
    options.max_instruments = LIFE_SYMBOLS_MAX;
    memcpy(options.identity, dir->identity, sizeof options.identity);
    store *s = store_open(&options, error, sizeof error);
    if (s == NULL) {
        printf("\n    %s\n", error);
    }
    return s;
}

static int look(const past *p, const char *folder)
{
    char path[2 * LIFE_PATH_SIZE], error[1000];
    data_dir dir;
    int saw = SAW_ALL;
    if (data_dir_open(&dir, folder, 0, 0, error, sizeof error) != 0 ||
        data_dir_add_identity(&dir, error, sizeof error) != 0) {
        printf("\n    %s\n", error);
        return SAW_WRONG;
    }
    snprintf(path, sizeof path, "%s/store", folder);
    store *s = open_store(&dir, path);
    bool good = s != NULL;
    for (unsigned i = 0; good && i < p->shards; i++) {
        saw |= has_first_segment(&dir, i) ? 0 : SAW_CUT_SHORT;
        saw |= store_progress(s, i, NULL) < p->books[i].sequence ? SAW_BEHIND : 0;
        good = catch_up(p, &dir, s, i);
    }
    good = good && tells_all(p, s) && store_close(s, error, sizeof error) == 0;
    data_dir_close(&dir);
    return good ? saw : SAW_WRONG;
}

void past_check(past *p, const char *folder, const char *copy)
{
    char command[4 * LIFE_PATH_SIZE];
    for (unsigned i = 0; i < p->shards; i++) {
        if (p->books[i].sequence == 0) {
            return;
        }
    }
    snprintf(command, sizeof command, "cp -r '%s' '%s'", folder, copy);
    if (system(command) != 0) {
        process_give_up("%s cannot be copied", folder);
    }
    fflush(stdout);
    int status = 0;
    pid_t pid = fork(); /* RocksDB's threads would not live on in the children to come */
    if (pid == 0) {
        int saw = look(p, copy);
        fflush(stdout);
        _exit(saw);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        (WEXITSTATUS(status) & SAW_ALL) == 0) {
        process_give_up("the history of %s is not the one that was: status %d", folder, status);
    }
    p->looks++;
    p->behind += (WEXITSTATUS(status) & SAW_BEHIND) != 0;
    p->cut_short += (WEXITSTATUS(status) & SAW_CUT_SHORT) != 0;
    segments_remove(copy);
}
