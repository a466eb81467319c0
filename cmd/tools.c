/* The frame of the tools: opens the directory, does the wanted shards one after the other, and
 * copes with a process that writes there. */
#define _GNU_SOURCE
#include "tools.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tools_internal.h"

#define REPORT_EVERY 1024 /* commands between two looks at the clock */

/* ---- What is printed ------------------------------------------------------------------------- */

int tool_tell(tool *t, int code, unsigned shard, const char *format, ...)
{
    va_list arguments;
    progress_end(&t->progress);
    fflush(stdout);
    fprintf(stderr, "matching: shard %u: ", shard);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return code;
}

void tool_progress(tool *t, unsigned shard, const char *what, uint64_t done, uint64_t all)
{
    char text[PROGRESS_WHAT_SIZE];
    if (!t->is_quiet) {
        snprintf(text, sizeof text, "shard %u: %s", shard, what);
        progress_show(&t->progress, text, done, all);
    }
}

const char *tool_time(char out[TOOL_TIME_SIZE], uint64_t time_ns)
{
    time_t seconds = (time_t)(time_ns / 1000000000u);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t length = strftime(out, TOOL_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + length, TOOL_TIME_SIZE - length, ".%09uZ", (unsigned)(time_ns % 1000000000u));
    return out;
}

/* ---- Reading beside a process that writes ---------------------------------------------------- */

unsigned tool_pace(const tool *t)
{
    return t->live ? 1 : 0;
}

/* How a journal is read. */
static unsigned reading(const tool *t)
{
    return t->live ? JOURNAL_CLAIMED_ONLY | JOURNAL_GENTLY : 0;
}

int tool_journal_open(tool_journal *j, tool *t, unsigned shard, uint64_t from)
{
    char error[TOOL_TEXT_SIZE] = "";
    *j = (tool_journal){.tool = t, .shard = shard, .next = from};
    j->reader = journal_reader_open(&t->dir, shard, from, reading(t), error, sizeof error);
    return j->reader != NULL ? 0 : tool_tell(t, MATCHING_EXIT_USAGE, shard, "%s", error);
}

void tool_journal_close(tool_journal *j)
{
    if (j->reader != NULL) {
        journal_reader_close(j->reader);
        j->reader = NULL;
    }
}

bool tool_has_become_live(tool *t)
{
    if (t->live || t->dir.lock_fd >= 0 || !data_dir_is_in_use(t->dir.path)) {
        return false;
    }
    t->live = true;
    return true;
}

/* Goes on as far as is safe, if the trouble is that somebody writes by now. */
static bool begin_again(tool_journal *j)
{
    tool *t = j->tool;
    char error[TOOL_TEXT_SIZE];
    if (!tool_has_become_live(t)) {
        return false;
    }
    journal_reader *again =
        journal_reader_open(&t->dir, j->shard, j->next, reading(t), error, sizeof error);
    if (again == NULL) {
        return false;
    }
    journal_reader_close(j->reader);
    j->reader = again;
    return true;
}

journal_end tool_journal_next(tool_journal *j, matching_command *command)
{
    journal_end end = journal_reader_next(j->reader, command);
    if (end == JOURNAL_TORN || end == JOURNAL_DAMAGED) { /* removed: only where it is live */
        end = begin_again(j) ? journal_reader_next(j->reader, command) : end;
    }
    if (end == JOURNAL_MORE) {
        j->next = command->sequence + 1;
        if (j->reported++ % REPORT_EVERY != 0) {
            return end;
        }
    }
    uint64_t done, all;
    journal_reader_progress(j->reader, &done, &all);
    tool_progress(j->tool, j->shard, "reading the journal", done, all);
    return end;
}

uint64_t tool_first_sequence(const tool *t, unsigned shard)
{
    uint64_t *sequences = NULL;
    long count = data_dir_list(&t->dir, shard, DATA_DIR_JOURNAL, &sequences);
    uint64_t first = count > 0 ? sequences[0] : 0;
    free(sequences);
    return first;
}

bool tool_was_overtaken(const tool_journal *j, journal_end end)
{
    return end == JOURNAL_REMOVED || (end == JOURNAL_DAMAGED && j->tool->live &&
                                      tool_first_sequence(j->tool, j->shard) > j->next);
}

int tool_journal_end(tool_journal *j, journal_end end)
{
    const char *trouble = journal_reader_trouble(j->reader);
    if (end == JOURNAL_MORE || end == JOURNAL_WHOLE) {
        progress_done(&j->tool->progress);
        return 0;
    }
    if (end == JOURNAL_TORN) {
        return tool_tell(j->tool, 0, j->shard, "%s; the next start cuts it off", trouble);
    }
    return tool_tell(j->tool, tool_was_overtaken(j, end) ? MATCHING_EXIT_RUN : MATCHING_EXIT_USAGE,
                     j->shard, "%s", trouble);
}

/* ---- Snapshots ------------------------------------------------------------------------------- */

/* NULL, or what is wrong with it, as a line in error. */
static const char *load(tool *t, unsigned shard, snapshot_reader *in, const snapshot_head *head,
                        books *b, char *error, size_t error_size)
{
    char path[DATA_DIR_PATH_SIZE];
    matching_state_input input = {snapshot_read, in};
    const char *wrong = books_load(b, &input);
    bool whole = snapshot_at_end(in);
    if (wrong == NULL && whole && matching_engine_hash(b->engine) == head->state_hash) {
        b->sequence = head->sequence;
        b->time_ns = head->time_ns;
        return NULL;
    }
    const char *trouble = snapshot_trouble(in);
    if (trouble != NULL && *trouble != 0) {
        snprintf(error, error_size, "%s", trouble);
    } else {
        data_dir_snapshot_path(&t->dir, shard, head->sequence, path);
        snprintf(error, error_size, "%s: %s", path,
                 wrong != NULL ? wrong : "the books in it have another state hash than it says");
    }
    return error;
}

