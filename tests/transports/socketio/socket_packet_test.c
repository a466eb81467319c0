/* Socket.IO's packets, letter by letter, and what is none. */
#include "socket_packet.h"

#include "support/cunit_main.h"

static bool is(matching_text text, const char *wanted)
{
    return text.length == strlen(wanted) &&
           (text.length == 0 || memcmp(text.data, wanted, text.length) == 0);
}

static void test_packets_are_read_from_left_to_right(void)
{
    static const struct {
        const char *text;
        sio_type type;
        unsigned attachments;
        const char *namespace_name;
        bool has_id;
        uint64_t id;
        const char *payload;
    } table[] = {
        {"0", SIO_CONNECT, 0, "/", false, 0, ""},
        {"0/ws/kline,", SIO_CONNECT, 0, "/ws/kline", false, 0, ""},
        {"0/ws/kline,{\"token\":\"123\"}", SIO_CONNECT, 0, "/ws/kline", false, 0,
         "{\"token\":\"123\"}"},
        {"1/ws/kline,", SIO_DISCONNECT, 0, "/ws/kline", false, 0, ""},
        {"1/ws/kline", SIO_DISCONNECT, 0, "/ws/kline", false, 0, ""},
        {"1", SIO_DISCONNECT, 0, "/", false, 0, ""},
        {"2[\"hello\",1]", SIO_EVENT, 0, "/", false, 0, "[\"hello\",1]"},
        {"2/ws/kline,[\"a\"]", SIO_EVENT, 0, "/ws/kline", false, 0, "[\"a\"]"},
        {"2/ws/kline,12[\"a\"]", SIO_EVENT, 0, "/ws/kline", true, 12, "[\"a\"]"},
        {"20[\"a\"]", SIO_EVENT, 0, "/", true, 0, "[\"a\"]"},
        {"29007199254740991[]", SIO_EVENT, 0, "/", true, SIO_ACK_ID_MAX, "[]"},
        {"3/admin,456[]", SIO_ACK, 0, "/admin", true, 456, "[]"},
        {"51-[\"hello\",{\"_placeholder\":true,\"num\":0}]", SIO_BINARY_EVENT, 1, "/", false, 0,
         "[\"hello\",{\"_placeholder\":true,\"num\":0}]"},
        {"52-/ws/kline,7[\"x\"]", SIO_BINARY_EVENT, 2, "/ws/kline", true, 7, "[\"x\"]"},
        {"61-/admin,456[]", SIO_BINARY_ACK, 1, "/admin", true, 456, "[]"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        sio_packet packet;
        CU_ASSERT_TRUE(sio_packet_read(table[i].text, strlen(table[i].text), &packet));
        CU_ASSERT_EQUAL(packet.type, table[i].type);
        CU_ASSERT_EQUAL(packet.attachments, table[i].attachments);
        CU_ASSERT_TRUE(is(packet.namespace_name, table[i].namespace_name));
        CU_ASSERT_EQUAL(packet.has_id, table[i].has_id);
        CU_ASSERT_EQUAL(packet.id, table[i].id);
        CU_ASSERT_TRUE(is(packet.payload, table[i].payload));
    }
}

static void test_what_breaks_the_protocol_is_no_packet(void)
{
    static const char *const table[] = {
        "",
        "7[]",
        "abc",
        "2",                       /* an event of nothing */
        "2{}",                     /* ... that is no array */
        "2/ws/kline",              /* ... that is not there */
        "2abc[\"a\"]",             /* an id that is none */
        "29007199254740992[]",     /* ... beyond 2^53 - 1 */
        "299999999999999999999[]", /* ... beyond any */
        "0[]",                     /* a token is an object */
        "012{}",                   /* nobody answers a CONNECT */
        "1/a,[]",                  /* nothing goes with a farewell */
        "3[]",                     /* an answer to what? */
        "4/a,{\"message\":\"x\"}", /* the server's alone */
        "5[\"a\"]",                /* how many attachments? */
        "5-[\"a\"]",
        "5100-[\"a\"]", /* too many */
        "0/a b,",
        "0/\x7f,",
        "0/\xc3\xa4,",
        "0/\n,", /* names are printable ASCII */
        "0/0123456789012345678901234567890123456789012345678901234567890123,",
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        sio_packet packet;
        bool read = sio_packet_read(table[i], strlen(table[i]), &packet);
        if (read) {
            printf("taken: %s\n", table[i]);
        }
        CU_ASSERT_FALSE(read);
    }
}

static matching_writer writer;

static void expect(const char *text)
{
    CU_ASSERT_EQUAL(writer.length, strlen(text));
    CU_ASSERT_EQUAL(memcmp(writer.data, text, writer.length), 0);
    matching_writer_clear(&writer);
}

static void test_answers_name_their_namespace(void)
{
    matching_writer_init(&writer);
    sio_write_connected(&writer, "abc");
    expect("40/ws/kline,{\"sid\":\"abc\"}");
    sio_write_connect_error(&writer, (matching_text){"/", 1}, "Invalid namespace");
    expect("44{\"message\":\"Invalid namespace\"}");
    sio_write_connect_error(&writer, (matching_text){"/a", 2}, "Invalid namespace");
    expect("44/a,{\"message\":\"Invalid namespace\"}");
    sio_begin_event(&writer, "error");
    expect("42/ws/kline,[\"error\",");
    sio_begin_ack(&writer, 12);
    expect("43/ws/kline,12[");
    matching_writer_fini(&writer);
    CU_ASSERT_TRUE(sio_is_our_namespace((matching_text){"/ws/kline", 9}));
    CU_ASSERT_FALSE(sio_is_our_namespace((matching_text){"/ws/kline/", 10}));
    CU_ASSERT_FALSE(sio_is_our_namespace((matching_text){"/ws/klinf", 9}));
    CU_ASSERT_FALSE(sio_is_our_namespace((matching_text){"/", 1}));
}

MATCHING_TESTS(MATCHING_TEST(test_packets_are_read_from_left_to_right),
               MATCHING_TEST(test_what_breaks_the_protocol_is_no_packet),
               MATCHING_TEST(test_answers_name_their_namespace))
