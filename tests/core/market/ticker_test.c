/* The ticker against a plain recount of every trade ever: whatever the trades and their times, and
 * also across days without any.
 *
 * Random runs have fixed seeds and a fresh one, which is printed; MATCHING_SEED=n runs only that
 * one.
 */
#include "market/ticker.h"

#include <inttypes.h>
#include <time.h>

#include "support/cunit_main.h"

#define SECOND UINT64_C(1000000000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define START (UINT64_C(19675) * DAY) /* begins a minute */
#define TRADES 6000

static ticker_minute memory[TICKER_MINUTES];

static ticker fresh(void)
{
    memset(memory, 0xA5, sizeof memory); /* the ticker must not care */
    return (ticker){.closed = memory};
}

static matching_ticker read_at(ticker *t, uint64_t time_ns)
{
    matching_ticker now = {0};
    ticker_read(t, time_ns, &now);
    return now;
}

static bool prices_are(const matching_ticker *now, int64_t last, int64_t open, int64_t high,
                       int64_t low)
{
    return now->last_ticks == last && now->open_ticks == open && now->high_ticks == high &&
           now->low_ticks == low;
}

static bool turnover_is(const matching_ticker *now, const char *text)
{
    char printed[MATCHING_TURNOVER_TEXT];
    matching_turnover_print(printed, &now->turnover);
    return strcmp(printed, text) == 0;
}

static void test_without_a_trade_there_is_nothing(void)
{
    ticker t = fresh();
    matching_ticker now = read_at(&t, START);
    CU_ASSERT(prices_are(&now, 0, 0, 0, 0));
    CU_ASSERT(now.count == 0 && now.volume_lots == 0 && turnover_is(&now, "0"));
    CU_ASSERT_EQUAL(now.time_ns, START);
}

static void test_trades_add_up(void)
{
    ticker t = fresh();
    ticker_add(&t, START + 5, 100, 3);
    ticker_add(&t, START + MINUTE - 1, 90, 1);
    matching_ticker now = read_at(&t, START + MINUTE - 1);
    CU_ASSERT(prices_are(&now, 90, 100, 100, 90));
    ticker_add(&t, START + MINUTE, 120, 2);
    now = read_at(&t, START + MINUTE);
    CU_ASSERT(prices_are(&now, 120, 100, 120, 90));
    CU_ASSERT(now.count == 3 && now.volume_lots == 6);
    CU_ASSERT(turnover_is(&now, "0.000000000000063")); /* 630 */
}

/* The minute of a trade counts as long as the minute of the reading begins at most 24 hours later.
 */
static void test_a_trade_counts_for_24_hours_and_the_rest_of_a_minute(void)
{
    for (unsigned i = 0; i < 2; i++) {
        ticker t = fresh();
        uint64_t first = START + (i == 0 ? 0 : MINUTE - 1);
        ticker_add(&t, first, 100, 3);
        ticker_add(&t, START + HOUR, 50, 1);
        matching_ticker now = read_at(&t, first + DAY);
        CU_ASSERT(prices_are(&now, 50, 100, 100, 50) && now.count == 2);
        now = read_at(&t, START + DAY + MINUTE - 1);
        CU_ASSERT(prices_are(&now, 50, 100, 100, 50) && now.count == 2);
        now = read_at(&t, START + DAY + MINUTE);
        CU_ASSERT(prices_are(&now, 50, 50, 50, 50) && now.count == 1);
        now = read_at(&t, START + DAY + HOUR + MINUTE);
        CU_ASSERT(prices_are(&now, 50, 0, 0, 0)); /* the last price stays */
        CU_ASSERT(now.count == 0 && now.volume_lots == 0 && turnover_is(&now, "0"));
    }
}

static void test_after_days_without_a_trade_it_begins_anew(void)
{
    ticker t = fresh();
    ticker_add(&t, START, 100, 3);
    ticker_add(&t, START + 30 * DAY, 70, 2);
    matching_ticker now = read_at(&t, START + 30 * DAY);
    CU_ASSERT(prices_are(&now, 70, 70, 70, 70) && now.count == 1 && now.volume_lots == 2);
    ticker_add(&t, START + 31 * DAY, 80, 1); /* exactly 24 hours later: both count */
    now = read_at(&t, START + 31 * DAY);
    CU_ASSERT(prices_are(&now, 80, 70, 80, 70) && now.count == 2);
}

static void test_every_minute_of_a_day_may_have_trades(void)
{
    ticker t = fresh();
    for (unsigned i = 0; i < 3 * TICKER_MINUTES; i++) {
        ticker_add(&t, START + i * MINUTE, 10000 - i, 1); /* the highest is always the oldest */
        matching_ticker now = read_at(&t, START + i * MINUTE);
        unsigned reach = i < TICKER_MINUTES ? i : TICKER_MINUTES;
        CU_ASSERT(prices_are(&now, 10000 - i, 10000 - i + reach, 10000 - i + reach, 10000 - i));
        CU_ASSERT_EQUAL(now.count, reach + 1);
    }
}

