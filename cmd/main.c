/* The program `matching`: everything is put together here, in numbered stages, and nowhere else. */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "descriptors.h"
#include "doors.h"
#include "matching/history.h"
#include "matching/log.h"
#include "matching/trace_export.h"
#include "starting.h"
#include "tools.h"

#define ERROR_SIZE 1024 /* room for any message of a start */

/* SIGTERM and SIGINT, caught from before the doors open until they have closed: one that comes
 * early ends the program as soon as it is ready, a second one does not cut its end short. SIGHUP
 * opens the log's file anew; where the log goes to a terminal, that has gone: the program ends
 * too. */
enum { SIGNALS = 3 };
typedef struct signals {
    struct event *events[SIGNALS];
} signals;

static void on_signal(evutil_socket_t signal_number, short what, void *context)
{
    (void)signal_number;
    (void)what;
    event_base_loopbreak(context);
}

static void on_hangup(evutil_socket_t signal_number, short what, void *unused)
{
    (void)signal_number;
    (void)what;
    (void)unused;
    matching_log_reopen();
}

static bool signals_catch(signals *caught, struct event_base *base, const matching_config *config)
{
    static const int numbers[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    bool has_terminal = config->telemetry.log_file[0] == 0 && isatty(STDERR_FILENO);
    for (size_t i = 0; i < SIGNALS; i++) {
        bool ends = numbers[i] != SIGHUP || has_terminal;
        caught->events[i] = evsignal_new(base, numbers[i], ends ? on_signal : on_hangup, base);
        if (caught->events[i] == NULL || event_add(caught->events[i], NULL) != 0) {
            return false;
        }
    }
    return true;
}

static void signals_free(signals *caught)
{
    for (size_t i = 0; i < SIGNALS; i++) {
        if (caught->events[i] != NULL) {
            event_free(caught->events[i]);
        }
    }
}

/* Blocks until SIGTERM or SIGINT. */
static int wait_for_the_end(struct event_base *base)
{
    printf("ready\n");
    fflush(stdout);
    return event_base_dispatch(base) < 0 ? -1 : 0;
}

/* NULL with the exit code that says why. */
static matching_core *make_core(const matching_config *config, starting *told, int *exit_code,
                                char *error, size_t error_size)
{
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = config->instruments;
    options.instrument_count = config->instrument_count;
    options.instruments_are_defaults = config->instruments_are_defaults;
    options.shards = config->engine.shards;
    options.ring_size = config->engine.ring_size;
    options.batch_size = config->engine.batch_size;
    options.event_ring_size = config->engine.event_ring_size;
    options.max_orders = config->engine.max_orders;
    options.max_levels = config->engine.max_levels;
    options.max_traders = config->engine.max_traders;
    options.retained_orders = config->engine.retained_orders;
    options.memory_at_start = config->engine.memory_at_start;
    options.max_instruments = config->engine.max_instruments;
    options.recent_trades = config->engine.recent_trades;
    options.spin_us = config->engine.spin_us;
    options.cpu_affinity = config->engine.cpu_affinity;
    options.cpu_affinity_count = config->engine.cpu_affinity_count;
    options.data_dir = config->in_memory ? NULL : config->data_dir;
    options.sync = config->journal.sync;
    options.sync_interval_ms = config->journal.sync_interval_ms;
    options.segment_bytes = config->journal.segment_bytes;
    options.snapshot_every = config->journal.snapshot_every;
    options.metrics = config->telemetry.metrics;
    starting_listen(told, &options);
    matching_core *core = matching_core_create(&options, error, error_size);
    *exit_code = core == NULL && errno == EBADMSG ? MATCHING_EXIT_USAGE : MATCHING_EXIT_RUN;
    starting_end(told);
    return core;
}

/* The store of what has been, unless nobody wants one. 0, or -1 with the exit code. */
static int attach_history(matching_core *core, const matching_config *config, int *exit_code,
                          char *error, size_t error_size)
{
    if (config->in_memory || !config->store.enabled) {
        return 0;
    }
    matching_history_options options = {.retention_days = config->store.retention_days,
                                        .max_trades = config->store.max_trades,
                                        .max_orders = config->store.max_orders,
                                        .max_candles = config->store.max_candles,
                                        .memory_bytes = config->store.memory_bytes,
                                        .cache_bytes = config->store.cache_bytes,
                                        .max_backlog_bytes = config->store.max_backlog_bytes};
    int failed = matching_history_attach(core, &options, error, error_size);
    *exit_code = failed == -EBADMSG ? MATCHING_EXIT_USAGE : MATCHING_EXIT_RUN;
    return failed == 0 ? 0 : -1;
}

static void on_libevent_line(int severity, const char *line)
{
    static const matching_log_level levels[] = {MATCHING_LOG_DEBUG, MATCHING_LOG_INFO,
                                                MATCHING_LOG_WARN, MATCHING_LOG_ERROR};
    matching_log(severity >= 0 && severity < 4 ? levels[severity] : MATCHING_LOG_WARN, "libevent",
                 "%s", line);
}

/* Trading goes on without a log, but whoever runs it should know. */
static void start_log(const matching_config *config)
{
    matching_log_options options = {
        .as_json = config->telemetry.log_format == MATCHING_CONFIG_LOG_JSON,
        .fd = STDERR_FILENO,
        .path = config->telemetry.log_file,
    };
    bool is_known = matching_log_levels_parse(config->telemetry.log_level, &options.levels);
    int failed = is_known ? matching_log_start(&options) : -EINVAL;
    if (failed != 0 && options.path[0] != 0) {
        fprintf(stderr, "matching: %s cannot be opened (%s), the log goes to standard error\n",
                options.path, strerror(-failed));
        options.path = NULL;
        failed = matching_log_start(&options);
    }
    if (failed != 0) {
        fprintf(stderr, "matching: there will be no log: %s\n", strerror(-failed));
    }
    event_set_log_callback(on_libevent_line);
}

static int serve(const matching_config *config, const matching_trace_options *traces)
{
    static doors all;
    starting told = {.room = NULL};
    char error[ERROR_SIZE] = "";
    int failed = -1, exit_code;

    /* 1. The log; the main thread's loop, so that signals from now on end cleanly; descriptors. */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is an error of that write */
    start_log(config);
    struct event_base *base = event_base_new();
    signals caught = {{NULL}};
    descriptors_raise(config);
    bool ready = base != NULL && signals_catch(&caught, base, config);
    /* Spans are recorded from here on, if they are wanted; the core's ports have to know. */
    ready = ready && matching_trace_start(traces, MATCHING_VERSION, error, sizeof error) == 0;
    /* 2. The core: shards, engines, instruments, as their journals have them; who asks meanwhile is
     * told that the service is starting. */
    starting_begin(&told, config);
    matching_core *core = make_core(config, &told, &exit_code, error, sizeof error);
    /* 3. What it has done is kept; 4. the doors get their ports. */
    if (ready && core != NULL &&
        attach_history(core, config, &exit_code, error, sizeof error) == 0 &&
        doors_init(&all, config, core, error, sizeof error) == 0) {
        /* 5. The shards run; 6. the doors open; 7. until a signal. */
        bool runs = matching_core_start(core, error, sizeof error) == 0;
        starting_leave(&told);
        if (runs && doors_start(&all, error, sizeof error) == 0) {
            failed = wait_for_the_end(base);
        }
        /* 8. Doors answer what they took, then the shards end. */
        doors_stop(&all);
        matching_core_stop(core);
    }
    starting_leave(&told); /* nobody came so far as to need the ports */
    if (failed != 0) {
        fprintf(stderr, "matching: %s\n", error[0] != 0 ? error : "the event loop failed");
    }
    doors_fini(&all);
    if (core != NULL) {
        matching_core_destroy(core);
    }
    matching_trace_stop();
    matching_log_stop();
    signals_free(&caught);
    if (base != NULL) {
        event_base_free(base);
    }
    return failed == 0 ? EXIT_SUCCESS : exit_code;
}

int main(int argc, char **argv)
{
    static matching_config config;
    static matching_trace_options traces;
    matching_options options;
    char error[MATCHING_CONFIG_ERROR_SIZE];
    size_t count;
    const char *const *names = doors_available(&count);

    if (matching_config_parse_command_line(&options, argc, argv, names, count, error,
                                           sizeof error) != 0) {
        fprintf(stderr, "matching: %s\n", error);
        return MATCHING_EXIT_USAGE;
    }
    if (options.mode == MATCHING_MODE_HELP) {
        matching_config_print_help(stdout, names, count);
        return EXIT_SUCCESS;
    }
    if (options.mode == MATCHING_MODE_VERSION) {
        matching_config_print_version(stdout, MATCHING_VERSION);
        return EXIT_SUCCESS;
    }
    if (options.mode == MATCHING_MODE_TOOL) {
        return tools_run(&options.tool);
    }
    if (matching_config_load(&config, &options, error, sizeof error) != 0 ||
        matching_trace_options_read(&traces, error, sizeof error) != 0) {
        fprintf(stderr, "matching: %s\n", error);
        return MATCHING_EXIT_USAGE;
    }
    if (options.mode == MATCHING_MODE_CHECK_CONFIG) {
        if (traces.unknown[0] != '\0') {
            fprintf(stderr, "matching: variables are set that are not looked at: %s\n",
                    traces.unknown);
        }
        matching_config_print(&config, stdout);
        return EXIT_SUCCESS;
    }
    return serve(&config, &traces);
}