int tool_try_snapshot(tool *t, unsigned shard, uint64_t sequence, unsigned trades, books *b,
                      snapshot_head *head, char *error, size_t error_size)
{
    uint64_t done, all;
    snapshot_reader *in =
        snapshot_open(&t->dir, shard, sequence, tool_pace(t), head, error, error_size);
    if (in == NULL) {
        return MATCHING_EXIT_USAGE;
    }
    snapshot_progress(in, &done, &all);
    tool_progress(t, shard, "reading the snapshot", done, all);
    int failed = books_init(b, &head->limits, trades);
    if (failed != 0) {
        snapshot_close(in);
        snprintf(error, error_size, "no memory for the books: %s", strerror(-failed));
        return MATCHING_EXIT_RUN;
    }
    bool loaded = load(t, shard, in, head, b, error, error_size) == NULL;
    snapshot_progress(in, &done, &all);
    tool_progress(t, shard, "reading the snapshot", done, all);
    snapshot_close(in);
    if (!loaded) {
        books_fini(b);
    }
    return loaded ? 0 : MATCHING_EXIT_USAGE;
}

bool tool_snapshot_was_removed(const tool *t, unsigned shard, uint64_t sequence)
{
    char path[DATA_DIR_PATH_SIZE];
    return t->live && data_dir_snapshot_path(&t->dir, shard, sequence, path) &&
           access(path, F_OK) != 0 && errno == ENOENT;
}

int tool_load_snapshot(tool *t, unsigned shard, uint64_t until, unsigned trades, books *b,
                       snapshot_head *head, bool *loaded)
{
    char error[TOOL_TEXT_SIZE] = "";
    uint64_t *sequences = NULL;
    long count = data_dir_list(&t->dir, shard, DATA_DIR_SNAPSHOT, &sequences);
    int code = 0;
    *loaded = false;
    if (count < 0) {
        return tool_tell(t, MATCHING_EXIT_USAGE, shard, "its folder cannot be read: %s",
                         strerror((int)-count));
    }
    for (long at = count; at-- > 0 && code != MATCHING_EXIT_RUN && !*loaded;) {
        if (sequences[at] <= until) {
            code = tool_try_snapshot(t, shard, sequences[at], trades, b, head, error, sizeof error);
            *loaded = code == 0;
            if (code == MATCHING_EXIT_USAGE && tool_snapshot_was_removed(t, shard, sequences[at])) {
                code = MATCHING_EXIT_RUN;
                snprintf(error, sizeof error, "%s", TOOL_OVERTAKEN);
            }
            if (code != 0) {
                tool_tell(t, code, shard, "%s", error);
            }
        }
    }
    free(sequences);
    return code == MATCHING_EXIT_RUN ? code : 0;
}

/* ---- The frame ------------------------------------------------------------------------------- */

static int open_directory(tool *t)
{
    char error[TOOL_TEXT_SIZE];
    const char *path = t->options->dir;
    int failed = data_dir_open_read_only(&t->dir, path, error, sizeof error);
    if (failed == 0 && t->options->tool == MATCHING_TOOL_SNAPSHOT) {
        data_dir_close(&t->dir);
        failed = data_dir_open(&t->dir, path, 0, 0, error, sizeof error);
    }
    if (failed != 0) {
        fprintf(stderr, "matching: %s\n", error);
        return failed == -EBUSY ? MATCHING_EXIT_RUN : MATCHING_EXIT_USAGE;
    }
    if (t->options->shard >= (int)t->dir.shards) {
        fprintf(stderr, "matching: --shard %d: %s has shards 0 to %u\n", t->options->shard, path,
                t->dir.shards - 1);
        data_dir_close(&t->dir);
        return MATCHING_EXIT_USAGE;
    }
    return 0;
}

static int run_shards(tool *t)
{
    static int (*const tools[MATCHING_TOOL_COUNT])(tool *, unsigned) = {
        [MATCHING_TOOL_VERIFY] = tool_verify,
        [MATCHING_TOOL_DUMP] = tool_dump,
        [MATCHING_TOOL_REPLAY] = tool_replay,
        [MATCHING_TOOL_SNAPSHOT] = tool_snapshot,
    };
    int worst = 0;
    for (unsigned shard = 0; shard < t->dir.shards; shard++) {
        if (t->options->shard < 0 || t->options->shard == (int)shard) {
            int code = tools[t->options->tool](t, shard);
            worst = code > worst ? code : worst;
        }
    }
    progress_end(&t->progress);
    return worst;
}

int tools_run(const matching_tool_options *options)
{
    static tool t;
    t = (tool){.options = options, .dir = {.lock_fd = -1}};
    progress_init(&t.progress, stderr);
    t.is_quiet = options->tool == MATCHING_TOOL_DUMP && isatty(STDOUT_FILENO);
    if (options->tool == MATCHING_TOOL_STORE_REBUILD) {
        return tool_store_rebuild(&t);
    }
    int code = open_directory(&t);
    if (code != 0) {
        return code;
    }
    t.live = options->tool != MATCHING_TOOL_SNAPSHOT && data_dir_is_in_use(t.dir.path);
    code = run_shards(&t);
    data_dir_close(&t.dir);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
        fprintf(stderr, "matching: the output cannot be written: %s\n", strerror(errno));
        return MATCHING_EXIT_RUN;
    }
    return code;
}
