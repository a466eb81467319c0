/* Makes a data directory with a known history for tools_case.py: make_data_dir DIR.
 *
 * Two shards, small segments, a few commands a write. Prints, for each command, a JSON line with
 * the state hash of an engine that was given the commands directly: what a replay has to come to.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine.h"
#include "journal/codec.h"
#include "journal/data_dir.h"
#include "matching/core.h"

#define SHARDS 2u
#define SEGMENT_BYTES 8192u
#define BATCH 3u /* commands of a write */
#define BEGIN_NS 1700000000000000000u
#define SECOND_NS 1000000000u

/* What is wanted of a command; sequence and time come with it. */
#define ORDER(a_side, a_trader, a_price, a_quantity)                                               \
    .type = MATCHING_PLACE, .side = (a_side), .trader_id = (a_trader), .price_ticks = (a_price),   \
    .quantity_lots = (a_quantity)
#define LIMITS                                                                                     \
    {                                                                                              \
        .type = MATCHING_SET_LIMITS, .price_ticks = 256, .quantity_lots = 128, .display_lots = 8,  \
        .stop_price_ticks = 16, .instrument_id = 4                                                 \
    }

/* Prices are in hundredths, quantities in ten-thousandths. Order ids of shard 0 are 2, 4, 6, ... */
static const matching_command first_shard[] = {
    LIMITS,
    {.type = MATCHING_ADD_INSTRUMENT,
     .symbol = "BTCUSDT",
     .instrument_id = 1,
     .price_ticks = 1000000,
     .quantity_lots = 10000,
     .sbe_char = 'B'},
    {ORDER(MATCHING_BUY, "alice", 5000000, 5000), .client_order_id = "first"},
    {ORDER(MATCHING_SELL, "bob", 5010000, 10000), .flags = MATCHING_FLAG_POST_ONLY},
    {ORDER(MATCHING_SELL, "carol", 5020050, 20000), .display_lots = 5000},
    {ORDER(MATCHING_SELL, "dave", 0, 1000), .order_type = MATCHING_STOP,
     .stop_price_ticks = 4900000, .time_in_force = MATCHING_IOC},
    {ORDER(MATCHING_BUY, "dave", 5150000, 1000), .order_type = MATCHING_STOP_LIMIT,
     .stop_price_ticks = 5100000, .flags = MATCHING_FLAG_GUARDED},
    {ORDER(MATCHING_BUY, "erin", 0, 2500), .order_type = MATCHING_MARKET,
     .time_in_force = MATCHING_IOC},
    {.type = MATCHING_AMEND,
     .order_id = 2,
     .flags = MATCHING_FLAG_DECIMALS,
     .price_ticks = 4990050000000},
    {.type = MATCHING_AMEND,
     .trader_id = "alice",
     .client_order_id = "first",
     .quantity_lots = 4000},
    {.type = MATCHING_AMEND,
     .order_id = 6,
     .flags = MATCHING_FLAG_HAS_SYMBOL | MATCHING_FLAG_OPEN_QUANTITY,
     .quantity_lots = 15000},
    {.type = MATCHING_CANCEL, .order_id = 8, .trader_id = "dave", .reason = MATCHING_REASON_USER},
    {.type = MATCHING_CANCEL,
     .trader_id = "alice",
     .client_order_id = "first",
     .reason = MATCHING_REASON_DISCONNECT},
    {.type = MATCHING_CANCEL_ALL,
     .trader_id = "bob",
     .flags = MATCHING_FLAG_ALL_SYMBOLS,
     .reason = MATCHING_REASON_MASS_CANCEL},
    {.type = MATCHING_CANCEL_ALL,
     .trader_id = "mallory",
     .flags = MATCHING_FLAG_HAS_SYMBOL,
     .reason = MATCHING_REASON_MASS_CANCEL},
    {.type = MATCHING_SET_STATE, .state = MATCHING_HALTED},
    {.type = MATCHING_SET_STATE, .state = MATCHING_TRADING},
    {.type = MATCHING_TICK},
    {ORDER(MATCHING_BUY, "quo\"te\\", 4980000, 7), .client_order_id = "till",
     .time_in_force = MATCHING_GTD, .expire_time_ms = 1800000000123,
     .self_trade = MATCHING_STP_CANCEL_BOTH},
    {.type = MATCHING_RELEASE_GUARDS},
    {.type = MATCHING_CANCEL_GUARDED},
};
#define FIRST_COUNT (sizeof first_shard / sizeof first_shard[0])

static const matching_command second_shard[] = {
    LIMITS,
    {.type = MATCHING_ADD_INSTRUMENT,
     .instrument = 1,
     .symbol = "ETHUSDT",
     .instrument_id = 2,
     .price_ticks = 100000000,
     .quantity_lots = 100000000,
     .state = MATCHING_AUCTION},
    {.instrument = 1, ORDER(MATCHING_BUY, "alice", 3001, 2)},
    {.instrument = 1, ORDER(MATCHING_SELL, "bob", 3000, 3)},
};

