/* A load generator for the WebSocket door: what it is told on the command line, and what is
 * measured then. docs/performance.md says how to use it.
 *
 * Targets take turns within one run, so that what else the machine does meets all of them.
 */
#include "ws_load.h"

#include <stdlib.h>

#include "load/options.h"

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
    "  --alone           stop the processes of the other targets (SIGSTOP) during a target's turn\n"
    "  --no-head         leave out the head line and the set-up\n";

int main(int argc, char **argv)
{
    static const char *const names[] = {"throughput", "latency", "fanout", "idle", "slow", NULL};
    static void (*const measures[])(const settings *, target *, unsigned) = {
        measure_throughput, measure_latency, measure_fanout, measure_idle, measure_slow};
    static const char *const mixes[] = {
        [MIX_CANCEL] = "cancel", [MIX_CROSS] = "cross", [MIX_REST] = "rest", NULL};
    static load_command command;
    settings s = {.connections = 10,
                  .in_flight = 64,
                  .rounds = 3,
                  .seconds = 3,
                  .samples = 1000,
                  .subscribers = 10000,
                  .trades = 20,
                  .idle = 18000,
                  .slow = 50};
    const load_option options[] = {{"connections", &s.connections, 1, 10000, NULL},
                                   {"in-flight", &s.in_flight, 1, 16384, NULL},
                                   {"rate", &s.rate, 1, 100000000, NULL},
                                   {"mix", &s.mix, 0, 0, mixes},
                                   {"seconds", &s.seconds, 1, 86400, NULL},
                                   {"samples", &s.samples, 1, 100000000, NULL},
                                   {"subscribers", &s.subscribers, 1, 100000, NULL},
                                   {"trades", &s.trades, 1, 1000000, NULL},
                                   {"idle", &s.idle, 0, 1000000, NULL},
                                   {"slow", &s.slow, 1, 10000, NULL},
                                   {"rounds", &s.rounds, 1, ROUNDS_MAX, NULL},
                                   {0}};
    const load_program program = {"ws_load", USAGE, options, names};
    load_begin(&program, argc, argv, &command);
    measures[command.measure](&s, command.targets, command.count);
    return EXIT_SUCCESS;
}
