/* Market data: books, trades of both kinds, instruments; and trades that clients report. */
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>

#include "sbe_fixture.h"
#include "support/metric.h"

static client one, two;

static void begin(void)
{
    prepare();
    open_door();
    connect_client(&one);
    connect_client(&two);
}

static void end(void)
{
    disconnect(&one);
    disconnect(&two);
    close_door();
}

static sbe_book_update hear_book(client *c, uint32_t instrument, int64_t bid, int64_t bid_quantity,
                                 int64_t ask, int64_t ask_quantity)
{
    sbe_book_update book;
    sbe_book_update_read(hear_block(c, SBE_BOOK_UPDATE), &book);
    CU_ASSERT_EQUAL(book.instrument_id, instrument);
    CU_ASSERT_EQUAL(book.best_bid, bid);
    CU_ASSERT_EQUAL(book.bid_quantity, bid_quantity);
    CU_ASSERT_EQUAL(book.best_ask, ask);
    CU_ASSERT_EQUAL(book.ask_quantity, ask_quantity);
    return book;
}

static void test_a_book_is_told_at_once_and_when_it_changes(void)
{
    begin();
    TELL(&one, subscribe, .instrument_id = BTC, .channels = SBE_CHANNEL_BOOK);
    hear_book(&one, BTC, SBE_NULL_I64, 0, SBE_NULL_I64, 0);
    uint64_t order_id = rest(&two, "ann", MATCHING_BUY, 100, 2);
    uint64_t sequence = hear_book(&one, BTC, 100 * ONE, 2 * ONE, SBE_NULL_I64, 0).sequence;
    rest(&two, "ann", MATCHING_BUY, 90, 1); /* not the best */
    rest(&two, "ann", MATCHING_SELL, 110, 7);
    CU_ASSERT_TRUE(hear_book(&one, BTC, 100 * ONE, 2 * ONE, 110 * ONE, 7 * ONE).sequence >
                   sequence);
    TELL(&one, subscribe, .instrument_id = BTC, .channels = SBE_CHANNEL_BOOK); /* once more */
    hear_book(&one, BTC, 100 * ONE, 2 * ONE, 110 * ONE, 7 * ONE);
    TELL(&two, cancel_order, .order_id = order_id);
    hear_report(&two, 0, SBE_EXEC_CANCELLED, MATCHING_CANCELLED);
    hear_book(&one, BTC, 90 * ONE, ONE, 110 * ONE, 7 * ONE);
    TELL(&one, subscribe, .instrument_id = BTC, .channels = SBE_CHANNEL_BOOK,
         .action = SBE_ACTION_UNSUBSCRIBE);
    hear_nothing(&one);
    rest(&two, "ann", MATCHING_BUY, 95, 1);
    hear_nothing(&one);
    /* The view was not kept up meanwhile. */
    TELL(&one, subscribe, .instrument_id = BTC, .channels = SBE_CHANNEL_BOOK);
    hear_book(&one, BTC, 95 * ONE, ONE, 110 * ONE, 7 * ONE);
    end();
}

static void test_a_crossed_book_has_no_prices(void)
{
    begin();
    set_state("BTCUSDT", "auction");
    hear_block(&one, SBE_INSTRUMENT);
    hear_block(&two, SBE_INSTRUMENT);
    rest(&two, "ann", MATCHING_BUY, 100, 1);
    rest(&two, "bob", MATCHING_SELL, 99, 1);
    TELL(&one, subscribe, .instrument_id = BTC, .channels = SBE_CHANNEL_BOOK);
    hear_book(&one, BTC, SBE_NULL_I64, 0, SBE_NULL_I64, 0);
    end();
}

static void test_trades_are_told_in_both_forms(void)
{
    begin();
    TELL(&one, subscribe, .instrument_id = BTC,
         .channels = SBE_CHANNEL_TRADES | SBE_CHANNEL_TRADES_EXACT);
    hear_nothing(&one);
    uint64_t sell = rest(&two, "ann", MATCHING_SELL, 100, 3);
    sbe_new_order order = limit(21, "bob", MATCHING_BUY, 100, 0);
    order.quantity = ONE * 5 / 2;
    tell_order(&two, order);
    uint64_t buy = hear_report(&two, 21, SBE_EXEC_NEW, MATCHING_FILLED).order_id;
    sbe_trade trade;
    sbe_trade_read(hear_block(&one, SBE_TRADE), &trade);
    CU_ASSERT_EQUAL(trade.trade_id, 1);
    CU_ASSERT_EQUAL(trade.symbol, 'B');
    CU_ASSERT_EQUAL(trade.price, 100.0);
    CU_ASSERT_EQUAL(trade.quantity, 2); /* whole units */
    sbe_trade_exact exact;
    sbe_trade_exact_read(hear_block(&one, SBE_TRADE_EXACT), &exact);
    CU_ASSERT_EQUAL(exact.trade_id, 1);
    CU_ASSERT_EQUAL(exact.instrument_id, BTC);
    CU_ASSERT_EQUAL(exact.taker_side, MATCHING_BUY);
    CU_ASSERT_EQUAL(exact.price, 100 * ONE);
    CU_ASSERT_EQUAL(exact.quantity, ONE * 5 / 2);
    CU_ASSERT_EQUAL(exact.buy_order_id, buy);
    CU_ASSERT_EQUAL(exact.sell_order_id, sell);
    CU_ASSERT_TRUE(exact.timestamp > 0);
    end();
}

