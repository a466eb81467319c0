/* cutfs itself: while it has power it does what a plain folder does, afterwards its store holds
 * what was synced and as much else as was asked for. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/mount.h"
#include "support/cunit_main.h"

#define BYTES 20000u

static char base[64], path_store[96], path_point[96];
static process mounted;

static const char *at(const char *folder, const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static bool names_in_order; /* for the mounts to come */

static void begin(const char *keep, unsigned long seed, unsigned long cut_after)
{
    strcpy(base, "/tmp/matching-cutfs-XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(base));
    snprintf(path_store, sizeof path_store, "%s/store", base);
    snprintf(path_point, sizeof path_point, "%s/point", base);
    CU_ASSERT_EQUAL_FATAL(mkdir(path_store, 0755) | mkdir(path_point, 0755), 0);
    mount_start(&mounted, &(mount_options){.store = path_store,
                                           .point = path_point,
                                           .keep = keep,
                                           .names_in_order = names_in_order,
                                           .seed = seed,
                                           .cut_after = cut_after});
}

static bool power_off(void)
{
    return mount_stop(&mounted);
}

static void end(void)
{
    char command[160];
    snprintf(command, sizeof command, "rm -rf '%s'", base);
    CU_ASSERT_EQUAL(system(command), 0);
}

static int create(const char *name)
{
    int fd = open(at(path_point, name), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    return fd;
}

/* `size` bytes of this value from the offset on. */
static void put(int fd, int value, size_t size, off_t offset)
{
    unsigned char bytes[BYTES];
    memset(bytes, value, sizeof bytes);
    CU_ASSERT_EQUAL(pwrite(fd, bytes, size, offset), (ssize_t)size);
}

static void sync_folder(const char *name)
{
    int fd = open(at(path_point, name), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(fsync(fd), 0);
    close(fd);
}

/* How many bytes the file has; -1: there is none. */
static long take(const char *folder, const char *name, unsigned char bytes[BYTES])
{
    FILE *file = fopen(at(folder, name), "rb");
    if (file == NULL) {
        return -1;
    }
    long size = (long)fread(bytes, 1, BYTES, file);
    fclose(file);
    return size;
}

static bool is_all(const unsigned char *bytes, size_t size, int value)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != value) {
            return false;
        }
    }
    return true;
}

static void test_what_was_synced_stays(void)
{
    unsigned char bytes[BYTES];
    begin("none", 1, 0);
    CU_ASSERT_EQUAL(mkdir(at(path_point, "folder"), 0755), 0);
    int fd = create("folder/file");
    put(fd, 'a', 5000, 0);
    CU_ASSERT_EQUAL(fdatasync(fd), 0);
    sync_folder("folder");
    sync_folder("");
    close(fd);
    CU_ASSERT_FALSE(power_off());
    CU_ASSERT_EQUAL(take(path_store, "folder/file", bytes), 5000);
    CU_ASSERT_TRUE(is_all(bytes, 5000, 'a'));
    end();
}

static void test_a_file_whose_folder_was_not_synced_is_gone(void)
{
    unsigned char bytes[BYTES];
    begin("none", 1, 0);
    int fd = create("file");
    put(fd, 'a', 10, 0);
    CU_ASSERT_EQUAL(fsync(fd), 0);
    close(fd);
    power_off();
    CU_ASSERT_EQUAL(take(path_store, "file", bytes), -1);
    end();
}

static void test_a_file_that_was_not_synced_is_empty(void)
{
    unsigned char bytes[BYTES];
    begin("none", 1, 0);
    int fd = create("file");
    put(fd, 'a', 10, 0);
    sync_folder("");
    close(fd);
    power_off();
    CU_ASSERT_EQUAL(take(path_store, "file", bytes), 0);
    end();
}

static void test_what_was_written_over_comes_back(void)
{
    unsigned char bytes[BYTES];
    begin("none", 1, 0);
    int fd = create("file");
    put(fd, 'a', 9000, 0);
    CU_ASSERT_EQUAL(fsync(fd), 0);
    sync_folder("");
    put(fd, 'b', 100, 50);
    CU_ASSERT_EQUAL(ftruncate(fd, 120), 0);
    close(fd);
    CU_ASSERT_EQUAL(take(path_point, "file", bytes), 120);
    CU_ASSERT_TRUE(is_all(bytes, 50, 'a') && is_all(bytes + 50, 70, 'b'));
    power_off();
    CU_ASSERT_EQUAL(take(path_store, "file", bytes), 9000);
    CU_ASSERT_TRUE(is_all(bytes, 9000, 'a'));
    end();
}

