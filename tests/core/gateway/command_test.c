/* Tests of the commands that the gateway makes of good requests, and of names: codes and fields. */
#include <string.h>

#include "matching/port.h"
#include "request_text.h"
#include "support/cunit_main.h"

static matching_core *core;

static void begin(void)
{
    core = create_core();
}

static void end(void)
{
    matching_core_destroy(core);
}

static void test_an_order_becomes_its_command(void)
{
    begin();
    matching_command c;
    matching_error error;
    CU_ASSERT_EQUAL(prepare(core, PLACE,
                            "trader_id=alice;side=sell;price=50000.01;quantity=0.25;symbol=BTCUSDT;"
                            "post_only=true;client_order_id=my order",
                            &c, &error),
                    MATCHING_OK);
    CU_ASSERT_EQUAL(c.type, MATCHING_PLACE);
    CU_ASSERT_EQUAL(c.instrument, 0);
    CU_ASSERT_EQUAL(c.side, MATCHING_SELL);
    CU_ASSERT_EQUAL(c.order_type, MATCHING_LIMIT);
    CU_ASSERT_EQUAL(c.time_in_force, MATCHING_GTC);
    CU_ASSERT_TRUE(c.flags & MATCHING_FLAG_POST_ONLY);
    CU_ASSERT_FALSE(c.flags & (MATCHING_FLAG_DECIMALS | MATCHING_FLAG_COLLECT));
    CU_ASSERT_EQUAL(c.price_ticks, 5000001);
    CU_ASSERT_EQUAL(c.quantity_lots, 2500);
    CU_ASSERT_EQUAL(c.stop_price_ticks, 0);
    CU_ASSERT_EQUAL(c.display_lots, 0);
    CU_ASSERT_EQUAL(c.order_id, 0);
    static const char trader[MATCHING_TRADER_MAX] = "alice", client[40] = "my order";
    CU_ASSERT_EQUAL(memcmp(c.trader_id, trader, sizeof trader), 0); /* zeros behind it too */
    CU_ASSERT_EQUAL(memcmp(c.client_order_id, client, sizeof client), 0);

    CU_ASSERT_EQUAL(
        prepare(core, PLACE, LIMIT "symbol=FINE-1.0_X;price=0.00000003;quantity=1", &c, &error),
        MATCHING_OK);
    CU_ASSERT_EQUAL(c.instrument, 1);
    CU_ASSERT_EQUAL(c.price_ticks, 3);
    CU_ASSERT_EQUAL(c.quantity_lots, 100000000);
    end();
}

static void test_a_stop_becomes_its_command(void)
{
    begin();
    matching_command c;
    matching_error error;
    CU_ASSERT_EQUAL(prepare(core, PLACE,
                            LIMIT "type=stop_limit;stop_price=49000.01;time_in_force=GTD;"
                                  "expire_time=1893456000000;self_trade_prevention=cancel_maker",
                            &c, &error),
                    MATCHING_OK);
    CU_ASSERT_EQUAL(c.order_type, MATCHING_STOP_LIMIT);
    CU_ASSERT_EQUAL(c.price_ticks, 5000000);
    CU_ASSERT_EQUAL(c.stop_price_ticks, 4900001);
    CU_ASSERT_EQUAL(c.time_in_force, MATCHING_GTD);
    CU_ASSERT_EQUAL(c.expire_time_ms, 1893456000000);
    CU_ASSERT_EQUAL(c.self_trade, MATCHING_STP_CANCEL_MAKER);
    prepare(core, PLACE, LIMIT "-price;type=stop;stop_price=49000", &c, &error);
    CU_ASSERT_EQUAL(c.order_type, MATCHING_STOP);
    CU_ASSERT_EQUAL(c.price_ticks, 0);
    prepare(core, PLACE, LIMIT "display_quantity=0.05", &c, &error);
    CU_ASSERT_EQUAL(c.display_lots, 500);
    prepare(core, AMEND, "order_id=7;stop_price=49000", &c, &error);
    CU_ASSERT_TRUE(c.flags & MATCHING_FLAG_DECIMALS);
    CU_ASSERT_EQUAL(c.stop_price_ticks, 49000 * MATCHING_DECIMAL_ONE);
    prepare(core, SET_STATE, "symbol=BTCUSDT;state=auction", &c, &error);
    CU_ASSERT_EQUAL(c.state, MATCHING_AUCTION);
    end();
}

