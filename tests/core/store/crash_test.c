/* A process that adds to a store ends without closing it, again and again, whatever RocksDB is just
 * doing: the next one finds the store as it was at some commit, and goes on from there.
 *
 * This process opens no store itself: RocksDB's threads would not live on in its children.
 *
 * Random runs have fixed seeds and a fresh one, which is printed; MATCHING_SEED=n runs only that
 * one.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/shard/folder.h"
#include "core/store/world.h"
#include "support/cunit_main.h"

#define DEADLINE_S 30

static char error[STORE_ERROR_SIZE];

static store *open_store(const char *path, uint64_t memory_bytes)
{
    store_options options;
    store_options_default(&options);
    options.path = path;
    options.data_dir = "DIR";
    options.shards = WORLD_SHARDS;
    options.max_instruments = WORLD_INSTRUMENTS;
    options.memory_bytes = memory_bytes;
    store *s = store_open(&options, error, sizeof error);
    if (s == NULL) {
        printf("\n    %s\n", error);
    }
    return s;
}

/* One commit of a shard with some commands in it. */
static bool advance(world *w, store *s, unsigned shard, uint64_t commands)
{
    for (uint64_t i = 0; i < commands; i++) {
        if (!world_step(w, shard, s)) {
            return false;
        }
    }
    return s == NULL ||
           store_commit(s, shard, w->shards[shard].sequence, w->shards[shard].time_ns) == 0;
}

/* The life of a process that ends without closing, whatever RocksDB is just doing. */
static void live_and_die(uint64_t seed, const char *path, uint64_t *begin)
{
    world w;
    world_init(&w, seed);
    uint64_t random = seed * 31 + begin[0] + 1;
    store *s = open_store(path, 96 * 1024);
    if (s == NULL) {
        _exit(1);
    }
    for (unsigned i = 0; i < WORLD_SHARDS; i++) {
        if (!advance(&w, NULL, i, begin[i])) {
            _exit(1);
        }
    }
    if (!world_add_instruments(&w, s)) {
        _exit(1);
    }
    uint64_t commits = 20 + world_random(&random) % 100;
    uint64_t flushed_at = commits / 2 + world_random(&random) % (commits / 2);
    for (uint64_t i = 0; i < commits; i++) {
        unsigned shard = (unsigned)(world_random(&random) % WORLD_SHARDS);
        if (!advance(&w, s, shard, world_random(&random) % 20)) {
            _exit(1);
        }
        /* Once at least: RocksDB alone may not have come to it before this process ends. */
        if ((i == flushed_at || world_random(&random) % 40 == 0) &&
            (store_flush(s) != 0 || store_safe_sequence(s, shard) != w.shards[shard].sequence)) {
            _exit(1);
        }
    }
    _exit(store_safe_sequence(s, 0) <= w.shards[0].sequence ? 0 : 1);
}

/* What the next process finds. Tells progress, and exits with 0 if all up to there is right. */
static void look(uint64_t seed, const char *path, uint64_t *progress)
{
    world w;
    world_init(&w, seed);
    store *s = open_store(path, UINT64_C(1) << 20);
    bool good = s != NULL;
    for (unsigned i = 0; i < WORLD_SHARDS && good; i++) {
        uint64_t now = store_progress(s, i, NULL);
        good = now >= progress[i] && store_safe_sequence(s, i) == now && advance(&w, NULL, i, now);
        progress[i] = now;
    }
    good = good && (progress[0] + progress[1] == 0 || world_agrees(&w, s)) &&
           store_close(s, error, sizeof error) == 0;
    fflush(stdout);
    _exit(good ? 0 : 1);
}

static bool in_child(void (*run)(uint64_t, const char *, uint64_t *), uint64_t seed,
                     const char *path, uint64_t *progress)
{
    int status = -1;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        run(seed, path, progress);
    }
    bool good = child > 0 && waitpid(child, &status, 0) == child && status == 0;
    if (!good) {
        printf("\n    seed %" PRIu64 ", %s: status %d, progress %" PRIu64 " and %" PRIu64 "\n",
               seed,
               run == live_and_die ? "live and die"
               : run == look       ? "look"
                                   : "fill the disk",
               status, progress[0], progress[1]);
    }
    return good;
}

