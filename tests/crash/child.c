/* Lives a life (life.h): recovers, says what it found, sends what was planned, notes what comes
 * back in the log the moment it comes, and stops, or goes on until it is killed.
 *
 *   crash_child FD     the descriptor of the life's memory
 *
 * On stdout: "told" once so many answers have come. Exit codes: 0 stopped cleanly, 2 the core
 * refused to start, 3 this program is at its wits' end. The life's log has more.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "crash/life.h"
#include "journal/checksum.h"
#include "matching/history.h"
#include "shard/core_internal.h"

#define EXIT_REFUSED 2
#define EXIT_STUCK 3
#define REPLY_DEADLINE_MS 40000
#define IDLE_DEADLINE_MS 120000   /* for work of the lowest priority */
#define STORE_MEMORY (512u << 10) /* so little that files are written often */

typedef struct living {
    life *l;
    matching_core *core;
    matching_port *port;
    int wake_fd;
    unsigned sent;
    uint64_t ticket; /* of the snapshot that was asked for */
} living;

_Noreturn static void give_up(const char *what)
{
    fprintf(stderr, "crash_child: %s\n", what);
    exit(EXIT_STUCK);
}

/* ---- Removed segments are kept elsewhere ----------------------------------------------------- */

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

static const life *archived; /* whose segments */

/* DIR/shard-00/x.journal goes to ARCHIVE/shard-00/x.journal, complete or not at all. */
static void keep_copy(const char *path)
{
    static _Thread_local char bytes[1 << 16];
    char to[LIFE_PATH_SIZE + 96], unfinished[LIFE_PATH_SIZE + 104];
    const char *name = path + strlen(archived->folder);
    snprintf(to, sizeof to, "%s%s", archived->archive, name);
    snprintf(unfinished, sizeof unfinished, "%s.part", to);
    int in = open(path, O_RDONLY | O_CLOEXEC);
    int out = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    ssize_t got = in < 0 || out < 0 ? -1 : read(in, bytes, sizeof bytes);
    while (got > 0 && write(out, bytes, (size_t)got) == got) {
        got = read(in, bytes, sizeof bytes);
    }
    if (got != 0 || close(in) != 0 || close(out) != 0 || __real_rename(unfinished, to) != 0) {
        give_up("a segment that is removed cannot be kept");
    }
}

/* It loses its name first. */
int __wrap_rename(const char *from, const char *to)
{
    size_t length = strlen(from), folder = strlen(archived->folder);
    if (strncmp(from, archived->folder, folder) == 0 && length > 8 &&
        strcmp(from + length - 8, ".journal") == 0) {
        keep_copy(from);
    }
    return __real_rename(from, to);
}

/* ---- What comes back ------------------------------------------------------------------------- */

static void on_reply(void *context, const matching_reply *reply)
{
    living *it = context;
    life *l = it->l;
    life_step *step = &l->steps[reply->tag];
    step->field = reply->field;
    step->has_order = reply->has_order;
    step->code = reply->code;
    step->shard = reply->shard;
    step->sequence = reply->sequence;
    step->digest = life_digest(reply);
    atomic_store(&step->state, STEP_ANSWERED);
    if (atomic_fetch_add(&l->answered, 1) + 1 == l->tell_after) {
        puts("told");
        fflush(stdout);
    }
}

/* Only the low half of a sequence comes along; no life here is longer. */
static void on_event(void *context, unsigned number, uint64_t position, const matching_event *event,
                     const matching_order *order)
{
    life *l = ((living *)context)->l;
    (void)position;
    (void)order;
    l->last_event[number] = event->sequence_low;
    if (event->kind == MATCHING_EVENT_TRADE) {
        unsigned at = atomic_load(&l->trade_count);
        if (at == LIFE_TRADES_MAX) {
            give_up("more trades than the log has room for");
        }
        l->trades[at] = (life_trade){.shard = number, .event = *event};
        atomic_store(&l->trade_count, at + 1);
    }
}

static void on_lapped(void *context, unsigned number)
{
    (void)number;
    ((living *)context)->l->lapped++;
}

static void wake(void *context)
{
    uint64_t one = 1;
    ssize_t written = write(((living *)context)->wake_fd, &one, sizeof one);
    (void)written; /* a full counter has woken it already */
}

/* ---- A life ---------------------------------------------------------------------------------- */

static void on_note(void *context, const char *line)
{
    life *l = context;
    if (strstr(line, "passed over") != NULL) {
        snprintf(l->passed_over, sizeof l->passed_over, "%s", line);
    } else if (strstr(line, "cut off") != NULL) {
        snprintf(l->trouble, sizeof l->trouble, "%s", line);
    }
}

