/* Saving and loading: an engine that was saved and loaded now and then is held against the oracle,
 * and against a twin that never was; bytes that were cut or changed are refused, or make an engine
 * that is sound.
 */
#include "engine/state.h"

#include <inttypes.h>

#include "engine/state_layout.h"
#include "generator.h"
#include "support/cunit_main.h"
#include "support/state_bytes.h"

/* ---- Going on as if nothing had been --------------------------------------------------------- */

#define COMMANDS 5000u

static const market markets[] = {{.name = "everything",
                                  .limits = {.instruments = 3,
                                             .shard = 2,
                                             .shard_bits = 2,
                                             .max_orders = 60,
                                             .max_levels = 40,
                                             .max_traders = 6,
                                             .retained_orders = 16},
                                  .traders = 6,
                                  .client_ids = 6,
                                  .price_low = 90,
                                  .price_high = 110,
                                  .quantity_high = 20,
                                  .passive = 50,
                                  .stops = 25,
                                  .divisor = 1},
                                 {.name = "nothing retained",
                                  .limits = {.instruments = 2,
                                             .max_orders = 10,
                                             .max_levels = 6,
                                             .max_traders = 3,
                                             .retained_orders = 0},
                                  .traders = 4,
                                  .client_ids = 3,
                                  .price_low = 10,
                                  .price_high = 15,
                                  .quantity_high = 9,
                                  .divisor = 1},
                                 {.name = "extreme values",
                                  .limits = {.instruments = 2,
                                             .shard = 63,
                                             .shard_bits = 6,
                                             .max_orders = 50,
                                             .max_levels = 50,
                                             .max_traders = 4,
                                             .retained_orders = 200},
                                  .traders = 3,
                                  .client_ids = 40,
                                  .price_low = 1,
                                  .price_high = MATCHING_TICKS_MAX,
                                  .quantity_high = MATCHING_LOTS_MAX,
                                  .extreme = true,
                                  .divisor = 1},
                                 {.name = "many orders",
                                  .limits = {.instruments = 2,
                                             .max_orders = 1400,
                                             .max_levels = 900,
                                             .max_traders = 300,
                                             .retained_orders = 400},
                                  .traders = 200,
                                  .client_ids = 300,
                                  .price_low = 1000,
                                  .price_high = 1400,
                                  .quantity_high = 500,
                                  .passive = 95,
                                  .auctions = 40,
                                  .divisor = 3}};

static void save(const matching_engine *engine, state_bytes *out)
{
    matching_state_output output = state_bytes_output(out);
    CU_ASSERT_TRUE_FATAL(matching_engine_save(engine, &output));
}

/* The engine's place is taken by one that was loaded from what it saved. */
static const char *replace(fixture *f, state_bytes *saved, state_bytes *again)
{
    save(f->engine, saved);
    uint64_t hash = matching_engine_hash(f->engine);
    void *memory = aligned_alloc(64, f->memory_bytes);
    CU_ASSERT_PTR_NOT_NULL_FATAL(memory);
    memset(memory, 0, f->memory_bytes);
    free(f->memory);
    f->memory = memory;
    f->engine = matching_engine_init(memory, &f->limits);
    matching_state_input input = state_bytes_input(saved);
    const char *wrong = matching_engine_load(f->engine, &input);
    if (wrong == NULL && saved->at != saved->size) {
        wrong = "not all was read";
    }
    if (wrong == NULL && matching_engine_hash(f->engine) != hash) {
        wrong = "another hash";
    }
    if (wrong == NULL) {
        wrong = matching_engine_check(f->engine);
    }
    save(f->engine, again);
    return wrong != NULL || state_bytes_equal(saved, again) ? wrong : "it saves other bytes";
}

/* Sometimes at once again, mostly after a while. */
static unsigned next_replacement(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return *state >> 60 == 0 ? 1 : 1 + (unsigned)(*state >> 33) % 150;
}

