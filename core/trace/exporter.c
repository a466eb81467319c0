/* The thread that sends spans to the collector: a batch as soon as it is full, or when its oldest
 * span has waited long enough. A request that failed for a reason that may pass is sent again,
 * later each time, until the batch is given up; meanwhile the queue fills and drops what is new.
 * Nobody ever waits for this thread but the program's end, and that for a few seconds at most.
 *
 * Invariants: `the` belongs to the thread while it runs, but for `stopping` and `deadline_ns`;
 * records stay in the queue until their batch has been taken or given up.
 */
#define _GNU_SOURCE /* pthread_setname_np, gettid */
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "matching/core.h"
#include "matching/log.h"
#include "trace/gzip.h"
#include "trace/otlp.h"

#define MODULE "traces"
#define NICENESS 10
#define MS UINT64_C(1000000)
#define STOP_MS 5000u        /* the longest that the end is put off */
#define TELL_NS (60000 * MS) /* the same trouble is told once in this time */
#define FIRST_PAUSE_MS 1000u /* before a request is sent again; twice as long each time */
#define CLOCK_READINGS 3u
#define CLOCK_MOVED_NS MS
#define RESPONSE_MAX 4096 /* bytes that are looked at */

typedef struct response {
    size_t length;
    char text[RESPONSE_MAX + 1];
} response;

typedef enum outcome { TAKEN, TRY_AGAIN, REFUSED } outcome;

static struct {
    matching_trace_options options;
    char version[32];
    CURL *curl;
    struct curl_slist *headers;
    otlp_text body; /* of the latest request; its memory is the next one's */
    gzip_body packed;
    uint64_t offset_ns; /* from monotonic time to Unix time */
    pthread_t thread;
    bool is_running;
    atomic_bool stopping;
    _Atomic uint64_t deadline_ns;      /* when stopping: all has to be through by then */
    bool is_troubled;                  /* and it was told */
    uint64_t told_ns, told_dropped_ns; /* when trouble was last told; 0: never */
    uint64_t told_dropped;
    uint64_t retry_after_ms; /* what the collector asked for; 0: nothing */
    char why[CURL_ERROR_SIZE + 64];
} the;

/* ---- Time ------------------------------------------------------------------------------------ */

static bool is_stopping(void)
{
    return atomic_load_explicit(&the.stopping, memory_order_acquire);
}

static uint64_t left_ms(void)
{
    uint64_t now = matching_monotonic_ns();
    uint64_t deadline = atomic_load_explicit(&the.deadline_ns, memory_order_relaxed);
    return deadline > now ? (deadline - now) / MS : 0;
}

/* True: this time has come; false: the end comes first, or (with is_hasty) a batch is full. */
static bool wait_until(uint64_t until_ns, bool is_hasty)
{
    const struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000),
                                   .tv_nsec = (long)(until_ns % 1000000000)};
    while (!is_stopping() && matching_monotonic_ns() < until_ns) {
        (void)trace_wait(&until);
        if (is_hasty && trace_peek(the.options.batch - 1) != NULL) {
            return false;
        }
    }
    return !is_stopping();
}

/* ---- What whoever runs the service is told --------------------------------------------------- */

static void tell_trouble(size_t spans)
{
    uint64_t now = matching_monotonic_ns();
    if (the.told_ns != 0 && now - the.told_ns < TELL_NS) {
        return;
    }
    the.told_ns = now;
    the.is_troubled = true;
    matching_log_fields(MATCHING_LOG_WARN, MODULE, "the collector does not take spans",
                        (const matching_log_field[]){
                            {.name = "url", .text = the.options.url},
                            {.name = "error", .text = the.why},
                            {.name = "spans", .number = spans},
                        },
                        3);
}

static void tell_recovered(void)
{
    if (the.is_troubled) {
        the.is_troubled = false;
        matching_log(MATCHING_LOG_INFO, MODULE, "the collector takes spans again");
    }
}

