/* See gateway_fixture.h. */
#include "gateway_fixture.h"

#include <stdarg.h>

#include "support/cunit_main.h"

matching_sbe_gateway *gateway;

/* ---- What the handler was told --------------------------------------------------------------- */

told_calls told = {.lock = PTHREAD_MUTEX_INITIALIZER};

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

const matching_sbe_handler ALL = {.context = &told,
                                  .on_trades = on_trades,
                                  .on_trade = on_trade,
                                  .on_connect = on_connect,
                                  .on_disconnect = on_disconnect,
                                  .on_error = on_error};

void set_answer(int answer)
{
    pthread_mutex_lock(&told.lock);
    told.answer = answer;
    pthread_mutex_unlock(&told.lock);
}

void expect_told(const char *wanted)
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

void open_with(const matching_sbe_gateway_options *options, const matching_sbe_handler *handler)
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

void open_gateway(const matching_sbe_handler *handler)
{
    open_with(&(matching_sbe_gateway_options){0}, handler);
}

void close_gateway(void)
{
    matching_sbe_gateway_stop(gateway);
    matching_sbe_gateway_destroy(gateway);
}

client one, two;

void join(client *c)
{
    c->length = 0;
    CU_ASSERT_TRUE_FATAL(
        ws_client_connect(&c->ws, matching_sbe_gateway_address(gateway), "/", DEADLINE_MS));
    c->ws.is_binary = true;
}

void add_trade(client *c, uint64_t trade_id)
{
    const sbe_trade trade = {.trade_id = trade_id, .symbol = 'B', .price = 50000.25, .quantity = 3};
    c->length += sbe_trade_write(c->out + c->length, sizeof c->out - c->length, &trade);
}

void go(client *c)
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
    sbe_message message = {0};
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

void settle(client *c)
{
    const sbe_heartbeat beat = {.timestamp = 4711};
    c->length = sbe_heartbeat_write(c->out, sizeof c->out, &beat);
    go(c);
    CU_ASSERT_EQUAL(sbe_heartbeat_timestamp(hear(c, SBE_HEARTBEAT)), 4711);
    pthread_mutex_lock(&told.lock); /* from here on it is seen without */
    pthread_mutex_unlock(&told.lock);
}

void hear_reject(client *c, uint64_t client_order_id, unsigned template_id, unsigned code)
{
    sbe_reject reject;
    sbe_reject_read(hear(c, SBE_REJECT), &reject);
    CU_ASSERT_EQUAL(reject.client_order_id, client_order_id);
    CU_ASSERT_EQUAL(reject.template_id, template_id);
    CU_ASSERT_EQUAL(reject.code, code);
}
