/* When followers are told of candles, by clocks of the test's own: the monotonic one is what turn
 * is called with, the shard's what its tickers say. Trades are events that the test makes; what the
 * feed reads, a real core answers, whose own time is of no account.
 */
#include <sched.h>
#include <string.h>

#include "matching/candle_feed.h"
#include "support/cunit_main.h"

#define MS UINT64_C(1000000)
#define SECOND (1000 * MS)
#define DEADLINE_NS (20 * SECOND)
#define BEGIN_MS UINT64_C(5000)           /* monotonic */
#define BEGIN_S (UINT64_C(86400) * 30000) /* of a day */
#define KEPT 4
#define TOLD_MAX 1024

typedef struct telling {
    matching_candle candle;
    uint64_t at_ms;
} telling;

static matching_core *core;
static matching_port *port;
static matching_candle_feed *feed;
static uint64_t now_ms, unix_ns;  /* the clocks */
static uint64_t trades, position; /* so many trades, so many events, have come */
static uint64_t events_ahead;     /* that a read knows of and the port has not delivered */
static telling told[TOLD_MAX];
static size_t told_count;

static void on_candle(void *context, uint16_t instrument, const matching_candle *candle)
{
    (void)context;
    CU_ASSERT_EQUAL(instrument, 0);
    CU_ASSERT_TRUE_FATAL(told_count < TOLD_MAX);
    told[told_count++] = (telling){*candle, now_ms};
}

/* What it was as of the test's clock. */
static void on_reply(void *context, const matching_reply *reply)
{
    matching_reply copy = *reply;
    matching_ticker ticker;
    (void)context;
    copy.events_end = position + events_ahead;
    if (reply->ticker != NULL) {
        ticker = *reply->ticker;
        ticker.time_ns = unix_ns;
        copy.ticker = &ticker;
    }
    CU_ASSERT_TRUE(matching_candle_feed_reply(feed, &copy));
}

static void do_nothing(void *context)
{
    (void)context;
}

/* All that was asked is answered. */
static void settle(void)
{
    uint64_t deadline_ns = matching_monotonic_ns() + DEADLINE_NS;
    matching_port_flush(port);
    while (matching_port_in_flight(port) > 0 && matching_monotonic_ns() < deadline_ns) {
        matching_port_poll(port, 64);
        sched_yield();
    }
    CU_ASSERT_EQUAL(matching_port_in_flight(port), 0);
}

static uint64_t turn(void)
{
    return matching_candle_feed_turn(feed, now_ms, unix_ns, true);
}

/* Two turns and what is read in between, in no time. */
static uint64_t turn_and_turn_again(void)
{
    turn();
    settle();
    return turn();
}

static void pass_ms(uint64_t ms)
{
    now_ms += ms;
    unix_ns += ms * MS;
}

