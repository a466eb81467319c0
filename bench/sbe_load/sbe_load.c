/* A load generator for the SBE door and for gateways: what it is told on the command line, and what
 * is measured then. docs/performance.md says how to use it.
 *
 * Targets take turns within one run, so that what else the machine does meets all of them.
 */
#include "sbe_load.h"

#include <stdlib.h>

#include "load/options.h"

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
    "  --alone           stop the processes of the other targets (SIGSTOP) during a target's turn\n"
    "  --no-head         leave out the head line and the set-up\n";

int main(int argc, char **argv)
{
    static const char *const names[] = {"orders", "trades", "latency", NULL};
    static void (*const measures[])(const sbe_settings *, target *, unsigned) = {
        measure_orders, measure_trades, measure_order_latency};
    static const char *const mixes[] = {[MIX_CANCEL] = "cancel", [MIX_CROSS] = "cross", NULL};
    static load_command command;
    sbe_settings s = {.connections = 10,
                      .in_flight = 10,
                      .frame = 100,
                      .rounds = 3,
                      .seconds = 3,
                      .samples = 5000,
                      .resting = 128};
    const load_option options[] = {
        {"connections", &s.connections, 1, 1000, NULL},
        {"in-flight", &s.in_flight, 1, 64, NULL},
        {"frame", &s.frame, 1, FRAME_BYTES_MAX / SBE_NEW_ORDER_BYTES, NULL},
        {"mix", &s.mix, 0, 0, mixes},
        {"resting", &s.resting, 1, 1000000, NULL},
        {"seconds", &s.seconds, 1, 86400, NULL},
        {"samples", &s.samples, 1, 100000000, NULL},
        {"rounds", &s.rounds, 1, ROUNDS_MAX, NULL},
        {0}};
    const load_program program = {"sbe_load", USAGE, options, names};
    load_begin(&program, argc, argv, &command);
    measures[command.measure](&s, command.targets, command.count);
    return EXIT_SUCCESS;
}
