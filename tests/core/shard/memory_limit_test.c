/* How much memory there is for a process, by what files of the system say. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "folder.h"
#include "shard/memory_limit.h"
#include "support/cunit_main.h"

#define MIB (UINT64_C(1) << 20)

static folder root;

/* A folder below the root, and those above it. */
static void make_folders(const char *path)
{
    char all[512];
    snprintf(all, sizeof all, "%s%s/", root.path, path);
    for (char *at = strchr(all + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        CU_ASSERT_FATAL(mkdir(all, 0700) == 0 || errno == EEXIST);
        *at = '/';
    }
}

static void put(const char *folder_path, const char *name, const char *text)
{
    char path[512];
    make_folders(folder_path);
    snprintf(path, sizeof path, "%s%s", root.path, folder_path);
    folder_put(path, name, text);
}

static uint64_t of_machine(void)
{
    return (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void test_without_groups_it_is_the_machines(void)
{
    folder_make(&root);
    CU_ASSERT_EQUAL(memory_limit(root.path), of_machine());
    put("/proc/self", "cgroup", "0::/a\n");
    CU_ASSERT_EQUAL(memory_limit(root.path), of_machine());
    put("/sys/fs/cgroup/a", "memory.max", "max\n");
    CU_ASSERT_EQUAL(memory_limit(root.path), of_machine());
    put("/sys/fs/cgroup/a", "memory.max", "18446744073709551615\n");
    CU_ASSERT_EQUAL(memory_limit(root.path), of_machine());
    folder_remove(&root);
}

static void test_a_group_and_those_above_it_limit_it(void)
{
    folder_make(&root);
    put("/proc/self", "cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a", "memory.max", "33554432\n");
    CU_ASSERT_EQUAL(memory_limit(root.path), 32 * MIB);
    put("/sys/fs/cgroup/a/b", "memory.max", "67108864\n");
    CU_ASSERT_EQUAL(memory_limit(root.path), 32 * MIB);
    put("/sys/fs/cgroup/a/b", "memory.max", "16777216\n");
    CU_ASSERT_EQUAL(memory_limit(root.path), 16 * MIB);
    folder_remove(&root);
}

/* A container sees its own group as the topmost one, whatever its path is outside. */
static void test_a_containers_own_group_is_the_topmost(void)
{
    folder_make(&root);
    put("/proc/self", "cgroup", "0::/\n");
    put("/sys/fs/cgroup", "memory.max", "50331648\n");
    CU_ASSERT_EQUAL(memory_limit(root.path), 48 * MIB);
    put("/proc/self", "cgroup", "0::/outside/path\n");
    CU_ASSERT_EQUAL(memory_limit(root.path), 48 * MIB);
    folder_remove(&root);
}

static void test_the_first_version_of_groups_counts_too(void)
{
    folder_make(&root);
    put("/proc/self", "cgroup", "5:cpu,cpuacct:/y\n4:memory:/x\n0::/");
    put("/sys/fs/cgroup/memory/y", "memory.limit_in_bytes", "1\n"); /* of another's path */
    put("/sys/fs/cgroup/memory/x", "memory.limit_in_bytes", "25165824\n");
    put("/sys/fs/cgroup/x", "memory.limit_in_bytes", "1\n"); /* not where they are */
    CU_ASSERT_EQUAL(memory_limit(root.path), 24 * MIB);
    folder_remove(&root);
}

MATCHING_TESTS(MATCHING_TEST(test_without_groups_it_is_the_machines),
               MATCHING_TEST(test_a_group_and_those_above_it_limit_it),
               MATCHING_TEST(test_a_containers_own_group_is_the_topmost),
               MATCHING_TEST(test_the_first_version_of_groups_counts_too))
