/* The gateway as a library: connections, what they may take, and what it is started with. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway_fixture.h"
#include "support/cunit_main.h"

/* ---- Connections ----------------------------------------------------------------------------- */

static void test_the_stop_disconnects_who_is_left(void)
{
    open_gateway(&ALL);
    join(&one);
    settle(&one);
    add_trade(&one, 1);
    go(&one);
    settle(&one);
    matching_sbe_gateway_stop(gateway); /* which the client does not answer */
    expect_told("0 connect\n0 run of 1 by 29 from 1\n0 disconnect\n");
    matching_sbe_gateway_destroy(gateway);
    expect_told("");
    ws_client_close(&one.ws);
}

static void test_a_gateway_starts_once(void)
{
    char error[256] = "";
    open_gateway(&ALL);
    CU_ASSERT_TRUE(matching_sbe_gateway_start(gateway, error, sizeof error) < 0);
    join(&one);
    settle(&one);
    ws_client_close(&one.ws);
    matching_sbe_gateway_stop(gateway);
    CU_ASSERT_TRUE(matching_sbe_gateway_start(gateway, error, sizeof error) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "once"));
    close_gateway();
}

static void test_a_hundred_connections(void)
{
    static client all[MANY];
    open_gateway(&ALL);
    for (unsigned i = 0; i < MANY; i++) {
        join(&all[i]);
    }
    for (unsigned i = 0; i < MANY; i++) {
        for (uint64_t id = 1; id <= MANY; id++) {
            add_trade(&all[i], id);
        }
        if (i % 10 == 0) {
            all[i].length -= 1; /* every tenth spoils the last one of its frame */
        }
        go(&all[i]);
    }
    for (unsigned i = 0; i < MANY; i++) {
        if (i % 10 == 0) {
            hear_reject(&all[i], 0, SBE_TRADE, 2);
        }
        settle(&all[i]);
    }
    CU_ASSERT_EQUAL(told.connects, MANY);
    CU_ASSERT_EQUAL(told.errors, MANY / 10);
    CU_ASSERT_EQUAL(told.trades, MANY * MANY - MANY / 10);
    CU_ASSERT_EQUAL(told.volume, 3 * told.trades);
    for (unsigned i = 0; i < MANY; i++) {
        ws_client_close(&all[i].ws);
    }
    close_gateway();
    CU_ASSERT_EQUAL(told.disconnects, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        for (unsigned k = 0; k < i; k++) {
            CU_ASSERT_NOT_EQUAL(told.numbers[i], told.numbers[k]);
        }
    }
}

static void test_a_frame_of_half_the_bytes_is_the_largest(void)
{
    const char *data;
    size_t length;
    open_with(&(matching_sbe_gateway_options){.connection_bytes = 8192}, &ALL);
    join(&one);
    for (uint64_t id = 1; id <= 4096 / SBE_TRADE_BYTES; id++) {
        add_trade(&one, id);
    }
    go(&one);
    settle(&one);
    CU_ASSERT_EQUAL(told.trades, 141);
    one.length = 4097;
    go(&one);
    CU_ASSERT_FALSE(ws_client_receive(&one.ws, &data, &length, DEADLINE_MS));
    CU_ASSERT_EQUAL(one.ws.close_code, 1009);
    ws_client_close(&one.ws);
    close_gateway();
    expect_told(
        "0 connect\n0 run of 141 by 29 from 1\n0 error 0 message too large\n0 disconnect\n");
}

/* A frame without a mask. */
static void test_a_breach_of_the_protocol_is_told(void)
{
    const char *data;
    size_t length;
    open_gateway(&ALL);
    join(&one);
    CU_ASSERT_EQUAL(send(one.ws.fd, "\x82\x00", 2, 0), 2);
    CU_ASSERT_FALSE(ws_client_receive(&one.ws, &data, &length, DEADLINE_MS));
    CU_ASSERT_EQUAL(one.ws.close_code, 1002);
    ws_client_close(&one.ws);
    close_gateway();
    expect_told("0 connect\n0 error 0 a frame without a mask\n0 disconnect\n");
}