static void tell_dropped(bool is_last)
{
    matching_trace_counts counts;
    matching_trace_counts_get(&counts);
    uint64_t now = matching_monotonic_ns();
    bool is_due = is_last || the.told_dropped_ns == 0 || now - the.told_dropped_ns >= TELL_NS;
    if (counts.dropped == the.told_dropped || !is_due) {
        return;
    }
    matching_log_fields(MATCHING_LOG_WARN, MODULE, "spans were dropped, the queue was full",
                        (const matching_log_field[]){
                            {.name = "spans", .number = counts.dropped - the.told_dropped},
                        },
                        1);
    the.told_dropped = counts.dropped;
    the.told_dropped_ns = now;
}

/* ---- One request ----------------------------------------------------------------------------- */

static size_t on_response(char *data, size_t size, size_t count, void *context)
{
    response *into = context;
    size_t bytes = size * count, room = RESPONSE_MAX - into->length;
    size_t taken = bytes < room ? bytes : room;
    memcpy(into->text + into->length, data, taken);
    into->length += taken;
    into->text[into->length] = '\0';
    return bytes;
}

/* libcurl asks about once a second, and whenever something happens. */
static int on_progress(void *unused, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)unused;
    (void)a;
    (void)b;
    (void)c;
    (void)d;
    return is_stopping() && left_ms() == 0;
}

static outcome judge(CURLcode code, long status)
{
    if (code != CURLE_OK) {
        return TRY_AGAIN;
    }
    if (status >= 200 && status < 300) {
        return TAKEN;
    }
    snprintf(the.why, sizeof the.why, "it answered with status %ld", status);
    bool may_pass = status == 429 || status == 502 || status == 503 || status == 504;
    return may_pass ? TRY_AGAIN : REFUSED;
}

