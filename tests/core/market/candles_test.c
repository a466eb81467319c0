/* Candles: tables of what a few trades give, and any trades against a plain recount, cut short and
 * resumed anywhere.
 *
 * Random runs have fixed seeds and a fresh one, which is printed; MATCHING_SEED=n runs only that
 * one.
 */
#include "matching/candles.h"

#include <inttypes.h>
#include <time.h>

#include "matching/order.h"
#include "support/cunit_main.h"

#define SECOND UINT64_C(1000000000)
#define DAY_S UINT64_C(86400)
#define START_S (UINT64_C(19675) * DAY_S) /* begins a day */
#define TRADES 4000
#define KEPT (TRADES * (size_t)MATCHING_INTERVALS)

/* What came out of a sink. */
typedef struct collected {
    matching_candle candles[KEPT];
    size_t count;
} collected;

static collected told;

static void collect(void *context, const matching_candle *candle)
{
    collected *all = context;
    if (all->count < KEPT) {
        all->candles[all->count] = *candle;
    }
    all->count++;
}

static bool is(const matching_candle *candle, matching_interval interval, uint64_t start_s,
               const int64_t prices[4], uint64_t volume, uint64_t count, bool final)
{
    return candle->interval == interval && candle->start_s == start_s &&
           candle->open_ticks == prices[0] && candle->high_ticks == prices[1] &&
           candle->low_ticks == prices[2] && candle->close_ticks == prices[3] &&
           candle->volume_lots == volume && candle->update_count == count &&
           candle->is_final == final;
}

static bool same(const matching_candle *a, const matching_candle *b, bool final)
{
    const int64_t prices[4] = {b->open_ticks, b->high_ticks, b->low_ticks, b->close_ticks};
    return is(a, b->interval, b->start_s, prices, (uint64_t)b->volume_lots, b->update_count, final);
}

/* Trades at times in milliseconds from START_S on. */
static void trade(matching_candles *candles, uint64_t at_ms, int64_t price, int64_t lots)
{
    matching_candles_trade(candles, START_S * SECOND + at_ms * 1000000, price, lots, collect,
                           &told);
}

static void advance(matching_candles *candles, uint64_t at_ms)
{
    matching_candles_advance(candles, START_S * SECOND + at_ms * 1000000, collect, &told);
}

static void test_names_and_lengths(void)
{
    static const struct {
        const char *name;
        uint32_t seconds;
    } rows[] = {{"s1", 1},    {"s30", 30},  {"m1", 60},    {"m5", 300},
                {"m15", 900}, {"h1", 3600}, {"h4", 14400}, {"d1", 86400}};
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        matching_interval found = MATCHING_D1;
        CU_ASSERT_STRING_EQUAL(matching_interval_name(i), rows[i].name);
        CU_ASSERT_EQUAL(matching_interval_seconds(i), rows[i].seconds);
        CU_ASSERT(matching_interval_find(rows[i].name, strlen(rows[i].name), &found));
        CU_ASSERT_EQUAL(found, i);
    }
    CU_ASSERT_STRING_EQUAL(matching_interval_name(MATCHING_INTERVALS), "");
    CU_ASSERT_EQUAL(matching_interval_seconds(MATCHING_INTERVALS), 0);
    static const char *const none[] = {"", "s", "s2", "M1", "m1 ", "m10", "1m"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        matching_interval found = MATCHING_D1;
        CU_ASSERT_FALSE(matching_interval_find(none[i], strlen(none[i]), &found));
    }
}

