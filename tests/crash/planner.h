/* What the next life is told to do: random commands of every kind, made from where the truth
 * stands. A fork of the test program plays them through its copy of the truth, so that what is
 * cancelled, amended and read is there, as long as the life goes as planned; where it does not
 * (orders expire by the clock), commands miss and are refused. Thread: the test's. */
#ifndef MATCHING_TESTS_CRASH_PLANNER_H
#define MATCHING_TESTS_CRASH_PLANNER_H

#include "crash/truth.h"

/* Clears the life's log and fills in `steps` steps; less where the shards have no instruments
 * yet. */
void planner_plan(const truth *t, life *l, unsigned steps, uint64_t seed);

#endif
