/* Clients that stop reading, beside one that reads: it misses nothing, the server's memory stays
 * small, and what the slow ones get in the end is in order. The server is a process of its own, so
 * that its memory can be looked at.
 */
#include "door_fixture.h"
#include "support/server.h"

#define SLOW 50
#define STEPS 800u /* of each round */
#define ROUNDS_MAX 8u
#define TRADES_A_STEP 6u
#define ENOUGH_MS 500u    /* then who does not read is known not to */
#define ORDERS_A_TRADE 6u /* so that a step changes many levels of the depth */
/* Of the buyer's orders: all but one are entered, one of them fills, the others are cancelled. */
#define UPDATES_A_TRADE (2 * ORDERS_A_TRADE - 2)
#define UPDATES_A_ROUND (STEPS * TRADES_A_STEP * UPDATES_A_TRADE)

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define MEMORY_IS_TOLD false /* a sanitizer keeps what was freed */
#else
#define MEMORY_IS_TOLD true
#endif

static const char config_text[] = "[engine]\n"
                                  "shards = 1\n"
                                  "ring_size = 1024\n"
                                  "max_orders = 16384\n"
                                  "max_traders = 64\n"
                                  "retained_orders = 1024\n"
                                  "event_ring_size = 32768\n"
                                  "[symbol.BTCUSDT]\n"
                                  "[websocket]\n";

static server process;

/* What one client has seen. */
typedef struct witness {
    unsigned long long trade, first_trade, depth, count; /* the last one's; count: the ticker's */
    unsigned trades, updates, snapshots, books, orders, gaps;
    const uint64_t *wanted; /* hashes of the order updates that should come; NULL: any */
    uint64_t *kept;         /* ... of those that came, room for ROUNDS_MAX rounds; NULL: not kept */
} witness;

static void start(const char *limits)
{
    char text[1024];
    snprintf(text, sizeof text, "%s%s", config_text, limits);
    bool started = server_start(&process, MATCHING_PROGRAM, "websocket", text);
    CU_ASSERT_TRUE_FATAL(started);
}

/* batch: ",\"batch\":true" or "". */
static void join_with(ws_client *client, const char *channels, const char *batch)
{
    bool connected =
        ws_client_connect(client, server_address(&process, "websocket"), "/ws", DEADLINE_MS);
    CU_ASSERT_TRUE_FATAL(connected);
    if (channels != NULL) {
        tell(client, "{\"type\":\"subscribe\",\"channels\":[%s],\"trader_id\":\"buyer\"%s}",
             channels, batch);
        expect_begin(client, "{\"type\":\"subscribed\"");
    }
}

static void join(ws_client *client, const char *channels)
{
    join_with(client, channels, "");
}

static bool is_of(const char *text, const char *type)
{
    size_t length = strlen(type);
    return strncmp(text, "{\"type\":\"", 9) == 0 && strncmp(text + 9, type, length) == 0 &&
           text[9 + length] == '"';
}

static void note_order(witness *seen, const char *text)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *text != '\0' && *text != '\n'; text++) {
        hash = (hash ^ (unsigned char)*text) * 1099511628211u;
    }
    CU_ASSERT_TRUE_FATAL(seen->orders < ROUNDS_MAX * UPDATES_A_ROUND);
    if (seen->kept != NULL) {
        seen->kept[seen->orders] = hash;
    }
    seen->gaps += seen->wanted != NULL && seen->wanted[seen->orders] != hash;
    seen->orders++;
}

static void note_line(witness *seen, const char *text)
{
    if (is_of(text, "trade")) {
        unsigned long long id = number_of(text, "trade_id");
        seen->first_trade = seen->trades == 0 ? id : seen->first_trade;
        seen->gaps += seen->trades > 0 && id != seen->trade + 1;
        seen->trade = id;
        seen->trades++;
    } else if (is_of(text, "depth_update")) {
        seen->gaps += number_of(text, "prev_sequence") != seen->depth;
        seen->depth = number_of(text, "sequence");
        seen->updates++;
    } else if (is_of(text, "depth_snapshot")) {
        seen->depth = number_of(text, "sequence");
        seen->snapshots++;
    } else if (is_of(text, "book_update")) {
        seen->books++;
    } else if (is_of(text, "order_update")) {
        note_order(seen, text);
    } else if (is_of(text, "ticker")) {
        seen->count = number_of(text, "count");
    }
}

/* A message, or several in a batch. */
static void note(witness *seen, const char *text)
{
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += line != text; /* what strchr has found */
        note_line(seen, line);
    }
}

