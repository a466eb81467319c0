/* Pages of candles that are read while candles come, and go on after the service has died or been
 * stopped: each candle once, whole, none left out. Time is the test's, so that there are many of
 * them: it runs fast, and jumps; the linker's --wrap puts its clock in the place of the core's.
 */
#include <CUnit/CUnit.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "support/cunit_main.h"
#include "support/same.h"

#define SPEED 1000u /* seconds that pass in one */
#define NS_PER_S UINT64_C(1000000000)
#define LIVES 4u
#define ROUNDS 20u /* of a life */
#define COMMANDS 64u
#define INSTRUMENTS 4u
#define CANDLES_MAX 20000u

static _Atomic uint64_t begun_ns, jumped_ns;

uint64_t __real_matching_unix_ns(void);
uint64_t __wrap_matching_unix_ns(void);

uint64_t __wrap_matching_unix_ns(void)
{
    uint64_t begin = atomic_load(&begun_ns);
    return begin + (__real_matching_unix_ns() - begin) * SPEED + atomic_load(&jumped_ns);
}

/* Somebody who reads one series, page by page: those that are final. */
typedef struct reader {
    unsigned instrument; /* as bench_instrument counts: shard * 2 + number */
    matching_interval interval;
    uint32_t limit;
    bool is_backward;
    uint64_t at_s; /* where the next page goes on */
    uint64_t last_time_ns;
    bool has_more;
    matching_candle *found; /* in the order in which they came */
    size_t count;
} reader;

static const struct {
    matching_interval interval;
    uint32_t limit;
} series[] = {
    {MATCHING_S1, 1}, {MATCHING_S1, 7}, {MATCHING_S1, 500}, {MATCHING_S30, 2}, {MATCHING_M5, 1}};
#define SERIES (sizeof series / sizeof series[0])
#define READERS (INSTRUMENTS * SERIES)

static exchange x;
static reader readers[READERS];

static const matching_instrument *instrument_of(const reader *r)
{
    return bench_instrument(&x.b, r->instrument / 2, r->instrument % 2);
}

static void init_reader(reader *r, size_t number, bool is_backward)
{
    *r = (reader){.instrument = (unsigned)(number / SERIES),
                  .interval = series[number % SERIES].interval,
                  .limit = series[number % SERIES].limit,
                  .is_backward = is_backward,
                  .at_s = is_backward ? 0 : 1,
                  .found = calloc(CANDLES_MAX, sizeof *r->found)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->found);
}

static const entry *ask(const reader *r)
{
    matching_command read = read_command(MATCHING_READ_CANDLES, instrument_of(r), r->limit);
    read.interval = (uint8_t)r->interval;
    read.from_s = r->is_backward ? 0 : r->at_s;
    read.to_s = r->is_backward ? r->at_s : 0;
    const entry *e = exchange_ask_again(&x, read);
    CU_ASSERT_EQUAL_FATAL(e->reply.code, MATCHING_OK);
    CU_ASSERT_TRUE(e->reply.candle_count <= r->limit);
    return e;
}

/* The next page. False: there was nothing new on it. */
static bool read_page(reader *r)
{
    const entry *e = ask(r);
    size_t before = r->count, count = e->reply.candle_count;
    r->last_time_ns = e->reply.time_ns;
    r->has_more = e->reply.candles_more;
    for (size_t i = 0; i < count; i++) {
        const matching_candle *c = &e->candles[r->is_backward ? count - 1 - i : i];
        CU_ASSERT_TRUE_FATAL(r->count < CANDLES_MAX);
        if (c->is_final) {
            r->found[r->count++] = *c;
        } else { /* it comes again, as long as it runs */
            CU_ASSERT_EQUAL(c, &e->candles[count - 1]);
        }
        if (r->is_backward) {
            r->at_s = c->start_s - 1;
        } else if (c->is_final) {
            r->at_s = c->start_s + 1;
        }
    }
    return r->count > before || (r->is_backward && count > 0);
}

/* ---- The truth ------------------------------------------------------------------------------- */

typedef struct list {
    matching_candle *candles;
    size_t count;
    matching_interval interval;
} list;

static void keep(void *context, const matching_candle *candle)
{
    list *l = context;
    if (candle->interval == l->interval) {
        l->candles[l->count++] = *candle;
    }
}

