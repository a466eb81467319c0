/* What making commands safe costs, beside what the disk can do, in one run and on one disk:
 *
 *   bare       a loop that writes records to a file of zeros and syncs, and does nothing else: so
 *              many at a time, and as many as the core's journal came to
 *   journal    the shard's side of a journal appends as fast as there is room
 *   core       orders go through a port to a shard with such a journal; or with none
 *   ... at a rate   orders come at fixed times, whatever becomes of them; the time from when one
 *              was due until it was safe, or answered, is what counts, so a stall shows in all that
 *              waits
 *
 * journal_bench [DIR [seconds]]: DIR is made and deleted; it has to be on the disk that is meant.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "bench/journal_port.h"
#include "journal/codec.h"
#include "journal/writer.h"

#define SEGMENT_BYTES (64u << 20) /* the service's default, and the bare loop's file */
#define BATCH 100                 /* the service's: commands that a shard hands over at once */
#define RATE 200000               /* orders a second, offered */

static const char *folder;
static double seconds = 5;

static void fail(const char *what)
{
    fprintf(stderr, "journal_bench: %s\n", what);
    exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static matching_command order(uint64_t sequence, uint64_t time_ns)
{
    matching_command command = port_order(sequence);
    command.sequence = sequence;
    command.time_ns = time_ns;
    return command;
}

static size_t order_bytes(void)
{
    _Alignas(JOURNAL_ALIGN) char record[JOURNAL_RECORD_MAX];
    matching_command command = order(1, 1);
    return journal_encode(&command, record);
}

/* ---- The bare loop --------------------------------------------------------------------------- */

static void write_whole(int fd, const char *bytes, size_t size, uint64_t offset)
{
    if (pwrite(fd, bytes, size, (off_t)offset) != (ssize_t)size) {
        fail(strerror(errno));
    }
}

static int make_zeros(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0) {
        fail(strerror(errno));
    }
    size_t piece = 1u << 20;
    char *zeros = calloc(1, piece);
    for (uint64_t at = 0; zeros != NULL && at < SEGMENT_BYTES; at += piece) {
        write_whole(fd, zeros, piece, at);
    }
    free(zeros);
    if (fsync(fd) != 0) {
        fail(strerror(errno));
    }
    return fd;
}

/* Records a second when so many are written and synced at a time; the file is used again and again,
 * so nobody has to make another. */
static double bare(size_t records, double for_seconds)
{
    char path[512];
    snprintf(path, sizeof path, "%s/bare", folder);
    int fd = make_zeros(path);
    size_t size = records * order_bytes();
    char *batch = malloc(size);
    if (batch == NULL) {
        fail("no memory");
    }
    memset(batch, 'x', size);
    uint64_t from = now_ns(), until = from + (uint64_t)(for_seconds * 1e9), batches = 0, at = 0;
    while (now_ns() < until) {
        if (at + size > SEGMENT_BYTES) {
            at = 0;
        }
        batch[0]++;
        write_whole(fd, batch, size, at);
        if (fdatasync(fd) != 0) {
            fail(strerror(errno));
        }
        at += size;
        batches++;
    }
    double rate = (double)(batches * records) / ((double)(now_ns() - from) * 1e-9);
    free(batch);
    close(fd);
    unlink(path);
    return rate;
}

/* ---- The journal ----------------------------------------------------------------------------- */

typedef struct bench {
    data_dir dir;
    journal *journal;
    uint64_t sequence;
    _Atomic uint64_t rooms;
    uint64_t *waits; /* ns from when a command was due until it was safe, by sequence - 1 */
    uint64_t safe, due_from, due_every;
    _Atomic uint64_t syncs;
} bench;

static void on_room(void *context)
{
    bench *b = context;
    atomic_fetch_add(&b->rooms, 1);
}

static void on_failed(void *context, const char *what)
{
    (void)context;
    fail(what);
}

