/* See driver.h. CRASH_CHILD and CRASH_SHIM name the child program and the shim. */
#define _GNU_SOURCE
#include "crash/driver.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "crash/planner.h"
#include "crash/segments.h"

#define SMALL_SEGMENT (48u << 10)
#define VARIABLE_SIZE 512

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL) {
        process_give_up("%s is not set: run this test by ctest", name);
    }
    return value;
}

static uint64_t number(const char *name)
{
    const char *text = getenv(name);
    return text == NULL ? 0 : strtoull(text, NULL, 10);
}

unsigned driver_times(unsigned usually, unsigned soak)
{
    uint64_t wanted = number("MATCHING_SOAK");
    return wanted == 0 ? usually : wanted == 1 ? soak : (unsigned)wanted;
}

uint64_t driver_seed(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t fresh = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
    uint64_t wanted = number("MATCHING_SEED");
    return wanted != 0 ? wanted : fresh ^ (uint64_t)getpid();
}

uint64_t driver_below(driver *d, uint64_t bound)
{
    uint64_t z = d->random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (z ^ z >> 31) % bound;
}

/* In memory where there is a file system for that: what a killed process wrote stays there as it
 * does on a disk, and no test has to wait for one. */
static const char *parent_folder(void)
{
    const char *wanted = getenv("TMPDIR");
    if (wanted != NULL && *wanted != 0 && strlen(wanted) <= 30) {
        return wanted;
    }
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
}

void driver_init(driver *d, const driver_options *options)
{
    char journals[LIFE_PATH_SIZE];
    *d = (driver){.options = *options, .random_state = options->seed};
    snprintf(d->base, sizeof d->base, "%.30s/matching-crash-XXXXXX", parent_folder());
    if (mkdtemp(d->base) == NULL) {
        process_give_up("%s: %s", d->base, strerror(errno));
    }
    snprintf(d->data, sizeof d->data, "%s/data", d->base);
    snprintf(d->report, sizeof d->report, "%s/report", d->base);
    snprintf(journals, sizeof journals, "%s/all", d->base);
    segments_create(journals, options->shards);
    d->life = life_create(&d->life_fd);
    life *l = d->life;
    snprintf(l->folder, sizeof l->folder, "%s", d->data);
    snprintf(l->archive, sizeof l->archive, "%s", journals);
    l->shards = options->shards;
    l->sync = options->sync;
    l->sync_interval_ms = 20;
    l->segment_bytes = options->segment_bytes != 0 ? options->segment_bytes : SMALL_SEGMENT;
    l->snapshot_every = options->snapshot_every;
    l->max_orders = LIFE_ORDERS_MAX;
    l->max_levels = 100;
    l->max_traders = 8;
    l->retained_orders = 60;
    l->has_history = options->has_history;
    truth_init(&d->truth, l, journals);
    if (options->has_history) {
        d->truth.past = past_create(&d->truth.limits, options->shards);
    }
}

void driver_fini(driver *d)
{
    const truth_counts *c = &d->truth.counts;
    printf("\n    %u shards, seed %" PRIu64 ": %" PRIu64 " lives, %" PRIu64 " commands (%" PRIu64
           " of the shards' own), %" PRIu64 " acknowledged (%" PRIu64 " refused), %" PRIu64
           " there without a reply, %" PRIu64 " reads, %" PRIu64 " trades, %" PRIu64 " torn tails",
           d->options.shards, d->options.seed, c->lives, c->commands, c->own, c->acknowledged,
           c->refused, c->unanswered, c->reads, c->trades, c->torn);
    if (d->truth.past != NULL) {
        const past *p = d->truth.past;
        printf("; %u looks at history, %u times behind, %u times without the journal's beginning",
               p->looks, p->behind, p->cut_short);
        past_destroy(d->truth.past);
    }
    fflush(stdout);
    truth_fini(&d->truth);
    munmap(d->life, sizeof *d->life);
    close(d->life_fd);
    segments_remove(d->base);
}

void driver_plan(driver *d, unsigned steps)
{
    planner_plan(&d->truth, d->life, steps, driver_below(d, UINT64_MAX));
    d->life->window = 1 + (unsigned)driver_below(d, 100);
    d->life->tell_after = LIFE_STEPS_MAX + 1;
    d->life->snapshot_at = LIFE_STEPS_MAX + 1;
    d->life->lingers = false;
    d->life->frees_journal = false;
    d->life->notice_ms = 0;
}

void driver_start(driver *d, char *const *variables)
{
    char fd[16];
    snprintf(fd, sizeof fd, "%d", d->life_fd);
    const char *arguments[] = {setting("CRASH_CHILD"), fd, NULL};
    char *copies[3];
    memcpy(copies, arguments, sizeof copies);
    process_start(&d->child, copies, variables, d->life_fd);
}

void driver_start_with_fault(driver *d, unsigned long at, const char *action, const char *calls)
{
    char text[7][VARIABLE_SIZE];
    const char *sanitizer = getenv("ASAN_OPTIONS");
    snprintf(text[0], VARIABLE_SIZE, "LD_PRELOAD=%s", setting("CRASH_SHIM"));
    snprintf(text[1], VARIABLE_SIZE, "FAULT_SHIM_DIR=%s", d->life->folder);
    snprintf(text[2], VARIABLE_SIZE, "FAULT_SHIM_AT=%lu", at);
    snprintf(text[3], VARIABLE_SIZE, "FAULT_SHIM_ACTION=%s", action);
    snprintf(text[4], VARIABLE_SIZE, "FAULT_SHIM_REPORT=%s", d->report);
    /* A sanitizer wants to be the first library; the shim does not get in its way. */
    snprintf(text[5], VARIABLE_SIZE, "ASAN_OPTIONS=%s:verify_asan_link_order=0",
             sanitizer != NULL ? sanitizer : "");
    snprintf(text[6], VARIABLE_SIZE, "FAULT_SHIM_CALLS=%s", calls != NULL ? calls : "");
    char *variables[8] = {
        text[0], text[1], text[2], text[3], text[4], text[5], calls != NULL ? text[6] : NULL, NULL};
    unlink(d->report);
    driver_start(d, variables);
}

bool driver_fault(driver *d, char *line, size_t size)
{
    FILE *file = fopen(d->report, "r");
    bool came = file != NULL && fgets(line, (int)size, file) != NULL;
    if (file != NULL) {
        fclose(file);
    }
    if (came) {
        line[strcspn(line, "\n")] = 0;
    }
    return came;
}

int driver_kill_once_told(driver *d)
{
    char line[16];
    process_line(&d->child, line, sizeof line);
    return process_end(&d->child, SIGKILL);
}

void driver_follow(driver *d, truth_expectation expected)
{
    truth_follow(&d->truth, d->life, d->data, expected);
    if (d->truth.past != NULL) {
        char copy[LIFE_PATH_SIZE];
        snprintf(copy, sizeof copy, "%s/copy", d->base);
        past_check(d->truth.past, d->data, copy);
    }
}

void driver_live_well(driver *d, unsigned steps)
{
    driver_plan(d, steps);
    driver_start(d, NULL);
    int code = process_wait(&d->child);
    if (code != 0 || d->life->stage != LIFE_STOPPED) {
        process_give_up("%s: a life without trouble ended with %d: %s", d->data, code,
                        d->life->error);
    }
    driver_follow(d, (truth_expectation){0});
}

void driver_live_quietly(driver *d)
{
    driver_live_well(d, 0);
}
