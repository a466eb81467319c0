/* Tests that memory is there before a shard comes to use it, whatever the machine makes of that,
 * and that getting it keeps nobody from a processor for long. The linker's --wrap puts the test
 * between the thread that asks for memory and the machine.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "core/shard/bench.h"
#include "folder.h"
#include "shard/pages.h"
#include "support/cunit_main.h"

#define FLIGHT 200u
#define AHEAD_BYTES (512u << 10) /* of each part that is in use, at the least */
#define MOST_AT_ONCE (64u << 10)

int __real_pages_populate(void *memory, size_t bytes);
int __wrap_pages_populate(void *memory, size_t bytes);
int __real_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);

static atomic_int refusal;   /* what the machine says from now on; 0: yes */
static atomic_bool is_held;  /* it says nothing */
static atomic_uint requests; /* so far */
static atomic_bool is_wrong; /* one was not for what it may be for */
static atomic_uint takes_ns; /* each of them, at least */
static atomic_uint rests;    /* as long as that, and not much longer than any takes */

static _Atomic uint64_t limit; /* of memory for this process */

uint64_t __wrap_memory_limit(const char *root);

uint64_t __wrap_memory_limit(const char *root)
{
    CU_ASSERT_STRING_EQUAL(root, "");
    return atomic_load(&limit);
}

static bool is_memory_thread(void)
{
    char name[16];
    return pthread_getname_np(pthread_self(), name, sizeof name) == 0 &&
           strcmp(name, "memory") == 0;
}

int __wrap_pages_populate(void *memory, size_t bytes)
{
    if (!is_memory_thread() || (uintptr_t)memory % (uintptr_t)sysconf(_SC_PAGESIZE) != 0 ||
        bytes == 0 || bytes > MOST_AT_ONCE) {
        atomic_store(&is_wrong, true);
    }
    atomic_fetch_add(&requests, 1);
    while (atomic_load(&is_held)) {
        sched_yield();
    }
    __real_nanosleep(&(struct timespec){.tv_nsec = atomic_load(&takes_ns)}, NULL);
    int refused = atomic_load(&refusal);
    return refused != 0 ? -refused : __real_pages_populate(memory, bytes);
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    bool fits = wanted->tv_sec == 0 && wanted->tv_nsec >= (long)atomic_load(&takes_ns) &&
                wanted->tv_nsec <= 10000000;
    if (is_memory_thread() && fits) {
        atomic_fetch_add(&rests, 1);
    }
    return __real_nanosleep(wanted, left);
}

static void reset(int refused)
{
    atomic_store(&takes_ns, 0);
    atomic_store(&rests, 0);
    atomic_store(&refusal, refused);
    atomic_store(&is_held, false);
    atomic_store(&requests, 0);
    atomic_store(&limit, UINT64_MAX);
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

/* Is all of it there that orders use in turn? */
static bool are_orders_there(const bench *b, unsigned number)
{
    const shard *s = &b->core->shards[number];
    matching_engine_part parts[MATCHING_ENGINE_PARTS];
    matching_engine_parts(s->books.engine, parts);
    for (unsigned i = 0; i < MATCHING_ENGINE_PARTS; i++) {
        if (parts[i].is_round && !is_there(parts[i].memory, parts[i].size * parts[i].places)) {
            return false;
        }
    }
    return is_there((const char *)s->event_memory, s->events.capacity * sizeof(matching_event));
}

/* Orders find all of it when they begin; extras, which may never be used, with the first. */
static void test_a_start_takes_what_orders_use_in_turn(void)
{
    bench b;
    reset(0);
    bench_init_running(&b, &(bench_options){.shards = 2,
                                            .max_orders = 300000,
                                            .event_ring_size = 1u << 18,
                                            .memory_at_start = true});
    for (unsigned i = 0; i < 2; i++) {
        until_it_is(are_orders_there, &b, i);
        const shard *s = &b.core->shards[i];
        CU_ASSERT_FALSE(is_there(s->books.engine_memory, s->books.engine_bytes / 2));
    }
    bench_fini(&b);
    bench_init(&b, &(bench_options){.max_orders = 300000, .memory_at_start = true});
    place(&b, 0, 1);
    matching_engine_part parts[MATCHING_ENGINE_PARTS];
    matching_engine_parts(b.core->shards[0].books.engine, parts);
    CU_ASSERT_TRUE(parts[MATCHING_ENGINE_EXTRAS].is_round);
    until_it_is(are_orders_there, &b, 0);
    bench_fini(&b);
    CU_ASSERT_FALSE(atomic_load(&is_wrong));
}

/* What orders may come to use in turn, extras among it, in all shards. */
static uint64_t used_in_turn(const bench *b)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < b->core->shard_count; i++) {
        const shard *s = &b->core->shards[i];
        matching_engine_part parts[MATCHING_ENGINE_PARTS];
        matching_engine_parts(s->books.engine, parts);
        for (unsigned k = 0; k < MATCHING_ENGINE_PARTS; k++) {
            bool counts = parts[k].is_round || k == MATCHING_ENGINE_EXTRAS;
            bytes += counts ? parts[k].size * parts[k].places : 0;
        }
        bytes += s->events.capacity * sizeof(matching_event);
    }
    return bytes;
}

/* Who takes too much of a container's memory is ended. */
static void test_a_start_takes_an_eighth_of_the_memory_at_most(void)
{
    bench b;
    bench_options options = {.shards = 2, .max_orders = 3000, .memory_at_start = true};
    reset(0);
    bench_init_running(&b, &options);
    uint64_t bytes = used_in_turn(&b);
    bench_fini(&b);
    for (unsigned less = 0; less < 2; less++) {
        atomic_store(&limit, 8 * bytes - less);
        bench_init_running(&b, &options);
        for (unsigned i = 0; i < 2; i++) {
            CU_ASSERT_EQUAL(b.core->shards[i].ahead.at_start, less == 0);
        }
        bench_fini(&b);
    }
}

/* Who is woken while the machine gives some gets a processor soon. */
static void test_it_rests_as_long_as_the_machine_took(void)
{
    bench b;
    reset(0);
    bench_init(&b, &(bench_options){.max_orders = 300000});
    until_it_is(is_ahead, &b, 0);
    atomic_store(&takes_ns, 200000);
    /* One that began before may have been quick, and needs no rest. */
    unsigned rests_before = atomic_load(&rests), requests_before = atomic_load(&requests);
    place(&b, 0, 8000);
    until_it_is(is_ahead, &b, 0);
    bench_fini(&b);
    unsigned asked = atomic_load(&requests) - requests_before;
    CU_ASSERT_TRUE(asked > 10);
    CU_ASSERT_TRUE(atomic_load(&rests) - rests_before + 1 >= asked); /* the last may be its end */
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
               MATCHING_TEST(test_a_start_takes_what_orders_use_in_turn),
               MATCHING_TEST(test_a_start_takes_an_eighth_of_the_memory_at_most),
               MATCHING_TEST(test_it_rests_as_long_as_the_machine_took),
               MATCHING_TEST(test_a_start_from_a_journal_goes_on_from_there),
               MATCHING_TEST(test_with_small_limits_all_is_there),
               MATCHING_TEST(test_where_the_machine_refuses_all_goes_on_without),
               MATCHING_TEST(test_a_machine_that_refuses_later_is_asked_once_more),
               MATCHING_TEST(test_nobody_waits_for_a_machine_that_takes_its_time),
               MATCHING_TEST(test_the_thread_ends_while_it_still_has_much_to_do))