/* How long those that are safe now have waited. */
static void on_safe(void *context, uint64_t sequence)
{
    bench *b = context;
    atomic_fetch_add_explicit(&b->syncs, 1, memory_order_relaxed);
    if (b->waits == NULL) {
        return;
    }
    uint64_t now = now_ns();
    for (; b->safe < sequence; b->safe++) {
        b->waits[b->safe] = now - (b->due_from + b->safe * b->due_every);
    }
}

static void open_journal(bench *b, matching_sync sync)
{
    char error[512], path[512];
    journal_position nothing = {0};
    journal_options options = {.sync = sync,
                               .sync_interval_ms = 100,
                               .segment_bytes = SEGMENT_BYTES,
                               .on_safe = on_safe,
                               .on_room = on_room,
                               .on_failed = on_failed,
                               .context = b};
    snprintf(path, sizeof path, "%s/data", folder);
    if (data_dir_open(&b->dir, path, 1, 1, error, sizeof error) < 0) {
        fail(error);
    }
    b->journal = journal_open(&b->dir, 0, &nothing, &options, error, sizeof error);
    if (b->journal == NULL) {
        fail(error);
    }
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

/* The disk shall have forgotten it, too, before the next one is measured. */
static void remove_folder(const char *path)
{
    nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) != 0) {
        fail(strerror(errno));
    }
    close(fd);
}

static void close_journal(bench *b)
{
    char path[512];
    if (journal_close(b->journal) != 0) {
        fail("the journal does not close");
    }
    data_dir_close(&b->dir);
    snprintf(path, sizeof path, "%s/data", folder);
    remove_folder(path);
}

static void append(bench *b, uint64_t time_ns)
{
    matching_command command = order(++b->sequence, time_ns);
    journal_append(b->journal, &command);
}

/* A shard that has nothing to do but this, and sleeps when there is no room. */
static double saturate(matching_sync sync, double *records_a_sync)
{
    bench b = {0};
    open_journal(&b, sync);
    uint64_t from = now_ns(), until = from + (uint64_t)(seconds * 1e9), now;
    while ((now = now_ns()) < until) {
        uint64_t rooms = atomic_load(&b.rooms);
        unsigned count = 0;
        for (; count < BATCH && journal_has_room(b.journal); count++) {
            append(&b, now);
        }
        journal_hand_over(b.journal);
        while (count == 0 && atomic_load(&b.rooms) == rooms) {
            struct timespec pause = {.tv_nsec = 20000};
            nanosleep(&pause, NULL);
        }
    }
    journal_wait(b.journal);
    double rate = (double)b.sequence / ((double)(now_ns() - from) * 1e-9);
    *records_a_sync = (double)b.sequence / (double)atomic_load(&b.syncs);
    close_journal(&b);
    return rate;
}

/* ---- At a rate ------------------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Written to, so that the machine gives no page of it while time is taken. */
static uint64_t *take_waits(size_t count)
{
    uint64_t *waits = malloc(count * sizeof *waits);
    if (waits == NULL) {
        fail("no memory");
    }
    memset(waits, 0xff, count * sizeof *waits);
    return waits;
}

static void print_waits(const char *name, uint64_t *waits, size_t count)
{
    static const struct {
        const char *name;
        double share;
    } wanted[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};
    qsort(waits, count, sizeof *waits, compare);
    printf("%s n=%zu us:", name, count);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        printf(" %s=%.0f", wanted[i].name,
               (double)waits[(size_t)((double)count * wanted[i].share)] / 1000);
    }
    printf(" max=%.0f\n", (double)waits[count - 1] / 1000);
}

/* Sends each command when it is due, or as soon after as this thread gets there; sleeps between, as
 * the disk's thread wants the processor too. */
