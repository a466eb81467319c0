/* The channel `ticker` over a real socket: at once, then what changed, and never a backlog. */
#include "door.h"
#include "door_fixture.h"

static ws_client watcher, trader;

static void begin(void)
{
    prepare();
    open_door();
    connect_client(&watcher);
    connect_client(&trader);
}

static void end(void)
{
    ws_client_close(&watcher);
    ws_client_close(&trader);
    close_door();
}

static void follow(ws_client *client)
{
    tell(client, "{\"type\":\"subscribe\",\"channels\":[\"ticker\"],\"symbols\":[\"BTCUSDT\"]}");
    expect_begin(client, "{\"type\":\"subscribed\",\"channels\":[\"ticker\"]}");
}

static void order(const char *who, const char *side, unsigned price, unsigned quantity)
{
    tell(&trader,
         "{\"type\":\"limit_order\",\"trader_id\":\"%s\",\"side\":\"%s\",\"price\":%u,"
         "\"quantity\":%u}",
         who, side, price, quantity);
    expect_begin(&trader, "{\"type\":\"order_ack\"");
}

/* The next message is a ticker with these members, up to its timestamp. */
static void expect_ticker(ws_client *client, const char *members)
{
    char wanted[512];
    snprintf(wanted, sizeof wanted,
             "{\"type\":\"ticker\",\"symbol\":\"BTCUSDT\",%s,\"timestamp\":", members);
    expect_begin(client, wanted);
}

#define NO_TRADE                                                                                   \
    "\"last\":null,\"open\":null,\"high\":null,\"low\":null,\"volume\":0,\"quote_volume\":0,"      \
    "\"count\":0,"

static void test_a_ticker_comes_at_once_and_when_it_changes(void)
{
    begin();
    follow(&watcher);
    expect_ticker(&watcher, NO_TRADE "\"best_bid\":null,\"best_ask\":null");
    order("a", "sell", 100, 2);
    expect_ticker(&watcher, NO_TRADE "\"best_bid\":null,\"best_ask\":100");
    order("a", "sell", 110, 2); /* behind the best: nothing to tell */
    order("b", "buy", 105, 3);
    expect_ticker(&watcher, "\"last\":100,\"open\":100,\"high\":100,\"low\":100,\"volume\":2,"
                            "\"quote_volume\":200,\"count\":1,\"best_bid\":105,\"best_ask\":110");
    order("b", "buy", 110, 1);
    expect_ticker(&watcher, "\"last\":110,\"open\":100,\"high\":110,\"low\":100,\"volume\":3,"
                            "\"quote_volume\":310,\"count\":2,\"best_bid\":105,\"best_ask\":110");
    follow(&watcher); /* again: a fresh one */
    expect_ticker(&watcher, "\"last\":110,\"open\":100,\"high\":110,\"low\":100,\"volume\":3,"
                            "\"quote_volume\":310,\"count\":2,\"best_bid\":105,\"best_ask\":110");
    end();
}

static void test_in_an_auction_it_tells_where_the_book_would_uncross(void)
{
    begin();
    set_state("auction");
    follow(&watcher);
    expect_ticker(&watcher, NO_TRADE "\"best_bid\":null,\"best_ask\":null");
    order("a", "buy", 101, 5);
    expect_ticker(&watcher, NO_TRADE "\"best_bid\":101,\"best_ask\":null");
    /* 4 of 5 trade at any price from 99 to 101; without a last trade it is the lowest. */
    order("b", "sell", 99, 4);
    expect_ticker(&watcher, NO_TRADE "\"best_bid\":null,\"best_ask\":null,"
                                     "\"indicative_price\":99,\"indicative_quantity\":4");
    /* At 100 all 5 trade, and at 101 too; 9 are offered at both; 100 is lower. */
    tell(&trader, "{\"type\":\"limit_order\",\"trader_id\":\"c\",\"side\":\"sell\",\"price\":100,"
                  "\"quantity\":5,\"display_quantity\":1,\"client_order_id\":\"berg\"}");
    expect_begin(&trader, "{\"type\":\"order_ack\"");
    expect_ticker(&watcher, NO_TRADE "\"best_bid\":null,\"best_ask\":null,"
                                     "\"indicative_price\":100,\"indicative_quantity\":5");
    /* With 0.5 of it 4.5 are offered. */
    tell(&trader, "{\"type\":\"amend_order\",\"trader_id\":\"c\",\"client_order_id\":\"berg\","
                  "\"quantity\":0.5}");
    expect_begin(&trader, "{\"type\":\"order_ack\"");
    expect_ticker(&watcher, NO_TRADE "\"best_bid\":null,\"best_ask\":null,"
                                     "\"indicative_price\":100,\"indicative_quantity\":4.5");
    set_state("halted"); /* still crossed, and nothing to tell */
    set_state("auction");
    set_state("trading");
    expect_ticker(&watcher, "\"last\":100,\"open\":100,\"high\":100,\"low\":100,\"volume\":4.5,"
                            "\"quote_volume\":450,\"count\":2,\"best_bid\":101,\"best_ask\":null");
    end();
}

