/* Traces: the spans of connections, frames and broadcasts. */
#include "sbe_fixture.h"
#include "support/spans.h"

static client one, two;

static void begin(void)
{
    spans_record(&spans_all);
    prepare();
    open_door();
    connect_client(&one);
}

static void test_the_orders_of_a_frame_are_below_its_span(void)
{
    begin();
    add_order(&one, limit(1, "ann", MATCHING_BUY, 100, 1));
    add_order(&one, limit(2, "ann", MATCHING_BUY, 90, 1));
    size_t bytes = one.length;
    go(&one);
    hear_report(&one, 1, SBE_EXEC_NEW, MATCHING_OPEN);
    hear_report(&one, 2, SBE_EXEC_NEW, MATCHING_OPEN);
    disconnect(&one);
    close_door();
    const span_record *frame = spans_only("sbe.message.handle");
    CU_ASSERT_STRING_EQUAL(span_text(frame, "message.type"), "new_order");
    CU_ASSERT_EQUAL(span_number(frame, "message.count"), 2);
    CU_ASSERT_EQUAL(span_number(frame, "message.size_bytes"), bytes);
    CU_ASSERT_STRING_EQUAL(span_text(frame, "user.id"), "ann");
    CU_ASSERT_PTR_NULL(span_error(frame));
    CU_ASSERT_EQUAL_FATAL(spans_count("order.match"), 2);
    CU_ASSERT_TRUE(span_is_below(spans_nth("order.match", 0), frame));
    CU_ASSERT_TRUE(span_is_below(spans_nth("order.match", 1), frame));
    const span_record *connection = spans_only("sbe.connection");
    CU_ASSERT_TRUE(span_is_linked(frame, connection));
    CU_ASSERT_TRUE(span_is_below(connection, spans_only("sbe.upgrade")));
    CU_ASSERT_EQUAL(span_number(connection, "connection.messages_received"), 2);
    spans_forget();
}

/* Each frame is one span; its type is that of all that stands in it. */
static void test_a_frame_tells_what_stands_in_it(void)
{
    static const struct {
        const char *type;
        uint64_t count;
    } cases[] = {{"heartbeat", 1}, {"trade", 3}, {"mixed", 3}, {"unknown", UINT64_MAX}};
    const size_t count = sizeof cases / sizeof cases[0];
    begin();
    TELL(&one, heartbeat, .timestamp = 1);
    hear_heartbeat(&one, 1);
    for (unsigned i = 0; i < 3; i++) {
        ADD(&one, trade, .symbol = 'B', .quantity = 1);
    }
    go(&one);
    add_order(&one, limit(1, "ann", MATCHING_BUY, 100, 1));
    ADD(&one, heartbeat, .timestamp = 2);
    ADD(&one, heartbeat, .timestamp = 3);
    go(&one);
    hear_report(&one, 1, SBE_EXEC_NEW, MATCHING_OPEN);
    hear_heartbeat(&one, 2);
    hear_heartbeat(&one, 3);
    memset(one.out, 0, 3);
    one.length = 3;
    go(&one);
    hear_block(&one, SBE_REJECT);
    disconnect(&one);
    close_door();
    CU_ASSERT_EQUAL_FATAL(spans_count("sbe.message.handle"), count);
    for (size_t i = 0; i < count; i++) {
        const span_record *frame = spans_nth("sbe.message.handle", i);
        CU_ASSERT_STRING_EQUAL(span_text(frame, "message.type"), cases[i].type);
        CU_ASSERT_EQUAL(span_number(frame, "message.count"), cases[i].count);
    }
    CU_ASSERT_PTR_NULL(span_error(spans_nth("sbe.message.handle", 2)));
    CU_ASSERT_STRING_EQUAL(span_error(spans_nth("sbe.message.handle", 3)), "INVALID_MESSAGE");
    spans_forget();
}

static void test_a_refused_order_tells_why(void)
{
    begin();
    tell_order(&one, in(limit(1, "ann", MATCHING_BUY, 100, 1), 99));
    CU_ASSERT_EQUAL(hear(&one).template_id, SBE_REJECT);
    disconnect(&one);
    close_door();
    CU_ASSERT_STRING_EQUAL(span_error(spans_only("sbe.message.handle")), "UNKNOWN_SYMBOL");
    spans_forget();
}

static void test_a_broadcast_is_one_span_however_many_it_reaches(void)
{
    static const struct {
        const char *channel;
        uint64_t recipients, count;
    } cases[] = {{"trades", 2, 1}, {"trades_exact", 1, 1}, {"book", 2, UINT64_MAX}};
    begin();
    connect_client(&two);
    TELL(&one, subscribe, .instrument_id = BTC,
         .channels = SBE_CHANNEL_TRADES | SBE_CHANNEL_BOOK | SBE_CHANNEL_TRADES_EXACT);
    hear_block(&one, SBE_BOOK_UPDATE);
    TELL(&two, subscribe, .instrument_id = BTC, .channels = SBE_CHANNEL_TRADES | SBE_CHANNEL_BOOK);
    hear_block(&two, SBE_BOOK_UPDATE);
    bid_elsewhere("BTCUSDT", 100, 1);
    hear_block(&one, SBE_BOOK_UPDATE);
    hear_block(&two, SBE_BOOK_UPDATE);
    tell_order(&one, limit(1, "bob", MATCHING_SELL, 100, 1));
    while (hear(&two).template_id != SBE_TRADE) {
    }
    disconnect(&one);
    disconnect(&two);
    close_door();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const span_record *span = spans_with("sbe.broadcast", "channel", cases[i].channel);
        CU_ASSERT_PTR_NOT_NULL_FATAL(span);
        CU_ASSERT_STRING_EQUAL(span_text(span, "symbol"), "BTCUSDT");
        CU_ASSERT_EQUAL(span_number(span, "recipients"), cases[i].recipients);
        CU_ASSERT_EQUAL(span_number(span, "message.count"), cases[i].count);
        CU_ASSERT_EQUAL(span->kind, MATCHING_SPAN_PRODUCER);
    }
    spans_forget();
}

MATCHING_TESTS(MATCHING_TEST(test_the_orders_of_a_frame_are_below_its_span),
               MATCHING_TEST(test_a_frame_tells_what_stands_in_it),
               MATCHING_TEST(test_a_refused_order_tells_why),
               MATCHING_TEST(test_a_broadcast_is_one_span_however_many_it_reaches))
