/* The gateway as a library: what its handler is told, by whatever clients do. */
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>

#include "matching/sbe_gateway.h"
#include "sbe_frame.h"
#include "sbe_messages.h"
#include "support/cunit_main.h"
#include "support/ws_client.h"

#define DEADLINE_MS 20000
#define MANY 100u

static matching_sbe_gateway *gateway;

/* ---- What the handler was told --------------------------------------------------------------- */

/* Written by the gateway's thread: a line for each call, with connections by the order in which
 * they came. */
static struct {
    pthread_mutex_t lock;
    char lines[4096];
    size_t length;
    uint64_t numbers[2 * MANY];
    unsigned connects, disconnects, errors;
    uint64_t trades, volume, last_id;
    int answer; /* of on_trades */
} told = {.lock = PTHREAD_MUTEX_INITIALIZER};

static __attribute__((format(printf, 2, 3))) void tell(uint64_t connection, const char *format, ...)
{
    unsigned who = 0;
    va_list values;
    while (who < told.connects && told.numbers[who] != connection) {
        who++;
    }
    size_t room = sizeof told.lines - told.length;
    int length = snprintf(told.lines + told.length, room, "%u ", who);
    va_start(values, format);
    length += vsnprintf(told.lines + told.length + length, room - (size_t)length, format, values);
    va_end(values);
    if ((size_t)length + 1 < room) { /* what does not fit is left out */
        told.length += (size_t)length;
        told.lines[told.length++] = '\n';
    }
    told.lines[told.length] = '\0';
}

static void on_connect(void *context, uint64_t connection)
{
    CU_ASSERT_PTR_EQUAL(context, &told);
    pthread_mutex_lock(&told.lock);
    told.numbers[told.connects++] = connection;
    tell(connection, "connect");
    pthread_mutex_unlock(&told.lock);
}

static void on_disconnect(void *context, uint64_t connection)
{
    CU_ASSERT_PTR_EQUAL(context, &told);
    pthread_mutex_lock(&told.lock);
    told.disconnects++;
    tell(connection, "disconnect");
    pthread_mutex_unlock(&told.lock);
}

static void on_error(void *context, uint64_t connection, int error, const char *text)
{
    CU_ASSERT_PTR_EQUAL(context, &told);
    pthread_mutex_lock(&told.lock);
    told.errors++;
    tell(connection, "error %d %s", error, text);
    pthread_mutex_unlock(&told.lock);
}

static int on_trades(void *context, uint64_t connection, const void *data, size_t message_size,
                     size_t count)
{
    CU_ASSERT_PTR_EQUAL(context, &told);
    pthread_mutex_lock(&told.lock);
    const char *at = data;
    for (size_t i = 0; i < count; i++, at += message_size) {
        told.trades++;
        told.volume += matching_sbe_trade_quantity(at);
        told.last_id = matching_sbe_trade_id(at);
    }
    tell(connection, "run of %zu by %zu from %llu", count, message_size,
         (unsigned long long)matching_sbe_trade_id(data));
    int answer = told.answer;
    pthread_mutex_unlock(&told.lock);
    return answer;
}

/* Trades 13 and 14 are errors. */
static int on_trade(void *context, uint64_t connection, const matching_sbe_trade *trade)
{
    CU_ASSERT_PTR_EQUAL(context, &told);
    pthread_mutex_lock(&told.lock);
    tell(connection, "trade %llu %c %g %u", (unsigned long long)trade->trade_id, trade->symbol,
         trade->price, (unsigned)trade->quantity);
    pthread_mutex_unlock(&told.lock);
    return trade->trade_id == 13 ? 7 : trade->trade_id == 14 ? MATCHING_SBE_ONE_BY_ONE : 0;
}

static const matching_sbe_handler ALL = {.context = &told,
                                         .on_trades = on_trades,
                                         .on_trade = on_trade,
                                         .on_connect = on_connect,
                                         .on_disconnect = on_disconnect,
                                         .on_error = on_error};

static void set_answer(int answer)
{
    pthread_mutex_lock(&told.lock);
    told.answer = answer;
    pthread_mutex_unlock(&told.lock);
}

/* What was told since the last look. */
static void expect_told(const char *wanted)
{
    pthread_mutex_lock(&told.lock);
    if (strcmp(told.lines, wanted) != 0) {
        printf("told:\n%sexpected:\n%s", told.lines, wanted);
        CU_FAIL("something else was told");
    }
    told.lines[told.length = 0] = '\0';
    pthread_mutex_unlock(&told.lock);
}

