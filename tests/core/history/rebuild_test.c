/* A rebuild leaves no less than there was: what the journal cannot replace is kept. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exchange.h"
#include "store/store.h"
#include "support/cunit_main.h"
#include "support/mount_point.h"

#define SOMEWHERE 6000 /* in a journal's commands */

static exchange x;
static char store_path[300], aside_path[320], journal_path[400];
static char notes[8000], error[STORE_ERROR_SIZE];

static void init(uint64_t seed)
{
    exchange_init(&x, seed);
    x.options.max_orders = 2048;
    snprintf(store_path, sizeof store_path, "%s/store", x.f.path);
    snprintf(aside_path, sizeof aside_path, "%s.aside-1", store_path);
    snprintf(journal_path, sizeof journal_path, "%s/shard-01/00000000000000000001.journal",
             x.f.path);
}

static void begin(uint64_t seed)
{
    init(seed);
    exchange_start(&x);
    exchange_trade(&x, 512);
}

static void note(void *context, const char *line)
{
    size_t used = strlen(notes);
    (void)context;
    snprintf(notes + used, sizeof notes - used, "%s\n", line);
}

static int rebuild(void)
{
    notes[0] = error[0] = '\0';
    return matching_history_rebuild(x.f.path, NULL, note, NULL, error, sizeof error);
}

static bool is_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0;
}

static ino_t inode_of(const char *path)
{
    struct stat status;
    CU_ASSERT_EQUAL_FATAL(stat(path, &status), 0);
    return status.st_ino;
}

static void run(const char *command)
{
    CU_ASSERT_EQUAL_FATAL(system(command), 0);
}

static void compare(void)
{
    exchange_start(&x);
    CU_ASSERT_EQUAL(x.attached, 0);
    exchange_compare(&x);
}

static void die(void *context, unsigned number, const char *what, double fraction)
{
    (void)context, (void)number, (void)what, (void)fraction;
    _exit(3);
}

/* What a process ended with: one that makes a store, or one that dies while it rebuilds it. */
static int run_process(bool is_maker)
{
    int status = -1;
    pid_t process = fork();
    if (process == 0) {
        if (is_maker) {
            exchange_start(&x);
            exchange_trade(&x, 512);
            exchange_stop(&x);
        } else {
            matching_history_rebuild(x.f.path, die, NULL, NULL, error, sizeof error);
        }
        _exit(0);
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(process, &status, 0), process);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* First of all: RocksDB's threads do not come along into another process. */
static void test_a_crash_leaves_the_copy(void)
{
    char second[330];
    init(50);
    CU_ASSERT_EQUAL_FATAL(run_process(true), 0);
    ino_t before = inode_of(store_path);
    CU_ASSERT_EQUAL(run_process(false), 3);
    CU_ASSERT_EQUAL_FATAL(inode_of(aside_path), before);
    CU_ASSERT_EQUAL(rebuild(), 0);
    CU_ASSERT_EQUAL(inode_of(aside_path), before);
    snprintf(second, sizeof second, "%s.aside-2", store_path);
    CU_ASSERT_FALSE(is_there(second)); /* what the crash had left in the store's place */
    exchange_fini(&x);
}

static void test_what_is_replaced_goes(void)
{
    begin(51);
    exchange_stop(&x);
    ino_t before = inode_of(store_path);
    CU_ASSERT_EQUAL(rebuild(), 0);
    CU_ASSERT_NOT_EQUAL(inode_of(store_path), before);
    CU_ASSERT_FALSE(is_there(aside_path));
    CU_ASSERT_PTR_NULL(strstr(notes, "aside"));
    compare();
    exchange_fini(&x);
}

/* The damage is in the last shard: those before it are in the new store when it is met. */
static void test_a_damaged_journal_puts_the_store_back(void)
{
    begin(52);
    exchange_stop(&x);
    ino_t before = inode_of(store_path);
    folder_flip(journal_path, SOMEWHERE);
    CU_ASSERT_EQUAL(rebuild(), -EBADMSG);
    CU_ASSERT_EQUAL(inode_of(store_path), before);
    CU_ASSERT_FALSE(is_there(aside_path));
    CU_ASSERT_PTR_NULL(strstr(notes, "aside"));
    folder_flip(journal_path, SOMEWHERE);
    compare();
    exchange_fini(&x);
}

/* What is nobody's that this program knows of is put back all the same. */
static void test_a_damaged_journal_puts_anything_back(void)
{
    char command[1000];
    begin(53);
    exchange_stop(&x);
    snprintf(command, sizeof command, "rm -r '%s' && ln -s /nowhere/at/all '%s'", store_path,
             store_path);
    run(command);
    folder_flip(journal_path, SOMEWHERE);
    CU_ASSERT_EQUAL(rebuild(), -EBADMSG);
    CU_ASSERT_TRUE(is_there(store_path));
    CU_ASSERT_NOT_EQUAL(access(store_path, F_OK), 0);
    CU_ASSERT_FALSE(is_there(aside_path));
    folder_flip(journal_path, SOMEWHERE);
    CU_ASSERT_EQUAL(rebuild(), 0);
    CU_ASSERT_TRUE(is_there(aside_path));
    CU_ASSERT_PTR_NOT_NULL(strstr(notes, aside_path));
    CU_ASSERT_PTR_NOT_NULL(strstr(notes, "could not be known"));
    compare();
    exchange_fini(&x);
}

static bool loses_first_segment(void)
{
    uint64_t deadline = matching_monotonic_ns() + 10 * BENCH_DEADLINE_MS * 1000000ull;
    while (is_there(journal_path) && matching_monotonic_ns() < deadline) {
        usleep(1000);
    }
    return !is_there(journal_path);
}

static void test_what_the_journal_no_longer_has_is_kept(void)
{
    char command[1000], bytes[40] = "";
    begin(54);
    for (unsigned i = 0; i < 8; i++) {
        if (i == 4) { /* all of before is on disk in the store */
            exchange_stop(&x);
            exchange_start(&x);
        }
        exchange_trade(&x, 512);
        CU_ASSERT_TRUE_FATAL(exchange_snapshot(&x));
    }
    CU_ASSERT_TRUE_FATAL(loses_first_segment());
    exchange_stop(&x);
    ino_t before = inode_of(store_path);
    CU_ASSERT_EQUAL(rebuild(), 0);
    CU_ASSERT_EQUAL_FATAL(inode_of(aside_path), before);
    CU_ASSERT_PTR_NOT_NULL(strstr(notes, "held what the journal no longer has"));
    const char *told = strstr(notes, aside_path);
    CU_ASSERT_PTR_NOT_NULL_FATAL(told);
    snprintf(bytes, sizeof bytes, "%.30s", told + strlen(aside_path));
    CU_ASSERT_TRUE(strtoull(bytes + strlen(" ("), NULL, 10) > 1000);
    CU_ASSERT_PTR_NOT_NULL(strstr(bytes, "bytes"));
    folder_is_mount_point = true; /* there the old store would have been the price of the new one */
    snprintf(command, sizeof command, "rm -r '%s' && mv '%s' '%s'", store_path, aside_path,
             store_path);
    run(command);
    CU_ASSERT_EQUAL(rebuild(), -EBADMSG);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "move what is in it"));
    folder_is_mount_point = false;
    CU_ASSERT_EQUAL(inode_of(store_path), before);
    compare();
    exchange_fini(&x);
}

