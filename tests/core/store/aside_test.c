/* What stands in a store's place is renamed, put back, or deleted if it is ours. */
#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/shard/folder.h"
#include "core/store/world.h"
#include "store/store_internal.h"
#include "support/cunit_main.h"
#include "support/mount_point.h"

static folder home;
static char path[300];
static char error[STORE_ERROR_SIZE];

static void begin(void)
{
    folder_make(&home);
    snprintf(path, sizeof path, "%s/store", home.path);
}

static void end(void)
{
    folder_remove(&home);
}

static store_options options_of_ours(void)
{
    store_options options;
    store_options_default(&options);
    options.path = path;
    options.data_dir = home.path;
    memset(options.identity, 1, sizeof options.identity);
    options.shards = WORLD_SHARDS;
    options.max_instruments = WORLD_INSTRUMENTS;
    return options;
}

static store *open_ours(void)
{
    store_options options = options_of_ours();
    store *s = store_open(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(s);
    return s;
}

/* A store with a few hundred commands, closed. */
static void make_store(void)
{
    world w;
    world_init(&w, 3);
    store *s = open_ours();
    CU_ASSERT(world_add_instruments(&w, s));
    for (unsigned i = 0; i < 300; i++) {
        CU_ASSERT(world_step(&w, 0, s));
    }
    CU_ASSERT_EQUAL(store_commit(s, 0, w.shards[0].sequence, w.shards[0].time_ns), 0);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    world_fini(&w);
}

/* A file of the folder whose name fits. */
static void find_file(const char *pattern, char *out, size_t size)
{
    char full[400];
    glob_t found = {0};
    snprintf(full, sizeof full, "%s/%s", path, pattern);
    CU_ASSERT_EQUAL_FATAL(glob(full, 0, NULL, &found), 0);
    snprintf(out, size, "%s", found.gl_pathv[0]);
    globfree(&found);
}

static void test_what_was_put_aside_is_put_back_or_deleted(void)
{
    store_aside aside;
    store_options options;
    begin();
    options = options_of_ours();
    make_store();
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), 0);
    CU_ASSERT_EQUAL(aside.progress[0], 300);
    CU_ASSERT_TRUE(aside.bytes > 1000);
    store *s = open_ours();
    CU_ASSERT_EQUAL(store_progress(s, 0, NULL), 0);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    CU_ASSERT_EQUAL(store_put_back(&aside, error, sizeof error), 0);
    CU_ASSERT_NOT_EQUAL(access(aside.path, F_OK), 0);
    s = open_ours();
    CU_ASSERT_EQUAL(store_progress(s, 0, NULL), 300);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), 0);
    CU_ASSERT_EQUAL(store_put_back(&aside, error, sizeof error), 0); /* nothing is in its place */
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), 0);
    CU_ASSERT_EQUAL(store_delete_aside(&aside, error, sizeof error), 0);
    CU_ASSERT_NOT_EQUAL(access(aside.path, F_OK), 0);

    CU_ASSERT_EQUAL(mkdir(path, 0777), 0);
    folder_put(path, "diary.txt", "mine");
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), 0);
    CU_ASSERT_EQUAL(aside.bytes, 4);
    CU_ASSERT_EQUAL(store_delete_aside(&aside, error, sizeof error), -EINVAL);
    CU_ASSERT_EQUAL(access(aside.path, F_OK), 0);
    end();
}

/* Opened as any database, without a thought for what it holds. */
static rocksdb_t *open_plain(void)
{
    char *failure = NULL;
    rocksdb_options_t *settings = rocksdb_options_create();
    rocksdb_options_set_disable_auto_compactions(settings, 1);
    rocksdb_t *db = rocksdb_open(settings, path, &failure);
    CU_ASSERT_PTR_NULL(failure);
    CU_ASSERT_PTR_NOT_NULL_FATAL(db);
    rocksdb_options_destroy(settings);
    return db;
}

static void put_and_flush(rocksdb_t *db, const char *key, size_t key_length, const char *value)
{
    char *failure = NULL;
    rocksdb_writeoptions_t *write = rocksdb_writeoptions_create();
    rocksdb_flushoptions_t *flush = rocksdb_flushoptions_create();
    rocksdb_put(db, write, key, key_length, value, strlen(value), &failure);
    CU_ASSERT_PTR_NULL(failure);
    rocksdb_flush(db, flush, &failure);
    CU_ASSERT_PTR_NULL(failure);
    rocksdb_writeoptions_destroy(write);
    rocksdb_flushoptions_destroy(flush);
}