/* Many followers share a frame, and all see every trade in order. */
static void test_all_followers_see_all_trades(void)
{
    enum { FOLLOWERS = 6, TRADES = 300 };
    static client followers[FOLLOWERS];
    begin();
    for (unsigned i = 0; i < FOLLOWERS; i++) {
        connect_client(&followers[i]);
        TELL(&followers[i], subscribe, .channels = SBE_CHANNEL_TRADES_EXACT);
        hear_nothing(&followers[i]);
    }
    rest(&one, "ann", MATCHING_SELL, 100, TRADES);
    for (uint64_t i = 1; i <= TRADES; i++) {
        add_order(&two, limit(i, "bob", MATCHING_BUY, 100, 1));
    }
    go(&two);
    for (uint64_t i = 1; i <= TRADES; i++) {
        hear_report(&two, i, SBE_EXEC_NEW, MATCHING_FILLED);
        hear_report(&one, 0, SBE_EXEC_TRADE, i == TRADES ? MATCHING_FILLED : MATCHING_PARTIAL);
        for (unsigned j = 0; j < FOLLOWERS; j++) {
            const uint8_t *block = hear_block(&followers[j], SBE_TRADE_EXACT);
            CU_ASSERT_EQUAL(sbe_trade_exact_trade_id(block), i);
        }
    }
    for (unsigned i = 0; i < FOLLOWERS; i++) {
        hear_nothing(&followers[i]);
        disconnect(&followers[i]);
    }
    end();
}

static void test_all_instruments_are_followed_and_those_that_are_added(void)
{
    begin();
    TELL(&one, subscribe, .channels = SBE_CHANNEL_BOOK | SBE_CHANNEL_TRADES_EXACT);
    bool seen[4] = {false};
    for (unsigned i = 0; i < 3; i++) {
        seen[sbe_book_update_instrument_id(hear_block(&one, SBE_BOOK_UPDATE)) & 3] = true;
    }
    CU_ASSERT_TRUE(seen[BTC] && seen[ETH] && seen[SOL]);
    add_instrument("LATER", 40);
    sbe_instrument told;
    sbe_instrument_read(hear_block(&one, SBE_INSTRUMENT), &told);
    CU_ASSERT_EQUAL(told.id, 40);
    CU_ASSERT_EQUAL(told.sbe_char, 0);
    CU_ASSERT_EQUAL(strncmp(told.symbol, "LATER", sizeof told.symbol), 0);
    hear_book(&one, 40, SBE_NULL_I64, 0, SBE_NULL_I64, 0);
    hear_block(&two, SBE_INSTRUMENT);
    tell_order(&two, in(limit(1, "ann", MATCHING_SELL, 5, 2), 40));
    hear_report(&two, 1, SBE_EXEC_NEW, MATCHING_OPEN);
    hear_book(&one, 40, SBE_NULL_I64, 0, 5 * ONE, 2 * ONE);
    TELL(&one, subscribe, .channels = SBE_CHANNEL_BOOK, .action = SBE_ACTION_UNSUBSCRIBE);
    hear_nothing(&one);
    tell_order(&two, in(limit(2, "bob", MATCHING_BUY, 5, 2), 40));
    hear_report(&two, 2, SBE_EXEC_NEW, MATCHING_FILLED);
    hear_report(&two, 1, SBE_EXEC_TRADE, MATCHING_FILLED);
    CU_ASSERT_EQUAL(sbe_trade_exact_instrument_id(hear_block(&one, SBE_TRADE_EXACT)), 40);
    end();
}

