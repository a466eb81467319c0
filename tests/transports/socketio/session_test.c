/* The state machine of sessions: what may come when. */
#include "session.h"

#include "support/cunit_main.h"

static const eio_terms terms = {25000, 20000, 65536};
static eio_session session;

static void begin(eio_transport transport)
{
    eio_session_begin(&session, transport, &terms, 1000);
}

static eio_action receive(eio_carrier carrier, const char *text)
{
    eio_packet packet;
    CU_ASSERT_TRUE_FATAL(eio_packet_read(text, strlen(text), &packet));
    return eio_session_receive(&session, carrier, &packet, 1000);
}

static void push(const char *data)
{
    eio_text *text = eio_text_create(data, strlen(data));
    CU_ASSERT_TRUE(eio_session_push(&session, text));
    eio_text_release(text);
}

static void expect_answer(size_t most, const char *wanted)
{
    matching_writer writer;
    matching_writer_init(&writer);
    eio_session_take(&session, &writer, most);
    CU_ASSERT_EQUAL(writer.length, strlen(wanted));
    CU_ASSERT_EQUAL(memcmp(writer.data, wanted, writer.length), 0);
    matching_writer_fini(&writer);
}

static void test_a_get_waits_until_there_is_something(void)
{
    begin(EIO_POLLING);
    CU_ASSERT_EQUAL(eio_session_poll(&session), EIO_DO_HOLD);
    CU_ASSERT_FALSE(eio_session_has_answer(&session));
    push("4a");
    push("4b");
    CU_ASSERT_TRUE(eio_session_has_answer(&session));
    expect_answer(100, "4a\x1e"
                       "4b");
    CU_ASSERT_FALSE(eio_session_has_answer(&session));
    push("4c");
    CU_ASSERT_EQUAL(eio_session_poll(&session), EIO_DO_ANSWER);
    expect_answer(100, "4c");
    CU_ASSERT_EQUAL(session.bytes, 0);
    eio_session_end(&session);
}

static void test_an_answer_has_a_size(void)
{
    begin(EIO_POLLING);
    for (unsigned i = 0; i < 20; i++) {
        push(i % 2 == 0 ? "4even" : "4odd");
    }
    CU_ASSERT_EQUAL(session.bytes, 10 * 5 + 10 * 4);
    expect_answer(1, "4even"); /* one at least */
    expect_answer(14, "4odd\x1e"
                      "4even"); /* the next one would make it 15 */
    expect_answer(15, "4odd\x1e"
                      "4even\x1e"
                      "4odd");
    eio_session_end(&session);
    CU_ASSERT_EQUAL(session.bytes, 0);
}

static void test_a_second_get_or_post_ends_it(void)
{
    begin(EIO_POLLING);
    CU_ASSERT_EQUAL(eio_session_poll(&session), EIO_DO_HOLD);
    CU_ASSERT_EQUAL(eio_session_poll(&session), EIO_DO_CLOSE);
    eio_session_end(&session);
    begin(EIO_POLLING);
    CU_ASSERT_EQUAL(eio_session_post(&session), EIO_DO_NOTHING);
    eio_session_post_done(&session);
    CU_ASSERT_EQUAL(eio_session_post(&session), EIO_DO_NOTHING);
    CU_ASSERT_EQUAL(eio_session_post(&session), EIO_DO_CLOSE);
    eio_session_end(&session);
    CU_ASSERT_EQUAL(eio_session_post(&session), EIO_DO_REFUSE);
    CU_ASSERT_EQUAL(eio_session_poll(&session), EIO_DO_REFUSE);
}

static void test_a_get_that_breaks_off_ends_it(void)
{
    begin(EIO_POLLING);
    CU_ASSERT_EQUAL(eio_session_poll_gone(&session), EIO_DO_NOTHING);
    CU_ASSERT_EQUAL(eio_session_poll(&session), EIO_DO_HOLD);
    CU_ASSERT_EQUAL(eio_session_poll_gone(&session), EIO_DO_CLOSE);
    eio_session_end(&session);
}

static void test_an_upgrade_goes_by_probe_and_noop(void)
{
    begin(EIO_POLLING);
    CU_ASSERT_EQUAL(eio_session_poll(&session), EIO_DO_HOLD);
    CU_ASSERT_EQUAL(eio_session_probe(&session, 1000), EIO_DO_NOTHING);
    CU_ASSERT_FALSE(eio_session_has_answer(&session)); /* not before the probe is answered */
    CU_ASSERT_EQUAL(receive(EIO_FROM_PROBE, "2probe"), EIO_DO_PROBED);
    CU_ASSERT_TRUE(eio_session_has_answer(&session));
    expect_answer(100, "6");
    CU_ASSERT_EQUAL(eio_session_poll(&session), EIO_DO_ANSWER); /* at once, from now on */
    expect_answer(100, "6");
    push("4late");
    CU_ASSERT_EQUAL(receive(EIO_FROM_PROBE, "5"), EIO_DO_UPGRADE);
    CU_ASSERT_EQUAL(session.transport, EIO_WEBSOCKET);
    eio_text *text = eio_session_next(&session);
    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL(memcmp(text->data, "4late", text->length), 0);
    eio_text_release(text);
    CU_ASSERT_PTR_NULL(eio_session_next(&session));
    CU_ASSERT_EQUAL(eio_session_poll(&session), EIO_DO_REFUSE);
    CU_ASSERT_EQUAL(eio_session_post(&session), EIO_DO_REFUSE);
    CU_ASSERT_EQUAL(eio_session_probe(&session, 1000), EIO_DO_DROP);
    CU_ASSERT_EQUAL(receive(EIO_FROM_WEBSOCKET, "4x"), EIO_DO_DELIVER);
    eio_session_end(&session);
}