/* ---- Gateway and clients --------------------------------------------------------------------- */

static void open_with(const matching_sbe_gateway_options *options,
                      const matching_sbe_handler *handler)
{
    char error[256] = "";
    memset(told.lines, 0, sizeof told.lines);
    told.length = 0;
    told.connects = told.disconnects = told.errors = 0;
    told.trades = told.volume = told.last_id = 0;
    told.answer = 0;
    gateway = matching_sbe_gateway_create(options, handler, error, sizeof error);
    if (gateway == NULL) {
        printf("no gateway: %s\n", error);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(gateway);
    CU_ASSERT_EQUAL_FATAL(matching_sbe_gateway_start(gateway, error, sizeof error), 0);
}

static void open_gateway(const matching_sbe_handler *handler)
{
    open_with(&(matching_sbe_gateway_options){0}, handler);
}

static void close_gateway(void)
{
    matching_sbe_gateway_stop(gateway);
    matching_sbe_gateway_destroy(gateway);
}

typedef struct client {
    ws_client ws;
    uint8_t out[65536];
    size_t length;
} client;

static client one, two;

static void join(client *c)
{
    c->length = 0;
    CU_ASSERT_TRUE_FATAL(
        ws_client_connect(&c->ws, matching_sbe_gateway_address(gateway), "/", DEADLINE_MS));
    c->ws.is_binary = true;
}

static void add_trade(client *c, uint64_t trade_id)
{
    const sbe_trade trade = {.trade_id = trade_id, .symbol = 'B', .price = 50000.25, .quantity = 3};
    c->length += sbe_trade_write(c->out + c->length, sizeof c->out - c->length, &trade);
}

static void go(client *c)
{
    ws_client_send(&c->ws, (const char *)c->out, c->length);
    CU_ASSERT_TRUE(ws_client_flush(&c->ws, DEADLINE_MS));
    c->length = 0;
}

/* The next message, alone in its frame. */
static const uint8_t *hear(client *c, uint16_t template_id)
{
    const char *data = "";
    size_t length = 0;
    sbe_frame frame;
    sbe_message message;
    sbe_error error;
    if (!ws_client_receive(&c->ws, &data, &length, DEADLINE_MS)) {
        printf("no message: %s\n", c->ws.error);
        CU_FAIL_FATAL("no message");
    }
    sbe_frame_init(&frame, data, length);
    CU_ASSERT_TRUE_FATAL(sbe_frame_next(&frame, &message, &error));
    CU_ASSERT_EQUAL_FATAL(message.template_id, template_id);
    CU_ASSERT_EQUAL(frame.left, 0);
    return message.block;
}

/* Until all that was sent has been handled. */
static void settle(client *c)
{
    const sbe_heartbeat beat = {.timestamp = 4711};
    c->length = sbe_heartbeat_write(c->out, sizeof c->out, &beat);
    go(c);
    CU_ASSERT_EQUAL(sbe_heartbeat_timestamp(hear(c, SBE_HEARTBEAT)), 4711);
    pthread_mutex_lock(&told.lock); /* from here on it is seen without */
    pthread_mutex_unlock(&told.lock);
}

static void hear_reject(client *c, uint64_t client_order_id, unsigned template_id, unsigned code)
{
    sbe_reject reject;
    sbe_reject_read(hear(c, SBE_REJECT), &reject);
    CU_ASSERT_EQUAL(reject.client_order_id, client_order_id);
    CU_ASSERT_EQUAL(reject.template_id, template_id);
    CU_ASSERT_EQUAL(reject.code, code);
}

/* ---- Trades ---------------------------------------------------------------------------------- */

static void test_a_frames_trades_come_as_one_run(void)
{
    open_gateway(&ALL);
    join(&one);
    for (uint64_t id = 1; id <= 100; id++) {
        add_trade(&one, id);
    }
    go(&one);
    add_trade(&one, 101);
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 run of 100 by 29 from 1\n0 run of 1 by 29 from 101\n");
    CU_ASSERT_EQUAL(told.volume, 303);
    CU_ASSERT_EQUAL(told.last_id, 101);
    ws_client_close(&one.ws);
    close_gateway();
}

/* Trades of a later schema, of four more bytes, are runs of their own. */
static void test_longer_trades_are_further_apart(void)
{
    open_gateway(&ALL);
    join(&one);
    add_trade(&one, 1);
    for (uint64_t id = 2; id <= 4; id++) {
        uint8_t *header = one.out + one.length;
        add_trade(&one, id);
        sbe_store_u16(header, SBE_TRADE_BLOCK + 4);
        sbe_store_u16(header + 6, 1);
        memset(one.out + one.length, 0xff, 4);
        one.length += 4;
    }
    add_trade(&one, 5);
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 run of 1 by 29 from 1\n0 run of 3 by 33 from 2\n"
                "0 run of 1 by 29 from 5\n");
    CU_ASSERT_EQUAL(told.volume, 15);
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_trades_come_one_by_one_without_on_trades(void)
{
    matching_sbe_handler handler = ALL;
    handler.on_trades = NULL;
    open_gateway(&handler);
    join(&one);
    add_trade(&one, 1);
    add_trade(&one, 2);
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 trade 1 B 50000.2 3\n0 trade 2 B 50000.2 3\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_a_run_that_is_not_wanted_comes_one_by_one(void)
{
    open_gateway(&ALL);
    set_answer(MATCHING_SBE_ONE_BY_ONE);
    join(&one);
    add_trade(&one, 1);
    add_trade(&one, 2);
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 run of 2 by 29 from 1\n0 trade 1 B 50000.2 3\n"
                "0 trade 2 B 50000.2 3\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_nobody_has_to_listen(void)
{
    open_gateway(&(matching_sbe_handler){0});
    join(&one);
    add_trade(&one, 1);
    go(&one);
    settle(&one);
    ws_client_close(&one.ws);
    close_gateway();
}

/* ---- Errors ---------------------------------------------------------------------------------- */

static void test_a_handlers_error_is_told_and_ends_nothing(void)
{
    open_gateway(&ALL);
    set_answer(-5);
    join(&one);
    add_trade(&one, 1);
    add_trade(&one, 2);
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 run of 2 by 29 from 1\n"
                "0 error -5 on_trades returned -5 for 2 trades\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_one_trade_that_fails_does_not_stop_the_next(void)
{
    matching_sbe_handler handler = ALL;
    handler.on_trades = NULL;
    open_gateway(&handler);
    join(&one);
    for (uint64_t id = 12; id <= 15; id++) {
        add_trade(&one, id);
    }
    go(&one);
    settle(&one);
    expect_told("0 connect\n0 trade 12 B 50000.2 3\n0 trade 13 B 50000.2 3\n"
                "0 error 7 on_trade returned 7 for trade 13\n0 trade 14 B 50000.2 3\n"
                "0 error 1 on_trade returned 1 for trade 14\n0 trade 15 B 50000.2 3\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_a_frame_that_is_cut_costs_its_end_alone(void)
{
    open_gateway(&ALL);
    join(&one);
    settle(&one);
    join(&two);
    settle(&two);
    for (uint64_t id = 1; id <= 3; id++) {
        add_trade(&one, id);
    }
    one.length -= 9;
    go(&one);
    hear_reject(&one, 0, SBE_TRADE, 2);
    add_trade(&two, 4);
    go(&two);
    settle(&two);
    add_trade(&one, 5);
    go(&one);
    settle(&one);
    expect_told("0 connect\n1 connect\n0 run of 2 by 29 from 1\n"
                "0 error 0 insufficient data: expected 29 bytes, got 20\n"
                "1 run of 1 by 29 from 4\n0 run of 1 by 29 from 5\n");
    ws_client_close(&one.ws);
    ws_client_close(&two.ws);
    close_gateway();
}

static void test_bytes_that_are_no_message_are_told(void)
{
    open_gateway(&ALL);
    join(&one);
    memcpy(one.out, "\x15\x00\x63\x00\x01\x00\x00\x00", one.length = 8);
    go(&one);
    hear_reject(&one, 0, 99, 3);
    memcpy(one.out, "\x15\x00\x01\x00\x09\x00\x00\x00", one.length = 8);
    go(&one);
    hear_reject(&one, 0, SBE_TRADE, 2);
    expect_told("0 connect\n0 error 0 unknown template: 99\n"
                "0 error 0 wrong schema: expected 1, got 9\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_orders_are_refused_with_their_id(void)
{
    const sbe_new_order order = {.client_order_id = 77};
    const sbe_logon logon = {.trader_id = "alice"};
    const sbe_subscribe subscribe = {.channels = 7};
    open_gateway(&ALL);
    join(&one);
    one.length = sbe_new_order_write(one.out, sizeof one.out, &order);
    go(&one);
    hear_reject(&one, 77, SBE_NEW_ORDER, 3);
    one.length = sbe_logon_write(one.out, sizeof one.out, &logon);
    go(&one);
    hear_reject(&one, 0, SBE_LOGON, 3);
    one.length = sbe_subscribe_write(one.out, sizeof one.out, &subscribe);
    go(&one);
    hear_reject(&one, 0, SBE_SUBSCRIBE, 3);
    expect_told("0 connect\n0 error 0 unknown template: 2\n0 error 0 unknown template: 12\n"
                "0 error 0 unknown template: 8\n");
    ws_client_close(&one.ws);
    close_gateway();
}

static void test_text_ends_its_connection_alone(void)
{
    const char *data;
    size_t length;
    open_gateway(&ALL);
    join(&two);
    settle(&two);
    join(&one);
    one.ws.is_binary = false;
    ws_client_send(&one.ws, "hello", 5);
    CU_ASSERT_FALSE(ws_client_receive(&one.ws, &data, &length, DEADLINE_MS));
    CU_ASSERT_EQUAL(one.ws.close_code, 1003);
    settle(&two);
    CU_ASSERT_EQUAL(told.errors, 1);
    ws_client_close(&one.ws);
    ws_client_close(&two.ws);
    close_gateway();
}

static void test_a_client_of_many_errors_is_sent_away_where_that_is_wanted(void)
{
    const char *data;
    size_t length;
    open_with(&(matching_sbe_gateway_options){.max_errors_in_a_row = 2}, &ALL);
    join(&one);
    one.length = 3;
    go(&one);
    hear_reject(&one, 0, 0, 2);
    one.length = 3;
    go(&one);
    hear_reject(&one, 0, 0, 2);
    CU_ASSERT_FALSE(ws_client_receive(&one.ws, &data, &length, DEADLINE_MS));
    CU_ASSERT_EQUAL(one.ws.close_code, 1008);
    ws_client_close(&one.ws);
    close_gateway();
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void test_the_stop_disconnects_who_is_left(void)
{
    open_gateway(&ALL);
    join(&one);
    settle(&one);
    add_trade(&one, 1);
    go(&one);
    settle(&one);
    close_gateway();
    expect_told("0 connect\n0 run of 1 by 29 from 1\n0 disconnect\n");
    ws_client_close(&one.ws);
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
    static char name[300];
    memset(name, 'a', sizeof name - 1);
    refuse(&(matching_sbe_gateway_options){.bind = name}, "too long");
    refuse(&(matching_sbe_gateway_options){.allow_hosts = (const char *[]){name, NULL}},
           "too long");
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

MATCHING_TESTS(MATCHING_TEST(test_a_frames_trades_come_as_one_run),
               MATCHING_TEST(test_longer_trades_are_further_apart),
               MATCHING_TEST(test_trades_come_one_by_one_without_on_trades),
               MATCHING_TEST(test_a_run_that_is_not_wanted_comes_one_by_one),
               MATCHING_TEST(test_nobody_has_to_listen),
               MATCHING_TEST(test_a_handlers_error_is_told_and_ends_nothing),
               MATCHING_TEST(test_one_trade_that_fails_does_not_stop_the_next),
               MATCHING_TEST(test_a_frame_that_is_cut_costs_its_end_alone),
               MATCHING_TEST(test_bytes_that_are_no_message_are_told),
               MATCHING_TEST(test_orders_are_refused_with_their_id),
               MATCHING_TEST(test_text_ends_its_connection_alone),
               MATCHING_TEST(test_a_client_of_many_errors_is_sent_away_where_that_is_wanted),
               MATCHING_TEST(test_the_stop_disconnects_who_is_left),
               MATCHING_TEST(test_a_hundred_connections),
               MATCHING_TEST(test_a_frame_of_half_the_bytes_is_the_largest),
               MATCHING_TEST(test_memory_of_connections_is_bounded),
               MATCHING_TEST(test_wrong_options_are_refused),
               MATCHING_TEST(test_a_port_in_use_is_named),
               MATCHING_TEST(test_the_functions_in_place_read_what_the_codec_wrote))
