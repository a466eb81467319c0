/* A journal in a directory of its own, what its callbacks told, and what was appended to it. */
#ifndef MATCHING_TESTS_JOURNAL_WRITER_FIXTURE_H
#define MATCHING_TESTS_JOURNAL_WRITER_FIXTURE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/journal/history.h"
#include "journal/writer.h"

#define SMALL_SEGMENT 8192u /* the smallest there is: some forty records */

typedef struct fixture {
    char path[64];
    data_dir dir;
    journal_options options;
    journal *journal;  /* NULL: closed */
    uint64_t sequence; /* of the last command appended */
    uint32_t seed;
    /* What was told; read under the mutex or once the journal is closed. */
    pthread_mutex_t mutex;
    pthread_cond_t told;
    uint64_t safe;
    uint64_t sealed[HISTORY_SEGMENTS];
    unsigned sealed_count;
    unsigned rooms;
    unsigned failures;
    unsigned wrong; /* callbacks that should not have come so */
    char failure[512];
} fixture;

/* A new directory and options with this policy and these segments; no journal yet. */
void fixture_init(fixture *f, matching_sync sync, uint64_t segment_bytes);
/* Closes what is open and deletes the directory. */
void fixture_fini(fixture *f);

/* Opens the journal where the directory's history ends; asserts that it opens. */
void fixture_open(fixture *f);
/* journal_close. */
int fixture_close(fixture *f);
/* The same with an assertion that the directory holds exactly what was appended. Leaves it in h for
 * history_free, if that is not NULL. */
void fixture_close_and_compare(fixture *f, history *h);

/* Asserts that the project's reader makes the same of the directory. */
void fixture_compare_reader(fixture *f, const history *h);

/* The command with that sequence: always the same, of any kind and length. */
matching_command fixture_command(uint64_t sequence);

/* Appends the next commands, as many as there is room for, and hands them over. Returns how
 * many. */
unsigned fixture_append(fixture *f, unsigned count);
/* The same, but all of them, waiting for room. False: the journal has failed. */
bool fixture_append_all(fixture *f, unsigned count, unsigned batch);

/* Wait for a callback, half a minute at most; false: it did not come. */
bool fixture_await_safe(fixture *f, uint64_t sequence);
bool fixture_await_sealed(fixture *f, unsigned count);
bool fixture_await_room(fixture *f, unsigned count);
bool fixture_await_failure(fixture *f);

/* Asks until it says yes, half a minute at most. */
bool fixture_await(bool (*is_so)(fixture *f), fixture *f);

#endif
