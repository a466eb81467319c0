/* A load generator for the SBE door and for gateways: what it is told on the command line, and what
 * is measured then. docs/performance.md says how to use it.
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

#include "sbe_load.h"
#include "ws_load/report.h"

static const char USAGE[] =
    "usage: sbe_load MEASURE [options] NAME=ADDRESS:PORT[/PID]...\n"
    "\n"
    "Measures the servers at these addresses, turn by turn, and compares each with the first. One\n"
    "whose name begins with \"echo\" sends every message back (ws_echo). With a process id, the\n"
    "processor time for each message is told too.\n"
    "\n"
    "  orders            orders acknowledged a second, and the time until all of a frame are\n"
    "    --connections N   10\n"
    "    --in-flight N     frames under way on each connection, 10\n"
    "    --frame N         messages in a frame, 100\n"
    "    --mix MIX         cancel: orders that rest, and as many cancels of earlier ones\n"
    "                      (default); cross: orders that trade with each other\n"
    "    --resting N       orders that a connection leaves in the book before it cancels, 128\n"
    "    --seconds N       of a round, 3\n"
    "  trades            trades taken in a second, on one connection\n"
    "    --in-flight N     groups of frames, 64 KiB each, under way, 10; at most 64\n"
    "    --frame N         trades in a frame, 100\n"
    "    --seconds N       of a round, 3\n"
    "  latency           one order at a time, until its report\n"
    "    --samples N       of a round, 5000\n"
    "\n"
    "  --rounds N        turns of each target, 3; the rate is the median's\n"
    "  --cpu N           stay on this processor\n"
    "  --no-head         leave out the head line and the set-up\n";

static _Noreturn void refuse(const char *what, const char *value)
{
    fprintf(stderr, "sbe_load: %s%s\n\n%s", what, value, USAGE);
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

static bool is_crossing(const char *text)
{
    if (strcmp(text, "cross") != 0 && strcmp(text, "cancel") != 0) {
        refuse("expected cancel or cross, not ", text);
    }
    return strcmp(text, "cross") == 0;
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

static void read_options(int count, char **values, sbe_settings *s)
{
    static const struct option options[] = {
        {"connections", required_argument, NULL, 'c'},
        {"in-flight", required_argument, NULL, 'f'},
        {"frame", required_argument, NULL, 'F'},
        {"mix", required_argument, NULL, 'm'},
        {"seconds", required_argument, NULL, 's'},
        {"samples", required_argument, NULL, 'n'},
        {"rounds", required_argument, NULL, 'R'},
        {"cpu", required_argument, NULL, 'p'},
        {"resting", required_argument, NULL, 'r'},
        {"no-head", no_argument, NULL, 'q'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    for (int option; (option = getopt_long(count, values, "h", options, NULL)) >= 0;) {
        switch (option) {
        case 'c':
            s->connections = number(optarg, 1, 1000);
            break;
        case 'f':
            s->in_flight = number(optarg, 1, 64);
            break;
        case 'F':
            s->frame = number(optarg, 1, FRAME_BYTES_MAX / SBE_NEW_ORDER_BYTES);
            break;
        case 'm':
            s->is_crossing = is_crossing(optarg);
            break;
        case 'r':
            s->resting = number(optarg, 1, 1000000);
            break;
        case 's':
            s->seconds = number(optarg, 1, 86400);
            break;
        case 'n':
            s->samples = number(optarg, 1, 100000000);
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

static void print_head(void)
{
    double average = 0;
    cpu_set_t set;
    CPU_ZERO(&set);
    (void)getloadavg(&average, 1);
    (void)sched_getaffinity(0, sizeof set, &set);
    printf("load average %.2f; %d processor%s for the load\n", average, CPU_COUNT(&set),
           CPU_COUNT(&set) == 1 ? "" : "s");
    report_head();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const sbe_settings *s, target *targets, unsigned count);
    } measures[] = {
        {"orders", measure_orders}, {"trades", measure_trades}, {"latency", measure_order_latency}};
    static target targets[TARGETS_MAX];
    sbe_settings s = {.connections = 10,
                      .in_flight = 10,
                      .frame = 100,
                      .rounds = 3,
                      .seconds = 3,
                      .samples = 5000,
                      .resting = 128};
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
