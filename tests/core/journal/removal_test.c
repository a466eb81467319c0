/* Superfluous files: their names first, what is kept of them for what comes next, and the rest. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/removal.h"

#include "core/journal/workshop.h"
#include "support/cunit_main.h"

#define SIZE (3u << 20) /* some pieces and a rest */

static workshop shop;

static void put_file(const char *name)
{
    char path[DATA_DIR_PATH_SIZE];
    CU_ASSERT_TRUE_FATAL(data_dir_file_path(&shop.dir, 0, name, path));
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(ftruncate(fd, SIZE + 5), 0);
    CU_ASSERT_EQUAL(pwrite(fd, name, strlen(name), 0), (ssize_t)strlen(name));
    close(fd);
}

/* Bytes of the file; -1: there is none of that name. */
static long long size_of(const char *name)
{
    char path[DATA_DIR_PATH_SIZE];
    struct stat status;
    return data_dir_file_path(&shop.dir, 0, name, path) && stat(path, &status) == 0
               ? (long long)status.st_size
               : -1;
}

static void take_name(const char *name)
{
    char path[DATA_DIR_PATH_SIZE];
    CU_ASSERT_TRUE_FATAL(data_dir_file_path(&shop.dir, 0, name, path));
    CU_ASSERT_EQUAL(removal_rename(path), 0);
}

static const char *path_of(const char *name)
{
    static char path[DATA_DIR_PATH_SIZE];
    CU_ASSERT_TRUE_FATAL(data_dir_file_path(&shop.dir, 0, name, path));
    return path;
}

/* rmdir says so, and mkdir puts it back. */
static bool folder_is_empty(void)
{
    return rmdir(path_of("")) == 0 && mkdir(path_of(""), 0700) == 0;
}

static const char *const segments[] = {
    "00000000000000000001.journal", "00000000000000000010.journal", "00000000000000000020.journal",
    "00000000000000000030.journal"};
#define SEGMENTS (sizeof segments / sizeof segments[0])

static void test_a_file_loses_its_name_and_keeps_its_bytes(void)
{
    uint64_t *found;
    workshop_begin(&shop, 1);
    put_file(segments[0]);
    take_name(segments[0]);
    CU_ASSERT_EQUAL(size_of(segments[0]), -1);
    CU_ASSERT_EQUAL(size_of("00000000000000000001.journal.old.tmp"), SIZE + 5);
    CU_ASSERT_EQUAL(data_dir_list(&shop.dir, 0, DATA_DIR_JOURNAL, &found), 0);
    free(found);
    workshop_end(&shop);
}

static void test_two_segments_and_a_snapshot_are_kept_and_the_rest_goes(void)
{
    char path[DATA_DIR_PATH_SIZE], other[DATA_DIR_PATH_SIZE];
    unsigned taken = 0;
    workshop_begin(&shop, 1);
    for (size_t i = 0; i < SEGMENTS; i++) {
        put_file(segments[i]);
        take_name(segments[i]);
    }
    put_file("00000000000000000005.snapshot");
    take_name("00000000000000000005.snapshot");
    removal_give_back(&shop.dir, 0, true, NULL);
    data_dir_file_path(&shop.dir, 0, "spare", path);
    data_dir_file_path(&shop.dir, 0, "00000000000000000040.snapshot.tmp", other);
    int folder = data_dir_open_shard(&shop.dir, 0);
    CU_ASSERT_TRUE_FATAL(folder >= 0);
    while (removal_take_segment(folder, "spare")) {
        taken++;
        CU_ASSERT_EQUAL(size_of("spare"), SIZE + 5);
        unlink(path);
    }
    CU_ASSERT_EQUAL(taken, 2);
    CU_ASSERT_TRUE(removal_take_snapshot(folder, strrchr(other, '/') + 1));
    CU_ASSERT_EQUAL(size_of("00000000000000000040.snapshot.tmp"), SIZE + 5);
    CU_ASSERT_FALSE(removal_take_snapshot(folder, strrchr(other, '/') + 1));
    unlink(other);
    close(folder);
    CU_ASSERT_TRUE(folder_is_empty());
    workshop_end(&shop);
}

static void test_what_is_told_to_stop_stops(void)
{
    const atomic_bool stop = true;
    workshop_begin(&shop, 1);
    put_file(segments[0]);
    take_name(segments[0]);
    removal_give_back(&shop.dir, 0, true, &stop);
    CU_ASSERT_EQUAL(size_of("00000000000000000001.journal.old.tmp"), SIZE + 5);
    removal_clean(&shop.dir, 0);
    CU_ASSERT_TRUE(folder_is_empty());
    workshop_end(&shop);
}

static void test_without_anybody_who_writes_nothing_is_kept(void)
{
    workshop_begin(&shop, 1);
    put_file(segments[0]);
    take_name(segments[0]);
    put_file(segments[1]);
    removal_give_back(&shop.dir, 0, false, NULL);
    CU_ASSERT_EQUAL(size_of(segments[1]), SIZE + 5);
    unlink(path_of(segments[1]));
    CU_ASSERT_TRUE(folder_is_empty());
    workshop_end(&shop);
}

static void test_a_file_is_shortened_to_any_size(void)
{
    workshop_begin(&shop, 1);
    put_file("spare");
    int fd = open(path_of("spare"), O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL(removal_shorten(fd, SIZE + 6, NULL), 0);
    CU_ASSERT_EQUAL(size_of("spare"), SIZE + 5);
    CU_ASSERT_EQUAL(removal_shorten(fd, 4097, NULL), 0);
    CU_ASSERT_EQUAL(size_of("spare"), 4097);
    CU_ASSERT_EQUAL(removal_shorten(fd, 0, NULL), 0);
    CU_ASSERT_EQUAL(size_of("spare"), 0);
    close(fd);
    workshop_end(&shop);
}

MATCHING_TESTS(MATCHING_TEST(test_a_file_loses_its_name_and_keeps_its_bytes),
               MATCHING_TEST(test_two_segments_and_a_snapshot_are_kept_and_the_rest_goes),
               MATCHING_TEST(test_what_is_told_to_stop_stops),
               MATCHING_TEST(test_without_anybody_who_writes_nothing_is_kept),
               MATCHING_TEST(test_a_file_is_shortened_to_any_size))