static void test_defaults_of_time_in_force(void)
{
    static const struct {
        const char *request;
        uint8_t time_in_force;
    } rows[] = {{LIMIT, MATCHING_GTC},
                {LIMIT "time_in_force=IOC", MATCHING_IOC},
                {LIMIT "time_in_force=FOK", MATCHING_FOK},
                {MARKET, MATCHING_IOC},
                {MARKET "time_in_force=FOK", MATCHING_FOK}};
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        matching_command c;
        matching_error error;
        CU_ASSERT_EQUAL(prepare(core, PLACE, rows[i].request, &c, &error), MATCHING_OK);
        CU_ASSERT_EQUAL(c.time_in_force, rows[i].time_in_force);
    }
    end();
}

/* Without a symbol: the first instrument, or all of them, or whatever the order has. */
static void test_what_an_absent_symbol_means(void)
{
    enum { ALL = MATCHING_FLAG_ALL_SYMBOLS, HAS = MATCHING_FLAG_HAS_SYMBOL };
    static const struct {
        matching_action action;
        const char *request;
        uint8_t flags;
        uint16_t instrument;
    } rows[] = {{PLACE, LIMIT, 0, 0},
                {CANCEL, "trader_id=a;client_order_id=x", 0, 0},
                {CANCEL, "order_id=7", 0, 0},
                {CANCEL, "order_id=7;symbol=FINE-1.0_X", HAS, 1},
                {CANCEL_ALL, "trader_id=a", ALL, 0},
                {CANCEL_ALL, "trader_id=a;symbol=FINE-1.0_X", HAS, 1},
                {LIST_ORDERS, "trader_id=a", ALL, 0},
                {LIST_ORDERS, "trader_id=a;symbol=SIXTEENLETTERS16", HAS, 2},
                {LIST_OPEN, "trader_id=a", ALL, 0},
                {GET_DEPTH, "", 0, 0},
                {GET_DEPTH, "symbol=SIXTEENLETTERS16", HAS, 2},
                {GET_TRADES, "", 0, 0},
                {GET_TICKER, "symbol=SIXTEENLETTERS16", HAS, 2}};
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        matching_command c;
        matching_error error;
        CU_ASSERT_EQUAL(prepare(core, rows[i].action, rows[i].request, &c, &error), MATCHING_OK);
        CU_ASSERT_EQUAL(c.flags & (ALL | HAS), rows[i].flags);
        CU_ASSERT_EQUAL(c.instrument, rows[i].instrument);
    }
    end();
}

