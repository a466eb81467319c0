/* Tests that memory is there before a shard comes to use it, whatever the machine makes of that.
 * The linker's --wrap puts the test between the thread that asks for memory and the machine.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/shard/bench.h"
#include "folder.h"
#include "shard/pages.h"
#include "support/cunit_main.h"

#define FLIGHT 200u
#define AHEAD_BYTES (512u << 10) /* of each part that is in use, at the least */

int __real_pages_populate(void *memory, size_t bytes);
int __wrap_pages_populate(void *memory, size_t bytes);

static atomic_int refusal;   /* what the machine says from now on; 0: yes */
static atomic_bool is_held;  /* it says nothing */
static atomic_uint requests; /* so far */
static atomic_bool is_wrong; /* one was not for what it may be for */

int __wrap_pages_populate(void *memory, size_t bytes)
{
    char name[16];
    if (pthread_getname_np(pthread_self(), name, sizeof name) != 0 || strcmp(name, "memory") != 0 ||
        (uintptr_t)memory % (uintptr_t)sysconf(_SC_PAGESIZE) != 0 || bytes == 0) {
        atomic_store(&is_wrong, true);
    }
    atomic_fetch_add(&requests, 1);
    while (atomic_load(&is_held)) {
        sched_yield();
    }
    int refused = atomic_load(&refusal);
    return refused != 0 ? -refused : __real_pages_populate(memory, bytes);
}

static void reset(int refused)
{
    atomic_store(&refusal, refused);
    atomic_store(&is_held, false);
    atomic_store(&requests, 0);
}

static void until_it_is(bool (*is_so)(const bench *b, unsigned number), const bench *b,
                        unsigned number)
{
    uint64_t deadline = matching_monotonic_ns() + BENCH_DEADLINE_MS * 1000000ull;
    while (!is_so(b, number)) {
        CU_ASSERT_TRUE_FATAL(matching_monotonic_ns() < deadline);
        sched_yield();
    }
}

/* Has the machine given all of it? */
static bool is_there(const char *memory, size_t bytes)
{
    static unsigned char pages[1u << 16];
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = (uintptr_t)memory & ~(page - 1), size = (uintptr_t)memory + bytes - from;
    if (bytes == 0) {
        return true;
    }
    CU_ASSERT_TRUE_FATAL((size + page - 1) / page <= sizeof pages);
    CU_ASSERT_EQUAL_FATAL(mincore((void *)from, size, pages), 0);
    for (size_t i = 0; i < (size + page - 1) / page; i++) {
        if ((pages[i] & 1) == 0) {
            return false;
        }
    }
    return true;
}

static bool is_part_ahead(const char *memory, uint64_t bytes, uint64_t used)
{
    uint64_t from = used < bytes ? used : bytes;
    uint64_t end = from + AHEAD_BYTES < bytes ? from + AHEAD_BYTES : bytes;
    return used == 0 || is_there(memory + from, end - from);
}

/* Is a stretch behind what is used there, of every part? */
static bool is_ahead(const bench *b, unsigned number)
{
    const shard *s = &b->core->shards[number];
    matching_engine_part parts[MATCHING_ENGINE_PARTS];
    matching_engine_parts(s->books.engine, parts);
    for (unsigned i = 0; i < MATCHING_ENGINE_PARTS; i++) {
        const matching_engine_part *p = &parts[i];
        if (!is_part_ahead(p->memory, p->places * p->size, p->used * p->size)) {
            return false;
        }
    }
    return is_part_ahead((const char *)s->event_memory, s->events.capacity * sizeof(matching_event),
                         s->events.sink.head * sizeof(matching_event) + 1);
}

static bool is_all_there(const bench *b, unsigned number)
{
    const shard *s = &b->core->shards[number];
    return is_there(s->books.engine_memory, s->books.engine_bytes) &&
           is_there((const char *)s->event_memory, s->events.capacity * sizeof(matching_event));
}

/* Orders at ever new prices, some with client ids: all parts are used. Answered by hand. */
static void place(bench *b, unsigned from, unsigned to)
{
    const matching_instrument *instrument = bench_instrument(b, 0, 0);
    for (unsigned i = from; i < to; i++) {
        matching_command command = limit_order(instrument, "ann", MATCHING_BUY, 1 + 40 * i, 1);
        snprintf(command.client_order_id, sizeof command.client_order_id, "%u", i);
        CU_ASSERT_EQUAL_FATAL(submit(&b->probes[0], command, i), MATCHING_OK);
        if (i % FLIGHT == FLIGHT - 1 || i + 1 == to) {
            bench_settle(b);
            CU_ASSERT_EQUAL(count_entries(&b->probes[0], ENTRY_REPLY), i % FLIGHT + 1);
            forget(&b->probes[0]);
        }
    }
}

/* ---- A machine that gives what it is asked for ----------------------------------------------- */

static void test_what_is_needed_first_is_there_and_little_else(void)
{
    bench b;
    reset(0);
    bench_init(&b, &(bench_options){.shards = 2, .max_orders = 300000});
    for (unsigned i = 0; i < 2; i++) {
        until_it_is(is_ahead, &b, i);
        const shard *s = &b.core->shards[i];
        CU_ASSERT_FALSE(is_there(s->books.engine_memory, s->books.engine_bytes / 2));
    }
    bench_fini(&b);
    CU_ASSERT_FALSE(atomic_load(&is_wrong));
}

