/* ws_codec_bench [runs]: what one order costs the WebSocket door besides sockets and rings.
 *
 * Nanoseconds a message, each step by itself over the same fixed set of messages: reading a text to
 * a request in the flat way and with json-c, making a command of the request, writing the ack, and
 * all of it in a row. The least and the median of the runs are printed; what is measured stays in
 * the first caches, so the figures are a floor.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "matching/core.h"
#include "matching/gateway.h"
#include "message.h"
#include "reply.h"

#define MESSAGES 512u /* of each kind; a power of two */
#define ROUNDS 200u   /* over them in a run */
#define RUNS_MAX 99
#define SEED UINT64_C(20240607)
#define TEXT_ROOM 320u

typedef struct kind {
    const char *name;
    const char *const *formats; /* for print_message; NULL ends them */
} kind;

typedef struct texts {
    char bytes[MESSAGES][TEXT_ROOM];
    size_t lengths[MESSAGES];
    size_t total;
} texts;

typedef struct bench {
    matching_core *core;
    texts texts;
    ws_message messages[MESSAGES];
    matching_reply replies[MESSAGES];
    matching_writer writer;
    uint64_t now_ns;
    uint64_t sum; /* of what was made, so that nothing is left out */
} bench;

static uint64_t random_state = SEED;

static uint64_t next_random(uint64_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % below;
}

/* Messages as clients write them; @ stands for a number. */
static const char *const LIMITS[] = {
    "{\"type\":\"limit_order\",\"trader_id\":\"trader-@\",\"symbol\":\"BTCUSDT\",\"side\":\"buy\","
    "\"price\":49@.25,\"quantity\":0.@1,\"id\":@}",
    "{\"type\":\"limit_order\",\"trader_id\":\"trader-@\",\"symbol\":\"ETHUSDT\",\"side\":\"sell\","
    "\"price\":51@,\"quantity\":1.5,\"id\":@}",
    NULL};
static const char *const FULL[] = {
    "{\"type\":\"limit_order\",\"id\":\"order-@\",\"trader_id\":\"trader-@\",\"symbol\":"
    "\"SOLUSDT\",\"side\":\"buy\",\"price\":\"1@.25\",\"quantity\":\"0.@1\",\"time_in_force\":"
    "\"GTC\",\"post_only\":true,\"client_order_id\":\"my-order-@\",\"self_trade_prevention\":"
    "\"cancel_taker\"}",
    NULL};
static const char *const CANCELS[] = {
    "{\"type\":\"cancel_order\",\"order_id\":1@@,\"id\":@}",
    "{\"type\":\"cancel_order\",\"trader_id\":\"trader-@\",\"client_order_id\":\"c-@\",\"id\":@}",
    NULL};
static const char *const SPACED[] = {
    "{ \"type\": \"limit_order\", \"trader_id\": \"trader-@\", \"symbol\": \"BTCUSDT\", \"side\": "
    "\"buy\", \"price\": 49@.25, \"quantity\": 0.@1, \"id\": @ }",
    NULL};

static const kind KINDS[] = {{"limit order", LIMITS},
                             {"limit order with every option", FULL},
                             {"cancel", CANCELS},
                             {"limit order with spaces", SPACED}};

static size_t print_message(char *out, const char *format)
{
    size_t length = 0;
    for (; *format != '\0'; format++) {
        if (*format == '@') {
            length += (size_t)snprintf(out + length, TEXT_ROOM - length, "%03" PRIu64,
                                       next_random(900) + 100);
        } else {
            out[length++] = *format;
        }
    }
    return length;
}

static void make_texts(texts *all, const kind *what)
{
    size_t formats = 0;
    while (what->formats[formats] != NULL) {
        formats++;
    }
    all->total = 0;
    for (unsigned i = 0; i < MESSAGES; i++) {
        all->lengths[i] = print_message(all->bytes[i], what->formats[next_random(formats)]);
        all->total += all->lengths[i];
    }
}

static void make_replies(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        matching_order *order = &b->replies[i].order;
        b->replies[i] = (matching_reply){.received_ns = matching_monotonic_ns()};
        order->order_id = 1000000 + next_random(1u << 30);
        order->quantity_lots = (int64_t)next_random(100000) + 10000;
        order->filled_lots = next_random(4) == 0 ? (int64_t)next_random(10000) : 0;
        order->instrument = (uint16_t)next_random(3);
        order->status = order->filled_lots == 0 ? MATCHING_OPEN : MATCHING_PARTIAL;
        order->side = (uint8_t)next_random(2);
    }
}