static void run_market(const market *m, uint64_t seed)
{
    static duel d;
    duel_init(&d, &m->limits);
    generator random = {.market = m, .duel = &d, .random_state = seed};
    state_bytes saved = {0}, again = {0};
    uint64_t moments = seed;
    unsigned left = 0, replaced = 0;
    bool went_well = true;
    for (unsigned i = 0; i < COMMANDS / m->divisor && went_well; i++) {
        matching_command command = generator_next(&random);
        went_well = duel_apply(&d, &command, i % 16 == 0);
        if (went_well && left-- == 0) {
            const char *wrong = replace(&d.engine, &saved, &again);
            left = next_replacement(&moments);
            replaced++;
            went_well = wrong == NULL;
            snprintf(d.difference, sizeof d.difference, "%s", wrong != NULL ? wrong : "");
        }
        if (!went_well) {
            printf("\n    market \"%s\", seed %" PRIu64 ", command %u, after %u replacements: %s\n",
                   m->name, seed, i, replaced, d.difference);
        }
    }
    CU_ASSERT_TRUE(went_well);
    CU_ASSERT_TRUE(!went_well || (replaced > 20 && d.trades > 100 && d.triggers > 10));
    state_bytes_free(&saved);
    state_bytes_free(&again);
    duel_fini(&d);
}

static void test_a_loaded_engine_goes_on_like_the_saved_one(void)
{
    for (size_t i = 0; i < sizeof markets / sizeof markets[0]; i++) {
        for (uint64_t seed = 1; seed <= 2; seed++) {
            run_market(&markets[i], seed);
        }
    }
}

/* ---- Bytes that are not what was saved ------------------------------------------------------- */

static const market small = {.name = "small",
                             .limits = {.instruments = 2,
                                        .shard = 1,
                                        .shard_bits = 1,
                                        .max_orders = 12,
                                        .max_levels = 9,
                                        .max_traders = 4,
                                        .retained_orders = 5},
                             .traders = 4,
                             .client_ids = 6,
                             .price_low = 90,
                             .price_high = 110,
                             .quantity_high = 20,
                             .passive = 90,
                             .stops = 40};

/* A rich state: orders of all kinds work, some have ended, one book is halted. */
static void make_small(state_bytes *out, uint64_t seed)
{
    static duel d;
    duel_init(&d, &small.limits);
    generator random = {.market = &small, .duel = &d, .random_state = seed};
    for (unsigned i = 0; i < 700 || oracle_working_count(d.oracle) < 10; i++) {
        matching_command command = generator_next(&random);
        CU_ASSERT_TRUE_FATAL(duel_apply(&d, &command, false));
    }
    save(d.engine.engine, out);
    duel_fini(&d);
}

typedef struct lab {
    fixture f;
    uint64_t loaded, refused;
} lab;

/* Any commands, with every invariant walked in between. */
static bool works_on(fixture *f)
{
    static const char *const traders[] = {"t1", "t2", "t3"};
    matching_watch nobody = {0};
    f->sink.watch = &nobody;
    f->time_ns = UINT64_C(1) << 61;
    for (unsigned i = 0; i < 12; i++) {
        matching_command command = limit_order(traders[i % 3], i % 2, 95 + i, 3 + i);
        command.instrument = (uint16_t)(i / 2 % 2);
        command = i % 4 == 3 ? cancel_all(traders[i % 3]) : command;
        command = i == 9 ? set_state(0, MATCHING_TRADING) : command;
        command = i == 11 ? (matching_command){.type = MATCHING_CANCEL_GUARDED} : command;
        fixture_apply_alone(f, command);
        if (matching_engine_check(f->engine) != NULL) {
            return false;
        }
    }
    return true;
}

/* Loads what may be anything: either it is refused, or the engine is sound, and stays so. */
static bool try(lab *l, state_bytes *bytes)
{
    fixture_reset(&l->f);
    matching_state_input input = state_bytes_input(bytes);
    if (matching_engine_load(l->f.engine, &input) != NULL) {
        l->refused++;
        return true;
    }
    l->loaded++;
    const char *broken = matching_engine_check(l->f.engine);
    if (broken != NULL) {
        printf("\n    %s\n", broken);
    }
    return broken == NULL && works_on(&l->f);
}

