/* A core in memory that behaves like one with a journal, as far as doors can tell: a test decides
 * when the journal of a shard fails and when snapshots are on disk.
 *
 * Link matching_journal_double behind the door and before the core: what the door asks of the core
 * then passes through here. From a failure on, replies of that shard become INTERNAL_ERROR and its
 * events are kept back. Any thread; reset before each test.
 */
#ifndef MATCHING_TESTS_JOURNAL_DOUBLE_H
#define MATCHING_TESTS_JOURNAL_DOUBLE_H

#include "matching/core.h"

/* No shard has failed; snapshots are refused, as the core in memory does. */
void journal_double_reset(void);

/* why: static. */
void journal_double_fail(unsigned shard, const char *why);

/* why: static; "": it is over. */
void journal_double_warn(unsigned shard, const char *why);

/* From now on snapshots can be asked for. Those that were, are through when finish is called with
 * what became of them (an entry for each shard); later ones wait for another call. */
void journal_double_take_snapshots(void);
void journal_double_finish(const matching_snapshot_result *results);

/* How many times snapshots were asked for, and asked after. */
unsigned journal_double_requests(void);
unsigned journal_double_looks(void);

/* The flags of the last PLACE that a door has submitted. */
unsigned journal_double_place_flags(void);

#endif
