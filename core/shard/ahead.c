/* See ahead.h. The thread asks for some pages at a time, of one part after the other, and rests as
 * long as they took. Longer turns would not do: the scheduler lets a thread inside the kernel go on
 * for milliseconds, whoever is woken meanwhile, and on few cores that is the shard, its journal or
 * their client. Nor would the lowest priority: the kernel holds the process's memory map while it
 * gives a page, and whoever maps or unmaps would wait until that thread is let run again. */
#define _GNU_SOURCE
#include "shard/ahead.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "matching/log.h"
#include "shard/core_internal.h"
#include "shard/memory_limit.h"
#include "shard/pages.h"

#define MODULE "core"
#define PIECE ((uintptr_t)64 << 10) /* 0.2 ms where the host has to find each of its small pages */
#define TURN_NS 100000u             /* of work, then a rest */
#define REST_MOST_NS 10000000u      /* though a large page may have taken longer */
#define STEP (512u << 10)           /* a shard tells after so many bytes */
#define LEAST (1u << 20)            /* bytes of a part that are there ahead of its use: */
#define MOST (16u << 20)            /* as many as are used, within these */
#define START_WAITS_NS 1000000000u  /* a start, where the machine takes its time */
#define MEMORY_SHARE 8              /* a start takes no more than this part of what there is */
#define NODES 1024u

/* A part of a shard's memory. */
typedef struct part {
    char *memory;
    size_t size; /* bytes of an entry */
    size_t bytes;
    size_t there; /* so many from the beginning are */
} part;

typedef struct shard_memory {
    ahead_marks *marks;
    part parts[AHEAD_PARTS];
} shard_memory;

struct ahead {
    pthread_t thread;
    doorbell bell; /* the shards' */
    doorbell begun_bell;
    atomic_bool has_begun; /* what is needed first is there */
    atomic_bool stopping;
    atomic_bool is_running; /* the start has waited: now others want the processors */
    uint64_t worked_ns;     /* since the last rest */
    uintptr_t page_bytes;   /* of a small one */
    int node;               /* where the machine is asked for memory; -1: anywhere */
    unsigned count;
    shard_memory shards[];
};

/* ---- The shard's side ------------------------------------------------------------------------ */

static uint64_t events_used(const shard *s)
{
    uint64_t events = s->events.sink.head + 1;
    return events < s->events.capacity ? events : s->events.capacity;
}

static uint64_t used_bytes(const shard *s)
{
    return matching_engine_used(s->books.engine) + events_used(s) * sizeof(matching_event);
}

static void tell(shard *s, uint64_t bytes)
{
    ahead_marks *marks = &s->ahead;
    matching_engine_part parts[MATCHING_ENGINE_PARTS];
    unsigned cpu = 0, node = 0;
    marks->next_used = bytes + STEP;
    matching_engine_parts(s->books.engine, parts);
    for (unsigned i = 0; i < MATCHING_ENGINE_PARTS; i++) {
        bool all = marks->at_start && parts[i].is_round;
        atomic_store_explicit(&marks->used[i], all ? parts[i].places : parts[i].used,
                              memory_order_relaxed);
    }
    atomic_store_explicit(&marks->used[AHEAD_EVENTS],
                          marks->at_start ? s->events.capacity : events_used(s),
                          memory_order_relaxed);
    (void)getcpu(&cpu, &node);
    atomic_store_explicit(&marks->node, (int)node, memory_order_release);
    doorbell_ring(marks->bell);
}

void ahead_note(shard *s)
{
    uint64_t bytes = used_bytes(s);
    if (bytes >= s->ahead.next_used && s->ahead.bell != NULL) {
        tell(s, bytes);
    }
}

/* ---- The thread ------------------------------------------------------------------------------ */

/* Whoever writes a page first decides which memory it is in: it shall be that of the processors
 * where the shard runs, wherever this thread does. A wish: with one node it is all the same. */
