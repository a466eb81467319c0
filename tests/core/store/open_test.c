/* Which folders the store takes, what it says of others, and what it refuses to be told. */
#define _GNU_SOURCE /* SCHED_BATCH */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <rocksdb/c.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/shard/folder.h"
#include "core/store/world.h"
#include "store/layout.h"
#include "support/cunit_main.h"

#define NOBODY 65534

static folder home;
static char path[300];
static char error[STORE_ERROR_SIZE];

static ino_t synced[64]; /* the files and folders, in their order */
static unsigned synced_count;

/* In place of the library's. */
int fsync(int fd)
{
    struct stat status;
    if (synced_count < sizeof synced / sizeof synced[0] && fstat(fd, &status) == 0) {
        synced[synced_count++] = status.st_ino;
    }
    return (int)syscall(SYS_fsync, fd);
}

static void begin(void)
{
    folder_make(&home);
    snprintf(path, sizeof path, "%s/store", home.path);
}

static void end(void)
{
    folder_remove(&home);
}

static store_options options_of(uint8_t identity, unsigned shards)
{
    store_options options;
    store_options_default(&options);
    options.path = path;
    options.data_dir = home.path;
    memset(options.identity, identity, sizeof options.identity);
    options.shards = shards;
    options.max_instruments = WORLD_INSTRUMENTS;
    return options;
}

static store *open_as(uint8_t identity, unsigned shards)
{
    store_options options = options_of(identity, shards);
    errno = 0;
    error[0] = '\0';
    return store_open(&options, error, sizeof error);
}

/* Refused with EBADMSG, and a message that holds these words and the way out. */
static bool is_refused(uint8_t identity, unsigned shards, const char *words)
{
    char way_out[400];
    store *s = open_as(identity, shards);
    int code = errno;
    snprintf(way_out, sizeof way_out, "`matching store rebuild %s`", home.path);
    if (s != NULL) {
        store_close(s, error, sizeof error);
        return false;
    }
    bool good = code == EBADMSG && strstr(error, words) != NULL && strstr(error, path) != NULL &&
                strstr(error, way_out) != NULL;
    if (!good) {
        printf("\n    %d: %s\n", code, error);
    }
    return good;
}

static bool is_renamed(uint8_t identity, unsigned shards, unsigned number, bool is_ours)
{
    char wanted[400] = "";
    store_aside aside;
    store_options options = options_of(identity, shards);
    error[0] = '\0';
    int outcome = store_put_aside(&options, &aside, error, sizeof error);
    if (number != 0) {
        snprintf(wanted, sizeof wanted, "%s.aside-%u", path, number);
    }
    bool good = outcome == 0 && strcmp(aside.path, wanted) == 0 && aside.is_ours == is_ours &&
                (number == 0 || (access(path, F_OK) != 0 && access(wanted, F_OK) == 0));
    if (!good) {
        printf("\n    %d, put aside as \"%s\": %s\n", outcome, aside.path, error);
    }
    return good;
}

/* Makes room where there is no store of ours. 0: nothing has to be renamed. */
static bool is_cleared(uint8_t identity, unsigned shards, unsigned number)
{
    return is_renamed(identity, shards, number, false);
}

/* A RocksDB of somebody's own in the folder, with one key. */
static void put_db(const char *key, size_t key_length, const void *value, size_t length)
{
    char *failure = NULL;
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_writeoptions_t *write = rocksdb_writeoptions_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_t *db = rocksdb_open(options, path, &failure);
    CU_ASSERT_PTR_NULL_FATAL(failure);
    rocksdb_put(db, write, key, key_length, value, length, &failure);
    CU_ASSERT_PTR_NULL_FATAL(failure);
    rocksdb_close(db);
    rocksdb_writeoptions_destroy(write);
    rocksdb_options_destroy(options);
}

