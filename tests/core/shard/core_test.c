/* core/shard/core.c: instruments, which shard has which, options that are refused. */
#include "matching/core.h"

#include <stdio.h>
#include <string.h>

#include "support/cunit_main.h"

static unsigned most_instruments = 1024;

static matching_core *make(const char *const *symbols, size_t count, unsigned shards, char *error,
                           size_t error_size)
{
    matching_instrument_options instruments[300];
    for (size_t i = 0; i < count; i++) {
        instruments[i] = (matching_instrument_options){
            .id = (uint32_t)i + 1, .tick_size = 1000000, .lot_size = 10000};
        snprintf(instruments[i].symbol, sizeof instruments[i].symbol, "%s", symbols[i]);
    }
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = count;
    options.max_instruments = most_instruments;
    options.shards = shards;
    options.max_orders = 1000;
    options.max_traders = 100;
    options.retained_orders = 100;
    return matching_core_create(&options, error, error_size);
}

static const char *const defaults[] = {"BTCUSDT", "ETHUSDT", "SOLUSDT"};

static void test_the_default_instruments_spread_over_the_shards(void)
{
    char error[200];
    for (unsigned shards = 2; shards <= 3; shards++) {
        matching_core *core = make(defaults, 3, shards, error, sizeof error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(core);
        unsigned used = 0;
        for (size_t i = 0; i < 3; i++) {
            used |= 1u << matching_core_instrument(core, i)->shard;
        }
        CU_ASSERT_TRUE((used & (used - 1)) != 0); /* more than one */
        matching_core_destroy(core);
    }
}

static void test_the_number_of_shards_may_be_left_to_the_core(void)
{
    char error[200];
    matching_core *core = make(defaults, 3, 0, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    CU_ASSERT_TRUE(matching_core_shard_count(core) >= 1);
    matching_core_destroy(core);
}

/* Names that differ in one character, as those of a family of futures do. */
static void test_similar_names_spread_evenly(void)
{
    static char names[256][MATCHING_SYMBOL_MAX + 1];
    const char *symbols[256];
    char error[200];
    for (int i = 0; i < 256; i++) {
        snprintf(names[i], sizeof names[i], "FUT-%c%c-USDT", 'A' + i / 16, 'A' + i % 16);
        symbols[i] = names[i];
    }
    for (unsigned shards = 2; shards <= 8; shards++) {
        matching_core *core = make(symbols, 256, shards, error, sizeof error);
        CU_ASSERT_PTR_NOT_NULL_FATAL(core);
        unsigned load[8] = {0};
        for (size_t i = 0; i < 256; i++) {
            const matching_instrument *instrument = matching_core_instrument(core, i);
            CU_ASSERT_TRUE_FATAL(instrument->shard < shards);
            load[instrument->shard]++;
        }
        for (unsigned s = 0; s < shards; s++) {
            CU_ASSERT_TRUE(load[s] > 256 / shards / 2 && load[s] < 256 / shards * 2);
        }
        matching_core_destroy(core);
    }
}

static void test_an_instrument_stays_in_its_shard(void)
{
    char error[200];
    static const char *const reversed[] = {"SOLUSDT", "ETHUSDT", "BTCUSDT"};
    matching_core *one = make(defaults, 3, 3, error, sizeof error);
    matching_core *other = make(reversed, 3, 3, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(one);
    CU_ASSERT_PTR_NOT_NULL_FATAL(other);
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(matching_core_find_instrument(one, defaults[i], 7)->shard,
                        matching_core_find_instrument(other, defaults[i], 7)->shard);
    }
    matching_core_destroy(one);
    matching_core_destroy(other);
}

static void test_instruments_are_found_by_their_whole_name_only(void)
{
    char error[200];
    matching_core *core = make(defaults, 3, 1, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    for (size_t i = 0; i < 3; i++) {
        const matching_instrument *found = matching_core_find_instrument(core, defaults[i], 7);
        CU_ASSERT_PTR_EQUAL(found, matching_core_instrument(core, i));
        CU_ASSERT_EQUAL(found->index, i);
        CU_ASSERT_EQUAL(found->id, i + 1);
    }
    static const char *const strangers[] = {"",        "BTCUSD",    "BTCUSDTT",
                                            "btcusdt", "BTCUSDT\0", "AVERYLONGNAMETHATNOBODYHAS"};
    static const size_t lengths[] = {0, 6, 8, 7, 8, 26};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        CU_ASSERT_PTR_NULL(matching_core_find_instrument(core, strangers[i], lengths[i]));
    }
    CU_ASSERT_PTR_NULL(matching_core_instrument(core, 3));
    matching_core_destroy(core);
}

static void test_bad_options_are_refused_with_a_reason(void)
{
    static const char *const twice[] = {"BTCUSDT", "ETHUSDT", "BTCUSDT"};
    static const char *const empty[] = {""};
    char error[200] = "";
    CU_ASSERT_PTR_NULL(make(twice, 3, 1, error, sizeof error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "BTCUSDT"));
    CU_ASSERT_PTR_NULL(make(empty, 1, 1, error, sizeof error));
    CU_ASSERT_PTR_NULL(make(defaults, 0, 1, error, sizeof error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "instrument"));
    most_instruments = 2;
    CU_ASSERT_PTR_NULL(make(defaults, 3, 1, error, sizeof error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "max_instruments"));
    most_instruments = MATCHING_INSTRUMENTS_MAX + 1u;
    CU_ASSERT_PTR_NULL(make(defaults, 3, 1, error, sizeof error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "max_instruments"));
    most_instruments = 1024;
    CU_ASSERT_PTR_NULL(make(defaults, 3, MATCHING_SHARDS_MAX + 1, error, sizeof error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "shards"));
}

static void test_average_prices_are_rounded_half_up(void)
{
    const matching_instrument whole = {.tick_size = MATCHING_DECIMAL_ONE,
                                       .lot_size = MATCHING_DECIMAL_ONE};
    matching_order order = {.filled_lots = 0, .notional = 0};
    CU_ASSERT_EQUAL(matching_average_price(&whole, &order), 0);
    order = (matching_order){.filled_lots = 3, .notional = 5}; /* 1.6666... */
    CU_ASSERT_EQUAL(matching_average_price(&whole, &order), 166666667);
    order = (matching_order){.filled_lots = 3, .notional = 4}; /* 1.3333... */
    CU_ASSERT_EQUAL(matching_average_price(&whole, &order), 133333333);
    const matching_instrument tiny = {.tick_size = 1, .lot_size = 1};
    order = (matching_order){.filled_lots = MATCHING_LOTS_MAX,
                             .notional = (matching_wide)MATCHING_LOTS_MAX * MATCHING_TICKS_MAX};
    CU_ASSERT_EQUAL(matching_average_price(&tiny, &order), MATCHING_TICKS_MAX);
    order = (matching_order){.filled_lots = 2, .notional = 3}; /* 1.5 smallest units */
    CU_ASSERT_EQUAL(matching_average_price(&tiny, &order), 2);
}

MATCHING_TESTS(MATCHING_TEST(test_the_default_instruments_spread_over_the_shards),
               MATCHING_TEST(test_the_number_of_shards_may_be_left_to_the_core),
               MATCHING_TEST(test_similar_names_spread_evenly),
               MATCHING_TEST(test_an_instrument_stays_in_its_shard),
               MATCHING_TEST(test_instruments_are_found_by_their_whole_name_only),
               MATCHING_TEST(test_bad_options_are_refused_with_a_reason),
               MATCHING_TEST(test_average_prices_are_rounded_half_up))