/* ---- The steps: each goes over all messages once -------------------------------------------- */

static void read_flat(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        if (!ws_message_read_flat(b->texts.bytes[i], b->texts.lengths[i], &b->messages[i])) {
            fprintf(stderr, "not flat: %s\n", b->texts.bytes[i]);
            exit(1);
        }
        b->sum += (uint64_t)b->messages[i].request.price;
    }
}

static void read_json(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        ws_message message;
        ws_error error;
        ws_message_read_json(b->texts.bytes[i], b->texts.lengths[i], &message, &error);
        b->sum += (uint64_t)message.request.price;
        ws_message_fini(&message);
    }
}

static void prepare(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        matching_command command;
        matching_error error;
        if (matching_gateway_prepare(b->core, &b->messages[i].request, &command, &error) !=
            MATCHING_OK) {
            fprintf(stderr, "refused: %s\n", error.message);
            exit(1);
        }
        b->sum += (uint64_t)command.price_ticks;
    }
}

static void write_ack(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        matching_writer_clear(&b->writer);
        ws_write_order_ack(&b->writer, b->core, &b->replies[i], b->now_ns, b->messages[i].id);
        b->sum += b->writer.length;
    }
}

static void in_a_row(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        ws_message message;
        ws_error wrong;
        matching_command command;
        matching_error error;
        if (ws_message_read(b->texts.bytes[i], b->texts.lengths[i], &message, &wrong) ==
            MATCHING_OK) {
            matching_gateway_prepare(b->core, &message.request, &command, &error);
            b->sum += (uint64_t)command.quantity_lots;
        }
        matching_writer_clear(&b->writer);
        ws_write_order_ack(&b->writer, b->core, &b->replies[i], b->now_ns, message.id);
        ws_message_fini(&message);
        b->sum += b->writer.length;
    }
}

/* ---- The clock ------------------------------------------------------------------------------- */

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure(bench *b, unsigned runs, const char *name, void (*step)(bench *))
{
    double took[RUNS_MAX];
    step(b);
    for (unsigned run = 0; run < runs; run++) {
        double from = now_ns();
        for (unsigned round = 0; round < ROUNDS; round++) {
            step(b);
        }
        took[run] = (now_ns() - from) / (ROUNDS * MESSAGES);
    }
    qsort(took, runs, sizeof took[0], compare);
    printf("  %-28s min=%.1f ns med=%.1f ns\n", name, took[0], took[runs / 2]);
}

static matching_core *make_core(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "ETHUSDT", .id = 2, .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "SOLUSDT", .id = 3, .tick_size = 1000000, .lot_size = 10000}};
    matching_core_options options;
    char error[256];
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = 3;
    options.shards = 1;
    options.max_orders = options.max_traders = options.retained_orders = 1024;
    matching_core *core = matching_core_create(&options, error, sizeof error);
    if (core == NULL) {
        fprintf(stderr, "ws_codec_bench: %s\n", error);
        exit(1);
    }
    return core;
}

int main(int argc, char **argv)
{
    unsigned runs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 9;
    if (runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: ws_codec_bench [runs, 1 to %d]\n", RUNS_MAX);
        return 1;
    }
    bench *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return 1;
    }
    b->core = make_core();
    matching_writer_init(&b->writer);
    printf("ws_codec_bench: %u messages of each kind, %u rounds a run, %u runs, seed %" PRIu64 "\n",
           MESSAGES, ROUNDS, runs, SEED);
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        make_texts(&b->texts, &KINDS[i]);
        make_replies(b);
        printf("%s, %zu bytes\n", KINDS[i].name, b->texts.total / MESSAGES);
        b->now_ns = matching_monotonic_ns();
        measure(b, runs, "read, flat", read_flat);
        measure(b, runs, "read, json-c", read_json);
        measure(b, runs, "command from request", prepare);
        measure(b, runs, "ack written", write_ack);
        measure(b, runs, "read + command + ack", in_a_row);
    }
    printf("sum=%" PRIu64 "\n", b->sum);
    matching_writer_fini(&b->writer);
    matching_core_destroy(b->core);
    free(b);
    return 0;
}