static void test_memory_is_there_before_it_is_used(void)
{
    enum { ORDERS = 12000, SOME = 1000 };
    bench b;
    reset(0);
    bench_init(&b, &(bench_options){.max_orders = 300000});
    until_it_is(is_ahead, &b, 0);
    for (unsigned i = 0; i < ORDERS; i += SOME) {
        place(&b, i, i + SOME);
        until_it_is(is_ahead, &b, 0);
    }
    assert_books_are_sound(&b);
    bench_fini(&b);
    CU_ASSERT_FALSE(atomic_load(&is_wrong));
}

/* The marks begin where the journal's commands have led. */
static void test_a_start_from_a_journal_goes_on_from_there(void)
{
    enum { ORDERS = 6000 };
    bench b;
    folder f;
    folder_make(&f);
    bench_options options = {.max_orders = 300000, .data_dir = f.path, .sync = MATCHING_SYNC_NONE};
    reset(0);
    bench_init_running(&b, &options);
    const matching_instrument *instrument = bench_instrument(&b, 0, 0);
    for (unsigned i = 0; i < ORDERS; i++) {
        submit(&b.probes[0], limit_order(instrument, "ann", MATCHING_BUY, 1 + 40 * i, 1), i);
        if (i % FLIGHT == FLIGHT - 1) {
            bench_wait_replies(&b.probes[0], FLIGHT);
            forget(&b.probes[0]);
        }
    }
    bench_fini(&b);
    bench_init(&b, &options);
    CU_ASSERT_TRUE(matching_engine_newest(b.core->shards[0].books.engine) >= ORDERS);
    until_it_is(is_ahead, &b, 0);
    bench_fini(&b);
    folder_remove(&f);
}

static void test_with_small_limits_all_is_there(void)
{
    enum { ORDERS = 100 };
    bench b;
    reset(0);
    bench_init(&b, &(bench_options){.max_orders = ORDERS,
                                    .retained_orders = 1,
                                    .max_traders = 1,
                                    .max_instruments = BENCH_INSTRUMENTS,
                                    .event_ring_size = 1024});
    place(&b, 0, ORDERS);
    until_it_is(is_all_there, &b, 0);
    submit(&b.probes[0], limit_order(bench_instrument(&b, 0, 0), "ann", MATCHING_BUY, 1, 1), 7);
    bench_settle(&b);
    CU_ASSERT_EQUAL(reply_of(&b.probes[0], 7)->reply.code, MATCHING_BOOK_FULL);
    assert_books_are_sound(&b);
    bench_fini(&b);
}

/* ---- A machine that does not ----------------------------------------------------------------- */

static void test_where_the_machine_refuses_all_goes_on_without(void)
{
    static const int refusals[] = {EINVAL, ENOMEM, EFAULT, ENOSYS};
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        bench b;
        reset(refusals[i]);
        bench_init(&b, &(bench_options){.max_orders = 300000});
        place(&b, 0, 4000);
        assert_books_are_sound(&b);
        bench_fini(&b);
        CU_ASSERT_EQUAL(atomic_load(&requests), 1); /* nor is it asked again and again */
    }
}

static void test_a_machine_that_refuses_later_is_asked_once_more(void)
{
    bench b;
    reset(0);
    bench_init(&b, &(bench_options){.max_orders = 300000});
    until_it_is(is_ahead, &b, 0);
    reset(ENOMEM);
    place(&b, 0, 4000);
    assert_books_are_sound(&b);
    bench_fini(&b);
    CU_ASSERT_TRUE(atomic_load(&requests) <= 1); /* it may have been about to be asked */
}

/* Neither the start nor orders wait for it; only the end does. */
static void test_nobody_waits_for_a_machine_that_takes_its_time(void)
{
    bench b;
    reset(0);
    atomic_store(&is_held, true);
    bench_init(&b, &(bench_options){.max_orders = 300000});
    place(&b, 0, 4000);
    assert_books_are_sound(&b);
    atomic_store(&is_held, false);
    until_it_is(is_ahead, &b, 0);
    bench_fini(&b);
}

/* A process that dies leaves it no time. */
static void test_the_thread_ends_while_it_still_has_much_to_do(void)
{
    bench b;
    reset(0);
    bench_init_running(&b, &(bench_options){.shards = 2});
    bench_die(&b);
    CU_ASSERT_FALSE(atomic_load(&is_wrong));
}

MATCHING_TESTS(MATCHING_TEST(test_what_is_needed_first_is_there_and_little_else),
               MATCHING_TEST(test_memory_is_there_before_it_is_used),
               MATCHING_TEST(test_a_start_from_a_journal_goes_on_from_there),
               MATCHING_TEST(test_with_small_limits_all_is_there),
               MATCHING_TEST(test_where_the_machine_refuses_all_goes_on_without),
               MATCHING_TEST(test_a_machine_that_refuses_later_is_asked_once_more),
               MATCHING_TEST(test_nobody_waits_for_a_machine_that_takes_its_time),
               MATCHING_TEST(test_the_thread_ends_while_it_still_has_much_to_do))
