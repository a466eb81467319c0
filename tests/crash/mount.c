/* See mount.h. CRASH_CUTFS names the program; there is none where libfuse3 was not found. */
#define _GNU_SOURCE
#include "crash/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NUMBER_SIZE 24

const char *mount_is_impossible(void)
{
    static char why[256];
    const char *program = getenv("CRASH_CUTFS");
    if (program == NULL || *program == 0) {
        return "libfuse3 was not found when this was built (Debian: libfuse3-dev)";
    }
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        snprintf(why, sizeof why, "/dev/fuse cannot be opened: %s", strerror(errno));
        return why;
    }
    close(fd);
    char store[] = "/tmp/matching-cutfs-XXXXXX", point[] = "/tmp/matching-cutfs-XXXXXX";
    if (mkdtemp(store) == NULL || mkdtemp(point) == NULL) {
        process_give_up("mkdtemp: %s", strerror(errno));
    }
    char *arguments[] = {(char *)(uintptr_t)program, store, point, NULL};
    process p;
    char line[16] = "";
    process_start(&p, arguments, NULL, -1);
    bool mounted = process_line(&p, line, sizeof line) && strcmp(line, "ready") == 0;
    mounted = process_end(&p, SIGTERM) == 0 && mounted;
    rmdir(store);
    rmdir(point);
    return mounted ? NULL : "a FUSE file system cannot be mounted here (see above)";
}

void mount_start(process *p, const mount_options *options)
{
    char cut_after[NUMBER_SIZE], seed[NUMBER_SIZE], line[16];
    const char *program = getenv("CRASH_CUTFS");
    snprintf(cut_after, sizeof cut_after, "%lu", options->cut_after);
    snprintf(seed, sizeof seed, "%lu", options->seed);
    const char *names = options->names_in_order ? "in-order" : "any";
    const char *arguments[] = {program,       options->store, options->point, "--cut-after",
                               cut_after,     "--seed",       seed,           "--keep",
                               options->keep, "--names",      names,          NULL};
    char *copies[sizeof arguments / sizeof arguments[0]];
    memcpy(copies, arguments, sizeof copies);
    process_start(p, copies, NULL, -1);
    if (!process_line(p, line, sizeof line) || strcmp(line, "ready") != 0) {
        process_give_up("cutfs cannot be mounted at %s", options->point);
    }
}

bool mount_stop(process *p)
{
    char line[16] = "";
    kill(p->pid, SIGTERM);
    if (!process_line(p, line, sizeof line)) {
        process_give_up("cutfs ended without a word");
    }
    int code = process_wait(p);
    if (code != 0) {
        process_give_up("cutfs ended with %d", code);
    }
    return strcmp(line, "cut") == 0;
}
