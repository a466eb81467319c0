/* Tests of what changes a working order: amend, cancel, mass cancel, and an instrument's state. */
#include <string.h>

#include "fixture.h"
#include "support/cunit_main.h"

static fixture f;

static void begin(void)
{
    matching_engine_limits limits = fixture_limits();
    fixture_init(&f, &limits);
}

static void end(void)
{
    fixture_fini(&f);
}

static uint64_t maker_of_next_trade(matching_side taker_side)
{
    accepted(&f, market_order("taker", taker_side, 1));
    const fixture_event *trade = event_of(&f, MATCHING_EVENT_TRADE, 0);
    return trade == NULL ? 0 : trade->event.trade.maker_order_id;
}

static void test_amend_keeps_priority_when_reduced(void)
{
    begin();
    uint64_t first = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, limit_order("b", MATCHING_BUY, 100, 10));
    uint64_t created = f.time_ns - 1000;
    matching_order order = accepted(&f, amend_by_id(first, 0, 4));
    CU_ASSERT_EQUAL(order.order_id, first);
    CU_ASSERT_EQUAL(order.quantity_lots, 4);
    CU_ASSERT_EQUAL(order.status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(order.created_ns, created);
    CU_ASSERT_EQUAL(order.updated_ns, f.time_ns);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 1);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 14);
    CU_ASSERT_EQUAL(maker_of_next_trade(MATCHING_SELL), first);
    end();
}

static void test_amend_to_the_same_values_keeps_priority(void)
{
    begin();
    uint64_t first = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, limit_order("b", MATCHING_BUY, 100, 10));
    accepted(&f, amend_by_id(first, 100, 10));
    CU_ASSERT_EQUAL(maker_of_next_trade(MATCHING_SELL), first);
    end();
}

static void test_amend_loses_priority_on_more_quantity(void)
{
    begin();
    uint64_t first = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    uint64_t second = accepted(&f, limit_order("b", MATCHING_BUY, 100, 10)).order_id;
    matching_order order = accepted(&f, amend_by_id(first, 0, 11));
    CU_ASSERT_EQUAL(order.quantity_lots, 11);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 21);
    CU_ASSERT_EQUAL(maker_of_next_trade(MATCHING_SELL), second);
    end();
}

/* There and back again: the way back does not return the old place. */
static void test_amend_loses_priority_on_new_price(void)
{
    begin();
    uint64_t first = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    uint64_t second = accepted(&f, limit_order("b", MATCHING_BUY, 100, 10)).order_id;
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(first, 99, 0)).price_ticks, 99);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 99), 10);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 10);
    accepted(&f, amend_by_id(first, 100, 0));
    CU_ASSERT_EQUAL(maker_of_next_trade(MATCHING_SELL), second);
    end();
}

/* Less quantity does not save the place if the price changes too. */
static void test_amend_to_new_price_and_less_quantity_loses_priority(void)
{
    begin();
    uint64_t moved = accepted(&f, limit_order("a", MATCHING_BUY, 99, 10)).order_id;
    uint64_t second = accepted(&f, limit_order("b", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, amend_by_id(moved, 100, 5));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 15);
    CU_ASSERT_EQUAL(maker_of_next_trade(MATCHING_SELL), second);
    end();
}

static void test_amend_may_trade_as_taker(void)
{
    begin();
    uint64_t ask = accepted(&f, limit_order("a", MATCHING_SELL, 105, 4)).order_id;
    uint64_t bid = accepted(&f, limit_order("b", MATCHING_BUY, 100, 10)).order_id;
    matching_order order = accepted(&f, amend_by_id(bid, 106, 0));
    CU_ASSERT_EQUAL(order.status, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(order.filled_lots, 4);
    CU_ASSERT_TRUE(order.notional == 4 * 105);
    const fixture_event *trade = event_of(&f, MATCHING_EVENT_TRADE, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(trade);
    CU_ASSERT_EQUAL(trade->event.trade.maker_order_id, ask);
    CU_ASSERT_EQUAL(trade->event.trade.taker_order_id, bid);
    CU_ASSERT_EQUAL(trade->event.trade.price_ticks, 105);
    CU_ASSERT_EQUAL(trade->event.side, MATCHING_BUY);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 106), 6);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 0);
    end();
}