static void go_near(struct ahead *a, int node)
{
    unsigned long nodes[NODES / (8 * sizeof(unsigned long))] = {0};
    if (node == a->node || (unsigned)node >= NODES) {
        return;
    }
    nodes[(unsigned)node / (8 * sizeof *nodes)] = 1ul << (unsigned)node % (8 * sizeof *nodes);
    (void)syscall(SYS_set_mempolicy, MPOL_PREFERRED, nodes, (unsigned long)NODES);
    a->node = node;
}

/* How much of it is to be there; none of a table that may never be used. */
static size_t wanted(const part *p, uint64_t used)
{
    if (used == 0) {
        return 0;
    }
    size_t bytes = (size_t)used * p->size;
    size_t more = bytes < LEAST ? LEAST : bytes > MOST ? MOST : bytes;
    return bytes + more < p->bytes ? bytes + more : p->bytes;
}

/* Lets others run. While the start waits it is they who want this done. */
static void rest(struct ahead *a)
{
    if (a->worked_ns >= TURN_NS && atomic_load_explicit(&a->is_running, memory_order_relaxed)) {
        uint64_t ns = a->worked_ns < REST_MOST_NS ? a->worked_ns : REST_MOST_NS;
        a->worked_ns = 0;
        nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
    }
}

/* As far as the next piece begins. 0, or a negative errno. */
static int take_piece(struct ahead *a, part *p)
{
    uint64_t began_ns = matching_monotonic_ns();
    uintptr_t at = (uintptr_t)p->memory + p->there, end = (uintptr_t)p->memory + p->bytes;
    uintptr_t next = (at | (PIECE - 1)) + 1;
    uintptr_t to = next < end ? next : end;
    size_t before = at & (a->page_bytes - 1);
    int failed = pages_populate(p->memory + p->there - before, to - at + before);
    p->there += to - at;
    a->worked_ns += matching_monotonic_ns() - began_ns;
    return failed;
}

/* A piece of each part that lacks some. True: there was one; *failed where it could not be had. */
static bool take_some(struct ahead *a, shard_memory *of, int *failed)
{
    bool took = false;
    int node = atomic_load_explicit(&of->marks->node, memory_order_acquire);
    if (node < 0) {
        return false;
    }
    go_near(a, node);
    for (unsigned i = 0; i < AHEAD_PARTS && *failed == 0 && !atomic_load(&a->stopping); i++) {
        uint64_t used = atomic_load_explicit(&of->marks->used[i], memory_order_relaxed);
        if (of->parts[i].there < wanted(&of->parts[i], used)) {
            *failed = take_piece(a, &of->parts[i]);
            took = true;
            rest(a);
        }
    }
    return took;
}

static bool have_all_told(const struct ahead *a)
{
    for (unsigned i = 0; i < a->count; i++) {
        if (atomic_load_explicit(&a->shards[i].marks->node, memory_order_relaxed) < 0) {
            return false;
        }
    }
    return true;
}

static bool is_all_there(const struct ahead *a)
{
    for (unsigned i = 0; i < a->count; i++) {
        for (unsigned k = 0; k < AHEAD_PARTS; k++) {
            if (a->shards[i].parts[k].there < a->shards[i].parts[k].bytes) {
                return false;
            }
        }
    }
    return true;
}

static void note_begun(struct ahead *a)
{
    atomic_store(&a->has_begun, true);
    doorbell_ring(&a->begun_bell);
}

/* 0: all of it is there, or the end was wanted. */
static int take_all(struct ahead *a)
{
    int failed = 0;
    while (!is_all_there(a)) {
        uint32_t seen = doorbell_seen(&a->bell); /* before what it is rung for */
        if (atomic_load(&a->stopping)) {
            return 0;
        }
        bool have_told = have_all_told(a), took = false;
        for (unsigned i = 0; i < a->count && failed == 0; i++) {
            took = take_some(a, &a->shards[i], &failed) || took;
        }
        if (failed != 0) {
            return failed;
        }
        if (!took) {
            if (have_told) {
                note_begun(a);
            }
            doorbell_wait(&a->bell, seen, DOORBELL_FOREVER);
        }
    }
    return 0;
}