static void create_core(living *it)
{
    static matching_instrument_options instruments[LIFE_SYMBOLS];
    life *l = it->l;
    for (unsigned i = 0; i < LIFE_SYMBOLS; i++) {
        instruments[i] = (matching_instrument_options){
            .id = i + 1, .tick_size = life_tick_size(i), .lot_size = life_lot_size(i)};
        snprintf(instruments[i].symbol, sizeof instruments[i].symbol, "%s", life_symbol(i));
    }
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = LIFE_SYMBOLS;
    options.max_instruments = LIFE_SYMBOLS_MAX;
    options.shards = l->shards;
    options.ring_size = 256;
    options.event_ring_size = 1 << 16; /* what a window of takers sets off, and more */
    options.max_orders = l->max_orders;
    options.max_levels = l->max_levels;
    options.max_traders = l->max_traders;
    options.retained_orders = l->retained_orders;
    options.recent_trades = 50;
    options.spin_us = 0;
    options.data_dir = l->folder;
    options.sync = l->sync;
    options.sync_interval_ms = l->sync_interval_ms;
    options.segment_bytes = l->segment_bytes;
    options.snapshot_every = l->snapshot_every;
    options.on_note = on_note;
    options.progress_context = l;
    it->core = matching_core_create(&options, l->error, sizeof l->error);
    if (it->core == NULL) {
        atomic_store(&l->stage, LIFE_REFUSED);
        exit(EXIT_REFUSED);
    }
}

static void keep_history(living *it)
{
    life *l = it->l;
    matching_history_options options;
    matching_history_options_default(&options);
    if (!l->lingers) {
        options.memory_bytes =
            STORE_MEMORY; /* else they are written because the journal wants it */
    }
    if (l->has_history &&
        matching_history_attach(it->core, &options, l->error, sizeof l->error) != 0) {
        atomic_store(&l->stage, LIFE_REFUSED);
        exit(EXIT_REFUSED);
    }
}

static bool add_checksum(void *context, const void *bytes, size_t size)
{
    uint32_t *checksum = context;
    *checksum = checksum_crc32c(*checksum, bytes, size);
    return true;
}

static void tell_recovered(living *it)
{
    life *l = it->l;
    for (unsigned i = 0; i < l->shards; i++) {
        const books *b = &it->core->shards[i].books;
        matching_state_output output = {.write = add_checksum,
                                        .context = &l->recovered[i].checksum};
        l->recovered[i].sequence = b->sequence;
        l->recovered[i].state_hash = matching_engine_hash(b->engine);
        books_save(b, &output);
    }
    atomic_store(&l->stage, LIFE_RECOVERED);
}

/* False: no room now. A step whose instrument is not there yet is left out. */
static bool send(living *it, unsigned number)
{
    life_step *step = &it->l->steps[number];
    matching_command *command = &step->command;
    const char *symbol = life_symbol(step->symbol);
    const matching_instrument *instrument =
        matching_core_find_instrument(it->core, symbol, strlen(symbol));
    if (command->type != MATCHING_ADD_INSTRUMENT) {
        if (instrument == NULL) {
            return true;
        }
        command->instrument = instrument->index;
    }
    if (command->expire_time_ms != 0) {
        command->expire_time_ms = matching_unix_ns() / 1000000 + (uint64_t)step->expire_in_ms;
    }
    command->tag = number;
    if (command->type >= MATCHING_READ_ORDER) {
        command->source = MATCHING_SOURCE_MEMORY; /* of what the truth keeps too */
    }
    atomic_store(&step->state, STEP_SENT);
    if (matching_port_submit(it->port, command) != MATCHING_OK) {
        atomic_store(&step->state, STEP_PLANNED);
        return false;
    }
    return true;
}

static void sleep_until_woken(living *it)
{
    struct pollfd descriptor = {.fd = it->wake_fd, .events = POLLIN};
    uint64_t count;
    int ready = poll(&descriptor, 1, REPLY_DEADLINE_MS);
    if (ready == 0) {
        give_up("a reply does not come");
    }
    if (ready == 1 && read(it->wake_fd, &count, sizeof count) != sizeof count) {
        give_up("the eventfd cannot be read");
    }
}

static void ask_for_snapshot(living *it)
{
    if (it->ticket == 0 && atomic_load(&it->l->answered) >= it->l->snapshot_at) {
        matching_core_request_snapshot(it->core, &it->ticket);
    }
}

