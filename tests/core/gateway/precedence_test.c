/* Tests of which refusal the gateway gives when several apply. */
#include "rows.h"
#include "support/cunit_main.h"

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
        {GET_KLINES, "from=-1;to=0;limit=0;symbol=NONE", BAD(MISSING_FIELD, INTERVAL)},
        {GET_KLINES, "interval=x;from=-1;to=0;limit=0;symbol=NONE",
         BAD(INVALID_INTERVAL, INTERVAL)},
        {GET_KLINES, "interval=m1;from=-1;to=0;limit=0;symbol=NONE", BAD(INVALID_PARAMETER, FROM)},
        {GET_KLINES, "interval=m1;from=1;to=0;limit=0;symbol=NONE", BAD(INVALID_PARAMETER, TO)},
        {GET_KLINES, "interval=m1;limit=0;symbol=NONE", BAD(INVALID_PARAMETER, LIMIT)},
    };
    CHECK_ROWS(rows);
}

MATCHING_TESTS(MATCHING_TEST(test_which_refusal_of_an_order_wins),
               MATCHING_TEST(test_which_refusal_of_a_stop_wins),
               MATCHING_TEST(test_which_refusal_of_an_amend_or_a_cancel_wins))