static void test_trades_make_a_candle_of_each_interval(void)
{
    matching_candles candles;
    matching_candles_init(&candles);
    told.count = 0;
    advance(&candles, 10);
    CU_ASSERT_EQUAL(matching_candles_next_end(&candles), UINT64_MAX);
    trade(&candles, 31500, 100, 5);
    trade(&candles, 31600, 90, 1);
    trade(&candles, 31999, 110, 2);
    CU_ASSERT_EQUAL(told.count, 0);
    CU_ASSERT_EQUAL(matching_candles_next_end(&candles), (START_S + 32) * SECOND);
    static const int64_t first[4] = {100, 110, 90, 110};
    CU_ASSERT(is(matching_candles_running(&candles, MATCHING_S1), MATCHING_S1, START_S + 31, first,
                 8, 3, false));
    CU_ASSERT(is(matching_candles_running(&candles, MATCHING_S30), MATCHING_S30, START_S + 30,
                 first, 8, 3, false));
    CU_ASSERT(is(matching_candles_running(&candles, MATCHING_D1), MATCHING_D1, START_S, first, 8, 3,
                 false));
    trade(&candles, 32000, 80, 4);
    CU_ASSERT_EQUAL(told.count, 1);
    CU_ASSERT(is(&told.candles[0], MATCHING_S1, START_S + 31, first, 8, 3, true));
    static const int64_t second[4] = {80, 80, 80, 80}, minute[4] = {100, 110, 80, 80};
    CU_ASSERT(is(matching_candles_running(&candles, MATCHING_S1), MATCHING_S1, START_S + 32, second,
                 4, 1, false));
    CU_ASSERT(is(matching_candles_running(&candles, MATCHING_M1), MATCHING_M1, START_S, minute, 12,
                 4, false));
}

static void test_candles_become_final_by_the_clock_alone(void)
{
    static const int64_t price[4] = {7, 7, 7, 7};
    matching_candles candles;
    matching_candles_init(&candles);
    told.count = 0;
    trade(&candles, 59999, 7, 3);
    advance(&candles, 59999);
    CU_ASSERT_EQUAL(told.count, 0);
    advance(&candles, 60000);
    CU_ASSERT_EQUAL_FATAL(told.count, 3);
    CU_ASSERT(is(&told.candles[0], MATCHING_S1, START_S + 59, price, 3, 1, true));
    CU_ASSERT(is(&told.candles[1], MATCHING_S30, START_S + 30, price, 3, 1, true));
    CU_ASSERT(is(&told.candles[2], MATCHING_M1, START_S, price, 3, 1, true));
    CU_ASSERT_PTR_NULL(matching_candles_running(&candles, MATCHING_M1));
    CU_ASSERT_PTR_NOT_NULL(matching_candles_running(&candles, MATCHING_M5));
    CU_ASSERT_EQUAL(matching_candles_next_end(&candles), (START_S + 300) * SECOND);
    advance(&candles, 60000);
    CU_ASSERT_EQUAL(told.count, 3);
    advance(&candles, 3 * DAY_S * 1000);
    CU_ASSERT_EQUAL_FATAL(told.count, MATCHING_INTERVALS);
    CU_ASSERT(is(&told.candles[7], MATCHING_D1, START_S, price, 3, 1, true));
    CU_ASSERT_EQUAL(matching_candles_next_end(&candles), UINT64_MAX);
    matching_candles_changed(&candles, collect, &told);
    CU_ASSERT_EQUAL(told.count, MATCHING_INTERVALS);
}

static void test_a_changed_candle_is_told_of_once(void)
{
    matching_candles candles;
    matching_candles_init(&candles);
    told.count = 0;
    matching_candles_changed(&candles, collect, &told);
    CU_ASSERT_EQUAL(told.count, 0);
    trade(&candles, 500, 3, 1);
    trade(&candles, 600, 4, 1);
    matching_candles_changed(&candles, collect, &told);
    CU_ASSERT_EQUAL_FATAL(told.count, MATCHING_INTERVALS);
    static const int64_t prices[4] = {3, 4, 3, 4};
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        CU_ASSERT(is(&told.candles[i], i, START_S, prices, 2, 2, false));
    }
    matching_candles_changed(&candles, collect, &told);
    CU_ASSERT_EQUAL(told.count, MATCHING_INTERVALS);
    trade(&candles, 700, 5, 1);
    told.count = 0;
    advance(&candles, 1000);
    CU_ASSERT_EQUAL(told.count, 1);
    matching_candles_changed(&candles, collect, &told);
    CU_ASSERT_EQUAL(told.count, MATCHING_INTERVALS);
}

