/* core_bench gets a small file of random commands; its totals have to be those of a list of orders
 * that is searched from end to end for every fill. */
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cunit_main.h"

#define COMMANDS 30000u
#define SYMBOLS 3u
#define PRICES 60u

enum { LIMIT = 1, MARKET = 2, CANCEL = 3, IMMEDIATE = 4, REPLACE = 5 };

typedef struct record {
    uint8_t type, side;
    uint16_t symbol;
    uint32_t quantity;
    int64_t price;
    uint64_t order, reserved;
} record;

typedef struct naive_order {
    uint64_t order;
    uint64_t priority; /* the command that put it where it is */
    int64_t price;
    uint32_t quantity; /* 0: not in the book */
    uint16_t symbol;
    uint8_t side;
} naive_order;

typedef struct totals {
    uint64_t trades, quantity, sum;
} totals;

typedef struct naive {
    naive_order orders[COMMANDS + 1]; /* by number */
    uint64_t last;                    /* number given */
    totals totals;
} naive;

static uint64_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

/* The resting order that the taker meets next; NULL: none within its limit (0: any). */
static naive_order *best(naive *n, const record *taker)
{
    naive_order *found = NULL;
    for (uint64_t i = 1; i <= n->last; i++) {
        naive_order *o = &n->orders[i];
        if (o->quantity == 0 || o->side == taker->side || o->symbol != taker->symbol ||
            (taker->price != 0 &&
             (taker->side == 0 ? o->price > taker->price : o->price < taker->price))) {
            continue;
        }
        bool better = found == NULL ||
                      (taker->side == 0 ? o->price < found->price : o->price > found->price) ||
                      (o->price == found->price && o->priority < found->priority);
        found = better ? o : found;
    }
    return found;
}

static void enter(naive *n, const record *r, uint64_t now)
{
    uint32_t left = r->quantity;
    for (naive_order *maker; left > 0 && (maker = best(n, r)) != NULL;) {
        uint32_t lots = maker->quantity < left ? maker->quantity : left;
        maker->quantity -= lots;
        left -= lots;
        n->totals.trades++;
        n->totals.quantity += lots;
        n->totals.sum += lots * (uint64_t)maker->price;
    }
    n->orders[r->order] = (naive_order){.order = r->order,
                                        .priority = now,
                                        .price = r->price,
                                        .symbol = r->symbol,
                                        .side = r->side};
    n->orders[r->order].quantity = r->type == LIMIT || r->type == REPLACE ? left : 0;
}

static record any_command(naive *n)
{
    record r = {.symbol = (uint16_t)below(SYMBOLS), .side = (uint8_t)below(2)};
    uint32_t kind = below(100);
    r.quantity = 1 + below(20);
    r.price = 1 + below(PRICES);
    if (kind < 60 || n->last == 0) {
        r.type = kind < 45 ? LIMIT : kind < 55 ? IMMEDIATE : MARKET;
        r.price = r.type == MARKET ? 0 : r.price;
        r.order = ++n->last;
        return r;
    }
    /* Of the newest ones, so that it often still rests, or its reply is still to come. */
    r.order = n->last - below(n->last < 200 ? (uint32_t)n->last : 200);
    const naive_order *target = &n->orders[r.order];
    r.type = kind < 85 ? CANCEL : REPLACE;
    r.symbol = target->symbol;
    r.side = target->side;
    if (r.price == target->price) {
        r.price++; /* a replace always changes the price */
    }
    if (r.type == CANCEL) {
        r.price = r.quantity = 0;
    }
    return r;
}

static totals write_file(FILE *file, uint64_t seed)
{
    static naive n;
    memset(&n, 0, sizeof n);
    random_state = seed;
    for (uint64_t i = 1; i <= COMMANDS; i++) {
        record r = any_command(&n);
        bool rests = n.orders[r.order].quantity > 0;
        if (r.type == CANCEL) {
            n.orders[r.order].quantity = 0;
        } else if (r.type != REPLACE || rests) {
            n.orders[r.order].quantity = 0;
            enter(&n, &r, i);
        }
        CU_ASSERT_EQUAL(fwrite(&r, sizeof r, 1, file), 1);
    }
    return n.totals;
}

/* What core_bench says of the file. */
static totals run_core_bench(const char *path)
{
    char command[400], line[1000];
    totals found = {0};
    snprintf(command, sizeof command, "'%s' '%s' 1", CORE_BENCH, path);
    FILE *output = popen(command, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(output);
    while (fgets(line, sizeof line, output) != NULL) {
        const char *at = strstr(line, " trades=");
        if (strncmp(line, "core_bench ", 11) == 0 && at != NULL) {
            CU_ASSERT_EQUAL(sscanf(at, " trades=%" SCNu64 " qty=%" SCNu64 " sum=%" SCNu64,
                                   &found.trades, &found.quantity, &found.sum),
                            3);
        }
    }
    CU_ASSERT_EQUAL(pclose(output), 0);
    return found;
}

static void test_totals_are_those_of_a_plain_search(void)
{
    for (uint64_t seed = 1; seed <= 2; seed++) {
        char path[] = "/tmp/matching-core-bench-XXXXXX";
        int descriptor = mkstemp(path);
        CU_ASSERT_FATAL(descriptor >= 0);
        FILE *file = fdopen(descriptor, "wb");
        CU_ASSERT_PTR_NOT_NULL_FATAL(file);
        totals expected = write_file(file, seed);
        CU_ASSERT_EQUAL(fclose(file), 0);
        totals found = run_core_bench(path);
        CU_ASSERT(expected.trades > 1000);
        CU_ASSERT_EQUAL(found.trades, expected.trades);
        CU_ASSERT_EQUAL(found.quantity, expected.quantity);
        CU_ASSERT_EQUAL(found.sum, expected.sum);
        unlink(path);
    }
}

static void test_a_file_of_something_else_is_refused(void)
{
    CU_ASSERT_NOT_EQUAL(system("'" CORE_BENCH "' /dev/null 2>/dev/null"), 0);
    CU_ASSERT_NOT_EQUAL(system("'" CORE_BENCH "' 2>/dev/null"), 0);
}

MATCHING_TESTS(MATCHING_TEST(test_totals_are_those_of_a_plain_search),
               MATCHING_TEST(test_a_file_of_something_else_is_refused))