static void test_a_state_that_was_cut_is_refused(void)
{
    state_bytes saved = {0};
    lab l = {0};
    make_small(&saved, 1);
    fixture_init_alone(&l.f, &small.limits);
    CU_ASSERT_TRUE(try(&l, &saved));
    CU_ASSERT_EQUAL(l.loaded, 1);
    size_t whole = saved.size;
    for (saved.size = 0; saved.size < whole; saved.size++) {
        CU_ASSERT_TRUE(try(&l, &saved));
    }
    CU_ASSERT_EQUAL(l.refused, whole);
    fixture_fini(&l.f);
    state_bytes_free(&saved);
}

static void test_a_changed_bit_is_refused_or_harmless(void)
{
    state_bytes saved = {0};
    lab l = {0};
    make_small(&saved, 1);
    fixture_init_alone(&l.f, &small.limits);
    for (size_t bit = 0; bit < 8 * saved.size; bit++) {
        saved.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        bool sound = try(&l, &saved);
        saved.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        CU_ASSERT_TRUE(sound);
        if (!sound) {
            printf("\n    byte %zu, bit %zu\n", bit / 8, bit % 8);
        }
    }
    printf("\n    %" PRIu64 " changed bits refused, %" PRIu64 " harmless\n", l.refused, l.loaded);
    CU_ASSERT_TRUE(l.refused > l.loaded && l.loaded > 100);
    fixture_fini(&l.f);
    state_bytes_free(&saved);
}

/* Numbers that a bit does not reach: small ones, the ends of ranges, what stands elsewhere. */
static void test_other_numbers_are_refused_or_harmless(void)
{
    static const uint64_t numbers[] = {0, 1, 2, 95, INT64_MAX, UINT64_MAX, UINT64_MAX - 1};
    state_bytes saved = {0};
    lab l = {0};
    make_small(&saved, 3);
    fixture_init_alone(&l.f, &small.limits);
    uint64_t random = 5;
    for (unsigned i = 0; i < 15000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        uint64_t dice = random >> 32, before, number;
        size_t size = dice & 1 ? 8 : dice & 2 ? 4 : 1, words = saved.size / size;
        size_t at = (dice >> 8) % words * size;
        memcpy(&before, saved.bytes + at / 8 * 8, 8);
        number = numbers[(dice >> 2) % 8 % 7];
        if (dice & 64) {
            memcpy(&number, saved.bytes + (dice >> 12) % (saved.size / 8) * 8, 8);
        }
        memcpy(saved.bytes + at, &number, size);
        bool sound = try(&l, &saved);
        memcpy(saved.bytes + at / 8 * 8, &before, 8);
        CU_ASSERT_TRUE(sound);
        if (!sound) {
            printf("\n    byte %zu, %zu bytes, %" PRIu64 "\n", at, size, number);
        }
    }
    CU_ASSERT_TRUE(l.refused > 1000 && l.loaded > 100);
    fixture_fini(&l.f);
    state_bytes_free(&saved);
}

/* Is it refused for this reason? */
static bool is_refused(state_bytes *bytes, const matching_engine_limits *limits, const char *reason)
{
    fixture f;
    fixture_init_alone(&f, limits);
    matching_state_input input = state_bytes_input(bytes);
    const char *wrong = matching_engine_load(f.engine, &input);
    fixture_fini(&f);
    return wrong != NULL && strcmp(wrong, reason) == 0;
}

static const matching_engine_limits one_book = {
    .instruments = 1, .max_orders = 4, .max_levels = 4, .max_traders = 2, .retained_orders = 1};