static outcome send_once(const char *body, size_t length, uint64_t timeout_ms, response *answer)
{
    long status = 0;
    curl_off_t later_s = 0;
    answer->length = 0;
    answer->text[0] = '\0';
    the.why[0] = '\0';
    curl_easy_setopt(the.curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(the.curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_easy_setopt(the.curl, CURLOPT_TIMEOUT_MS, (long)(timeout_ms > 0 ? timeout_ms : 1));
    curl_easy_setopt(the.curl, CURLOPT_WRITEDATA, answer);
    CURLcode code = curl_easy_perform(the.curl);
    curl_easy_getinfo(the.curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(the.curl, CURLINFO_RETRY_AFTER, &later_s);
    if (code != CURLE_OK && the.why[0] == '\0') {
        snprintf(the.why, sizeof the.why, "%s", curl_easy_strerror(code));
    }
    the.retry_after_ms = later_s > 0 && later_s < 3600 ? (uint64_t)later_s * 1000 : 0;
    return judge(code, status);
}

/* ---- A batch --------------------------------------------------------------------------------- */

/* What is to be added to a monotonic time. Spans of one trace go out in several batches and are
 * compared, so it stays the same until the clock has moved by as much as is seen. */
static uint64_t unix_offset_ns(void)
{
    uint64_t best_ns = UINT64_MAX, found = 0;
    for (unsigned i = 0; i < CLOCK_READINGS; i++) {
        uint64_t before = matching_monotonic_ns(), unix_ns = matching_unix_ns();
        uint64_t took_ns = matching_monotonic_ns() - before;
        if (took_ns < best_ns) { /* the processor was not taken away in between */
            best_ns = took_ns;
            found = unix_ns - before - took_ns / 2;
        }
    }
    uint64_t moved_ns = found > the.offset_ns ? found - the.offset_ns : the.offset_ns - found;
    if (moved_ns > CLOCK_MOVED_NS) {
        the.offset_ns = found;
    }
    return the.offset_ns;
}

/* The oldest spans as a request, at most a batch. Returns how many. */
static size_t make_body(otlp_text *body)
{
    size_t spans = 0;
    uint64_t unix_ns = unix_offset_ns();
    const span_record *next;
    otlp_begin(body, &the.options, the.version);
    for (; spans < the.options.batch && (next = trace_peek(spans)) != NULL; spans++) {
        otlp_span(body, next, unix_ns, spans == 0);
    }
    otlp_end(body);
    return spans;
}

/* Until it is taken or given up. At the end of all there is one try for each batch. */
static outcome deliver(const char *body, size_t length, size_t spans, response *answer)
{
    uint64_t give_up_ns = matching_monotonic_ns() + the.options.give_up_ms * MS;
    uint64_t pause_ms = FIRST_PAUSE_MS;
    for (;;) {
        bool is_last = is_stopping();
        uint64_t timeout_ms = the.options.timeout_ms;
        if (is_last && left_ms() < timeout_ms) {
            timeout_ms = left_ms();
        }
        outcome result = send_once(body, length, timeout_ms, answer);
        if (result == TAKEN) {
            return result;
        }
        tell_trouble(spans);
        uint64_t next_ns = matching_monotonic_ns() +
                           (the.retry_after_ms > pause_ms ? the.retry_after_ms : pause_ms) * MS;
        if (result == REFUSED || is_last || next_ns >= give_up_ns) {
            return result;
        }
        (void)wait_until(next_ns, false);
        tell_dropped(false);
        pause_ms *= 2;
    }
}

/* What is sent of the body. NULL: no memory. */
static const char *pack(size_t *length)
{
    if (the.body.failed ||
        (the.options.is_gzip && !gzip_make(&the.packed, the.body.bytes, the.body.length))) {
        return NULL;
    }
    *length = the.options.is_gzip ? the.packed.length : the.body.length;
    return the.options.is_gzip ? (const char *)the.packed.bytes : the.body.bytes;
}

/* False: there was nothing to send, or no time for it. */
static bool export_batch(void)
{
    static response answer;
    otlp_text *body = &the.body;
    if (trace_peek(0) == NULL || (is_stopping() && left_ms() == 0)) {
        return false;
    }
    size_t spans = make_body(body), length;
    uint64_t failed = spans;
    const char *bytes = pack(&length);
    if (bytes != NULL && deliver(bytes, length, spans, &answer) == TAKEN) {
        failed = otlp_rejected(answer.text);
        failed = failed < spans ? failed : spans;
        if (failed > 0) {
            snprintf(the.why, sizeof the.why, "it rejected some of a request");
            tell_trouble(failed);
        } else {
            tell_recovered();
        }
    }
    trace_release(spans, failed);
    return true;
}

/* Records that are left can go nowhere. */
static void give_up_rest(void)
{
    size_t count = 0;
    while (trace_peek(count) != NULL) {
        count++;
    }
    if (count > 0) {
        trace_release(count, count);
    }
}

static void *export_spans(void *unused)
{
    (void)unused;
    /* Not in the background: spans are wanted most where processors are busy. */
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
    /* What ends while a request is under way waits from then on. */
    uint64_t looked_ns = matching_monotonic_ns();
    while (!is_stopping()) {
        (void)wait_until(looked_ns + the.options.delay_ms * MS, true);
        do {
            tell_dropped(false);
            looked_ns = matching_monotonic_ns();
        } while (!is_stopping() && export_batch() && trace_peek(the.options.batch - 1) != NULL);
        tell_dropped(false);
    }
    while (export_batch()) {
    }
    give_up_rest();
    tell_dropped(true);
    return NULL;
}

/* ---- Beginning and end ----------------------------------------------------------------------- */

static bool add_header(const char *line)
{
    struct curl_slist *longer = curl_slist_append(the.headers, line);
    the.headers = longer != NULL ? longer : the.headers;
    return longer != NULL;
}

static bool add_headers(const matching_trace_pairs *pairs)
{
    bool is_good = add_header("Content-Type: application/json") && add_header("Expect:") &&
                   (!the.options.is_gzip || add_header("Content-Encoding: gzip"));
    for (size_t at = 0; is_good && at < pairs->length;) {
        char line[MATCHING_TRACE_PAIRS_MAX + 2];
        const char *name = pairs->bytes + at, *value = name + strlen(name) + 1;
        /* libcurl wants a header without a value written so. */
        snprintf(line, sizeof line, value[0] != '\0' ? "%s: %s" : "%s;", name, value);
        is_good = add_header(line);
        at = (size_t)(value - pairs->bytes) + strlen(value) + 1;
    }
    return is_good;
}

/* A file that is not named is libcurl's matter. */
static bool use_file(CURLoption option, const char *path)
{
    return path[0] == '\0' || curl_easy_setopt(the.curl, option, path) == CURLE_OK;
}

static bool make_client(void)
{
    the.curl = curl_easy_init();
    if (the.curl == NULL || !add_headers(&the.options.headers)) {
        return false;
    }
    return curl_easy_setopt(the.curl, CURLOPT_URL, the.options.url) == CURLE_OK &&
           curl_easy_setopt(the.curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(the.curl, CURLOPT_HTTPHEADER, the.headers) == CURLE_OK &&
           curl_easy_setopt(the.curl, CURLOPT_USERAGENT, "matching") == CURLE_OK &&
           use_file(CURLOPT_CAINFO, the.options.authorities) &&
           use_file(CURLOPT_SSLCERT, the.options.own_certificate) &&
           use_file(CURLOPT_SSLKEY, the.options.own_key) &&
           curl_easy_setopt(the.curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           /* Who looks a name up is not waited for when there is no time any more. */
           curl_easy_setopt(the.curl, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
           curl_easy_setopt(the.curl, CURLOPT_ERRORBUFFER, the.why) == CURLE_OK &&
           curl_easy_setopt(the.curl, CURLOPT_WRITEFUNCTION, on_response) == CURLE_OK &&
           curl_easy_setopt(the.curl, CURLOPT_XFERINFOFUNCTION, on_progress) == CURLE_OK &&
           curl_easy_setopt(the.curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK;
}

static void free_client(void)
{
    curl_slist_free_all(the.headers);
    curl_easy_cleanup(the.curl);
    otlp_free(&the.body);
    gzip_free(&the.packed);
    the.headers = NULL;
    the.curl = NULL;
    curl_global_cleanup();
}

static trace_sampler sampler_of(const matching_trace_options *options)
{
    double below = options->ratio * 18446744073709551616.0; /* 2^64 */
    bool is_always = options->ratio >= 1;
    return (trace_sampler){.is_parent_based = options->is_parent_based,
                           .is_always = is_always,
                           .below = is_always ? 0 : (uint64_t)below};
}

static int start_thread(void)
{
    sigset_t all, before; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&the.thread, NULL, export_spans, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0) {
        (void)pthread_setname_np(the.thread, "traces");
    }
    return code;
}

static void tell_started(void)
{
    char ratio[32];
    snprintf(ratio, sizeof ratio, "%g", the.options.ratio);
    matching_log_fields(MATCHING_LOG_INFO, MODULE, "spans are sent to a collector",
                        (const matching_log_field[]){
                            {.name = "url", .text = the.options.url},
                            {.name = "ratio", .text = ratio},
                        },
                        2);
    if (the.options.unknown[0] != '\0') {
        matching_log_fields(MATCHING_LOG_WARN, MODULE, "variables are set that are not looked at",
                            (const matching_log_field[]){
                                {.name = "names", .text = the.options.unknown},
                            },
                            1);
    }
}

int matching_trace_start(const matching_trace_options *options, const char *version, char *error,
                         size_t error_size)
{
    if (!options->is_on || the.is_running) {
        return 0;
    }
    the.options = *options;
    snprintf(the.version, sizeof the.version, "%s", version);
    the.is_troubled = false;
    the.told_ns = the.told_dropped_ns = 0;
    atomic_store(&the.stopping, false);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || !make_client()) {
        free_client();
        snprintf(error, error_size, "traces: libcurl cannot be set up for %s", options->url);
        return -EINVAL;
    }
    trace_sampler sampler = sampler_of(options);
    int code = trace_recorder_start(&sampler, options->queue, options->batch) ? 0 : ENOMEM;
    code = code == 0 ? start_thread() : code;
    if (code != 0) {
        trace_recorder_stop();
        trace_recorder_free();
        free_client();
        snprintf(error, error_size, "traces: %s", strerror(code));
        return -code;
    }
    the.is_running = true;
    tell_started();
    return 0;
}

void matching_trace_stop(void)
{
    if (!the.is_running) {
        return;
    }
    uint64_t most_ms = the.options.timeout_ms < STOP_MS ? the.options.timeout_ms : STOP_MS;
    trace_recorder_stop();
    atomic_store(&the.deadline_ns, matching_monotonic_ns() + most_ms * MS);
    atomic_store_explicit(&the.stopping, true, memory_order_release);
    trace_wake();
    pthread_join(the.thread, NULL);
    trace_recorder_free();
    free_client();
    the.is_running = false;
}