static void test_an_earlier_time_counts_as_the_latest(void)
{
    static const int64_t price[4] = {9, 9, 9, 9};
    matching_candles candles;
    matching_candles_init(&candles);
    told.count = 0;
    trade(&candles, 500, 5, 1);
    advance(&candles, 90000);
    size_t finals = told.count;
    trade(&candles, 700, 9, 2);
    CU_ASSERT_EQUAL(told.count, finals);
    CU_ASSERT(is(matching_candles_running(&candles, MATCHING_S1), MATCHING_S1, START_S + 90, price,
                 2, 1, false));
    CU_ASSERT_EQUAL(matching_candles_running(&candles, MATCHING_M5)->update_count, 2);
}

static void test_volume_has_128_bits(void)
{
    matching_candles candles;
    matching_candles_init(&candles);
    for (unsigned i = 0; i < 40000; i++) {
        trade(&candles, 500, MATCHING_TICKS_MAX, MATCHING_LOTS_MAX);
    }
    CU_ASSERT(matching_candles_running(&candles, MATCHING_D1)->volume_lots ==
              (matching_wide)MATCHING_LOTS_MAX * 40000);
}

static void test_what_cannot_have_been_is_not_resumed(void)
{
    matching_candles candles, resumed;
    matching_candles_init(&candles);
    trade(&candles, 61500, 100, 5);
    trade(&candles, 62500, 110, 5);
    uint64_t now = START_S * SECOND + 62500000000;
    const matching_candle *good = candles.running;
    CU_ASSERT(matching_candles_resume(&resumed, now, good, MATCHING_INTERVALS));
    CU_ASSERT_EQUAL(resumed.time_ns, now);
    CU_ASSERT_EQUAL(resumed.next_end_ns, candles.next_end_ns);
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        CU_ASSERT(same(&resumed.running[i], &candles.running[i], false));
    }
    CU_ASSERT_EQUAL(resumed.changed, 0);
    CU_ASSERT(matching_candles_resume(&resumed, now, NULL, 0));
    CU_ASSERT_EQUAL(resumed.time_ns, now);
    for (unsigned row = 0; row < 11; row++) {
        matching_candle bad[MATCHING_INTERVALS + 1];
        size_t count = MATCHING_INTERVALS;
        memcpy(bad, good, sizeof candles.running);
        switch (row) {
        case 0:
            bad[0].start_s--;
            break;
        case 1:
            bad[3].start_s += 300;
            break;
        case 2:
            bad[2].high_ticks = 109;
            break;
        case 3:
            bad[2].low_ticks = 101;
            break;
        case 4:
            bad[4].update_count = 0;
            break;
        case 5:
            bad[4].update_count = 1;
            break;
        case 6:
            bad[5].volume_lots = 9;
            break;
        case 7:
            bad[6].close_ticks = 105;
            break;
        case 8:
            bad[7].interval = MATCHING_INTERVALS;
            break;
        case 9:
            bad[1].is_final = 1;
            break;
        default:
            bad[count++] = good[7];
            break;
        }
        CU_ASSERT_FALSE(matching_candles_resume(&resumed, now, bad, count));
        CU_ASSERT_PTR_NULL(matching_candles_running(&resumed, MATCHING_D1));
    }
}

/* ---- The recount ---------------------------------------------------------------------------- */

typedef struct past_trade {
    uint64_t time_ns;
    int64_t price, lots;
} past_trade;

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

/* Each candle of the interval that these trades make, walked one candle at a time. */
static size_t recount(const past_trade *trades, size_t count, unsigned interval,
                      matching_candle *out)
{
    uint64_t length_ns = matching_interval_seconds(interval) * SECOND;
    size_t made = 0;
    for (size_t i = 0; i < count;) {
        uint64_t at = trades[i].time_ns / length_ns;
        matching_candle *candle = &out[made++];
        *candle = (matching_candle){.interval = (uint8_t)interval};
        candle->start_s = at * matching_interval_seconds(interval);
        candle->open_ticks = trades[i].price;
        candle->low_ticks = INT64_MAX;
        for (; i < count && trades[i].time_ns / length_ns == at; i++) {
            if (trades[i].price > candle->high_ticks) {
                candle->high_ticks = trades[i].price;
            }
            if (trades[i].price < candle->low_ticks) {
                candle->low_ticks = trades[i].price;
            }
            candle->close_ticks = trades[i].price;
            candle->volume_lots += (matching_wide)trades[i].lots;
            candle->update_count++;
        }
    }
    return made;
}

