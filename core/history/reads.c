/* Reads of the store: who waits for how long, and what the store and memory say together.
 *
 * Invariants: a read is in one list, or with one thread, at a time; the store is asked only when it
 * has come as far as the shards had when they were asked. What is durable later may be among what
 * it says: an order that the shard knew as working may have ended since, and then the store's is
 * the truth.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "history/history_internal.h"

#define WAIT_NS (UINT64_C(2000) * 1000000)
#define LOOK_NS 250000000l /* between two looks at the deadlines */
#define NS_PER_S UINT64_C(1000000000)

void list_init(read_list *list)
{
    list->first = NULL;
    list->end = &list->first;
}

void list_add(read_list *list, history_read *read)
{
    read->next = NULL;
    *list->end = read;
    list->end = &read->next;
}

static history_read *list_take(read_list *list)
{
    history_read *read = list->first;
    if (read != NULL) {
        list->first = read->next;
        if (list->first == NULL) {
            list->end = &list->first;
        }
    }
    return read;
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static unsigned first_shard(const history_read *read)
{
    return read->gather->part_count == 1 ? read->gather->reply.shard : 0;
}

/* Candles want the clock too: what had ended when they were asked for is final. */
static bool wants_time(const history_read *read)
{
    return read->gather->command.type == MATCHING_READ_CANDLES;
}

static bool has_come(const history *h, const history_read *read)
{
    const gather *g = read->gather;
    for (unsigned i = 0; i < g->part_count; i++) {
        const shard_history *it = &h->shards[first_shard(read) + i];
        if (atomic_load(&it->stored) < g->parts[i].sequence ||
            (wants_time(read) &&
             atomic_load(&it->time_ns) / NS_PER_S < g->reply.time_ns / NS_PER_S)) {
            return false;
        }
    }
    return true;
}

/* What keeps it from ever being answered, or for long; FINE: it may be waited for. */
static matching_history_trouble trouble_of(const history *h, const history_read *read)
{
    matching_history_trouble found = MATCHING_HISTORY_FINE;
    for (unsigned i = 0; i < read->gather->part_count; i++) {
        int state = atomic_load(&h->shards[first_shard(read) + i].state);
        if (state == MATCHING_HISTORY_STATE_FAILED) {
            return MATCHING_HISTORY_FAILED;
        }
        if (state == MATCHING_HISTORY_STATE_CATCHING_UP) {
            found = MATCHING_HISTORY_CATCHING_UP;
        }
    }
    return found;
}

static void refuse(history_read *read, matching_history_trouble trouble)
{
    gather_refuse(read->gather, trouble);
    port_finish_read(read);
}

/* The writer hears of it and hurries. With the lock. */
static void demand(history *h, const history_read *read)
{
    shard_history *it = &h->shards[first_shard(read)];
    uint64_t time_ns = read->gather->reply.time_ns;
    if (wants_time(read) && it->wanted_ns < time_ns) {
        it->wanted_ns = time_ns;
    }
    h->is_urgent = true;
    history_wake(h);
}

/* Those that have just come are answered, or wait. With the lock. */
static void accept(history *h)
{
    history_read *read = atomic_exchange(&h->incoming, NULL);
    while (read != NULL) {
        history_read *next = read->next;
        if (has_come(h, read)) {
            list_add(&h->ready, read);
        } else {
            list_add(&h->waiting, read);
            demand(h, read);
        }
        read = next;
    }
}

void reads_begin(const history_link *link, history_read *read)
{
    history *h = (history *)link;
    matching_history_trouble trouble = trouble_of(h, read);
    if (trouble == MATCHING_HISTORY_FAILED ||
        (trouble == MATCHING_HISTORY_CATCHING_UP && !has_come(h, read))) {
        refuse(read, trouble);
        return;
    }
    read->deadline_ns = matching_monotonic_ns() + WAIT_NS;
    read->next = atomic_load_explicit(&h->incoming, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&h->incoming, &read->next, read)) {
    }
    sem_post(&h->tokens);
}

void reads_release(history *h, bool all)
{
    read_list left;
    history_read *read;
    uint64_t now_ns = h->waiting.first != NULL ? matching_monotonic_ns() : 0;
    list_init(&left);
    while ((read = list_take(&h->waiting)) != NULL) {
        if (has_come(h, read)) {
            list_add(&h->ready, read);
            sem_post(&h->tokens);
        } else if (all || now_ns >= read->deadline_ns ||
                   trouble_of(h, read) == MATCHING_HISTORY_FAILED) {
            matching_history_trouble trouble = trouble_of(h, read);
            refuse(read,
                   trouble == MATCHING_HISTORY_FAILED ? trouble : MATCHING_HISTORY_CATCHING_UP);
        } else {
            list_add(&left, read);
        }
    }
    while ((read = list_take(&left)) != NULL) {
        list_add(&h->waiting, read);
    }
    h->is_urgent = h->waiting.first != NULL;
}

