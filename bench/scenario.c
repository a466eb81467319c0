/* See scenario.h. Random numbers are made here, so that a seed means the same everywhere. */
#include "bench/scenario.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define START_TICKS 33000.0
#define LOWEST_TICKS 1000.0
#define HIGHEST_TICKS 250000.0
#define LIFE 40.0           /* mean of orders that come while one lives */
#define STEPS 1024          /* of time from one new order to the next */
#define MESSAGES_A_ORDER 5u /* new, modify, cancel, cancel again, modify too late */

const scenario scenarios[SCENARIOS] = {
    {.name = "static", .spread = 8, .lasting = 0.05},
    {.name = "normal", .swing = 0.02, .spread = 20, .lasting = 0.05},
    {.name = "swing-25", .swing = 0.25, .spread = 150, .lasting = 0.03},
    {.name = "swing-40", .swing = 0.40, .spread = 250, .lasting = 0.02},
    {.name = "flash-crash", .swing = 0.30, .crash = 0.60, .spread = 200, .lasting = 0.005},
};

typedef struct random_state {
    uint64_t state;
} random_state;

typedef struct timed {
    uint64_t when;
    yardstick_message message;
} timed;

static uint64_t next(random_state *r)
{
    uint64_t z = r->state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* In (0, 1). */
static double part(random_state *r)
{
    return ((double)(next(r) >> 12) + 0.5) / 4503599627370496.0;
}

static uint32_t below(random_state *r, uint32_t limit)
{
    return (uint32_t)((next(r) >> 32) * limit >> 32);
}

static double exponential(random_state *r, double mean)
{
    return -log(part(r)) * mean;
}

/* Sum of twelve: near enough to a normal distribution. */
static double normal(random_state *r)
{
    double sum = -6;
    for (int i = 0; i < 12; i++) {
        sum += part(r);
    }
    return sum;
}

/* Logarithm of what the crash leaves of the price at this part of the time. */
static double crash_at(const scenario *market, double time)
{
    double depth = time < 0.48   ? 0
                   : time < 0.50 ? (time - 0.48) / 0.02
                   : time < 0.60 ? 1 - (time - 0.50) / 0.10 / 2
                                 : 0.5;
    return log(1 - market->crash * depth);
}

static int64_t price_of(random_state *r, const scenario *market, double middle, unsigned side)
{
    double distance = 1 + floor(exponential(r, market->spread));
    double price = side == 0 ? middle - distance : middle + distance;
    return price < 1 ? 1 : (int64_t)price;
}

static uint64_t steps(random_state *r, double orders)
{
    return 1 + (uint64_t)exponential(r, orders * STEPS);
}

/* All messages of one order. */
static size_t one_order(random_state *r, uint64_t when, yardstick_new enter, double lasting,
                        timed *out)
{
    size_t count = 0;
    enter.immediate = part(r) < 0.15;
    out[count++] = (timed){when, {.type = YARDSTICK_NEW, .enter = enter}};
    if (enter.immediate) {
        return count;
    }
    yardstick_message modify = {.type = YARDSTICK_MODIFY,
                                .modify = {.order_id = enter.order_id,
                                           .price_ticks = enter.price_ticks,
                                           .quantity_lots = enter.quantity_lots + 1,
                                           .side = enter.side}};
    yardstick_message cancel = {.type = YARDSTICK_CANCEL, .cancel = {.order_id = enter.order_id}};
    bool modified = part(r) < 0.20;
    if (modified) {
        if (part(r) < 0.80) {
            modify.modify.price_ticks += enter.side == 0 ? 1 : -1;
        }
        if (modify.modify.price_ticks < 1) {
            modify.modify.price_ticks = 1;
        }
        when += steps(r, LIFE / 4);
        out[count++] = (timed){when, modify};
    }
    if (part(r) >= lasting) {
        when += steps(r, LIFE);
        out[count++] = (timed){when, cancel};
        if (part(r) < 0.02) {
            when += steps(r, 1);
            out[count++] = (timed){when, cancel};
        }
        if (modified && part(r) < 0.02) {
            when += steps(r, 1);
            out[count++] = (timed){when, modify};
        }
    }
    return count;
}

static int compare(const void *left, const void *right)
{
    const timed *a = left, *b = right;
    if (a->when != b->when) {
        return a->when < b->when ? -1 : 1;
    }
    /* One order's messages are never at one time; of two orders' the smaller id is first. */
    return a->message.cancel.order_id < b->message.cancel.order_id ? -1 : 1;
}

/* 1 ... count in random order. */
static void shuffle_ids(random_state *r, uint32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = below(r, i + 1);
        ids[i] = ids[at];
        ids[at] = i + 1;
    }
}

static size_t generate(const scenario *market, random_state *r, const uint32_t *ids,
                       uint32_t orders, timed *out)
{
    double walk = 0, step = market->swing / sqrt(orders);
    size_t count = 0;
    for (uint32_t i = 0; i < orders; i++) {
        walk += step * normal(r);
        double middle = START_TICKS * exp(walk + crash_at(market, (double)i / orders));
        middle = fmin(fmax(middle, LOWEST_TICKS), HIGHEST_TICKS);
        yardstick_new enter = {.order_id = ids[i], .quantity_lots = 1 + below(r, 100)};
        enter.side = next(r) & 1;
        enter.price_ticks = price_of(r, market, middle, enter.side);
        count += one_order(r, (uint64_t)i * STEPS, enter, market->lasting, &out[count]);
    }
    return count;
}

yardstick_message *scenario_generate(const scenario *market, uint32_t orders, uint64_t seed,
                                     size_t *count)
{
    random_state r = {.state = seed};
    uint32_t *ids = malloc(orders * sizeof *ids);
    timed *all = malloc((size_t)orders * MESSAGES_A_ORDER * sizeof *all);
    yardstick_message *messages = NULL;
    if (ids != NULL && all != NULL) {
        shuffle_ids(&r, ids, orders);
        *count = generate(market, &r, ids, orders, all);
        qsort(all, *count, sizeof *all, compare);
        messages = malloc(*count * sizeof *messages);
    }
    for (size_t i = 0; messages != NULL && i < *count; i++) {
        messages[i] = all[i].message;
        messages[i].cancel.sequence = i; /* at the same place in all three */
    }
    free(ids);
    free(all);
    return messages;
}
