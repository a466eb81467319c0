/* See writer_fixture.h. */
#define _GNU_SOURCE
#include "core/journal/writer_fixture.h"

#include <CUnit/CUnit.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/journal/disk.h"

#define PATIENCE_S 30

/* ---- Callbacks: on the flusher's thread, where CUnit does not count ------------------------ */

static void on_safe(void *context, uint64_t sequence)
{
    fixture *f = context;
    pthread_mutex_lock(&f->mutex);
    bool on_disk = f->options.sync == MATCHING_SYNC_COMMIT ? sequence <= disk_synced()
                                                           : sequence <= disk_written();
    f->wrong += sequence <= f->safe || f->failures > 0 || !on_disk;
    f->safe = sequence;
    pthread_cond_broadcast(&f->told);
    pthread_mutex_unlock(&f->mutex);
}

static void on_room(void *context)
{
    fixture *f = context;
    pthread_mutex_lock(&f->mutex);
    f->rooms++;
    pthread_cond_broadcast(&f->told);
    pthread_mutex_unlock(&f->mutex);
}

static void on_failed(void *context, const char *what)
{
    fixture *f = context;
    pthread_mutex_lock(&f->mutex);
    f->failures++;
    snprintf(f->failure, sizeof f->failure, "%s", what);
    pthread_cond_broadcast(&f->told);
    pthread_mutex_unlock(&f->mutex);
}

static void on_sealed(void *context, uint64_t last_sequence)
{
    fixture *f = context;
    pthread_mutex_lock(&f->mutex);
    f->wrong += f->failures > 0 || last_sequence > disk_synced();
    if (f->sealed_count < HISTORY_SEGMENTS) {
        f->sealed[f->sealed_count++] = last_sequence;
    }
    pthread_cond_broadcast(&f->told);
    pthread_mutex_unlock(&f->mutex);
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

void fixture_init(fixture *f, matching_sync sync, uint64_t segment_bytes)
{
    char error[512] = "";
    memset(f, 0, sizeof *f);
    const char *base = getenv("TMPDIR");
    snprintf(f->path, sizeof f->path, "%.40s/journal-XXXXXX",
             base != NULL && strlen(base) <= 40 ? base : "/tmp");
    disk_reset(0); /* whatever the test before has left */
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f->path));
    CU_ASSERT_EQUAL_FATAL(data_dir_open(&f->dir, f->path, 1, 1, error, sizeof error), 0);
    pthread_mutex_init(&f->mutex, NULL);
    pthread_cond_init(&f->told, NULL);
    f->seed = 1;
    f->options = (journal_options){.sync = sync,
                                   .sync_interval_ms = 3600000,
                                   .segment_bytes = segment_bytes,
                                   .on_safe = on_safe,
                                   .on_room = on_room,
                                   .on_failed = on_failed,
                                   .on_sealed = on_sealed,
                                   .context = f};
    disk_reset(0);
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

void fixture_fini(fixture *f)
{
    if (f->journal != NULL) {
        fixture_close(f);
    }
    CU_ASSERT_EQUAL(f->wrong, 0);
    CU_ASSERT_EQUAL(disk_violations(), 0);
    data_dir_close(&f->dir);
    nftw(f->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    pthread_cond_destroy(&f->told);
    pthread_mutex_destroy(&f->mutex);
}

void fixture_open(fixture *f)
{
    char error[512] = "";
    history h;
    bool good = history_read(&h, &f->dir, 0);
    CU_ASSERT_STRING_EQUAL(h.trouble, "");
    CU_ASSERT_TRUE_FATAL(good);
    f->sequence = f->safe = h.count;
    f->journal = journal_open(&f->dir, 0, &h.end, &f->options, error, sizeof error);
    CU_ASSERT_STRING_EQUAL(error, "");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f->journal);
    history_free(&h);
}

int fixture_close(fixture *f)
{
    int code = journal_close(f->journal);
    f->journal = NULL;
    return code;
}

