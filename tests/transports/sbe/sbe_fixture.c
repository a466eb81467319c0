/* The fixture: small memory; two shards, so that answers come in another order than requests. */
#include "sbe_fixture.h"

#include "inprocess.h"
#include "support/ws_client.h"

matching_config config;
matching_access access_rules;
matching_transport door;
matching_counters counters;
const matching_sbe_handler *trade_handler;
bool others_watch;
unsigned event_ring_size;
static matching_inprocess *administrator;

void prepare(void)
{
    matching_config_default(&config);
    memset(&access_rules, 0, sizeof access_rules);
    memset(&counters, 0, sizeof counters);
    config.sbe.port = 0;
    trade_handler = NULL;
    others_watch = false;
    event_ring_size = 0;
    snprintf(access_rules.bind_address, sizeof access_rules.bind_address, "127.0.0.1");
}

static void pass_over(void *context, unsigned shard, const matching_event *event,
                      const matching_order *order)
{
    (void)context;
    (void)shard;
    (void)event;
    (void)order;
}

void open_door(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = BTC, .sbe_char = 'B', .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "ETHUSDT", .id = ETH, .sbe_char = 'E', .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "SOLUSDT", .id = SOL, .sbe_char = 'S', .tick_size = 1000000, .lot_size = 10000}};
    char error[256] = "";
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = 3;
    options.max_instruments = 16;
    options.shards = 2;
    options.ring_size = 4096;
    options.max_orders = 65536;
    options.max_traders = 64;
    options.retained_orders = 4096;
    options.recent_trades = 128;
    if (event_ring_size != 0) {
        options.event_ring_size = event_ring_size;
    }
    door = (matching_transport){.ops = &matching_sbe_transport,
                                .config = &config,
                                .access = &access_rules,
                                .counters = &counters,
                                .core = matching_core_create(&options, error, sizeof error)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(door.core);
    CU_ASSERT_EQUAL_FATAL(door.ops->init(&door), 0);
    matching_sbe_set_handler(&door, trade_handler);
    administrator = matching_inprocess_create(door.core, others_watch ? pass_over : NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(administrator);
    CU_ASSERT_EQUAL_FATAL(matching_core_start(door.core, error, sizeof error), 0);
    CU_ASSERT_EQUAL_FATAL(door.ops->start(&door), 0);
}

void close_door(void)
{
    door.ops->stop(&door);
    matching_core_stop(door.core);
    door.ops->fini(&door);
    matching_core_destroy(door.core);
    matching_inprocess_destroy(administrator);
}

static void call(const matching_request *request)
{
    const matching_reply *reply;
    matching_error error;
    CU_ASSERT_EQUAL(matching_inprocess_call(administrator, request, &reply, &error), MATCHING_OK);
}

#define BIT(name) MATCHING_FIELD_BIT(MATCHING_FIELD_##name)

void set_state(const char *symbol, const char *state)
{
    call(&(matching_request){.action = MATCHING_ACTION_SET_STATE,
                             .present = BIT(SYMBOL) | BIT(STATE),
                             .symbol = {symbol, strlen(symbol)},
                             .state = {state, strlen(state)}});
}

void add_instrument(const char *symbol, uint32_t id)
{
    call(&(matching_request){.action = MATCHING_ACTION_ADD_INSTRUMENT,
                             .present = BIT(SYMBOL) | BIT(TICK_SIZE) | BIT(LOT_SIZE) | BIT(ID),
                             .symbol = {symbol, strlen(symbol)},
                             .tick_size = 1000000,
                             .lot_size = 10000,
                             .id = id});
}

void bid_elsewhere(const char *symbol, int64_t price, unsigned count)
{
    for (int64_t least = price - count; price > least; price--) {
        call(&(matching_request){.action = MATCHING_ACTION_PLACE,
                                 .present = BIT(TRADER_ID) | BIT(SYMBOL) | BIT(SIDE) | BIT(PRICE) |
                                            BIT(QUANTITY),
                                 .numbered = BIT(SIDE),
                                 .trader_id = {"ann", 3},
                                 .symbol = {symbol, strlen(symbol)},
                                 .side_number = MATCHING_BUY,
                                 .price = price * ONE,
                                 .quantity = ONE});
    }
}

void cancel_all_elsewhere(const char *trader_id)
{
    call(&(matching_request){.action = MATCHING_ACTION_CANCEL_ALL,
                             .present = BIT(TRADER_ID),
                             .trader_id = {trader_id, strlen(trader_id)}});
}

/* ---- Clients --------------------------------------------------------------------------------- */

void connect_raw(client *c)
{
    c->length = c->frames = 0;
    c->frame = (sbe_frame){NULL, 0};
    bool connected = ws_client_connect(&c->ws, door.address, "/anything", DEADLINE_MS);
    CU_ASSERT_TRUE_FATAL(connected);
    c->ws.is_binary = true;
}

void connect_client(client *c)
{
    connect_raw(c);
    for (unsigned i = 0; i < 3; i++) {
        hear_block(c, SBE_INSTRUMENT);
    }
}

void disconnect(client *c)
{
    ws_client_close(&c->ws);
}

void go(client *c)
{
    ws_client_send(&c->ws, (const char *)c->out, c->length);
    CU_ASSERT_TRUE(ws_client_flush(&c->ws, DEADLINE_MS));
    c->length = 0;
}

sbe_new_order limit(uint64_t client_order_id, const char *trader, unsigned side, int64_t price,
                    int64_t quantity)
{
    sbe_new_order order = {.client_order_id = client_order_id,
                           .instrument_id = BTC,
                           .side = (uint8_t)side,
                           .price = price * ONE,
                           .quantity = quantity * ONE,
                           .display_quantity = SBE_NULL_I64,
                           .stop_price = SBE_NULL_I64};
    memcpy(order.trader_id, trader, strlen(trader));
    return order;
}

sbe_new_order in(sbe_new_order order, uint32_t instrument_id)
{
    order.instrument_id = instrument_id;
    return order;
}

void add_order(client *c, sbe_new_order order)
{
    c->length += sbe_new_order_write(c->out + c->length, sizeof c->out - c->length, &order);
}

void tell_order(client *c, sbe_new_order order)
{
    add_order(c, order);
    go(c);
}

sbe_message hear(client *c)
{
    sbe_message message;
    sbe_error error;
    if (c->frame.left == 0) {
        const char *data = "";
        size_t length = 0;
        if (!ws_client_receive(&c->ws, &data, &length, DEADLINE_MS)) {
            printf("no message: %s\n", c->ws.error);
            CU_FAIL_FATAL("no message");
        }
        sbe_frame_init(&c->frame, data, length);
        c->frames++;
    }
    bool good = sbe_frame_next(&c->frame, &message, &error);
    CU_ASSERT_TRUE_FATAL(good);
    CU_ASSERT_EQUAL(message.block_length, sbe_block_length(message.template_id));
    return message;
}

const uint8_t *hear_block(client *c, uint16_t template_id)
{
    sbe_message message = hear(c);
    if (message.template_id != template_id) {
        printf("template %u, expected %u\n", message.template_id, template_id);
        CU_FAIL_FATAL("another message");
    }
    return message.block;
}

sbe_execution_report hear_report(client *c, uint64_t client_order_id, unsigned exec_type,
                                 unsigned status)
{
    sbe_execution_report report;
    sbe_execution_report_read(hear_block(c, SBE_EXECUTION_REPORT), &report);
    CU_ASSERT_EQUAL(report.client_order_id, client_order_id);
    CU_ASSERT_EQUAL(report.exec_type, exec_type);
    CU_ASSERT_EQUAL(report.status, status);
    return report;
}

void hear_reject(client *c, uint64_t client_order_id, uint16_t template_id, unsigned code,
                 const char *text)
{
    sbe_reject reject;
    sbe_reject_read(hear_block(c, SBE_REJECT), &reject);
    CU_ASSERT_EQUAL(reject.client_order_id, client_order_id);
    CU_ASSERT_EQUAL(reject.template_id, template_id);
    CU_ASSERT_EQUAL(reject.code, code);
    if (strncmp(reject.text, text, sizeof reject.text) != 0) {
        printf("text %.16s, expected %s\n", reject.text, text);
        CU_FAIL("another text");
    }
}

void hear_heartbeat(client *c, uint64_t timestamp)
{
    uint64_t got = sbe_heartbeat_timestamp(hear_block(c, SBE_HEARTBEAT));
    CU_ASSERT_TRUE(timestamp == 0 ? got > 0 : got == timestamp);
}

void hear_nothing(client *c)
{
    TELL(c, heartbeat, .timestamp = 4711);
    hear_heartbeat(c, 4711);
}

void expect_close(client *c, unsigned code, const char *reason)
{
    char wanted[160];
    const char *data;
    size_t length;
    while (ws_client_receive(&c->ws, &data, &length, DEADLINE_MS)) {
    }
    snprintf(wanted, sizeof wanted, "closed with %u %s", code, reason);
    CU_ASSERT_STRING_EQUAL(c->ws.error, wanted);
}

uint64_t rest(client *c, const char *trader, unsigned side, int64_t price, int64_t quantity)
{
    tell_order(c, limit(0, trader, side, price, quantity));
    return hear_report(c, 0, SBE_EXEC_NEW, MATCHING_OPEN).order_id;
}
