/* The one loop that sends what is due, takes what comes, and keeps the times. See load.h. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define PATIENCE_NS (10 * NS_PER_S)     /* without any message from the service */
#define SPIN_NS 60000                   /* a sleep would end too late for what is due this soon */
#define LEAD_NS 1000000                 /* from the set-up to the first message */
#define PROGRESS_LINE_NS (2 * NS_PER_S) /* to a file */
#define PROGRESS_BAR_NS (NS_PER_S / 10) /* to a terminal */
#define PUT_AT_ONCE 64                  /* messages between two looks at the sockets */

typedef struct run {
    const load_plan *plan;
    load_result *result;
    int64_t start_ns;
    int64_t last_heard_ns;
    int64_t last_progress_ns;
    uint64_t sent;
    size_t *in_flight; /* by connection */
} run;

int64_t load_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int64_t due_ns(const run *it, uint64_t n)
{
    return it->start_ns + (int64_t)((unsigned __int128)n * NS_PER_S / it->plan->rate);
}

static bool all_sent(const run *it, int64_t now)
{
    if (it->plan->messages > 0) {
        return it->sent == it->plan->messages;
    }
    return now - it->start_ns >= it->plan->duration_ns;
}

/* Something was sent whose reply or event has not come. */
static bool is_owed_something(const run *it)
{
    const load_result *result = it->result;
    return result->answered < it->sent ||
           (it->plan->event_mark != NULL && result->events + result->errors < it->sent);
}

static bool may_send(const run *it, int64_t now)
{
    if (all_sent(it, now)) {
        return false;
    }
    if (it->plan->rate > 0) {
        return due_ns(it, it->sent) <= now;
    }
    return it->in_flight[it->sent % it->plan->connection_count] < it->plan->window;
}

static int send_due(run *it, int64_t now)
{
    const load_plan *plan = it->plan;
    char text[LOAD_MESSAGE_MAX];
    for (int i = 0; i < PUT_AT_ONCE && may_send(it, now); i++) {
        size_t to = it->sent % plan->connection_count;
        size_t length = plan->write(plan->context, it->sent, text);
        if (ws_put(&plan->connections[to], text, length) != 0) {
            snprintf(it->result->error, sizeof it->result->error, "%s",
                     plan->connections[to].error);
            return -1;
        }
        it->in_flight[to]++;
        it->sent++;
    }
    return 0;
}

static void take_reply(run *it, size_t from, const char *text, uint64_t n, int64_t now)
{
    load_result *result = it->result;
    if (n >= it->sent || it->in_flight[from] == 0) {
        return; /* no message of this plan */
    }
    if (strstr(text, "\"type\":\"error\"") != NULL) {
        if (result->errors++ == 0) {
            snprintf(result->error, sizeof result->error, "%s", text);
        }
    }
    it->in_flight[from]--;
    if (it->plan->rate > 0) {
        result->latencies_ns[result->answered] = now - due_ns(it, n);
    }
    result->answered++;
}

static void take_message(run *it, size_t from, const char *text, int64_t now)
{
    const load_plan *plan = it->plan;
    load_result *result = it->result;
    it->last_heard_ns = now;
    const char *id = strstr(text, "\"id\":");
    if (id != NULL) {
        take_reply(it, from, text, strtoull(id + 5, NULL, 10), now);
    } else if (plan->event_mark != NULL && strstr(text, plan->event_mark) != NULL &&
               result->events < plan->messages) {
        result->event_ns[result->events] = now - due_ns(it, result->events);
        result->events++;
    }
}

static int exchange(run *it)
{
    const load_plan *plan = it->plan;
    for (size_t i = 0; i < plan->connection_count; i++) {
        ws_connection *connection = &plan->connections[i];
        const char *text;
        size_t length;
        int result = ws_flush(connection) != 0 || ws_fill(connection) != 0 ? -1 : 1;
        int64_t now = load_now();
        while (result > 0 && (result = ws_next(connection, &text, &length)) > 0) {
            take_message(it, i, text, now);
        }
        if (result < 0) {
            snprintf(it->result->error, sizeof it->result->error, "%s", connection->error);
            return -1;
        }
    }
    return 0;
}

static void show_progress(run *it, int64_t now, bool last)
{
    bool terminal = isatty(STDERR_FILENO);
    if (it->plan->is_quiet) {
        return;
    }
    if (!last && now - it->last_progress_ns < (terminal ? PROGRESS_BAR_NS : PROGRESS_LINE_NS)) {
        return;
    }
    it->last_progress_ns = now;
    fprintf(stderr, "%s  %-34s %8llu", terminal ? "\r" : "", it->plan->name,
            (unsigned long long)it->result->answered);
    if (it->plan->messages > 0) {
        fprintf(stderr, " of %llu", (unsigned long long)it->plan->messages);
    }
    fputs(terminal && !last ? "  " : "\n", stderr);
}

static void wait_for_something(const run *it, int64_t now)
{
    const load_plan *plan = it->plan;
    int64_t until = now + NS_PER_S / 10;
    if (plan->rate > 0 && !all_sent(it, now) && due_ns(it, it->sent) - SPIN_NS < until) {
        until = due_ns(it, it->sent) - SPIN_NS;
    }
    ws_wait(plan->connections, plan->connection_count, until - now);
}

static int drive(run *it)
{
    int64_t now = load_now();
    it->start_ns = now + LEAD_NS;
    it->last_heard_ns = it->last_progress_ns = now;
    while (!all_sent(it, now) || is_owed_something(it)) {
        if (send_due(it, now) != 0 || exchange(it) != 0) {
            return -1;
        }
        now = load_now();
        show_progress(it, now, false);
        if (now - it->last_heard_ns > PATIENCE_NS && is_owed_something(it)) {
            snprintf(it->result->error, sizeof it->result->error, "no message came for 10 seconds");
            return -1;
        }
        if (!may_send(it, now)) {
            wait_for_something(it, now);
            now = load_now();
        }
    }
    it->result->elapsed_ns = now - it->start_ns;
    show_progress(it, now, true);
    return 0;
}

static int ascending(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

int load_run(const load_plan *plan, load_result *result)
{
    *result = (load_result){0};
    run it = {.plan = plan, .result = result};
    it.in_flight = calloc(plan->connection_count, sizeof *it.in_flight);
    size_t samples = plan->rate > 0 ? (size_t)plan->messages : 1;
    result->latencies_ns = calloc(samples, sizeof *result->latencies_ns);
    result->event_ns = calloc(samples, sizeof *result->event_ns);
    int failed = -1;
    if (it.in_flight == NULL || result->latencies_ns == NULL || result->event_ns == NULL) {
        snprintf(result->error, sizeof result->error, "out of memory");
    } else {
        failed = drive(&it);
    }
    free(it.in_flight);
    if (failed == 0 && plan->rate > 0) {
        qsort(result->latencies_ns, result->answered, sizeof *result->latencies_ns, ascending);
        qsort(result->event_ns, result->events, sizeof *result->event_ns, ascending);
    }
    return failed;
}

void load_result_free(load_result *result)
{
    free(result->latencies_ns);
    free(result->event_ns);
    result->latencies_ns = result->event_ns = NULL;
}

int64_t load_percentile(const int64_t *sorted, uint64_t count, double share)
{
    double wanted = (double)count * share; /* the nearest-rank method */
    uint64_t rank = (uint64_t)wanted;
    rank += (double)rank < wanted;
    return sorted[rank == 0 ? 0 : rank - 1];
}
