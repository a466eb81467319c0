/* What is measured: a server, or the bare echo beside it.
 *
 * A target is NAME=ADDRESS:PORT or NAME=ADDRESS:PORT/PID. One whose name begins with "echo" sends
 * every message back instead of answering it. With its process id, the processor time and the
 * memory of the process are told too.
 */
#ifndef MATCHING_BENCH_LOAD_TARGET_H
#define MATCHING_BENCH_LOAD_TARGET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "load/histogram.h"

#define TARGETS_MAX 8
#define ROUNDS_MAX 64

typedef struct target {
    char name[16];
    struct sockaddr_in address;
    pid_t pid; /* 0: unknown */
    bool is_echo;

    /* What was measured. */
    histogram times;
    double rates[ROUNDS_MAX];  /* by round */
    uint64_t messages, cpu_ns; /* of all rounds */
    uint64_t idle_bytes;       /* a connection */
} target;

/* False: it is not one. */
bool target_parse(const char *text, target *t);

/* Processor time of its process so far; 0 if that is unknown. */
uint64_t target_cpu_ns(const target *t);

/* Resident memory of its process; 0 if that is unknown. */
uint64_t target_resident_bytes(const target *t);

/* Forgets what was measured. */
void target_clear(target *t);

/* A row for each target. note may be NULL, or gives each its own text. */
void targets_report(const char *measure, const target *targets, unsigned count, unsigned rounds,
                    const char *(*note)(const target *t));

/* A row for each of two conditions of one target, the second beside the first. */
void targets_report_pair(const char *first, const char *second, const target pair[2]);

#endif
