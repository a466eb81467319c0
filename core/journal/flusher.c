/* The flusher's thread: writes what was handed over, makes it safe, and tells. Where nobody waits
 * for the disk, the shard does a small write itself while this thread sleeps: waking it takes
 * longer.
 *
 * Invariants: a claim is written only for what a sync that returned well has covered; a segment is
 * left only when all of it is on disk; after a failure nothing is written, synced or told any more.
 * All callbacks are made with `flushing` held, so none comes after on_failed but on_room, which
 * frees a shard that waits.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "journal/codec.h"
#include "journal/writer_internal.h"
#include "matching/probes.h"
#include "metrics/recorder.h"

/* With nothing to do for so long, what is on disk is claimed, though no write follows: a reader
 * beside us sees it, and damage to it will never be taken for a torn tail. */
#define IDLE_CLAIM_NS 100000000ull

void journal_fail(journal *j, int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(j->failure, sizeof j->failure, format, arguments);
    va_end(arguments);
    j->failure_code = code;
    atomic_store(&j->failed, true);
    atomic_store(&j->preparer_stopping, true);
    doorbell_ring(&j->preparer_bell);
    if (j->options.on_failed != NULL) {
        j->options.on_failed(j->options.context, j->failure);
    }
}

static void fail_at(journal *j, int code, const char *what)
{
    char path[DATA_DIR_PATH_SIZE] = "";
    data_dir_journal_path(j->dir, j->shard, j->present.first_sequence, path);
    journal_fail(j, code, "%s: %s at byte %llu: %s", path, what,
                 (unsigned long long)j->present.offset, strerror(-code));
}

static bool has_failed(const journal *j)
{
    return atomic_load_explicit(&j->failed, memory_order_relaxed);
}

static void tell_safe(journal *j, uint64_t sequence)
{
    if (sequence == atomic_load_explicit(&j->safe, memory_order_relaxed)) {
        return;
    }
    atomic_store_explicit(&j->safe, sequence, memory_order_release);
    if (j->options.on_safe != NULL) {
        j->options.on_safe(j->options.context, sequence);
    }
}

static void tell_room(journal *j)
{
    if (atomic_load(&j->room_wanted) && atomic_exchange(&j->room_wanted, false) &&
        j->options.on_room != NULL) {
        j->options.on_room(j->options.context);
    }
}

static void tell_waiters(journal *j)
{
    if (atomic_load(&j->waiters) != 0) {
        pthread_mutex_lock(&j->mutex);
        pthread_cond_broadcast(&j->changed);
        pthread_mutex_unlock(&j->mutex);
    }
}