/* The journal was put back to an older copy. */
static void test_a_store_ahead_of_its_journal_is_kept(void)
{
    char command[2000];
    begin(55);
    exchange_stop(&x);
    snprintf(command, sizeof command, "cp -r '%s/shard-01' '%s/copy'", x.f.path, x.f.path);
    run(command);
    exchange_start(&x);
    exchange_trade(&x, 64);
    exchange_stop(&x);
    snprintf(command, sizeof command, "rm -r '%s/shard-01' && mv '%s/copy' '%s/shard-01'", x.f.path,
             x.f.path, x.f.path);
    run(command);
    ino_t before = inode_of(store_path);
    CU_ASSERT_EQUAL(rebuild(), 0);
    CU_ASSERT_EQUAL_FATAL(inode_of(aside_path), before);
    CU_ASSERT_PTR_NOT_NULL(strstr(notes, "held what the journal no longer has"));
    exchange_fini(&x);
}

static void test_a_store_on_a_mount_point_is_made_anew_in_place(void)
{
    begin(56);
    exchange_stop(&x);
    folder_is_mount_point = true;
    folder_flip(journal_path, SOMEWHERE);
    CU_ASSERT_EQUAL(rebuild(), -EBADMSG);
    folder_flip(journal_path, SOMEWHERE);
    compare();
    exchange_stop(&x);
    CU_ASSERT_EQUAL(rebuild(), 0);
    compare();
    exchange_stop(&x);
    char command[1000];
    snprintf(command, sizeof command, "touch '%s/notes.txt'", store_path);
    run(command);
    CU_ASSERT_EQUAL(rebuild(), -EBUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "is a mount point: move what is in it"));
    folder_is_mount_point = false;
    compare();
    exchange_fini(&x);
}

MATCHING_TESTS(MATCHING_TEST(test_a_crash_leaves_the_copy),
               MATCHING_TEST(test_what_is_replaced_goes),
               MATCHING_TEST(test_a_damaged_journal_puts_the_store_back),
               MATCHING_TEST(test_a_damaged_journal_puts_anything_back),
               MATCHING_TEST(test_what_the_journal_no_longer_has_is_kept),
               MATCHING_TEST(test_a_store_ahead_of_its_journal_is_kept),
               MATCHING_TEST(test_a_store_on_a_mount_point_is_made_anew_in_place))
