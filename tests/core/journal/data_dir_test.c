/* Who may use a data directory, what is refused and that a refusal changes nothing. */
#include "journal/data_dir.h"

#include <dirent.h>
#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/journal/workshop.h"
#include "journal/checksum.h"
#include "support/cunit_main.h"

static workshop shop;
static char path[128];
static char error[DATA_DIR_ERROR_SIZE];

static void begin(void)
{
    workshop_begin_empty(&shop);
    snprintf(path, sizeof path, "%s/data", shop.parent);
    *error = '\0';
}

static int open_dir(unsigned shards, unsigned default_shards)
{
    return data_dir_open(&shop.dir, path, shards, default_shards, error, sizeof error);
}

static bool says(const char *text)
{
    if (strstr(error, text) != NULL) {
        return true;
    }
    printf("\n    \"%s\" lacks \"%s\" ", error, text);
    return false;
}

static void put(const char *name, const char *text)
{
    char file[300];
    snprintf(file, sizeof file, "%s/%s", path, name);
    FILE *out = fopen(file, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(out);
    fputs(text, out);
    fclose(out);
}

static bool exists(const char *name)
{
    char file[300];
    snprintf(file, sizeof file, "%s/%s", path, name);
    return access(file, F_OK) == 0;
}

static void make(const char *name)
{
    char folder[300];
    snprintf(folder, sizeof folder, "%s/%s", path, name);
    CU_ASSERT_EQUAL_FATAL(mkdir(folder, 0700), 0);
}

static size_t get(const char *name, char *text, size_t size)
{
    char file[300];
    snprintf(file, sizeof file, "%s/%s", path, name);
    FILE *in = fopen(file, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(in);
    size_t length = fread(text, 1, size - 1, in);
    text[length] = '\0';
    fclose(in);
    return length;
}

/* The folder's names, so that a refusal can be seen to have left no trace. */
static unsigned count_names(void)
{
    unsigned count = 0;
    DIR *folder = opendir(path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(folder);
    while (readdir(folder) != NULL) {
        count++;
    }
    closedir(folder);
    return count - 2;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static void test_a_new_directory_gets_its_manifest(void)
{
    static const char lines[] = "matching data directory\nversion 1\nshards 3\n"
                                "symbol_hash fnv1a-223\nidentity ";
    enum { LINES = sizeof lines - 1, DIGITS = 32 };
    char text[512], identity[DIGITS + 1] = "";
    begin();
    CU_ASSERT_EQUAL(open_dir(3, 7), 0);
    CU_ASSERT(shop.dir.is_new && shop.dir.shards == 3);
    get("MANIFEST", text, sizeof text);
    for (size_t i = 0; i < sizeof shop.dir.identity; i++) {
        snprintf(identity + 2 * i, 3, "%02x", shop.dir.identity[i]);
    }
    CU_ASSERT_EQUAL(memcmp(text, lines, LINES), 0);
    CU_ASSERT_EQUAL(memcmp(text + LINES, identity, DIGITS), 0);
    CU_ASSERT_EQUAL(memcmp(text + LINES + DIGITS, "\nchecksum ", 10), 0);
    CU_ASSERT_EQUAL(strlen(text), LINES + DIGITS + 10 + 9);
    CU_ASSERT(exists("shard-00") && exists("shard-01") && exists("shard-02"));
    CU_ASSERT_FALSE(exists("shard-03"));
    data_dir_close(&shop.dir);
    CU_ASSERT_EQUAL(open_dir(0, 7), 0);
    CU_ASSERT(!shop.dir.is_new && shop.dir.shards == 3);
    workshop_end(&shop);
}

/* The checksum was computed apart from the program, bit by bit. */
static void test_a_manifest_tells_the_identity(void)
{
    begin();
    CU_ASSERT_EQUAL(open_dir(3, 7), 0);
    data_dir_close(&shop.dir);
    put("MANIFEST", "matching data directory\nversion 1\nshards 3\nsymbol_hash fnv1a-223\n"
                    "identity 000102030405060708090a0b0c0d0e0f\nchecksum da620fb1\n");
    CU_ASSERT_EQUAL(open_dir(3, 7), 0);
    for (unsigned i = 0; i < sizeof shop.dir.identity; i++) {
        CU_ASSERT_EQUAL(shop.dir.identity[i], i);
    }
    data_dir_close(&shop.dir);
    put("MANIFEST", "matching data directory\nversion 1\nshards 3\nsymbol_hash fnv1a-223\n"
                    "checksum ffbb390f\n");
    CU_ASSERT_EQUAL(open_dir(3, 7), 0); /* from before there were any */
    CU_ASSERT_EQUAL(data_dir_add_identity(&shop.dir, error, sizeof error), 0);
    uint8_t added[DATA_DIR_IDENTITY_SIZE];
    static const uint8_t none[DATA_DIR_IDENTITY_SIZE];
    memcpy(added, shop.dir.identity, sizeof added);
    CU_ASSERT_NOT_EQUAL(memcmp(added, none, sizeof added), 0);
    data_dir_close(&shop.dir);
    CU_ASSERT_EQUAL(open_dir(3, 7), 0);
    CU_ASSERT_EQUAL(memcmp(added, shop.dir.identity, sizeof added), 0);
    workshop_end(&shop);
}

static void test_the_default_counts_where_nothing_else_is_said(void)
{
    begin();
    CU_ASSERT_EQUAL(open_dir(0, 2), 0);
    CU_ASSERT(shop.dir.is_new && shop.dir.shards == 2);
    workshop_end(&shop);
}

static void test_without_a_number_nothing_is_made(void)
{
    begin();
    CU_ASSERT_EQUAL(open_dir(0, 0), -ENOENT);
    CU_ASSERT(says("data cannot be read: No such file or directory"));
    CU_ASSERT_FALSE(exists(""));
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    CU_ASSERT_EQUAL(open_dir(0, 0), -ENOENT);
    CU_ASSERT(says("it has no MANIFEST"));
    CU_ASSERT_EQUAL(count_names(), 0);
    CU_ASSERT_EQUAL(open_dir(1, 0), 0);
    data_dir_close(&shop.dir);
    CU_ASSERT_EQUAL(open_dir(0, 0), 0);
    CU_ASSERT_EQUAL(shop.dir.shards, 1);
    workshop_end(&shop);
}

/* It may be a disk that is not mounted. */
static void test_the_folder_above_is_not_made(void)
{
    begin();
    strcat(path, "/below");
    CU_ASSERT_EQUAL(open_dir(1, 1), -ENOENT);
    CU_ASSERT(says("make the folder that it is to be in first"));
    CU_ASSERT_EQUAL(shop.dir.lock_fd, -1);
    workshop_end(&shop);
}

static void test_an_interrupted_beginning_is_begun_again(void)
{
    begin();
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    make("shard-00");
    make("shard-01");
    make("shard-63");
    put("LOCK", "12345\n");
    put("MANIFEST.tmp", "matching da");
    CU_ASSERT_EQUAL(open_dir(1, 1), 0);
    CU_ASSERT(shop.dir.is_new && exists("MANIFEST") && exists("shard-00"));
    CU_ASSERT(!exists("shard-01") && !exists("shard-63") && !exists("MANIFEST.tmp"));
    workshop_end(&shop);
}

static void test_a_beginning_ends_when_it_is_said(void)
{
    begin();
    for (unsigned life = 0; life < 3; life++) {
        CU_ASSERT_EQUAL(open_dir(2, 2), 0);
        CU_ASSERT_EQUAL(shop.dir.is_begun, life == 2);
        if (life == 1) {
            CU_ASSERT_EQUAL(data_dir_note_begun(&shop.dir, error, sizeof error), 0);
        }
        data_dir_close(&shop.dir);
    }
    CU_ASSERT_EQUAL(data_dir_open_read_only(&shop.dir, path, error, sizeof error), 0);
    CU_ASSERT_TRUE(shop.dir.is_begun);
    workshop_end(&shop);
}

static void test_unfinished_files_are_removed_and_others_kept(void)
{
    begin();
    CU_ASSERT_EQUAL(open_dir(2, 2), 0);
    data_dir_close(&shop.dir);
    put("a.tmp", "");
    put("b.tmp", "");
    put("shard-00/c.tmp", "");
    put("shard-01/00000000000000000009.snapshot.tmp", "");
    put("shard-01/spare", "");
    put("shard-01/00000000000000000009.snapshot", "");
    put("notes", "");
    CU_ASSERT_EQUAL(open_dir(2, 2), 0);
    CU_ASSERT(exists("a.tmp") && exists("shard-00/c.tmp")); /* something may refuse it yet */
    CU_ASSERT_EQUAL(data_dir_remove_unfinished(&shop.dir, error, sizeof error), 0);
    CU_ASSERT(!exists("a.tmp") && !exists("b.tmp") && !exists("shard-00/c.tmp"));
    CU_ASSERT(!exists("shard-01/00000000000000000009.snapshot.tmp"));
    CU_ASSERT(exists("shard-01/spare") && exists("shard-01/00000000000000000009.snapshot"));
    CU_ASSERT(exists("notes"));
    workshop_end(&shop);
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static void test_a_foreign_directory_is_left_alone(void)
{
    begin();
    CU_ASSERT_EQUAL(mkdir(path, 0700), 0);
    put("holiday.jpg", "");
    CU_ASSERT_EQUAL(open_dir(1, 1), -ENOTEMPTY);
    CU_ASSERT(says("it has no MANIFEST, but there is ") && says("/data/holiday.jpg;"));
    CU_ASSERT_EQUAL(count_names(), 1);
    workshop_end(&shop);
}

static void test_a_lost_manifest_is_no_fresh_start(void)
{
    begin();
    CU_ASSERT_EQUAL(open_dir(2, 2), 0);
    put("shard-01/00000000000000000001.journal", "");
    data_dir_close(&shop.dir);
    char file[300];
    snprintf(file, sizeof file, "%s/MANIFEST", path);
    CU_ASSERT_EQUAL(unlink(file), 0);
    CU_ASSERT_EQUAL(open_dir(2, 2), -ENOTEMPTY);
    CU_ASSERT(says("put the MANIFEST back"));
    CU_ASSERT_FALSE(exists("MANIFEST"));
    workshop_end(&shop);
}

static void test_a_missing_shard_is_no_fresh_start(void)
{
    begin();
    CU_ASSERT_EQUAL(open_dir(2, 2), 0);
    data_dir_close(&shop.dir);
    char folder[300];
    snprintf(folder, sizeof folder, "%s/shard-01", path);
    CU_ASSERT_EQUAL(rmdir(folder), 0);
    CU_ASSERT_EQUAL(open_dir(2, 2), -EBADMSG);
    CU_ASSERT(says("shard-01 cannot be read") && says("restore it from a copy"));
    CU_ASSERT(!exists("shard-01") && shop.dir.lock_fd == -1);
    workshop_end(&shop);
}

static void test_another_number_of_shards_is_refused(void)
{
    begin();
    CU_ASSERT_EQUAL(open_dir(2, 2), 0);
    data_dir_close(&shop.dir);
    CU_ASSERT_EQUAL(open_dir(4, 2), -EINVAL);
    CU_ASSERT(says("was made with 2 shards, not 4") && says("set shards = 2 in [engine]"));
    CU_ASSERT_EQUAL(open_dir(65, 2), -EINVAL);
    CU_ASSERT(says("65 shards are too many, at most 64"));
    workshop_end(&shop);
}

static void test_any_bit_of_the_manifest_counts(void)
{
    char text[512], spoiled[512];
    begin();
    CU_ASSERT_EQUAL(open_dir(3, 3), 0);
    data_dir_close(&shop.dir);
    size_t size = get("MANIFEST", text, sizeof text);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        memcpy(spoiled, text, size + 1);
        spoiled[bit / 8] ^= (char)(1 << bit % 8);
        put("MANIFEST", spoiled);
        CU_ASSERT(open_dir(3, 3) < 0 && strstr(error, "/data") != NULL);
        bool is_last_line = bit / 8 + strlen("checksum 01234567\n") >= size;
        bool is_cut = spoiled[bit / 8] == 0; /* put() takes texts */
        CU_ASSERT(is_last_line || is_cut || says("MANIFEST is damaged"));
        CU_ASSERT(data_dir_open_read_only(&shop.dir, path, error, sizeof error) < 0);
    }
    for (size_t length = 0; length < size; length++) {
        memcpy(spoiled, text, length);
        spoiled[length] = '\0';
        put("MANIFEST", spoiled);
        CU_ASSERT(open_dir(3, 3) < 0);
    }
    put("MANIFEST", text);
    CU_ASSERT_EQUAL(open_dir(3, 3), 0);
    workshop_end(&shop);
}

/* A file with these lines and the checksum that they have. */
static void put_sealed(const char *name, const char *lines)
{
    char text[600];
    snprintf(text, sizeof text, "%schecksum %08x\n", lines,
             checksum_crc32c(0, lines, strlen(lines)));
    put(name, text);
}

static void put_manifest(const char *lines)
{
    put_sealed("MANIFEST", lines);
}

/* Both ways to open the directory. */
static void expect_open(int result)
{
    CU_ASSERT_EQUAL(open_dir(1, 1), result);
    CU_ASSERT(result < 0 || shop.dir.is_begun);
    data_dir_close(&shop.dir);
    CU_ASSERT_EQUAL(data_dir_open_read_only(&shop.dir, path, error, sizeof error), result);
}

static void test_begun_tells_its_version(void)
{
    char text[600], spoiled[600];
    begin();
    CU_ASSERT_EQUAL(open_dir(1, 1), 0);
    CU_ASSERT_EQUAL(data_dir_note_begun(&shop.dir, error, sizeof error), 0);
    data_dir_close(&shop.dir);
    size_t size = get("BEGUN", text, sizeof text);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        memcpy(spoiled, text, size + 1);
        spoiled[bit / 8] ^= (char)(1 << bit % 8);
        put("BEGUN", spoiled);
        CU_ASSERT(open_dir(1, 1) == -EBADMSG || open_dir(1, 1) == -EINVAL);
        CU_ASSERT(says("/BEGUN is "));
    }
    put_sealed("BEGUN", "matching data directory has begun\nversion 2\nand more\n");
    expect_open(-EPROTO);
    CU_ASSERT(says("BEGUN was made by a newer matching: its version is 2, this one knows 1"));
    put("BEGUN", ""); /* as it was before it told one */
    expect_open(0);
    put_sealed("BEGUN", "matching data directory has begun\nversion 1\n");
    expect_open(0);
    workshop_end(&shop);
}

static void test_other_makers_are_refused_by_name(void)
{
    begin();
    CU_ASSERT_EQUAL(open_dir(1, 1), 0);
    data_dir_close(&shop.dir);
    put_manifest("matching data directory\nversion 2\nwhatever\n");
    CU_ASSERT_EQUAL(open_dir(1, 1), -EPROTO);
    CU_ASSERT(says("MANIFEST was made by a newer matching: its version is 2, this one knows 1"));
    put("MANIFEST", "matching data directory\nversion 3\nchecksum 01234567\n");
    CU_ASSERT_EQUAL(open_dir(1, 1), -EBADMSG);
    CU_ASSERT(says("MANIFEST is damaged: its checksum is wrong"));
    put_manifest("matching data directory\nversion 1\nshards 1\nsymbol_hash fnv1a-224\n");
    CU_ASSERT_EQUAL(open_dir(1, 1), -EPROTO);
    CU_ASSERT(says("spreads symbols over shards by fnv1a-224, this matching by fnv1a-223"));
    put_manifest("matching data directory\nversion 1\nshards 65\nsymbol_hash fnv1a-223\n");
    CU_ASSERT_EQUAL(open_dir(0, 1), -EBADMSG);
    put_manifest("matching data directory\nversion 1\nshards 0\nsymbol_hash fnv1a-223\n");
    CU_ASSERT_EQUAL(open_dir(0, 1), -EBADMSG);
    put("MANIFEST", "Manifest-Version: 1.0\n");
    CU_ASSERT_EQUAL(open_dir(0, 1), -EINVAL);
    CU_ASSERT(says("is not that of a data directory of matching"));
    workshop_end(&shop);
}

static void test_one_process_at_a_time(void)
{
    char pid[64];
    begin();
    CU_ASSERT_EQUAL(open_dir(1, 1), 0);
    snprintf(pid, sizeof pid, "is in use by process %ld;", (long)getpid());
    data_dir second;
    CU_ASSERT_EQUAL(data_dir_open(&second, path, 1, 1, error, sizeof error), -EBUSY);
    CU_ASSERT(says(pid));
    CU_ASSERT_EQUAL(second.lock_fd, -1);
    CU_ASSERT_EQUAL(data_dir_open_read_only(&second, path, error, sizeof error), 0);
    CU_ASSERT(second.shards == 1 && second.lock_fd == -1);
    data_dir_close(&shop.dir);
    data_dir_close(&shop.dir);
    CU_ASSERT_EQUAL(data_dir_open(&second, path, 1, 1, error, sizeof error), 0);
    data_dir_close(&second);
    workshop_end(&shop);
}

/* However its path is written, it is the same one. */
static void test_a_path_may_be_written_in_many_ways(void)
{
    static const char *const forms[] = {"/data/", "/data//", "//data", "/data/.",
                                        "/./data/../data"};
    char written[300];
    data_dir second;
    begin();
    CU_ASSERT_EQUAL(open_dir(1, 1), 0);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        snprintf(written, sizeof written, "%s%s", shop.parent, forms[i]);
        CU_ASSERT_TRUE(data_dir_is_in_use(written));
        CU_ASSERT_EQUAL(data_dir_open(&second, written, 1, 1, error, sizeof error), -EBUSY);
        data_dir_close(&shop.dir);
        CU_ASSERT_EQUAL(data_dir_open(&second, written, 1, 1, error, sizeof error), 0);
        CU_ASSERT_FALSE(second.is_new);
        CU_ASSERT_EQUAL(memcmp(second.identity, shop.dir.identity, sizeof second.identity), 0);
        CU_ASSERT_TRUE(data_dir_is_in_place(&second));
        CU_ASSERT_TRUE(data_dir_is_in_use(path));
        data_dir_close(&second);
        CU_ASSERT_EQUAL(open_dir(1, 1), 0);
    }
    workshop_end(&shop);
}

static void test_a_deleted_lock_lets_nobody_in(void)
{
    char lock[300];
    data_dir second;
    begin();
    CU_ASSERT_FALSE(data_dir_is_in_use(path));
    CU_ASSERT_EQUAL(open_dir(1, 1), 0);
    snprintf(lock, sizeof lock, "%s/LOCK", path);
    CU_ASSERT_EQUAL(unlink(lock), 0);
    CU_ASSERT_TRUE(data_dir_is_in_use(path));
    CU_ASSERT_EQUAL(data_dir_open(&second, path, 1, 1, error, sizeof error), -EBUSY);
    CU_ASSERT(says("is in use by process (unknown, its LOCK was deleted); stop that first"));
    CU_ASSERT_FALSE(exists("LOCK"));
    data_dir_close(&shop.dir);
    CU_ASSERT_FALSE(data_dir_is_in_use(path));
    CU_ASSERT_EQUAL(data_dir_open(&second, path, 1, 1, error, sizeof error), 0);
    data_dir_close(&second);
    workshop_end(&shop);
}

/* By a program that does not lock the directory itself. */
static void test_a_lock_alone_is_enough(void)
{
    data_dir second;
    begin();
    CU_ASSERT_EQUAL(open_dir(1, 1), 0);
    CU_ASSERT_EQUAL(flock(shop.dir.folder_fd, LOCK_UN), 0);
    CU_ASSERT_TRUE(data_dir_is_in_use(path));
    CU_ASSERT_EQUAL(data_dir_open(&second, path, 1, 1, error, sizeof error), -EBUSY);
    CU_ASSERT(says("is in use by process "));
    CU_ASSERT_EQUAL(flock(shop.dir.folder_fd, LOCK_EX | LOCK_NB), 0); /* it was given back */
    workshop_end(&shop);
}

static void test_what_is_no_directory_is_refused(void)
{
    begin();
    FILE *file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    fclose(file);
    CU_ASSERT_EQUAL(open_dir(1, 1), -ENOTDIR);
    CU_ASSERT(says("cannot be made: Not a directory"));
    CU_ASSERT_EQUAL(data_dir_open_read_only(&shop.dir, path, error, sizeof error), -ENOTDIR);
    CU_ASSERT(says("is a file, not a data directory"));
    CU_ASSERT_EQUAL(data_dir_open(&shop.dir, "", 1, 1, error, sizeof error), -EINVAL);
    CU_ASSERT(says("path is empty"));
    char longest[2 * DATA_DIR_PATH_SIZE];
    memset(longest, 'x', sizeof longest);
    longest[DATA_DIR_PATH_SIZE] = '\0';
    CU_ASSERT_EQUAL(data_dir_open(&shop.dir, longest, 1, 1, error, sizeof error), -ENAMETOOLONG);
    workshop_end(&shop);
}

/* ---- Files ----------------------------------------------------------------------------------- */

static void test_lists_are_sorted_and_hold_whole_names_only(void)
{
    uint64_t *list;
    char name[64];
    begin();
    CU_ASSERT_EQUAL(open_dir(1, 1), 0);
    CU_ASSERT_EQUAL(data_dir_list(&shop.dir, 0, DATA_DIR_JOURNAL, &list), 0);
    CU_ASSERT_PTR_NULL(list);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "shard-00/%020u.journal", i * 7919 % 200 + 1);
        put(name, "");
    }
    put("shard-00/18446744073709551615.journal", "");
    put("shard-00/18446744073709551616.journal", "");
    put("shard-00/0000000000000000300.journal", "");
    put("shard-00/000000000000000000300.journal", "");
    put("shard-00/00000000000000000300.journal.tmp", "");
    put("shard-00/00000000000000000300.snapshot", "");
    put("shard-00/spare", "");
    CU_ASSERT_EQUAL_FATAL(data_dir_list(&shop.dir, 0, DATA_DIR_JOURNAL, &list), 201);
    for (unsigned i = 0; i < 200; i++) {
        CU_ASSERT_EQUAL(list[i], i + 1);
    }
    CU_ASSERT_EQUAL(list[200], UINT64_MAX);
    free(list);
    CU_ASSERT_EQUAL_FATAL(data_dir_list(&shop.dir, 0, DATA_DIR_SNAPSHOT, &list), 1);
    CU_ASSERT_EQUAL(list[0], 300);
    free(list);
    CU_ASSERT_EQUAL(data_dir_list(&shop.dir, 1, DATA_DIR_SNAPSHOT, &list), -ENOENT);
    CU_ASSERT_PTR_NULL(list);
    workshop_end(&shop);
}

