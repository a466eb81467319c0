/* sbe_codec_bench [runs]: what one order costs the SBE door besides sockets and rings.
 *
 * Nanoseconds a message, each step by itself over the same fixed set of messages, which stand in
 * frames of 100 as they come from a socket: stepping through the frames, making commands of the
 * orders (read in place, judged by the gateway), writing their reports, and all of it in a row; and
 * inbound trades, read one by one and stepped over in a run. The least and the median of the runs
 * are printed; what is measured stays in the first caches, so the figures are a floor.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "matching/core.h"
#include "sbe_report.h"
#include "sbe_request.h"

#define MESSAGES 500u /* of each kind */
#define FRAME 100u    /* messages of a frame; divides MESSAGES */
#define ROUNDS 200u   /* over them in a run */
#define RUNS_MAX 99
#define SEED UINT64_C(20240607)

typedef struct bench {
    matching_core *core;
    sbe_instruments instruments;
    sbe_sender sender;
    size_t message_bytes;
    uint8_t in[MESSAGES * SBE_MESSAGE_BYTES_MAX];
    uint8_t out[MESSAGES * SBE_EXECUTION_REPORT_BYTES];
    matching_order orders[MESSAGES]; /* what the core would say of each */
    uint64_t sum;                    /* of what was made, so that nothing is left out */
} bench;

static uint64_t random_state = SEED;

static uint64_t next_random(uint64_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (random_state >> 33) % below;
}

/* ---- Messages -------------------------------------------------------------------------------- */

static void add_order(bench *b, unsigned at, sbe_new_order *order)
{
    order->instrument_id = 1 + (uint32_t)next_random(3);
    order->side = (uint8_t)next_random(2);
    order->price = (int64_t)(49000 + next_random(2000)) * MATCHING_DECIMAL_ONE;
    order->quantity = (int64_t)(1 + next_random(100000)) * 10000;
    sbe_new_order_write(b->in + at * SBE_NEW_ORDER_BYTES, SBE_NEW_ORDER_BYTES, order);
}

/* The least that an order says: the trader is the Logon's. */
static void make_plain(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        sbe_new_order order = {
            .price = 1, .display_quantity = SBE_NULL_I64, .stop_price = SBE_NULL_I64};
        add_order(b, i, &order);
    }
}

/* A trader, an id and options, as programs that trade have them. */
static void make_full(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        sbe_new_order order = {.client_order_id = 1000000 + i,
                               .trader_id = "trader-17",
                               .flags = SBE_POST_ONLY | MATCHING_STP_CANCEL_TAKER
                                                            << SBE_SELF_TRADE_SHIFT,
                               .display_quantity = SBE_NULL_I64,
                               .stop_price = SBE_NULL_I64};
        add_order(b, i, &order);
    }
}

static void make_trades(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        sbe_trade trade = {.trade_id = i + 1,
                           .symbol = "BES"[next_random(3)],
                           .price = (double)next_random(100000) / 2,
                           .quantity = (uint32_t)next_random(1000)};
        sbe_trade_write(b->in + i * SBE_TRADE_BYTES, SBE_TRADE_BYTES, &trade);
    }
}

static void make_replies(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        b->orders[i] = (matching_order){.order_id = 1000000 + next_random(1u << 30),
                                        .price_ticks = 5000000,
                                        .quantity_lots = 10000 + (int64_t)next_random(100000),
                                        .instrument = (uint16_t)next_random(3),
                                        .side = (uint8_t)next_random(2)};
    }
}

/* ---- The steps: each goes over all messages once --------------------------------------------- */

static void fail(const char *what)
{
    fprintf(stderr, "sbe_codec_bench: %s\n", what);
    exit(1);
}

static void begin(const bench *b, unsigned from, sbe_frame *frame)
{
    sbe_frame_init(frame, b->in + from * b->message_bytes, FRAME * b->message_bytes);
}

static void walk(bench *b)
{
    for (unsigned from = 0; from < MESSAGES; from += FRAME) {
        sbe_frame frame;
        sbe_message message;
        sbe_error error;
        begin(b, from, &frame);
        while (sbe_frame_next(&frame, &message, &error)) {
            b->sum += message.template_id;
        }
    }
}

static void prepare(bench *b)
{
    for (unsigned from = 0; from < MESSAGES; from += FRAME) {
        sbe_frame frame;
        sbe_message message;
        sbe_error fault;
        matching_command command;
        matching_error error;
        begin(b, from, &frame);
        while (sbe_frame_next(&frame, &message, &fault)) {
            if (sbe_request_prepare(&b->sender, &message, &command, &error) != MATCHING_OK) {
                fail(error.message);
            }
            b->sum += (uint64_t)command.price_ticks;
        }
    }
}

