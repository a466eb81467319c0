/* Measures a running service over its WebSocket door, in five suites:
 *
 *     1 ping/pong      1000 pings
 *     2 limit orders   1000 limit orders that rest
 *     3 matching       500 orders that each trade with one resting order: ack and trade
 *     4 throughput     10 s on several connections: first as much as the service takes, then at a
 *                      share of that, to see the latency under load
 *     5 clients        10 connections with 100 orders each
 *
 *     ws_benchmark [URL] [--seconds N] [--seed N] ...      (--help tells all)
 *
 * Suites 1, 2, 3, 5 and the second part of 4 offer their load open-loop (load.h). The orders are
 * the same on every run with the same options. Start it against a service that nobody else uses:
 * orders of others at its prices would trade with its own. At the end it cancels what it left in
 * the book.
 *
 * Exit code: 0; 1 if a connection failed or a message was answered by an error; 2 for bad usage.
 */
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "load.h"
#include "ws_connection.h"

#define CONNECT_TIMEOUT_MS 5000
#define CONNECTIONS_MAX 64
#define FILL_WINDOW 64 /* unanswered messages while a suite is being prepared */
#define LOAD_SHARE_PERCENT 70
#define SATURATED_PERCENT 40 /* of the throughput suite's time */

typedef struct settings {
    char host[128], port[8], path[128];
    uint64_t seed, rate, pings, orders, matches, seconds, connections, window, clients,
        client_orders;
} settings;

typedef struct benchmark {
    settings set;
    ws_connection connections[CONNECTIONS_MAX];
    size_t connection_count;
    uint64_t errors;
} benchmark;

/* ---- Messages ------------------------------------------------------------------------------- */