static void test_amend_that_trades_to_the_end_is_filled(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 105, 14));
    uint64_t bid = accepted(&f, limit_order("b", MATCHING_BUY, 100, 10)).order_id;
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(bid, 105, 14)).status, MATCHING_FILLED);
    refused(&f, amend_by_id(bid, 104, 0), MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_SELL, 105), 0);
    end();
}

/* The new total counts what has filled. */
static void test_amend_quantity_is_the_new_total(void)
{
    begin();
    uint64_t bid = accepted(&f, limit_order("b", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, market_order("a", MATCHING_SELL, 6));
    matching_order order = accepted(&f, amend_by_id(bid, 0, 8));
    CU_ASSERT_EQUAL(order.quantity_lots, 8);
    CU_ASSERT_EQUAL(order.filled_lots, 6);
    CU_ASSERT_EQUAL(order.status, MATCHING_PARTIAL);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 2);
    accepted(&f, amend_by_id(bid, 0, 20));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 14);
    end();
}

static void test_amend_to_no_more_than_filled_is_refused(void)
{
    begin();
    uint64_t bid = accepted(&f, limit_order("b", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, market_order("a", MATCHING_SELL, 6));
    refused(&f, amend_by_id(bid, 0, 6), MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    refused(&f, amend_by_id(bid, 99, 5), MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(bid, 0, 7)).status, MATCHING_PARTIAL);
    end();
}

static void test_amend_of_post_only_that_would_cross_is_refused(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_SELL, 105, 4));
    matching_command command = limit_order("b", MATCHING_BUY, 100, 10);
    command.flags |= MATCHING_FLAG_POST_ONLY;
    uint64_t bid = accepted(&f, command).order_id;
    refused(&f, amend_by_id(bid, 105, 0), MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
    refused(&f, amend_by_id(bid, 200, 0), MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(bid, 104, 0)).status, MATCHING_OPEN);
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(bid, 0, 11)).status, MATCHING_OPEN);
    end();
}

static void test_amend_by_client_id(void)
{
    begin();
    matching_command command = limit_order("b", MATCHING_BUY, 100, 10);
    set_client_id(&command, "x");
    uint64_t bid = accepted(&f, command).order_id;
    matching_command amend = amend_by_id(0, 101, 0);
    set_trader(&amend, "b");
    set_client_id(&amend, "x");
    CU_ASSERT_EQUAL(accepted(&f, amend).order_id, bid);
    set_trader(&amend, "a");
    refused(&f, amend, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_CLIENT_ORDER_ID);
    end();
}

