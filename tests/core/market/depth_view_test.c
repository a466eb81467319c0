/* The depth view against a naive full book: whatever happens, the steps bring a client's copy to
 * the best 1,000 levels of each side, and tell nothing that did not change.
 */
#include "matching/depth_view.h"

#include <inttypes.h>

#include "support/cunit_main.h"

#define PRICES_MAX 9000

/* Every price of the range by itself; index = price_ticks. */
typedef struct naive_book {
    uint64_t totals[2][PRICES_MAX + 1];
    uint64_t sequence;
} naive_book;

/* What a client holds that applied all steps so far. */
typedef struct client_copy {
    uint64_t totals[2][PRICES_MAX + 1];
    uint64_t sequence;
} client_copy;

typedef struct fixture {
    matching_depth_view *view;
    matching_depth_step *step;
    naive_book *book;
    client_copy *client;
    matching_level *bids, *asks; /* a reply's */
    uint64_t random;
} fixture;

static uint64_t next_random(fixture *f)
{
    f->random ^= f->random << 13;
    f->random ^= f->random >> 7;
    f->random ^= f->random << 17;
    return f->random;
}

static void setup(fixture *f, uint64_t seed)
{
    f->view = matching_depth_view_create();
    f->step = malloc(sizeof *f->step);
    f->book = calloc(1, sizeof *f->book);
    f->client = calloc(1, sizeof *f->client);
    f->bids = calloc(MATCHING_DEPTH_LEVELS_MAX, sizeof *f->bids);
    f->asks = calloc(MATCHING_DEPTH_LEVELS_MAX, sizeof *f->asks);
    f->random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->view);
}

static void teardown(fixture *f)
{
    matching_depth_view_destroy(f->view);
    free(f->step);
    free(f->book);
    free(f->client);
    free(f->bids);
    free(f->asks);
}

static uint32_t read_side(const uint64_t *totals, matching_side side, matching_level *out,
                          uint32_t limit, uint8_t *complete)
{
    uint32_t count = 0;
    *complete = 1;
    for (int i = 1; i <= PRICES_MAX; i++) {
        int price = side == MATCHING_BUY ? PRICES_MAX + 1 - i : i;
        if (totals[price] == 0) {
            continue;
        }
        if (count == limit) {
            *complete = 0;
            break;
        }
        out[count++] = (matching_level){totals[price], price, 1};
    }
    return count;
}

/* A READ_DEPTH reply of the naive book. */
static matching_depth read_depth(fixture *f, uint32_t limit)
{
    matching_depth depth = {.sequence = f->book->sequence, .bids = f->bids, .asks = f->asks};
    depth.bid_count = read_side(f->book->totals[MATCHING_BUY], MATCHING_BUY, f->bids, limit,
                                &depth.bids_complete);
    depth.ask_count = read_side(f->book->totals[MATCHING_SELL], MATCHING_SELL, f->asks, limit,
                                &depth.asks_complete);
    return depth;
}

static void load(fixture *f)
{
    matching_depth depth = read_depth(f, MATCHING_VIEW_KEPT);
    CU_ASSERT_TRUE(matching_depth_view_load(f->view, &depth));
}

/* Changes the naive book and returns the event that tells it. */
static matching_event change(fixture *f, matching_side side, int64_t price, uint64_t total)
{
    f->book->totals[side][price] = total;
    matching_event event = {.kind = MATCHING_EVENT_LEVEL, .side = (uint8_t)side};
    event.level.price_ticks = price;
    event.level.total_lots = total;
    event.level.orders = total > 0;
    event.level.depth_sequence = ++f->book->sequence;
    return event;
}

static void set(fixture *f, matching_side side, int64_t price, uint64_t total)
{
    matching_event event = change(f, side, price, total);
    matching_depth_view_apply(f->view, &event);
}