/* In an auction books may be crossed; where it trades they may not. */
static void test_a_crossed_book_that_trades_is_refused(void)
{
    state_bytes saved = {0};
    fixture f;
    fixture_init_alone(&f, &one_book);
    fixture_apply_alone(&f, set_state(0, MATCHING_AUCTION));
    fixture_apply_alone(&f, limit_order("a", MATCHING_BUY, 101, 1));
    fixture_apply_alone(&f, limit_order("a", MATCHING_SELL, 101, 1));
    save(f.engine, &saved);
    fixture_fini(&f);
    unsigned char *state =
        saved.bytes + sizeof(state_head) + sizeof(state_trader) + offsetof(state_book, state);
    CU_ASSERT_EQUAL_FATAL(*state, MATCHING_AUCTION);
    *state = MATCHING_TRADING;
    CU_ASSERT_TRUE(is_refused(&saved, &one_book, "a book is crossed"));
    state_bytes_free(&saved);
}

static void swap_ids(unsigned char *at)
{
    unsigned char id[8];
    memcpy(id, at, 8);
    memmove(at, at + 8, 8);
    memcpy(at + 8, id, 8);
}

/* Two bids of one trader: at the end are two bids, three sides without any, and the trader's
 * list. */
static void test_queues_and_lists_out_of_order_are_refused(void)
{
    state_bytes saved = {0};
    fixture f;
    fixture_init_alone(&f, &one_book);
    fixture_apply_alone(&f, limit_order("a", MATCHING_BUY, 101, 1));
    fixture_apply_alone(&f, limit_order("a", MATCHING_BUY, 100, 1));
    save(f.engine, &saved);
    fixture_fini(&f);
    unsigned char *list = saved.bytes + saved.size - 16, *bids = list - 24 - 16;
    swap_ids(bids);
    CU_ASSERT_TRUE(is_refused(&saved, &one_book,
                              "an order is in a queue that is not its own, or out of order"));
    swap_ids(bids);
    swap_ids(list);
    CU_ASSERT_TRUE(is_refused(&saved, &one_book, "a trader's orders are not by age"));
    swap_ids(list);
    bids[-8] = 1; /* the first bid stands in no queue */
    memmove(bids, bids + 8, 8 + 24 + 16);
    saved.size -= 8;
    CU_ASSERT_TRUE(is_refused(&saved, &one_book, "orders work outside the book"));
    state_bytes_free(&saved);
}

/* Where the orders of a state with so many traders and one book begin. */
static state_order *orders_of(state_bytes *saved, size_t traders)
{
    return (state_order *)(void *)(saved->bytes + sizeof(state_head) +
                                   traders * sizeof(state_trader) + sizeof(state_book));
}

/* Two of one age: more would be kept than there is room for, and no slot free for the next. */
static void test_ended_orders_that_cannot_be_are_refused(void)
{
    matching_engine_limits limits = one_book;
    limits.retained_orders = 2;
    state_bytes saved = {0};
    fixture f;
    fixture_init_alone(&f, &limits);
    fixture_apply_alone(&f, limit_order("a", MATCHING_BUY, 101, 1));
    fixture_apply_alone(&f, limit_order("b", MATCHING_SELL, 101, 1));
    save(f.engine, &saved);
    fixture_fini(&f);
    uint64_t *end_marks = (uint64_t *)(void *)(orders_of(&saved, 2) + 2);
    CU_ASSERT_TRUE_FATAL(end_marks[0] == 0 && end_marks[1] == 1);
    end_marks[1] = 0;
    CU_ASSERT_TRUE(is_refused(&saved, &limits, "an order ended at no time or at another's"));
    end_marks[1] = 2;
    CU_ASSERT_TRUE(is_refused(&saved, &limits, "an order ended at no time or at another's"));
    end_marks[1] = 1;
    orders_of(&saved, 2)->instrument = 1; /* there is one book: nobody would look into another */
    CU_ASSERT_TRUE(is_refused(&saved, &limits, "an order's values cannot be"));
    state_bytes_free(&saved);
}

