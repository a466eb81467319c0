/* Tests of the waiting room: whoever asks at a port is told that the service is starting and how
 * far it is, strangers are told nothing, and the ports are free again afterwards.
 */
#include "cmd/waiting_room.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/doors.h"
#include "support/cunit_main.h"

static matching_config config;
static char answer[4096];

/* The program's own is beside its table of doors. */
void doors_access(matching_access *access, const matching_config *from, matching_door door)
{
    (void)door;
    memset(access, 0, sizeof *access);
    snprintf(access->bind_address, sizeof access->bind_address, "%s", from->bind);
}

/* A socket at a port of loopback, 0: a free one; -1: it is taken. */
static int listen_at(uint16_t port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static uint16_t free_port(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    int fd = listen_at(0);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

/* What comes for this request, up to the end. */
static const char *ask(uint16_t port, const char *request)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t length = 0;
    ssize_t got = 0;
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    CU_ASSERT_EQUAL_FATAL(send(fd, request, strlen(request), MSG_NOSIGNAL),
                          (ssize_t)strlen(request));
    while ((got = recv(fd, answer + length, sizeof answer - 1 - length, 0)) > 0) {
        length += (size_t)got;
    }
    close(fd);
    answer[length] = '\0';
    return answer;
}

#define GET(path, host) "GET " path " HTTP/1.1\r\nHost: " host "\r\n\r\n"

static bool has(const char *wanted)
{
    bool found = strstr(answer, wanted) != NULL;
    if (!found) {
        printf("\nno \"%s\" in:\n%s\n", wanted, answer);
    }
    return found;
}

static void set_up(void)
{
    matching_config_default(&config);
    config.websocket.enabled = config.sbe.enabled = config.socketio.enabled = false;
    config.http.port = free_port();
    do {
        config.jsonrpc.port = free_port();
    } while (config.jsonrpc.port == config.http.port);
}

static void test_each_door_says_how_far_it_is(void)
{
    set_up();
    waiting_room *room = waiting_room_open(&config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(room);
    ask(config.http.port, GET("/health", "127.0.0.1"));
    CU_ASSERT_TRUE(has("HTTP/1.1 503 "));
    CU_ASSERT_TRUE(has("Retry-After: 1\r\n"));
    CU_ASSERT_TRUE(has("\r\n\r\n{\"status\":\"starting\",\"service\":\"matching-service\"}"));
    waiting_room_tell(room, 3, "journal", 0.4219);
    ask(config.jsonrpc.port, GET("/health", "localhost:3030"));
    CU_ASSERT_TRUE(has("HTTP/1.1 503 "));
    CU_ASSERT_TRUE(
        has("{\"status\":\"starting\",\"service\":\"jsonrpc-matching-service\",\"recovering\":"
            "{\"shard\":3,\"what\":\"journal\",\"done\":0.421}}"));
    waiting_room_tell(room, 3, "journal", 1);
    ask(config.http.port, GET("/health", "127.0.0.1"));
    CU_ASSERT_TRUE(has("\"done\":1.000}}"));
    waiting_room_close(room);
}

static void test_anything_else_is_to_be_tried_again(void)
{
    set_up();
    waiting_room *room = waiting_room_open(&config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(room);
    ask(config.http.port, "POST /api/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                          "application/json\r\nContent-Length: 2\r\n\r\n{}");
    CU_ASSERT_TRUE(has("HTTP/1.1 503 "));
    CU_ASSERT_TRUE(has("\"code\":\"OVERLOADED\"}"));
    ask(config.jsonrpc.port, "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                             "Connection: Upgrade\r\n\r\n");
    CU_ASSERT_TRUE(has("HTTP/1.1 503 "));
    ask(config.http.port, GET("/health", "foreign.example"));
    CU_ASSERT_TRUE(has("HTTP/1.1 403 "));
    CU_ASSERT_PTR_NULL(strstr(answer, "starting"));
    waiting_room_close(room);
}

static void test_the_ports_are_free_afterwards(void)
{
    set_up();
    waiting_room *room = waiting_room_open(&config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(room);
    CU_ASSERT_EQUAL(listen_at(config.http.port), -1);
    ask(config.http.port, GET("/health", "127.0.0.1"));
    waiting_room_close(room);
    int fd = listen_at(config.http.port);
    CU_ASSERT_TRUE(fd >= 0);
    close(fd);
}

/* One port is somebody else's: that door will say so, the other one works. With none it is no
 * room. */
static void test_a_taken_port_is_left_to_its_door(void)
{
    set_up();
    int taken = listen_at(config.http.port);
    CU_ASSERT_TRUE_FATAL(taken >= 0);
    waiting_room *room = waiting_room_open(&config);
    CU_ASSERT_PTR_NOT_NULL_FATAL(room);
    ask(config.jsonrpc.port, GET("/health", "127.0.0.1"));
    CU_ASSERT_TRUE(has("starting"));
    waiting_room_close(room);
    config.jsonrpc.port = 0;
    room = waiting_room_open(&config);
    CU_ASSERT_PTR_NULL(room);
    waiting_room_tell(room, 0, "journal", 0.5);
    waiting_room_close(room);
    close(taken);
}

MATCHING_TESTS(MATCHING_TEST(test_each_door_says_how_far_it_is),
               MATCHING_TEST(test_anything_else_is_to_be_tried_again),
               MATCHING_TEST(test_the_ports_are_free_afterwards),
               MATCHING_TEST(test_a_taken_port_is_left_to_its_door))
