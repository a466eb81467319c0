/* `journal verify`: reads every segment and loads every snapshot, and looks whether they belong
 * together. What it finds is its result and goes to stdout.
 *
 * Not looked at: whether the commands lead to the books of the snapshots; `journal replay` and the
 * next start would do that.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools_internal.h"

typedef struct snapshot_facts {
    uint64_t sequence;
    uint32_t previous; /* checksum that it says that command's record has */
    bool is_good;
} snapshot_facts;

typedef struct verify {
    tool *t;
    unsigned shard;
    uint64_t *segments; /* first sequences */
    long segment_count;
    snapshot_facts *snapshots;
    long snapshot_count;
    uint64_t bytes; /* of all segments */
    uint64_t first, last, commands;
    bool is_torn;
    bool was_overtaken; /* a snapshot that was to be looked at is gone */
    bool is_refused;    /* something is of another version: not for this one to judge */
    int code;
    FILE *findings; /* lines, printed after the summary */
} verify;

/* Something is wrong. */
static void found(verify *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void found(verify *v, const char *format, ...)
{
    va_list arguments;
    fprintf(v->findings, "shard %u: ", v->shard);
    va_start(arguments, format);
    vfprintf(v->findings, format, arguments);
    va_end(arguments);
    putc('\n', v->findings);
    v->code = MATCHING_EXIT_USAGE;
}

/* What was to be read is gone, and nothing wrong with it. What else was found stays found. */
static void overtaken(verify *v, const char *what)
{
    int code = v->code;
    found(v, "%s", what);
    v->code = code != 0 ? code : MATCHING_EXIT_RUN;
}

/* ---- What there is --------------------------------------------------------------------------- */

static bool list_files(verify *v)
{
    char path[DATA_DIR_PATH_SIZE];
    struct stat status;
    uint64_t *sequences = NULL;
    const data_dir *dir = &v->t->dir;
    v->segment_count = data_dir_list(dir, v->shard, DATA_DIR_JOURNAL, &v->segments);
    v->snapshot_count = data_dir_list(dir, v->shard, DATA_DIR_SNAPSHOT, &sequences);
    if (v->segment_count < 0 || v->snapshot_count < 0) {
        data_dir_shard_path(dir, v->shard, path);
        found(v, "%s cannot be read: %s", path,
              strerror((int)-(v->segment_count < 0 ? v->segment_count : v->snapshot_count)));
        free(sequences);
        v->segment_count = v->snapshot_count = 0;
        return false;
    }
    v->snapshots = calloc((size_t)v->snapshot_count + 1, sizeof *v->snapshots);
    for (long i = 0; v->snapshots != NULL && i < v->snapshot_count; i++) {
        v->snapshots[i].sequence = sequences[i];
    }
    free(sequences);
    for (long i = 0; i < v->segment_count; i++) {
        if (data_dir_journal_path(dir, v->shard, v->segments[i], path) &&
            stat(path, &status) == 0) {
            v->bytes += (uint64_t)status.st_size;
        }
    }
    return v->snapshots != NULL;
}

static void verify_snapshot(verify *v, snapshot_facts *it)
{
    char error[TOOL_TEXT_SIZE] = "";
    books b;
    snapshot_head head;
    int code = tool_try_snapshot(v->t, v->shard, it->sequence, 1, &b, &head, error, sizeof error);
    it->is_good = code == 0;
    if (code == 0) {
        it->previous = head.previous;
        books_fini(&b);
    } else if (tool_snapshot_was_removed(v->t, v->shard, it->sequence)) {
        v->was_overtaken = true;
    } else {
        v->is_refused = v->is_refused || snapshot_check_version(&v->t->dir, v->shard, it->sequence,
                                                                error, sizeof error) == -EPROTO;
        found(v, "%s", error);
        v->code = code;
    }
}

/* ---- The journal ----------------------------------------------------------------------------- */

/* The record of `sequence` has this checksum: does a snapshot that ends there say so? */
static void compare_snapshots(verify *v, uint64_t sequence, uint32_t checksum)
{
    char path[DATA_DIR_PATH_SIZE];
    for (long i = 0; i < v->snapshot_count; i++) {
        const snapshot_facts *it = &v->snapshots[i];
        if (it->is_good && it->sequence == sequence && it->previous != checksum) {
            data_dir_snapshot_path(&v->t->dir, v->shard, sequence, path);
            found(v,
                  "%s is not of this journal: the record of its last command has another "
                  "checksum there",
                  path);
        }
    }
}

static void verify_journal(verify *v)
{
    tool_journal j;
    matching_command command;
    journal_end end;
    v->first = v->segment_count > 0 ? v->segments[0] : 1;
    v->last = v->first - 1;
    if (tool_journal_open(&j, v->t, v->shard, v->first) != 0) {
        v->code = MATCHING_EXIT_USAGE;
        return;
    }
    while ((end = tool_journal_next(&j, &command)) == JOURNAL_MORE) {
        v->commands++;
        v->last = command.sequence;
        compare_snapshots(v, command.sequence, journal_reader_checksum(j.reader));
    }
    v->is_torn = end == JOURNAL_TORN;
    if (v->is_torn) {
        fprintf(v->findings, "shard %u: %s; the next start cuts it off\n", v->shard,
                journal_reader_trouble(j.reader));
    } else if (tool_was_overtaken(&j, end)) {
        overtaken(v, journal_reader_trouble(j.reader));
    } else if (end != JOURNAL_WHOLE) {
        v->is_refused = v->is_refused || end == JOURNAL_REFUSED;
        found(v, "%s", journal_reader_trouble(j.reader));
    }
    tool_journal_close(&j);
}

/* Is there a way to the present state? */
static void verify_coverage(verify *v)
{
    bool has_start = v->first == 1;
    for (long i = 0; i < v->snapshot_count; i++) {
        const snapshot_facts *it = &v->snapshots[i];
        has_start = has_start || (it->is_good && it->sequence >= v->first);
        if (it->is_good && it->sequence > v->last && !v->t->live && v->code == 0) {
            found(v,
                  "the journal ends with sequence %" PRIu64
                  ", before the snapshot of sequence %" PRIu64,
                  v->last, it->sequence);
        }
    }
    if (v->commands == 0 && v->t->dir.is_begun && !v->t->live && v->code == 0) {
        found(v, "its journal is gone: it had commands, and there is none any more");
    }
    if (!has_start && v->was_overtaken) {
        overtaken(v, TOOL_OVERTAKEN);
    } else if (!has_start) {
        found(v,
              "no good snapshot reaches sequence %" PRIu64 ", which the oldest segment begins with",
              v->first);
    }
}

/* ---- The shard ------------------------------------------------------------------------------- */

static const char *state_name(const verify *v)
{
    return v->code == 0                   ? "OK"
           : v->code == MATCHING_EXIT_RUN ? "NOT FINISHED"
           : v->is_refused                ? "REFUSED"
                                          : "DAMAGED";
}

static void print_summary(const verify *v)
{
    printf("shard %u: %ld segment%s, %" PRIu64 " bytes, %" PRIu64 " commands", v->shard,
           v->segment_count, v->segment_count == 1 ? "" : "s", v->bytes, v->commands);
    if (v->commands > 0) {
        printf(" (%" PRIu64 " to %" PRIu64 ")", v->first, v->last);
    }
    printf(", %ld snapshot%s", v->snapshot_count, v->snapshot_count == 1 ? "" : "s");
    for (long i = 0; i < v->snapshot_count; i++) {
        printf("%s%" PRIu64, i == 0 ? " of " : " and ", v->snapshots[i].sequence);
    }
    printf(": %s%s\n", state_name(v),
           v->code != 0 ? ""
           : v->is_torn ? ", with a torn tail"
           : v->t->live ? ", as far as the process that writes there has come"
                        : "");
}

int tool_verify(tool *t, unsigned shard)
{
    char *lines = NULL;
    size_t size = 0;
    verify v = {.t = t, .shard = shard, .findings = open_memstream(&lines, &size)};
    if (v.findings == NULL) {
        return tool_tell(t, MATCHING_EXIT_RUN, shard, "no memory");
    }
    if (list_files(&v)) {
        for (long i = 0; i < v.snapshot_count; i++) {
            verify_snapshot(&v, &v.snapshots[i]);
        }
        verify_journal(&v);
        verify_coverage(&v);
    }
    progress_end(&t->progress);
    fclose(v.findings);
    print_summary(&v);
    fputs(lines, stdout);
    free(lines);
    free(v.segments);
    free(v.snapshots);
    return v.code;
}
