/* Tests of the gateway's judgement: requests to code and field, the range of every field, and which
 * refusal wins when several apply.
 */
#include <stdio.h>
#include <string.h>

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

typedef struct row {
    matching_action action;
    const char *request;
    matching_code code;
    matching_field field;
} row;

static void check_rows(const row *rows, size_t count)
{
    begin();
    for (size_t i = 0; i < count; i++) {
        matching_command command;
        matching_error error;
        matching_code code = prepare(core, rows[i].action, rows[i].request, &command, &error);
        if (code != rows[i].code || error.field != rows[i].field) {
            printf("\n    row %zu, \"%s\": wanted %s \"%s\", got %s \"%s\"", i, rows[i].request,
                   matching_code_name(rows[i].code), matching_field_name(rows[i].field),
                   matching_code_name(code), matching_field_name(error.field));
        }
        CU_ASSERT_EQUAL(code, rows[i].code);
        CU_ASSERT_EQUAL(error.code, rows[i].code);
        CU_ASSERT_EQUAL(error.field, rows[i].field);
        CU_ASSERT_EQUAL(error.order_id, 0);
        CU_ASSERT_PTR_NOT_NULL(memchr(error.message, 0, sizeof error.message));
        CU_ASSERT_EQUAL(error.message[0] != 0, code != MATCHING_OK);
    }
    end();
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))
#define GOOD MATCHING_OK, MATCHING_FIELD_NONE
#define BAD(code, field) MATCHING_##code, MATCHING_FIELD_##field

static void test_needed_fields(void)
{
    static const row rows[] = {
        {PLACE, LIMIT, GOOD},
        {PLACE, LIMIT "-type", GOOD}, /* the default type */
        {PLACE, MARKET, GOOD},
        {PLACE, "", BAD(MISSING_FIELD, TRADER_ID)},
        {PLACE, "trader_id=a", BAD(MISSING_FIELD, SIDE)},
        {PLACE, "trader_id=a;side=buy", BAD(MISSING_FIELD, PRICE)},
        {PLACE, "trader_id=a;side=buy;price=1", BAD(MISSING_FIELD, QUANTITY)},
        {PLACE, "type=market;trader_id=a;side=buy", BAD(MISSING_FIELD, QUANTITY)},
        {PLACE, LIMIT "-trader_id", BAD(MISSING_FIELD, TRADER_ID)},
        {PLACE, LIMIT "-side", BAD(MISSING_FIELD, SIDE)},
        {PLACE, LIMIT "-price", BAD(MISSING_FIELD, PRICE)},
        {PLACE, LIMIT "-quantity", BAD(MISSING_FIELD, QUANTITY)},
        {CANCEL, "order_id=7", GOOD},
        {CANCEL, "trader_id=a;client_order_id=x", GOOD},
        {CANCEL, "", BAD(MISSING_FIELD, ORDER_ID)},
        {CANCEL, "trader_id=a", BAD(MISSING_FIELD, ORDER_ID)},
        {CANCEL, "client_order_id=x", BAD(MISSING_FIELD, TRADER_ID)},
        {GET_ORDER, "order_id=7", GOOD},
        {GET_ORDER, "trader_id=a;client_order_id=x", GOOD},
        {GET_ORDER, "", BAD(MISSING_FIELD, ORDER_ID)},
        {AMEND, "order_id=7;price=1", GOOD},
        {AMEND, "order_id=7;quantity=1", GOOD},
        {AMEND, "trader_id=a;client_order_id=x;price=1;quantity=1", GOOD},
        {AMEND, "price=1", BAD(MISSING_FIELD, ORDER_ID)},
        {AMEND, "client_order_id=x;price=1", BAD(MISSING_FIELD, TRADER_ID)},
        {AMEND, "order_id=7", BAD(MISSING_FIELD, PRICE)},
        {CANCEL_ALL, "trader_id=a", GOOD},
        {CANCEL_ALL, "symbol=BTCUSDT", BAD(MISSING_FIELD, TRADER_ID)},
        {LIST_OPEN, "trader_id=a", GOOD},
        {LIST_OPEN, "", BAD(MISSING_FIELD, TRADER_ID)},
        {LIST_ORDERS, "", GOOD},
        {GET_DEPTH, "", GOOD},
        {GET_TRADES, "", GOOD},
        {GET_TICKER, "", GOOD},
        {SET_STATE, "symbol=BTCUSDT;state=halted", GOOD},
        {SET_STATE, "symbol=BTCUSDT", BAD(MISSING_FIELD, STATE)},
        {SET_STATE, "state=halted", BAD(MISSING_FIELD, SYMBOL)},
        {ADD, NEW, GOOD},
        {ADD, NEW "-symbol", BAD(MISSING_FIELD, SYMBOL)},
        {ADD, NEW "-tick_size", BAD(MISSING_FIELD, TICK_SIZE)},
        {ADD, NEW "-lot_size", BAD(MISSING_FIELD, LOT_SIZE)},
    };
    CHECK_ROWS(rows);
}