/* The same number for the same seed and place, in any order of asking (splitmix64). */
static uint64_t random_at(uint64_t seed, uint64_t place)
{
    uint64_t x = seed * 0x9e3779b97f4a7c15u + (place + 1) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static size_t write_ping(void *context, uint64_t n, char *out)
{
    (void)context;
    return (size_t)snprintf(out, LOAD_MESSAGE_MAX, "{\"type\":\"ping\",\"id\":%llu}",
                            (unsigned long long)n);
}

/* cents: the price in hundredths; lots: the quantity in ten-thousandths. */
static size_t write_order(char *out, uint64_t n, const char *trader, const char *side,
                          uint64_t cents, uint64_t lots, const char *more)
{
    return (size_t)snprintf(out, LOAD_MESSAGE_MAX,
                            "{\"type\":\"limit_order\",\"trader_id\":\"bench-%s\",\"side\":\"%s\","
                            "\"price\":%llu.%02llu,\"quantity\":0.%04llu%s,\"id\":%llu}",
                            trader, side, (unsigned long long)(cents / 100),
                            (unsigned long long)(cents % 100), (unsigned long long)lots, more,
                            (unsigned long long)n);
}

/* Both sides of 10,000, never meeting. */
static size_t write_resting(void *context, uint64_t n, char *out)
{
    const benchmark *it = context;
    uint64_t random = random_at(it->set.seed, n);
    uint64_t away = 1 + random % 1000;
    bool buys = random >> 32 & 1;
    return write_order(out, n, "maker", buys ? "buy" : "sell",
                       buys ? 1000000 - away : 1000000 + away, 1 + (random >> 40) % 9999, "");
}

static size_t write_maker(void *context, uint64_t n, char *out)
{
    (void)context;
    return write_order(out, n, "maker", "sell", 1000000, 100, "");
}

static size_t write_taker(void *context, uint64_t n, char *out)
{
    (void)context;
    return write_order(out, n, "taker", "buy", 1000000, 100, "");
}

/* Throughput, in rounds of four messages a connection: a sell that rests, a buy that rests, a buy
 * that takes as much as the sell brought, a cancel of the resting buy. The book stays small. */
static size_t write_mixed(void *context, uint64_t n, char *out)
{
    const benchmark *it = context;
    uint64_t connection = n % it->connection_count;
    uint64_t step = n / it->connection_count;
    uint64_t place = connection << 48 | step / 4;
    uint64_t random = random_at(it->set.seed, place);
    uint64_t lots = 1 + (random >> 40) % 9999;
    char more[80];
    switch (step % 4) {
    case 0:
        return write_order(out, n, "maker", "sell", 1000001 + random % 50, lots, "");
    case 1:
        snprintf(more, sizeof more, ",\"client_order_id\":\"%llu\"", (unsigned long long)place);
        return write_order(out, n, "maker", "buy", 1000000 - random % 50, lots, more);
    case 2:
        return write_order(out, n, "taker", "buy", 1000050, lots, ",\"time_in_force\":\"IOC\"");
    default:
        return (size_t)snprintf(out, LOAD_MESSAGE_MAX,
                                "{\"type\":\"cancel_order\",\"trader_id\":\"bench-maker\","
                                "\"client_order_id\":\"%llu\",\"id\":%llu}",
                                (unsigned long long)place, (unsigned long long)n);
    }
}

static size_t write_cancel_all(void *context, uint64_t n, char *out)
{
    (void)context;
    return (size_t)snprintf(out, LOAD_MESSAGE_MAX,
                            "{\"type\":\"cancel_all\",\"trader_id\":\"bench-%s\",\"id\":%llu}",
                            n == 0 ? "maker" : "taker", (unsigned long long)n);
}

static size_t write_subscribe(void *context, uint64_t n, char *out)
{
    (void)context;
    return (size_t)snprintf(out, LOAD_MESSAGE_MAX,
                            "{\"type\":\"subscribe\",\"channels\":[\"trades\"],\"id\":%llu}",
                            (unsigned long long)n);
}

/* ---- Connections and steps ------------------------------------------------------------------ */

static void close_all(benchmark *it)
{
    for (size_t i = 0; i < it->connection_count; i++) {
        ws_close(&it->connections[i]);
    }
    it->connection_count = 0;
}

static int open_some(benchmark *it, uint64_t count)
{
    close_all(it);
    while (it->connection_count < count) {
        ws_connection *connection = &it->connections[it->connection_count++];
        if (ws_connect(connection, it->set.host, it->set.port, it->set.path, CONNECT_TIMEOUT_MS)) {
            fprintf(stderr, "ws_benchmark: %s:%s: %s\n", it->set.host, it->set.port,
                    connection->error);
            return -1;
        }
    }
    return 0;
}

/* Runs a plan on the open connections and reports what goes wrong. */
static int run_plan(benchmark *it, load_plan plan, load_result *result)
{
    plan.connections = it->connections;
    plan.connection_count = it->connection_count;
    plan.context = it;
    int failed = load_run(&plan, result);
    if (failed != 0) {
        fprintf(stderr, "ws_benchmark: %s: %s\n", plan.name, result->error);
    } else if (result->errors > 0) {
        fprintf(stderr, "ws_benchmark: %s: %llu errors, the first one: %s\n", plan.name,
                (unsigned long long)result->errors, result->error);
    }
    it->errors += result->errors;
    return failed;
}

/* Something that is not measured. */
static int prepare(benchmark *it, load_plan plan)
{
    load_result result;
    plan.window = FILL_WINDOW;
    plan.is_quiet = true;
    int failed = run_plan(it, plan, &result);
    load_result_free(&result);
    return failed;
}

static int clean_up(benchmark *it)
{
    return prepare(it, (load_plan){.name = "clean up", .messages = 2, .write = write_cancel_all});
}

static void print_row(const char *name, const int64_t *sorted, uint64_t count, uint64_t rate)
{
    printf("%-30s %9llu %9llu", name, (unsigned long long)count, (unsigned long long)rate);
    static const double shares[] = {0.5, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
        if (count > 0) {
            printf(" %9.1f", (double)load_percentile(sorted, count, shares[i]) / 1000);
        }
    }
    putchar('\n');
    fflush(stdout);
}

/* A measured plan: one row. */
static int measure(benchmark *it, const char *row, load_plan plan)
{
    load_result result;
    int failed = run_plan(it, plan, &result);
    if (failed == 0) {
        print_row(row, result.latencies_ns, result.answered, plan.rate);
    }
    load_result_free(&result);
    return failed;
}

/* ---- The suites ----------------------------------------------------------------------------- */

static int suite_ping(benchmark *it)
{
    return open_some(it, 1) || measure(it, "1 ping/pong",
                                       (load_plan){.name = "1 ping/pong",
                                                   .messages = it->set.pings,
                                                   .rate = it->set.rate,
                                                   .write = write_ping});
}

static int suite_limit_orders(benchmark *it)
{
    return open_some(it, 1) || clean_up(it) ||
           measure(it, "2 limit orders",
                   (load_plan){.name = "2 limit orders",
                               .messages = it->set.orders,
                               .rate = it->set.rate,
                               .write = write_resting}) ||
           clean_up(it);
}

/* One connection sends and listens, so the reply and the trade of an order come the same way. */
static int suite_matching(benchmark *it)
{
    const load_plan makers = {
        .name = "3 matching, makers", .messages = it->set.matches, .write = write_maker};
    const load_plan listen = {
        .name = "3 matching, subscribe", .messages = 1, .write = write_subscribe};
    const load_plan takers = {.name = "3 matching",
                              .messages = it->set.matches,
                              .rate = it->set.rate,
                              .write = write_taker,
                              .event_mark = "\"buyer\":\"bench-taker\""};
    if (open_some(it, 1) || clean_up(it) || prepare(it, makers) || prepare(it, listen)) {
        return -1;
    }
    load_result result;
    int failed = run_plan(it, takers, &result);
    if (failed == 0) {
        print_row("3 matching, order to ack", result.latencies_ns, result.answered, takers.rate);
        print_row("3 matching, order to trade", result.event_ns, result.events, takers.rate);
    }
    load_result_free(&result);
    return failed ? failed : clean_up(it);
}

static int suite_throughput(benchmark *it)
{
    int64_t whole_ns = (int64_t)it->set.seconds * 1000000000;
    load_plan plan = {.name = "4 throughput, saturated",
                      .window = it->set.window,
                      .duration_ns = whole_ns / 100 * SATURATED_PERCENT,
                      .write = write_mixed};
    load_result result;
    if (open_some(it, it->set.connections) || clean_up(it)) {
        return -1;
    }
    int failed = run_plan(it, plan, &result);
    load_result_free(&result);
    if (failed != 0) {
        return -1;
    }
    double per_second = (double)result.answered * 1e9 / (double)result.elapsed_ns;
    printf("%-30s %9llu %9.0f  (%llu connections with %llu in flight)\n", plan.name,
           (unsigned long long)result.answered, per_second, (unsigned long long)it->set.connections,
           (unsigned long long)it->set.window);
    fflush(stdout);

    char row[64];
    snprintf(row, sizeof row, "4 throughput, %d%% of that", LOAD_SHARE_PERCENT);
    uint64_t rate = (uint64_t)(per_second * LOAD_SHARE_PERCENT / 100) + 1;
    uint64_t messages =
        rate * (uint64_t)(whole_ns / 1000000) / 1000 * (100 - SATURATED_PERCENT) / 100;
    return clean_up(it) ||
           measure(it, row,
                   (load_plan){.name = row,
                               .messages = messages > 0 ? messages : 1,
                               .rate = rate,
                               .write = write_mixed}) ||
           clean_up(it);
}

static int suite_clients(benchmark *it)
{
    char row[64];
    snprintf(row, sizeof row, "5 %llu clients x %llu orders", (unsigned long long)it->set.clients,
             (unsigned long long)it->set.client_orders);
    return open_some(it, it->set.clients) || clean_up(it) ||
           measure(it, row,
                   (load_plan){.name = row,
                               .messages = it->set.clients * it->set.client_orders,
                               .rate = it->set.clients * it->set.rate,
                               .write = write_resting}) ||
           clean_up(it);
}

/* ---- Set-up --------------------------------------------------------------------------------- */

static void print_setup(const settings *set)
{
    struct utsname machine;
    char cpu[128] = "unknown";
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "model name", 10) == 0 && strchr(line, ':') != NULL) {
            snprintf(cpu, sizeof cpu, "%.*s", (int)strcspn(strchr(line, ':') + 2, "\n"),
                     strchr(line, ':') + 2);
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    uname(&machine);
    printf("service   ws://%s:%s%s\n", set->host, set->port, set->path);
    printf("machine   %ld x %s, %s %s %s\n", sysconf(_SC_NPROCESSORS_ONLN), cpu, machine.sysname,
           machine.release, machine.machine);
    printf("client    one thread, compiler %s, seed %llu\n", __VERSION__,
           (unsigned long long)set->seed);
    printf(
        "load      open-loop, %llu messages/s a connection where a suite does not say otherwise;\n"
        "          latency counts from the moment when a message was due\n\n",
        (unsigned long long)set->rate);
    printf("%-30s %9s %9s %9s %9s %9s %9s\n", "suite", "samples", "offered/s", "p50 us", "p99 us",
           "p99.9 us", "max us");
}