/* One step, applied to the client's copy. Returns how many changes it told. */
static size_t take_step(fixture *f)
{
    if (!matching_depth_view_step(f->view, f->step)) {
        return 0;
    }
    CU_ASSERT_EQUAL(f->step->prev_sequence, f->client->sequence);
    CU_ASSERT_EQUAL(f->step->sequence, f->book->sequence);
    CU_ASSERT_EQUAL(matching_depth_view_sequence(f->view), f->step->sequence);
    f->client->sequence = f->step->sequence;
    size_t redundant = 0;
    for (unsigned side = 0; side < 2; side++) {
        for (size_t i = 0; i < f->step->counts[side]; i++) {
            const matching_view_level *level = &f->step->changes[side][i];
            uint64_t *held = &f->client->totals[side][level->price_ticks];
            redundant += *held == (uint64_t)level->total_lots;
            *held = (uint64_t)level->total_lots;
        }
    }
    CU_ASSERT_EQUAL(redundant, 0);
    return f->step->counts[0] + f->step->counts[1];
}

/* The client's copy, the view's shown levels and the naive book's best 1,000 are one and the same.
 */
static bool same_everywhere(fixture *f)
{
    matching_depth depth = read_depth(f, MATCHING_VIEW_SHOWN);
    for (unsigned side = 0; side < 2; side++) {
        const matching_level *levels = side == MATCHING_BUY ? depth.bids : depth.asks;
        size_t count = side == MATCHING_BUY ? depth.bid_count : depth.ask_count;
        size_t held = 0;
        for (size_t price = 1; price <= PRICES_MAX; price++) {
            held += f->client->totals[side][price] != 0;
        }
        if (held != count || matching_depth_view_count(f->view, (matching_side)side) != count) {
            return false;
        }
        for (size_t i = 0; i < count; i++) {
            const matching_view_level *shown =
                matching_depth_view_level(f->view, (matching_side)side, i);
            if (shown->price_ticks != levels[i].price_ticks ||
                shown->total_lots != levels[i].total_lots ||
                f->client->totals[side][levels[i].price_ticks] != levels[i].total_lots) {
                return false;
            }
        }
    }
    return true;
}

static bool best_is_right(fixture *f)
{
    matching_depth depth = read_depth(f, 1);
    matching_view_best best;
    matching_depth_view_best(f->view, &best);
    return best.bid_ticks == (depth.bid_count > 0 ? depth.bids[0].price_ticks : 0) &&
           best.ask_ticks == (depth.ask_count > 0 ? depth.asks[0].price_ticks : 0) &&
           best.bid_lots == (depth.bid_count > 0 ? depth.bids[0].total_lots : 0) &&
           best.ask_lots == (depth.ask_count > 0 ? depth.asks[0].total_lots : 0);
}

static void test_nothing_is_known_before_the_first_load(void)
{
    fixture f;
    setup(&f, 1);
    CU_ASSERT_FALSE(matching_depth_view_ready(f.view));
    CU_ASSERT_TRUE(matching_depth_view_needs_load(f.view));
    CU_ASSERT_EQUAL(take_step(&f), 0);
    load(&f);
    CU_ASSERT_TRUE(matching_depth_view_ready(f.view));
    CU_ASSERT_FALSE(matching_depth_view_needs_load(f.view));
    CU_ASSERT_EQUAL(take_step(&f), 0);
    teardown(&f);
}

static void test_a_step_tells_new_changed_and_gone_levels(void)
{
    fixture f;
    setup(&f, 1);
    load(&f);
    set(&f, MATCHING_BUY, 100, 5);
    set(&f, MATCHING_BUY, 99, 7);
    set(&f, MATCHING_SELL, 101, 3);
    CU_ASSERT_EQUAL(take_step(&f), 3);
    CU_ASSERT_EQUAL(f.step->prev_sequence, 0);
    CU_ASSERT_EQUAL(f.step->sequence, 3);
    CU_ASSERT_EQUAL(f.step->changes[MATCHING_BUY][0].price_ticks, 100);
    set(&f, MATCHING_BUY, 100, 6);
    set(&f, MATCHING_SELL, 101, 0);
    CU_ASSERT_EQUAL(take_step(&f), 2);
    CU_ASSERT(f.step->changes[MATCHING_SELL][0].total_lots == 0);
    CU_ASSERT_TRUE(same_everywhere(&f));
    teardown(&f);
}