/* ---- One order ------------------------------------------------------------------------------- */

static bool has_trader(const matching_command *command, const matching_order *order)
{
    return strncmp(command->trader_id, order->trader_id, MATCHING_TRADER_MAX) == 0;
}

/* By the rules by which the engine finds an order. */
static int read_order(const history *h, gather *g)
{
    const matching_command *command = &g->command;
    matching_reply *reply = &g->reply;
    int failed;
    if (command->order_id != 0) {
        failed = store_read_order(h->s, command->order_id, &reply->order);
        bool is_other = (command->trader_id[0] != 0 && !has_trader(command, &reply->order)) ||
                        ((command->flags & MATCHING_FLAG_HAS_SYMBOL) &&
                         reply->order.instrument != command->instrument);
        failed = failed == 0 && is_other ? -ENOENT : failed;
    } else {
        char trader[MATCHING_TRADER_MAX + 1] = {0}, client[MATCHING_CLIENT_ID_MAX + 1] = {0};
        memcpy(trader, command->trader_id, MATCHING_TRADER_MAX);
        memcpy(client, command->client_order_id, MATCHING_CLIENT_ID_MAX);
        failed = store_read_client_order(h->s, trader, client, command->instrument, &reply->order);
    }
    if (failed == 0) {
        reply->code = MATCHING_OK;
        reply->field = 0;
        reply->has_order = 1;
        reply->trader = 0;
    }
    return failed == -ENOENT ? 0 : failed; /* the reply says already that there is none */
}

/* ---- Orders ---------------------------------------------------------------------------------- */

/* It was there when its shard was asked. One that came later has to wait for a later page: an
 * older one that still works came later too perhaps, and would be passed over. */
static bool was_there(const history *h, const gather *g, uint64_t order_id)
{
    unsigned number = (unsigned)(order_id & ((1u << h->core->shard_bits) - 1));
    const gather_part *part = &g->parts[g->part_count == 1 ? 0 : number];
    return order_id <= part->newest_id;
}

/* Those with another client id leave the page, and those that came too late. */
static size_t keep_wanted(const history *h, const gather *g, matching_order *orders, size_t count)
{
    const char *client = g->command.client_order_id;
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        bool is_wanted = client[0] == 0 ||
                         strncmp(client, orders[i].client_order_id, MATCHING_CLIENT_ID_MAX) == 0;
        if (is_wanted && was_there(h, g, orders[i].order_id)) {
            orders[kept++] = orders[i];
        }
    }
    return kept;
}

/* Both are by ascending id. Where both have an order the store's is the later one. */
static void merge_orders(gather *g, const matching_order *ended, size_t ended_count,
                         bool ended_complete, matching_order *out)
{
    const matching_order *known = g->reply.orders;
    size_t known_count = g->reply.order_count, limit = g->command.limit, count = 0, i = 0, k = 0;
    while (count < limit && (i < known_count || k < ended_count)) {
        if (k == ended_count || (i < known_count && known[i].order_id < ended[k].order_id)) {
            out[count++] = known[i++];
        } else {
            i += i < known_count && known[i].order_id == ended[k].order_id;
            out[count++] = ended[k++];
        }
    }
    g->reply.orders_complete =
        g->reply.orders_complete && ended_complete && i == known_count && k == ended_count;
    g->reply.orders = out;
    g->reply.order_count = count;
}

/* One step; *done: the read is answered. */
static int read_orders(const history *h, history_read *read, bool *done)
{
    gather *g = read->gather;
    const matching_command *command = &g->command;
    size_t limit = command->limit, count;
    char trader[MATCHING_TRADER_MAX + 1] = {0};
    memcpy(trader, command->trader_id, MATCHING_TRADER_MAX);
    if (read->page == NULL) {
        read->page = malloc(2 * limit * sizeof *read->page); /* found ones, and merged ones */
        read->after = command->order_id;
        if (read->page == NULL) {
            return -ENOMEM;
        }
    }
    store_order_query query = {
        .trader_id = trader[0] != 0 ? trader : NULL,
        .after = read->after,
        .status = command->status,
        .has_instrument = !(command->flags & MATCHING_FLAG_ALL_SYMBOLS),
        .instrument = command->instrument,
        .limit = limit - read->found,
    };
    uint64_t after;
    int failed = store_read_orders(h->s, &query, read->page + read->found, &count, &after);
    if (failed != 0) {
        return failed;
    }
    read->found += keep_wanted(h, g, read->page + read->found, count);
    read->after = after;
    /* What memory has may be a full page that ends before: the store has nothing to add to it. */
    bool is_beyond = g->reply.order_count == limit &&
                     after >= g->reply.orders[g->reply.order_count - 1].order_id;
    *done = after == 0 || read->found == limit || is_beyond;
    if (*done) {
        merge_orders(g, read->page, read->found, after == 0, read->page + limit);
    }
    return 0;
}