/* As if 2^40 trades of the largest size had come in one minute: their turnover has more than 128
 * bits, and leaves nothing behind when it goes. */
static void test_no_sum_overflows(void)
{
    ticker t = fresh();
    const matching_wide largest = (matching_wide)MATCHING_TICKS_MAX * MATCHING_LOTS_MAX;
    ticker_add(&t, START, MATCHING_TICKS_MAX, MATCHING_LOTS_MAX);
    ticker_minute *running = &t.running;
    running->count = UINT64_C(1) << 40;
    running->volume_lots <<= 40;
    matching_turnover_multiply(&running->turnover, UINT64_C(1) << 40);
    CU_ASSERT(running->turnover.words[2] != 0);
    for (unsigned i = 1; i <= 1000; i++) {
        ticker_add(&t, START + i * MINUTE, MATCHING_TICKS_MAX, MATCHING_LOTS_MAX);
    }
    matching_ticker now = read_at(&t, START + 1000 * MINUTE);
    uint64_t count = (UINT64_C(1) << 40) + 1000;
    matching_turnover expected = {{0}};
    matching_turnover_add(&expected, largest);
    matching_turnover_multiply(&expected, count);
    CU_ASSERT_EQUAL(now.count, count);
    CU_ASSERT(now.volume_lots == (matching_wide)MATCHING_LOTS_MAX * count);
    CU_ASSERT_EQUAL(memcmp(&now.turnover, &expected, sizeof expected), 0);
    now = read_at(&t, START + DAY + MINUTE);
    CU_ASSERT_EQUAL(now.count, 1000);
    CU_ASSERT(now.volume_lots == (matching_wide)MATCHING_LOTS_MAX * 1000);
    CU_ASSERT_EQUAL(now.turnover.words[2], 0);
    now = read_at(&t, START + 2 * DAY);
    CU_ASSERT(now.count == 0 && now.volume_lots == 0 && turnover_is(&now, "0"));
}

/* ---- The recount ---------------------------------------------------------------------------- */

typedef struct past_trade {
    uint64_t time_ns;
    int64_t price, lots;
} past_trade;

typedef struct history {
    past_trade trades[TRADES];
    size_t count;
    uint64_t random;
    uint64_t seed;
} history;

/* Numbers of nine digits each, the lowest first: arithmetic as on paper. */
#define LIMBS 8
#define BASE UINT64_C(1000000000)

static void add_product(uint64_t sum[LIMBS], uint64_t a, uint64_t b)
{
    const uint64_t x[2] = {a % BASE, a / BASE}, y[2] = {b % BASE, b / BASE};
    uint64_t product[LIMBS] = {0};
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; k < 2; k++) {
            product[i + k] += x[i] * y[k] % BASE;
            product[i + k + 1] += x[i] * y[k] / BASE;
        }
    }
    uint64_t carry = 0;
    for (unsigned i = 0; i < LIMBS; i++) {
        carry += sum[i] + product[i];
        sum[i] = carry % BASE;
        carry /= BASE;
    }
}

/* In units of 10^-16, without trailing zeros. */
static void print_limbs(char *out, const uint64_t sum[LIMBS])
{
    char digits[LIMBS * 9 + 1];
    for (unsigned i = 0; i < LIMBS; i++) {
        snprintf(digits + i * 9, sizeof digits - i * 9, "%09" PRIu64, sum[LIMBS - 1 - i]);
    }
    size_t whole = LIMBS * 9 - 16, first = 0, end = LIMBS * 9;
    while (first + 1 < whole && digits[first] == '0') {
        first++;
    }
    while (end > whole && digits[end - 1] == '0') {
        end--;
    }
    int length = sprintf(out, "%.*s", (int)(whole - first), digits + first);
    if (end > whole) {
        sprintf(out + length, ".%.*s", (int)(end - whole), digits + whole);
    }
}

