/* A load generator for the WebSocket door: what it is told on the command line, and what is
 * measured then. docs/performance.md says how to use it.
 *
 * Targets take turns within one run, so that what else the machine does meets all of them.
 */
#define _GNU_SOURCE /* sched_setaffinity */
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "report.h"
#include "target.h"

static const char USAGE[] =
    "usage: ws_load MEASURE [options] NAME=ADDRESS:PORT[/PID]...\n"
    "\n"
    "Measures the servers at these addresses, turn by turn, and compares each with the first. One\n"
    "whose name begins with \"echo\" sends every message back (ws_echo). With a process id, the\n"
    "processor time for each message and the memory are told too.\n"
    "\n"
    "  throughput        replies a second, and the time until each\n"
    "    --connections N   10\n"
    "    --in-flight N     messages under way on each connection, 64\n"
    "    --rate N          messages a second at fixed times, whatever the server does; times "
    "count\n"
    "                      from when a message was due\n"
    "    --mix MIX         cancel: an order that rests, then a cancel of an earlier one "
    "(default);\n"
    "                      cross: orders that trade with each other; rest: orders that rest\n"
    "    --seconds N       of a round, 3\n"
    "  latency           one message at a time: ping, limit order, an order that trades\n"
    "    --samples N       of a round, 1000; half of that of trades\n"
    "  fanout            one trade, until the last subscriber has it\n"
    "    --subscribers N   10000\n"
    "    --trades N        of a round, 20\n"
    "  idle              memory of idle connections, and how one client fares beside them\n"
    "    --idle N          18000\n"
    "    --samples N       1000\n"
    "  slow              trades, until one who follows them has them: alone, and beside clients "
    "that\n"
    "                    follow everything and do not read\n"
    "    --slow N          50\n"
    "    --rate N          trades a second, 5000\n"
    "    --seconds N       of a round, 3\n"
    "\n"
    "  --rounds N        turns of each target, 3 (idle: 1); the rate is the median's\n"
    "  --cpu N           stay on this processor\n"
    "  --no-head         leave out the head line and the set-up\n";

static _Noreturn void refuse(const char *what, const char *value)
{
    fprintf(stderr, "ws_load: %s%s\n\n%s", what, value, USAGE);
    exit(2);
}

static unsigned number(const char *text, unsigned least, unsigned most)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < least || value > most) {
        char what[80];
        snprintf(what, sizeof what, "expected a number from %u to %u, not ", least, most);
        refuse(what, text);
    }
    return (unsigned)value;
}

static load_mix mix(const char *text)
{
    static const char *const names[] = {"cancel", "cross", "rest"};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(text, names[i]) == 0) {
            return (load_mix)i;
        }
    }
    refuse("expected cancel, cross or rest, not ", text);
}

static void pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        fail("processor %u: %s", cpu, strerror(errno));
    }
}

static bool has_head = true;

static void read_options(int count, char **values, settings *s)
{
    static const struct option options[] = {
        {"connections", required_argument, NULL, 'c'},
        {"in-flight", required_argument, NULL, 'f'},
        {"rate", required_argument, NULL, 'r'},
        {"mix", required_argument, NULL, 'm'},
        {"seconds", required_argument, NULL, 's'},
        {"samples", required_argument, NULL, 'n'},
        {"subscribers", required_argument, NULL, 'S'},
        {"trades", required_argument, NULL, 't'},
        {"idle", required_argument, NULL, 'i'},
        {"slow", required_argument, NULL, 'w'},
        {"rounds", required_argument, NULL, 'R'},
        {"cpu", required_argument, NULL, 'p'},
        {"no-head", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(count, values, "h", options, NULL)) >= 0;) {
        switch (option) {
        case 'c':
            s->connections = number(optarg, 1, 10000);
            break;
        case 'f':
            s->in_flight = number(optarg, 1, 16384);
            break;
        case 'r':
            s->rate = number(optarg, 1, 100000000);
            break;
        case 'm':
            s->mix = mix(optarg);
            break;
        case 's':
            s->seconds = number(optarg, 1, 86400);
            break;
        case 'n':
            s->samples = number(optarg, 1, 100000000);
            break;
        case 'S':
            s->subscribers = number(optarg, 1, 100000);
            break;
        case 't':
            s->trades = number(optarg, 1, 1000000);
            break;
        case 'i':
            s->idle = number(optarg, 0, 1000000);
            break;
        case 'w':
            s->slow = number(optarg, 1, 10000);
            break;
        case 'R':
            s->rounds = number(optarg, 1, ROUNDS_MAX);
            break;
        case 'p':
            pin(number(optarg, 0, CPU_SETSIZE - 1));
            break;
        case 'q':
            has_head = false;
            break;
        case 'h':
            fputs(USAGE, stdout);
            exit(EXIT_SUCCESS);
        default:
            refuse("try --help", "");
        }
    }
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void print_head(void)
{
    double load = 0;
    cpu_set_t set;
    CPU_ZERO(&set);
    (void)getloadavg(&load, 1);
    (void)sched_getaffinity(0, sizeof set, &set);
    printf("load average %.2f; %d processor%s for the load\n", load, CPU_COUNT(&set),
           CPU_COUNT(&set) == 1 ? "" : "s");
    report_head();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const settings *s, target *targets, unsigned count);
    } measures[] = {{"throughput", measure_throughput},
                    {"latency", measure_latency},
                    {"fanout", measure_fanout},
                    {"idle", measure_idle},
                    {"slow", measure_slow}};
    static target targets[TARGETS_MAX];
    settings s = {.connections = 10,
                  .in_flight = 64,
                  .rounds = 3,
                  .seconds = 3,
                  .samples = 1000,
                  .subscribers = 10000,
                  .trades = 20,
                  .idle = 18000,
                  .slow = 50};
    unsigned count = 0;
    read_options(argc, argv, &s);
    if (optind == argc) {
        refuse("what shall be measured?", "");
    }
    const char *measure = argv[optind++];
    for (; optind < argc; optind++, count++) {
        if (count == TARGETS_MAX || !target_parse(argv[optind], &targets[count])) {
            refuse("not a target, or one too many: ", argv[optind]);
        }
    }
    if (count == 0) {
        refuse("no target", "");
    }
    signal(SIGPIPE, SIG_IGN);
    allow_descriptors();
    for (size_t i = 0; i < sizeof measures / sizeof measures[0]; i++) {
        if (strcmp(measure, measures[i].name) == 0) {
            if (has_head) {
                print_head();
            }
            measures[i].run(&s, targets, count);
            return EXIT_SUCCESS;
        }
    }
    refuse("no such measure: ", measure);
}