/* Orders that trade, and that change the depth at several prices. Each step is told to the reader
 * before the next one begins. */
static void trade(ws_client *trader, ws_client *reader, witness *seen)
{
    for (unsigned step = 0; step < STEPS; step++) {
        char text[200];
        for (unsigned i = 0; i < TRADES_A_STEP; i++) { /* some that rest, two that meet */
            for (unsigned k = 0; k < ORDERS_A_TRADE; k++) {
                bool rests = k + 2 < ORDERS_A_TRADE, sells = k + 1 == ORDERS_A_TRADE;
                unsigned price = rests ? 100 + (step + 16 * i + k) % 96 : 200;
                int length = snprintf(text, sizeof text,
                                      "{\"type\":\"limit_order\",\"trader_id\":\"%s\",\"side\":"
                                      "\"%s\",\"price\":%u,\"quantity\":1}",
                                      sells ? "seller" : "buyer", sells ? "sell" : "buy", price);
                ws_client_send(trader, text, (size_t)length);
            }
        }
        unsigned wanted = seen->trades + TRADES_A_STEP;
        for (unsigned i = 0; i < ORDERS_A_TRADE * TRADES_A_STEP; i++) {
            const char *ack = hear(trader);
            CU_ASSERT_TRUE_FATAL(is_of(ack, "order_ack"));
        }
        /* All of the step's trades, and whatever else is told before an answer to this. */
        tell(reader, "{\"type\":\"ping\"}");
        for (bool ponged = false; !ponged || seen->trades < wanted;) {
            const char *message = hear(reader);
            CU_ASSERT_TRUE_FATAL(message[0] != '\0');
            ponged = ponged || is_of(message, "pong");
            note(seen, message);
        }
        if (step % 2 == 1) { /* often: what is told at once stays small */
            tell(trader, "{\"type\":\"cancel_all\",\"trader_id\":\"buyer\"}");
            expect_begin(trader, "{\"type\":\"cancel_all_ack\"");
        }
    }
}

/* Reads to the end (NULL), or to this step of the depth and a ticker of so many trades. */
static void read_on(ws_client *client, witness *seen, const witness *until)
{
    const char *text;
    size_t length;
    while ((until == NULL || seen->depth < until->depth || seen->count < until->count) &&
           ws_client_receive(client, &text, &length, DEADLINE_MS)) {
        note(seen, text);
    }
}

/* The depth's present step, as a newcomer is told. */
static unsigned long long depth_now(void)
{
    ws_client client;
    join(&client, "\"depth\"");
    unsigned long long sequence = number_of(hear(&client), "sequence");
    ws_client_close(&client);
    return sequence;
}

static size_t resident_bytes(void)
{
    char path[64];
    unsigned long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)process.pid);
    FILE *file = fopen(path, "r");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL(fscanf(file, "%*u %lu", &pages), 1);
    fclose(file);
    return pages * 4096;
}

/* What the slow ones follow; whether they are ended for it, or told what is current once they
 * read. */
static const struct {
    const char *channels;
    bool has_trades, has_orders, has_ticker;
} FOLLOWED[] = {
    {.channels = "\"trades\"", .has_trades = true},
    {.channels = "\"book\",\"depth\""},
    {.channels = "\"orders\",\"ticker\"", .has_orders = true, .has_ticker = true},
    {.channels = "\"book\",\"depth\",\"ticker\"", .has_ticker = true},
};

enum { KINDS = sizeof FOLLOWED / sizeof FOLLOWED[0] };

/* The reader, `seen`, had `before` when the slow one came. */
static void check_slow(ws_client *client, unsigned kind, const witness *seen, const witness *before)
{
    bool has_ended = FOLLOWED[kind].has_trades || FOLLOWED[kind].has_orders;
    witness late = {.wanted = seen->kept + before->orders};
    witness until = {.depth = seen->depth, .count = FOLLOWED[kind].has_ticker ? seen->count : 0};
    read_on(client, &late, has_ended ? NULL : &until);
    CU_ASSERT_EQUAL(late.gaps, 0);
    if (has_ended) { /* all up to where it was ended, and why */
        CU_ASSERT_STRING_EQUAL(client->error, "closed with 1008 slow consumer");
    } else { /* what is current, without all that was between */
        CU_ASSERT_EQUAL(late.depth, seen->depth);
        CU_ASSERT_TRUE(late.snapshots >= 2 && late.updates < seen->updates / 2);
        CU_ASSERT_EQUAL(late.count, until.count);
    }
    if (FOLLOWED[kind].has_trades) {
        CU_ASSERT_EQUAL(late.first_trade, before->trades + 1);
        CU_ASSERT_TRUE(late.trades > 500 && late.trades < seen->trades - before->trades);
    }
    if (FOLLOWED[kind].has_orders) {
        CU_ASSERT_TRUE(late.orders > 300 && late.orders < seen->orders - before->orders);
    }
}