static bool recount(const history *h, uint64_t time_ns, const matching_ticker *now)
{
    uint64_t minute = time_ns / MINUTE;
    matching_ticker all = {0};
    uint64_t sum[LIMBS] = {0};
    char expected[LIMBS * 9 + 3], printed[MATCHING_TURNOVER_TEXT];
    for (size_t i = 0; i < h->count; i++) {
        const past_trade *trade = &h->trades[i];
        if (trade->time_ns / MINUTE + TICKER_MINUTES < minute) {
            continue;
        }
        all.open_ticks = all.count == 0 ? trade->price : all.open_ticks;
        all.high_ticks = trade->price > all.high_ticks ? trade->price : all.high_ticks;
        all.low_ticks =
            all.count == 0 || trade->price < all.low_ticks ? trade->price : all.low_ticks;
        all.count++;
        all.volume_lots += (matching_wide)trade->lots;
        add_product(sum, (uint64_t)trade->price, (uint64_t)trade->lots);
    }
    print_limbs(expected, sum);
    matching_turnover_print(printed, &now->turnover);
    int64_t last = h->count > 0 ? h->trades[h->count - 1].price : 0;
    return prices_are(now, last, all.open_ticks, all.high_ticks, all.low_ticks) &&
           now->count == all.count && now->volume_lots == all.volume_lots &&
           now->time_ns == time_ns && strcmp(expected, printed) == 0;
}

static uint64_t next_random(history *h)
{
    h->random ^= h->random << 13;
    h->random ^= h->random >> 7;
    h->random ^= h->random << 17;
    return h->random;
}

/* From nothing to some days, most often little, and often onto the edge of a minute. */
static uint64_t next_time(history *h, uint64_t time_ns, uint64_t usual)
{
    uint64_t kind = next_random(h) % 1000;
    uint64_t step = next_random(h) % (kind < 100   ? 1
                                      : kind < 980 ? usual
                                      : kind < 998 ? 3 * HOUR
                                                   : 3 * DAY);
    time_ns += step;
    switch (next_random(h) % 16) {
    case 0:
        return time_ns - time_ns % MINUTE + MINUTE;
    case 1:
        return time_ns - time_ns % MINUTE + MINUTE - 1;
    case 2:
        return next_random(h) % 64 == 0 ? time_ns + DAY : time_ns;
    default:
        return time_ns;
    }
}

static int64_t next_value(history *h, int64_t most)
{
    switch (next_random(h) % 4) {
    case 0:
        return most;
    case 1:
        return 1;
    case 2:
        return 1 + (int64_t)(next_random(h) % 50);
    default:
        return 1 + (int64_t)(next_random(h) % (uint64_t)most);
    }
}

static bool follow(history *h, uint64_t usual, bool falls)
{
    ticker t = fresh();
    uint64_t time_ns = START + next_random(h) % DAY;
    h->count = 0;
    while (h->count < TRADES) {
        time_ns = next_time(h, time_ns, usual);
        if (next_random(h) % 8 != 0) {
            past_trade trade = {time_ns, next_value(h, MATCHING_TICKS_MAX),
                                next_value(h, MATCHING_LOTS_MAX)};
            trade.price = falls ? (int64_t)(TRADES - h->count) : trade.price;
            h->trades[h->count++] = trade;
            ticker_add(&t, trade.time_ns, trade.price, trade.lots);
        } else {
            matching_ticker now = read_at(&t, time_ns);
            if (!recount(h, time_ns, &now)) {
                printf("\n    MATCHING_SEED=%" PRIu64 ", usual step %" PRIu64
                       ": wrong after %zu trades",
                       h->seed, usual, h->count);
                return false;
            }
        }
    }
    return true;
}

static void test_any_trades_add_up_as_in_a_recount(void)
{
    static history h;
    static const uint64_t usual_steps[] = {SECOND, MINUTE, 2 * MINUTE, HOUR};
    const char *given = getenv("MATCHING_SEED");
    uint64_t seeds[] = {1, 20120621, (uint64_t)time(NULL)};
    size_t seed_count = sizeof seeds / sizeof seeds[0];
    if (given != NULL && *given != '\0') {
        seeds[0] = strtoull(given, NULL, 10);
        seed_count = 1;
    }
    printf("seed %" PRIu64 " ", seeds[seed_count - 1]);
    for (size_t i = 0; i < seed_count; i++) {
        h.seed = seeds[i];
        h.random = seeds[i] * UINT64_C(0x9e3779b97f4a7c15) | 1;
        for (size_t k = 0; k < sizeof usual_steps / sizeof usual_steps[0]; k++) {
            CU_ASSERT(follow(&h, usual_steps[k], false));
            CU_ASSERT(follow(&h, usual_steps[k], true));
        }
    }
}

MATCHING_TESTS(MATCHING_TEST(test_without_a_trade_there_is_nothing),
               MATCHING_TEST(test_trades_add_up),
               MATCHING_TEST(test_a_trade_counts_for_24_hours_and_the_rest_of_a_minute),
               MATCHING_TEST(test_after_days_without_a_trade_it_begins_anew),
               MATCHING_TEST(test_every_minute_of_a_day_may_have_trades),
               MATCHING_TEST(test_no_sum_overflows),
               MATCHING_TEST(test_any_trades_add_up_as_in_a_recount))