static void test_a_frame_of_heartbeats_is_answered(void)
{
    const char *data;
    size_t length, heard = 0;
    open_with(&(matching_sbe_gateway_options){.connection_bytes = 8192}, &ALL);
    join(&one);
    for (uint64_t i = 1; i <= 4096 / SBE_HEARTBEAT_BYTES; i++) {
        const sbe_heartbeat beat = {.timestamp = i};
        one.length += sbe_heartbeat_write(one.out + one.length, SBE_HEARTBEAT_BYTES, &beat);
    }
    go(&one);
    while (heard < 4096 && ws_client_receive(&one.ws, &data, &length, DEADLINE_MS)) {
        heard += length;
    }
    CU_ASSERT_EQUAL(heard, 4096);
    settle(&one);
    ws_client_close(&one.ws);
    close_gateway();
}

static size_t memory_in_use(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* Every client leaves the most behind that one can: the begin of a large frame, and before that
 * Heartbeats whose answers it does not read. What the clients have themselves is in the measure,
 * and what libwebsockets has: a page and some. */
static void test_memory_of_connections_is_bounded(void)
{
    static client all[MANY];
    static const uint32_t sizes[] = {8192, 65536};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        const sbe_heartbeat beat = {.timestamp = 1};
        open_with(&(matching_sbe_gateway_options){.connection_bytes = sizes[k]}, &ALL);
        join(&two);
        settle(&two);
        size_t before = memory_in_use();
        for (unsigned i = 0; i < MANY; i++) {
            join(&all[i]);
            for (unsigned n = 0; n < 100; n++) {
                all[i].length += sbe_heartbeat_write(all[i].out + all[i].length, 100, &beat);
            }
            go(&all[i]);
            memset(all[i].out, 0, sizes[k] / 2);
            ws_client_send(&all[i].ws, (const char *)all[i].out, sizes[k] / 2);
            all[i].ws.out_length -= 100;
            CU_ASSERT_TRUE(ws_client_flush(&all[i].ws, DEADLINE_MS));
        }
        settle(&two);
        size_t clients = 0;
        for (unsigned i = 0; i < MANY; i++) {
            clients += all[i].ws.out_room + all[i].ws.in_room + all[i].ws.message_room;
        }
        /* Sanitizers have an allocator of their own, which is not measured. */
        int64_t used = (int64_t)memory_in_use() - (int64_t)(before + clients);
        CU_ASSERT_TRUE(used <= (int64_t)(MANY * (sizes[k] + 8192)));
        for (unsigned i = 0; i < MANY; i++) {
            ws_client_close(&all[i].ws);
        }
        ws_client_close(&two.ws);
        close_gateway();
    }
}

/* ---- SIGPIPE --------------------------------------------------------------------------------- */

static volatile sig_atomic_t pipes;

static void on_sigpipe(int signal)
{
    (void)signal;
    pipes++;
}

static bool is_mine(void)
{
    struct sigaction now;
    sigaction(SIGPIPE, NULL, &now);
    return now.sa_handler == on_sigpipe;
}

static void write_to_nobody(void *context, uint64_t connection)
{
    int ends[2];
    (void)connection;
    if (pipe(ends) == 0) {
        close(ends[0]);
        atomic_store((atomic_int *)context, write(ends[1], "x", 1) < 0 ? errno : 0);
        close(ends[1]);
    }
}

/* What libwebsockets writes, it writes on the thread of the handlers, without MSG_NOSIGNAL. */
static void test_sigpipe_stays_the_programs(void)
{
    struct sigaction before, mine = {.sa_handler = on_sigpipe};
    atomic_int error = 0;
    const matching_sbe_handler handler = {.context = &error, .on_connect = write_to_nobody};
    sigaction(SIGPIPE, &mine, &before);
    pipes = 0;
    open_gateway(&handler);
    CU_ASSERT_TRUE(is_mine());
    join(&one);
    settle(&one);
    CU_ASSERT_EQUAL(error, EPIPE);
    CU_ASSERT_EQUAL(pipes, 0);
    ws_client_close(&one.ws);
    close_gateway();
    CU_ASSERT_EQUAL(pipes, 0);
    CU_ASSERT_TRUE(is_mine());
    CU_ASSERT_EQUAL(raise(SIGPIPE), 0); /* and is not blocked on this one */
    CU_ASSERT_EQUAL(pipes, 1);
    sigaction(SIGPIPE, &before, NULL);
}