/* Who asked for all that is added hears of what it does not get. */
static void test_a_follower_of_all_at_its_limit_is_told(void)
{
    prepare();
    config.sbe.max_subscriptions_per_client = 5;
    open_door();
    connect_client(&one);
    connect_client(&two);
    TELL(&one, subscribe, .channels = SBE_CHANNEL_TRADES_EXACT);
    TELL(&one, subscribe, .instrument_id = BTC, .channels = SBE_CHANNEL_TRADES);
    hear_nothing(&one);
    add_instrument("FIFTH", 40);
    hear_block(&one, SBE_INSTRUMENT);
    hear_nothing(&one); /* there was room for it */
    add_instrument("SIXTH", 41);
    hear_block(&one, SBE_INSTRUMENT);
    hear_reject(&one, 0, SBE_SUBSCRIBE, MATCHING_TOO_MANY_SUBSCRIPTIONS, "channels");
    hear_nothing(&one);
    hear_block(&two, SBE_INSTRUMENT); /* this one asked for nothing */
    hear_block(&two, SBE_INSTRUMENT);
    hear_nothing(&two);
    end();
}

/* Whose connection is ending is told nothing more, so nothing of it is counted either. */
static void test_a_follower_of_all_that_is_ending_is_refused_nothing(void)
{
    static const char refusals[] =
        "matching_refusals_total{transport=\"sbe\",code=\"TOO_MANY_SUBSCRIPTIONS\"}";
    prepare();
    config.sbe.max_subscriptions_per_client = 3;
    open_door();
    connect_client(&one);
    connect_client(&two);
    TELL(&one, subscribe, .channels = SBE_CHANNEL_TRADES_EXACT);
    TELL(&two, subscribe, .channels = SBE_CHANNEL_TRADES_EXACT);
    hear_nothing(&one);
    hear_nothing(&two);
    one.ws.is_binary = false;
    ws_client_send(&one.ws, "{}", 2);
    ws_client_flush(&one.ws, DEADLINE_MS);
    /* Its close frame has come, and is not answered before it is read. */
    CU_ASSERT_EQUAL_FATAL(poll(&(struct pollfd){.fd = one.ws.fd, .events = POLLIN}, 1, DEADLINE_MS),
                          1);
    add_instrument("FOURTH", 40);
    hear_block(&two, SBE_INSTRUMENT);
    hear_reject(&two, 0, SBE_SUBSCRIBE, MATCHING_TOO_MANY_SUBSCRIPTIONS, "channels");
    hear_nothing(&two);
    CU_ASSERT_EQUAL(metric_value(door.core, refusals), 1);
    end();
}

static void test_states_are_told(void)
{
    begin();
    set_state("SOLUSDT", "halted");
    sbe_instrument told;
    sbe_instrument_read(hear_block(&one, SBE_INSTRUMENT), &told);
    CU_ASSERT_EQUAL(told.id, SOL);
    CU_ASSERT_EQUAL(told.state, MATCHING_HALTED);
    hear_nothing(&one);
    tell_order(&one, in(limit(1, "ann", MATCHING_BUY, 1, 1), SOL));
    hear_reject(&one, 1, SBE_NEW_ORDER, MATCHING_MARKET_HALTED, "MARKET_HALTED");
    end();
}

static void test_bad_subscriptions_are_refused(void)
{
    prepare();
    config.sbe.max_subscriptions_per_client = 4;
    open_door();
    connect_client(&one);
    connect_client(&two);
    TELL(&one, subscribe, .instrument_id = BTC, .channels = 0);
    hear_reject(&one, 0, SBE_SUBSCRIBE, MATCHING_INVALID_CHANNEL, "channels");
    TELL(&one, subscribe, .instrument_id = BTC, .channels = 8);
    hear_reject(&one, 0, SBE_SUBSCRIBE, MATCHING_INVALID_CHANNEL, "channels");
    TELL(&one, subscribe, .instrument_id = 9, .channels = 1);
    hear_reject(&one, 0, SBE_SUBSCRIBE, MATCHING_UNKNOWN_SYMBOL, "symbol");
    TELL(&one, subscribe, .instrument_id = BTC, .channels = 1, .action = 2);
    hear_reject(&one, 0, SBE_SUBSCRIBE, MATCHING_INVALID_PARAMETER, "action");
    TELL(&one, subscribe, .instrument_id = BTC, .channels = 5);
    hear_nothing(&one);
    TELL(&one, subscribe, .channels = 1); /* two more: no more than four */
    hear_nothing(&one);
    TELL(&one, subscribe, .instrument_id = ETH, .channels = 4);
    hear_reject(&one, 0, SBE_SUBSCRIBE, MATCHING_TOO_MANY_SUBSCRIPTIONS, "channels");
    end();
}

/* ---- Trades that are reported to us ---------------------------------------------------------- */

