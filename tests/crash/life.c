/* See life.h. */
#define _GNU_SOURCE
#include "crash/life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

life *life_map(int fd)
{
    life *l = mmap(NULL, sizeof *l, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (l == MAP_FAILED) {
        perror("life: mmap");
        exit(EXIT_FAILURE);
    }
    return l;
}

life *life_create(int *fd)
{
    *fd = memfd_create("life", MFD_CLOEXEC);
    if (*fd < 0 || ftruncate(*fd, sizeof(life)) != 0) {
        perror("life: memfd_create");
        exit(EXIT_FAILURE);
    }
    return life_map(*fd);
}

const char *life_symbol(unsigned number)
{
    static const char *const names[LIFE_SYMBOLS_MAX] = {
        "BTCUSDT", "ETHUSDT", "SOLUSDT", "ADAUSDT", "XRPUSDT", "DOTUSDT", "A-0", "B-1",
        "C-2",     "D-3",     "E-4",     "F-5",     "G-6",     "H-7",     "I-8", "J-9"};
    return names[number % LIFE_SYMBOLS_MAX];
}

int64_t life_tick_size(unsigned number)
{
    static const int64_t sizes[] = {1000000, 1, 5, 92233};
    return sizes[number % 4];
}

int64_t life_lot_size(unsigned number)
{
    static const int64_t sizes[] = {10000, 7, 1, 100000000};
    return sizes[number % 4];
}

/* ---- The digest: FNV-1a over values, field by field, for structures have padding ------------- */

static void add(uint64_t *digest, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        *digest = (*digest ^ (value >> 8 * i & 255)) * 0x100000001b3u;
    }
}

static void add_wide(uint64_t *digest, matching_wide value)
{
    add(digest, (uint64_t)value);
    add(digest, (uint64_t)(value >> 64));
}

static void add_text(uint64_t *digest, const char *text)
{
    for (; *text != 0; text++) {
        add(digest, (unsigned char)*text);
    }
    add(digest, 256);
}

static void add_order(uint64_t *digest, const matching_order *o)
{
    const uint64_t values[] = {o->order_id,
                               (uint64_t)o->price_ticks,
                               (uint64_t)o->quantity_lots,
                               (uint64_t)o->filled_lots,
                               o->instrument,
                               o->status,
                               o->reason,
                               o->side,
                               o->type,
                               o->time_in_force,
                               o->self_trade,
                               o->post_only,
                               (uint64_t)o->stop_price_ticks,
                               (uint64_t)o->display_lots,
                               o->created_ns,
                               o->updated_ns,
                               o->expire_time_ms};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        add(digest, values[i]);
    }
    add_wide(digest, o->notional);
    add_text(digest, o->client_order_id);
    add_text(digest, o->trader_id);
}

static void add_trade(uint64_t *digest, const matching_trade *t)
{
    const uint64_t values[] = {t->trade_id,
                               (uint64_t)t->price_ticks,
                               (uint64_t)t->quantity_lots,
                               t->time_ns,
                               t->buy_order_id,
                               t->sell_order_id,
                               t->instrument,
                               t->taker_side};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        add(digest, values[i]);
    }
    add_text(digest, t->buyer);
    add_text(digest, t->seller);
}

static void add_depth(uint64_t *digest, const matching_depth *depth)
{
    add(digest, depth->sequence);
    add(digest, depth->state);
    add(digest, depth->bids_complete);
    add(digest, depth->asks_complete);
    for (unsigned side = 0; side < 2; side++) {
        const matching_level *levels = side == 0 ? depth->bids : depth->asks;
        uint32_t count = side == 0 ? depth->bid_count : depth->ask_count;
        add(digest, count);
        for (uint32_t i = 0; i < count; i++) {
            add(digest, (uint64_t)levels[i].price_ticks);
            add(digest, levels[i].orders);
            add_wide(digest, levels[i].total_lots);
        }
    }
}

/* Without its time, which is the clock's and not a command's. */
static void add_ticker(uint64_t *digest, const matching_ticker *t)
{
    const int64_t values[] = {t->last_ticks,     t->open_ticks, t->high_ticks, t->low_ticks,
                              (int64_t)t->count, t->bid_ticks,  t->ask_ticks,  t->indicative_ticks};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        add(digest, (uint64_t)values[i]);
    }
    char turnover[MATCHING_TURNOVER_TEXT];
    size_t length = matching_turnover_print(turnover, &t->turnover);
    turnover[length] = 0;
    add_text(digest, turnover);
    add_wide(digest, t->volume_lots);
    add_wide(digest, t->indicative_lots);
}

uint64_t life_digest(const matching_reply *reply)
{
    uint64_t digest = 0xcbf29ce484222325u;
    add(&digest, reply->code);
    add(&digest, reply->field);
    add(&digest, reply->has_order);
    add(&digest, reply->related_order_id);
    if (reply->has_order) {
        add_order(&digest, &reply->order);
    }
    if (reply->type == MATCHING_READ_TRADES) {
        for (size_t i = 0; i < reply->trade_count; i++) {
            add_trade(&digest, &reply->trades[i]);
        }
    }
    for (size_t i = 0; i < reply->order_count; i++) {
        add_order(&digest, &reply->orders[i]);
    }
    if (reply->type == MATCHING_READ_ORDERS || reply->type == MATCHING_READ_OPEN_ORDERS) {
        add(&digest, reply->orders_complete);
    }
    if (reply->depth != NULL) {
        add_depth(&digest, reply->depth);
    }
    if (reply->ticker != NULL) {
        add_ticker(&digest, reply->ticker);
    }
    return digest;
}