/* ---- Starting -------------------------------------------------------------------------------- */

static void refuse(const matching_sbe_gateway_options *options, const char *wanted)
{
    char error[256] = "";
    CU_ASSERT_PTR_NULL(matching_sbe_gateway_create(options, &ALL, error, sizeof error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error, wanted));
}

static void test_wrong_options_are_refused(void)
{
    refuse(&(matching_sbe_gateway_options){.connection_bytes = 8191}, "8192 to 65536");
    refuse(&(matching_sbe_gateway_options){.connection_bytes = 65537}, "8192 to 65536");
    refuse(&(matching_sbe_gateway_options){.client_timeout_s = 30}, "larger");
    refuse(&(matching_sbe_gateway_options){.client_timeout_s = 86401}, "at most");
    refuse(&(matching_sbe_gateway_options){.heartbeat_interval_s = 3601, .client_timeout_s = 3602},
           "at most");
    refuse(&(matching_sbe_gateway_options){.max_connections = UINT32_MAX}, "at most");
    static char name[300];
    memset(name, 'a', sizeof name - 1);
    refuse(&(matching_sbe_gateway_options){.bind = name}, "too long");
    refuse(&(matching_sbe_gateway_options){.allow_hosts = (const char *[]){name, NULL}},
           "too long");
}

static void test_no_options_are_the_defaults(void)
{
    char error[256] = "";
    matching_sbe_gateway *usual = matching_sbe_gateway_create(NULL, &ALL, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(usual);
    CU_ASSERT_EQUAL(matching_sbe_gateway_start(usual, error, sizeof error), 0);
    CU_ASSERT_EQUAL(strncmp(matching_sbe_gateway_address(usual), "127.0.0.1:", 10), 0);
    matching_sbe_gateway_destroy(usual);
}

static void test_a_port_in_use_is_named(void)
{
    char error[256] = "";
    open_gateway(&ALL);
    const char *colon = strrchr(matching_sbe_gateway_address(gateway), ':');
    const matching_sbe_gateway_options taken = {.port = (uint16_t)atoi(colon + 1)};
    matching_sbe_gateway *second = matching_sbe_gateway_create(&taken, &ALL, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_TRUE(matching_sbe_gateway_start(second, error, sizeof error) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, colon + 1));
    matching_sbe_gateway_destroy(second);
    close_gateway();
}

static void test_the_functions_in_place_read_what_the_codec_wrote(void)
{
    const sbe_trade trade = {.trade_id = UINT64_C(0x0102030405060708),
                             .symbol = 'E',
                             .price = -0.1,
                             .quantity = 4294967294u};
    uint8_t bytes[1 + SBE_TRADE_BYTES]; /* at an odd address */
    CU_ASSERT_EQUAL(sbe_trade_write(bytes + 1, SBE_TRADE_BYTES, &trade), MATCHING_SBE_TRADE_SIZE);
    CU_ASSERT_EQUAL(matching_sbe_trade_id(bytes + 1), trade.trade_id);
    CU_ASSERT_EQUAL(matching_sbe_trade_symbol(bytes + 1), 'E');
    CU_ASSERT_TRUE(matching_sbe_trade_price(bytes + 1) == -0.1);
    CU_ASSERT_EQUAL(matching_sbe_trade_quantity(bytes + 1), 4294967294u);
}

MATCHING_TESTS(MATCHING_TEST(test_the_stop_disconnects_who_is_left),
               MATCHING_TEST(test_a_gateway_starts_once), MATCHING_TEST(test_a_hundred_connections),
               MATCHING_TEST(test_a_frame_of_half_the_bytes_is_the_largest),
               MATCHING_TEST(test_a_breach_of_the_protocol_is_told),
               MATCHING_TEST(test_a_frame_of_heartbeats_is_answered),
               MATCHING_TEST(test_memory_of_connections_is_bounded),
               MATCHING_TEST(test_sigpipe_stays_the_programs),
               MATCHING_TEST(test_wrong_options_are_refused),
               MATCHING_TEST(test_no_options_are_the_defaults),
               MATCHING_TEST(test_a_port_in_use_is_named),
               MATCHING_TEST(test_the_functions_in_place_read_what_the_codec_wrote))