/* By id alone the gateway does not know the instrument: the engine converts. */
static void test_amend_with_decimals_is_held_against_the_instrument(void)
{
    begin();
    fixture_set_instrument(&f, 1, 1000000, 10000);
    matching_command command = limit_order("b", MATCHING_BUY, 100, 10);
    command.instrument = 1;
    uint64_t bid = accepted(&f, command).order_id;
    matching_command amend = amend_by_id(bid, 101 * 1000000, 20 * 10000);
    amend.flags |= MATCHING_FLAG_DECIMALS;
    matching_order order = accepted(&f, amend);
    CU_ASSERT_EQUAL(order.price_ticks, 101);
    CU_ASSERT_EQUAL(order.quantity_lots, 20);
    amend.price_ticks++;
    amend.quantity_lots++;
    refused(&f, amend, MATCHING_INVALID_PRICE, MATCHING_FIELD_PRICE);
    amend.price_ticks = 0;
    refused(&f, amend, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    end();
}

/* A range of 10^15 - 1 ticks holds for amends as well; a tick of 10^-8 could go beyond. */
static void test_amend_with_decimals_beyond_the_range_is_refused(void)
{
    begin();
    uint64_t bid = accepted(&f, limit_order("b", MATCHING_BUY, 100, 10)).order_id;
    matching_command amend = amend_by_id(bid, MATCHING_TICKS_MAX + 1, 0);
    amend.flags |= MATCHING_FLAG_DECIMALS;
    refused(&f, amend, MATCHING_INVALID_PRICE, MATCHING_FIELD_PRICE);
    amend.price_ticks = MATCHING_TICKS_MAX;
    amend.quantity_lots = MATCHING_LOTS_MAX + 1;
    refused(&f, amend, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    amend.quantity_lots = MATCHING_LOTS_MAX;
    CU_ASSERT_EQUAL(accepted(&f, amend).quantity_lots, MATCHING_LOTS_MAX);
    end();
}

/* Not found, numbers, state, quantity, post_only, limits. */
static void test_which_refusal_of_an_amend_wins(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_levels = 3;
    fixture_init(&f, &limits);
    matching_command command = limit_order("b", MATCHING_BUY, 100, 10);
    command.flags |= MATCHING_FLAG_POST_ONLY;
    uint64_t bid = accepted(&f, command).order_id;
    accepted(&f, limit_order("a", MATCHING_SELL, 105, 4));
    accepted(&f, market_order("a", MATCHING_SELL, 6));
    accepted(&f, command); /* a neighbour on the level: it is not free when the order leaves */
    accepted(&f, limit_order("a", MATCHING_SELL, 106, 4));
    fixture_apply(&f, set_state(0, MATCHING_HALTED));

    matching_command wrong = amend_by_id(bid, 105, 6);
    set_trader(&wrong, "a");
    wrong.stop_price_ticks = 1;
    refused(&f, wrong, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    set_trader(&wrong, "b");
    refused(&f, wrong, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_STOP_PRICE);
    wrong.stop_price_ticks = 0;
    refused(&f, wrong, MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    fixture_apply(&f, set_state(0, MATCHING_TRADING));
    refused(&f, wrong, MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY);
    wrong.quantity_lots = 7;
    refused(&f, wrong, MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE);
    wrong.price_ticks = 101;
    refused(&f, wrong, MATCHING_BOOK_FULL, MATCHING_FIELD_NONE);
    wrong.price_ticks = 100;
    accepted(&f, wrong);
    end();
}

/* With every level in use an order that is alone on its own can still move. */
static void test_amend_moves_a_lone_order_though_levels_are_used_up(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = limits.max_levels = 2;
    fixture_init(&f, &limits);
    uint64_t one = accepted(&f, limit_order("a", MATCHING_BUY, 100, 1)).order_id;
    accepted(&f, limit_order("a", MATCHING_BUY, 101, 1));
    CU_ASSERT_EQUAL(accepted(&f, amend_by_id(one, 99, 0)).price_ticks, 99);
    end();
}

static void test_cancel_by_id(void)
{
    begin();
    uint64_t id = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, market_order("b", MATCHING_SELL, 3));
    matching_order order = accepted(&f, cancel_by_id(id));
    CU_ASSERT_EQUAL(order.status, MATCHING_CANCELLED);
    CU_ASSERT_EQUAL(order.reason, MATCHING_REASON_USER);
    CU_ASSERT_EQUAL(order.filled_lots, 3);
    CU_ASSERT_EQUAL(order.quantity_lots, 10);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 1);
    CU_ASSERT_EQUAL(event_of(&f, MATCHING_EVENT_ORDER, 0)->event.order.trade_id, 0);
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 0);
    end();
}

static void test_cancel_by_client_id(void)
{
    begin();
    matching_command command = limit_order("a", MATCHING_BUY, 100, 10);
    set_client_id(&command, "x");
    uint64_t id = accepted(&f, command).order_id;
    matching_command elsewhere = cancel_by_client_id("a", "x");
    elsewhere.instrument = 1;
    refused(&f, elsewhere, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_CLIENT_ORDER_ID);
    refused(&f, cancel_by_client_id("b", "x"), MATCHING_ORDER_NOT_FOUND,
            MATCHING_FIELD_CLIENT_ORDER_ID);
    refused(&f, cancel_by_client_id("a", "xx"), MATCHING_ORDER_NOT_FOUND,
            MATCHING_FIELD_CLIENT_ORDER_ID);
    CU_ASSERT_EQUAL(accepted(&f, cancel_by_client_id("a", "x")).order_id, id);
    refused(&f, cancel_by_client_id("a", "x"), MATCHING_ORDER_NOT_FOUND,
            MATCHING_FIELD_CLIENT_ORDER_ID);
    end();
}

static void test_cancel_of_what_does_not_work_is_not_found(void)
{
    begin();
    static const uint64_t absurd[] = {1, 2, 3, 4, 64, MATCHING_ORDER_ID_MAX, UINT64_MAX};
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        refused(&f, cancel_by_id(absurd[i]), MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    }
    uint64_t id = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    refused(&f, cancel_by_id(id - 1), MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    refused(&f, cancel_by_id(id + (UINT64_C(1) << 40)), MATCHING_ORDER_NOT_FOUND,
            MATCHING_FIELD_ORDER_ID);
    accepted(&f, market_order("b", MATCHING_SELL, 10));
    refused(&f, cancel_by_id(id), MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    end();
}

static void test_cancel_of_others_order_is_not_found(void)
{
    begin();
    uint64_t id = accepted(&f, limit_order("a", MATCHING_BUY, 100, 10)).order_id;
    accepted(&f, limit_order("b", MATCHING_BUY, 90, 10));
    matching_command cancel = cancel_by_id(id);
    set_trader(&cancel, "b");
    refused(&f, cancel, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    set_trader(&cancel, "nobody");
    refused(&f, cancel, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    set_trader(&cancel, "a");
    accepted(&f, cancel);
    end();
}

static void test_cancel_with_another_symbol_is_not_found(void)
{
    begin();
    matching_command command = limit_order("a", MATCHING_BUY, 100, 10);
    command.instrument = 2;
    matching_command cancel = cancel_by_id(accepted(&f, command).order_id);
    cancel.flags |= MATCHING_FLAG_HAS_SYMBOL;
    cancel.instrument = 1;
    refused(&f, cancel, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    cancel.instrument = 2;
    accepted(&f, cancel);
    end();
}

/* Without a given symbol the command's instrument means nothing. */
static void test_cancel_by_id_needs_no_symbol(void)
{
    begin();
    matching_command command = limit_order("a", MATCHING_BUY, 100, 10);
    command.instrument = 2;
    accepted(&f, cancel_by_id(accepted(&f, command).order_id));
    end();
}

static void test_cancel_in_the_middle_of_a_queue(void)
{
    begin();
    uint64_t ids[4];
    for (int i = 0; i < 4; i++) {
        ids[i] = accepted(&f, limit_order("a", MATCHING_BUY, 100, 1)).order_id;
    }
    accepted(&f, cancel_by_id(ids[1]));
    accepted(&f, cancel_by_id(ids[3]));
    CU_ASSERT_EQUAL(maker_of_next_trade(MATCHING_SELL), ids[0]);
    CU_ASSERT_EQUAL(maker_of_next_trade(MATCHING_SELL), ids[2]);
    CU_ASSERT_EQUAL(maker_of_next_trade(MATCHING_SELL), 0);
    end();
}

static void test_mass_cancel_ends_all_of_one_trader(void)
{
    begin();
    uint64_t ids[6];
    for (int i = 0; i < 6; i++) {
        matching_command command = limit_order(i % 3 == 2 ? "b" : "a", MATCHING_BUY, 100 - i, 1);
        command.instrument = (uint16_t)(i % 2);
        ids[i] = accepted(&f, command).order_id;
    }
    const matching_reply *reply = fixture_apply(&f, cancel_all("a"));
    CU_ASSERT_EQUAL(reply->code, MATCHING_OK);
    CU_ASSERT_FALSE(reply->has_order);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 4);
    static const int of_a[] = {0, 1, 3, 4};
    for (size_t i = 0; i < 4; i++) {
        const fixture_event *event = event_of(&f, MATCHING_EVENT_ORDER, i);
        CU_ASSERT_PTR_NOT_NULL_FATAL(event);
        CU_ASSERT_EQUAL(event->order.order_id, ids[of_a[i]]); /* ascending */
        CU_ASSERT_EQUAL(event->order.status, MATCHING_CANCELLED);
        CU_ASSERT_EQUAL(event->order.reason, MATCHING_REASON_MASS_CANCEL);
    }
    CU_ASSERT_EQUAL(fixture_apply(&f, cancel_all("a"))->code, MATCHING_OK);
    CU_ASSERT_EQUAL(f.event_count, 0);
    accepted(&f, cancel_by_id(ids[2])); /* another's is untouched */
    end();
}

static void test_mass_cancel_of_one_symbol(void)
{
    begin();
    matching_command here = limit_order("a", MATCHING_BUY, 100, 1), there = here;
    there.instrument = 1;
    accepted(&f, here);
    uint64_t kept = accepted(&f, there).order_id;
    matching_command command = cancel_all("a");
    command.flags = 0;
    CU_ASSERT_EQUAL(fixture_apply(&f, command)->code, MATCHING_OK);
    CU_ASSERT_EQUAL(count_events(&f, MATCHING_EVENT_ORDER), 1);
    matching_order order;
    CU_ASSERT_TRUE(read_order(&f, read_by_id(kept), &order));
    CU_ASSERT_EQUAL(order.status, MATCHING_OPEN);
    end();
}

static void test_mass_cancel_of_an_unknown_trader_does_nothing(void)
{
    begin();
    accepted(&f, limit_order("a", MATCHING_BUY, 100, 1));
    uint64_t before = matching_engine_hash(f.engine);
    CU_ASSERT_EQUAL(fixture_apply(&f, cancel_all("nobody"))->code, MATCHING_OK);
    CU_ASSERT_EQUAL(f.event_count, 0);
    CU_ASSERT_EQUAL(matching_engine_hash(f.engine), before);
    end();
}

static void test_halted_market_refuses_amends_but_cancels_work(void)
{
    begin();
    uint64_t one = accepted(&f, limit_order("a", MATCHING_BUY, 100, 4)).order_id;
    uint64_t two = accepted(&f, limit_order("a", MATCHING_BUY, 100, 4)).order_id;
    fixture_apply(&f, set_state(0, MATCHING_HALTED));
    CU_ASSERT_EQUAL(level_total(&f, 0, MATCHING_BUY, 100), 8); /* nothing is cancelled by it */
    refused(&f, amend_by_id(one, 0, 1), MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    accepted(&f, cancel_by_id(one));
    CU_ASSERT_EQUAL(fixture_apply(&f, cancel_all("a"))->code, MATCHING_OK);
    matching_order order;
    CU_ASSERT_TRUE(read_order(&f, read_by_id(two), &order));
    CU_ASSERT_EQUAL(order.status, MATCHING_CANCELLED);
    end();
}

static matching_command add_instrument(uint16_t index, const char *symbol, int64_t tick_size,
                                       int64_t lot_size)
{
    matching_command command = {.type = MATCHING_ADD_INSTRUMENT,
                                .instrument = index,
                                .instrument_id = 77,
                                .price_ticks = tick_size,
                                .quantity_lots = lot_size,
                                .sbe_char = 'Q',
                                .state = MATCHING_HALTED};
    memcpy(command.symbol, symbol, strlen(symbol));
    return command;
}

static void test_an_added_instrument_has_its_sizes_and_state_and_is_told(void)
{
    begin();
    const matching_reply *reply = fixture_apply(&f, add_instrument(2, "NEW", 500, 20));
    CU_ASSERT_EQUAL(reply->code, MATCHING_OK);
    CU_ASSERT_EQUAL(reply->instrument, 2);
    CU_ASSERT_EQUAL(reply->time_ns, f.time_ns);
    CU_ASSERT_FALSE(reply->has_order);
    CU_ASSERT_EQUAL(f.event_count, 1);
    const fixture_event *told_of = event_of(&f, MATCHING_EVENT_INSTRUMENT, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(told_of);
    CU_ASSERT_EQUAL(told_of->event.instrument, 2);
    CU_ASSERT_STRING_EQUAL(told_of->event.added.symbol, "NEW");
    CU_ASSERT_EQUAL(told_of->event.added.id, 77);
    CU_ASSERT_EQUAL(told_of->event.added.tick_size, 500);
    CU_ASSERT_EQUAL(told_of->event.added.lot_size, 20);
    CU_ASSERT_EQUAL(told_of->event.added.sbe_char, 'Q');
    CU_ASSERT_EQUAL(told_of->event.added.state, MATCHING_HALTED);
    matching_command order = limit_order("a", MATCHING_BUY, 100, 4);
    order.instrument = 2;
    refused(&f, order, MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE);
    fixture_apply(&f, set_state(2, MATCHING_TRADING));
    uint64_t id = accepted(&f, order).order_id;
    matching_command amend = amend_by_id(id, 1100, 60);
    amend.flags = MATCHING_FLAG_DECIMALS;
    refused(&f, amend, MATCHING_INVALID_PRICE, MATCHING_FIELD_PRICE);
    amend.price_ticks = 1000;
    matching_order amended = accepted(&f, amend);
    CU_ASSERT_EQUAL(amended.price_ticks, 2);
    CU_ASSERT_EQUAL(amended.quantity_lots, 3);
    end();
}

static void test_the_state_hash_knows_the_sizes_of_instruments(void)
{
    static const int64_t sizes[][2] = {{500, 20}, {500, 21}, {501, 20}, {20, 500}};
    uint64_t hashes[sizeof sizes / sizeof sizes[0]];
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        begin();
        fixture_apply(&f, add_instrument(2, "NEW", sizes[i][0], sizes[i][1]));
        hashes[i] = matching_engine_hash(f.engine);
        for (size_t j = 0; j < i; j++) {
            CU_ASSERT_NOT_EQUAL(hashes[i], hashes[j]);
        }
        end();
    }
}

static void test_state_change_is_told_once(void)
{
    begin();
    CU_ASSERT_EQUAL(fixture_apply(&f, set_state(1, MATCHING_TRADING))->code, MATCHING_OK);
    CU_ASSERT_EQUAL(f.event_count, 0);
    CU_ASSERT_EQUAL(fixture_apply(&f, set_state(1, MATCHING_HALTED))->code, MATCHING_OK);
    const fixture_event *event = event_of(&f, MATCHING_EVENT_STATE, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(event);
    CU_ASSERT_EQUAL(f.event_count, 1);
    CU_ASSERT_EQUAL(event->event.instrument, 1);
    CU_ASSERT_EQUAL(event->event.state.state, MATCHING_HALTED);
    matching_depth depth = {0};
    matching_engine_read_depth(f.engine, 1, 0, &depth);
    CU_ASSERT_EQUAL(depth.state, MATCHING_HALTED);
    matching_engine_read_depth(f.engine, 0, 0, &depth);
    CU_ASSERT_EQUAL(depth.state, MATCHING_TRADING);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_amend_keeps_priority_when_reduced),
               MATCHING_TEST(test_amend_to_the_same_values_keeps_priority),
               MATCHING_TEST(test_amend_loses_priority_on_more_quantity),
               MATCHING_TEST(test_amend_loses_priority_on_new_price),
               MATCHING_TEST(test_amend_to_new_price_and_less_quantity_loses_priority),
               MATCHING_TEST(test_amend_may_trade_as_taker),
               MATCHING_TEST(test_amend_that_trades_to_the_end_is_filled),
               MATCHING_TEST(test_amend_quantity_is_the_new_total),
               MATCHING_TEST(test_amend_to_no_more_than_filled_is_refused),
               MATCHING_TEST(test_amend_of_post_only_that_would_cross_is_refused),
               MATCHING_TEST(test_amend_by_client_id),
               MATCHING_TEST(test_amend_with_decimals_is_held_against_the_instrument),
               MATCHING_TEST(test_amend_with_decimals_beyond_the_range_is_refused),
               MATCHING_TEST(test_which_refusal_of_an_amend_wins),
               MATCHING_TEST(test_amend_moves_a_lone_order_though_levels_are_used_up),
               MATCHING_TEST(test_cancel_by_id), MATCHING_TEST(test_cancel_by_client_id),
               MATCHING_TEST(test_cancel_of_what_does_not_work_is_not_found),
               MATCHING_TEST(test_cancel_of_others_order_is_not_found),
               MATCHING_TEST(test_cancel_with_another_symbol_is_not_found),
               MATCHING_TEST(test_cancel_by_id_needs_no_symbol),
               MATCHING_TEST(test_cancel_in_the_middle_of_a_queue),
               MATCHING_TEST(test_mass_cancel_ends_all_of_one_trader),
               MATCHING_TEST(test_mass_cancel_of_one_symbol),
               MATCHING_TEST(test_mass_cancel_of_an_unknown_trader_does_nothing),
               MATCHING_TEST(test_halted_market_refuses_amends_but_cancels_work),
               MATCHING_TEST(test_an_added_instrument_has_its_sizes_and_state_and_is_told),
               MATCHING_TEST(test_the_state_hash_knows_the_sizes_of_instruments),
               MATCHING_TEST(test_state_change_is_told_once))