static void test_an_order_of_another_shard_is_refused(void)
{
    matching_engine_limits limits = one_book;
    limits.shard = limits.shard_bits = 1;
    state_bytes saved = {0};
    fixture f;
    fixture_init_alone(&f, &limits);
    fixture_apply_alone(&f, market_order("a", MATCHING_BUY, 1));
    save(f.engine, &saved);
    fixture_fini(&f);
    orders_of(&saved, 1)->order_id ^= 1;
    CU_ASSERT_TRUE(is_refused(&saved, &limits, "an order's id cannot be"));
    state_bytes_free(&saved);
}

static void test_an_extra_for_nothing_is_refused(void)
{
    state_bytes saved = {0};
    fixture f;
    fixture_init_alone(&f, &one_book);
    matching_command command = limit_order("a", MATCHING_BUY, 101, 1);
    set_client_id(&command, "x");
    fixture_apply_alone(&f, command);
    save(f.engine, &saved);
    fixture_fini(&f);
    state_order *order = orders_of(&saved, 1);
    state_extra *extra = (state_extra *)(void *)(order + 1);
    CU_ASSERT_STRING_EQUAL_FATAL(extra->client_order_id, "x");
    extra->client_order_id[0] = 0;
    order->flags = 0;
    order->has = STATE_HAS_EXTRA;
    CU_ASSERT_TRUE(is_refused(&saved, &one_book, "an order's values do not go with each other"));
    state_bytes_free(&saved);
}

static void test_other_limits_are_refused(void)
{
    state_bytes saved = {0};
    make_small(&saved, 1);
    for (unsigned which = 0; which < 7; which++) {
        matching_engine_limits limits = small.limits;
        limits.instruments += which == 0;
        limits.shard -= which == 1;
        limits.shard_bits += which == 2;
        limits.max_orders += which == 3;
        limits.max_levels += which == 4;
        limits.max_traders += which == 5;
        limits.retained_orders += which == 6;
        CU_ASSERT_TRUE(
            is_refused(&saved, &limits, "the engine's state was made with other limits"));
    }
    state_bytes_free(&saved);
}

/* Whatever the output takes before it takes no more, saving ends there. */
static void test_an_output_that_fails_ends_the_saving(void)
{
    state_bytes whole = {0}, part = {0};
    make_small(&whole, 1);
    fixture f;
    fixture_init_alone(&f, &small.limits);
    matching_state_input input = state_bytes_input(&whole);
    CU_ASSERT_PTR_NULL_FATAL(matching_engine_load(f.engine, &input));
    for (size_t limit = 1; limit < whole.size; limit += 7) {
        part.limit = limit;
        matching_state_output output = state_bytes_output(&part);
        CU_ASSERT_FALSE(matching_engine_save(f.engine, &output));
        CU_ASSERT_TRUE(part.size <= limit);
        CU_ASSERT_TRUE(part.size == 0 || memcmp(part.bytes, whole.bytes, part.size) == 0);
    }
    fixture_fini(&f);
    state_bytes_free(&whole);
    state_bytes_free(&part);
}

MATCHING_TESTS(MATCHING_TEST(test_a_loaded_engine_goes_on_like_the_saved_one),
               MATCHING_TEST(test_a_state_that_was_cut_is_refused),
               MATCHING_TEST(test_a_changed_bit_is_refused_or_harmless),
               MATCHING_TEST(test_other_numbers_are_refused_or_harmless),
               MATCHING_TEST(test_a_crossed_book_that_trades_is_refused),
               MATCHING_TEST(test_queues_and_lists_out_of_order_are_refused),
               MATCHING_TEST(test_ended_orders_that_cannot_be_are_refused),
               MATCHING_TEST(test_an_order_of_another_shard_is_refused),
               MATCHING_TEST(test_an_extra_for_nothing_is_refused),
               MATCHING_TEST(test_other_limits_are_refused),
               MATCHING_TEST(test_an_output_that_fails_ends_the_saving))
