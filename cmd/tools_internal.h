/* What the tools share. */
#ifndef MATCHING_CMD_TOOLS_INTERNAL_H
#define MATCHING_CMD_TOOLS_INTERNAL_H

#include "journal/data_dir.h"
#include "journal/reader.h"
#include "journal/snapshot.h"
#include "matching/options.h"
#include "progress.h"
#include "shard/books.h"

#define TOOL_TEXT_SIZE (DATA_DIR_PATH_SIZE + 512) /* room for any message */
#define TOOL_TIME_SIZE 40 /* "2026-11-21T15:40:00.123456789Z", and a year of any length */

typedef struct tool {
    const matching_tool_options *options;
    data_dir dir;
    bool live;     /* a process writes there: read up to what it has claimed to be on disk */
    bool is_quiet; /* no progress: it would run into the output */
    progress progress;
} tool;

/* Each does one shard and returns an exit code. */
int tool_verify(tool *t, unsigned shard);
int tool_dump(tool *t, unsigned shard);
int tool_replay(tool *t, unsigned shard);
int tool_snapshot(tool *t, unsigned shard);

/* `store rebuild`: all shards in one. Opens the directory itself. Returns an exit code. */
int tool_store_rebuild(tool *t);

/* "matching: shard N: ..." on stderr, after what progress there was. Returns `code`. */
int tool_tell(tool *t, int code, unsigned shard, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* "shard N: what" with done of all. */
void tool_progress(tool *t, unsigned shard, const char *what, uint64_t done, uint64_t all);

/* There was trouble. Nobody wrote when the tool began, but somebody may by now, and what is wrong
 * with the end of a journal is that it is just being written: then it is true, and t->live from now
 * on. */
bool tool_has_become_live(tool *t);

/* How gently a snapshot is read: see pace_us of recovery_options. */
unsigned tool_pace(const tool *t);

/* A shard's journal while a tool reads it, whether a process writes to it or not. */
typedef struct tool_journal {
    tool *tool;
    unsigned shard;
    journal_reader *reader;
    uint64_t next; /* the sequence that is wanted next */
    uint64_t reported;
} tool_journal;

/* Begins at `from`. 0, or an exit code after the trouble was told. */
int tool_journal_open(tool_journal *j, tool *t, unsigned shard, uint64_t from);
void tool_journal_close(tool_journal *j);

/* The next command; shows progress. What journal_reader_next says of a directory that nobody writes
 * to, or of the part that was safe in one that somebody does. */
journal_end tool_journal_next(tool_journal *j, matching_command *command);

/* Has the process that writes there removed what was to be read next, because of a newer snapshot?
 * Nothing is wrong then, it is only to be done again. */
bool tool_was_overtaken(const tool_journal *j, journal_end end);

/* After the last command that was wanted (JOURNAL_MORE: there may be others), or the end. Tells of
 * trouble; a torn tail is told and none. An exit code. */
int tool_journal_end(tool_journal *j, journal_end end);

/* The sequence that the shard's oldest segment begins with; 0: there is none. */
uint64_t tool_first_sequence(const tool *t, unsigned shard);

/* Loads one snapshot into books that keep so many recent trades of an instrument, and compares the
 * state hash. 0, and the caller finishes the books; MATCHING_EXIT_USAGE: the snapshot is bad, error
 * names file, offset and reason; MATCHING_EXIT_RUN: something else is, as error says. */
int tool_try_snapshot(tool *t, unsigned shard, uint64_t sequence, unsigned trades, books *b,
                      snapshot_head *head, char *error, size_t error_size);

/* Has the process that writes there removed that snapshot, because there are newer ones? Then its
 * name is gone before its bytes are: ask after something was found wrong with them. */
bool tool_snapshot_was_removed(const tool *t, unsigned shard, uint64_t sequence);

#define TOOL_OVERTAKEN                                                                             \
    "snapshots were removed while they were read, because there are newer ones; do it again"

/* Loads the newest one at or below `until` that is good, and tells of those that are not. 0 with
 * *loaded: whether there was one; otherwise an exit code, told. */
int tool_load_snapshot(tool *t, unsigned shard, uint64_t until, unsigned trades, books *b,
                       snapshot_head *head, bool *loaded);

/* Unix nanoseconds as RFC 3339 in UTC. */
const char *tool_time(char out[TOOL_TIME_SIZE], uint64_t time_ns);

#endif