static void test_a_rename_counts_once_the_folder_is_synced(void)
{
    unsigned char bytes[BYTES];
    begin("none", 1, 0);
    int one = create("one"), two = create("two");
    put(one, '1', 1, 0);
    put(two, '2', 1, 0);
    CU_ASSERT_EQUAL(fsync(one) | fsync(two), 0);
    sync_folder("");
    CU_ASSERT_EQUAL(rename(at(path_point, "one"), at(path_point, "two")), 0);
    sync_folder("");
    CU_ASSERT_EQUAL(rename(at(path_point, "two"), at(path_point, "three")), 0);
    CU_ASSERT_EQUAL(unlink(at(path_point, "three")), 0);
    CU_ASSERT_EQUAL(take(path_point, "two", bytes), -1);
    close(one);
    close(two);
    power_off();
    CU_ASSERT_EQUAL(take(path_store, "one", bytes), -1);
    CU_ASSERT_EQUAL(take(path_store, "two", bytes), 1);
    CU_ASSERT_EQUAL(bytes[0], '1');
    CU_ASSERT_EQUAL(take(path_store, "three", bytes), -1);
    end();
}

static void test_some_pages_or_sectors_of_a_write_stay(void)
{
    static const struct {
        const char *keep;
        size_t unit;
    } ways[] = {{"pages", 4096}, {"sectors", 512}};
    for (unsigned way = 0; way < 2; way++) {
        unsigned mixed = 0;
        for (unsigned seed = 1; seed <= 12; seed++) {
            unsigned char bytes[BYTES];
            unsigned changed = 0, units = 0;
            begin(ways[way].keep, seed, 0);
            int fd = create("file");
            put(fd, 'a', BYTES, 0);
            CU_ASSERT_EQUAL(fsync(fd), 0);
            sync_folder("");
            put(fd, 'b', BYTES, 0);
            close(fd);
            power_off();
            CU_ASSERT_EQUAL(take(path_store, "file", bytes), BYTES);
            for (size_t from = 0; from < BYTES; from += ways[way].unit, units++) {
                size_t size = BYTES - from < ways[way].unit ? BYTES - from : ways[way].unit;
                CU_ASSERT_TRUE(is_all(bytes + from, size, 'a') || is_all(bytes + from, size, 'b'));
                changed += bytes[from] == 'b';
            }
            mixed += changed > 0 && changed < units;
            end();
        }
        CU_ASSERT_TRUE(mixed >= 3);
    }
}

static void test_everything_may_stay(void)
{
    unsigned char bytes[BYTES];
    begin("all", 1, 0);
    int fd = create("file");
    put(fd, 'a', 10, 100);
    close(fd);
    power_off();
    CU_ASSERT_EQUAL(take(path_store, "file", bytes), 110);
    CU_ASSERT_TRUE(is_all(bytes, 100, 0) && is_all(bytes + 100, 10, 'a'));
    end();
}

/* Any of three new names may be there, or only the first ones. */
static void test_names_come_in_any_order_or_in_theirs(void)
{
    static const char *const names[] = {"one", "two", "three"};
    for (unsigned in_order = 0; in_order < 2; in_order++) {
        unsigned gaps = 0;
        names_in_order = in_order == 1;
        for (unsigned long seed = 1; seed <= 40; seed++) {
            unsigned there = 0;
            begin("pages", seed, 0);
            for (unsigned i = 0; i < 3; i++) {
                close(create(names[i]));
            }
            power_off();
            for (unsigned i = 0; i < 3; i++) {
                there |= (access(at(path_store, names[i]), F_OK) == 0) << i;
            }
            gaps += (there & (there + 1)) != 0;
            end();
        }
        CU_ASSERT_EQUAL(gaps == 0, names_in_order);
    }
    names_in_order = false;
}

