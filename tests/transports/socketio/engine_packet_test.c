/* Engine.IO's texts, letter by letter, and what is none. */
#include "engine_packet.h"

#include "support/cunit_main.h"

static void test_packets_are_read_by_their_digit(void)
{
    static const struct {
        const char *text;
        bool good, is_binary;
        eio_type type;
        const char *data;
    } table[] = {
        {"0{}", true, false, EIO_OPEN, "{}"},
        {"1", true, false, EIO_CLOSE, ""},
        {"2probe", true, false, EIO_PING, "probe"},
        {"3", true, false, EIO_PONG, ""},
        {"4hello", true, false, EIO_MESSAGE, "hello"},
        {"4\xe2\x82\xac", true, false, EIO_MESSAGE, "\xe2\x82\xac"},
        {"5", true, false, EIO_UPGRADE, ""},
        {"6", true, false, EIO_NOOP, ""},
        {"bAQIDBA==", true, true, EIO_MESSAGE, "AQIDBA=="},
        {"", false, false, 0, NULL},
        {"7", false, false, 0, NULL},
        {"abc", false, false, 0, NULL},
        {"/", false, false, 0, NULL},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        eio_packet packet;
        CU_ASSERT_EQUAL(eio_packet_read(table[i].text, strlen(table[i].text), &packet),
                        table[i].good);
        if (table[i].good) {
            CU_ASSERT_EQUAL(packet.type, table[i].type);
            CU_ASSERT_EQUAL(packet.is_binary, table[i].is_binary);
            CU_ASSERT_EQUAL(packet.data.length, strlen(table[i].data));
            CU_ASSERT_EQUAL(memcmp(packet.data.data, table[i].data, packet.data.length), 0);
        }
    }
}

/* How many packets there are before the end, or before what is none. */
static unsigned count_packets(const char *text, size_t length, eio_next *last)
{
    eio_payload payload = {.text = text, .length = length};
    eio_packet packet;
    unsigned count = 0;
    while ((*last = eio_payload_next(&payload, &packet)) == EIO_NEXT_PACKET) {
        count++;
    }
    return count;
}

static void test_bodies_are_split_at_the_separator(void)
{
    static const struct {
        const char *text;
        size_t length;
        unsigned count;
        eio_next last;
    } table[] = {
        {"4hello", 6, 1, EIO_NEXT_END},
        {"4hello\x1e"
         "2\x1e"
         "4world",
         15, 3, EIO_NEXT_END},
        {"bAQ==\x1e"
         "4x",
         8, 2, EIO_NEXT_END},
        {"", 0, 0, EIO_NEXT_BAD},
        {"4\x1e", 2, 1, EIO_NEXT_BAD},
        {"\x1e"
         "4",
         2, 0, EIO_NEXT_BAD},
        {"4a\x1ezz", 5, 1, EIO_NEXT_BAD},
        {"4a\0b\x1e"
         "3",
         6, 2, EIO_NEXT_END},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        eio_next last;
        CU_ASSERT_EQUAL(count_packets(table[i].text, table[i].length, &last), table[i].count);
        CU_ASSERT_EQUAL(last, table[i].last);
    }
}

static void test_the_handshake_tells_the_terms(void)
{
    static const eio_terms terms = {25000, 20000, 65536};
    static const char polling[] =
        "0{\"sid\":\"lv_VI97HAXpY6yYWAAAB\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,"
        "\"pingTimeout\":20000,\"maxPayload\":65536}";
    static const char websocket[] = "0{\"sid\":\"x\",\"upgrades\":[],\"pingInterval\":25000,"
                                    "\"pingTimeout\":20000,\"maxPayload\":65536}";
    matching_writer writer;
    matching_writer_init(&writer);
    eio_write_open(&writer, "lv_VI97HAXpY6yYWAAAB", true, &terms);
    CU_ASSERT_EQUAL(writer.length, strlen(polling));
    CU_ASSERT_EQUAL(memcmp(writer.data, polling, writer.length), 0);
    matching_writer_clear(&writer);
    eio_write_open(&writer, "x", false, &terms);
    CU_ASSERT_EQUAL(writer.length, strlen(websocket));
    CU_ASSERT_EQUAL(memcmp(writer.data, websocket, writer.length), 0);
    matching_writer_fini(&writer);
}

