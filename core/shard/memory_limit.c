/* See memory_limit.h. What cannot be read limits nothing: in a container the files of groups above
 * its own are not to be seen, and the machine's topmost group has none. Of version 1 only groups of
 * memory alone count, as systems mount them.
 */
#define _GNU_SOURCE
#include "shard/memory_limit.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The number in a file; UINT64_MAX: there is none ("max" is none). */
static uint64_t read_number(const char *path)
{
    uint64_t number = UINT64_MAX;
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        if (fscanf(file, "%" SCNu64, &number) != 1) {
            number = UINT64_MAX;
        }
        fclose(file);
    }
    return number;
}

/* The least of a group and those above it. mount: where groups are; group: its path, cut short. */
static uint64_t least_of(const char *root, const char *mount, char *group, const char *name)
{
    uint64_t least = UINT64_MAX;
    for (char *end = group + strlen(group); end != NULL; end = strrchr(group, '/')) {
        char path[PATH_MAX];
        *end = '\0';
        int length = snprintf(path, sizeof path, "%s%s%s/%s", root, mount, group, name);
        if (length > 0 && (size_t)length < sizeof path) {
            uint64_t limit = read_number(path);
            least = limit < least ? limit : least;
        }
    }
    return least;
}

/* A line of /proc/self/cgroup: number:controllers:path, without controllers in version 2. */
static uint64_t limit_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) {
        return UINT64_MAX;
    }
    *controllers++ = *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (controllers[0] == '\0') {
        return least_of(root, "/sys/fs/cgroup", group, "memory.max");
    }
    if (strcmp(controllers, "memory") == 0) {
        return least_of(root, "/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
    }
    return UINT64_MAX;
}

uint64_t memory_limit(const char *root)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t least = pages > 0 ? (uint64_t)pages * (uint64_t)page_bytes : UINT64_MAX;
    char path[PATH_MAX], line[PATH_MAX];
    snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        uint64_t limit = limit_of_line(root, line);
        least = limit < least ? limit : least;
    }
    if (file != NULL) {
        fclose(file);
    }
    return least;
}
