/* core/shard/broadcast.h: several readers, events of several slots that wrap, readers that are
 * lapped.
 *
 * Event number n (from 1) carries n in every word that it has, so that a torn or skipped one shows.
 */
#include "shard/broadcast.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "support/cunit_main.h"

#define SLOTS 64u
#define OUT 32u
#define ORDER_EVENT_SLOTS (1 + MATCHING_ORDER_SLOTS)
#define EVERYTHING 0x7fffffffu /* the gate stands open */

typedef struct channel {
    broadcast ring;
    matching_event *memory;
    broadcast_reader *readers;
    uint64_t written; /* number of the last event */
} channel;

static void channel_init(channel *c, unsigned readers)
{
    c->memory = aligned_alloc(64, SLOTS * sizeof *c->memory);
    c->readers = aligned_alloc(64, readers * sizeof *c->readers);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->memory);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->readers);
    c->written = 0;
    broadcast_init(&c->ring, c->memory, SLOTS, c->readers, readers);
}

static void channel_fini(channel *c)
{
    free(c->memory);
    free(c->readers);
}

static uint64_t slots_of(uint64_t n)
{
    return n % 3 == 0 ? ORDER_EVENT_SLOTS : 1;
}

static bool fits(const channel *c)
{
    return c->ring.sink.limit - c->ring.sink.head >= slots_of(c->written + 1);
}

/* Writes the next event, as the engine does: whole, and only where it fits. */
static void write_event(channel *c)
{
    matching_event_sink *sink = &c->ring.sink;
    uint64_t n = ++c->written;
    matching_event *event = &sink->slots[sink->head++ & sink->mask];
    *event = (matching_event){.sequence_low = (uint32_t)n, .time_ns = n};
    if (slots_of(n) == 1) {
        event->kind = MATCHING_EVENT_LEVEL;
        event->level.price_ticks = (int64_t)n;
        event->level.depth_sequence = n;
        return;
    }
    event->kind = MATCHING_EVENT_ORDER;
    event->order.order_id = n;
    uint64_t words[sizeof(matching_event) / sizeof(uint64_t)];
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        words[i] = n;
    }
    for (size_t i = 0; i < MATCHING_ORDER_SLOTS; i++) {
        memcpy(&sink->slots[sink->head++ & sink->mask], words, sizeof words);
    }
}

/* Is this event number n in all its parts? *n is what it says. */
static bool is_whole(const matching_event *event, uint64_t *n)
{
    *n = event->time_ns;
    bool good = event->sequence_low == (uint32_t)*n;
    if (event->kind == MATCHING_EVENT_LEVEL) {
        return good && slots_of(*n) == 1 && event->level.price_ticks == (int64_t)*n &&
               event->level.depth_sequence == *n;
    }
    good = good && event->kind == MATCHING_EVENT_ORDER && slots_of(*n) == ORDER_EVENT_SLOTS &&
           event->order.order_id == *n;
    for (size_t i = 0; good && i < MATCHING_ORDER_SLOTS; i++) {
        uint64_t words[sizeof(matching_event) / sizeof(uint64_t)];
        memcpy(words, event + 1 + i, sizeof words);
        for (size_t w = 0; w < sizeof words / sizeof words[0]; w++) {
            good = good && words[w] == *n;
        }
    }
    return good;
}

/* What one reader has seen. */
typedef struct view {
    channel *c;
    unsigned number;
    uint64_t last;     /* number of the last event */
    uint64_t position; /* where the next one is expected */
    unsigned laps;
    uint64_t wrong;
} view;

/* One read; checks everything. Returns how many slots came. */
static uint32_t look(view *v, uint64_t durable)
{
    matching_event out[OUT];
    uint64_t tail = atomic_load_explicit(&v->c->ring.tail, memory_order_acquire), position;
    bool lapped;
    uint32_t count =
        broadcast_read(&v->c->ring, v->number, tail, durable, out, OUT, &position, &lapped);
    if (lapped) {
        v->laps++;
        v->wrong += count != 0;
        v->position = atomic_load(&v->c->readers[v->number].cursor);
        v->last = 0;
        return 0;
    }
    v->wrong += position != v->position;
    v->position += count;
    uint32_t at = 0;
    while (at < count) {
        uint64_t n;
        v->wrong += !is_whole(&out[at], &n);
        v->wrong += v->last != 0 && n != v->last + 1;
        v->last = n;
        at += (uint32_t)slots_of(n);
    }
    v->wrong += at != count;
    return count;
}

