/* See segments.h. */
#define _GNU_SOURCE
#include "crash/segments.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/process.h"

static void path_in(char path[PATH_MAX], const char *folder, const char *name)
{
    if (snprintf(path, PATH_MAX, "%s/%s", folder, name) >= PATH_MAX) {
        process_give_up("too long a path below %s", folder);
    }
}

void segments_create(const char *all, unsigned shards)
{
    mkdir(all, 0755);
    for (unsigned i = 0; i < shards; i++) {
        char name[32], path[PATH_MAX];
        snprintf(name, sizeof name, "shard-%02u", i);
        path_in(path, all, name);
        if (mkdir(path, 0755) != 0) {
            process_give_up("%s: %s", path, strerror(errno));
        }
    }
}

static bool is_segment(const char *name)
{
    size_t length = strlen(name);
    return length > 8 && strcmp(name + length - 8, ".journal") == 0;
}

static void link_to(const char *target, const char *path)
{
    unlink(path);
    if (symlink(target, path) != 0) {
        process_give_up("%s: %s", path, strerror(errno));
    }
}

/* Links to what is not there any more: a name that was lost with the power. */
static void drop_dangling(const char *folder)
{
    char path[PATH_MAX];
    struct stat about;
    DIR *list = opendir(folder);
    for (struct dirent *e = list == NULL ? NULL : readdir(list); e != NULL; e = readdir(list)) {
        path_in(path, folder, e->d_name);
        if (e->d_type == DT_LNK && stat(path, &about) != 0) {
            unlink(path);
        }
    }
    if (list != NULL) {
        closedir(list);
    }
}

static void link_segments(const char *from, const char *to)
{
    char target[PATH_MAX], path[PATH_MAX];
    struct stat about;
    DIR *list = opendir(from);
    for (struct dirent *e = list == NULL ? NULL : readdir(list); e != NULL; e = readdir(list)) {
        path_in(target, from, e->d_name);
        path_in(path, to, e->d_name);
        if (is_segment(e->d_name) && lstat(path, &about) != 0) {
            link_to(target, path);
        }
    }
    if (list != NULL) {
        closedir(list);
    }
}

void segments_gather(const char *folder, const char *all, unsigned shards)
{
    char from[PATH_MAX], to[PATH_MAX];
    struct stat about;
    path_in(from, folder, "MANIFEST");
    path_in(to, all, "MANIFEST");
    if (stat(from, &about) == 0) {
        link_to(from, to);
    }
    for (unsigned i = 0; i < shards; i++) {
        char name[32];
        snprintf(name, sizeof name, "shard-%02u", i);
        path_in(from, folder, name);
        path_in(to, all, name);
        drop_dangling(to);
        link_segments(from, to);
    }
}

void segments_remove(const char *all)
{
    char command[PATH_MAX];
    snprintf(command, sizeof command, "rm -rf '%s'", all);
    if (system(command) != 0) {
        process_give_up("%s cannot be removed", all);
    }
}