static void test_other_actions_become_their_commands(void)
{
    begin();
    matching_command c;
    matching_error error;
    prepare(core, CANCEL, "order_id=9007199254740991;trader_id=bob", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_CANCEL);
    CU_ASSERT_EQUAL(c.order_id, MATCHING_ORDER_ID_MAX);
    CU_ASSERT_EQUAL(c.reason, MATCHING_REASON_USER);
    CU_ASSERT_STRING_EQUAL(c.trader_id, "bob");
    prepare(core, CANCEL_ALL, "trader_id=bob", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_CANCEL_ALL);
    CU_ASSERT_EQUAL(c.reason, MATCHING_REASON_MASS_CANCEL);
    prepare(core, AMEND, "order_id=7;price=50000", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_AMEND);
    CU_ASSERT_TRUE(c.flags & MATCHING_FLAG_DECIMALS);
    CU_ASSERT_EQUAL(c.price_ticks, 50000 * MATCHING_DECIMAL_ONE);
    CU_ASSERT_EQUAL(c.quantity_lots, 0);
    prepare(core, AMEND, "order_id=7;symbol=BTCUSDT;price=50000;quantity=1", &c, &error);
    CU_ASSERT_FALSE(c.flags & MATCHING_FLAG_DECIMALS);
    CU_ASSERT_EQUAL(c.price_ticks, 5000000);
    CU_ASSERT_EQUAL(c.quantity_lots, 10000);
    prepare(core, AMEND, "trader_id=a;client_order_id=x;quantity=1", &c, &error);
    CU_ASSERT_FALSE(c.flags & MATCHING_FLAG_DECIMALS);
    CU_ASSERT_EQUAL(c.price_ticks, 0);
    CU_ASSERT_EQUAL(c.quantity_lots, 10000);
    prepare(core, SET_STATE, "symbol=FINE-1.0_X;state=halted", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_SET_STATE);
    CU_ASSERT_EQUAL(c.instrument, 1);
    CU_ASSERT_EQUAL(c.state, MATCHING_HALTED);
    prepare(core, GET_ORDER, "order_id=7", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_READ_ORDER);
    prepare(core, LIST_ORDERS, "after=5;status=filled", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_READ_ORDERS);
    CU_ASSERT_EQUAL(c.order_id, 5);
    CU_ASSERT_EQUAL(c.status, MATCHING_FILLED);
    CU_ASSERT_EQUAL(c.limit, MATCHING_PAGE_MAX);
    prepare(core, LIST_ORDERS, "", &c, &error);
    CU_ASSERT_EQUAL(c.status, MATCHING_STATUS_ANY);
    prepare(core, LIST_OPEN, "trader_id=a", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_READ_OPEN_ORDERS);
    CU_ASSERT_EQUAL(c.limit, MATCHING_PAGE_MAX);
    prepare(core, LIST_OPEN, "trader_id=a;after=7;limit=3", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_READ_OPEN_ORDERS);
    CU_ASSERT_EQUAL(c.order_id, 7);
    CU_ASSERT_EQUAL(c.limit, 3);
    prepare(core, GET_DEPTH, "", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_READ_DEPTH);
    CU_ASSERT_EQUAL(c.limit, 20);
    prepare(core, GET_DEPTH, "levels=77", &c, &error);
    CU_ASSERT_EQUAL(c.limit, 77);
    prepare(core, GET_TRADES, "limit=9;from_id=3;before_id=8", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_READ_TRADES);
    CU_ASSERT_EQUAL(c.limit, 9);
    CU_ASSERT_EQUAL(c.from_id, 3);
    CU_ASSERT_EQUAL(c.before_id, 8);
    prepare(core, GET_KLINES, "interval=m5;from=3;to=8;limit=9;symbol=ETHUSDT", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_READ_CANDLES);
    CU_ASSERT_EQUAL(c.interval, MATCHING_M5);
    CU_ASSERT_EQUAL(c.from_s, 3);
    CU_ASSERT_EQUAL(c.to_s, 8);
    CU_ASSERT_EQUAL(c.limit, 9);
    prepare(core, GET_KLINES, "interval=s1;from=0", &c, &error);
    CU_ASSERT_EQUAL(c.from_s, 1); /* from the beginning, and not the newest */
    CU_ASSERT_EQUAL(c.to_s, 0);
    CU_ASSERT_EQUAL(c.limit, 100);
    prepare(core, GET_TICKER, "", &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_READ_TICKER);
    end();
}

static void test_a_new_instrument_becomes_a_command(void)
{
    begin();
    matching_command c;
    matching_error error;
    prepare(core, ADD, NEW, &c, &error);
    CU_ASSERT_EQUAL(c.type, MATCHING_ADD_INSTRUMENT);
    CU_ASSERT_STRING_EQUAL(c.symbol, "NEW");
    CU_ASSERT_EQUAL(c.price_ticks, MATCHING_DECIMAL_ONE / 2);
    CU_ASSERT_EQUAL(c.quantity_lots, 10 * MATCHING_DECIMAL_ONE);
    CU_ASSERT_EQUAL(c.instrument_id, 0); /* the shard's to choose */
    CU_ASSERT_EQUAL(c.sbe_char, 0);
    CU_ASSERT_EQUAL(c.state, MATCHING_TRADING);
    prepare(core, ADD, NEW "id=4294967295;sbe_char=Q;state=auction", &c, &error);
    CU_ASSERT_EQUAL(c.instrument_id, UINT32_MAX);
    CU_ASSERT_EQUAL(c.sbe_char, 'Q');
    CU_ASSERT_EQUAL(c.state, MATCHING_AUCTION);
    end();
}