static void test_side_and_price(void)
{
    static const row rows[] = {
        {PLACE, LIMIT "side=sell", GOOD},
        {PLACE, LIMIT "side=", BAD(INVALID_SIDE, SIDE)},
        {PLACE, LIMIT "side=bu", BAD(INVALID_SIDE, SIDE)},
        {PLACE, LIMIT "side=buyy", BAD(INVALID_SIDE, SIDE)},
        {PLACE, LIMIT "side=hold", BAD(INVALID_SIDE, SIDE)},
        /* a multiple of the tick, 0.01 */
        {PLACE, LIMIT "price=0.01", GOOD},
        {PLACE, LIMIT "price=5e4", GOOD},
        {PLACE, LIMIT "price=50000.010", GOOD},
        {PLACE, LIMIT "price=0.001", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=50000.005", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=0.00000001", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=0", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=-0.01", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=-50000", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=0.000000001", BAD(INVALID_PRICE, PRICE)}, /* nine decimals */
        {PLACE, LIMIT "price=abc", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=1e400", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=9223372036854775808", BAD(INVALID_PRICE, PRICE)},
        /* the bound of the value ... */
        {PLACE, LIMIT "price=92233720368", GOOD},
        {PLACE, LIMIT "price=92233720367.99", GOOD},
        {PLACE, LIMIT "price=92233720368.01", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=92233720368.54", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "price=92233720369", BAD(INVALID_PRICE, PRICE)},
        /* ... and that of the ticks, 10^15 - 1 */
        {PLACE, LIMIT "symbol=FINE-1.0_X;price=9999999.99999999", GOOD},
        {PLACE, LIMIT "symbol=FINE-1.0_X;price=10000000", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "symbol=FINE-1.0_X;price=0.00000001", GOOD},
        {PLACE, LIMIT "symbol=SIXTEENLETTERS16;price=5;quantity=7", GOOD},
        {PLACE, LIMIT "symbol=SIXTEENLETTERS16;price=6;quantity=7", BAD(INVALID_PRICE, PRICE)},
        {PLACE, LIMIT "symbol=SIXTEENLETTERS16;price=92233720365;quantity=7", GOOD},
        {AMEND, "order_id=7;price=0", BAD(INVALID_PRICE, PRICE)},
        {AMEND, "order_id=7;price=-1", BAD(INVALID_PRICE, PRICE)},
        {AMEND, "order_id=7;price=x", BAD(INVALID_PRICE, PRICE)},
        {AMEND, "order_id=7;price=92233720368.00000001", BAD(INVALID_PRICE, PRICE)},
        {AMEND, "order_id=7;price=0.00000001", GOOD}, /* the engine knows the order's tick */
        {AMEND, "order_id=7;symbol=BTCUSDT;price=0.00000001", BAD(INVALID_PRICE, PRICE)},
        {AMEND, "trader_id=a;client_order_id=x;price=0.00000001", BAD(INVALID_PRICE, PRICE)},
    };
    CHECK_ROWS(rows);
}

static void test_quantity(void)
{
    static const row rows[] = {
        /* a multiple of the lot, 0.0001 */
        {PLACE, LIMIT "quantity=0.0001", GOOD},
        {PLACE, LIMIT "quantity=0.00010000", GOOD},
        {PLACE, LIMIT "quantity=0.00005", BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, LIMIT "quantity=1.00001", BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, LIMIT "quantity=0", BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, LIMIT "quantity=-1", BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, LIMIT "quantity=NaN", BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, LIMIT "quantity=1e400", BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, MARKET "quantity=0", BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, MARKET "quantity=0.00015", BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, LIMIT "quantity=92233720368", GOOD},
        {PLACE, LIMIT "quantity=92233720368.0001", BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, LIMIT "quantity=92233720369", BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, LIMIT "symbol=FINE-1.0_X;quantity=9999999.99999999;price=1", GOOD},
        {PLACE, LIMIT "symbol=FINE-1.0_X;quantity=10000000;price=1",
         BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, LIMIT "symbol=SIXTEENLETTERS16;price=5;quantity=13",
         BAD(INVALID_QUANTITY, QUANTITY)},
        /* shown at least a thousandth of the whole, rounded up to what is shown */
        {PLACE, LIMIT "quantity=100;display_quantity=0.0999",
         BAD(INVALID_QUANTITY, DISPLAY_QUANTITY)},
        {PLACE, LIMIT "quantity=100.0001;display_quantity=0.1",
         BAD(INVALID_QUANTITY, DISPLAY_QUANTITY)},
        {PLACE, LIMIT "display_quantity=0", BAD(INVALID_QUANTITY, DISPLAY_QUANTITY)},
        {PLACE, LIMIT "display_quantity=0.00005", BAD(INVALID_QUANTITY, DISPLAY_QUANTITY)},
        {PLACE, LIMIT "display_quantity=x", BAD(INVALID_QUANTITY, DISPLAY_QUANTITY)},
        {PLACE, LIMIT "quantity=0;display_quantity=0", BAD(INVALID_QUANTITY, QUANTITY)},
        {AMEND, "order_id=7;quantity=0", BAD(INVALID_QUANTITY, QUANTITY)},
        {AMEND, "order_id=7;quantity=-1", BAD(INVALID_QUANTITY, QUANTITY)},
        {AMEND, "order_id=7;quantity=x", BAD(INVALID_QUANTITY, QUANTITY)},
        {AMEND, "order_id=7;quantity=0.00000001", GOOD},
        {AMEND, "order_id=7;symbol=BTCUSDT;quantity=0.00000001", BAD(INVALID_QUANTITY, QUANTITY)},
    };
    CHECK_ROWS(rows);
}

#define LETTERS_32 "abcdefghijklmnopqrstuvwxyzABCDEF"
#define LETTERS_36 LETTERS_32 "0123"

static void test_trader_and_client_order_id(void)
{
    static const row rows[] = {
        {PLACE, LIMIT "trader_id=a", GOOD},
        {PLACE, LIMIT "trader_id=" LETTERS_32, GOOD},
        {PLACE, LIMIT "trader_id=!\"#$%&'()*+,-./:<=>?@[]^_`{|}~", GOOD},
        {PLACE, LIMIT "trader_id=", BAD(INVALID_TRADER, TRADER_ID)},
        {PLACE, LIMIT "trader_id=" LETTERS_32 "x", BAD(INVALID_TRADER, TRADER_ID)},
        {PLACE, LIMIT "trader_id=a b", BAD(INVALID_TRADER, TRADER_ID)},
        {PLACE, LIMIT "trader_id= ", BAD(INVALID_TRADER, TRADER_ID)},
        {PLACE, LIMIT "trader_id=a\tb", BAD(INVALID_TRADER, TRADER_ID)},
        {PLACE, LIMIT "trader_id=a\x7f", BAD(INVALID_TRADER, TRADER_ID)},
        {PLACE, LIMIT "trader_id=a\x80", BAD(INVALID_TRADER, TRADER_ID)},
        {PLACE, LIMIT "trader_id=\xe4\xba\xa4\xe6\x98\x93", BAD(INVALID_TRADER, TRADER_ID)},
        {CANCEL, "order_id=7;trader_id=a b", BAD(INVALID_TRADER, TRADER_ID)},
        {CANCEL_ALL, "trader_id=", BAD(INVALID_TRADER, TRADER_ID)},
        {LIST_ORDERS, "trader_id=a b", BAD(INVALID_TRADER, TRADER_ID)},
        {PLACE, LIMIT "client_order_id=x", GOOD},
        {PLACE, LIMIT "client_order_id=with spaces, too", GOOD},
        {PLACE, LIMIT "client_order_id=" LETTERS_36, GOOD},
        {PLACE, LIMIT "client_order_id=" LETTERS_36 "x", BAD(INVALID_PARAMETER, CLIENT_ORDER_ID)},
        {PLACE, LIMIT "client_order_id=", BAD(INVALID_PARAMETER, CLIENT_ORDER_ID)},
        {PLACE, LIMIT "client_order_id=a\nb", BAD(INVALID_PARAMETER, CLIENT_ORDER_ID)},
        {PLACE, LIMIT "client_order_id=\xc3\xa9", BAD(INVALID_PARAMETER, CLIENT_ORDER_ID)},
        {CANCEL, "trader_id=a;client_order_id=", BAD(INVALID_PARAMETER, CLIENT_ORDER_ID)},
        {CANCEL, "trader_id=a;client_order_id=" LETTERS_36 "x",
         BAD(INVALID_PARAMETER, CLIENT_ORDER_ID)},
    };
    CHECK_ROWS(rows);
}

static void test_type_and_time_in_force(void)
{
    static const row rows[] = {
        {PLACE, LIMIT "type=lim", BAD(INVALID_ORDER_TYPE, TYPE)},
        {PLACE, LIMIT "type=", BAD(INVALID_ORDER_TYPE, TYPE)},
        {PLACE, LIMIT "type=iceberg", BAD(INVALID_ORDER_TYPE, TYPE)},
        {PLACE, LIMIT "time_in_force=GTC", GOOD},
        {PLACE, LIMIT "time_in_force=IOC", GOOD},
        {PLACE, LIMIT "time_in_force=FOK", GOOD},
        {PLACE, LIMIT "time_in_force=", BAD(INVALID_TIME_IN_FORCE, TIME_IN_FORCE)},
        {PLACE, LIMIT "time_in_force=DAY", BAD(INVALID_TIME_IN_FORCE, TIME_IN_FORCE)},
        {PLACE, MARKET "time_in_force=IOC", GOOD},
        {PLACE, MARKET "time_in_force=FOK", GOOD},
        {PLACE, MARKET "time_in_force=XYZ", BAD(INVALID_TIME_IN_FORCE, TIME_IN_FORCE)},
        {PLACE, LIMIT "post_only=true", GOOD},
        {PLACE, LIMIT "post_only=false;time_in_force=IOC", GOOD},
        {PLACE, LIMIT "post_only=true;time_in_force=IOC", BAD(INVALID_PARAMETER, POST_ONLY)},
        {PLACE, LIMIT "post_only=true;time_in_force=FOK", BAD(INVALID_PARAMETER, POST_ONLY)},
        {PLACE, MARKET "post_only=true", BAD(INVALID_PARAMETER, POST_ONLY)},
        {PLACE, LIMIT "expire_time=99", BAD(INVALID_PARAMETER, EXPIRE_TIME)},
        {PLACE, LIMIT "self_trade_prevention=none", GOOD},
        {PLACE, LIMIT "self_trade_prevention=maybe", BAD(INVALID_PARAMETER, SELF_TRADE_PREVENTION)},
        {PLACE, LIMIT "stop_price=49000", BAD(INVALID_PARAMETER, STOP_PRICE)},
    };
    CHECK_ROWS(rows);
}

static void test_symbol(void)
{
    static const row rows[] = {
        {PLACE, LIMIT "symbol=BTCUSDT", GOOD},
        {PLACE, LIMIT "symbol=btcusdt", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {PLACE, LIMIT "symbol=BTCUSD", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {PLACE, LIMIT "symbol=BTCUSDTX", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {PLACE, LIMIT "symbol=", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {PLACE, LIMIT "symbol=SIXTEENLETTERS167", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {PLACE, LIMIT "symbol=%s%n\x01\xff", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {CANCEL, "order_id=7;symbol=FINE-1.0_X", GOOD},
        {CANCEL, "order_id=7;symbol=NONE", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {AMEND, "order_id=7;price=1;symbol=NONE", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {CANCEL_ALL, "trader_id=a;symbol=NONE", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {LIST_ORDERS, "symbol=NONE", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {GET_DEPTH, "symbol=NONE", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {GET_TRADES, "symbol=NONE", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {GET_TICKER, "symbol=NONE", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {SET_STATE, "symbol=NONE;state=halted", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {SET_STATE, "symbol=BTCUSDT;state=", BAD(INVALID_PARAMETER, STATE)},
        {SET_STATE, "symbol=BTCUSDT;state=closed", BAD(INVALID_PARAMETER, STATE)},
    };
    CHECK_ROWS(rows);
}

static void test_a_new_instrument(void)
{
    static const row rows[] = {
        {ADD, NEW "symbol=A", GOOD},
        {ADD, NEW "symbol=SIXTEEN.LETTER-_", GOOD},
        {ADD, NEW "symbol=BTCUSDT", GOOD}, /* whether it exists is not a question of form */
        {ADD, NEW "symbol=", BAD(INVALID_PARAMETER, SYMBOL)},
        {ADD, NEW "symbol=SEVENTEENLETTERS7", BAD(INVALID_PARAMETER, SYMBOL)},
        {ADD, NEW "symbol=new", BAD(INVALID_PARAMETER, SYMBOL)},
        {ADD, NEW "symbol=A B", BAD(INVALID_PARAMETER, SYMBOL)},
        {ADD, NEW "symbol=A/B", BAD(INVALID_PARAMETER, SYMBOL)},
        {ADD, NEW "symbol=\xc3\x84", BAD(INVALID_PARAMETER, SYMBOL)},
        {ADD, NEW "tick_size=0.00000001", GOOD},
        {ADD, NEW "tick_size=92233720368", GOOD},
        {ADD, NEW "tick_size=92233720368.00000001", BAD(INVALID_PARAMETER, TICK_SIZE)},
        {ADD, NEW "tick_size=0", BAD(INVALID_PARAMETER, TICK_SIZE)},
        {ADD, NEW "tick_size=-1", BAD(INVALID_PARAMETER, TICK_SIZE)},
        {ADD, NEW "tick_size=x", BAD(INVALID_PARAMETER, TICK_SIZE)},
        {ADD, NEW "lot_size=0", BAD(INVALID_PARAMETER, LOT_SIZE)},
        {ADD, NEW "lot_size=0.000000001", BAD(INVALID_PARAMETER, LOT_SIZE)},
        {ADD, NEW "id=1", GOOD},
        {ADD, NEW "id=4294967295", GOOD},
        {ADD, NEW "id=0", BAD(INVALID_PARAMETER, ID)},
        {ADD, NEW "id=4294967296", BAD(INVALID_PARAMETER, ID)},
        {ADD, NEW "id=x", BAD(INVALID_PARAMETER, ID)},
        {ADD, NEW "sbe_char=~", GOOD},
        {ADD, NEW "sbe_char=", BAD(INVALID_PARAMETER, SBE_CHAR)},
        {ADD, NEW "sbe_char= ", BAD(INVALID_PARAMETER, SBE_CHAR)},
        {ADD, NEW "sbe_char=XY", BAD(INVALID_PARAMETER, SBE_CHAR)},
        {ADD, NEW "sbe_char=\xc3", BAD(INVALID_PARAMETER, SBE_CHAR)},
        {ADD, NEW "state=auction", GOOD},
        {ADD, NEW "state=open", BAD(INVALID_PARAMETER, STATE)},
        /* of several the first of the contract's list */
        {ADD, "symbol=x;tick_size=0;lot_size=0;id=0", BAD(INVALID_PARAMETER, SYMBOL)},
        {ADD, "symbol=X;tick_size=0;lot_size=0;id=0", BAD(INVALID_PARAMETER, TICK_SIZE)},
        {ADD, "symbol=X;tick_size=1;lot_size=0;id=0", BAD(INVALID_PARAMETER, LOT_SIZE)},
        {ADD, NEW "id=0;sbe_char=;state=", BAD(INVALID_PARAMETER, ID)},
        {ADD, NEW "sbe_char=;state=", BAD(INVALID_PARAMETER, SBE_CHAR)},
        {ADD, "symbol=x;tick_size=1", BAD(MISSING_FIELD, LOT_SIZE)},
    };
    CHECK_ROWS(rows);
}

static void test_integers(void)
{
    static const row rows[] = {
        {CANCEL, "order_id=1", GOOD},
        {CANCEL, "order_id=9007199254740991", GOOD},
        {CANCEL, "order_id=0", BAD(INVALID_PARAMETER, ORDER_ID)},
        {CANCEL, "order_id=-1", BAD(INVALID_PARAMETER, ORDER_ID)},
        {CANCEL, "order_id=9007199254740992", BAD(INVALID_PARAMETER, ORDER_ID)},
        {CANCEL, "order_id=9223372036854775808", BAD(INVALID_PARAMETER, ORDER_ID)},
        {CANCEL, "order_id=1.5", BAD(INVALID_PARAMETER, ORDER_ID)},
        {AMEND, "order_id=0;price=1", BAD(INVALID_PARAMETER, ORDER_ID)},
        {GET_ORDER, "order_id=0", BAD(INVALID_PARAMETER, ORDER_ID)},
        {GET_DEPTH, "levels=1", GOOD},
        {GET_DEPTH, "levels=5000", GOOD},
        {GET_DEPTH, "levels=0", BAD(INVALID_PARAMETER, LEVELS)},
        {GET_DEPTH, "levels=5001", BAD(INVALID_PARAMETER, LEVELS)},
        {GET_DEPTH, "levels=4294967297", BAD(INVALID_PARAMETER, LEVELS)},
        {GET_DEPTH, "levels=x", BAD(INVALID_PARAMETER, LEVELS)},
        {GET_TRADES, "limit=1;from_id=1;before_id=1", GOOD},
        {GET_TRADES, "limit=1000", GOOD},
        {GET_TRADES, "limit=0", BAD(INVALID_PARAMETER, LIMIT)},
        {GET_TRADES, "limit=1001", BAD(INVALID_PARAMETER, LIMIT)},
        {GET_TRADES, "from_id=-1", BAD(INVALID_PARAMETER, FROM_ID)},
        {GET_TRADES, "before_id=x", BAD(INVALID_PARAMETER, BEFORE_ID)},
        {LIST_ORDERS, "after=0", GOOD},
        {LIST_ORDERS, "after=9007199254740991;limit=1000", GOOD},
        {LIST_ORDERS, "after=-1", BAD(INVALID_PARAMETER, AFTER)},
        {LIST_ORDERS, "after=9007199254740992", BAD(INVALID_PARAMETER, AFTER)},
        {LIST_ORDERS, "limit=0", BAD(INVALID_PARAMETER, LIMIT)},
        {LIST_ORDERS, "limit=1001", BAD(INVALID_PARAMETER, LIMIT)},
        {LIST_ORDERS, "status=open", GOOD},
        {LIST_ORDERS, "status=cancelled", GOOD},
        {LIST_ORDERS, "status=ended", BAD(INVALID_PARAMETER, STATUS)},
    };
    CHECK_ROWS(rows);
}

static void test_wrong_types(void)
{
    static const row rows[] = {
        {PLACE, LIMIT "trader_id=!", BAD(INVALID_MESSAGE, TRADER_ID)},
        {PLACE, LIMIT "side=!", BAD(INVALID_MESSAGE, SIDE)},
        {PLACE, LIMIT "price=!", BAD(INVALID_MESSAGE, PRICE)},
        {PLACE, LIMIT "quantity=!", BAD(INVALID_MESSAGE, QUANTITY)},
        {PLACE, LIMIT "symbol=!", BAD(INVALID_MESSAGE, SYMBOL)},
        {PLACE, LIMIT "type=!", BAD(INVALID_MESSAGE, TYPE)},
        {PLACE, LIMIT "time_in_force=!", BAD(INVALID_MESSAGE, TIME_IN_FORCE)},
        {PLACE, LIMIT "expire_time=!", BAD(INVALID_MESSAGE, EXPIRE_TIME)},
        {PLACE, LIMIT "post_only=!", BAD(INVALID_MESSAGE, POST_ONLY)},
        {PLACE, LIMIT "display_quantity=!", BAD(INVALID_MESSAGE, DISPLAY_QUANTITY)},
        {PLACE, LIMIT "client_order_id=!", BAD(INVALID_MESSAGE, CLIENT_ORDER_ID)},
        {PLACE, LIMIT "self_trade_prevention=!", BAD(INVALID_MESSAGE, SELF_TRADE_PREVENTION)},
        {CANCEL, "order_id=!", BAD(INVALID_MESSAGE, ORDER_ID)},
        {AMEND, "order_id=7;stop_price=!", BAD(INVALID_MESSAGE, STOP_PRICE)},
        {SET_STATE, "symbol=BTCUSDT;state=!", BAD(INVALID_MESSAGE, STATE)},
        {LIST_ORDERS, "status=!", BAD(INVALID_MESSAGE, STATUS)},
        {LIST_ORDERS, "after=!", BAD(INVALID_MESSAGE, AFTER)},
        {GET_DEPTH, "levels=!", BAD(INVALID_MESSAGE, LEVELS)},
        {GET_TRADES, "limit=!", BAD(INVALID_MESSAGE, LIMIT)},
        {GET_TRADES, "from_id=!", BAD(INVALID_MESSAGE, FROM_ID)},
        {GET_TRADES, "before_id=!", BAD(INVALID_MESSAGE, BEFORE_ID)},
        {ADD, NEW "symbol=!", BAD(INVALID_MESSAGE, SYMBOL)},
        {ADD, NEW "tick_size=!", BAD(INVALID_MESSAGE, TICK_SIZE)},
        {ADD, NEW "lot_size=!", BAD(INVALID_MESSAGE, LOT_SIZE)},
        {ADD, NEW "id=!", BAD(INVALID_MESSAGE, ID)},
        {ADD, NEW "sbe_char=!", BAD(INVALID_MESSAGE, SBE_CHAR)},
        {ADD, NEW "state=!", BAD(INVALID_MESSAGE, STATE)},
        /* fields that an action does not know do no harm, whatever they hold */
        {CANCEL, "order_id=7;price=!;levels=!;side=!", GOOD},
        {GET_DEPTH, "price=x;quantity=-1;order_id=0", GOOD},
        {GET_TICKER, "levels=0;limit=x", GOOD},
        {CANCEL_ALL, "trader_id=a;price=x;order_id=0", GOOD},
    };
    CHECK_ROWS(rows);
}

/* Everything wrong at once; from row to row the winner is put right, so each row holds one refusal
 * against all that come after it. */
static void test_which_refusal_of_an_order_wins(void)
{
#define WRONG                                                                                      \
    "type=lim;-side;price=0;quantity=0;trader_id=a b;time_in_force=X;symbol=NONE;"                 \
    "stop_price=0;display_quantity=0;"                                                             \
    "expire_time=0;post_only=!;client_order_id=;self_trade_prevention=X;"
#define WRONG_1 WRONG "post_only=true;"
#define WRONG_2 WRONG_1 "side=X;"
#define WRONG_3 WRONG_2 "side=buy;"
#define WRONG_4 WRONG_3 "price=1;"
#define WRONG_5 WRONG_4 "stop_price=1;"
#define WRONG_6 WRONG_5 "quantity=1000;"
#define WRONG_7 WRONG_6 "display_quantity=0.5;"
#define WRONG_8 WRONG_7 "display_quantity=1;"
#define WRONG_9 WRONG_8 "trader_id=a;"
#define WRONG_10 WRONG_9 "type=limit;"
#define WRONG_11 WRONG_10 "time_in_force=IOC;"
#define WRONG_12 WRONG_11 "-stop_price;"
#define WRONG_13 WRONG_12 "-expire_time;"
#define WRONG_14 WRONG_13 "time_in_force=GTC;"
#define WRONG_15 WRONG_14 "client_order_id=x;"
#define WRONG_16 WRONG_15 "-self_trade_prevention;"
    static const row rows[] = {
        {PLACE, WRONG, BAD(INVALID_MESSAGE, POST_ONLY)},
        {PLACE, WRONG_1, BAD(MISSING_FIELD, SIDE)},
        {PLACE, WRONG_2, BAD(INVALID_SIDE, SIDE)},
        {PLACE, WRONG_3, BAD(INVALID_PRICE, PRICE)},
        {PLACE, WRONG_4, BAD(INVALID_PRICE, STOP_PRICE)},
        {PLACE, WRONG_5, BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, WRONG_6, BAD(INVALID_QUANTITY, DISPLAY_QUANTITY)},
        {PLACE, WRONG_7, BAD(INVALID_QUANTITY, DISPLAY_QUANTITY)},
        {PLACE, WRONG_8, BAD(INVALID_TRADER, TRADER_ID)},
        {PLACE, WRONG_9, BAD(INVALID_ORDER_TYPE, TYPE)},
        {PLACE, WRONG_10, BAD(INVALID_TIME_IN_FORCE, TIME_IN_FORCE)},
        {PLACE, WRONG_11, BAD(INVALID_PARAMETER, STOP_PRICE)},
        {PLACE, WRONG_12, BAD(INVALID_PARAMETER, EXPIRE_TIME)},
        {PLACE, WRONG_13, BAD(INVALID_PARAMETER, POST_ONLY)},
        {PLACE, WRONG_14, BAD(INVALID_PARAMETER, CLIENT_ORDER_ID)},
        {PLACE, WRONG_15, BAD(INVALID_PARAMETER, SELF_TRADE_PREVENTION)},
        {PLACE, WRONG_16, BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {PLACE, WRONG_16 "symbol=BTCUSDT", GOOD},
        /* among fields with one code, the contract's order */
        {PLACE, "trader_id=!;side=!;price=!;quantity=!;symbol=!", BAD(INVALID_MESSAGE, TRADER_ID)},
        {PLACE, "trader_id=a;side=!;price=!;quantity=!;symbol=!", BAD(INVALID_MESSAGE, SIDE)},
        {PLACE, "trader_id=a;side=buy;price=!;quantity=!;symbol=!", BAD(INVALID_MESSAGE, PRICE)},
        {PLACE, "trader_id=a;side=buy;price=1;quantity=!;symbol=!", BAD(INVALID_MESSAGE, QUANTITY)},
        {PLACE, "trader_id=a;side=buy;price=1;quantity=1;symbol=!;time_in_force=!",
         BAD(INVALID_MESSAGE, SYMBOL)},
        /* a type that is no type does not hide what is missing beside it */
        {PLACE, "type=lim;trader_id=a;side=buy", BAD(MISSING_FIELD, QUANTITY)},
        /* what a GTD order lacks is missing like any other field */
        {PLACE, "side=X;price=0;quantity=0;trader_id=a b;time_in_force=GTD;symbol=NONE",
         BAD(MISSING_FIELD, EXPIRE_TIME)},
    };
    CHECK_ROWS(rows);
}

/* Stops have their price behind the quantity. */
static void test_which_refusal_of_a_stop_wins(void)
{
#define BAD_STOP                                                                                   \
    "type=stop_limit;-price;quantity=0;stop_price=0;side=X;trader_id=a b;time_in_force=X;"         \
    "symbol=NONE;expire_time=0;post_only=true;display_quantity=1;client_order_id=;"                \
    "self_trade_prevention=X;"
#define BAD_STOP_1 BAD_STOP "price=0;"
#define BAD_STOP_2 BAD_STOP_1 "side=buy;"
#define BAD_STOP_3 BAD_STOP_2 "stop_price=1;"
#define BAD_STOP_4 BAD_STOP_3 "price=1;"
#define BAD_STOP_5 BAD_STOP_4 "quantity=1;"
#define BAD_STOP_6 BAD_STOP_5 "trader_id=a;"
#define BAD_STOP_7 BAD_STOP_6 "type=stop;time_in_force=FOK;"
#define BAD_STOP_8 BAD_STOP_7 "-price;"
#define BAD_STOP_9 BAD_STOP_8 "-expire_time;"
#define BAD_STOP_10 BAD_STOP_9 "post_only=false;"
#define BAD_STOP_11 BAD_STOP_10 "-display_quantity;"
#define BAD_STOP_12 BAD_STOP_11 "client_order_id=x;"
#define BAD_STOP_13 BAD_STOP_12 "-self_trade_prevention;"
    static const row rows[] = {
        {PLACE, BAD_STOP, BAD(MISSING_FIELD, PRICE)},
        {PLACE, BAD_STOP "-stop_price", BAD(MISSING_FIELD, STOP_PRICE)},
        {PLACE, BAD_STOP_1, BAD(INVALID_SIDE, SIDE)},
        {PLACE, BAD_STOP_2, BAD(INVALID_PRICE, STOP_PRICE)},
        {PLACE, BAD_STOP_3, BAD(INVALID_PRICE, PRICE)},
        {PLACE, BAD_STOP_4, BAD(INVALID_QUANTITY, QUANTITY)},
        {PLACE, BAD_STOP_5, BAD(INVALID_TRADER, TRADER_ID)},
        {PLACE, BAD_STOP_6, BAD(INVALID_TIME_IN_FORCE, TIME_IN_FORCE)},
        {PLACE, BAD_STOP_7, BAD(INVALID_PARAMETER, PRICE)},
        {PLACE, BAD_STOP_8, BAD(INVALID_PARAMETER, EXPIRE_TIME)},
        {PLACE, BAD_STOP_9, BAD(INVALID_PARAMETER, POST_ONLY)},
        {PLACE, BAD_STOP_10, BAD(INVALID_PARAMETER, DISPLAY_QUANTITY)},
        {PLACE, BAD_STOP_11, BAD(INVALID_PARAMETER, CLIENT_ORDER_ID)},
        {PLACE, BAD_STOP_12, BAD(INVALID_PARAMETER, SELF_TRADE_PREVENTION)},
        {PLACE, BAD_STOP_13, BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {PLACE, BAD_STOP_13 "-symbol", GOOD},
    };
    CHECK_ROWS(rows);
}

static void test_which_refusal_of_an_amend_or_a_cancel_wins(void)
{
#define BAD_AMEND "price=0;stop_price=0;quantity=0;trader_id=a b;client_order_id=;symbol=NONE;"
#define BAD_AMEND_1 BAD_AMEND "order_id=0;"
#define BAD_AMEND_2 BAD_AMEND_1 "price=1;"
#define BAD_AMEND_3 BAD_AMEND_2 "stop_price=1;"
#define BAD_AMEND_4 BAD_AMEND_3 "quantity=1;"
#define BAD_AMEND_5 BAD_AMEND_4 "trader_id=a;"
#define BAD_AMEND_6 BAD_AMEND_5 "order_id=7;"
#define BAD_AMEND_7 BAD_AMEND_6 "client_order_id=x;"
#define BAD_CANCEL "trader_id=a b;client_order_id=;symbol=NONE;"
    static const row rows[] = {
        {AMEND, BAD_AMEND "order_id=!;-price", BAD(INVALID_MESSAGE, ORDER_ID)},
        {AMEND, BAD_AMEND "quantity=!;-trader_id", BAD(INVALID_MESSAGE, QUANTITY)},
        {AMEND, BAD_AMEND "-trader_id", BAD(MISSING_FIELD, TRADER_ID)},
        {AMEND, BAD_AMEND "-client_order_id", BAD(MISSING_FIELD, ORDER_ID)},
        {AMEND, "order_id=0;trader_id=a b;symbol=NONE", BAD(MISSING_FIELD, PRICE)},
        {AMEND, "trader_id=a b;symbol=NONE", BAD(MISSING_FIELD, ORDER_ID)},
        {AMEND, BAD_AMEND_1, BAD(INVALID_PRICE, PRICE)},
        {AMEND, BAD_AMEND_2, BAD(INVALID_PRICE, STOP_PRICE)},
        {AMEND, BAD_AMEND_3, BAD(INVALID_QUANTITY, QUANTITY)},
        {AMEND, BAD_AMEND_4, BAD(INVALID_TRADER, TRADER_ID)},
        {AMEND, BAD_AMEND_5, BAD(INVALID_PARAMETER, ORDER_ID)},
        {AMEND, BAD_AMEND_6, BAD(INVALID_PARAMETER, CLIENT_ORDER_ID)},
        {AMEND, BAD_AMEND_7, BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {AMEND, BAD_AMEND_7 "-symbol", GOOD},
        {CANCEL, BAD_CANCEL "order_id=!", BAD(INVALID_MESSAGE, ORDER_ID)},
        {CANCEL, BAD_CANCEL "symbol=!;-trader_id", BAD(INVALID_MESSAGE, SYMBOL)},
        {CANCEL, BAD_CANCEL "-client_order_id", BAD(MISSING_FIELD, ORDER_ID)},
        {CANCEL, BAD_CANCEL "-trader_id", BAD(MISSING_FIELD, TRADER_ID)},
        {CANCEL, BAD_CANCEL "order_id=0", BAD(INVALID_TRADER, TRADER_ID)},
        {CANCEL, BAD_CANCEL "order_id=0;trader_id=a", BAD(INVALID_PARAMETER, ORDER_ID)},
        {CANCEL, BAD_CANCEL "order_id=7;trader_id=a", BAD(INVALID_PARAMETER, CLIENT_ORDER_ID)},
        {CANCEL, BAD_CANCEL "trader_id=a;client_order_id=x", BAD(UNKNOWN_SYMBOL, SYMBOL)},
        {CANCEL, BAD_CANCEL "trader_id=a;client_order_id=x;-symbol", GOOD},
        {CANCEL_ALL, "symbol=NONE", BAD(MISSING_FIELD, TRADER_ID)},
        {CANCEL_ALL, "trader_id=a b;symbol=NONE", BAD(INVALID_TRADER, TRADER_ID)},
        {SET_STATE, "symbol=NONE", BAD(MISSING_FIELD, STATE)},
        {SET_STATE, "symbol=NONE;state=X", BAD(INVALID_PARAMETER, STATE)},
        {GET_TRADES, "limit=0;from_id=-1;before_id=-1;symbol=NONE", BAD(INVALID_PARAMETER, LIMIT)},
        {GET_TRADES, "limit=1;from_id=-1;before_id=-1;symbol=NONE",
         BAD(INVALID_PARAMETER, FROM_ID)},
    };
    CHECK_ROWS(rows);
}

#define STOP "type=stop;trader_id=alice;side=buy;stop_price=49000;quantity=0.5;"

static void test_stops(void)
{
    static const row rows[] = {
        {PLACE, STOP, GOOD},
        {PLACE, STOP "time_in_force=GTD;expire_time=1893456000000", GOOD},
        {PLACE, STOP "time_in_force=FOK", GOOD},
        {PLACE, STOP "type=stop_limit;price=50000", GOOD},
        {PLACE, STOP "price=50000", BAD(INVALID_PARAMETER, PRICE)},
        {PLACE, LIMIT "type=stop_limit;stop_price=49000", GOOD},
        {PLACE, STOP "-stop_price", BAD(MISSING_FIELD, STOP_PRICE)},
        {PLACE, STOP "type=stop_limit", BAD(MISSING_FIELD, PRICE)},
        {PLACE, STOP "type=stop_limit;-stop_price", BAD(MISSING_FIELD, STOP_PRICE)},
        {PLACE, STOP "stop_price=0", BAD(INVALID_PRICE, STOP_PRICE)},
        {PLACE, STOP "stop_price=0.001", BAD(INVALID_PRICE, STOP_PRICE)},
        {PLACE, STOP "display_quantity=0.1", BAD(INVALID_PARAMETER, DISPLAY_QUANTITY)},
        {PLACE, STOP "post_only=true", BAD(INVALID_PARAMETER, POST_ONLY)},
        {PLACE, MARKET "stop_price=49000", BAD(INVALID_PARAMETER, STOP_PRICE)},
        {PLACE, LIMIT "stop_price=0.001", BAD(INVALID_PRICE, STOP_PRICE)},
        {AMEND, "order_id=7;stop_price=49000", GOOD},
        {AMEND, "order_id=7;stop_price=0", BAD(INVALID_PRICE, STOP_PRICE)},
        {AMEND, "order_id=7;symbol=BTCUSDT;stop_price=0.001", BAD(INVALID_PRICE, STOP_PRICE)},
    };
    CHECK_ROWS(rows);
}

static void test_good_till_date(void)
{
    static const row rows[] = {
        {PLACE, LIMIT "time_in_force=GTD;expire_time=1893456000000", GOOD},
        {PLACE, LIMIT "time_in_force=GTD;expire_time=1;post_only=true", GOOD}, /* the engine's */
        {PLACE, LIMIT "time_in_force=GTD", BAD(MISSING_FIELD, EXPIRE_TIME)},
        {PLACE, LIMIT "time_in_force=GTD;expire_time=0", BAD(INVALID_PARAMETER, EXPIRE_TIME)},
        {PLACE, LIMIT "expire_time=1893456000000", BAD(INVALID_PARAMETER, EXPIRE_TIME)},
        {PLACE, MARKET "time_in_force=GTD;expire_time=1893456000000",
         BAD(INVALID_TIME_IN_FORCE, TIME_IN_FORCE)},
    };
    CHECK_ROWS(rows);
}

static void test_icebergs_self_trade_prevention_and_auctions(void)
{
    static const row rows[] = {
        {PLACE, LIMIT "display_quantity=0.1", GOOD},
        {PLACE, LIMIT "quantity=100;display_quantity=0.1", GOOD},
        {PLACE, MARKET "display_quantity=0.1", BAD(INVALID_PARAMETER, DISPLAY_QUANTITY)},
        {PLACE, LIMIT "self_trade_prevention=cancel_taker", GOOD},
        {PLACE, LIMIT "self_trade_prevention=cancel_maker", GOOD},
        {PLACE, MARKET "self_trade_prevention=cancel_both", GOOD},
        {PLACE, STOP "self_trade_prevention=cancel_both", GOOD},
        {SET_STATE, "symbol=BTCUSDT;state=auction", GOOD},
        {SET_STATE, "symbol=BTCUSDT;state=trading", GOOD},
        {SET_STATE, "symbol=BTCUSDT;state=open", BAD(INVALID_PARAMETER, STATE)},
    };
    CHECK_ROWS(rows);
}

static void test_the_message_for_a_bad_side(void)
{
    begin();
    matching_command command;
    matching_error error;
    prepare(core, PLACE, LIMIT "side=long", &command, &error);
    CU_ASSERT_STRING_EQUAL(error.message, "invalid side, must be 'buy' or 'sell'");
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_needed_fields), MATCHING_TEST(test_side_and_price),
               MATCHING_TEST(test_quantity), MATCHING_TEST(test_trader_and_client_order_id),
               MATCHING_TEST(test_type_and_time_in_force), MATCHING_TEST(test_symbol),
               MATCHING_TEST(test_a_new_instrument), MATCHING_TEST(test_integers),
               MATCHING_TEST(test_wrong_types), MATCHING_TEST(test_which_refusal_of_an_order_wins),
               MATCHING_TEST(test_which_refusal_of_a_stop_wins),
               MATCHING_TEST(test_which_refusal_of_an_amend_or_a_cancel_wins),
               MATCHING_TEST(test_stops), MATCHING_TEST(test_good_till_date),
               MATCHING_TEST(test_icebergs_self_trade_prevention_and_auctions),
               MATCHING_TEST(test_the_message_for_a_bad_side))