static struct {
    unsigned connects, disconnects;
    size_t trades, runs;
    uint64_t last_id, connection;
    char error[SBE_ERROR_TEXT];
} heard; /* by the loop's thread; looked at after an answer has come */

static void on_connect(void *context, uint64_t connection)
{
    CU_ASSERT_PTR_EQUAL(context, &heard);
    heard.connects++;
    heard.connection = connection;
}

static void on_disconnect(void *context, uint64_t connection)
{
    (void)context;
    (void)connection;
    heard.disconnects++;
}

static int on_trades(void *context, uint64_t connection, const void *data, size_t message_size,
                     size_t count)
{
    (void)context;
    heard.connection = connection;
    heard.trades += count;
    heard.runs++;
    heard.last_id = matching_sbe_trade_id((const char *)data + (count - 1) * message_size);
    return 0;
}

static void on_error(void *context, uint64_t connection, int error, const char *text)
{
    (void)context;
    (void)connection;
    CU_ASSERT_EQUAL(error, 0);
    snprintf(heard.error, sizeof heard.error, "%s", text);
}

/* Answers of one shard wait for older ones of the other; the trades wait with them. */
static void test_a_trade_comes_behind_the_answer_to_its_orders(void)
{
    enum { ROUNDS = 10, PAIRS = 300 };
    static bool answered[16 * ROUNDS * PAIRS];
    uint64_t next[SOL + 1] = {0};
    size_t answers = 0, fills = 0, trades = 0;
    begin();
    TELL(&one, subscribe, .channels = SBE_CHANNEL_TRADES_EXACT);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < PAIRS; i++) {
            add_order(&one, in(limit(0, "ann", MATCHING_SELL, 100, 1), BTC + i % SOL));
            add_order(&one, in(limit(0, "bob", MATCHING_BUY, 100, 1), BTC + i % SOL));
        }
        go(&one);
    }
    while (answers + fills + trades < 4 * ROUNDS * PAIRS) {
        sbe_message message = hear(&one);
        if (message.template_id == SBE_TRADE_EXACT) {
            sbe_trade_exact trade;
            sbe_trade_exact_read(message.block, &trade);
            CU_ASSERT_EQUAL(trade.trade_id, ++next[trade.instrument_id]);
            CU_ASSERT_TRUE(answered[trade.buy_order_id]);
            CU_ASSERT_TRUE(answered[trade.sell_order_id]);
            trades++;
        } else if (sbe_execution_report_exec_type(message.block) == SBE_EXEC_NEW) {
            answered[sbe_execution_report_order_id(message.block)] = true;
            answers++;
        } else {
            fills++;
        }
    }
    CU_ASSERT_EQUAL(trades, ROUNDS * PAIRS);
    CU_ASSERT_EQUAL(answers, 2 * ROUNDS * PAIRS);
    end();
}

static void test_reported_trades_are_counted_and_enter_no_book(void)
{
    begin();
    for (uint64_t i = 1; i <= 100; i++) {
        ADD(&one, trade, .trade_id = i, .symbol = i % 4 == 0 ? 'E' : 'B', .price = 1.5,
            .quantity = 10);
    }
    ADD(&one, trade, .symbol = '?', .quantity = SBE_QUANTITY_MAX);
    TELL(&one, heartbeat, .timestamp = 1);
    hear_heartbeat(&one, 1);
    CU_ASSERT_EQUAL(counters.sbe_trades, 101);
    CU_ASSERT_EQUAL(counters.sbe_volume['B'], 750);
    CU_ASSERT_EQUAL(counters.sbe_volume['E'], 250);
    CU_ASSERT_EQUAL(counters.sbe_volume['?'], SBE_QUANTITY_MAX);
    ADD(&one, trade, .symbol = 'B', .quantity = 5);
    ADD(&one, trade, .symbol = 'B', .quantity = UINT32_MAX); /* null */
    ADD(&one, trade, .symbol = 'B', .quantity = 7);
    go(&one);
    hear_reject(&one, 0, SBE_TRADE, MATCHING_INVALID_QUANTITY, "quantity");
    hear_nothing(&one);
    CU_ASSERT_EQUAL(counters.sbe_trades, 103);
    CU_ASSERT_EQUAL(counters.sbe_volume['B'], 762);
    counters.sbe_volume['E'] = UINT64_MAX - 15; /* as after billions of the largest */
    for (unsigned i = 0; i < 2; i++) {
        ADD(&one, trade, .symbol = 'E', .quantity = 10);
        ADD(&one, trade, .symbol = 'B', .quantity = 1);
    }
    TELL(&one, heartbeat, .timestamp = 2);
    hear_heartbeat(&one, 2);
    CU_ASSERT_EQUAL(counters.sbe_volume['E'], UINT64_MAX);
    CU_ASSERT_EQUAL(counters.sbe_volume['B'], 764);
    TELL(&one, subscribe, .instrument_id = BTC, .channels = SBE_CHANNEL_BOOK);
    hear_book(&one, BTC, SBE_NULL_I64, 0, SBE_NULL_I64, 0);
    end();
}

