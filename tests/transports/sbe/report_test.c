/* Reports of the SBE wire: numbers of the core as mantissas, nulls where there is nothing, and what
 * does not fit.
 */
#include "core.h"
#include "sbe_report.h"
#include "support/cunit_main.h"

#define NONE SBE_NULL_I64

static const matching_instrument btc = {.symbol = "BTCUSDT",
                                        .id = 9,
                                        .index = 2,
                                        .sbe_char = 'B',
                                        .tick_size = 1000000,
                                        .lot_size = 10000};

static matching_order limit_order(void)
{
    return (matching_order){.order_id = 77,
                            .price_ticks = 5000025,
                            .quantity_lots = 15000,
                            .filled_lots = 5000,
                            .instrument = 2,
                            .status = MATCHING_PARTIAL,
                            .side = MATCHING_SELL,
                            .client_order_id = "4711"};
}

static void test_an_order_in_a_reply(void)
{
    sbe_execution_report report;
    matching_order order = limit_order();
    sbe_report_order(&report, &btc, &order, SBE_EXEC_AMENDED, 5, 1700000000000000001u);
    CU_ASSERT_EQUAL(report.client_order_id, 5);
    CU_ASSERT_EQUAL(report.order_id, 77);
    CU_ASSERT_EQUAL(report.instrument_id, 9);
    CU_ASSERT_EQUAL(report.status, 1);
    CU_ASSERT_EQUAL(report.reason, 0);
    CU_ASSERT_EQUAL(report.side, 1);
    CU_ASSERT_EQUAL(report.exec_type, 3);
    CU_ASSERT_EQUAL(report.price, 5000025000000);
    CU_ASSERT_EQUAL(report.filled_quantity, 50000000);
    CU_ASSERT_EQUAL(report.remaining_quantity, 100000000);
    CU_ASSERT_EQUAL(report.timestamp, 1700000000000000001u);
    CU_ASSERT_EQUAL(report.last_quantity, 0);
    CU_ASSERT_EQUAL(report.trade_id, 0);
    CU_ASSERT_EQUAL(report.last_price, NONE);
}

/* The largest quantity in lots, cancelled: what remains is the quantity less what filled. */
static void test_a_market_order_that_ended(void)
{
    sbe_execution_report report;
    matching_order order = {.order_id = 1,
                            .quantity_lots = MATCHING_LOTS_MAX,
                            .status = MATCHING_CANCELLED,
                            .reason = MATCHING_REASON_NO_LIQUIDITY};
    matching_instrument units = btc;
    units.lot_size = 1;
    sbe_report_order(&report, &units, &order, SBE_EXEC_NEW, 0, 1);
    CU_ASSERT_EQUAL(report.price, NONE);
    CU_ASSERT_EQUAL(report.status, 3);
    CU_ASSERT_EQUAL(report.reason, 3);
    CU_ASSERT_EQUAL(report.exec_type, 0);
    CU_ASSERT_EQUAL(report.remaining_quantity, 999999999999999);
}

static sbe_reported_order reported_order(int64_t filled_lots)
{
    return (sbe_reported_order){.order_id = 77,
                                .client_order_id = 4711,
                                .price_ticks = 5000025,
                                .quantity_lots = 15000,
                                .filled_lots = filled_lots,
                                .side = MATCHING_SELL};
}

