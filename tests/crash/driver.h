/* Lives one after another in one data directory, each planned from the truth, started as a child
 * program and held against the truth once it has ended. Thread: the test's. */
#ifndef MATCHING_TESTS_CRASH_DRIVER_H
#define MATCHING_TESTS_CRASH_DRIVER_H

#include "crash/process.h"
#include "crash/truth.h"

typedef struct driver_options {
    unsigned shards;
    matching_sync sync;
    uint64_t segment_bytes;  /* 0: small ones */
    uint64_t snapshot_every; /* commands; 0: never */
    bool has_history;        /* keeps a store, which is looked at after each life */
    uint64_t seed;
} driver_options;

typedef struct driver {
    driver_options options;
    char base[64];               /* temporary; holds the other two */
    char data[LIFE_PATH_SIZE];   /* the data directory as the disk has it */
    char report[LIFE_PATH_SIZE]; /* the fault shim's */
    life *life;
    int life_fd;
    truth truth;
    process child;
    uint64_t random_state;
} driver;

void driver_init(driver *d, const driver_options *options);

/* Removes the folder and says on stdout what there was. */
void driver_fini(driver *d);

/* How often: `usually`, or as MATCHING_SOAK says, where 1 stands for `soak`. */
unsigned driver_times(unsigned usually, unsigned soak);

/* MATCHING_SEED, or a fresh one. */
uint64_t driver_seed(void);

/* 0 ... bound - 1. */
uint64_t driver_below(driver *d, uint64_t bound);

/* The next life: `steps` steps from where the truth stands. Change d->life's set-up before it is
 * started. */
void driver_plan(driver *d, unsigned steps);

/* Starts it, with these variables beside the environment's (NULL at the end; NULL: none). */
void driver_start(driver *d, char *const *variables);

/* ... with the fault shim, set to its n-th call and an action (fault_shim.c). calls: which count,
 * NULL: all. */
void driver_start_with_fault(driver *d, unsigned long at, const char *action, const char *calls);

/* What the shim has reported: false: its call did not come. line: "call path". */
bool driver_fault(driver *d, char *line, size_t size);

/* SIGKILL once it has told; it may have ended by itself. Returns what process_wait does. */
int driver_kill_once_told(driver *d);

/* Holds the life that has ended against the truth. */
void driver_follow(driver *d, truth_expectation expected);

/* A life that must recover, do all its steps and stop cleanly, and is followed. */
void driver_live_well(driver *d, unsigned steps);

/* ... that has none to do. */
void driver_live_quietly(driver *d);

#endif