/* A shard's journal in the making. */
typedef struct maker {
    const data_dir *dir;
    unsigned shard;
    int fd;
    uint64_t offset; /* in the segment */
    uint64_t sequence;
    uint32_t previous;
    matching_engine *engine;
} maker;

static void check(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "make_data_dir: %s\n", what);
        exit(EXIT_FAILURE);
    }
}

_Noreturn void matching_engine_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "make_data_dir: %s:%d: %s\n", file, line, what);
    abort();
}

static void begin_segment(maker *m)
{
    static _Alignas(8) char page[JOURNAL_RECORDS_AT];
    char path[DATA_DIR_PATH_SIZE];
    if (m->fd >= 0) {
        close(m->fd);
    }
    check(data_dir_journal_path(m->dir, m->shard, m->sequence + 1, path), "a path is too long");
    m->fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0640);
    journal_make_header(page, m->shard, SHARDS, m->sequence + 1, m->previous, SEGMENT_BYTES,
                        BEGIN_NS);
    check(m->fd >= 0 && ftruncate(m->fd, SEGMENT_BYTES) == 0 &&
              pwrite(m->fd, page, sizeof page, 0) == (ssize_t)sizeof page,
          "a segment cannot be written");
    m->offset = JOURNAL_RECORDS_AT;
}

static void write_record(maker *m, journal_record *record)
{
    m->previous = journal_seal(record, m->previous);
    check(pwrite(m->fd, record, record->length, (off_t)m->offset) == (ssize_t)record->length,
          "a record cannot be written");
    m->offset += record->length;
}

/* The events of a command are not looked at. */
static void drop_events(matching_event_sink *sink)
{
    sink->limit = sink->head + sink->mask + 1;
}

static void apply(maker *m, const matching_command *command)
{
    static matching_event slots[1024];
    matching_reply reply;
    matching_event_sink sink = {
        .slots = slots, .mask = 1023, .limit = 1024, .make_room = drop_events};
    matching_engine_apply(m->engine, command, &sink, &reply);
    printf("{\"shard\":%u,\"sequence\":%llu,\"code\":%u,\"hash\":\"%016llx\"}\n", m->shard,
           (unsigned long long)command->sequence, reply.code,
           (unsigned long long)matching_engine_hash(m->engine));
}

static void add(maker *m, const matching_command *wanted)
{
    _Alignas(8) char bytes[JOURNAL_RECORD_MAX];
    journal_record claim;
    matching_command command = *wanted;
    uint64_t durable = m->sequence;
    if (m->fd < 0 || m->offset + sizeof claim + sizeof bytes > SEGMENT_BYTES) {
        begin_segment(m);
    }
    if (m->sequence % BATCH == 0) {
        journal_make_claim(&claim, durable, BEGIN_NS + m->sequence);
        write_record(m, &claim);
    }
    command.sequence = ++m->sequence;
    command.time_ns = BEGIN_NS + m->sequence * SECOND_NS + m->sequence;
    journal_encode(&command, bytes);
    write_record(m, (journal_record *)bytes);
    apply(m, &command);
}

static void begin_shard(maker *m, const data_dir *dir, unsigned shard)
{
    matching_engine_limits limits = {.instruments = 4,
                                     .shard = shard,
                                     .shard_bits = 1,
                                     .max_orders = 256,
                                     .max_levels = 128,
                                     .max_traders = 8,
                                     .retained_orders = 16};
    size_t bytes = (matching_engine_size(&limits) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    check(memory != NULL, "no memory");
    memset(memory, 0, bytes);
    *m = (maker){
        .dir = dir, .shard = shard, .fd = -1, .engine = matching_engine_init(memory, &limits)};
}

int main(int argc, char **argv)
{
    char error[1024];
    data_dir dir;
    maker m;
    check(argc == 2, "one argument is wanted, the directory");
    check(data_dir_open(&dir, argv[1], SHARDS, 0, error, sizeof error) == 0, error);
    begin_shard(&m, &dir, 0);
    for (size_t i = 0; i < FIRST_COUNT; i++) {
        add(&m, &first_shard[i]);
    }
    for (int i = 0; i < 30; i++) { /* more levels than replay shows, in more segments */
        add(&m, &(matching_command){ORDER(MATCHING_BUY, "alice", 4900000 - 100 * i, 100 + i)});
        add(&m, &(matching_command){ORDER(MATCHING_SELL, "bob", 5100000 + 100 * i, 200 + i)});
    }
    close(m.fd);
    free(m.engine);
    begin_shard(&m, &dir, 1);
    for (size_t i = 0; i < sizeof second_shard / sizeof second_shard[0]; i++) {
        add(&m, &second_shard[i]);
    }
    close(m.fd);
    free(m.engine);
    data_dir_close(&dir);
    return EXIT_SUCCESS;
}
