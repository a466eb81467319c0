/* cutfs, mounted by a test. Thread: the test's. */
#ifndef MATCHING_TESTS_CRASH_MOUNT_H
#define MATCHING_TESTS_CRASH_MOUNT_H

#include "crash/process.h"

typedef struct mount_options {
    const char *store, *point; /* folders that are there */
    unsigned long cut_after;   /* calls that change or sync; 0: when it is unmounted */
    unsigned long seed;
    const char *keep;    /* "none", "pages", "sectors", "all" */
    bool names_in_order; /* of the names that changed the first ones stay, else any may */
} mount_options;

/* NULL: file systems can be mounted here; else why not. */
const char *mount_is_impossible(void);

void mount_start(process *p, const mount_options *options);

/* Unmounts: the store is then what a disk would hold. True: power failed before that. */
bool mount_stop(process *p);

#endif