/* ---- One thread ----------------------------------------------------------------------------- */

static void test_readers_see_published_events_only_and_each_once(void)
{
    channel c;
    channel_init(&c, 2);
    view a = {.c = &c, .number = 0}, b = {.c = &c, .number = 1};
    CU_ASSERT_EQUAL(look(&a, EVERYTHING), 0);
    write_event(&c);
    write_event(&c);
    CU_ASSERT_EQUAL(look(&a, EVERYTHING), 0);
    CU_ASSERT_FALSE(broadcast_has_events(&c.ring, 0, EVERYTHING));
    broadcast_publish(&c.ring);
    CU_ASSERT_TRUE(broadcast_has_events(&c.ring, 0, EVERYTHING));
    CU_ASSERT_EQUAL(look(&a, EVERYTHING), 2);
    CU_ASSERT_EQUAL(look(&a, EVERYTHING), 0);
    CU_ASSERT_FALSE(broadcast_has_events(&c.ring, 0, EVERYTHING));
    CU_ASSERT_TRUE(broadcast_has_events(&c.ring, 1, EVERYTHING));
    CU_ASSERT_EQUAL(look(&b, EVERYTHING), 2);
    CU_ASSERT_EQUAL(a.last, 2);
    CU_ASSERT_EQUAL(b.last, 2);
    CU_ASSERT_EQUAL(a.wrong + b.wrong, 0);
    channel_fini(&c);
}

static void test_events_of_several_slots_wrap_whole(void)
{
    channel c;
    channel_init(&c, 1);
    view v = {.c = &c};
    unsigned wrapped = 0;
    for (unsigned i = 0; i < 2000; i++) {
        while (!fits(&c)) {
            CU_ASSERT_TRUE_FATAL(broadcast_raise_limit(&c.ring));
        }
        uint64_t head = c.ring.sink.head;
        write_event(&c);
        wrapped += slots_of(c.written) > 1 && (head & (SLOTS - 1)) > SLOTS - ORDER_EVENT_SLOTS;
        if (i % 7 == 6) {
            broadcast_publish(&c.ring);
            while (look(&v, EVERYTHING) > 0) {
            }
        }
    }
    broadcast_publish(&c.ring);
    while (look(&v, EVERYTHING) > 0) {
    }
    CU_ASSERT_TRUE(wrapped > 20);
    CU_ASSERT_EQUAL(v.last, 2000);
    CU_ASSERT_EQUAL(v.laps, 0);
    CU_ASSERT_EQUAL(v.wrong, 0);
    channel_fini(&c);
}

static void test_an_event_that_does_not_fit_the_callers_buffer_waits(void)
{
    channel c;
    channel_init(&c, 1);
    for (unsigned i = 0; i < 3; i++) {
        write_event(&c);
    }
    broadcast_publish(&c.ring);
    matching_event out[OUT];
    uint64_t position;
    bool lapped;
    uint64_t tail = atomic_load(&c.ring.tail);
    uint32_t room = 2 + ORDER_EVENT_SLOTS - 1;
    CU_ASSERT_EQUAL(broadcast_read(&c.ring, 0, tail, EVERYTHING, out, room, &position, &lapped), 2);
    CU_ASSERT_EQUAL(position, 0);
    CU_ASSERT_EQUAL(broadcast_read(&c.ring, 0, tail, EVERYTHING, out, room, &position, &lapped),
                    ORDER_EVENT_SLOTS);
    CU_ASSERT_EQUAL(position, 2);
    channel_fini(&c);
}