/* ---- Trades, candles ------------------------------------------------------------------------- */

static int read_trades(const history *h, gather *g)
{
    const matching_command *command = &g->command;
    gather_part *part = &g->parts[0];
    int failed = store_read_trades(h->s, command->instrument, command->from_id, command->before_id,
                                   command->limit, part->trades, &part->trade_count);
    g->reply.trades = part->trades;
    g->reply.trade_count = part->trade_count;
    return failed;
}

/* How all of them stand, from which a door goes on. */
static int read_running(const history *h, gather *g)
{
    matching_candles candles;
    matching_reply *reply = &g->reply;
    matching_candle *out = g->parts[0].candles;
    int failed = store_read_running(h->s, g->command.instrument, &candles, &reply->last_trade_id,
                                    &reply->exact_from_s);
    for (unsigned i = 0; failed == 0 && i < MATCHING_INTERVALS; i++) {
        const matching_candle *running = matching_candles_running(&candles, (matching_interval)i);
        if (running != NULL) {
            out[reply->candle_count++] = *running;
        }
    }
    reply->candles = out;
    reply->time_ns = failed == 0 ? candles.time_ns : 0;
    return failed == -ENOENT ? 0 : failed;
}

static int read_candles(const history *h, gather *g)
{
    const matching_command *command = &g->command;
    if (command->interval == MATCHING_INTERVALS) {
        return read_running(h, g);
    }
    store_candle_query query = {.instrument = command->instrument,
                                .interval = (matching_interval)command->interval,
                                .from_s = command->from_s,
                                .to_s = command->to_s,
                                .limit = command->limit};
    g->reply.candles = g->parts[0].candles;
    return store_read_candles(h->s, &query, g->parts[0].candles, &g->reply.candle_count,
                              &g->reply.candles_more);
}

/* ---- The readers ----------------------------------------------------------------------------- */

static int answer(const history *h, history_read *read, bool *done)
{
    *done = true;
    switch (read->gather->command.type) {
    case MATCHING_READ_ORDER:
        return read_order(h, read->gather);
    case MATCHING_READ_ORDERS:
        return read_orders(h, read, done);
    case MATCHING_READ_TRADES:
        return read_trades(h, read->gather);
    default:
        return read_candles(h, read->gather);
    }
}

/* A long search takes its turns with the others. */
static void serve(history *h, history_read *read)
{
    bool done;
    int failed = answer(h, read, &done);
    if (failed == -ENOMEM) {
        gather_refuse(read->gather, MATCHING_HISTORY_CATCHING_UP); /* ask again later */
    } else if (failed != 0) {
        history_fail(h, "a part of the store cannot be read");
        gather_refuse(read->gather, MATCHING_HISTORY_FAILED);
    } else if (!done) {
        pthread_mutex_lock(&h->lock);
        list_add(&h->ready, read);
        pthread_mutex_unlock(&h->lock);
        sem_post(&h->tokens);
        return;
    }
    port_finish_read(read);
}

/* Until there is something to do; while reads wait, no longer than that one of them may be over
 * time: the writer, whom they wait for, may not get a processor. */
static void wait_for_token(history *h, bool some_wait)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_NS;
    until.tv_sec += until.tv_nsec / (long)NS_PER_S;
    until.tv_nsec %= (long)NS_PER_S;
    while ((some_wait ? sem_clockwait(&h->tokens, CLOCK_MONOTONIC, &until)
                      : sem_wait(&h->tokens)) != 0 &&
           errno == EINTR) {
    }
}

void *reads_run(void *context)
{
    history *h = context;
    bool some_wait = false;
    while (!atomic_load(&h->stopping)) {
        wait_for_token(h, some_wait);
        pthread_mutex_lock(&h->lock);
        accept(h);
        if (some_wait) {
            reads_release(h, false);
        }
        some_wait = h->waiting.first != NULL;
        history_read *read = list_take(&h->ready);
        pthread_mutex_unlock(&h->lock);
        if (read != NULL) {
            serve(h, read);
        }
    }
    return NULL;
}