/* All steps before this one, with their replies. */
static void run(living *it, unsigned end)
{
    life *l = it->l;
    while (it->sent < end || matching_port_in_flight(it->port) > 0) {
        while (it->sent < end && matching_port_in_flight(it->port) < l->window &&
               send(it, it->sent)) {
            it->sent++;
        }
        matching_port_flush(it->port);
        while (matching_port_poll(it->port, 0)) {
        }
        ask_for_snapshot(it);
        if (matching_port_in_flight(it->port) > 0 && matching_port_sleep(it->port)) {
            sleep_until_woken(it);
        }
    }
    while (matching_port_poll(it->port, 0)) {
    }
}

/* Of the one that was asked for, if any was. At the lowest priority it takes as long as others
 * leave it. */
static void await_snapshot(living *it)
{
    matching_snapshot_result results[MATCHING_SHARDS_MAX];
    uint64_t deadline = matching_monotonic_ns() + IDLE_DEADLINE_MS * 1000000ull;
    while (it->ticket != 0 && !matching_core_snapshot_done(it->core, it->ticket, results)) {
        if (matching_monotonic_ns() > deadline) {
            give_up("a snapshot does not come");
        }
        poll(NULL, 0, 1);
    }
}

/* And what it makes superfluous is gone: the next one only comes after that. */
static void snapshot_and_remove(living *it)
{
    for (unsigned i = 0; i < 2; i++) {
        matching_core_request_snapshot(it->core, &it->ticket);
        await_snapshot(it);
    }
}

static bool is_behind(const living *it)
{
    bool behind = false;
    for (unsigned i = 0; i < it->l->shards; i++) {
        matching_history_progress p = matching_core_history_progress(it->core, i);
        behind = behind || (p.state != MATCHING_HISTORY_STATE_FAILED && p.lag > 0);
    }
    return behind;
}

/* The first half's removal asks the history for files, which it writes with the next commands that
 * it takes in; the second half's then goes by them. */
static void free_journal(living *it)
{
    uint64_t deadline = matching_monotonic_ns() + IDLE_DEADLINE_MS * 1000000ull;
    run(it, it->l->step_count / 2);
    snapshot_and_remove(it);
    run(it, it->l->step_count);
    while (is_behind(it)) {
        if (matching_monotonic_ns() > deadline) {
            give_up("the history does not come along");
        }
        poll(NULL, 0, 1);
    }
    snapshot_and_remove(it);
}

/* Before anything is stopped. A disk that has just failed is noticed within the deadline, if it is
 * to be noticed at all. */
static void note_health(living *it)
{
    life *l = it->l;
    const char *report = getenv("FAULT_SHIM_REPORT");
    uint64_t deadline = matching_monotonic_ns() + l->notice_ms * 1000000ull;
    l->had_fault = report != NULL && access(report, F_OK) == 0;
    while (l->had_fault && matching_core_is_healthy(it->core, l->why[0], sizeof l->why[0]) &&
           matching_monotonic_ns() < deadline) {
        sched_yield();
    }
    for (unsigned i = 0; i < l->shards; i++) {
        l->failed[i] = !matching_core_shard_is_healthy(it->core, i, l->why[i], sizeof l->why[i]);
    }
}

int main(int argc, char **argv)
{
    living it = {.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    const matching_port_handlers handlers = {
        .on_reply = on_reply, .on_event = on_event, .on_lapped = on_lapped, .wake = wake};
    if (argc != 2) {
        give_up("usage: crash_child FD");
    }
    it.l = life_map(atoi(argv[1]));
    archived = it.l;
    create_core(&it);
    tell_recovered(&it);
    keep_history(&it);
    it.port = matching_port_create(it.core, &handlers, &it);
    if (it.port == NULL || matching_core_start(it.core, it.l->error, sizeof it.l->error) != 0) {
        give_up("the core does not start");
    }
    if (it.l->frees_journal) {
        free_journal(&it);
    }
    run(&it, it.l->step_count);
    if (it.l->sees_snapshot) {
        ask_for_snapshot(&it);
        await_snapshot(&it);
    }
    if (it.l->tell_after > it.l->step_count) {
        puts("told"); /* there are no more answers to wait for */
        fflush(stdout);
    }
    while (it.l->lingers) {
        pause();
    }
    note_health(&it);
    matching_port_close(it.port);
    matching_core_stop(it.core);
    matching_core_destroy(it.core);
    atomic_store(&it.l->stage, LIFE_STOPPED);
    return EXIT_SUCCESS;
}