static void begin(uint32_t batch_ms)
{
    static const matching_instrument_options instrument = {
        .symbol = "X", .id = 1, .tick_size = 1, .lot_size = 1};
    static const matching_port_handlers port_handlers = {.on_reply = on_reply, .wake = do_nothing};
    static const matching_candle_feed_handlers handlers = {.on_candle = on_candle};
    matching_core_options options;
    char error[256] = "";
    matching_core_options_default(&options);
    options.instruments = &instrument;
    options.instrument_count = options.max_instruments = options.shards = 1;
    options.max_orders = options.max_traders = options.retained_orders = 1024;
    options.recent_trades = 16;
    core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    port = matching_port_create(core, &port_handlers, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(port);
    const matching_candle_feed_options wanted = {
        .core = core, .port = port, .batch_ms = batch_ms, .kept = KEPT};
    feed = matching_candle_feed_create(&wanted, &handlers, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(feed);
    CU_ASSERT_EQUAL_FATAL(matching_core_start(core, error, sizeof error), 0);
    now_ms = BEGIN_MS;
    unix_ns = BEGIN_S * SECOND;
    trades = position = events_ahead = 0;
    turn_and_turn_again(); /* it looks for trades of before */
    CU_ASSERT_FALSE(matching_candle_feed_is_behind(feed, 0));
    told_count = 0;
}

static void end(void)
{
    settle();
    matching_core_stop(core);
    matching_candle_feed_destroy(feed);
    matching_core_destroy(core);
}

static void follow(matching_interval interval)
{
    matching_candle_feed_follow(feed, 0, interval, true);
}

static void trade(void)
{
    matching_event event = {.kind = MATCHING_EVENT_TRADE, .time_ns = unix_ns};
    event.trade.trade_id = ++trades;
    event.trade.price_ticks = 100;
    event.trade.quantity_lots = 1;
    matching_candle_feed_event(feed, 0, position++, &event);
}

/* The last one told; fatal if there is none. */
static const telling *last(void)
{
    CU_ASSERT_TRUE_FATAL(told_count > 0);
    return &told[told_count - 1];
}

/* ---- Running candles ------------------------------------------------------------------------- */

/* A trade and a turn each millisecond: it is told at once, and then each batch_ms with all that was
 * traded up to then. */
static void test_a_running_candle_is_told_once_a_batch(void)
{
    static const uint32_t batches[] = {1, 7, 50, 300, 10000};
    for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
        begin(batches[b]);
        follow(MATCHING_D1);
        for (unsigned i = 0; i < 1000; i++) {
            trade();
            turn();
            pass_ms(1);
        }
        CU_ASSERT_EQUAL(told_count, (1000 + batches[b] - 1) / batches[b]);
        for (size_t i = 0; i < told_count; i++) {
            CU_ASSERT_EQUAL(told[i].at_ms, BEGIN_MS + i * batches[b]);
            CU_ASSERT_EQUAL(told[i].candle.update_count, 1 + i * batches[b]);
            CU_ASSERT_FALSE(told[i].candle.is_final);
        }
        end();
    }
}

static void test_intervals_wait_for_themselves(void)
{
    begin(50);
    follow(MATCHING_M1);
    trade();
    turn();
    CU_ASSERT_EQUAL(told_count, 1);
    pass_ms(30);
    follow(MATCHING_H1);
    trade();
    turn();
    CU_ASSERT_EQUAL(told_count, 2); /* that of an hour has not been told before */
    CU_ASSERT_EQUAL(last()->candle.interval, MATCHING_H1);
    pass_ms(20);
    turn();
    CU_ASSERT_EQUAL(told_count, 3);
    CU_ASSERT_EQUAL(last()->candle.interval, MATCHING_M1);
    CU_ASSERT_EQUAL(last()->candle.update_count, 2);
    end();
}

/* Whoever sleeps as long as turn says tells in time, and no more often than needed. */
static void test_a_turn_says_when_the_next_one_is_due(void)
{
    begin(50);
    follow(MATCHING_D1);
    trade();
    turn();
    pass_ms(10);
    trade();
    CU_ASSERT_EQUAL(turn(), 40);
    CU_ASSERT_EQUAL(told_count, 1);
    pass_ms(39);
    CU_ASSERT_EQUAL(turn(), 1);
    CU_ASSERT_EQUAL(told_count, 1);
    pass_ms(1);
    CU_ASSERT_TRUE(turn() > 50); /* nothing is left to be told */
    CU_ASSERT_EQUAL(told_count, 2);
    CU_ASSERT_EQUAL(last()->candle.update_count, 2);
    pass_ms(1000);
    turn();
    CU_ASSERT_EQUAL(told_count, 2); /* nothing was traded */
    trade();
    turn();
    CU_ASSERT_EQUAL(told_count, 3); /* at once, after so long a time */
    end();
}

static void test_without_a_batch_each_turn_tells(void)
{
    begin(0);
    follow(MATCHING_D1);
    for (unsigned i = 1; i <= 10; i++) {
        trade();
        trade();
        turn();
        CU_ASSERT_EQUAL(told_count, i);
        CU_ASSERT_EQUAL(last()->candle.update_count, 2 * i);
    }
    turn();
    CU_ASSERT_EQUAL(told_count, 10);
    end();
}

/* ---- Final candles --------------------------------------------------------------------------- */

/* However long a batch is. Nobody trades any more; the clock ends the candle, and not before. */
static void test_a_final_candle_does_not_wait_for_a_batch(void)
{
    begin(10000);
    follow(MATCHING_S1);
    follow(MATCHING_M1);
    trade();
    turn();
    CU_ASSERT_EQUAL(told_count, 2);
    pass_ms(300);
    trade();
    trade();
    CU_ASSERT_TRUE(turn() <= 701); /* it does not sleep past the candle's end */
    unix_ns = (BEGIN_S + 1) * SECOND - 1;
    turn();
    CU_ASSERT_EQUAL(matching_port_in_flight(port), 0); /* nothing to ask yet */
    CU_ASSERT_EQUAL(told_count, 2);
    unix_ns++;
    turn();
    CU_ASSERT_EQUAL(matching_port_in_flight(port), 1);
    settle();
    turn();
    CU_ASSERT_EQUAL(told_count, 3);
    CU_ASSERT_TRUE(last()->candle.is_final);
    CU_ASSERT_EQUAL(last()->candle.interval, MATCHING_S1);
    CU_ASSERT_EQUAL(last()->candle.update_count, 3);
    CU_ASSERT_EQUAL(last()->at_ms, BEGIN_MS + 300); /* no time has passed */
    for (unsigned i = 0; i < 5; i++) {
        pass_ms(1000);
        turn_and_turn_again();
    }
    CU_ASSERT_EQUAL(told_count, 3); /* once, and that of the minute waits for its batch */
    end();
}

/* The next trade ends the one before; what begins is told at once too, and then waits. */
static void test_a_trade_ends_the_candle_before(void)
{
    begin(10000);
    follow(MATCHING_S1);
    trade();
    turn();
    trade();
    turn();
    CU_ASSERT_EQUAL(told_count, 1);
    pass_ms(1000);
    trade();
    CU_ASSERT_EQUAL(told_count, 2);
    CU_ASSERT_TRUE(last()->candle.is_final);
    CU_ASSERT_EQUAL(last()->candle.start_s, BEGIN_S);
    CU_ASSERT_EQUAL(last()->candle.update_count, 2);
    turn();
    CU_ASSERT_EQUAL(told_count, 3);
    CU_ASSERT_FALSE(last()->candle.is_final);
    CU_ASSERT_EQUAL(last()->candle.start_s, BEGIN_S + 1);
    trade();
    turn();
    CU_ASSERT_EQUAL(told_count, 3);
    end();
}

/* A candle a second, each with trades that its batch kept back: every one of them is told at its
 * end, in order, whole, and once. */
static void test_every_candle_is_told_as_it_was_at_its_end(void)
{
    size_t finals = 0;
    begin(10000);
    follow(MATCHING_S1);
    for (unsigned i = 0; i < 60; i++) {
        for (unsigned k = 0; k <= i % 5; k++) {
            trade();
            pass_ms(10);
            turn();
        }
        unix_ns = (BEGIN_S + 1 + i) * SECOND;
        turn_and_turn_again();
    }
    for (size_t i = 0; i < told_count; i++) {
        if (told[i].candle.is_final) {
            CU_ASSERT_EQUAL(told[i].candle.start_s, BEGIN_S + finals);
            CU_ASSERT_EQUAL(told[i].candle.update_count, 1 + finals % 5);
            finals++;
        }
    }
    CU_ASSERT_EQUAL(finals, 60);
    CU_ASSERT_EQUAL(told_count, 2 * finals); /* and how each began */
    end();
}

/* A trade that the shard knew when it was asked for its time belongs to the candle. */
static void test_a_trade_on_its_way_is_waited_for(void)
{
    begin(50);
    follow(MATCHING_S1);
    trade();
    turn();
    events_ahead = 1;
    pass_ms(1000);
    turn_and_turn_again();
    CU_ASSERT_EQUAL(told_count, 1);
    unix_ns -= 1; /* it was entered in the candle's last moment */
    trade();
    unix_ns += 1;
    CU_ASSERT_EQUAL(told_count, 1);
    turn();
    CU_ASSERT_EQUAL(told_count, 2);
    CU_ASSERT_TRUE(last()->candle.is_final);
    CU_ASSERT_EQUAL(last()->candle.update_count, 2);
    end();
}

/* What ends while nobody follows is kept all the same. */
static void test_only_what_is_followed_is_told(void)
{
    begin(0);
    follow(MATCHING_S30);
    trade();
    turn();
    CU_ASSERT_EQUAL(told_count, 1);
    matching_candle_feed_follow(feed, 0, MATCHING_S30, false);
    trade();
    pass_ms(60000);
    turn_and_turn_again();
    CU_ASSERT_EQUAL(told_count, 1);
    CU_ASSERT_EQUAL(matching_candle_feed_kept(feed, 0, MATCHING_S30), 1); /* but kept */
    CU_ASSERT_EQUAL(matching_candle_feed_final(feed, 0, MATCHING_S30, 0)->update_count, 2);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_running_candle_is_told_once_a_batch),
               MATCHING_TEST(test_intervals_wait_for_themselves),
               MATCHING_TEST(test_a_turn_says_when_the_next_one_is_due),
               MATCHING_TEST(test_without_a_batch_each_turn_tells),
               MATCHING_TEST(test_a_final_candle_does_not_wait_for_a_batch),
               MATCHING_TEST(test_a_trade_ends_the_candle_before),
               MATCHING_TEST(test_every_candle_is_told_as_it_was_at_its_end),
               MATCHING_TEST(test_a_trade_on_its_way_is_waited_for),
               MATCHING_TEST(test_only_what_is_followed_is_told))