/* A store with a few hundred commands, closed. */
static void make_store(void)
{
    world w;
    world_init(&w, 3);
    store *s = open_as(1, WORLD_SHARDS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT(world_add_instruments(&w, s));
    for (unsigned i = 0; i < 300; i++) {
        CU_ASSERT(world_step(&w, 0, s));
    }
    CU_ASSERT_EQUAL(store_commit(s, 0, w.shards[0].sequence, w.shards[0].time_ns), 0);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    world_fini(&w);
}

/* The first file whose name fits, in the folder, or in one that was put aside. */
static void find_file_in(const char *aside, const char *pattern, char *out, size_t size)
{
    char full[400];
    glob_t found = {0};
    snprintf(full, sizeof full, "%s%s/%s", path, aside, pattern);
    CU_ASSERT_EQUAL_FATAL(glob(full, 0, NULL, &found), 0);
    snprintf(out, size, "%s", found.gl_pathv[0]);
    globfree(&found);
}

static void find_file(const char *pattern, char *out, size_t size)
{
    find_file_in("", pattern, out, size);
}

static void test_a_folder_is_made_and_taken_again(void)
{
    begin();
    store *s = open_as(1, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(store_progress(s, 0, NULL), 0);
    CU_ASSERT_EQUAL(store_safe_sequence(s, 1), 0);
    CU_ASSERT_PTR_NULL(open_as(1, 2));
    CU_ASSERT_EQUAL(errno, EBUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "in use"));
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    s = open_as(1, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    end();
}

/* However its path is written: the store is the same, and its name is brought to disk. */
static void test_a_path_may_be_written_in_many_ways(void)
{
    static const char *const forms[] = {"/store/", "/store//", "//store", "/./store/.",
                                        "/store/../store"};
    struct stat above;
    begin();
    make_store();
    CU_ASSERT_EQUAL_FATAL(stat(home.path, &above), 0);
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        bool is_synced = false;
        snprintf(path, sizeof path, "%s%s", home.path, forms[i]);
        synced_count = 0;
        store *s = open_as(1, WORLD_SHARDS);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        for (unsigned n = 0; n < synced_count; n++) {
            is_synced = is_synced || synced[n] == above.st_ino;
        }
        CU_ASSERT_TRUE(is_synced);
        CU_ASSERT_TRUE(store_progress(s, 0, NULL) > 0);
        CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    }
    end();
}

static void test_the_folder_above_has_to_be_there(void)
{
    begin();
    snprintf(path, sizeof path, "%s/absent/store", home.path);
    CU_ASSERT_PTR_NULL(open_as(1, 2));
    CU_ASSERT_EQUAL(errno, ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, path));
    end();
}

/* The folder above may be one that can be walked through and not read, such as somebody else's who
 * made this one: its name cannot be brought to disk then, which is for them to have done. */
static void test_the_folder_above_need_not_be_readable(void)
{
    begin();
    CU_ASSERT_EQUAL_FATAL(mkdir(path, 0700), 0);
    CU_ASSERT_EQUAL_FATAL(chmod(home.path, 0311), 0);
    bool is_root = geteuid() == 0; /* whom nothing is forbidden */
    if (is_root) {
        CU_ASSERT_EQUAL_FATAL(chown(path, NOBODY, 0), 0);
        (void)setfsuid(NOBODY);
    }
    store *s = open_as(1, 1);
    if (is_root) {
        (void)setfsuid(0);
    }
    CU_ASSERT_PTR_NOT_NULL(s);
    CU_ASSERT_STRING_EQUAL(error, "");
    if (s != NULL) {
        CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    }
    CU_ASSERT_EQUAL(chmod(home.path, 0700), 0);
    end();
}