/* Names lead to fields and back; a name that only begins like one is none. */
/* Wires without words: each number is its word, each number beyond is no word at all. */
static void test_numbers_are_judged_as_their_words(void)
{
    static const struct {
        matching_field field;
        matching_code wrong;
        const char *(*name)(unsigned);
    } rows[] = {
        {MATCHING_FIELD_SIDE, MATCHING_INVALID_SIDE, matching_side_name},
        {MATCHING_FIELD_TYPE, MATCHING_INVALID_ORDER_TYPE, matching_order_type_name},
        {MATCHING_FIELD_TIME_IN_FORCE, MATCHING_INVALID_TIME_IN_FORCE, matching_time_in_force_name},
        {MATCHING_FIELD_SELF_TRADE_PREVENTION, MATCHING_INVALID_PARAMETER,
         matching_self_trade_name}};
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned number = 0; number < 256; number++) {
            const char *word = rows[i].name(number);
            matching_text text = {word, strlen(word)};
            matching_request words = {.action = MATCHING_ACTION_PLACE,
                                      .trader_id = {"alice", 5},
                                      .side = {"sell", 4},
                                      .price = 5000000000000,
                                      .quantity = 100000000};
            words.present =
                MATCHING_FIELD_BIT(MATCHING_FIELD_TRADER_ID) |
                MATCHING_FIELD_BIT(MATCHING_FIELD_SIDE) | MATCHING_FIELD_BIT(MATCHING_FIELD_PRICE) |
                MATCHING_FIELD_BIT(MATCHING_FIELD_QUANTITY) | MATCHING_FIELD_BIT(rows[i].field);
            matching_request numbers = words;
            numbers.numbered = MATCHING_FIELD_BIT(rows[i].field);
            *(i == 0   ? &words.side
              : i == 1 ? &words.type
              : i == 2 ? &words.time_in_force
                       : &words.self_trade_prevention) = text;
            *(i == 0   ? &numbers.side_number
              : i == 1 ? &numbers.type_number
              : i == 2 ? &numbers.time_in_force_number
                       : &numbers.self_trade_number) = (uint8_t)number;
            matching_command by_word, by_number;
            matching_error word_error, number_error;
            matching_code code = matching_gateway_prepare(core, &words, &by_word, &word_error);
            CU_ASSERT_EQUAL(matching_gateway_prepare(core, &numbers, &by_number, &number_error),
                            code);
            CU_ASSERT_EQUAL(number_error.field, word_error.field);
            CU_ASSERT(word[0] != '\0' || code == rows[i].wrong);
            CU_ASSERT(code != MATCHING_OK || memcmp(&by_word, &by_number, sizeof by_word) == 0);
        }
    }
    end();
}

static void test_an_instrument_in_place_of_its_symbol(void)
{
    begin();
    matching_command c;
    matching_error error;
    matching_request request = {.action = MATCHING_ACTION_CANCEL,
                                .present = MATCHING_FIELD_BIT(MATCHING_FIELD_ORDER_ID) |
                                           MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL),
                                .numbered = MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL),
                                .order_id = 7,
                                .instrument = matching_core_instrument(core, 1)};
    CU_ASSERT_EQUAL(matching_gateway_prepare(core, &request, &c, &error), MATCHING_OK);
    CU_ASSERT_EQUAL(c.instrument, 1);
    CU_ASSERT_EQUAL(c.flags, MATCHING_FLAG_HAS_SYMBOL);
    request.instrument = NULL;
    CU_ASSERT_EQUAL(matching_gateway_prepare(core, &request, &c, &error), MATCHING_UNKNOWN_SYMBOL);
    CU_ASSERT_EQUAL(error.field, MATCHING_FIELD_SYMBOL);
    end();
}

