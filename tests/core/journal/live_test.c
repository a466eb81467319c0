/* Reading beside a writer: whatever moment it is, a reader of what is claimed ends quietly, with
 * all that had been claimed when it began.
 *
 * The writer here is a thread that puts each write on disk in small pieces in any order, as the
 * reader may come to see one, and claims it with the next. The seed is fixed; which moments the
 * reader hits is not.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "core/journal/workshop.h"
#include "support/cunit_main.h"

#define SIZE ((size_t)65536)
#define SEGMENTS 4
#define PIECE 48

typedef struct live_writer {
    workshop shop;
    uint64_t random;
    _Atomic uint64_t claimed; /* by a claim that is written in full */
    atomic_bool has_ended;
    bool has_failed;
} live_writer;

static uint64_t next_random(live_writer *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random;
}

/* Writes what the image has from `from` on, in pieces, in an order that goes round from
 * anywhere. */
static void write_pieces(live_writer *w, int fd, const image *i, size_t from)
{
    size_t pieces = (i->used - from + PIECE - 1) / PIECE, first = next_random(w) % pieces;
    for (size_t n = 0; n < pieces; n++) {
        size_t at = from + (first + n) % pieces * PIECE;
        size_t size = i->used - at < PIECE ? i->used - at : PIECE;
        if (pwrite(fd, i->bytes + at, size, (off_t)at) != (ssize_t)size) {
            w->has_failed = true;
        }
    }
}

/* The segment as a preparer leaves it: the header and zeros, under another name until then. */
static int put_segment(live_writer *w, const image *i)
{
    char spare[DATA_DIR_PATH_SIZE], path[DATA_DIR_PATH_SIZE];
    data_dir_file_path(&w->shop.dir, 0, "spare", spare);
    data_dir_journal_path(&w->shop.dir, 0, i->first_sequence, path);
    int fd = open(spare, O_RDWR | O_CREAT | O_TRUNC, 0600);
    w->has_failed = w->has_failed || fd < 0 || write(fd, i->bytes, i->size) != (ssize_t)i->size ||
                    rename(spare, path) != 0;
    return fd;
}

static void *write_all(void *context)
{
    live_writer *w = context;
    image i;
    uint32_t previous = 0;
    uint64_t last = 0;
    for (unsigned n = 0; n < SEGMENTS && !w->has_failed; n++) {
        image_begin(&i, 0, 1, last + 1, previous, SIZE);
        int fd = put_segment(w, &i);
        while (i.used + 25 * JOURNAL_RECORD_MAX < SIZE) {
            size_t from = i.used;
            uint64_t claim = i.last_sequence;
            image_batch(&i, 1 + (unsigned)(next_random(w) % 20));
            write_pieces(w, fd, &i, from);
            atomic_store(&w->claimed, claim);
        }
        close(fd);
        previous = i.checksum;
        last = i.last_sequence;
        image_free(&i);
    }
    atomic_store(&w->has_ended, true);
    return NULL;
}

static void test_a_reader_beside_a_writer_ends_quietly(void)
{
    static live_writer w = {.random = 20010911};
    pthread_t thread;
    unsigned reads = 0;
    uint64_t most = 0;
    workshop_begin(&w.shop, 1);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, write_all, &w), 0);
    for (bool has_ended = false; !has_ended; reads++) {
        has_ended = atomic_load(&w.has_ended);
        uint64_t claimed = atomic_load(&w.claimed);
        outcome o = workshop_read(&w.shop, 1, true);
        if (o.end != JOURNAL_WHOLE) {
            printf("%s ", o.trouble);
        }
        CU_ASSERT_EQUAL(o.end, JOURNAL_WHOLE);
        CU_ASSERT(o.as_written && o.count >= claimed && o.count >= most);
        most = o.count;
    }
    pthread_join(thread, NULL);
    CU_ASSERT_FALSE(w.has_failed);
    CU_ASSERT_EQUAL(most, atomic_load(&w.claimed));
    printf("%u reads of up to %u commands ", reads, (unsigned)most);
    workshop_end(&w.shop);
}

MATCHING_TESTS(MATCHING_TEST(test_a_reader_beside_a_writer_ends_quietly))
