/* Whose turn it is. Targets that share a processor do work of their own when they are not measured
 * (snapshots, history, what is left of their last turn), and it would be measured with the one
 * whose turn it is. Where that is wanted, all processes but that one's are stopped (SIGSTOP), and
 * continued at its end; also at the program's, by whatever it comes but SIGKILL.
 *
 * A target has no connections while it is stopped: each turn opens its own.
 */
#ifndef MATCHING_BENCH_LOAD_TURNS_H
#define MATCHING_BENCH_LOAD_TURNS_H

#include "load/target.h"

/* From now on turns are told by turn_of. False: a target's process is not known. Once. */
bool turns_begin(const target *targets, unsigned count);

/* This target's turn begins. Without turns_begin: nothing is done. */
void turn_of(const target *t);

/* All go on. Safe in a signal handler. */
void turns_end(void);

#endif