static void test_reported_trades_are_handed_on(void)
{
    static const matching_sbe_handler handler = {.context = &heard,
                                                 .on_connect = on_connect,
                                                 .on_disconnect = on_disconnect,
                                                 .on_trades = on_trades,
                                                 .on_error = on_error};
    memset(&heard, 0, sizeof heard);
    prepare();
    trade_handler = &handler;
    open_door();
    connect_client(&one);
    connect_client(&two);
    for (uint64_t i = 1; i <= 10; i++) {
        ADD(&one, trade, .trade_id = i, .symbol = 'B');
    }
    ADD(&one, heartbeat, .timestamp = 1);
    ADD(&one, trade, .trade_id = 11, .symbol = 'B');
    ADD(&one, trade, .trade_id = 12, .symbol = 'B');
    one.length -= 9;
    go(&one);
    hear_heartbeat(&one, 1);
    hear_reject(&one, 0, SBE_TRADE, MATCHING_INVALID_MESSAGE, "INVALID_MESSAGE");
    hear_nothing(&one);
    CU_ASSERT_EQUAL(heard.connects, 2);
    CU_ASSERT_EQUAL(heard.trades, 11);
    CU_ASSERT_EQUAL(heard.runs, 2);
    CU_ASSERT_EQUAL(heard.last_id, 11);
    CU_ASSERT_STRING_EQUAL(heard.error, "insufficient data: expected 29 bytes, got 20");
    end();
    CU_ASSERT_EQUAL(heard.disconnects, 2);
}

/* ---- A door that stood still --------------------------------------------------------------- */

static atomic_bool is_held, stands_still;

static int hold(void *context, uint64_t connection, const matching_sbe_trade *trade)
{
    (void)context;
    (void)connection;
    (void)trade;
    atomic_store(&stands_still, true);
    while (atomic_load(&is_held)) {
        sched_yield();
    }
    return 0;
}

/* The addition of an instrument was among the events that were lost. */
static void test_an_instrument_that_was_added_unheard(void)
{
    static const matching_sbe_handler handler = {.on_trade = hold};
    uint32_t told = 0;
    prepare();
    trade_handler = &handler;
    event_ring_size = 1024;
    open_door();
    connect_client(&one);
    connect_client(&two);
    TELL(&one, subscribe, .channels = SBE_CHANNEL_BOOK);
    for (unsigned i = 0; i < 3; i++) {
        hear_block(&one, SBE_BOOK_UPDATE);
    }
    atomic_store(&is_held, true);
    TELL(&two, trade, .trade_id = 1);
    while (!atomic_load(&stands_still)) {
        sched_yield();
    }
    add_instrument("NEW", 4);
    bid_elsewhere("NEW", 2000, 1100);
    atomic_store(&is_held, false);
    while (told != 4) {
        sbe_message message = hear(&one);
        told = message.template_id == SBE_BOOK_UPDATE ? sbe_book_update_instrument_id(message.block)
                                                      : 0;
    }
    bid_elsewhere("NEW", 2001, 1);
    hear_book(&one, 4, 2001 * ONE, ONE, SBE_NULL_I64, 0);
    disconnect(&one);
    disconnect(&two);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_a_book_is_told_at_once_and_when_it_changes),
               MATCHING_TEST(test_a_crossed_book_has_no_prices),
               MATCHING_TEST(test_trades_are_told_in_both_forms),
               MATCHING_TEST(test_all_followers_see_all_trades),
               MATCHING_TEST(test_a_trade_comes_behind_the_answer_to_its_orders),
               MATCHING_TEST(test_all_instruments_are_followed_and_those_that_are_added),
               MATCHING_TEST(test_an_instrument_that_was_added_unheard),
               MATCHING_TEST(test_a_follower_of_all_at_its_limit_is_told),
               MATCHING_TEST(test_a_follower_of_all_that_is_ending_is_refused_nothing),
               MATCHING_TEST(test_states_are_told),
               MATCHING_TEST(test_bad_subscriptions_are_refused),
               MATCHING_TEST(test_reported_trades_are_counted_and_enter_no_book),
               MATCHING_TEST(test_reported_trades_are_handed_on))