static void *run(void *argument)
{
    struct ahead *a = argument;
    int failed = take_all(a);
    note_begun(a);
    if (failed == -EINVAL || failed == -ENOSYS) {
        matching_log(MATCHING_LOG_INFO, MODULE,
                     "this kernel gives no memory ahead of its use (Linux 5.14 does)");
    } else if (failed != 0) {
        matching_log(MATCHING_LOG_WARN, MODULE,
                     "no memory ahead of its use from now on, which may make orders wait: %s",
                     strerror(-failed));
    }
    return NULL;
}

/* ---- Its life -------------------------------------------------------------------------------- */

static void list_parts(shard_memory *of, shard *s)
{
    matching_engine_part parts[MATCHING_ENGINE_PARTS];
    matching_engine_parts(s->books.engine, parts);
    of->marks = &s->ahead;
    for (unsigned i = 0; i < MATCHING_ENGINE_PARTS; i++) {
        size_t at = (size_t)((const char *)parts[i].memory - (char *)s->books.engine_memory);
        of->parts[i] = (part){.memory = (char *)s->books.engine_memory + at,
                              .size = parts[i].size,
                              .bytes = parts[i].size * parts[i].places};
    }
    of->parts[AHEAD_EVENTS] = (part){.memory = (char *)s->event_memory,
                                     .size = sizeof(matching_event),
                                     .bytes = s->events.capacity * sizeof(matching_event)};
}

/* What orders use in turn, of all shards, as if there were extras from the beginning. */
static uint64_t round_bytes(const matching_core *core)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < core->shard_count; i++) {
        const shard *s = &core->shards[i];
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

/* Who takes more than a container allows is ended by the kernel, without a word. */
static bool may_take_at_start(const matching_core *core)
{
    uint64_t wanted_bytes = round_bytes(core), limit = memory_limit("");
    if (core->options.memory_at_start && wanted_bytes > limit / MEMORY_SHARE) {
        matching_log(MATCHING_LOG_INFO, MODULE,
                     "memory is taken as orders come: what they use in turn, %" PRIu64
                     " MB, is more than an eighth of the %" PRIu64 " MB that there are",
                     wanted_bytes / 1000000, limit / 1000000);
        return false;
    }
    return core->options.memory_at_start;
}

void ahead_start(matching_core *core)
{
    struct ahead *a = calloc(1, sizeof *a + core->shard_count * sizeof(shard_memory));
    if (a == NULL) {
        return;
    }
    a->count = core->shard_count;
    a->node = -1;
    a->page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
    bool at_start = may_take_at_start(core);
    for (unsigned i = 0; i < core->shard_count; i++) {
        list_parts(&a->shards[i], &core->shards[i]);
        atomic_init(&core->shards[i].ahead.node, -1);
        core->shards[i].ahead.at_start = at_start;
    }
    if (pthread_create(&a->thread, NULL, run, a) != 0) {
        free(a);
        return;
    }
    pthread_setname_np(a->thread, "memory");
    for (unsigned i = 0; i < core->shard_count; i++) {
        core->shards[i].ahead.bell = &a->bell;
    }
    core->ahead = a;
}

void ahead_wait(matching_core *core)
{
    struct ahead *a = core->ahead;
    if (a == NULL) {
        return;
    }
    uint64_t now = matching_monotonic_ns(), until = now + START_WAITS_NS;
    for (; now < until; now = matching_monotonic_ns()) {
        uint32_t seen = doorbell_seen(&a->begun_bell);
        if (atomic_load(&a->has_begun)) {
            break;
        }
        doorbell_wait(&a->begun_bell, seen, until - now);
    }
    if (!atomic_load(&a->has_begun)) {
        matching_log(MATCHING_LOG_INFO, MODULE,
                     "the machine is slow to give memory: more of it follows while orders come");
    }
    atomic_store(&a->is_running, true);
}

void ahead_stop(matching_core *core)
{
    struct ahead *a = core->ahead;
    if (a == NULL) {
        return;
    }
    atomic_store(&a->stopping, true);
    doorbell_ring(&a->bell);
    pthread_join(a->thread, NULL);
    for (unsigned i = 0; i < core->shard_count; i++) {
        core->shards[i].ahead.bell = NULL;
    }
    core->ahead = NULL;
    free(a);
}
