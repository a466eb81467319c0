/* The reads of a door's views: a door without a port, which this test answers itself. */
#include "views.h"

#include <stdio.h>

#include "support/cunit_main.h"

#define INSTRUMENTS 64u
#define SHARDS 2u
#define TURNS_MAX 1000u

static wire_server server;
static wire_loads loads;
static wire_view views[INSTRUMENTS];
static bool is_followed[INSTRUMENTS];
static bool is_full[SHARDS]; /* its port takes nothing */
static unsigned reads[INSTRUMENTS];

static unsigned shard_of(size_t instrument)
{
    return matching_core_instrument(server.core, instrument)->shard;
}

static wire_view *wanted(wire_server *of, size_t instrument)
{
    CU_ASSERT_PTR_EQUAL(of, &server);
    return is_followed[instrument] && wire_view_wants_load(&views[instrument]) ? &views[instrument]
                                                                               : NULL;
}

static matching_code read_depth(wire_server *of, uint16_t instrument)
{
    CU_ASSERT_PTR_EQUAL(of, &server);
    if (is_full[shard_of(instrument)]) {
        return MATCHING_OVERLOADED;
    }
    reads[instrument]++;
    return MATCHING_OK;
}

static void turn(void)
{
    static const wire_loader LOADER = {.wanted = wanted, .read = read_depth};
    wire_loads_submit(&loads, &server, INSTRUMENTS, &LOADER);
}

static void answer(size_t instrument, const matching_depth *depth)
{
    const matching_reply reply = {.code = MATCHING_OK, .depth = depth};
    CU_ASSERT_EQUAL(
        wire_loads_answered(&loads, &server, &views[instrument], (uint16_t)instrument, &reply),
        depth != NULL ? WIRE_VIEW_LOADED : WIRE_VIEW_AGAIN);
}

static size_t loading(unsigned shard)
{
    size_t count = 0;
    for (size_t i = 0; i < INSTRUMENTS; i++) {
        count += shard_of(i) == shard && views[i].is_loading;
    }
    CU_ASSERT_EQUAL(loads.shards[shard].under_way, count);
    return count;
}

/* So many of its views have been read. */
static size_t known(unsigned shard)
{
    size_t count = 0;
    for (size_t i = 0; i < INSTRUMENTS; i++) {
        count += shard_of(i) == shard && matching_depth_view_ready(views[i].depth);
    }
    return count;
}

static void begin(void)
{
    static matching_instrument_options instruments[INSTRUMENTS];
    char error[256] = "";
    matching_core_options options;
    matching_core_options_default(&options);
    for (unsigned i = 0; i < INSTRUMENTS; i++) {
        instruments[i] =
            (matching_instrument_options){.id = i + 1, .tick_size = 1000000, .lot_size = 10000};
        snprintf(instruments[i].symbol, sizeof instruments[i].symbol, "S%u", i);
    }
    options.instruments = instruments;
    options.instrument_count = options.max_instruments = INSTRUMENTS;
    options.shards = SHARDS;
    options.max_orders = options.max_traders = options.retained_orders = 64;
    options.recent_trades = 16;
    memset(&server, 0, sizeof server);
    memset(&loads, 0, sizeof loads);
    memset(reads, 0, sizeof reads);
    memset(is_full, 0, sizeof is_full);
    server.core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(server.core);
    for (size_t i = 0; i < INSTRUMENTS; i++) {
        views[i] = (wire_view){.depth = matching_depth_view_create()};
        CU_ASSERT_PTR_NOT_NULL_FATAL(views[i].depth);
        is_followed[i] = true;
        wire_loads_want(&loads, &server, (uint16_t)i);
    }
}

static void end(void)
{
    for (size_t i = 0; i < INSTRUMENTS; i++) {
        matching_depth_view_destroy(views[i].depth);
    }
    matching_core_destroy(server.core);
}

static size_t instruments_of(unsigned shard)
{
    size_t count = 0;
    for (size_t i = 0; i < INSTRUMENTS; i++) {
        count += shard_of(i) == shard;
    }
    CU_ASSERT_TRUE_FATAL(count > 2 * WIRE_LOADS_AT_ONCE);
    return count;
}

/* Shard 0 stops answering: shard 1's views are read nonetheless, all of them. */
static void test_a_shard_that_does_not_answer_holds_up_its_own_alone(void)
{
    static const matching_depth EMPTY = {.bids_complete = true, .asks_complete = true};
    begin();
    size_t others = instruments_of(1);
    for (unsigned turns = 0; known(1) < others && turns < TURNS_MAX; turns++) {
        turn();
        CU_ASSERT_EQUAL(loading(0), WIRE_LOADS_AT_ONCE);
        CU_ASSERT_TRUE(loading(1) > 0 && loading(1) <= WIRE_LOADS_AT_ONCE);
        for (size_t i = 0; i < INSTRUMENTS; i++) {
            if (shard_of(i) == 1 && views[i].is_loading) {
                answer(i, &EMPTY);
            }
        }
    }
    CU_ASSERT_EQUAL(known(1), others);
    CU_ASSERT_EQUAL(known(0), 0);
    turn();
    CU_ASSERT_EQUAL(loading(1), 0);
    end();
}

/* The same when its ring is full, so that the port takes none of its reads; later it does. */
static void test_a_full_ring_holds_up_its_own_alone(void)
{
    begin();
    is_full[0] = true;
    turn();
    turn();
    CU_ASSERT_EQUAL(loading(0), 0);
    CU_ASSERT_EQUAL(loading(1), WIRE_LOADS_AT_ONCE);
    is_full[0] = false;
    turn();
    CU_ASSERT_EQUAL(loading(0), WIRE_LOADS_AT_ONCE);
    end();
}

/* What was read in vain is read again, behind the others of its shard; nothing is read that nobody
 * follows any more. */
static void test_all_get_their_turn(void)
{
    begin();
    size_t all = instruments_of(0);
    for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
        size_t least = SIZE_MAX, most = 0;
        turn();
        for (size_t i = 0; i < INSTRUMENTS; i++) {
            if (shard_of(i) == 0) {
                least = reads[i] < least ? reads[i] : least;
                most = reads[i] > most ? reads[i] : most;
            }
            if (views[i].is_loading) {
                answer(i, NULL);
            }
        }
        CU_ASSERT_TRUE(most - least <= 1);
    }
    for (size_t i = 0; i < INSTRUMENTS; i++) {
        CU_ASSERT_TRUE(shard_of(i) != 0 || reads[i] >= TURNS_MAX * WIRE_LOADS_AT_ONCE / all);
        is_followed[i] = false;
        reads[i] = 0;
    }
    turn();
    for (size_t i = 0; i < INSTRUMENTS; i++) {
        CU_ASSERT_EQUAL(reads[i], 0);
    }
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_shard_that_does_not_answer_holds_up_its_own_alone),
               MATCHING_TEST(test_a_full_ring_holds_up_its_own_alone),
               MATCHING_TEST(test_all_get_their_turn))