static void test_queries_are_judged_in_one_order(void)
{
    static const struct {
        eio_query query;
        eio_error error;
        eio_transport transport;
    } table[] = {
        {{"4", "polling", NULL, false, true}, EIO_FINE, EIO_POLLING},
        {{"4", "websocket", NULL, true, true}, EIO_FINE, EIO_WEBSOCKET},
        {{"4", "polling", "abc", false, false}, EIO_FINE, EIO_POLLING},
        {{"3", "polling", NULL, false, true}, EIO_UNSUPPORTED_VERSION, 0},
        {{NULL, "polling", NULL, false, true}, EIO_UNSUPPORTED_VERSION, 0},
        {{"3", "nothing", NULL, false, false}, EIO_UNSUPPORTED_VERSION, 0},
        {{"44", "polling", NULL, false, true}, EIO_UNSUPPORTED_VERSION, 0},
        {{"4", NULL, NULL, false, true}, EIO_UNKNOWN_TRANSPORT, 0},
        {{"4", "webtransport", NULL, false, true}, EIO_UNKNOWN_TRANSPORT, 0},
        {{"4", "polling", NULL, true, true}, EIO_BAD_REQUEST, 0},
        {{"4", "websocket", NULL, false, true}, EIO_BAD_REQUEST, 0},
        {{"4", "polling", NULL, false, false}, EIO_BAD_METHOD, 0},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        eio_transport transport = EIO_POLLING;
        CU_ASSERT_EQUAL(eio_query_judge(&table[i].query, &transport), table[i].error);
        if (table[i].error == EIO_FINE) {
            CU_ASSERT_EQUAL(transport, table[i].transport);
        }
    }
    CU_ASSERT_STRING_EQUAL(eio_error_body(EIO_UNSUPPORTED_VERSION),
                           "{\"code\":5,\"message\":\"Unsupported protocol version\"}");
    CU_ASSERT_STRING_EQUAL(eio_error_body(EIO_UNKNOWN_SID),
                           "{\"code\":1,\"message\":\"Session ID unknown\"}");
    CU_ASSERT_STRING_EQUAL(eio_error_body(EIO_UNKNOWN_TRANSPORT),
                           "{\"code\":0,\"message\":\"Transport unknown\"}");
    CU_ASSERT_STRING_EQUAL(eio_error_body(EIO_BAD_METHOD),
                           "{\"code\":2,\"message\":\"Bad handshake method\"}");
    CU_ASSERT_STRING_EQUAL(eio_error_body(EIO_BAD_REQUEST),
                           "{\"code\":3,\"message\":\"Bad request\"}");
}

/* RFC 4648 section 5; the vectors are of section 10, three bytes each. */
static void test_a_session_id_is_base64url(void)
{
    static const unsigned char bytes[15] = {'f', 'o', 'o', 'b', 'a', 'r', 0,  0,
                                            0,   255, 255, 255, 251, 239, 190};
    char text[EIO_SID_SIZE];
    eio_sid_print(bytes, text);
    CU_ASSERT_STRING_EQUAL(text, "Zm9vYmFyAAAA____----");
}

MATCHING_TESTS(MATCHING_TEST(test_packets_are_read_by_their_digit),
               MATCHING_TEST(test_bodies_are_split_at_the_separator),
               MATCHING_TEST(test_the_handshake_tells_the_terms),
               MATCHING_TEST(test_queries_are_judged_in_one_order),
               MATCHING_TEST(test_a_session_id_is_base64url))