static void test_what_a_trade_tells(void)
{
    const matching_event trade = {
        .kind = MATCHING_EVENT_TRADE,
        .time_ns = 12,
        .trade = {.trade_id = 3, .price_ticks = 5000000, .quantity_lots = 30}};
    for (unsigned is_last = 0; is_last < 2; is_last++) {
        sbe_execution_report report;
        sbe_reported_order order = reported_order(is_last ? 15000 : 5000);
        sbe_report_fill(&report, &btc, &order, &trade);
        CU_ASSERT_EQUAL(report.exec_type, SBE_EXEC_TRADE);
        CU_ASSERT_EQUAL(report.status, is_last ? MATCHING_FILLED : MATCHING_PARTIAL);
        CU_ASSERT_EQUAL(report.reason, 0);
        CU_ASSERT_EQUAL(report.client_order_id, 4711);
        CU_ASSERT_EQUAL(report.order_id, 77);
        CU_ASSERT_EQUAL(report.instrument_id, 9);
        CU_ASSERT_EQUAL(report.side, MATCHING_SELL);
        CU_ASSERT_EQUAL(report.price, 5000025000000);
        CU_ASSERT_EQUAL(report.timestamp, 12);
        CU_ASSERT_EQUAL(report.trade_id, 3);
        CU_ASSERT_EQUAL(report.last_price, 5000000000000);
        CU_ASSERT_EQUAL(report.last_quantity, 300000);
        CU_ASSERT_EQUAL(report.filled_quantity, is_last ? 150000000 : 50000000);
        CU_ASSERT_EQUAL(report.remaining_quantity, is_last ? 0 : 100000000);
    }
}

static void test_what_another_change_tells(void)
{
    static const struct {
        matching_status status;
        bool waited;
        uint8_t exec_type;
    } rows[] = {{MATCHING_CANCELLED, false, SBE_EXEC_CANCELLED},
                {MATCHING_CANCELLED, true, SBE_EXEC_CANCELLED},
                {MATCHING_OPEN, true, SBE_EXEC_TRIGGERED},
                {MATCHING_UNTRIGGERED, true, SBE_EXEC_AMENDED},
                {MATCHING_OPEN, false, SBE_EXEC_AMENDED}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sbe_execution_report report;
        sbe_reported_order order = reported_order(5000);
        sbe_report_change(&report, &btc, &order, rows[i].status, MATCHING_REASON_EXPIRED,
                          rows[i].waited, 12);
        CU_ASSERT_EQUAL(report.exec_type, rows[i].exec_type);
        CU_ASSERT_EQUAL(report.status, rows[i].status);
        CU_ASSERT_EQUAL(report.reason, MATCHING_REASON_EXPIRED);
        CU_ASSERT_EQUAL(report.client_order_id, 4711);
        CU_ASSERT_EQUAL(report.price, 5000025000000);
        CU_ASSERT_EQUAL(report.filled_quantity, 50000000);
        CU_ASSERT_EQUAL(report.remaining_quantity, 100000000);
        CU_ASSERT_EQUAL(report.timestamp, 12);
        CU_ASSERT_EQUAL(report.trade_id, 0);
        CU_ASSERT_EQUAL(report.last_price, NONE);
        CU_ASSERT_EQUAL(report.last_quantity, 0);
    }
}