static void test_paths(void)
{
    char expected[300], out[DATA_DIR_PATH_SIZE];
    begin();
    strcat(path, "//");
    CU_ASSERT_EQUAL(open_dir(12, 12), 0);
    snprintf(expected, sizeof expected, "%s/data/shard-11", shop.parent);
    CU_ASSERT(data_dir_shard_path(&shop.dir, 11, out));
    CU_ASSERT_STRING_EQUAL(out, expected);
    strcat(expected, "/00000000000000000042.journal");
    CU_ASSERT(data_dir_journal_path(&shop.dir, 11, 42, out));
    CU_ASSERT_STRING_EQUAL(out, expected);
    strcpy(strrchr(expected, '/'), "/00000000000000000042.snapshot");
    CU_ASSERT(data_dir_snapshot_path(&shop.dir, 11, 42, out));
    CU_ASSERT_STRING_EQUAL(out, expected);
    strcpy(strrchr(expected, '/'), "/spare");
    CU_ASSERT(data_dir_file_path(&shop.dir, 11, "spare", out));
    CU_ASSERT_STRING_EQUAL(out, expected);
    CU_ASSERT_EQUAL(data_dir_sync(&shop.dir, 11), 0);
    CU_ASSERT_EQUAL(data_dir_sync(&shop.dir, 12), -ENOENT);
    workshop_end(&shop);
}

