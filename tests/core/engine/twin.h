/* A second engine that gets the same commands and must do the same, though it is asked otherwise.
 *
 * The fixture's own engine tells every ORDER event and gives every reply in full. Its twin has a
 * watch that nobody uses at first, is told the traders' numbers as earlier replies gave them,
 * prefetches, and is mostly asked for brief replies: so it goes the short ways that the other one
 * never takes. What both say is compared after each command; ORDER events as far as somebody
 * watches, and where somebody follows, CHANGE events with what the ORDER events would have told.
 */
#ifndef MATCHING_TESTS_ENGINE_TWIN_H
#define MATCHING_TESTS_ENGINE_TWIN_H

#include "fixture.h"

typedef struct fixture_twin fixture_twin;

fixture_twin *twin_create(const matching_engine_limits *limits);
void twin_destroy(fixture_twin *twin);
void twin_reset(fixture_twin *twin); /* empty again, in the same memory */
void twin_set_instrument(fixture_twin *twin, uint16_t instrument, int64_t tick_size,
                         int64_t lot_size);

/* From now on ORDER events of this trader are written, NULL: of everybody; CHANGE events of this
 * one are. Nobody's again. */
void twin_watch(fixture_twin *twin, const char *trader);
void twin_follow(fixture_twin *twin, const char *trader);
void twin_watch_nobody(fixture_twin *twin);

/* CHANGE events of the last command: those of an amend that has begun, or the others. */
size_t twin_count_changes(const fixture_twin *twin, bool begun);

/* The command that `f` has just applied. NULL, or what was different (static string). */
const char *twin_apply(fixture_twin *twin, const fixture *f, matching_command command);

/* Walks the invariants and compares the hashes. NULL, or what is wrong (static string). */
const char *twin_check(const fixture_twin *twin, const fixture *f);

#endif