/* The candles of the series that were over at this time, as the trades make them; on the heap. */
static list make_list(const reader *r, uint64_t time_ns)
{
    list l = {.candles = calloc(x.trade_count + 1, sizeof *l.candles), .interval = r->interval};
    matching_candles candles;
    matching_candles_init(&candles);
    CU_ASSERT_PTR_NOT_NULL_FATAL(l.candles);
    for (size_t i = 0; i < x.trade_count; i++) {
        const matching_trade *trade = &x.trades[i];
        if (trade->instrument == instrument_of(r)->index && trade->time_ns <= time_ns) {
            matching_candles_trade(&candles, trade->time_ns, trade->price_ticks,
                                   trade->quantity_lots, keep, &l);
        }
    }
    matching_candles_advance(&candles, time_ns, keep, &l);
    return l;
}

static void expect_all(const reader *r)
{
    list l = make_list(r, r->last_time_ns);
    unsigned wrong = 0;
    CU_ASSERT_EQUAL(r->count, l.count);
    for (size_t i = 0; i < r->count && i < l.count; i++) {
        wrong += !same_candle(&r->found[r->is_backward ? r->count - 1 - i : i], &l.candles[i]);
    }
    CU_ASSERT_EQUAL(wrong, 0);
    free(l.candles);
}

/* ---- The tests ------------------------------------------------------------------------------- */

static void begin(uint64_t seed)
{
    atomic_store(&begun_ns, __real_matching_unix_ns());
    exchange_init(&x, seed);
    exchange_start(&x);
    CU_ASSERT_EQUAL_FATAL(x.attached, 0);
}

static void die_and_start(unsigned life)
{
    if (life % 2 == 0) {
        exchange_die(&x);
    } else {
        exchange_stop(&x);
    }
    exchange_start(&x);
    CU_ASSERT_EQUAL_FATAL(x.attached, 0);
}

/* Some trades, at another time than those of the round before. */
static void trade(unsigned round)
{
    atomic_fetch_add(&jumped_ns, (1 + round * 7 % 60) * NS_PER_S);
    exchange_trade(&x, COMMANDS);
}

static void end(void)
{
    for (size_t i = 0; i < READERS; i++) {
        free(readers[i].found);
    }
    exchange_fini(&x);
}

/* Readers follow what happens, some quickly and some slowly, and are through at the end. */
static void test_pages_go_on_while_candles_come_and_over_deaths(void)
{
    begin(51);
    for (size_t i = 0; i < READERS; i++) {
        init_reader(&readers[i], i, false);
    }
    for (unsigned life = 0; life < LIVES; life++) {
        for (unsigned round = 0; round < ROUNDS; round++) {
            trade(round);
            for (size_t i = round % 3; i < READERS; i += 3) {
                read_page(&readers[i]);
            }
        }
        die_and_start(life);
    }
    for (size_t i = 0; i < READERS; i++) {
        while (read_page(&readers[i])) {
        }
        CU_ASSERT_FALSE(readers[i].has_more);
        expect_all(&readers[i]);
    }
    CU_ASSERT_TRUE(readers[0].count > LIVES * ROUNDS / 2);
    end();
}

/* Pages back to the beginning have what was there when the first of them was read, whatever is
 * traded meanwhile. */
static void test_pages_go_back_while_candles_come_and_over_deaths(void)
{
    uint64_t first_time_ns[READERS];
    begin(52);
    for (unsigned round = 0; round < 2 * ROUNDS; round++) {
        trade(round);
    }
    for (size_t i = 0; i < READERS; i++) {
        init_reader(&readers[i], i, true);
        read_page(&readers[i]);
        first_time_ns[i] = readers[i].last_time_ns;
    }
    bool any_more = true;
    for (unsigned round = 0; any_more; round++) {
        trade(round);
        any_more = false;
        for (size_t i = 0; i < READERS; i++) {
            for (unsigned pages = 0; readers[i].has_more && pages < 20; pages++) {
                CU_ASSERT_TRUE(read_page(&readers[i]));
            }
            any_more = any_more || readers[i].has_more;
        }
        die_and_start(round);
    }
    for (size_t i = 0; i < READERS; i++) {
        readers[i].last_time_ns = first_time_ns[i];
        expect_all(&readers[i]);
    }
    CU_ASSERT_TRUE(readers[0].count > ROUNDS);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_pages_go_on_while_candles_come_and_over_deaths),
               MATCHING_TEST(test_pages_go_back_while_candles_come_and_over_deaths))
