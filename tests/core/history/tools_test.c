/* What tools do with the limits of a store: a service's configuration is not known to them, so they
 * must let nothing go. The linker's --wrap shows with which limits they open it.
 */
#include <string.h>

#include "exchange.h"
#include "history/needed.h"
#include "store/store.h"
#include "support/cunit_main.h"

static unsigned opened;
static store_options seen; /* of the last store that was opened; its pointers are over */

store *__real_store_open(const store_options *options, char *error, size_t error_size);
store *__wrap_store_open(const store_options *options, char *error, size_t error_size);

store *__wrap_store_open(const store_options *options, char *error, size_t error_size)
{
    opened++;
    seen = *options;
    return __real_store_open(options, error, error_size);
}

static exchange x;

/* A directory with a store that nobody uses, made by a service with limits of its own. */
static void begin(uint64_t seed)
{
    exchange_init(&x, seed);
    x.history.retention_days = 3650;
    x.history.max_trades = x.history.max_orders = x.history.max_candles = 1000000;
    exchange_start(&x);
    exchange_trade(&x, 64);
    CU_ASSERT_EQUAL(seen.max_candles, 1000000); /* the service's are its own */
    CU_ASSERT_EQUAL(seen.retention_days, 3650);
    exchange_stop(&x);
    opened = 0;
}

static void expect_no_limits(void)
{
    CU_ASSERT_EQUAL(opened, 1);
    CU_ASSERT_EQUAL(seen.retention_days, 0);
    CU_ASSERT_EQUAL(seen.max_trades, 0);
    CU_ASSERT_EQUAL(seen.max_orders, 0);
    CU_ASSERT_EQUAL(seen.max_candles, 0);
}

static void test_a_rebuild_lets_nothing_go(void)
{
    char error[2000] = "";
    begin(41);
    CU_ASSERT_EQUAL(matching_history_rebuild(x.f.path, NULL, NULL, NULL, error, sizeof error), 0);
    expect_no_limits();
    exchange_fini(&x);
}

static void test_a_look_at_what_is_needed_lets_nothing_go(void)
{
    data_dir dir;
    char error[2000] = "";
    uint64_t keep_from;
    begin(42);
    CU_ASSERT_EQUAL_FATAL(data_dir_open(&dir, x.f.path, 0, 0, error, sizeof error), 0);
    CU_ASSERT_EQUAL(data_dir_add_identity(&dir, error, sizeof error), 0);
    CU_ASSERT_EQUAL(matching_history_needed(&dir, 0, &keep_from, error, sizeof error), 0);
    data_dir_close(&dir);
    expect_no_limits();
    exchange_fini(&x);
}

MATCHING_TESTS(MATCHING_TEST(test_a_rebuild_lets_nothing_go),
               MATCHING_TEST(test_a_look_at_what_is_needed_lets_nothing_go))