static void test_which_client_order_ids_are_numbers(void)
{
    static const struct {
        const char *text;
        uint64_t number;
    } rows[] = {{"", 0},
                {"1", 1},
                {"10", 10},
                {"18446744073709551615", UINT64_MAX},
                {"18446744073709551616", 0},
                {"99999999999999999999", 0},
                {"184467440737095516150", 0},
                {"123456789012345678901234567890123456", 0},
                {"0", 0},
                {"007", 0},
                {"+7", 0},
                {" 7", 0},
                {"7 ", 0},
                {"7a", 0},
                {"a7", 0},
                {"-7", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CU_ASSERT_EQUAL(sbe_client_order_id(rows[i].text), rows[i].number);
    }
}

static void expect_reject(const sbe_reject *reject, uint16_t code, const char *text)
{
    char wanted[17] = {0};
    CU_ASSERT(strlen(text) <= 16);
    memcpy(wanted, text, strlen(text));
    CU_ASSERT_EQUAL(reject->code, code);
    CU_ASSERT_EQUAL(memcmp(reject->text, wanted, 16), 0);
}

/* The codes are the positions in the contract's list. */
static void test_refusals(void)
{
    static const struct {
        matching_error error;
        uint16_t code;
        const char *text;
    } rows[] = {
        {{.code = MATCHING_INVALID_SIDE, .field = MATCHING_FIELD_SIDE}, 5, "side"},
        {{.code = MATCHING_INVALID_QUANTITY, .field = MATCHING_FIELD_DISPLAY_QUANTITY},
         7,
         "display_quantity"},
        {{.code = MATCHING_INVALID_PARAMETER, .field = MATCHING_FIELD_SELF_TRADE_PREVENTION},
         13,
         "self_trade_preve"},
        {{.code = MATCHING_DUPLICATE_CLIENT_ORDER_ID,
          .field = MATCHING_FIELD_CLIENT_ORDER_ID,
          .order_id = MATCHING_ORDER_ID_MAX},
         16,
         "9007199254740991"},
        {{.code = MATCHING_POST_ONLY_WOULD_CROSS}, 17, "POST_ONLY_WOULD_"},
        {{.code = MATCHING_INVALID_PARAMETER}, 13, "flags"}, /* no other wire has these */
        {{.code = MATCHING_INTERNAL_ERROR}, 29, "INTERNAL_ERROR"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sbe_reject reject;
        memset(&reject, 0xa5, sizeof reject);
        sbe_report_refusal(&reject, SBE_NEW_ORDER, 99, &rows[i].error);
        CU_ASSERT_EQUAL(reject.client_order_id, 99);
        CU_ASSERT_EQUAL(reject.template_id, 2);
        expect_reject(&reject, rows[i].code, rows[i].text);
    }
}

static void test_faults_of_a_frame(void)
{
    sbe_reject reject;
    sbe_error error = {.fault = SBE_FAULT_SHORT, .template_id = 2, .client_order_id = 8};
    sbe_report_fault(&reject, &error);
    CU_ASSERT_EQUAL(reject.client_order_id, 8);
    CU_ASSERT_EQUAL(reject.template_id, 2);
    expect_reject(&reject, 2, "INVALID_MESSAGE");
    error = (sbe_error){.fault = SBE_FAULT_TEMPLATE, .template_id = 999};
    sbe_report_fault(&reject, &error);
    CU_ASSERT_EQUAL(reject.template_id, 999);
    expect_reject(&reject, 3, "UNKNOWN_TYPE");
    error = (sbe_error){.fault = SBE_FAULT_SCHEMA, .template_id = 9};
    sbe_report_fault(&reject, &error);
    expect_reject(&reject, 2, "INVALID_MESSAGE");
}

static matching_event trade_event(uint8_t side, int64_t lots)
{
    return (matching_event){.kind = MATCHING_EVENT_TRADE,
                            .side = side,
                            .time_ns = 1700000000000000001u,
                            .trade = {.trade_id = 31,
                                      .price_ticks = 5000025,
                                      .quantity_lots = lots,
                                      .maker_order_id = 4,
                                      .taker_order_id = 6}};
}

static void test_a_trade_in_short(void)
{
    static const struct {
        int64_t lots;
        uint32_t units;
    } rows[] = {{10000, 1},
                {9999, 0},
                {19999, 1},
                {42949672939999, 4294967293u},
                {42949672940000, 4294967294u},
                {42949672950000, 4294967294u},
                {922337203680000, 4294967294u}}; /* the largest there is of this lot size */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sbe_trade trade;
        matching_event event = trade_event(MATCHING_BUY, rows[i].lots);
        sbe_report_trade(&trade, &btc, &event);
        CU_ASSERT_EQUAL(trade.trade_id, 31);
        CU_ASSERT_EQUAL(trade.symbol, 'B');
        CU_ASSERT_EQUAL(trade.price, 50000.25);
        CU_ASSERT_EQUAL(trade.quantity, rows[i].units);
    }
}

static void test_a_trade_in_full(void)
{
    static const struct {
        uint8_t side, shown;
        uint64_t buyer, seller;
    } rows[] = {{MATCHING_BUY, 0, 6, 4}, {MATCHING_SELL, 1, 4, 6}, {MATCHING_SIDE_NONE, 255, 6, 4}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sbe_trade_exact trade;
        matching_event event = trade_event(rows[i].side, 12345);
        sbe_report_trade_exact(&trade, &btc, &event);
        CU_ASSERT_EQUAL(trade.trade_id, 31);
        CU_ASSERT_EQUAL(trade.instrument_id, 9);
        CU_ASSERT_EQUAL(trade.taker_side, rows[i].shown);
        CU_ASSERT_EQUAL(trade.price, 5000025000000);
        CU_ASSERT_EQUAL(trade.quantity, 123450000);
        CU_ASSERT_EQUAL(trade.buy_order_id, rows[i].buyer);
        CU_ASSERT_EQUAL(trade.sell_order_id, rows[i].seller);
        CU_ASSERT_EQUAL(trade.timestamp, 1700000000000000001u);
    }
}

static void test_a_book(void)
{
    sbe_book_update update;
    sbe_report_book(&update, &btc, 5000000, 15000, 5000100, 1, 12);
    CU_ASSERT_EQUAL(update.instrument_id, 9);
    CU_ASSERT_EQUAL(update.best_bid, 5000000000000);
    CU_ASSERT_EQUAL(update.bid_quantity, 150000000);
    CU_ASSERT_EQUAL(update.best_ask, 5000100000000);
    CU_ASSERT_EQUAL(update.ask_quantity, 10000);
    CU_ASSERT_EQUAL(update.sequence, 12);
    sbe_report_book(&update, &btc, 0, 5, 0, 5, 13);
    CU_ASSERT_EQUAL(update.best_bid, NONE);
    CU_ASSERT_EQUAL(update.bid_quantity, 0);
    CU_ASSERT_EQUAL(update.best_ask, NONE);
    CU_ASSERT_EQUAL(update.ask_quantity, 0);
    /* Sums of many orders: the last that fits, the first that does not, one beyond 64 bits. */
    sbe_report_book(&update, &btc, 1, INT64_MAX / 10000, 2, INT64_MAX / 10000 + 1, 14);
    CU_ASSERT_EQUAL(update.bid_quantity, INT64_MAX / 10000 * 10000);
    CU_ASSERT_EQUAL(update.ask_quantity, INT64_MAX);
    sbe_report_book(&update, &btc, 1, (matching_wide)1 << 64, 2, 1, 15);
    CU_ASSERT_EQUAL(update.bid_quantity, INT64_MAX);
}

static void test_an_instrument(void)
{
    sbe_instrument message;
    memset(&message, 0xa5, sizeof message);
    sbe_report_instrument(&message, &btc, MATCHING_AUCTION);
    CU_ASSERT_EQUAL(message.id, 9);
    CU_ASSERT_EQUAL(message.sbe_char, 'B');
    CU_ASSERT_EQUAL(message.state, 2);
    CU_ASSERT_EQUAL(memcmp(message.symbol, "BTCUSDT\0\0\0\0\0\0\0\0\0", 16), 0);
    CU_ASSERT_EQUAL(message.tick_size, 1000000);
    CU_ASSERT_EQUAL(message.lot_size, 10000);
}

MATCHING_TESTS(MATCHING_TEST(test_an_order_in_a_reply),
               MATCHING_TEST(test_a_market_order_that_ended),
               MATCHING_TEST(test_what_a_trade_tells),
               MATCHING_TEST(test_what_another_change_tells),
               MATCHING_TEST(test_which_client_order_ids_are_numbers), MATCHING_TEST(test_refusals),
               MATCHING_TEST(test_faults_of_a_frame), MATCHING_TEST(test_a_trade_in_short),
               MATCHING_TEST(test_a_trade_in_full), MATCHING_TEST(test_a_book),
               MATCHING_TEST(test_an_instrument))
