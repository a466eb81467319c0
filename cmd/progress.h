/* Shows how far a long piece of work has come: on a terminal a bar that is redrawn in place, at
 * most ten times a second, whose last state stays; elsewhere (a log, a pipe) a line at most each
 * second. Work of less than that shows its end only.
 *
 * One progress a thread; one at a time on a terminal. Takes no memory, never fails.
 */
#ifndef MATCHING_CMD_PROGRESS_H
#define MATCHING_CMD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define PROGRESS_WHAT_SIZE 96

typedef struct progress {
    FILE *out;
    bool terminal;
    unsigned columns;         /* of the terminal */
    uint64_t (*now_ns)(void); /* any clock that never goes back */
    char what[PROGRESS_WHAT_SIZE];
    uint64_t done, all;
    uint64_t began_ns, shown_ns;
    bool drawn;    /* the cursor stands behind a bar */
    bool was_full; /* the last thing shown is that all is done */
} progress;

/* To `out`, usually stderr, which is a terminal or not. */
void progress_init(progress *p, FILE *out);

/* `what` (such as "shard 0: journal", cut to PROGRESS_WHAT_SIZE) has come to `done` of `all`, in
 * any unit; nothing to do (0 of 0) is all. Call it often: it costs little while there is nothing to
 * show. Another `what` than before means that that one is done, and begins the next. */
void progress_show(progress *p, const char *what, uint64_t done, uint64_t all);

/* Shows where it stands for the last time; out is free for other lines then. To be called before
 * anything else is printed there, also after a failure. Nothing when nothing was begun. */
void progress_end(progress *p);

/* The same when all is done, whatever was shown last. */
void progress_done(progress *p);

#endif