static void test_what_was_cut_short_while_it_was_made_is_made_again(void)
{
    begin();
    CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
    folder_put(path, "LOG", "");
    folder_put(path, "LOCK", "");
    folder_put(path, "MANIFEST-000001", "");
    folder_put(path, "000001.dbtmp", "");
    store *s = open_as(1, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    end();
}

static void test_foreign_folders_are_refused(void)
{
    begin();
    CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
    folder_put(path, "diary.txt", "mine");
    CU_ASSERT(is_refused(1, 2, "holds diary.txt but is no store"));
    CU_ASSERT(is_cleared(1, 2, 1));
    char file[400];
    find_file_in(".aside-1", "diary.txt", file, sizeof file);
    end();

    begin();
    put_db("anything", 8, "x", 1);
    CU_ASSERT(is_refused(1, 2, "was not written by this program"));
    CU_ASSERT(is_cleared(1, 2, 1));
    put_db("F\0\0", 3, "x", 1);
    CU_ASSERT(is_refused(1, 2, "was not written by this program"));
    CU_ASSERT(is_cleared(1, 2, 2));
    CU_ASSERT(is_cleared(1, 2, 0)); /* nothing is there */
    find_file_in(".aside-1", "CURRENT", file, sizeof file);
    find_file_in(".aside-2", "CURRENT", file, sizeof file);
    end();
}

/* Names that RocksDB, which reads them generously, could take for its own. */
static const char *const alike[] = {
    "LOGBOOK.txt", "LOG.old",   "LOG.old.1x",     "MANIFEST-of-goods.txt",
    "MANIFEST-7",  "OPTIONS-7", "OPTIONS-x",      "7.log",
    "2026.sst",    "1.dbtmp",   "MANIFEST-00001x"};
static const char *const foreign[] = {"IDENTITY-CARD.pdf", "LOCKSMITH",  "notes.dbtmp",
                                      "CURRENTS",          "000001.txt", "x000001.log"};

static void expect_kept(const char *name, bool is_in_danger)
{
    char file[400], words[400];
    begin();
    CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
    folder_put(path, name, "mine");
    snprintf(words, sizeof words, "holds %s but is no store", name);
    CU_ASSERT(is_refused(1, WORLD_SHARDS, words));
    CU_ASSERT(is_cleared(1, WORLD_SHARDS, 1));
    find_file_in(".aside-1", name, file, sizeof file);
    make_store();
    folder_put(path, name, "mine");
    if (is_in_danger) {
        snprintf(words, sizeof words, "holds %s, which is none of its files", name);
        CU_ASSERT(is_refused(1, WORLD_SHARDS, words));
    } else {
        store *s = open_as(1, WORLD_SHARDS);
        CU_ASSERT_PTR_NOT_NULL_FATAL(s);
        CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    }
    find_file(name, file, sizeof file);
    CU_ASSERT(is_cleared(1, WORLD_SHARDS, 2));
    find_file_in(".aside-2", name, file, sizeof file);
    find_file_in(".aside-2", "*.sst", file, sizeof file);
    end();
}

static void test_files_with_names_like_rocksdbs_are_kept(void)
{
    for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++) {
        expect_kept(alike[i], true);
    }
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        expect_kept(foreign[i], false);
    }
}

/* RocksDB's very names, but not its files. */
static void test_links_and_folders_with_rocksdbs_names_are_kept(void)
{
    char file[400];
    begin();
    CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
    snprintf(file, sizeof file, "%s/000001.dbtmp", path);
    CU_ASSERT_EQUAL(symlink("/nowhere", file), 0);
    CU_ASSERT(is_refused(1, WORLD_SHARDS, "holds 000001.dbtmp but is no store"));
    CU_ASSERT(is_cleared(1, WORLD_SHARDS, 1));
    make_store();
    snprintf(file, sizeof file, "%s/LOG.old.1", path);
    CU_ASSERT_EQUAL(mkdir(file, 0777), 0);
    CU_ASSERT(is_refused(1, WORLD_SHARDS, "holds LOG.old.1, which is none of its files"));
    CU_ASSERT(is_cleared(1, WORLD_SHARDS, 2));
    end();
}