static size_t report(bench *b, unsigned at, uint64_t client_order_id)
{
    const matching_order *order = &b->orders[at];
    sbe_execution_report message;
    sbe_report_order(&message, matching_core_instrument(b->core, order->instrument), order,
                     SBE_EXEC_NEW, client_order_id, SEED);
    return sbe_execution_report_write(b->out + at * SBE_EXECUTION_REPORT_BYTES,
                                      SBE_EXECUTION_REPORT_BYTES, &message);
}

static void write_reports(bench *b)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        b->sum += report(b, i, i);
    }
}

static void in_a_row(bench *b)
{
    unsigned at = 0;
    for (unsigned from = 0; from < MESSAGES; from += FRAME) {
        sbe_frame frame;
        sbe_message message;
        sbe_error fault;
        matching_command command;
        matching_error error;
        begin(b, from, &frame);
        while (sbe_frame_next(&frame, &message, &fault)) {
            if (sbe_request_prepare(&b->sender, &message, &command, &error) != MATCHING_OK) {
                fail(error.message);
            }
            b->sum += (uint64_t)command.quantity_lots + report(b, at, sbe_request_id(&message));
            at++;
        }
    }
}

static void read_trade(bench *b, const uint8_t *block)
{
    b->sum += sbe_trade_trade_id(block) + sbe_trade_quantity(block) +
              (uint64_t)sbe_trade_symbol(block) + (uint64_t)sbe_trade_price(block);
}

static void trades_one_by_one(bench *b)
{
    for (unsigned from = 0; from < MESSAGES; from += FRAME) {
        sbe_frame frame;
        sbe_message message;
        sbe_error error;
        begin(b, from, &frame);
        while (sbe_frame_next(&frame, &message, &error)) {
            read_trade(b, message.block);
        }
    }
}

static void trades_in_runs(bench *b)
{
    for (unsigned from = 0; from < MESSAGES; from += FRAME) {
        sbe_frame frame;
        sbe_message message;
        sbe_error error;
        begin(b, from, &frame);
        while (sbe_frame_next(&frame, &message, &error)) {
            size_t more = sbe_frame_skip_alike(&frame, &message);
            for (size_t i = 0; i <= more; i++) {
                read_trade(b, message.block + i * message.bytes);
            }
        }
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
        fail(error);
    }
    return core;
}

int main(int argc, char **argv)
{
    unsigned runs = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 9;
    if (runs < 1 || runs > RUNS_MAX) {
        fprintf(stderr, "usage: sbe_codec_bench [runs, 1 to %d]\n", RUNS_MAX);
        return 1;
    }
    bench *b = calloc(1, sizeof *b);
    if (b == NULL) {
        return 1;
    }
    b->core = make_core();
    if (sbe_instruments_init(&b->instruments, b->core) != 0) {
        fail("out of memory");
    }
    b->sender = (sbe_sender){
        .core = b->core, .instruments = &b->instruments, .trader_id = {"trader-17", 9}};
    make_replies(b);
    printf("sbe_codec_bench: %u messages of each kind in frames of %u, %u rounds a run, %u runs, "
           "seed %" PRIu64 "\n",
           MESSAGES, FRAME, ROUNDS, runs, SEED);
    static const struct {
        const char *name;
        void (*make)(bench *);
    } kinds[] = {{"order", make_plain}, {"order with trader, id and options", make_full}};
    b->message_bytes = SBE_NEW_ORDER_BYTES;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        kinds[i].make(b);
        printf("%s, %zu bytes\n", kinds[i].name, b->message_bytes);
        measure(b, runs, "stepped to", walk);
        measure(b, runs, "command from message", prepare);
        measure(b, runs, "report written", write_reports);
        measure(b, runs, "command + report", in_a_row);
    }
    b->message_bytes = SBE_TRADE_BYTES;
    make_trades(b);
    printf("trade, %zu bytes\n", b->message_bytes);
    measure(b, runs, "read one by one", trades_one_by_one);
    measure(b, runs, "read in runs", trades_in_runs);
    printf("sum=%" PRIu64 "\n", b->sum);
    sbe_instruments_fini(&b->instruments);
    matching_core_destroy(b->core);
    free(b);
    return 0;
}
