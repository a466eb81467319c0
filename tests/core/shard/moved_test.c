/* A data directory that is moved away from under a running core: it stops where the names of its
 * files lead nowhere, or into the history of another that was begun in the old place, and neither
 * loses anything that it has acknowledged.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bench.h"
#include "folder.h"
#include "support/cunit_main.h"

#define SEGMENT 8192
#define MOST 2000 /* commands, of which a few hundred fill a segment */

/* The last that was acknowledged; the shard's code for the one after it in *code. */
static uint64_t trade_until_refused(bench *b, unsigned most, unsigned *code)
{
    probe *p = &b->probes[0];
    uint64_t last = 0;
    *code = MATCHING_OK;
    for (uint64_t tag = 1; tag <= most && *code == MATCHING_OK; tag++) {
        submit(p, limit_order(bench_instrument(b, 0, 0), "ann", MATCHING_BUY, 10, 1), tag);
        bench_step(b);
        bench_wait_replies(p, 1);
        const entry *e = reply_of(p, tag);
        CU_ASSERT_PTR_NOT_NULL_FATAL(e);
        *code = e->reply.code;
        last = *code == MATCHING_OK ? e->reply.order.order_id : last;
        forget(p);
    }
    return last;
}

static void start(bench *b, const folder *f)
{
    bench_init(b, &(bench_options){.data_dir = f->path, .segment_bytes = SEGMENT});
}

/* It is there after a start. */
static void check_order(const folder *f, uint64_t id)
{
    bench b;
    start(&b, f);
    submit(&b.probes[0], (matching_command){.type = MATCHING_READ_ORDER, .order_id = id}, 1);
    bench_step(&b);
    bench_wait_replies(&b.probes[0], 1);
    CU_ASSERT_EQUAL(reply_of(&b.probes[0], 1)->reply.code, MATCHING_OK);
    bench_fini(&b);
}

/* Until it stops, at the latest when the segment is full. The last that it has acknowledged. */
static uint64_t go_on(bench *moved, uint64_t before)
{
    unsigned code;
    char why[600];
    uint64_t last = trade_until_refused(moved, MOST, &code);
    CU_ASSERT_EQUAL(code, MATCHING_INTERNAL_ERROR);
    CU_ASSERT_FALSE(matching_core_is_healthy(moved->core, why, sizeof why));
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "moved away or replaced"));
    CU_ASSERT_PTR_NULL(strstr(why, "/matching-test-")); /* where it is, is nobody's business */
    return last > before ? last : before;
}

static void move(const folder *from, folder *to)
{
    folder_make(to);
    CU_ASSERT_EQUAL_FATAL(remove(to->path), 0);
    CU_ASSERT_EQUAL_FATAL(rename(from->path, to->path), 0);
}

static void test_another_in_its_place_is_left_alone(void)
{
    folder f, elsewhere;
    bench moved, other;
    unsigned code;
    folder_make(&f);
    start(&moved, &f);
    uint64_t first = trade_until_refused(&moved, 10, &code);
    CU_ASSERT_EQUAL(first, 10);
    move(&f, &elsewhere);
    start(&other, &f);
    uint64_t others = trade_until_refused(&other, 20, &code);
    CU_ASSERT_EQUAL(others, 20);
    bench_fini(&other); /* so that whatever changes there is not its own doing */
    uint64_t sum = folder_sum(&f), last = go_on(&moved, first);
    uint64_t ticket;
    matching_snapshot_result result;
    CU_ASSERT_EQUAL(matching_core_request_snapshot(moved.core, &ticket), MATCHING_OK);
    CU_ASSERT_TRUE(matching_core_snapshot_done(moved.core, ticket, &result));
    CU_ASSERT_TRUE(result.failed);
    bench_fini(&moved);
    CU_ASSERT_EQUAL(folder_sum(&f), sum);
    check_order(&f, others);
    check_order(&elsewhere, last);
    folder_remove(&f);
    folder_remove(&elsewhere);
}

/* ---- At the very moment ---------------------------------------------------------------------- */

static folder place, aside, instead;
static atomic_int looks_left; /* at `place`, before the directories change their places */

/* In place of the library's: it is still true when it is told, and not any more when it is
 * heard. */
int stat(const char *restrict path, struct stat *restrict out)
{
    int code = fstatat(AT_FDCWD, path, out, 0);
    if (strcmp(path, place.path) == 0 && atomic_load(&looks_left) > 0 &&
        atomic_fetch_sub(&looks_left, 1) == 1) {
        if (rename(place.path, aside.path) != 0 || rename(instead.path, place.path) != 0) {
            abort();
        }
    }
    return code;
}

/* Another comes into its place right after the n-th look: nothing of it is touched, and what was
 * acknowledged meanwhile is in the one that was moved. */
static void test_a_look_is_not_too_late(void)
{
    for (int n = 1; n <= 4; n++) {
        bench b;
        unsigned code;
        folder_make(&place);
        folder_make(&aside);
        CU_ASSERT_EQUAL_FATAL(remove(aside.path), 0);
        folder_make(&instead);
        start(&b, &instead);
        uint64_t others = trade_until_refused(&b, 20, &code);
        bench_fini(&b);
        uint64_t sum = folder_sum(&instead);
        start(&b, &place);
        uint64_t last = trade_until_refused(&b, 10, &code);
        atomic_store(&looks_left, n);
        last = go_on(&b, last);
        CU_ASSERT_EQUAL(atomic_load(&looks_left), 0);
        uint64_t ticket;
        CU_ASSERT_EQUAL(matching_core_request_snapshot(b.core, &ticket), MATCHING_OK);
        bench_fini(&b);
        CU_ASSERT_EQUAL(folder_sum(&place), sum);
        check_order(&place, others);
        check_order(&aside, last);
        folder_remove(&place);
        folder_remove(&aside);
    }
}

static void test_without_another_it_stops_too(void)
{
    folder f, elsewhere;
    bench b;
    unsigned code;
    folder_make(&f);
    start(&b, &f);
    uint64_t last = trade_until_refused(&b, 10, &code);
    CU_ASSERT_EQUAL(last, 10);
    move(&f, &elsewhere);
    last = go_on(&b, last);
    bench_die(&b);
    check_order(&elsewhere, last);
    folder_remove(&elsewhere);
}

MATCHING_TESTS(MATCHING_TEST(test_another_in_its_place_is_left_alone),
               MATCHING_TEST(test_a_look_is_not_too_late),
               MATCHING_TEST(test_without_another_it_stops_too))