static void at_rate(uint64_t rate)
{
    bench b = {.due_every = 1000000000ull / rate};
    uint64_t count = (uint64_t)(seconds * (double)rate);
    b.waits = take_waits(count);
    open_journal(&b, MATCHING_SYNC_COMMIT);
    b.due_from = now_ns() + 1000000;
    while (b.sequence < count) {
        uint64_t now = now_ns(), due = b.due_from + b.sequence * b.due_every;
        if (now < due) {
            struct timespec pause = {.tv_nsec = 50000}; /* not one wake-up for each command */
            nanosleep(&pause, NULL);
            continue;
        }
        for (unsigned i = 0; i < BATCH && b.sequence < count && due <= now; i++) {
            if (!journal_has_room(b.journal)) {
                break;
            }
            append(&b, now);
            due += b.due_every;
        }
        journal_hand_over(b.journal);
    }
    journal_wait(b.journal);
    uint64_t syncs = atomic_load(&b.syncs);
    close_journal(&b);
    char name[64];
    snprintf(name, sizeof name, "journal at %" PRIu64 "/s, commit", rate);
    print_waits(name, b.waits, count);
    printf("# %.0f commands a sync\n", (double)count / (double)syncs);
    free(b.waits);
}

/* ---- The core -------------------------------------------------------------------------------- */

static void measure_core(double loop)
{
    char path[512];
    snprintf(path, sizeof path, "%s/data", folder);
    port_run memory = {.seconds = seconds};
    printf("core in memory: %.2f M/s\n", port_measure(&memory) / 1e6);
    double a_sync = 0;
    port_run full = {.data_dir = path, .seconds = seconds, .a_sync = &a_sync};
    double rate = port_measure(&full);
    remove_folder(path);
    size_t same = a_sync < 1 ? 1 : (size_t)(a_sync + 0.5);
    double same_loop = bare(same, seconds / 2);
    printf("core, commit: %.2f M/s, %.2f of the bare loop of 1000; %zu commands a sync\n",
           rate / 1e6, rate / loop, same);
    printf("bare loop, %zu records a sync as the core had: %.2f M/s, of which the core is %.2f\n",
           same, same_loop / 1e6, rate / same_loop);
    port_run paced = {.data_dir = path, .rate = RATE, .count = (uint64_t)(seconds * (double)RATE)};
    paced.waits = take_waits(paced.count);
    port_measure(&paced);
    remove_folder(path);
    print_waits("core at 200000/s, commit", paced.waits, paced.count);
    free(paced.waits);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void print_setup(void)
{
    struct statfs disk;
    double load[3] = {0};
    if (statfs(folder, &disk) != 0 || getloadavg(load, 3) < 1) {
        fail(strerror(errno));
    }
    printf(
        "# records of %zu bytes, files of %u MiB of zeros, a shard hands over %d at once; nothing "
        "is random\n",
        order_bytes(), SEGMENT_BYTES >> 20, BATCH);
    printf("# %s: file system %lx, %ld processors, load average %.2f, %.0f s each\n", folder,
           (unsigned long)disk.f_type, sysconf(_SC_NPROCESSORS_ONLN), load[0], seconds);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"commit", "interval", "none"};
    folder = argc > 1 ? argv[1] : "journal-bench";
    seconds = argc > 2 ? strtod(argv[2], NULL) : seconds;
    if (argc > 3 || seconds <= 0 || seconds > 600) {
        fprintf(stderr, "usage: journal_bench [DIR [seconds]]\n");
        return 2;
    }
    if (mkdir(folder, 0750) != 0) {
        fail(strerror(errno));
    }
    print_setup();
    static const size_t batches[] = {100, 1000, 10000};
    double loop = 0;
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        double rate = bare(batches[i], seconds / 2);
        printf("bare loop, %zu records a sync: %.2f M/s\n", batches[i], rate / 1e6);
        loop = batches[i] == 1000 ? rate : loop;
    }
    for (int sync = MATCHING_SYNC_COMMIT; sync <= MATCHING_SYNC_NONE; sync++) {
        double records = 0, rate = saturate((matching_sync)sync, &records);
        printf("journal, %s: %.2f M/s, %.2f of the bare loop of 1000; %.0f commands each time\n",
               names[sync], rate / 1e6, rate / loop, records);
    }
    at_rate(RATE);
    measure_core(loop);
    rmdir(folder);
    return EXIT_SUCCESS;
}