MATCHING_TESTS(MATCHING_TEST(test_a_new_directory_gets_its_manifest),
               MATCHING_TEST(test_a_manifest_tells_the_identity),
               MATCHING_TEST(test_the_default_counts_where_nothing_else_is_said),
               MATCHING_TEST(test_without_a_number_nothing_is_made),
               MATCHING_TEST(test_the_folder_above_is_not_made),
               MATCHING_TEST(test_an_interrupted_beginning_is_begun_again),
               MATCHING_TEST(test_a_beginning_ends_when_it_is_said),
               MATCHING_TEST(test_unfinished_files_are_removed_and_others_kept),
               MATCHING_TEST(test_a_foreign_directory_is_left_alone),
               MATCHING_TEST(test_a_lost_manifest_is_no_fresh_start),
               MATCHING_TEST(test_a_missing_shard_is_no_fresh_start),
               MATCHING_TEST(test_another_number_of_shards_is_refused),
               MATCHING_TEST(test_any_bit_of_the_manifest_counts),
               MATCHING_TEST(test_other_makers_are_refused_by_name),
               MATCHING_TEST(test_begun_tells_its_version),
               MATCHING_TEST(test_one_process_at_a_time),
               MATCHING_TEST(test_a_path_may_be_written_in_many_ways),
               MATCHING_TEST(test_a_deleted_lock_lets_nobody_in),
               MATCHING_TEST(test_a_lock_alone_is_enough),
               MATCHING_TEST(test_what_is_no_directory_is_refused),
               MATCHING_TEST(test_lists_are_sorted_and_hold_whole_names_only),
               MATCHING_TEST(test_paths))