static void test_a_bad_probe_leaves_the_session_alone(void)
{
    static const char *const bad[] = {"5", "2", "2prob", "4x", "3probe", "1", "6"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        begin(EIO_POLLING);
        CU_ASSERT_EQUAL(eio_session_probe(&session, 1000), EIO_DO_NOTHING);
        CU_ASSERT_EQUAL(eio_session_probe(&session, 1000), EIO_DO_DROP); /* a third carrier */
        CU_ASSERT_EQUAL(receive(EIO_FROM_PROBE, bad[i]), EIO_DO_DROP);
        eio_session_probe_gone(&session);
        CU_ASSERT_EQUAL(session.transport, EIO_POLLING);
        CU_ASSERT_EQUAL(eio_session_poll(&session), EIO_DO_HOLD);
        CU_ASSERT_EQUAL(eio_session_probe(&session, 1000), EIO_DO_NOTHING); /* may try again */
        eio_session_end(&session);
        CU_ASSERT_EQUAL(receive(EIO_FROM_PROBE, "2probe"), EIO_DO_DROP);
    }
}

static void test_a_probe_has_ten_seconds(void)
{
    begin(EIO_POLLING);
    CU_ASSERT_EQUAL(eio_session_probe(&session, 1000), EIO_DO_NOTHING);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 10999), EIO_DO_NOTHING);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 11000), EIO_DO_DROP);
    eio_session_end(&session);
}

static void test_a_ping_wants_a_pong_in_time(void)
{
    eio_packet pong = {.type = EIO_PONG};
    begin(EIO_WEBSOCKET);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 25999), EIO_DO_NOTHING);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 26000), EIO_DO_PING);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 45999), EIO_DO_NOTHING);
    CU_ASSERT_EQUAL(eio_session_receive(&session, EIO_FROM_WEBSOCKET, &pong, 45999),
                    EIO_DO_NOTHING);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 46000), EIO_DO_NOTHING);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 70999), EIO_DO_PING);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 90998), EIO_DO_NOTHING);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 90999), EIO_DO_CLOSE);
    eio_session_end(&session);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 200000), EIO_DO_NOTHING);
}

/* A pong that nobody asked for does not put the next ping off. */
static void test_pongs_without_a_ping_count_for_nothing(void)
{
    eio_packet pong = {.type = EIO_PONG};
    begin(EIO_WEBSOCKET);
    CU_ASSERT_EQUAL(eio_session_receive(&session, EIO_FROM_WEBSOCKET, &pong, 20000),
                    EIO_DO_NOTHING);
    CU_ASSERT_EQUAL(eio_session_tick(&session, 26000), EIO_DO_PING);
    eio_session_end(&session);
}

static void test_packets_are_done_by_type(void)
{
    static const struct {
        const char *text;
        eio_action post, websocket;
    } table[] = {
        {"4x", EIO_DO_DELIVER, EIO_DO_DELIVER}, {"bAA==", EIO_DO_DELIVER, EIO_DO_DELIVER},
        {"6", EIO_DO_NOTHING, EIO_DO_NOTHING},  {"5", EIO_DO_CLOSE, EIO_DO_NOTHING},
        {"1", EIO_DO_CLOSE, EIO_DO_CLOSE},      {"2", EIO_DO_CLOSE, EIO_DO_CLOSE},
        {"0", EIO_DO_CLOSE, EIO_DO_CLOSE},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        begin(EIO_POLLING);
        CU_ASSERT_EQUAL(receive(EIO_FROM_POST, table[i].text), table[i].post);
        eio_session_end(&session);
        CU_ASSERT_EQUAL(receive(EIO_FROM_POST, table[i].text), EIO_DO_NOTHING);
        begin(EIO_WEBSOCKET);
        CU_ASSERT_EQUAL(receive(EIO_FROM_WEBSOCKET, table[i].text), table[i].websocket);
        eio_session_end(&session);
    }
}

/* One text for many: each holds a reference, and the last one frees it. */
static void test_texts_are_shared(void)
{
    enum { SESSIONS = 3 };
    eio_session many[SESSIONS];
    eio_text *text = eio_text_create("4x", 2);
    for (unsigned i = 0; i < SESSIONS; i++) {
        eio_session_begin(&many[i], EIO_POLLING, &terms, 0);
        CU_ASSERT_TRUE(eio_session_push(&many[i], text));
    }
    CU_ASSERT_EQUAL(text->references, SESSIONS + 1);
    for (unsigned i = 0; i < SESSIONS; i++) {
        eio_session_end(&many[i]);
    }
    CU_ASSERT_EQUAL(text->references, 1);
    eio_text_release(text);
}

MATCHING_TESTS(MATCHING_TEST(test_a_get_waits_until_there_is_something),
               MATCHING_TEST(test_an_answer_has_a_size),
               MATCHING_TEST(test_a_second_get_or_post_ends_it),
               MATCHING_TEST(test_a_get_that_breaks_off_ends_it),
               MATCHING_TEST(test_an_upgrade_goes_by_probe_and_noop),
               MATCHING_TEST(test_a_bad_probe_leaves_the_session_alone),
               MATCHING_TEST(test_a_probe_has_ten_seconds),
               MATCHING_TEST(test_a_ping_wants_a_pong_in_time),
               MATCHING_TEST(test_pongs_without_a_ping_count_for_nothing),
               MATCHING_TEST(test_packets_are_done_by_type), MATCHING_TEST(test_texts_are_shared))
