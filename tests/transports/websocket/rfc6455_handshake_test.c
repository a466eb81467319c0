/* RFC 6455 section 4 over a real socket: the handshake, and what a server must not take for one. */
#define _GNU_SOURCE /* strcasestr */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_peer.h"

#define HOST "Host: localhost\r\n"
#define UPGRADE "Upgrade: websocket\r\n"
#define CONNECTION "Connection: Upgrade\r\n"
#define VERSION "Sec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define GOOD HOST UPGRADE CONNECTION VERSION KEY

typedef struct answer {
    unsigned status;
    char head[2048]; /* up to the empty line */
} answer;

/* A connection that has sent these bytes. */
static int open_with(const char *bytes, size_t length)
{
    const char *colon = strrchr(door.address, ':');
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10)),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct timeval deadline = {DEADLINE_MS / 1000, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    CU_ASSERT_EQUAL(send(fd, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
    return fd;
}

static void read_answer(int fd, answer *got)
{
    size_t length = 0;
    *got = (answer){.status = 0};
    while (length < sizeof got->head - 1 && recv(fd, got->head + length, 1, 0) == 1) {
        got->head[++length] = '\0';
        if (length >= 4 && strcmp(got->head + length - 4, "\r\n\r\n") == 0) {
            break;
        }
    }
    if (length > 0) {
        CU_ASSERT_EQUAL(sscanf(got->head, "HTTP/1.1 %u ", &got->status), 1);
    }
}

static void ask(const char *request, answer *got)
{
    int fd = open_with(request, strlen(request));
    read_answer(fd, got);
    close(fd);
}

/* 4.2.2: the answer, with the key of the RFC's own example; nothing that was not asked for. */
static void test_the_answer_to_a_handshake(void)
{
    static const char *const requests[] = {
        "GET /ws HTTP/1.1\r\n" GOOD "\r\n",
        "GET /ws HTTP/1.1\r\nhost:localhost\r\nUPGRADE: WebSocket\r\n"
        "connection: keep-alive,  upGrade\r\n"
        "sec-websocket-version:13\r\nSEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        "GET /ws HTTP/1.1\r\n" GOOD "Sec-WebSocket-Extensions: x-unknown; a=1, b\r\n\r\n",
        "GET /ws HTTP/1.1\r\n" GOOD "Content-Length: 0\r\nX-Other: 1\r\n\r\n",
        "GET /ws HTTP/1.1\r\nX-Other:\r\nCookie: \r\n" GOOD "X-Another: \r\n\r\n",
        "GET /ws HTTP/1.1\r\n" GOOD "Sec-WebSocket-Protocol:\r\n"
        "Sec-WebSocket-Extensions: \r\n\r\n",
    };
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        answer got;
        ask(requests[i], &got);
        CU_ASSERT_EQUAL(got.status, 101);
        CU_ASSERT_PTR_NOT_NULL(
            strstr(got.head, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
        CU_ASSERT_PTR_NOT_NULL(strcasestr(got.head, "\r\nUpgrade: websocket\r\n"));
        CU_ASSERT_PTR_NOT_NULL(strcasestr(got.head, "\r\nConnection: Upgrade\r\n"));
        CU_ASSERT_PTR_NULL(strcasestr(got.head, "Sec-WebSocket-Extensions"));
        CU_ASSERT_PTR_NULL(strcasestr(got.head, "Sec-WebSocket-Protocol"));
    }
    close_door();
}

/* 4.2.1, 4.4 */
static void test_faults_of_a_handshake(void)
{
    static const struct {
        const char *request;
        unsigned status;
    } rows[] = {
        {"GET /ws HTTP/1.0\r\n" GOOD "\r\n", 400},
        {"HEAD /ws HTTP/1.1\r\n" GOOD "\r\n", 405},
        {"POST /ws HTTP/1.1\r\n" GOOD "Content-Length: 0\r\n\r\n", 405},
        {"PUT /ws HTTP/1.1\r\n" GOOD "Content-Length: 0\r\n\r\n", 405},
        {"GET /ws HTTP/1.1\r\n" UPGRADE CONNECTION VERSION KEY "\r\n", 400},
        {"GET /ws HTTP/1.1\r\n" HOST CONNECTION VERSION KEY "\r\n", 426},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE VERSION KEY "\r\n", 400},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE "Connection: close\r\n" VERSION KEY "\r\n", 400},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE "Connection: Upgrades\r\n" VERSION KEY "\r\n", 400},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY "\r\n", 426},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 8\r\n\r\n",
         426},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 130\r\n\r\n",
         426},
        {"GET /ws HTTP/1.1\r\n" GOOD VERSION "\r\n", 426}, /* twice */
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION VERSION "\r\n", 400},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION VERSION "Sec-WebSocket-Key: \r\n\r\n", 400},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION VERSION
         "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
         400},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION VERSION
         "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
         400},
        {"GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION VERSION
         "Sec-WebSocket-Key: AAAAAAAAAA!AAAAAAAAAAA==\r\n\r\n",
         400},
        {"GET /ws HTTP/1.1\r\n" GOOD KEY "\r\n", 400}, /* twice */
        {"GET /ws HTTP/1.1\r\n" GOOD "Content-Length: 2\r\n\r\n{}", 400},
        {"GET /ws HTTP/1.1\r\n" GOOD "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"GET /nowhere HTTP/1.1\r\n" GOOD "\r\n", 404},
    };
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answer got;
        ask(rows[i].request, &got);
        if (got.status != rows[i].status) {
            printf("%u instead of %u for %s", got.status, rows[i].status, rows[i].request);
        }
        CU_ASSERT_EQUAL(got.status, rows[i].status);
    }
    close_door();
}

