/* A core for tests of the codec: never started, it knows its instruments. */
#ifndef MATCHING_TESTS_SBE_CORE_H
#define MATCHING_TESTS_SBE_CORE_H

#include <CUnit/CUnit.h>

#include "matching/core.h"

/* BTCUSDT (id 1, tick 0.01, lot 0.0001), ETHUSDT (id 70000, tick 0.5, lot 1), SOL (id 3, no
 * letter, tick and lot 10^-8). */
static inline matching_core *create_core(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .sbe_char = 'B', .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "ETHUSDT",
         .id = 70000,
         .sbe_char = 'E',
         .tick_size = 50000000,
         .lot_size = 100000000},
        {.symbol = "SOL", .id = 3, .tick_size = 1, .lot_size = 1}};
    matching_core_options options;
    char error[256];
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = 3;
    options.max_instruments = 100;
    options.shards = 1;
    options.max_orders = options.max_traders = options.retained_orders = 64;
    matching_core *core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    return core;
}

#endif