/* How far it has come decides whether the new one has all of it: it is nobody's to delete. */
static void test_a_store_that_cannot_tell_its_progress_is_kept(void)
{
    char key[STORE_META_KEY];
    store_aside aside;
    begin();
    store_options options = options_of_ours();
    make_store();
    rocksdb_t *db = open_plain();
    put_and_flush(db, key, store_meta_key(key, STORE_PROGRESS_OF, 0), "?");
    rocksdb_close(db);
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), 0);
    CU_ASSERT_FALSE(aside.is_ours);
    end();
}

/* A large store has more files than a process may have open. */
static void test_a_store_of_many_files_is_known(void)
{
    enum { FILES = 120, OPEN_AT_ONCE = 100 };
    struct rlimit before;
    store_aside aside;
    begin();
    store_options options = options_of_ours();
    make_store();
    rocksdb_t *db = open_plain();
    for (unsigned i = 0; i < FILES; i++) {
        put_and_flush(db, "x", 1, "more");
    }
    rocksdb_close(db);
    CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit few = {.rlim_cur = OPEN_AT_ONCE, .rlim_max = before.rlim_max};
    CU_ASSERT_EQUAL_FATAL(setrlimit(RLIMIT_NOFILE, &few), 0);
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), 0);
    CU_ASSERT_TRUE(aside.is_ours);
    CU_ASSERT_EQUAL(aside.progress[0], 300);
    CU_ASSERT_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    end();
}

/* A store on another disk stays there; what else a link leads to is not touched. */
static void test_links_are_followed_to_stores_of_ours_alone(void)
{
    char elsewhere[300], file[400];
    struct stat status;
    store_aside aside;
    begin();
    store_options options = options_of_ours();
    make_store();
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", home.path);
    CU_ASSERT_EQUAL_FATAL(rename(path, elsewhere), 0);
    CU_ASSERT_EQUAL_FATAL(symlink(elsewhere, path), 0);
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), 0);
    CU_ASSERT_TRUE(aside.is_ours);
    store *s = open_ours();
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    snprintf(file, sizeof file, "%s/CURRENT", elsewhere);
    CU_ASSERT_EQUAL(access(file, F_OK), 0);
    CU_ASSERT_EQUAL(store_put_back(&aside, error, sizeof error), 0);
    s = open_ours();
    CU_ASSERT_EQUAL(store_progress(s, 0, NULL), 300);
    CU_ASSERT_EQUAL(store_close(s, error, sizeof error), 0);
    folder_put(path, "notes.txt", "mine");
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), 0);
    CU_ASSERT_FALSE(aside.is_ours);
    CU_ASSERT_EQUAL(access(file, F_OK), 0);
    CU_ASSERT_EQUAL_FATAL(symlink("/nowhere/at/all", path), 0);
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), 0);
    CU_ASSERT_NOT_EQUAL(lstat(path, &status), 0);
    CU_ASSERT_EQUAL(lstat(aside.path, &status), 0);
    end();
}

/* Nothing of it is deleted before somebody asks for it. */
static void test_a_mount_point_is_told(void)
{
    char file[400];
    store_aside aside;
    begin();
    store_options options = options_of_ours();
    make_store();
    folder_is_mount_point = true;
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), -EBUSY);
    CU_ASSERT_TRUE(aside.is_ours);
    CU_ASSERT_STRING_EQUAL(aside.path, "");
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "is a mount point"));
    find_file("*.sst", file, sizeof file);
    CU_ASSERT_EQUAL(store_delete_aside(&aside, error, sizeof error), 0);
    CU_ASSERT_NOT_EQUAL(access(file, F_OK), 0);
    CU_ASSERT_EQUAL(mkdir(path, 0777), 0); /* as a real one would have stayed */
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), 0);
    folder_put(path, "notes.txt", "mine");
    CU_ASSERT_EQUAL(store_put_aside(&options, &aside, error, sizeof error), -EBUSY);
    CU_ASSERT_FALSE(aside.is_ours);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "is a mount point"));
    folder_is_mount_point = false;
    find_file("notes.txt", file, sizeof file);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_what_was_put_aside_is_put_back_or_deleted),
               MATCHING_TEST(test_a_store_that_cannot_tell_its_progress_is_kept),
               MATCHING_TEST(test_a_store_of_many_files_is_known),
               MATCHING_TEST(test_links_are_followed_to_stores_of_ours_alone),
               MATCHING_TEST(test_a_mount_point_is_told))