static bool run_crashes(uint64_t seed, const char *path)
{
    uint64_t *progress = mmap(NULL, WORLD_SHARDS * sizeof *progress, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool good = progress != MAP_FAILED;
    for (unsigned life = 0; life < 6 && good; life++) {
        good = in_child(live_and_die, seed, path, progress) && in_child(look, seed, path, progress);
    }
    return good && progress[0] > 0 && progress[1] > 0;
}

/* A disk that takes no more, by a limit to the size of files: commits fail in the end, the process
 * lives on, and what is there can be read. Once there is room the store goes on from its
 * progress. */
static void fill_disk(uint64_t seed, const char *path, uint64_t *progress)
{
    struct rlimit limit = {.rlim_cur = 40 * 1024, .rlim_max = RLIM_INFINITY};
    world w;
    world_init(&w, seed);
    store *s = open_store(path, 96 * 1024);
    bool good = s != NULL && world_add_instruments(&w, s) && store_flush(s) == 0;
    signal(SIGXFSZ, SIG_IGN);
    good = good && setrlimit(RLIMIT_FSIZE, &limit) == 0;
    bool failed = false;
    for (unsigned i = 0; i < 3000 && good && !failed; i++) {
        failed = !advance(&w, s, 0, 5);
    }
    good = good && failed && store_why(s)[0] != '\0';
    matching_trade trade;
    size_t count;
    good = good && store_read_trades(s, 0, 0, 0, 1, &trade, &count) == 0;
    progress[0] = good ? store_safe_sequence(s, 0) : 0;
    good = good && store_close(s, error, sizeof error) != 0 && error[0] != '\0';
    fflush(stdout);
    _exit(good ? 0 : 1);
}

static bool run_full_disk(uint64_t seed, const char *path)
{
    uint64_t *progress = mmap(NULL, WORLD_SHARDS * sizeof *progress, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return progress != MAP_FAILED && in_child(fill_disk, seed, path, progress) &&
           in_child(look, seed, path, progress) && in_child(live_and_die, seed, path, progress) &&
           in_child(look, seed, path, progress);
}

/* The program's own functions come before the C library's, for RocksDB too. */
static atomic_bool is_full, has_looked, has_logged;

static bool is_log(int fd)
{
    char link[40], path[PATH_MAX] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    return length >= 4 && strcmp(path + length - 4, "/LOG") == 0;
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    if (atomic_load(&is_full) && fd > STDERR_FILENO) {
        if (is_log(fd)) {
            atomic_store(&has_logged, true);
        }
        errno = ENOSPC;
        return -1;
    }
    return syscall(SYS_write, fd, bytes, size);
}

/* RocksDB asks before it tries again. */
int statvfs(const char *path, struct statvfs *found)
{
    (void)path;
    *found = (struct statvfs){.f_bsize = 4096, .f_frsize = 4096, .f_blocks = 1000};
    atomic_store(&has_looked, true);
    return 0;
}

/* No byte can be written any more. RocksDB writes nothing into its log then: the second line after
 * one that could not be written would end the process where it has its assertions. */
static void have_no_room(uint64_t seed, const char *path, uint64_t *progress)
{
    world w;
    world_init(&w, seed);
    store *s = open_store(path, 96 * 1024);
    bool good = s != NULL && world_add_instruments(&w, s) && store_flush(s) == 0, failed = false;
    atomic_store(&is_full, true);
    for (unsigned i = 0; i < 3000 && good && !failed; i++) {
        failed = !advance(&w, s, 0, 5);
    }
    good = good && failed && strstr(store_why(s), "No space") != NULL;
    time_t until = time(NULL) + DEADLINE_S;
    while (good && !atomic_load(&has_looked) && time(NULL) < until) {
        sched_yield();
    }
    progress[0] = good ? store_safe_sequence(s, 0) : 0;
    good = good && store_close(s, error, sizeof error) != 0 && atomic_load(&has_looked) &&
           !atomic_load(&has_logged);
    fflush(stdout);
    _exit(good ? 0 : 1);
}

static bool run_no_room(uint64_t seed, const char *path)
{
    uint64_t *progress = mmap(NULL, WORLD_SHARDS * sizeof *progress, PROT_READ | PROT_WRITE,
                              MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return progress != MAP_FAILED && in_child(have_no_room, seed, path, progress) &&
           in_child(look, seed, path, progress) && in_child(live_and_die, seed, path, progress) &&
           in_child(look, seed, path, progress);
}

static void for_each_seed(bool (*run)(uint64_t, const char *))
{
    const char *given = getenv("MATCHING_SEED");
    uint64_t seeds[] = {1, 7, (uint64_t)time(NULL)};
    size_t count = sizeof seeds / sizeof seeds[0];
    if (given != NULL && *given != '\0') {
        seeds[0] = strtoull(given, NULL, 10);
        count = 1;
    }
    printf("seed %" PRIu64 " ", seeds[count - 1]);
    for (size_t i = 0; i < count; i++) {
        folder f;
        char path[300];
        folder_make(&f);
        snprintf(path, sizeof path, "%s/store", f.path);
        CU_ASSERT(run(seeds[i], path));
        folder_remove(&f);
    }
}

static void test_after_a_crash_it_is_as_it_was_at_some_commit(void)
{
    for_each_seed(run_crashes);
}

static void test_a_full_disk_ends_the_adding_and_nothing_else(void)
{
    for_each_seed(run_full_disk);
}

static void test_a_disk_without_any_room_ends_no_process(void)
{
    for_each_seed(run_no_room);
}

MATCHING_TESTS(MATCHING_TEST(test_after_a_crash_it_is_as_it_was_at_some_commit),
               MATCHING_TEST(test_a_full_disk_ends_the_adding_and_nothing_else),
               MATCHING_TEST(test_a_disk_without_any_room_ends_no_process))