static void test_events_beyond_the_gate_stay(void)
{
    channel c;
    channel_init(&c, 1);
    view v = {.c = &c};
    for (unsigned i = 0; i < 5; i++) {
        write_event(&c);
    }
    broadcast_publish(&c.ring);
    CU_ASSERT_EQUAL(look(&v, 0), 0);
    CU_ASSERT_FALSE(broadcast_has_events(&c.ring, 0, 0));
    CU_ASSERT_EQUAL(look(&v, 2), 2);
    CU_ASSERT_FALSE(broadcast_has_events(&c.ring, 0, 2));
    CU_ASSERT_TRUE(broadcast_has_events(&c.ring, 0, 3));
    CU_ASSERT_EQUAL(look(&v, 3), ORDER_EVENT_SLOTS);
    CU_ASSERT_EQUAL(look(&v, 4), 1);
    CU_ASSERT_EQUAL(look(&v, 5), 1);
    CU_ASSERT_EQUAL(v.last, 5);
    CU_ASSERT_EQUAL(v.wrong, 0);
    channel_fini(&c);
}

/* Sequences have 32 bits in an event; the gate has 64. */
static void test_the_gate_works_beyond_32_bits(void)
{
    channel c;
    channel_init(&c, 1);
    c.ring.sink.slots[0] = (matching_event){.kind = MATCHING_EVENT_LEVEL, .sequence_low = 3};
    c.ring.sink.head = 1;
    broadcast_publish(&c.ring);
    const uint64_t sequence = 0x500000003u;
    CU_ASSERT_FALSE(broadcast_has_events(&c.ring, 0, sequence - 5)); /* 0x4fffffffe */
    CU_ASSERT_FALSE(broadcast_has_events(&c.ring, 0, sequence - 1));
    CU_ASSERT_TRUE(broadcast_has_events(&c.ring, 0, sequence));
    CU_ASSERT_TRUE(broadcast_has_events(&c.ring, 0, sequence + 1));
    channel_fini(&c);
}

static void fill(channel *c)
{
    while (fits(c)) {
        write_event(c);
    }
    broadcast_publish(&c->ring);
}

static void test_the_slowest_reader_holds_the_writer(void)
{
    channel c;
    channel_init(&c, 2);
    view fast = {.c = &c, .number = 0}, slow = {.c = &c, .number = 1};
    fill(&c);
    while (look(&fast, EVERYTHING) > 0) {
    }
    CU_ASSERT_FALSE(broadcast_raise_limit(&c.ring));
    CU_ASSERT_TRUE(look(&slow, EVERYTHING) > 0);
    CU_ASSERT_TRUE(broadcast_raise_limit(&c.ring));
    CU_ASSERT_EQUAL(c.ring.sink.limit, slow.position + SLOTS);
    channel_fini(&c);
}

static void test_a_stalled_reader_is_lapped_and_told_and_goes_on_at_the_end(void)
{
    channel c;
    channel_init(&c, 2);
    view fast = {.c = &c, .number = 0}, slow = {.c = &c, .number = 1};
    fill(&c);
    while (look(&fast, EVERYTHING) > 0) {
    }
    CU_ASSERT_FALSE(broadcast_raise_limit(&c.ring));
    broadcast_lap(&c.ring);
    CU_ASSERT_TRUE(broadcast_raise_limit(&c.ring));
    fill(&c);
    while (look(&fast, EVERYTHING) > 0) {
    }
    CU_ASSERT_TRUE(broadcast_has_events(&c.ring, 1, EVERYTHING)); /* that it was lapped */
    CU_ASSERT_EQUAL(look(&slow, EVERYTHING), 0);
    CU_ASSERT_EQUAL(slow.laps, 1);
    CU_ASSERT_EQUAL(slow.position, c.ring.sink.head);
    CU_ASSERT_EQUAL(look(&slow, EVERYTHING), 0);
    CU_ASSERT_TRUE(broadcast_raise_limit(&c.ring));
    uint64_t before = c.written;
    fill(&c);
    CU_ASSERT_FALSE(broadcast_raise_limit(&c.ring)); /* it counts again */
    CU_ASSERT_TRUE(look(&slow, EVERYTHING) > 0);
    CU_ASSERT_TRUE(slow.last > before);
    CU_ASSERT_EQUAL(slow.laps, 1);
    CU_ASSERT_EQUAL(fast.laps, 0);
    CU_ASSERT_EQUAL(fast.wrong + slow.wrong, 0);
    channel_fini(&c);
}