/* The project's reader comes out where the history does, with nothing torn. */
void fixture_compare_reader(fixture *f, const history *h)
{
    char error[512] = "";
    matching_command command;
    uint64_t count = 0;
    journal_reader *reader = journal_reader_open(&f->dir, 0, 1, 0, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(reader);
    journal_end end;
    while ((end = journal_reader_next(reader, &command)) == JOURNAL_MORE) {
        count++;
    }
    const journal_position *at = journal_reader_position(reader);
    CU_ASSERT_EQUAL(end, JOURNAL_WHOLE);
    CU_ASSERT_EQUAL(count, h->count);
    CU_ASSERT_EQUAL(at->first_sequence, h->end.first_sequence);
    CU_ASSERT_EQUAL(at->offset, h->end.offset);
    CU_ASSERT_EQUAL(at->last_sequence, h->end.last_sequence);
    CU_ASSERT_EQUAL(at->claimed, h->end.claimed);
    CU_ASSERT_EQUAL(at->last_time_ns, h->end.last_time_ns);
    CU_ASSERT_EQUAL(at->checksum, h->end.checksum);
    journal_reader_close(reader);
}

void fixture_close_and_compare(fixture *f, history *h)
{
    history own;
    CU_ASSERT_EQUAL(fixture_close(f), 0);
    CU_ASSERT_EQUAL(f->safe, f->sequence);
    CU_ASSERT_TRUE(history_read(&own, &f->dir, 0));
    CU_ASSERT_STRING_EQUAL(own.trouble, "");
    CU_ASSERT_EQUAL(own.count, f->sequence);
    CU_ASSERT_EQUAL(own.end.claimed, f->sequence);
    uint64_t different = 0;
    for (uint64_t i = 0; i < own.count; i++) {
        matching_command expected = fixture_command(i + 1);
        different += memcmp(&expected, &own.commands[i], sizeof expected) != 0;
    }
    CU_ASSERT_EQUAL(different, 0);
    fixture_compare_reader(f, &own);
    if (h != NULL) {
        *h = own;
    } else {
        history_free(&own);
    }
}

/* ---- Commands -------------------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_text(char *out, uint32_t length, uint32_t *seed)
{
    for (uint32_t i = 0; i < length; i++) {
        out[i] = (char)('a' + next_random(seed) % 26);
    }
}

matching_command fixture_command(uint64_t sequence)
{
    uint32_t seed = (uint32_t)sequence * 2654435761u;
    matching_command command;
    memset(&command, 0, sizeof command);
    command.sequence = sequence;
    command.time_ns = 1700000000000000000ull + sequence / 3;
    command.type = (uint8_t)(MATCHING_PLACE + next_random(&seed) % 3);
    command.order_id = next_random(&seed);
    command.price_ticks = next_random(&seed);
    command.quantity_lots = next_random(&seed);
    command.instrument = (uint16_t)(next_random(&seed) % 7);
    command.side = next_random(&seed) % 2;
    command.flags = next_random(&seed) % 2 ? MATCHING_FLAG_POST_ONLY : 0;
    command.display_lots = next_random(&seed) % 2;
    command.expire_time_ms = next_random(&seed) % 2;
    random_text(command.trader_id, 1 + next_random(&seed) % MATCHING_TRADER_MAX, &seed);
    random_text(command.client_order_id, next_random(&seed) % (MATCHING_CLIENT_ID_MAX + 1), &seed);
    return command;
}

unsigned fixture_append(fixture *f, unsigned count)
{
    unsigned appended = 0;
    for (; appended < count && journal_has_room(f->journal); appended++) {
        matching_command command = fixture_command(f->sequence + 1);
        journal_append(f->journal, &command);
        f->sequence++;
    }
    journal_hand_over(f->journal);
    return appended;
}

bool fixture_append_all(fixture *f, unsigned count, unsigned batch)
{
    unsigned rooms = 0;
    while (count > 0 && !journal_has_failed(f->journal)) {
        pthread_mutex_lock(&f->mutex);
        rooms = f->rooms;
        pthread_mutex_unlock(&f->mutex);
        unsigned appended = fixture_append(f, batch < count ? batch : count);
        if (appended == 0 && !fixture_await_room(f, rooms + 1)) {
            return false;
        }
        count -= appended;
    }
    return !journal_has_failed(f->journal);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static bool await(fixture *f, const uint64_t *wide, const unsigned *narrow, uint64_t least)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    int late = 0;
    pthread_mutex_lock(&f->mutex);
    while ((wide != NULL ? *wide : *narrow) < least && late == 0) {
        late = pthread_cond_timedwait(&f->told, &f->mutex, &until);
    }
    pthread_mutex_unlock(&f->mutex);
    return late == 0;
}

bool fixture_await_safe(fixture *f, uint64_t sequence)
{
    return await(f, &f->safe, NULL, sequence);
}

bool fixture_await_sealed(fixture *f, unsigned count)
{
    return await(f, NULL, &f->sealed_count, count);
}

bool fixture_await_room(fixture *f, unsigned count)
{
    return await(f, NULL, &f->rooms, count);
}

bool fixture_await_failure(fixture *f)
{
    return await(f, NULL, &f->failures, 1);
}

bool fixture_await(bool (*is_so)(fixture *f), fixture *f)
{
    struct timespec pause = {.tv_nsec = 1000000};
    time_t until = time(NULL) + PATIENCE_S;
    while (!is_so(f)) {
        if (time(NULL) > until) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}