static void test_what_comes_back_between_steps_is_not_told(void)
{
    fixture f;
    setup(&f, 1);
    load(&f);
    set(&f, MATCHING_BUY, 100, 5);
    take_step(&f);
    set(&f, MATCHING_BUY, 100, 6);
    set(&f, MATCHING_BUY, 98, 1);
    set(&f, MATCHING_BUY, 98, 0);
    set(&f, MATCHING_BUY, 100, 5);
    CU_ASSERT_EQUAL(take_step(&f), 0);
    CU_ASSERT_EQUAL(matching_depth_view_sequence(f.view), 1);
    set(&f, MATCHING_BUY, 100, 4);
    CU_ASSERT_EQUAL(take_step(&f), 1);
    CU_ASSERT_EQUAL(f.step->prev_sequence, 1);
    CU_ASSERT_EQUAL(f.step->sequence, 6);
    teardown(&f);
}

static void test_events_that_the_snapshot_contains_are_ignored(void)
{
    fixture f;
    setup(&f, 1);
    matching_event old = change(&f, MATCHING_BUY, 100, 5);
    (void)change(&f, MATCHING_BUY, 100, 9);
    load(&f);
    matching_depth_view_apply(f.view, &old);
    CU_ASSERT_EQUAL(take_step(&f), 1);
    CU_ASSERT(f.step->changes[MATCHING_BUY][0].total_lots == 9);
    teardown(&f);
}

static void test_a_gap_asks_for_a_new_load(void)
{
    fixture f;
    setup(&f, 1);
    load(&f);
    set(&f, MATCHING_BUY, 100, 5);
    take_step(&f);
    (void)change(&f, MATCHING_BUY, 101, 5); /* lost */
    set(&f, MATCHING_BUY, 102, 5);
    CU_ASSERT_FALSE(matching_depth_view_ready(f.view));
    CU_ASSERT_EQUAL(take_step(&f), 0);
    CU_ASSERT_EQUAL(matching_depth_view_count(f.view, MATCHING_BUY), 1);
    load(&f);
    CU_ASSERT_EQUAL(take_step(&f), 2);
    CU_ASSERT_TRUE(same_everywhere(&f));
    teardown(&f);
}

static void test_a_reply_older_than_dropped_events_is_refused(void)
{
    fixture f;
    setup(&f, 1);
    matching_depth early = read_depth(&f, MATCHING_VIEW_KEPT);
    set(&f, MATCHING_BUY, 100, 5); /* not ready: dropped */
    CU_ASSERT_FALSE(matching_depth_view_load(f.view, &early));
    load(&f);
    CU_ASSERT_EQUAL(take_step(&f), 1);
    teardown(&f);
}

static void test_the_thousand_best_push_out_and_bring_back(void)
{
    fixture f;
    setup(&f, 1);
    load(&f);
    for (int64_t price = 1; price <= 1200; price++) {
        set(&f, MATCHING_SELL, 2000 + price, 1);
    }
    CU_ASSERT_EQUAL(take_step(&f), 1000);
    CU_ASSERT_TRUE(same_everywhere(&f));
    set(&f, MATCHING_SELL, 2000, 4); /* pushes 3000 out */
    CU_ASSERT_EQUAL(take_step(&f), 2);
    CU_ASSERT_EQUAL(f.step->changes[MATCHING_SELL][1].price_ticks, 3000);
    CU_ASSERT(f.step->changes[MATCHING_SELL][1].total_lots == 0);
    set(&f, MATCHING_SELL, 3100, 9); /* out of sight: nothing to tell */
    CU_ASSERT_EQUAL(take_step(&f), 0);
    for (int64_t price = 0; price <= 100; price++) {
        set(&f, MATCHING_SELL, 2000 + price, 0);
    }
    CU_ASSERT_EQUAL(take_step(&f), 202); /* 101 gone, 101 in, 3100 with what it has by now */
    CU_ASSERT_TRUE(same_everywhere(&f));
    teardown(&f);
}

static void test_silent_steps_move_the_sequence(void)
{
    fixture f;
    setup(&f, 1);
    load(&f);
    set(&f, MATCHING_BUY, 100, 5);
    set(&f, MATCHING_BUY, 100, 0);
    matching_depth_view_step(f.view, NULL);
    CU_ASSERT_EQUAL(matching_depth_view_sequence(f.view), 2);
    teardown(&f);
}