static void test_field_names(void)
{
    for (int i = 1; i < MATCHING_FIELD_COUNT; i++) {
        const char *name = matching_field_name((matching_field)i);
        CU_ASSERT_TRUE(name[0] != 0);
        CU_ASSERT_EQUAL((int)matching_field_find(name, strlen(name)), i);
        CU_ASSERT_EQUAL(matching_field_find(name, strlen(name) - 1), MATCHING_FIELD_NONE);
    }
    CU_ASSERT_STRING_EQUAL(matching_field_name(MATCHING_FIELD_NONE), "");
    CU_ASSERT_EQUAL(matching_field_find("", 0), MATCHING_FIELD_NONE);
    CU_ASSERT_EQUAL(matching_field_find("prices", 6), MATCHING_FIELD_NONE);
}

/* The order of the codes is the contract's and the SBE wire's; the first and some others pin it. */
static void test_code_numbers_are_the_contracts(void)
{
    static const char *const names[] = {"INVALID_JSON",
                                        "INVALID_MESSAGE",
                                        "UNKNOWN_TYPE",
                                        "MISSING_FIELD",
                                        "INVALID_SIDE",
                                        "INVALID_PRICE",
                                        "INVALID_QUANTITY",
                                        "INVALID_TRADER",
                                        "INVALID_ORDER_TYPE",
                                        "INVALID_TIME_IN_FORCE",
                                        "INVALID_CHANNEL",
                                        "INVALID_INTERVAL",
                                        "INVALID_PARAMETER",
                                        "UNKNOWN_SYMBOL",
                                        "ORDER_NOT_FOUND",
                                        "DUPLICATE_CLIENT_ORDER_ID",
                                        "POST_ONLY_WOULD_CROSS",
                                        "MARKET_HALTED",
                                        "RISK_LIMIT",
                                        "BOOK_FULL",
                                        "TOO_MANY_SUBSCRIPTIONS",
                                        "TOO_MANY_CONNECTIONS",
                                        "MESSAGE_TOO_LARGE",
                                        "UNSUPPORTED_FRAME",
                                        "RATE_LIMITED",
                                        "UNAUTHORIZED",
                                        "OVERLOADED",
                                        "SHUTTING_DOWN",
                                        "INTERNAL_ERROR"};
    CU_ASSERT_EQUAL(MATCHING_CODE_COUNT, 1 + sizeof names / sizeof names[0]);
    CU_ASSERT_STRING_EQUAL(matching_code_name(MATCHING_OK), "OK");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        CU_ASSERT_STRING_EQUAL(matching_code_name((matching_code)(i + 1)), names[i]);
        CU_ASSERT_TRUE(matching_code_text((matching_code)(i + 1))[0] != 0);
    }
}

static void test_error_set_has_the_codes_text(void)
{
    matching_error error;
    matching_error_set(&error, MATCHING_OVERLOADED, MATCHING_FIELD_NONE, NULL);
    CU_ASSERT_EQUAL(error.code, MATCHING_OVERLOADED);
    CU_ASSERT_STRING_EQUAL(error.message, matching_code_text(MATCHING_OVERLOADED));
    matching_error_set(&error, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_LIMIT, "too many");
    CU_ASSERT_EQUAL(error.field, MATCHING_FIELD_LIMIT);
    CU_ASSERT_STRING_EQUAL(error.message, "too many");
    CU_ASSERT_EQUAL(error.order_id, 0);
}

MATCHING_TESTS(MATCHING_TEST(test_an_order_becomes_its_command),
               MATCHING_TEST(test_a_stop_becomes_its_command),
               MATCHING_TEST(test_defaults_of_time_in_force),
               MATCHING_TEST(test_what_an_absent_symbol_means),
               MATCHING_TEST(test_other_actions_become_their_commands),
               MATCHING_TEST(test_a_new_instrument_becomes_a_command),
               MATCHING_TEST(test_numbers_are_judged_as_their_words),
               MATCHING_TEST(test_an_instrument_in_place_of_its_symbol),
               MATCHING_TEST(test_field_names), MATCHING_TEST(test_code_numbers_are_the_contracts),
               MATCHING_TEST(test_error_set_has_the_codes_text))