/* The final candles that were told of, and the running one, are those of the recount. */
static bool agrees(const matching_candles *candles, const past_trade *trades, size_t count,
                   unsigned interval)
{
    static matching_candle expected[TRADES];
    size_t made = recount(trades, count, interval, expected), seen = 0;
    for (size_t i = 0; i < told.count; i++) {
        if (told.candles[i].interval == interval &&
            (seen >= made || !same(&told.candles[i], &expected[seen++], true))) {
            return false;
        }
    }
    const matching_candle *running = matching_candles_running(candles, interval);
    if (running != NULL && (seen >= made || !same(running, &expected[seen++], false))) {
        return false;
    }
    return seen == made;
}

/* Takes what would be kept over a restart and throws the rest away. */
static bool restart(matching_candles *candles)
{
    matching_candle kept[MATCHING_INTERVALS];
    size_t count = 0;
    for (unsigned i = MATCHING_INTERVALS; i-- > 0;) {
        const matching_candle *running = matching_candles_running(candles, i);
        if (running != NULL) {
            kept[count++] = *running;
        }
    }
    uint64_t time_ns = candles->time_ns;
    memset(candles, 0xA5, sizeof *candles);
    return matching_candles_resume(candles, time_ns, kept, count);
}

static bool follow(uint64_t seed, uint64_t usual_ns)
{
    static past_trade trades[TRADES];
    uint64_t random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    uint64_t now = START_S * SECOND + next_random(&random) % (DAY_S * SECOND);
    matching_candles candles;
    matching_candles_init(&candles);
    told.count = 0;
    size_t count = 0;
    while (count < TRADES) {
        uint64_t kind = next_random(&random) % 64;
        now += kind == 0  ? next_random(&random) % (2 * DAY_S * SECOND)
               : kind < 8 ? 0
                          : next_random(&random) % usual_ns;
        if (kind >= 60) {
            now = (now / SECOND + (kind == 60)) * SECOND + (kind == 61 ? SECOND - 1 : 0);
            now = count > 0 && now < trades[count - 1].time_ns ? trades[count - 1].time_ns : now;
            now = now < candles.time_ns ? candles.time_ns : now;
        }
        if (next_random(&random) % 4 == 0) {
            matching_candles_advance(&candles, now, collect, &told);
        }
        if (next_random(&random) % 16 == 0 && !restart(&candles)) {
            return false;
        }
        past_trade *t = &trades[count++];
        *t = (past_trade){now, 1 + (int64_t)(next_random(&random) % 1000),
                          1 + (int64_t)(next_random(&random) % MATCHING_LOTS_MAX)};
        matching_candles_trade(&candles, now, t->price, t->lots, collect, &told);
    }
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        if (told.count > KEPT || !agrees(&candles, trades, count, i)) {
            return false;
        }
    }
    return true;
}

static void test_any_trades_give_the_candles_of_a_recount(void)
{
    static const uint64_t usual[] = {SECOND / 10, SECOND, 20 * SECOND, 400 * SECOND, 5000 * SECOND};
    const char *given = getenv("MATCHING_SEED");
    uint64_t seeds[] = {1, 20251110, (uint64_t)time(NULL)};
    size_t seed_count = sizeof seeds / sizeof seeds[0];
    if (given != NULL && *given != '\0') {
        seeds[0] = strtoull(given, NULL, 10);
        seed_count = 1;
    }
    printf("seed %" PRIu64 " ", seeds[seed_count - 1]);
    for (size_t i = 0; i < seed_count; i++) {
        for (size_t k = 0; k < sizeof usual / sizeof usual[0]; k++) {
            CU_ASSERT(follow(seeds[i], usual[k]));
        }
    }
}

MATCHING_TESTS(MATCHING_TEST(test_names_and_lengths),
               MATCHING_TEST(test_trades_make_a_candle_of_each_interval),
               MATCHING_TEST(test_candles_become_final_by_the_clock_alone),
               MATCHING_TEST(test_a_changed_candle_is_told_of_once),
               MATCHING_TEST(test_an_earlier_time_counts_as_the_latest),
               MATCHING_TEST(test_volume_has_128_bits),
               MATCHING_TEST(test_what_cannot_have_been_is_not_resumed),
               MATCHING_TEST(test_any_trades_give_the_candles_of_a_recount))