/* 4.4: which version it should have been. */
static void test_another_version_is_told_the_right_one(void)
{
    answer got;
    prepare();
    open_door();
    ask("GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION KEY "Sec-WebSocket-Version: 7\r\n\r\n",
        &got);
    CU_ASSERT_EQUAL(got.status, 426);
    CU_ASSERT_PTR_NOT_NULL(strcasestr(got.head, "\r\nSec-WebSocket-Version: 13\r\n"));
    close_door();
}

/* 4.2.2: a subprotocol that is not spoken here. */
static void test_another_subprotocol_is_told_the_right_one(void)
{
    static const char request[] =
        "GET /ws HTTP/1.1\r\n" GOOD "Sec-WebSocket-Protocol: chat, matchings\r\n\r\n";
    char body[256];
    answer got;
    prepare();
    open_door();
    int fd = open_with(request, sizeof request - 1);
    read_answer(fd, &got);
    CU_ASSERT_EQUAL(got.status, 400);
    ssize_t length = recv(fd, body, sizeof body - 1, MSG_WAITALL);
    CU_ASSERT_FATAL(length > 0);
    body[length] = '\0';
    CU_ASSERT_STRING_EQUAL(body, "{\"error\":\"the only subprotocol here is 'matching'; ask for "
                                 "that or for none\",\"code\":\"INVALID_PARAMETER\"}");
    close(fd);
    close_door();
}

/* 9.1, RFC 7692: what is offered and not taken is not told, and its bit stays a fault. */
static void test_extensions_are_declined(void)
{
    static const char *const offers[] = {
        "permessage-deflate; nonsense=99",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; client_no_context_takeover=1",
        "permessage-deflate; server_max_window_bits=16, permessage-bzip2",
        "x-webkit-deflate-frame",
    };
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof offers / sizeof offers[0]; i++) {
        char request[512];
        answer got;
        int length =
            snprintf(request, sizeof request,
                     "GET /ws HTTP/1.1\r\n" GOOD "Sec-WebSocket-Extensions: %s\r\n\r\n", offers[i]);
        int fd = open_with(request, (size_t)length);
        read_answer(fd, &got);
        CU_ASSERT_EQUAL(got.status, 101);
        CU_ASSERT_PTR_NULL(strcasestr(got.head, "Sec-WebSocket-Extensions"));
        peer_send(fd, FIN | 0x40 | TEXT, "\xaa\x56\x2a\xa9", 4);
        peer_expect_end(fd, 1002);
    }
    close_door();
}

#define AGREED "permessage-deflate; server_no_context_takeover; client_no_context_takeover"

/* RFC 7692 section 7.1: the first offer that can be taken, in however many headers; none in an
 * answer that is no handshake, and none where it is switched off. */
static void test_permessage_deflate_is_agreed_on(void)
{
    static const char *const rows[][2] = {
        {"permessage-deflate", AGREED},
        {"permessage-deflate; client_max_window_bits", AGREED},
        {"permessage-deflate; server_max_window_bits=10\r\n"
         "Sec-WebSocket-Extensions: permessage-deflate",
         AGREED "; server_max_window_bits=10"},
        {"x\r\nSec-WebSocket-Extensions: permessage-deflate", AGREED},
    };
    prepare();
    for (unsigned switched_off = 0; switched_off < 2; switched_off++) {
        config.websocket.permessage_deflate = !switched_off;
        open_door();
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            char request[512], wanted[256];
            answer got;
            snprintf(request, sizeof request,
                     "GET /ws HTTP/1.1\r\n" GOOD "Sec-WebSocket-Extensions: %s\r\n\r\n",
                     rows[i][0]);
            snprintf(wanted, sizeof wanted, "\r\nSec-WebSocket-Extensions: %s\r\n", rows[i][1]);
            ask(request, &got);
            CU_ASSERT_EQUAL(got.status, 101);
            CU_ASSERT_EQUAL(strcasestr(got.head, wanted) != NULL, !switched_off);
            CU_ASSERT_EQUAL(strcasestr(got.head, "-Extensions") != NULL, !switched_off);
        }
        answer got;
        ask("GET /ws HTTP/1.1\r\n" HOST UPGRADE CONNECTION VERSION
            "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
            &got); /* no key */
        CU_ASSERT_EQUAL(got.status, 400);
        CU_ASSERT_PTR_NULL(strcasestr(got.head, "-Extensions"));
        close_door();
    }
}