/* A file system's own folder is nobody's. */
static void test_an_empty_lost_and_found_is_in_nobodys_way(void)
{
    char file[400];
    begin();
    CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
    snprintf(file, sizeof file, "%s/lost+found", path);
    CU_ASSERT_EQUAL(mkdir(file, 0700), 0);
    make_store();
    store *s = open_as(1, WORLD_SHARDS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    end();

    begin();
    CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
    snprintf(file, sizeof file, "%s/lost+found", path);
    CU_ASSERT_EQUAL(mkdir(file, 0700), 0);
    folder_put(path, "lost+found/found", "mine");
    CU_ASSERT(is_refused(1, WORLD_SHARDS, "holds lost+found but is no store"));
    end();
}

/* Somebody's data in a family of their own beside an empty default one. */
static void test_another_family_is_kept(void)
{
    char *failure = NULL, file[400];
    begin();
    rocksdb_options_t *options = rocksdb_options_create();
    rocksdb_options_set_create_if_missing(options, 1);
    rocksdb_t *db = rocksdb_open(options, path, &failure);
    CU_ASSERT_PTR_NULL_FATAL(failure);
    rocksdb_column_family_handle_t *family =
        rocksdb_create_column_family(db, options, "precious", &failure);
    CU_ASSERT_PTR_NULL_FATAL(failure);
    rocksdb_column_family_handle_destroy(family);
    rocksdb_close(db);
    rocksdb_options_destroy(options);
    CU_ASSERT(is_refused(1, WORLD_SHARDS, "cannot be opened"));
    CU_ASSERT(is_cleared(1, WORLD_SHARDS, 1));
    find_file_in(".aside-1", "CURRENT", file, sizeof file);
    end();
}

/* A store of ours with something else in its folder: both are kept. */
static void test_files_beside_a_store_are_kept(void)
{
    char file[400];
    begin();
    make_store();
    folder_put(path, "notes.txt", "mine");
    store *s = open_as(1, WORLD_SHARDS); /* they are in nobody's way */
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    CU_ASSERT(is_cleared(1, WORLD_SHARDS, 1));
    find_file_in(".aside-1", "notes.txt", file, sizeof file);
    find_file_in(".aside-1", "*.sst", file, sizeof file);
    end();

    begin();
    FILE *f = fopen(path, "w"); /* no folder at all */
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    fclose(f);
    CU_ASSERT(is_cleared(1, WORLD_SHARDS, 1));
    end();
}

static void test_a_store_of_ours_is_known(void)
{
    char file[400];
    begin();
    make_store();
    CU_ASSERT(is_renamed(1, WORLD_SHARDS, 1, true));
    store *s = open_as(1, 2);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    CU_ASSERT(is_renamed(1, 2, 2, true));
    CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
    CU_ASSERT(is_cleared(1, 2, 0));
    folder_put(path, "LOG", "");
    folder_put(path, "MANIFEST-000001", "");
    CU_ASSERT(is_cleared(1, 2, 0)); /* cut short while it was made */
    find_file_in(".aside-1", "*.sst", file, sizeof file);
    end();
}

static void test_another_directory_and_a_newer_format_are_refused(void)
{
    begin();
    make_store();
    CU_ASSERT(is_refused(2, 2, "belongs to another data directory"));
    CU_ASSERT(is_refused(1, 3, "belongs to another data directory"));
    store_format format = {.magic = "", .version = STORE_FORMAT + 1, .shards = 2};
    memcpy(format.magic, STORE_MAGIC, sizeof format.magic);
    put_db("F\0\0", 3, &format, sizeof format);
    CU_ASSERT(is_refused(1, 2, "has format 2, this program reads 1"));
    CU_ASSERT(is_cleared(1, 2, 1));
    make_store();
    CU_ASSERT(is_cleared(2, 3, 2));
    store *s = open_as(2, 3);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    end();
}

static void test_damage_is_refused_and_rebuilt_over(void)
{
    static const char *const lost[] = {"CURRENT", "MANIFEST-*", "*.sst"};
    char file[400];
    for (size_t i = 0; i < sizeof lost / sizeof lost[0]; i++) {
        begin();
        make_store();
        find_file(lost[i], file, sizeof file);
        CU_ASSERT_EQUAL(unlink(file), 0);
        CU_ASSERT(is_refused(1, 2, ""));
        CU_ASSERT(is_cleared(1, WORLD_SHARDS, 1)); /* whose it was cannot be told any more */
        make_store();
        end();
    }
    begin();
    make_store();
    find_file("MANIFEST-*", file, sizeof file);
    folder_flip(file, 20);
    CU_ASSERT(is_refused(1, 2, "damaged"));
    end();
}

static void test_a_damaged_block_is_told_and_not_read(void)
{
    char file[400];
    begin();
    make_store();
    find_file("*.sst", file, sizeof file);
    folder_flip(file, 10); /* in the first block: the format's */
    CU_ASSERT(is_refused(1, 2, "damaged"));
    end();
}

static void test_what_contradicts_is_not_taken(void)
{
    begin();
    make_store();
    store *s = open_as(1, WORLD_SHARDS);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    matching_instrument instrument = world_instrument(0);
    CU_ASSERT_EQUAL(store_add_instrument(s, &instrument), 0);
    instrument.tick_size++;
    CU_ASSERT_EQUAL(store_add_instrument(s, &instrument), -EBADMSG);
    instrument = world_instrument(0);
    instrument.index = WORLD_INSTRUMENTS;
    CU_ASSERT_EQUAL(store_add_instrument(s, &instrument), -EBADMSG);

    matching_trade last, read;
    size_t count;
    CU_ASSERT_EQUAL(store_read_trades(s, 0, 0, 0, 1, &last, &count), 0);
    CU_ASSERT_EQUAL_FATAL(count, 1);
    uint64_t sequence = store_progress(s, 0, NULL);
    CU_ASSERT_EQUAL(sequence, 300);
    matching_trade next = last;
    next.trade_id += 2;
    CU_ASSERT_EQUAL(store_add_trade(s, 0, &next), -EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(store_why(s), "does not follow"));
    CU_ASSERT_EQUAL(store_add_trade(s, 0, &last), -EBADMSG);
    next.trade_id = last.trade_id + 1;
    CU_ASSERT_EQUAL(store_add_trade(s, 1, &next), -EBADMSG);
    CU_ASSERT_EQUAL(store_add_trade(s, 0, &next), 0);
    CU_ASSERT_EQUAL(store_commit(s, 0, sequence - 1, next.time_ns), -EBADMSG);
    CU_ASSERT_EQUAL(store_read_trades(s, 0, 0, 0, 1, &read, &count), 0);
    CU_ASSERT_EQUAL(read.trade_id, last.trade_id);
    CU_ASSERT_EQUAL(store_add_trade(s, 0, &next), 0);
    CU_ASSERT_EQUAL(store_commit(s, 0, sequence + 1, next.time_ns), 0);
    CU_ASSERT_EQUAL(store_read_trades(s, 0, 0, 0, 1, &read, &count), 0);
    CU_ASSERT_EQUAL(read.trade_id, next.trade_id);
    CU_ASSERT_EQUAL(store_safe_sequence(s, 0), sequence);
    CU_ASSERT_EQUAL(store_flush(s), 0);
    CU_ASSERT_EQUAL(store_safe_sequence(s, 0), sequence + 1);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    end();
}

/* Is there a thread of this name, and do all of them leave the processor to who wakes? */
static bool is_in_background(const char *name)
{
    unsigned count = 0, good = 0;
    glob_t names;
    CU_ASSERT_EQUAL_FATAL(glob("/proc/self/task/*/comm", 0, NULL, &names), 0);
    for (size_t i = 0; i < names.gl_pathc; i++) {
        char comm[32] = "";
        FILE *file = fopen(names.gl_pathv[i], "r");
        if (file != NULL && fgets(comm, sizeof comm, file) != NULL) {
            comm[strcspn(comm, "\n")] = '\0';
        }
        if (file != NULL) {
            fclose(file);
        }
        if (strcmp(comm, name) == 0) {
            int thread = atoi(names.gl_pathv[i] + strlen("/proc/self/task/"));
            count++;
            good += sched_getscheduler(thread) == SCHED_BATCH &&
                    getpriority(PRIO_PROCESS, (id_t)thread) == 19;
        }
    }
    globfree(&names);
    return count > 0 && good == count;
}

/* A service trades beside it; a flush is what makes RocksDB's threads choose their priority. */
static void test_its_threads_stay_in_the_background(void)
{
    begin();
    store_options options = options_of(1, 1);
    options.in_background = true;
    int policy = sched_getscheduler(0), niceness = getpriority(PRIO_PROCESS, 0);
    store *s = store_open(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    CU_ASSERT_EQUAL(store_commit(s, 0, 1, 1), 0);
    CU_ASSERT_EQUAL(store_flush(s), 0);
    CU_ASSERT_TRUE(is_in_background("rocksdb:high"));
    CU_ASSERT_TRUE(is_in_background("rocksdb:low"));
    CU_ASSERT_EQUAL(sched_getscheduler(0), policy); /* the caller's are his */
    CU_ASSERT_EQUAL(getpriority(PRIO_PROCESS, 0), niceness);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    end();
}

/* RocksDB's threads are those of the process: the first store makes them what they are. */
MATCHING_TESTS(MATCHING_TEST(test_its_threads_stay_in_the_background),
               MATCHING_TEST(test_a_folder_is_made_and_taken_again),
               MATCHING_TEST(test_a_path_may_be_written_in_many_ways),
               MATCHING_TEST(test_the_folder_above_has_to_be_there),
               MATCHING_TEST(test_the_folder_above_need_not_be_readable),
               MATCHING_TEST(test_what_was_cut_short_while_it_was_made_is_made_again),
               MATCHING_TEST(test_foreign_folders_are_refused),
               MATCHING_TEST(test_files_with_names_like_rocksdbs_are_kept),
               MATCHING_TEST(test_links_and_folders_with_rocksdbs_names_are_kept),
               MATCHING_TEST(test_an_empty_lost_and_found_is_in_nobodys_way),
               MATCHING_TEST(test_another_family_is_kept),
               MATCHING_TEST(test_files_beside_a_store_are_kept),
               MATCHING_TEST(test_a_store_of_ours_is_known),
               MATCHING_TEST(test_another_directory_and_a_newer_format_are_refused),
               MATCHING_TEST(test_damage_is_refused_and_rebuilt_over),
               MATCHING_TEST(test_a_damaged_block_is_told_and_not_read),
               MATCHING_TEST(test_what_contradicts_is_not_taken))