/* Nobody is left to wait for: the writer goes on, at most a ring at a time. */
static void test_with_all_readers_lapped_the_writer_goes_on(void)
{
    channel c;
    channel_init(&c, 2);
    fill(&c);
    broadcast_lap(&c.ring);
    for (unsigned i = 0; i < 10; i++) {
        CU_ASSERT_TRUE_FATAL(broadcast_raise_limit(&c.ring));
        CU_ASSERT_EQUAL(c.ring.sink.limit, c.ring.sink.head + SLOTS);
        fill(&c);
    }
    view v = {.c = &c};
    CU_ASSERT_EQUAL(look(&v, EVERYTHING), 0);
    CU_ASSERT_EQUAL(v.laps, 1);
    channel_fini(&c);
}

/* ---- Several threads ------------------------------------------------------------------------ */

#define EVENTS 120000u
#define READERS 3u

static atomic_bool writer_done;

/* The reader's number is how often it dawdles: 0 never. */
static void *read_all(void *argument)
{
    view *v = argument;
    uint64_t turn = v->number;
    for (;;) {
        bool done = atomic_load(&writer_done);
        unsigned laps = v->laps;
        if (look(v, EVERYTHING) == 0 && v->laps == laps) {
            if (done) {
                return NULL;
            }
            sched_yield();
        }
        turn = turn * 6364136223846793005u + 1442695040888963407u;
        for (uint64_t i = 0; v->number > 0 && turn >> 60 == 0 && i < (turn >> 48 & 63); i++) {
            sched_yield();
        }
    }
}

static void write_all(channel *c)
{
    while (c->written < EVENTS) {
        for (unsigned tries = 0; !fits(c); tries++) {
            if (broadcast_raise_limit(&c->ring)) {
                continue;
            }
            broadcast_publish(&c->ring);
            sched_yield();
            if (tries > 3) {
                broadcast_lap(&c->ring);
            }
        }
        write_event(c);
        if (c->written % 11 == 0) {
            broadcast_publish(&c->ring);
        }
    }
    broadcast_publish(&c->ring);
    atomic_store(&writer_done, true);
}

static void test_readers_on_threads_never_see_a_torn_event(void)
{
    channel c;
    channel_init(&c, READERS);
    atomic_store(&writer_done, false);
    view views[READERS];
    pthread_t threads[READERS];
    for (unsigned i = 0; i < READERS; i++) {
        views[i] = (view){.c = &c, .number = i};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&threads[i], NULL, read_all, &views[i]), 0);
    }
    write_all(&c);
    unsigned laps = 0;
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(threads[i], NULL);
        CU_ASSERT_EQUAL(views[i].wrong, 0);
        CU_ASSERT_TRUE(views[i].last == EVENTS || views[i].last == 0);
        CU_ASSERT_EQUAL(views[i].position, c.ring.sink.head);
        laps += views[i].laps;
    }
    printf("(%u laps) ", laps);
    channel_fini(&c);
}

MATCHING_TESTS(MATCHING_TEST(test_readers_see_published_events_only_and_each_once),
               MATCHING_TEST(test_events_of_several_slots_wrap_whole),
               MATCHING_TEST(test_an_event_that_does_not_fit_the_callers_buffer_waits),
               MATCHING_TEST(test_events_beyond_the_gate_stay),
               MATCHING_TEST(test_the_gate_works_beyond_32_bits),
               MATCHING_TEST(test_the_slowest_reader_holds_the_writer),
               MATCHING_TEST(test_a_stalled_reader_is_lapped_and_told_and_goes_on_at_the_end),
               MATCHING_TEST(test_with_all_readers_lapped_the_writer_goes_on),
               MATCHING_TEST(test_readers_on_threads_never_see_a_torn_event))