/* Byte by byte. */
static void test_a_handshake_in_pieces(void)
{
    static const char request[] = "GET /ws HTTP/1.1\r\n" GOOD "\r\n";
    answer got;
    prepare();
    open_door();
    int fd = open_with(request, 1);
    peer_put(fd, request + 1, sizeof request - 2, 1);
    read_answer(fd, &got);
    CU_ASSERT_EQUAL(got.status, 101);
    peer_send(fd, FIN | PING, "?", 1);
    peer_expect(fd, FIN | PONG, "?", 1);
    close(fd);
    close_door();
}

/* 4.1: a client must wait for the answer. One that does not is told, its frames are never lost
 * without a word: they are either taken or end the connection. */
static void test_frames_before_the_answer(void)
{
    static const char request[] = "GET /ws HTTP/1.1\r\n" GOOD "\r\n";
    static peer_received frame;
    unsigned char bytes[sizeof request + 32];
    memcpy(bytes, request, sizeof request - 1);
    size_t size = peer_frame(bytes + sizeof request - 1, FIN | TEXT, "{\"type\":\"ping\"}", 15);
    prepare();
    open_door();
    for (size_t early = 1; early <= size; early++) {
        answer got;
        int fd = open_with((const char *)bytes, sizeof request - 1 + early);
        read_answer(fd, &got);
        CU_ASSERT_EQUAL(got.status, 101);
        send(fd, bytes + sizeof request - 1 + early, size - early, MSG_NOSIGNAL);
        CU_ASSERT_TRUE_FATAL(peer_receive(fd, &frame));
        if (frame.first == (FIN | CLOSE)) {
            CU_ASSERT_EQUAL((unsigned)frame.payload[0] << 8 | frame.payload[1], 1002);
            CU_ASSERT_FALSE(peer_receive(fd, &frame));
        } else {
            CU_ASSERT_PTR_NOT_NULL(strstr((const char *)frame.payload, "\"pong\""));
        }
        close(fd);
    }
    close_door();
}

/* What is long is taken, or refused with an answer. */
static void test_long_headers(void)
{
    static const struct {
        const char *name;
        int length;
        unsigned status;
    } rows[] = {
        {"Cookie: ", 7000, 101},
        {"X-Other: ", 7000, 101},
        {"Sec-WebSocket-Extensions: x-", 252, 101},
        {"Sec-WebSocket-Extensions: x-", 253, 400},
        {"Sec-WebSocket-Extensions: x-", 4000, 400},
    };
    static char value[8192], request[10000];
    memset(value, 'a', sizeof value - 1);
    prepare();
    open_door();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answer got;
        snprintf(request, sizeof request, "GET /ws HTTP/1.1\r\n" GOOD "%s%.*s\r\n\r\n",
                 rows[i].name, rows[i].length, value);
        ask(request, &got);
        CU_ASSERT_EQUAL(got.status, rows[i].status);
    }
    close_door();
}

/* A connection that asked for something else before, as proxies reuse them. */
static void test_a_handshake_on_a_used_connection(void)
{
    static const char health[] = "GET /health HTTP/1.1\r\n" HOST "\r\n";
    static const char request[] = "GET /ws HTTP/1.1\r\n" GOOD "\r\n";
    answer got;
    char body[256];
    prepare();
    open_door();
    int fd = open_with(health, sizeof health - 1);
    read_answer(fd, &got);
    CU_ASSERT_EQUAL(got.status, 200);
    size_t length = strtoul(strstr(got.head, "Content-Length: ") + 16, NULL, 10);
    CU_ASSERT_EQUAL_FATAL(recv(fd, body, length, MSG_WAITALL), (ssize_t)length);
    CU_ASSERT_EQUAL(send(fd, request, sizeof request - 1, MSG_NOSIGNAL),
                    (ssize_t)sizeof request - 1);
    read_answer(fd, &got);
    CU_ASSERT_EQUAL(got.status, 101);
    peer_send(fd, FIN | PING, "?", 1);
    peer_expect(fd, FIN | PONG, "?", 1);
    close(fd);
    close_door();
}

MATCHING_TESTS(MATCHING_TEST(test_the_answer_to_a_handshake),
               MATCHING_TEST(test_faults_of_a_handshake),
               MATCHING_TEST(test_another_version_is_told_the_right_one),
               MATCHING_TEST(test_another_subprotocol_is_told_the_right_one),
               MATCHING_TEST(test_extensions_are_declined),
               MATCHING_TEST(test_permessage_deflate_is_agreed_on),
               MATCHING_TEST(test_a_handshake_in_pieces),
               MATCHING_TEST(test_frames_before_the_answer), MATCHING_TEST(test_long_headers),
               MATCHING_TEST(test_a_handshake_on_a_used_connection))