/* A change that no level shows: only hidden quantity goes. */
static void test_hidden_quantity_counts_in_an_auction(void)
{
    begin();
    set_state("auction");
    order("a", "buy", 100, 50);
    tell(&trader, "{\"type\":\"limit_order\",\"trader_id\":\"c\",\"side\":\"sell\",\"price\":100,"
                  "\"quantity\":40,\"display_quantity\":1,\"client_order_id\":\"berg\"}");
    expect_begin(&trader, "{\"type\":\"order_ack\"");
    follow(&watcher);
    expect_ticker(&watcher, NO_TRADE "\"best_bid\":null,\"best_ask\":null,"
                                     "\"indicative_price\":100,\"indicative_quantity\":40");
    tell(&trader, "{\"type\":\"amend_order\",\"trader_id\":\"c\",\"client_order_id\":\"berg\","
                  "\"quantity\":30}");
    expect_begin(&trader, "{\"type\":\"order_ack\"");
    expect_ticker(&watcher, NO_TRADE "\"best_bid\":null,\"best_ask\":null,"
                                     "\"indicative_price\":100,\"indicative_quantity\":30");
    end();
}

static void test_who_has_unsubscribed_hears_no_more(void)
{
    begin();
    ws_client other;
    connect_client(&other);
    follow(&watcher);
    expect_begin(&watcher, "{\"type\":\"ticker\"");
    follow(&other);
    expect_begin(&other, "{\"type\":\"ticker\"");
    tell(&watcher, "{\"type\":\"unsubscribe\",\"channels\":[\"ticker\"]}");
    expect_begin(&watcher, "{\"type\":\"unsubscribed\",\"channels\":[\"ticker\"]}");
    order("a", "buy", 100, 1);
    expect_ticker(&other, NO_TRADE "\"best_bid\":100,\"best_ask\":null");
    tell(&watcher, "{\"type\":\"ping\"}");
    expect_begin(&watcher, "{\"type\":\"pong\"");
    /* Nobody follows: changes are no business of the door, and a newcomer sees them all the same.
     */
    ws_client_close(&other);
    order("a", "buy", 101, 1);
    follow(&watcher);
    expect_ticker(&watcher, NO_TRADE "\"best_bid\":101,\"best_ask\":null");
    end();
}

/* Whoever subscribes after an ack sees what was acknowledged, also between two rounds and while a
 * read for others is under way. */
static void test_a_newcomer_sees_what_was_acknowledged(void)
{
    begin();
    follow(&watcher);
    for (unsigned i = 1; i <= 50; i++) {
        char wanted[128];
        ws_client newcomer;
        connect_client(&newcomer);
        order("a", "buy", 100 + i, 1);
        follow(&newcomer);
        snprintf(wanted, sizeof wanted, NO_TRADE "\"best_bid\":%u,\"best_ask\":null", 100 + i);
        expect_ticker(&newcomer, wanted);
        ws_client_close(&newcomer);
    }
    CU_ASSERT(wait_until(&watcher, "\"best_bid\":150,"));
    end();
}

/* Thousands of trades, and no more tickers than rounds fit into the time that they took. */
static void test_many_changes_are_told_as_one(void)
{
    enum { TRADES = 3000 };
    begin();
    uint64_t began_ns = matching_monotonic_ns();
    follow(&watcher);
    for (unsigned i = 0; i < TRADES; i++) {
        order("a", "sell", 100, 1);
        order("b", "buy", 100, 1);
    }
    unsigned tickers = 0;
    for (bool done = false; !done; tickers++) {
        const char *text = hear(&watcher);
        CU_ASSERT_EQUAL(strncmp(text, "{\"type\":\"ticker\"", 16), 0);
        done = *text == '\0' || number_of(text, "count") == TRADES;
    }
    uint64_t rounds = (matching_monotonic_ns() - began_ns) / 1000000 / WS_TICKER_INTERVAL_MS + 1;
    CU_ASSERT(tickers <= rounds + 2); /* the first one, and a clock that rounds to milliseconds */
    CU_ASSERT(tickers < TRADES);
    end();
}

/* Snapshots of a deep book that it does not read make a backlog, in which tickers are left out;
 * what it reads last is the present. */
static void test_a_slow_follower_ends_up_right(void)
{
    enum { LEVELS = 900, SNAPSHOTS = 400 };
    begin();
    for (unsigned i = 0; i < LEVELS; i++) {
        order("a", "buy", 1000 + i, 1);
        order("a", "sell", 3000 + i, 1);
    }
    follow(&watcher);
    for (unsigned i = 0; i < SNAPSHOTS; i++) {
        tell(&watcher, "{\"type\":\"subscribe\",\"channels\":[\"depth\"],"
                       "\"symbols\":[\"BTCUSDT\"]}");
        order("a", "buy", 2000 + i, 1);
    }
    unsigned tickers = 0;
    for (unsigned best = 0; best != 2000 + SNAPSHOTS - 1;) {
        const char *text = hear(&watcher);
        if (*text == '\0') {
            break;
        }
        if (strncmp(text, "{\"type\":\"ticker\"", 16) == 0) {
            CU_ASSERT(number_of(text, "best_bid") >= best); /* never back */
            best = (unsigned)number_of(text, "best_bid");
            tickers++;
        }
    }
    CU_ASSERT(tickers <= SNAPSHOTS);
    order("a", "buy", 2900, 1);
    CU_ASSERT(wait_until(&watcher, "\"best_bid\":2900,"));
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_ticker_comes_at_once_and_when_it_changes),
               MATCHING_TEST(test_in_an_auction_it_tells_where_the_book_would_uncross),
               MATCHING_TEST(test_hidden_quantity_counts_in_an_auction),
               MATCHING_TEST(test_who_has_unsubscribed_hears_no_more),
               MATCHING_TEST(test_a_newcomer_sees_what_was_acknowledged),
               MATCHING_TEST(test_many_changes_are_told_as_one),
               MATCHING_TEST(test_a_slow_follower_ends_up_right))
