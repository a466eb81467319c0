/* See storage.h; and what the outside may ask of the journals: health and snapshots. */
#include "shard/storage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "metrics/recorder.h"
#include "shard/gate.h"
#include "shard/recovery.h"
#include "shard/snapshots.h"

#define USUAL_RECORD 128u /* bytes in a journal, rather more than less */

__attribute__((format(printf, 4, 5))) static int fail(char *error, size_t error_size, int code,
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error, error_size, format, arguments);
    va_end(arguments);
    return code;
}

__attribute__((format(printf, 2, 3))) static void tell(const matching_core *core,
                                                       const char *format, ...)
{
    char line[1200];
    if (core->options.on_note == NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    core->options.on_note(core->options.progress_context, line);
}

int storage_open(matching_core *core, char *error, size_t error_size)
{
    core->dir.lock_fd = -1;
    if (core->options.data_dir == NULL) {
        if (core->options.shards == 0) {
            core->options.shards = core_default_shards();
        }
        return 0;
    }
    int failed = data_dir_open(&core->dir, core->options.data_dir, core->options.shards,
                               core_default_shards(), error, error_size);
    if (failed == 0) {
        core->options.shards = core->dir.shards;
    }
    /* Not ours, of another version, or made with another number of shards: it stays so. */
    bool is_final = failed == -EINVAL || failed == -EPROTO || failed == -ENOTEMPTY;
    return is_final ? -EBADMSG : failed;
}

/* ---- One shard ------------------------------------------------------------------------------- */

static void on_progress(void *context, unsigned number, const char *what, double fraction)
{
    const matching_core *core = context;
    if (core->options.on_progress != NULL) {
        core->options.on_progress(core->options.progress_context, number, what, fraction);
    }
}

/* Ids, slots and refusals hang on these: another value would be another history. */
static int check_limits(const matching_core *core, const shard *s, char *error, size_t error_size)
{
    matching_engine_limits wanted = core_limits(core, s->number);
    const matching_engine_limits *had = &s->books.limits;
    const struct {
        const char *key;
        uint64_t wanted, had;
    } pairs[] = {
        {"max_orders", wanted.max_orders, had->max_orders},
        {"max_levels", wanted.max_levels, had->max_levels},
        {"max_traders", wanted.max_traders, had->max_traders},
        {"retained_orders", wanted.retained_orders, had->retained_orders},
        {"max_instruments", wanted.instruments, had->instruments},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (pairs[i].wanted != pairs[i].had) {
            return fail(error, error_size, -EBADMSG,
                        "%.300s was made with engine.%s = %" PRIu64 ", the configuration says "
                        "%" PRIu64 ": set it to %" PRIu64 ", or name another --data-dir",
                        core->dir.path, pairs[i].key, pairs[i].had, pairs[i].wanted, pairs[i].had);
        }
    }
    return 0;
}

static void tell_recovered(const matching_core *core, const shard *s, const recovery_result *result,
                           uint64_t took_ns)
{
    char from[64] = "";
    if (result->snapshot_sequence != 0) {
        snprintf(from, sizeof from, "snapshot %" PRIu64 " and ", result->snapshot_sequence);
    }
    if (result->skipped[0] != 0) {
        tell(core, "warn: shard %u: a snapshot was passed over: %s", s->number, result->skipped);
    }
    if (result->end == JOURNAL_TORN) {
        tell(core,
             "warn: shard %u: the journal ends in what was never acknowledged, which is cut off: "
             "%s",
             s->number, result->trouble);
    }
    tell(core,
         "recovered shard %u: %s%" PRIu64 " commands up to %" PRIu64 " in %.3f s, state hash "
         "%016" PRIx64,
         s->number, from, result->commands, s->books.sequence, (double)took_ns / 1e9,
         matching_engine_hash(s->books.engine));
}

static int open_journal(matching_core *core, shard *s, const journal_position *end, char *error,
                        size_t error_size)
{
    const matching_core_options *options = &core->options;
    /* With one processor the flusher is no help; with more it writes while the shard works. */
    size_t few = (size_t)options->serve_max * USUAL_RECORD;
    journal_options wanted = {.sync = options->sync,
                              .write_here_bytes = few,
                              .sync_interval_ms = options->sync_interval_ms,
                              .segment_bytes = options->segment_bytes,
                              .on_safe = gate_on_safe,
                              .on_room = gate_on_room,
                              .on_failed = gate_on_failed,
                              .on_sealed = snapshots_on_sealed,
                              .on_warning = gate_on_warning,
                              .metrics = s->metrics != NULL ? &s->metrics->journal : NULL,
                              .context = s};
    s->journal = journal_open(&core->dir, s->number, end, &wanted, error, error_size);
    return s->journal != NULL ? 0 : -EIO;
}

/* Numbers and journals a command that the start brings about, and applies it. */
static void enter(shard *s, matching_command *command)
{
    uint64_t now = matching_unix_ns();
    command->sequence = s->books.sequence + 1;
    command->time_ns = now > s->books.time_ns ? now : s->books.time_ns;
    if (!journal_has_room(s->journal)) {
        journal_hand_over(s->journal);
        journal_wait(s->journal); /* then there is, or it has failed and takes nothing */
    }
    journal_append(s->journal, command);
    books_replay(&s->books, command, NULL);
}

static int begin_books(matching_core *core, shard *s, char *error, size_t error_size)
{
    matching_engine_limits limits = core_limits(core, s->number);
    int failed = books_init(&s->books, &limits, core->options.recent_trades);
    if (failed != 0) {
        return fail(error, error_size, failed,
                    "shard %u cannot have its memory (%s): lower engine.max_orders, max_levels or "
                    "max_traders",
                    s->number, strerror(-failed));
    }
    return 0;
}

static void enter_limits(shard *s)
{
    const matching_engine_limits *limits = &s->books.limits;
    matching_command command = {.type = MATCHING_SET_LIMITS,
                                .price_ticks = (int64_t)limits->max_orders,
                                .quantity_lots = (int64_t)limits->max_levels,
                                .display_lots = (int64_t)limits->max_traders,
                                .stop_price_ticks = (int64_t)limits->retained_orders,
                                .instrument_id = limits->instruments};
    enter(s, &command);
}

/* What a shard's recovery found. */
typedef struct found {
    recovery_result result;
    uint64_t took_ns;
    bool is_new; /* it has no command yet */
} found;

/* Builds the shard's books; nothing is written. */
static int recover_shard(matching_core *core, shard *s, found *f, char *error, size_t error_size)
{
    recovery_options options = {.recent_capacity = core->options.recent_trades,
                                .on_progress = on_progress,
                                .context = core};
    uint64_t begun_ns = matching_monotonic_ns();
    int failed =
        books_recover(&s->books, &core->dir, s->number, &options, &f->result, error, error_size);
    f->is_new = failed == -ENOENT;
    f->took_ns = matching_monotonic_ns() - begun_ns;
    if (f->is_new) {
        return begin_books(core, s, error, error_size);
    }
    return failed == 0 ? check_limits(core, s, error, error_size) : failed;
}

/* So that its age is known from the start. */
static void note_snapshot_age(matching_core *core, shard *s, uint64_t sequence)
{
    char path[DATA_DIR_PATH_SIZE];
    struct stat file;
    if (s->metrics != NULL && sequence != 0 &&
        data_dir_snapshot_path(&core->dir, s->number, sequence, path) && stat(path, &file) == 0) {
        uint64_t made_ns = (uint64_t)file.st_mtim.tv_sec * 1000000000u;
        atomic_store_explicit(&s->metrics->snapshot_ns, made_ns, memory_order_relaxed);
    }
}

/* The journal goes on where it ended; the start's own commands come first. */
static int continue_shard(matching_core *core, shard *s, const found *f, char *error,
                          size_t error_size)
{
    int failed = 0;
    if (f->result.end == JOURNAL_TORN) {
        failed = journal_cut(&core->dir, s->number, &f->result.position, error, error_size);
    }
    if (failed == 0 && !f->is_new) {
        tell_recovered(core, s, &f->result, f->took_ns);
    }
    if (failed == 0) {
        s->snapshot_due = f->result.snapshot_sequence + core->options.snapshot_every;
        snapshots_note_found(core->snapshots, s->number, f->result.snapshot_sequence);
        note_snapshot_age(core, s, f->result.snapshot_sequence);
        failed = open_journal(core, s, &f->result.position, error, error_size);
    }
    if (failed == 0 && f->is_new) {
        enter_limits(s);
    } else if (failed == 0 && matching_engine_has_guarded(s->books.engine)) {
        /* Their connections ended with the process that served them. */
        matching_command command = {.type = MATCHING_CANCEL_GUARDED,
                                    .reason = MATCHING_REASON_DISCONNECT};
        enter(s, &command);
    }
    return failed;
}

/* ---- The instruments ------------------------------------------------------------------------- */

static int restore_instruments(matching_core *core, char *error, size_t error_size)
{
    for (unsigned n = 0; n < core->shard_count; n++) {
        const books *b = &core->shards[n].books;
        for (unsigned i = 0; i < b->instrument_end; i++) {
            if (b->instruments[i].symbol[0] != 0 &&
                !core_restore_instrument(core, &b->instruments[i], b->states[i])) {
                return fail(error, error_size, -EBADMSG,
                            "%.300s: the shards do not agree on instrument %u (%s)", core->dir.path,
                            i, b->instruments[i].symbol);
            }
        }
    }
    return 0;
}

/* The configured instrument is there already: it must be the same one. */
static int check_instrument(const matching_core *core, const matching_instrument_options *wanted,
                            const matching_instrument *had, char *error, size_t error_size)
{
    const char *what = wanted->tick_size != had->tick_size        ? "tick_size"
                       : wanted->lot_size != had->lot_size        ? "lot_size"
                       : wanted->id != 0 && wanted->id != had->id ? "id"
                       : wanted->sbe_char != had->sbe_char        ? "sbe_char"
                                                                  : NULL;
    if (what == NULL) {
        return 0;
    }
    return fail(error, error_size, -EBADMSG,
                "symbol.%s: its %s is not the one that %.300s was made with: set it as it was, or "
                "name another --data-dir",
                had->symbol, what, core->dir.path);
}

/* What the configuration brings beyond what is there: it comes in as what is added at run time. */
typedef struct additions {
    matching_command *commands;
    size_t count;
} additions;

static int plan_addition(matching_core *core, const matching_instrument_options *wanted,
                         additions *planned, char *error, size_t error_size)
{
    matching_command command = {.type = MATCHING_ADD_INSTRUMENT,
                                .price_ticks = wanted->tick_size,
                                .quantity_lots = wanted->lot_size,
                                .instrument_id = wanted->id,
                                .sbe_char = wanted->sbe_char,
                                .state = MATCHING_TRADING};
    matching_field field;
    memcpy(command.symbol, wanted->symbol, strnlen(wanted->symbol, MATCHING_SYMBOL_MAX));
    if (core_reserve_instrument(core, &command, &field) != MATCHING_OK) {
        return fail(error, error_size, -EBADMSG,
                    "symbol.%.16s cannot be added to %.300s: its name, id or letter is another's, "
                    "or engine.max_instruments is reached",
                    wanted->symbol, core->dir.path);
    }
    planned->commands[planned->count++] = command;
    return 0;
}

/* Compares the configured instruments with those that are there. Nothing is written. */
static int plan_additions(matching_core *core, additions *planned, char *error, size_t error_size)
{
    const matching_core_options *options = &core->options;
    bool has_some = matching_core_instrument_count(core) > 0;
    if (has_some && options->instruments_are_defaults && core->dir.is_begun) {
        return 0; /* nobody asked for them, and the directory has its own */
    }
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < options->instrument_count; i++) {
        const matching_instrument_options *wanted = &options->instruments[i];
        const matching_instrument *had = matching_core_find_instrument(
            core, wanted->symbol, strnlen(wanted->symbol, sizeof wanted->symbol));
        failed = had != NULL ? check_instrument(core, wanted, had, error, error_size)
                             : plan_addition(core, wanted, planned, error, error_size);
    }
    return failed;
}

