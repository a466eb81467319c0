#include "support/journal_double.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "matching/port.h"

#define PORTS_MAX 8

/* The linker's --wrap gives them these names. */
bool __real_matching_core_shard_is_healthy(const matching_core *core, unsigned shard, char *why,
                                           size_t why_size);
bool __wrap_matching_core_shard_is_healthy(const matching_core *core, unsigned shard, char *why,
                                           size_t why_size);
bool __real_matching_core_is_healthy(const matching_core *core, char *why, size_t why_size);
bool __wrap_matching_core_is_healthy(const matching_core *core, char *why, size_t why_size);
const char *__wrap_matching_core_shard_warning(const matching_core *core, unsigned shard);
matching_code __real_matching_core_request_snapshot(matching_core *core, uint64_t *ticket);
matching_code __wrap_matching_core_request_snapshot(matching_core *core, uint64_t *ticket);
bool __wrap_matching_core_snapshot_done(matching_core *core, uint64_t ticket,
                                        matching_snapshot_result *results);
matching_port *__real_matching_port_create(matching_core *core,
                                           const matching_port_handlers *handlers, void *context);
matching_port *__wrap_matching_port_create(matching_core *core,
                                           const matching_port_handlers *handlers, void *context);
matching_code __real_matching_port_submit(matching_port *port, const matching_command *command);
matching_code __wrap_matching_port_submit(matching_port *port, const matching_command *command);

typedef struct listener {
    matching_port_handlers handlers;
    void *context;
} listener;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over all of the following */
static listener listeners[PORTS_MAX];
static unsigned listener_count;
static const char *reasons[MATCHING_SHARDS_MAX];  /* NULL: it has not failed */
static const char *warnings[MATCHING_SHARDS_MAX]; /* NULL: none */
static bool takes_snapshots;
static unsigned requests, looks, place_flags;
static uint64_t finished; /* the highest ticket that is through */
static matching_snapshot_result outcome[MATCHING_SHARDS_MAX];

void journal_double_reset(void)
{
    pthread_mutex_lock(&lock);
    listener_count = requests = looks = place_flags = 0;
    memset(reasons, 0, sizeof reasons);
    memset(warnings, 0, sizeof warnings);
    finished = 0;
    takes_snapshots = false;
    pthread_mutex_unlock(&lock);
}

void journal_double_fail(unsigned shard, const char *why)
{
    pthread_mutex_lock(&lock);
    reasons[shard] = why;
    pthread_mutex_unlock(&lock);
}

void journal_double_warn(unsigned shard, const char *why)
{
    pthread_mutex_lock(&lock);
    warnings[shard] = why;
    pthread_mutex_unlock(&lock);
}

static const char *reason_of(unsigned shard)
{
    pthread_mutex_lock(&lock);
    const char *reason = reasons[shard];
    pthread_mutex_unlock(&lock);
    return reason;
}

void journal_double_take_snapshots(void)
{
    pthread_mutex_lock(&lock);
    takes_snapshots = true;
    pthread_mutex_unlock(&lock);
}

void journal_double_finish(const matching_snapshot_result *results)
{
    pthread_mutex_lock(&lock);
    memcpy(outcome, results, sizeof outcome);
    finished = requests;
    pthread_mutex_unlock(&lock);
}

static unsigned locked(const unsigned *value)
{
    pthread_mutex_lock(&lock);
    unsigned copy = *value;
    pthread_mutex_unlock(&lock);
    return copy;
}

unsigned journal_double_requests(void)
{
    return locked(&requests);
}

unsigned journal_double_looks(void)
{
    return locked(&looks);
}

unsigned journal_double_place_flags(void)
{
    return locked(&place_flags);
}

/* ---- In the core's place --------------------------------------------------------------------- */

bool __wrap_matching_core_shard_is_healthy(const matching_core *core, unsigned shard, char *why,
                                           size_t why_size)
{
    const char *reason = reason_of(shard);
    if (reason == NULL) {
        return __real_matching_core_shard_is_healthy(core, shard, why, why_size);
    }
    snprintf(why, why_size, "%s", reason);
    return false;
}

bool __wrap_matching_core_is_healthy(const matching_core *core, char *why, size_t why_size)
{
    for (unsigned i = 0; i < matching_core_shard_count(core); i++) {
        if (reason_of(i) != NULL) {
            return __wrap_matching_core_shard_is_healthy(core, i, why, why_size);
        }
    }
    return __real_matching_core_is_healthy(core, why, why_size);
}

const char *__wrap_matching_core_shard_warning(const matching_core *core, unsigned shard)
{
    (void)core;
    pthread_mutex_lock(&lock);
    const char *warning = warnings[shard];
    pthread_mutex_unlock(&lock);
    return warning != NULL ? warning : "";
}

matching_code __wrap_matching_core_request_snapshot(matching_core *core, uint64_t *ticket)
{
    pthread_mutex_lock(&lock);
    bool takes = takes_snapshots;
    if (takes) {
        *ticket = ++requests;
    }
    pthread_mutex_unlock(&lock);
    return takes ? MATCHING_OK : __real_matching_core_request_snapshot(core, ticket);
}

bool __wrap_matching_core_snapshot_done(matching_core *core, uint64_t ticket,
                                        matching_snapshot_result *results)
{
    pthread_mutex_lock(&lock);
    looks++;
    bool done = ticket <= finished;
    if (done) {
        memcpy(results, outcome, matching_core_shard_count(core) * sizeof *results);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

static void on_reply(void *context, const matching_reply *reply)
{
    const listener *to = context;
    if (reason_of(reply->shard) == NULL) {
        to->handlers.on_reply(to->context, reply);
        return;
    }
    matching_reply failed = {.tag = reply->tag,
                             .received_ns = reply->received_ns,
                             .code = MATCHING_INTERNAL_ERROR,
                             .type = reply->type,
                             .shard = reply->shard,
                             .hint_place = reply->hint_place};
    to->handlers.on_reply(to->context, &failed);
}

static void on_event(void *context, unsigned shard, uint64_t position, const matching_event *event,
                     const matching_order *order)
{
    const listener *to = context;
    if (reason_of(shard) == NULL) {
        to->handlers.on_event(to->context, shard, position, event, order);
    }
}

static void on_lapped(void *context, unsigned shard)
{
    const listener *to = context;
    to->handlers.on_lapped(to->context, shard);
}

static void wake(void *context)
{
    const listener *to = context;
    to->handlers.wake(to->context);
}

matching_port *__wrap_matching_port_create(matching_core *core,
                                           const matching_port_handlers *handlers, void *context)
{
    pthread_mutex_lock(&lock);
    listener *own = listener_count < PORTS_MAX ? &listeners[listener_count++] : NULL;
    pthread_mutex_unlock(&lock);
    if (own == NULL) {
        return NULL;
    }
    *own = (listener){*handlers, context};
    const matching_port_handlers between = {.on_reply = on_reply,
                                            .on_event = handlers->on_event ? on_event : NULL,
                                            .on_lapped = handlers->on_lapped ? on_lapped : NULL,
                                            .wake = wake};
    return __real_matching_port_create(core, &between, own);
}

matching_code __wrap_matching_port_submit(matching_port *port, const matching_command *command)
{
    if (command->type == MATCHING_PLACE) {
        pthread_mutex_lock(&lock);
        place_flags = command->flags;
        pthread_mutex_unlock(&lock);
    }
    return __real_matching_port_submit(port, command);
}