/* mkdir, create, write, fsync, fsync of the folder: five calls. */
static void test_after_the_cut_nothing_changes_any_more(void)
{
    unsigned char bytes[BYTES];
    for (unsigned long cut_after = 1; cut_after <= 6; cut_after++) {
        bool done[5];
        begin("none", cut_after, cut_after);
        done[0] = mkdir(at(path_point, "folder"), 0755) == 0;
        int fd = open(at(path_point, "file"), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        done[1] = fd >= 0;
        done[2] = fd >= 0 && pwrite(fd, "abc", 3, 0) == 3;
        done[3] = fd >= 0 && fsync(fd) == 0;
        int folder = open(path_point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        done[4] = fsync(folder) == 0;
        for (unsigned i = 0; i < 5; i++) {
            CU_ASSERT_EQUAL(done[i], i + 1 < cut_after);
        }
        if (done[2]) {
            CU_ASSERT_EQUAL(take(path_point, "file", bytes), 3); /* still to be read */
        }
        close(fd);
        close(folder);
        CU_ASSERT_EQUAL(power_off(), cut_after <= 5);
        long size = take(path_store, "file", bytes);
        if (cut_after == 6) {
            CU_ASSERT_EQUAL(size, 3);
        } else if (cut_after < 5) {
            CU_ASSERT_EQUAL(size, -1);
        }
        end();
    }
}

/* Any calls on the mount and on a plain folder: the same answers, the same files. */
static void test_with_power_it_is_like_a_plain_folder(void)
{
    static const char *const names[] = {"one", "two", "three", "four"};
    char plain[96];
    unsigned char here[BYTES], there[BYTES];
    uint64_t state = 20120621;
    begin("all", 1, 0);
    snprintf(plain, sizeof plain, "%s/plain", base);
    CU_ASSERT_EQUAL_FATAL(mkdir(plain, 0755), 0);
    for (unsigned i = 0; i < 3000; i++) {
        int results[2], errors[2];
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint64_t dice = state >> 33;
        const char *name = names[dice % 4], *other = names[dice / 4 % 4];
        off_t offset = (off_t)(dice / 64 % 12000);
        size_t size = dice / 1024 % 7000;
        for (unsigned k = 0; k < 2; k++) {
            const char *folder = k == 0 ? path_point : plain;
            int fd = -1;
            errno = 0;
            switch (dice / 16 % 6) {
            case 0:
                results[k] = rename(at(folder, name), at(folder, other));
                break;
            case 1:
                results[k] = unlink(at(folder, name));
                break;
            case 2:
                fd = open(at(folder, name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
                results[k] = fd >= 0;
                break;
            case 3:
                results[k] = truncate(at(folder, name), offset);
                break;
            default:
                fd = open(at(folder, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
                memset(here, (int)(i & 255), sizeof here);
                results[k] = (int)pwrite(fd, here, size, offset);
                break;
            }
            errors[k] = errno;
            if (fd >= 0) {
                close(fd);
            }
        }
        CU_ASSERT_EQUAL(results[0], results[1]);
        CU_ASSERT_EQUAL(errors[0], errors[1]);
        for (unsigned n = 0; n < 4; n++) {
            long bytes = take(path_point, names[n], here);
            CU_ASSERT_EQUAL_FATAL(bytes, take(plain, names[n], there));
            CU_ASSERT_TRUE_FATAL(bytes <= 0 || memcmp(here, there, (size_t)bytes) == 0);
        }
    }
    power_off();
    for (unsigned n = 0; n < 4; n++) {
        long bytes = take(path_store, names[n], here);
        CU_ASSERT_EQUAL_FATAL(bytes, take(plain, names[n], there));
        CU_ASSERT_TRUE(bytes <= 0 || memcmp(here, there, (size_t)bytes) == 0);
    }
    end();
}

static const matching_test tests[] = {
    MATCHING_TEST(test_what_was_synced_stays),
    MATCHING_TEST(test_a_file_whose_folder_was_not_synced_is_gone),
    MATCHING_TEST(test_a_file_that_was_not_synced_is_empty),
    MATCHING_TEST(test_what_was_written_over_comes_back),
    MATCHING_TEST(test_a_rename_counts_once_the_folder_is_synced),
    MATCHING_TEST(test_some_pages_or_sectors_of_a_write_stay),
    MATCHING_TEST(test_everything_may_stay),
    MATCHING_TEST(test_names_come_in_any_order_or_in_theirs),
    MATCHING_TEST(test_after_the_cut_nothing_changes_any_more),
    MATCHING_TEST(test_with_power_it_is_like_a_plain_folder)};

int main(int argc, char **argv)
{
    const char *impossible = mount_is_impossible();
    if (impossible != NULL) {
        printf("skipped, no power cuts: %s\n", impossible);
        return 77;
    }
    return matching_run_tests(argv[0], tests, sizeof tests / sizeof tests[0], argc, argv);
}