static void print_help(void)
{
    puts("Usage: ws_benchmark [URL] [options]\n\n"
         "Measures a running service, by default ws://127.0.0.1:9090/ws.\n\n"
         "  --seconds N        length of the throughput suite [10]\n"
         "  --connections N    its connections [4], at most 64\n"
         "  --window N         messages of each without a reply [64]\n"
         "  --pings N          pings [1000]\n"
         "  --orders N         limit orders [1000]\n"
         "  --matches N        orders that trade [500]\n"
         "  --clients N        clients of the last suite [10], at most 64\n"
         "  --client-orders N  orders of each [100]\n"
         "  --rate N           messages a second on one connection [1000]\n"
         "  --seed N           of prices and quantities [1]\n"
         "  --help             print this");
}

static bool read_url(const char *url, settings *set)
{
    set->path[0] = '\0';
    int found = sscanf(url, "ws://[%127[^]]]:%7[0-9]%127s", set->host, set->port, set->path);
    if (found < 2) {
        found = sscanf(url, "ws://%127[^:/]:%7[0-9]%127s", set->host, set->port, set->path);
    }
    if (set->path[0] == '\0') {
        strcpy(set->path, "/");
    }
    return found >= 2 && set->path[0] == '/';
}

static bool read_options(int argc, char **argv, settings *set)
{
    static const struct option names[] = {
        {"seconds", required_argument, NULL, 0}, {"connections", required_argument, NULL, 1},
        {"window", required_argument, NULL, 2},  {"pings", required_argument, NULL, 3},
        {"orders", required_argument, NULL, 4},  {"matches", required_argument, NULL, 5},
        {"clients", required_argument, NULL, 6}, {"client-orders", required_argument, NULL, 7},
        {"rate", required_argument, NULL, 8},    {"seed", required_argument, NULL, 9},
        {"help", no_argument, NULL, 'h'},        {0}};
    static const uint64_t most[] = {3600,    CONNECTIONS_MAX, 10000,   1000000, 1000000,
                                    1000000, CONNECTIONS_MAX, 1000000, 1000000, UINT32_MAX};
    uint64_t *const values[] = {
        &set->seconds, &set->connections, &set->window,        &set->pings, &set->orders,
        &set->matches, &set->clients,     &set->client_orders, &set->rate,  &set->seed};
    int option, at;
    while ((option = getopt_long(argc, argv, "h", names, &at)) != -1) {
        if (option == 'h') {
            print_help();
            exit(EXIT_SUCCESS);
        }
        if (option == '?') {
            return false;
        }
        char *end;
        uint64_t value = strtoull(optarg, &end, 10);
        if (*end != '\0' || value < 1 || value > most[option]) {
            fprintf(stderr, "ws_benchmark: --%s: must be from 1 to %llu, not '%s'\n",
                    names[at].name, (unsigned long long)most[option], optarg);
            return false;
        }
        *values[option] = value;
    }
    if (argc - optind > 1 || (argc > optind && !read_url(argv[optind], set))) {
        fprintf(stderr, "ws_benchmark: expected one address like ws://127.0.0.1:9090/ws\n");
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    static benchmark it = {.set = {.host = "127.0.0.1",
                                   .port = "9090",
                                   .path = "/ws",
                                   .seed = 1,
                                   .rate = 1000,
                                   .pings = 1000,
                                   .orders = 1000,
                                   .matches = 500,
                                   .seconds = 10,
                                   .connections = 4,
                                   .window = 64,
                                   .clients = 10,
                                   .client_orders = 100}};
    if (!read_options(argc, argv, &it.set)) {
        return 2;
    }
    print_setup(&it.set);
    bool failed = suite_ping(&it) || suite_limit_orders(&it) || suite_matching(&it) ||
                  suite_throughput(&it) || suite_clients(&it);
    close_all(&it);
    return failed || it.errors > 0 ? 1 : 0;
}
