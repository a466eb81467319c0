/* Tests of the gateway's judgement: requests to code and field, and the range of every field. */
#include <stdio.h>
#include <string.h>

#include "rows.h"
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

static void test_intervals(void)
{
    static const row rows[] = {
        {GET_KLINES, "interval=s1", GOOD},
        {GET_KLINES, "interval=s30", GOOD},
        {GET_KLINES, "interval=m1", GOOD},
        {GET_KLINES, "interval=m5", GOOD},
        {GET_KLINES, "interval=m15", GOOD},
        {GET_KLINES, "interval=h1", GOOD},
        {GET_KLINES, "interval=h4", GOOD},
        {GET_KLINES, "interval=d1", GOOD},
        {GET_KLINES, "", BAD(MISSING_FIELD, INTERVAL)},
        {GET_KLINES, "interval=", BAD(INVALID_INTERVAL, INTERVAL)},
        {GET_KLINES, "interval=1m", BAD(INVALID_INTERVAL, INTERVAL)},
        {GET_KLINES, "interval=M1", BAD(INVALID_INTERVAL, INTERVAL)},
        {GET_KLINES, "interval=m", BAD(INVALID_INTERVAL, INTERVAL)},
        {GET_KLINES, "interval=s1;symbol=NONE", BAD(UNKNOWN_SYMBOL, SYMBOL)},
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
        {GET_KLINES, "interval=s1;from=0;to=1;limit=1", GOOD},
        {GET_KLINES, "interval=d1;from=9007199254740991;limit=500", GOOD},
        {GET_KLINES, "interval=m1;limit=0", BAD(INVALID_PARAMETER, LIMIT)},
        {GET_KLINES, "interval=m1;limit=501", BAD(INVALID_PARAMETER, LIMIT)},
        {GET_KLINES, "interval=m1;from=-1", BAD(INVALID_PARAMETER, FROM)},
        {GET_KLINES, "interval=m1;from=9007199254740992", BAD(INVALID_PARAMETER, FROM)},
        {GET_KLINES, "interval=m1;from=x", BAD(INVALID_PARAMETER, FROM)},
        {GET_KLINES, "interval=m1;to=0", BAD(INVALID_PARAMETER, TO)},
        {GET_KLINES, "interval=m1;from=5;to=5", GOOD},
        {GET_KLINES, "interval=m1;from=5;to=4", BAD(INVALID_PARAMETER, TO)},
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
        {GET_KLINES, "interval=!", BAD(INVALID_MESSAGE, INTERVAL)},
        {GET_KLINES, "interval=m1;from=!", BAD(INVALID_MESSAGE, FROM)},
        {GET_KLINES, "interval=m1;to=!", BAD(INVALID_MESSAGE, TO)},
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

/* What an error says is true, and all of it. */
static void test_messages(void)
{
    static const struct {
        const char *request, *message;
    } rows[] = {
        {"side=long", "invalid side, must be 'buy' or 'sell'"},
        {"price=0", "price must be a positive multiple of the tick size 0.01, at most 92233720368"},
        {"symbol=FINE-1.0_X;price=10000000",
         "price must be a positive multiple of the tick size 0.00000001, at most 9999999.99999999"},
        {"symbol=FINE-1.0_X;quantity=10000000",
         "quantity must be a positive multiple of the lot size 0.00000001, at most "
         "9999999.99999999"},
        {"symbol=SIXTEENLETTERS16;price=92233720368",
         "price must be a positive multiple of the tick size 5, at most 92233720365"},
        {"symbol=BTC", "no instrument is called 'BTC'; the list of symbols names them all"},
        {"symbol=BTCUSDTBTCUSDTBTCUSDT",
         "no instrument is called 'BTCUSDTBTCUSDTBTCUSDT'; the list of symbols names them all"},
        {"symbol=ABCDEFGHIJABCDEFGHIJABCDEFGHIJABCDEFGHIJK",
         "no instrument has such a name; the list of symbols names them all"},
        {"symbol=BTC\nUSDT", "no instrument has such a name; the list of symbols names them all"},
    };
    begin();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        matching_command command;
        matching_error error;
        char request[400];
        snprintf(request, sizeof request, LIMIT "%s", rows[i].request);
        prepare(core, PLACE, request, &command, &error);
        CU_ASSERT_STRING_EQUAL(error.message, rows[i].message);
    }
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_needed_fields), MATCHING_TEST(test_side_and_price),
               MATCHING_TEST(test_quantity), MATCHING_TEST(test_trader_and_client_order_id),
               MATCHING_TEST(test_type_and_time_in_force), MATCHING_TEST(test_symbol),
               MATCHING_TEST(test_a_new_instrument), MATCHING_TEST(test_intervals),
               MATCHING_TEST(test_integers), MATCHING_TEST(test_wrong_types),
               MATCHING_TEST(test_stops), MATCHING_TEST(test_good_till_date),
               MATCHING_TEST(test_icebergs_self_trade_prevention_and_auctions),
               MATCHING_TEST(test_messages))