/* A random change around a price that wanders through the range. */
static matching_event random_change(fixture *f, int64_t *middle, int64_t spread, int64_t width)
{
    *middle += (int64_t)(next_random(f) % 3) - 1;
    int64_t low = spread + width + 1, high = PRICES_MAX - spread - width;
    *middle = *middle < low ? low : *middle > high ? high : *middle;
    matching_side side = next_random(f) & 1 ? MATCHING_BUY : MATCHING_SELL;
    int64_t away = (int64_t)(next_random(f) % (uint64_t)(next_random(f) % 4 == 0 ? 5 : width));
    int64_t price = side == MATCHING_BUY ? *middle - 1 - away : *middle + 1 + away;
    uint64_t total = next_random(f) % 4 == 0 ? 0 : 1 + next_random(f) % 1000;
    return change(f, side, price, total);
}

/* Runs `changes` random changes in steps of 1 to 40; some are lost on the way, some replies come
 * late. */
static void run_random(uint64_t seed, int64_t width, unsigned changes, bool losses)
{
    fixture f;
    setup(&f, seed);
    int64_t middle = PRICES_MAX / 2;
    bool right = true;
    load(&f);
    for (unsigned done = 0; done < changes && right;) {
        for (uint64_t turn = 1 + next_random(&f) % 40; turn > 0; turn--, done++) {
            matching_event event = random_change(&f, &middle, 2, width);
            if (losses && turn > 1 && next_random(&f) % 3000 == 0) {
                continue;
            }
            matching_depth_view_apply(f.view, &event);
        }
        if (matching_depth_view_needs_load(f.view) && next_random(&f) % 3 != 0) {
            load(&f);
        }
        if (matching_depth_view_ready(f.view)) {
            take_step(&f);
            right = same_everywhere(&f) && best_is_right(&f);
        }
    }
    if (!right) {
        printf("seed %" PRIu64 ", width %" PRId64 "\n", seed, width);
    }
    CU_ASSERT_TRUE(right);
    teardown(&f);
}

static void test_random_books_against_a_naive_one(void)
{
    const char *given = getenv("MATCHING_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : 20120621;
    printf("seed %" PRIu64 "\n", seed);
    run_random(seed, 20, 40000, false);
    run_random(seed + 1, 900, 40000, true);
    run_random(seed + 2, 1600, 60000, true);
    run_random(seed + 3, 4400, 60000, true);
}

/* More levels than a view keeps: the far ones are forgotten and read again when they come near. */
static void test_levels_beyond_what_is_kept_are_read_again(void)
{
    fixture f;
    setup(&f, 1);
    load(&f);
    for (int64_t price = 1; price <= 8000; price++) {
        set(&f, MATCHING_BUY, price, (uint64_t)price);
    }
    take_step(&f);
    CU_ASSERT_TRUE(same_everywhere(&f));
    CU_ASSERT_FALSE(matching_depth_view_needs_load(f.view));
    bool right = true;
    unsigned loads = 0;
    for (int64_t price = 8000; price > 0 && right; price--) {
        set(&f, MATCHING_BUY, price, 0);
        if (price == 4000) {
            set(&f, MATCHING_BUY, 1, 77); /* deeper than all that is known */
        }
        if (matching_depth_view_needs_load(f.view)) {
            load(&f);
            loads++;
        }
        take_step(&f);
        right = same_everywhere(&f);
    }
    CU_ASSERT_TRUE(right);
    CU_ASSERT_EQUAL(loads, 1);
    teardown(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_nothing_is_known_before_the_first_load),
               MATCHING_TEST(test_a_step_tells_new_changed_and_gone_levels),
               MATCHING_TEST(test_what_comes_back_between_steps_is_not_told),
               MATCHING_TEST(test_events_that_the_snapshot_contains_are_ignored),
               MATCHING_TEST(test_a_gap_asks_for_a_new_load),
               MATCHING_TEST(test_a_reply_older_than_dropped_events_is_refused),
               MATCHING_TEST(test_the_thousand_best_push_out_and_bring_back),
               MATCHING_TEST(test_silent_steps_move_the_sequence),
               MATCHING_TEST(test_levels_beyond_what_is_kept_are_read_again),
               MATCHING_TEST(test_random_books_against_a_naive_one))