/* All that is written gets on disk. */
static void sync_written(journal *j)
{
    uint64_t began_ns = journal_monotonic_ns();
    MATCHING_PROBE2(sync_begin, j->shard, j->written);
    int code = segment_sync(j->present.fd);
    if (code < 0) {
        fail_at(j, code, "syncing");
        return;
    }
    MATCHING_PROBE2(sync_end, j->shard, j->written);
    journal_metrics_synced(j->options.metrics, journal_monotonic_ns() - began_ns);
    j->dirty_since_ns = 0;
    j->is_synced = true;
    j->durable = j->written;
    tell_safe(j, j->durable);
    atomic_store(&j->synced, j->taken);
    tell_waiters(j);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static uint64_t room_in_segment(const journal *j)
{
    uint64_t kept = j->present.offset + SEGMENT_RESERVE;
    return kept < j->present.size ? j->present.size - kept : 0;
}

/* A claim alone may use what the segment keeps for it. */
static bool has_room_for_claim(const journal *j)
{
    return j->present.offset + SEGMENT_RESERVE <= j->present.size;
}

/* Links the records from `taken` on into the chain, as many as fit a write and the segment. Returns
 * where they end; `end` is at most what was handed over. */
static uint64_t seal_records(journal *j, uint64_t end, uint64_t room)
{
    uint64_t most = byte_ring_size(&j->ring) / 2; /* the shard fills the other half meanwhile */
    uint64_t at = j->taken;
    while (at < end && at - j->taken < most) {
        journal_record *record = byte_ring_at(&j->ring, at);
        if (at - j->taken + record->length > room) {
            break;
        }
        j->chain = journal_seal(record, j->chain);
        j->written = record->sequence;
        if (record->time_ns > j->last_time_ns) {
            j->last_time_ns = record->time_ns;
        }
        at += record->length;
    }
    return at;
}

static journal_record make_claim(journal *j)
{
    uint64_t now = journal_unix_ns();
    j->last_time_ns = now > j->last_time_ns ? now : j->last_time_ns;
    journal_record claim;
    journal_make_claim(&claim, j->durable, j->last_time_ns);
    j->chain = journal_seal(&claim, j->chain);
    j->claimed = j->durable;
    return claim;
}

/* A claim and the records up to `end`, which were sealed after it. */
static bool write_sealed(journal *j, const journal_record *claim, uint64_t end)
{
    const void *records = byte_ring_at(&j->ring, j->taken);
    int code = segment_write_claimed(&j->present, claim, records, end - j->taken);
    if (code < 0) {
        fail_at(j, code, "writing");
        return false;
    }
    j->busy_ns = journal_monotonic_ns();
    MATCHING_PROBE2(journal_write, j->shard, sizeof *claim + end - j->taken);
    journal_metrics_wrote(j->options.metrics, sizeof *claim + end - j->taken);
    j->is_synced = false;
    atomic_store_explicit(&j->present_bytes, j->present.offset, memory_order_relaxed);
    return true;
}

/* Writes some of what was handed over; the segment has room for its first record. */
static void write_records(journal *j, uint64_t end)
{
    uint64_t room = room_in_segment(j) - sizeof(journal_record);
    journal_record claim = make_claim(j);
    end = seal_records(j, end, room);
    if (!write_sealed(j, &claim, end)) {
        return;
    }
    j->taken = end;
    j->dirty_since_ns = j->dirty_since_ns != 0 ? j->dirty_since_ns : j->busy_ns;
    atomic_store(&j->freed, end);
    tell_room(j);
    if (j->options.sync == MATCHING_SYNC_COMMIT) {
        sync_written(j);
    } else {
        tell_safe(j, j->written);
        segment_push(&j->present);
    }
}

/* A claim alone, where what is on disk was not claimed yet. Nobody waits for it to be synced: one
 * that is lost costs nothing as long as it is the last record. */
static void write_claim(journal *j)
{
    if (j->claimed != j->durable && has_room_for_claim(j)) {
        journal_record claim = make_claim(j);
        write_sealed(j, &claim, j->taken);
    }
}

/* ---- Segments -------------------------------------------------------------------------------- */

static bool has_commands(const journal *j)
{
    return j->written >= j->present.first_sequence;
}

/* Is the next segment's file there? Where not, it is asked for. */
static bool has_spare(journal *j)
{
    if (atomic_load(&j->next.state) == SPARE_READY) {
        return true;
    }
    if (!atomic_exchange(&j->hurry, true)) {
        doorbell_ring(&j->preparer_bell);
    }
    return false;
}

/* Leaves the present segment for the next; the spare is ready. */
static void rotate(journal *j)
{
    uint64_t last = j->written;
    if (!j->is_synced) {
        sync_written(j);
    }
    if (has_failed(j)) {
        return;
    }
    segment next;
    char trouble[TROUBLE_SIZE];
    int code = segment_begin(j, j->next.fd, j->next.size, last + 1, j->chain, &next, trouble,
                             sizeof trouble);
    if (code < 0) {
        journal_fail(j, code, "%s", trouble);
        return;
    }
    j->next.fd = j->present.fd; /* the preparer puts it away */
    j->present = next;
    j->is_blocked = false;
    atomic_store_explicit(&j->present_bytes, next.offset, memory_order_relaxed);
    atomic_store_explicit(&j->present_size, next.size, memory_order_relaxed);
    atomic_store(&j->hurry, false);
    atomic_store(&j->next.state, SPARE_MAKING);
    doorbell_ring(&j->preparer_bell);
    if (j->options.on_sealed != NULL) {
        j->options.on_sealed(j->options.context, last);
    }
}

/* The segment has no room for the next record. True if there is a new one now, or never will be. */
static bool rotate_when_full(journal *j)
{
    int expected = SPARE_NO_SPACE;
    if (atomic_compare_exchange_strong(&j->next.state, &expected, SPARE_BAD)) {
        journal_fail(j, j->next.code, "%s", j->next.trouble);
        return true;
    }
    j->is_blocked = !has_spare(j);
    if (!j->is_blocked) {
        rotate(j);
    }
    return !j->is_blocked;
}

/* Somebody wants the segment sealed, and what it shall hold is written. */
static bool seal(journal *j, uint64_t wanted)
{
    if (has_commands(j) && !has_spare(j)) {
        return false; /* meanwhile commands go on into the present one */
    }
    /* Done with before it is told: whoever wishes again then is told again. A later wish stays. */
    atomic_compare_exchange_strong(&j->seal_wanted, &wanted, 0);
    if (has_commands(j)) {
        rotate(j);
    } else if (j->options.on_sealed != NULL) {
        j->options.on_sealed(j->options.context, j->written);
    }
    return true;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static bool is_sync_due(const journal *j)
{
    if (j->dirty_since_ns == 0) {
        return false;
    }
    return atomic_load(&j->sync_wanted) > atomic_load(&j->synced) ||
           (j->options.sync == MATCHING_SYNC_INTERVAL &&
            journal_monotonic_ns() - j->dirty_since_ns >= j->options.sync_interval_ms * 1000000ull);
}

/* Does one thing. False: there is nothing to do now. */
static bool step(journal *j)
{
    uint64_t end = atomic_load_explicit(&j->handed, memory_order_acquire);
    if (atomic_load(&j->next.state) == SPARE_BAD) {
        journal_fail(j, j->next.code, "%s", j->next.trouble);
        return true;
    }
    if (is_sync_due(j)) {
        sync_written(j);
        return true;
    }
    uint64_t wanted = atomic_load(&j->seal_wanted);
    if (wanted != 0 && wanted - 1 <= j->taken && seal(j, wanted)) {
        return true;
    }
    if (end == j->taken) {
        return false;
    }
    const journal_record *first = byte_ring_at(&j->ring, j->taken);
    if (room_in_segment(j) < sizeof(journal_record) + first->length) {
        return rotate_when_full(j);
    }
    write_records(j, end);
    return true;
}

bool journal_write_here(journal *j)
{
    uint64_t end = atomic_load_explicit(&j->handed, memory_order_relaxed); /* by this thread */
    if (end - atomic_load_explicit(&j->freed, memory_order_relaxed) > j->options.write_here_bytes ||
        pthread_mutex_trylock(&j->flushing) != 0) {
        return false;
    }
    bool is_plain = !has_failed(j) && atomic_load(&j->seal_wanted) == 0 &&
                    atomic_load(&j->next.state) != SPARE_BAD && !is_sync_due(j) &&
                    room_in_segment(j) >= sizeof(journal_record) + (end - j->taken);
    bool was_clean = j->dirty_since_ns == 0;
    if (is_plain) {
        write_records(j, end);
    }
    /* The flusher times its syncs itself, once it knows that there is something. */
    bool is_done = is_plain && !has_failed(j) && j->taken == end &&
                   !(was_clean && j->options.sync == MATCHING_SYNC_INTERVAL);
    pthread_mutex_unlock(&j->flushing);
    return is_done;
}

/* Nanoseconds until there is something to do without being asked. */
static uint64_t until_due(const journal *j, uint64_t now)
{
    uint64_t due = DOORBELL_FOREVER;
    if (j->dirty_since_ns != 0 && j->options.sync == MATCHING_SYNC_INTERVAL) {
        due = j->dirty_since_ns + j->options.sync_interval_ms * 1000000ull;
    } else if (j->claimed != j->durable && j->busy_ns + IDLE_CLAIM_NS > now) {
        due = j->busy_ns + IDLE_CLAIM_NS;
    }
    return due == DOORBELL_FOREVER ? due : due > now ? due - now : 0;
}

/* Everything that was handed over is written: the end of a good life. */
static void finish(journal *j)
{
    if (!j->is_synced) {
        sync_written(j);
    }
    if (!has_failed(j)) {
        write_claim(j);
    }
    if (!has_failed(j) && !j->is_synced) {
        sync_written(j);
    }
}

void *journal_flusher_run(void *argument)
{
    journal *j = argument;
    pthread_mutex_lock(&j->flushing);
    while (!has_failed(j)) {
        uint32_t seen = doorbell_seen(&j->flusher_bell);
        bool stopping = atomic_load(&j->stopping); /* before step, which then sees all there is */
        if (step(j)) {
            continue;
        }
        if (stopping && !j->is_blocked) {
            finish(j);
            break;
        }
        uint64_t now = journal_monotonic_ns();
        if (now - j->busy_ns >= IDLE_CLAIM_NS) {
            write_claim(j);
        }
        uint64_t wait_ns = until_due(j, now);
        pthread_mutex_unlock(&j->flushing);
        doorbell_wait(&j->flusher_bell, seen, wait_ns);
        pthread_mutex_lock(&j->flushing);
    }
    pthread_mutex_unlock(&j->flushing);
    tell_room(j);
    tell_waiters(j);
    return NULL;
}