static void test_fifty_slow_clients_cost_the_one_that_reads_nothing(void)
{
    static ws_client slow[SLOW];
    static uint64_t told[ROUNDS_MAX * UPDATES_A_ROUND];
    ws_client trader, reader;
    witness seen = {.kept = told};
    start("max_queue_bytes = 262144\n");
    join(&trader, NULL);
    join(&reader, "\"trades\",\"book\",\"depth\",\"orders\",\"ticker\"");
    trade(&trader, &reader, &seen); /* the server takes the memory that it needs anyhow */
    read_on(&reader, &seen, &(witness){.depth = depth_now()});
    const witness warm = seen;
    size_t before = resident_bytes();
    for (unsigned i = 0; i < SLOW; i++) {
        join_with(&slow[i], FOLLOWED[i % KINDS].channels,
                  i / KINDS % 2 == 0 ? "" : ",\"batch\":true");
    }
    unsigned rounds = 1;
    uint64_t enough_ns = matching_monotonic_ns() + ENOUGH_MS * UINT64_C(1000000);
    do {
        trade(&trader, &reader, &seen);
        rounds++;
    } while (matching_monotonic_ns() < enough_ns && rounds < ROUNDS_MAX - 1);
    trade(&trader, &reader, &seen);
    rounds++;
    size_t after = resident_bytes();
    read_on(&reader, &seen, &(witness){.depth = depth_now(), .count = seen.trades});
    CU_ASSERT_EQUAL(seen.trades, rounds * STEPS * TRADES_A_STEP);
    CU_ASSERT_EQUAL(seen.orders, rounds * UPDATES_A_ROUND);
    CU_ASSERT_EQUAL(seen.gaps, 0);
    CU_ASSERT_EQUAL(seen.snapshots, 1); /* nothing was left out for it */
    if (MEMORY_IS_TOLD) {               /* copies would be 25 x 2 MiB, growing by doubling */
        CU_ASSERT_TRUE(after < before + (16u << 20));
    }
    for (unsigned i = 0; i < SLOW; i++) {
        check_slow(&slow[i], i % KINDS, &seen, &warm);
        ws_client_close(&slow[i]);
    }
    ws_client_close(&trader);
    ws_client_close(&reader);
    CU_ASSERT_EQUAL(server_stop(&process), 0);
}

/* Each may keep far more than all of them together. */
static void test_memory_for_all_queues_is_bounded(void)
{
    enum { COUNT = 8 };
    ws_client trader, reader, slow[COUNT], waiting;
    witness seen = {0};
    start("max_queue_bytes = 67108864\nmax_total_queue_bytes = 1048576\n");
    join(&trader, NULL);
    join(&reader, "\"trades\"");
    join(&waiting, "\"ticker\""); /* reads nothing either; little waits for it */
    for (unsigned i = 0; i < COUNT; i++) {
        join(&slow[i], "\"trades\"");
    }
    for (unsigned round = 0; round < 3; round++) {
        trade(&trader, &reader, &seen);
    }
    CU_ASSERT_EQUAL(seen.gaps, 0);
    CU_ASSERT_EQUAL(seen.trades, 3 * STEPS * TRADES_A_STEP);
    for (unsigned i = 0; i < COUNT; i++) {
        witness late = {0};
        read_on(&slow[i], &late, NULL);
        CU_ASSERT_EQUAL(late.gaps, 0);
        CU_ASSERT_TRUE(late.trades > 0 && late.trades < seen.trades);
        CU_ASSERT_STRING_EQUAL(slow[i].error, "closed with 1008 slow consumer");
        ws_client_close(&slow[i]);
    }
    tell(&waiting, "{\"type\":\"ping\"}");
    CU_ASSERT_TRUE(wait_until(&waiting, "\"pong\""));
    ws_client_close(&waiting);
    ws_client_close(&trader);
    ws_client_close(&reader);
    CU_ASSERT_EQUAL(server_stop(&process), 0);
}

MATCHING_TESTS(MATCHING_TEST(test_fifty_slow_clients_cost_the_one_that_reads_nothing),
               MATCHING_TEST(test_memory_for_all_queues_is_bounded))
