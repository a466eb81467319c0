/* A segment that is full gives its memory back in small pieces with rests between, as a processor
 * that is inside the kernel for long is lost to whoever is woken meanwhile.
 *
 * The linker's --wrap writes down what is asked of the system; nobody really rests.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "core/journal/writer_fixture.h"
#include "support/cunit_main.h"

#define SEGMENT (4u << 20)
#define PIECE_MOST (1 << 20)

int __real_posix_fadvise(int fd, off_t offset, off_t length, int advice);
int __wrap_posix_fadvise(int fd, off_t offset, off_t length, int advice);
int __real_nanosleep(const struct timespec *wanted, struct timespec *left);
int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left);

static fixture f;
static _Atomic uint64_t forgotten; /* bytes from the beginning, one piece behind the other */
static atomic_uint pieces, rests, wrong;

static bool is_preparer(void)
{
    char name[16] = "";
    return pthread_getname_np(pthread_self(), name, sizeof name) == 0 &&
           strcmp(name, "prepare-0") == 0;
}

int __wrap_posix_fadvise(int fd, off_t offset, off_t length, int advice)
{
    if (advice == POSIX_FADV_DONTNEED && is_preparer()) {
        wrong += length <= 0 || length > PIECE_MOST || (uint64_t)offset != forgotten ||
                 rests < pieces; /* after each one before it */
        forgotten += (uint64_t)length;
        pieces++;
    }
    return __real_posix_fadvise(fd, offset, length, advice);
}

int __wrap_nanosleep(const struct timespec *wanted, struct timespec *left)
{
    if (!is_preparer()) {
        return __real_nanosleep(wanted, left);
    }
    wrong += wanted->tv_sec != 0 || wanted->tv_nsec <= 0 || wanted->tv_nsec > 10000000;
    rests++;
    return 0;
}

static bool is_forgotten(fixture *fix)
{
    (void)fix;
    return forgotten >= SEGMENT;
}

static void test_a_full_segment_is_forgotten_piece_by_piece(void)
{
    fixture_init(&f, MATCHING_SYNC_NONE, SEGMENT);
    fixture_open(&f);
    CU_ASSERT_TRUE(fixture_append_all(&f, 100, 100));
    forgotten = 0;
    pieces = rests = wrong = 0;
    journal_seal_segment(f.journal);
    CU_ASSERT_TRUE(fixture_await_sealed(&f, 1));
    CU_ASSERT_TRUE(fixture_await(is_forgotten, &f));
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT_TRUE(pieces >= SEGMENT / PIECE_MOST);
    fixture_close_and_compare(&f, NULL);
    fixture_fini(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_a_full_segment_is_forgotten_piece_by_piece))
