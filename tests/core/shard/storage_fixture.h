/* A core with a data directory, driven by hand (bench.h). */
#ifndef MATCHING_TESTS_SHARD_STORAGE_FIXTURE_H
#define MATCHING_TESTS_SHARD_STORAGE_FIXTURE_H

#include "bench.h"
#include "folder.h"

/* What the core has said at its start, a line each. */
typedef struct notes {
    char text[4000];
} notes;

/* Options for this directory; *heard is emptied. */
bench_options stored(const folder *f, notes *heard);

/* By hand the flusher still has a thread of its own: until all is on the disk and answered. */
void settle(bench *b);

/* Places an order, which is taken. Returns its id. */
uint64_t place(bench *b, matching_command command, uint64_t tag);

/* Some of everything: trades, an iceberg, a stop, client ids, a cancel, a halted instrument. */
void make_history(bench *b);

void take_snapshot(bench *b);

#endif
