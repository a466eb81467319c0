/* core/shard/recovery.c: a record that is whole and in its place, but says what no gateway and no
 * shard makes, is refused by name. The engine takes for granted what they made sure of, so it never
 * meets one.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "folder.h"
#include "shard/recovery.h"
#include "support/cunit_main.h"

/* What a journal leads to that ends with this command. */
static int recover_with(const matching_command *last, char *error, size_t error_size)
{
    folder f;
    bench b;
    data_dir dir;
    books found;
    recovery_result result;
    recovery_options options = {.recent_capacity = 10};
    matching_command command = *last;
    folder_make(&f);
    bench_init(&b, &(bench_options){.data_dir = f.path, .sync = MATCHING_SYNC_NONE});
    shard *s = &b.core->shards[0];
    command.sequence = s->books.sequence + 1;
    command.time_ns = s->books.time_ns;
    journal_append(s->journal, &command);
    journal_hand_over(s->journal);
    CU_ASSERT_TRUE(journal_wait(s->journal));
    bench_die(&b);
    CU_ASSERT_EQUAL_FATAL(data_dir_open_read_only(&dir, f.path, error, error_size), 0);
    int failed = books_recover(&found, &dir, 0, &options, &result, error, error_size);
    if (failed == 0) {
        CU_ASSERT_EQUAL(found.sequence, command.sequence);
        CU_ASSERT_PTR_NULL(matching_engine_check(found.engine));
        books_fini(&found);
    }
    data_dir_close(&dir);
    folder_remove(&f);
    return failed;
}

static void check(const matching_command *commands, size_t count, int wanted)
{
    for (size_t i = 0; i < count; i++) {
        char error[600] = "";
        int failed = recover_with(&commands[i], error, sizeof error);
        if (failed != wanted) {
            printf("\n  %s %zu: %d (%s)", wanted == 0 ? "possible" : "impossible", i, failed,
                   error);
        }
        CU_ASSERT_EQUAL(failed, wanted);
        CU_ASSERT_TRUE(wanted == 0 || strstr(error, "not one that this program writes") != NULL);
    }
}

#define CHECK(commands, wanted) check(commands, sizeof(commands) / sizeof((commands)[0]), wanted)

/* A good limit order with some of it otherwise: the later of two initialisers counts. */
#define ORDER(...)                                                                                 \
    {                                                                                              \
        .type = MATCHING_PLACE, .trader_id = "ann", .price_ticks = 5, .quantity_lots = 3,          \
        __VA_ARGS__                                                                                \
    }
#define ADDITION(...)                                                                              \
    {                                                                                              \
        .type = MATCHING_ADD_INSTRUMENT, .symbol = "NEW", .price_ticks = 1, .quantity_lots = 1,    \
        .instrument = 20, .instrument_id = 99, __VA_ARGS__                                         \
    }

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"

static void test_what_the_program_writes_is_taken(void)
{
    static const matching_command good[] = {
        ORDER(.side = MATCHING_SELL),
        ORDER(.price_ticks = MATCHING_TICKS_MAX, .quantity_lots = MATCHING_LOTS_MAX),
        ORDER(.order_type = MATCHING_MARKET, .price_ticks = 0, .time_in_force = MATCHING_FOK),
        ORDER(.order_type = MATCHING_STOP, .price_ticks = 0, .stop_price_ticks = 7),
        ORDER(.order_type = MATCHING_STOP_LIMIT, .stop_price_ticks = MATCHING_TICKS_MAX),
        ORDER(.time_in_force = MATCHING_GTD, .expire_time_ms = MATCHING_ORDER_ID_MAX),
        ORDER(.display_lots = MATCHING_LOTS_MAX, .self_trade = MATCHING_STP_CANCEL_BOTH),
        {.type = MATCHING_AMEND,
         .order_id = 1,
         .flags = MATCHING_FLAG_DECIMALS,
         .price_ticks = INT64_MAX,
         .quantity_lots = INT64_MAX,
         .stop_price_ticks = INT64_MAX},
        {.type = MATCHING_CANCEL, .order_id = UINT64_MAX, .reason = MATCHING_REASON_DISCONNECT},
        {.type = MATCHING_CANCEL_ALL, .trader_id = "ann", .reason = MATCHING_REASON_MASS_CANCEL},
        {.type = MATCHING_SET_STATE, .state = MATCHING_AUCTION},
        ADDITION(.symbol = "SIXTEEN.LETTERS.", .state = MATCHING_HALTED),
        {.type = MATCHING_TICK},
        {.type = MATCHING_RELEASE_GUARDS},
        {.type = MATCHING_CANCEL_GUARDED}};
    CHECK(good, 0);
}

static void test_what_no_program_writes_is_refused(void)
{
    static const matching_command bad[] = {
        {.type = MATCHING_CANCEL_GUARDED + 1},
        {.type = MATCHING_READ_ORDER - 1},
        {.type = MATCHING_TICK, .instrument = 64},
        ORDER(.trader_id = ""),
        ORDER(.order_type = MATCHING_STOP_LIMIT + 1),
        ORDER(.side = MATCHING_SELL + 1),
        ORDER(.time_in_force = MATCHING_GTD + 1),
        ORDER(.self_trade = MATCHING_STP_CANCEL_BOTH + 1),
        ORDER(.quantity_lots = 0),
        ORDER(.quantity_lots = -1),
        ORDER(.quantity_lots = MATCHING_LOTS_MAX + 1),
        ORDER(.price_ticks = 0),
        ORDER(.price_ticks = MATCHING_TICKS_MAX + 1),
        ORDER(.order_type = MATCHING_MARKET),
        ORDER(.stop_price_ticks = 7),
        ORDER(.order_type = MATCHING_STOP, .price_ticks = 0),
        ORDER(.order_type = MATCHING_STOP_LIMIT, .stop_price_ticks = MATCHING_TICKS_MAX + 1),
        ORDER(.display_lots = -1),
        ORDER(.expire_time_ms = 1),
        {.type = MATCHING_AMEND, .order_id = 1, .price_ticks = -1},
        {.type = MATCHING_CANCEL, .order_id = 1, .reason = MATCHING_REASON_DISCONNECT + 1},
        {.type = MATCHING_CANCEL_ALL, .trader_id = "ann", .reason = 255},
        {.type = MATCHING_SET_STATE, .state = MATCHING_AUCTION + 1},
        ADDITION(.symbol = ""),
        ADDITION(.trader_id = "SEVENTEEN.LETTERS"),
        ADDITION(.price_ticks = 0),
        ADDITION(.quantity_lots = -1),
        ADDITION(.instrument_id = 0),
        ADDITION(.state = MATCHING_AUCTION + 1),
        ADDITION(.instrument = 0), /* it is another's */
        {.type = MATCHING_SET_LIMITS, .price_ticks = 1}};
    CHECK(bad, -EBADMSG);
}

#pragma GCC diagnostic pop

MATCHING_TESTS(MATCHING_TEST(test_what_the_program_writes_is_taken),
               MATCHING_TEST(test_what_no_program_writes_is_refused))