static void enter_additions(matching_core *core, const additions *planned)
{
    for (size_t i = 0; i < planned->count; i++) {
        matching_command *command = &planned->commands[i];
        enter(&core->shards[core_shard_of(core, command->symbol)], command);
        core_list_instrument(core, command->instrument);
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* Nothing may leave before what the start brought about is safe. */
static int make_durable(matching_core *core, char *error, size_t error_size)
{
    for (unsigned i = 0; i < core->shard_count; i++) {
        shard *s = &core->shards[i];
        journal_hand_over(s->journal);
        if (!journal_wait(s->journal)) {
            return fail(error, error_size, -EIO, "shard %u: %s", i, journal_failure(s->journal));
        }
        atomic_store(&s->durable_sequence, s->books.sequence);
    }
    return 0;
}

/* All that may refuse the start looks first, and writes nothing; only then is anything changed. */
static int recover(matching_core *core, found *shards, additions *planned, char *error,
                   size_t error_size)
{
    int failed = 0;
    for (unsigned i = 0; failed == 0 && i < core->shard_count; i++) {
        failed = recover_shard(core, &core->shards[i], &shards[i], error, error_size);
    }
    if (failed == 0) {
        failed = restore_instruments(core, error, error_size);
    }
    if (failed == 0) {
        failed = plan_additions(core, planned, error, error_size);
    }
    if (failed == 0) {
        failed = data_dir_remove_unfinished(&core->dir, error, error_size);
    }
    for (unsigned i = 0; failed == 0 && i < core->shard_count; i++) {
        failed = continue_shard(core, &core->shards[i], &shards[i], error, error_size);
    }
    if (failed == 0) {
        enter_additions(core, planned);
        failed = make_durable(core, error, error_size);
    }
    if (failed == 0 && !core->dir.is_begun) {
        failed = data_dir_note_begun(&core->dir, error, error_size);
    }
    return failed;
}

int storage_recover(matching_core *core, char *error, size_t error_size)
{
    core->snapshots = snapshots_start(core);
    if (core->snapshots == NULL) {
        return fail(error, error_size, -ENOMEM, "no memory or thread for snapshots");
    }
    found *shards = calloc(core->shard_count, sizeof *shards);
    additions planned = {.commands =
                             calloc(core->options.instrument_count + 1, sizeof *planned.commands)};
    int failed = shards == NULL || planned.commands == NULL
                     ? fail(error, error_size, -ENOMEM, "out of memory")
                     : recover(core, shards, &planned, error, error_size);
    free(shards);
    free(planned.commands);
    return failed;
}

void storage_start(matching_core *core)
{
    if (core->snapshots != NULL) {
        snapshots_allow_removal(core->snapshots);
    }
}

void storage_close(matching_core *core, bool clean)
{
    if (core->options.data_dir == NULL) {
        return;
    }
    if (core->snapshots != NULL) {
        snapshots_stop(core->snapshots);
    }
    for (unsigned i = 0; i < core->shard_count; i++) {
        shard *s = &core->shards[i];
        if (s->journal == NULL) {
            continue;
        }
        if (clean && !gate_has_failed(s) && matching_engine_has_guarded(s->books.engine)) {
            matching_command command = {.type = MATCHING_RELEASE_GUARDS};
            enter(s, &command);
        }
        journal_hand_over(s->journal);
        journal_close(s->journal); /* what it could not keep it has told */
        s->journal = NULL;
    }
    if (core->snapshots != NULL) {
        snapshots_free(core->snapshots);
        core->snapshots = NULL;
    }
    if (core->history != NULL) {
        core->history->stop(core->history);
        core->history = NULL;
    }
    data_dir_close(&core->dir);
    core->options.data_dir = NULL;
}

/* ---- What the outside asks ------------------------------------------------------------------- */

bool matching_core_shard_is_healthy(const matching_core *core, unsigned number, char *why,
                                    size_t why_size)
{
    const shard *s = &core->shards[number];
    if (!gate_has_failed(s)) {
        if (why_size > 0) {
            why[0] = '\0';
        }
        return true;
    }
    /* Where the directory is, is nobody's business outside; the log has the whole path. */
    const char *failure = s->journal != NULL ? journal_failure(s->journal) : "it was closed";
    size_t length = strlen(core->dir.path);
    bool inside = strncmp(failure, core->dir.path, length) == 0 && failure[length] == '/';
    snprintf(why, why_size, "%s", inside ? failure + length + 1 : failure);
    return false;
}

bool matching_core_is_healthy(const matching_core *core, char *why, size_t why_size)
{
    char reason[160];
    for (unsigned i = 0; i < core->shard_count; i++) {
        if (!matching_core_shard_is_healthy(core, i, reason, sizeof reason)) {
            snprintf(why, why_size, "shard %u: %s", i, reason);
            return false;
        }
    }
    if (why_size > 0) {
        why[0] = '\0';
    }
    return true;
}

const char *matching_core_shard_warning(const matching_core *core, unsigned number)
{
    const shard *s = &core->shards[number];
    const char *warning = atomic_load(&s->warning);
    return warning == NULL || gate_has_failed(s) ? "" : warning;
}

matching_code matching_core_request_snapshot(matching_core *core, uint64_t *ticket)
{
    *ticket = 0;
    if (core->snapshots == NULL) {
        return MATCHING_INVALID_PARAMETER; /* a core in memory has nothing to take a snapshot of */
    }
    *ticket = snapshots_request(core->snapshots);
    return MATCHING_OK;
}

bool matching_core_snapshot_done(matching_core *core, uint64_t ticket,
                                 matching_snapshot_result *results)
{
    if (core->snapshots == NULL) {
        for (unsigned i = 0; i < core->shard_count; i++) {
            results[i] = (matching_snapshot_result){0, true};
        }
        return true;
    }
    return snapshots_done(core->snapshots, ticket, results);
}
