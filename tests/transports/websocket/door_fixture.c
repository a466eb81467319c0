/* The fixture: small memory, two shards. */
#include "door_fixture.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "inprocess.h"

matching_config config;
matching_access access_rules;
matching_transport door;
static matching_inprocess *administrator;

void prepare(void)
{
    matching_config_default(&config);
    memset(&access_rules, 0, sizeof access_rules);
    config.websocket.port = 0;
    snprintf(access_rules.bind_address, sizeof access_rules.bind_address, "127.0.0.1");
}

void open_door(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "ETHUSDT", .id = 2, .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "SOLUSDT", .id = 3, .tick_size = 1000000, .lot_size = 10000}};
    char error[256] = "";
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = 3;
    options.shards = 2;
    options.ring_size = 4096;
    options.max_orders = 65536;
    options.max_traders = 64;
    options.retained_orders = 4096;
    options.recent_trades = 128;
    door = (matching_transport){.ops = &matching_websocket_transport,
                                .config = &config,
                                .access = &access_rules,
                                .core = matching_core_create(&options, error, sizeof error)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(door.core);
    CU_ASSERT_EQUAL_FATAL(door.ops->init(&door), 0);
    administrator = matching_inprocess_create(door.core, NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(administrator);
    CU_ASSERT_EQUAL_FATAL(matching_core_start(door.core, error, sizeof error), 0);
    CU_ASSERT_EQUAL_FATAL(door.ops->start(&door), 0);
}

void free_door(void)
{
    matching_core_stop(door.core);
    door.ops->fini(&door);
    matching_core_destroy(door.core);
    matching_inprocess_destroy(administrator);
}

void close_door(void)
{
    door.ops->stop(&door);
    free_door();
}

void set_state(const char *state)
{
    matching_request request = {.action = MATCHING_ACTION_SET_STATE,
                                .present = MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL) |
                                           MATCHING_FIELD_BIT(MATCHING_FIELD_STATE),
                                .symbol = {"BTCUSDT", 7},
                                .state = {state, strlen(state)}};
    const matching_reply *reply;
    matching_error error;
    CU_ASSERT_EQUAL(matching_inprocess_call(administrator, &request, &reply, &error), MATCHING_OK);
}

/* A connected socket whose reads have a deadline. */
static int open_socket(void)
{
    char host[64];
    unsigned port = 0;
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct timeval deadline = {DEADLINE_MS / 1000, 0};
    int one = 1;
    CU_ASSERT_EQUAL_FATAL(sscanf(door.address, "%63[0-9.]:%u", host, &port), 2);
    CU_ASSERT_EQUAL_FATAL(inet_pton(AF_INET, host, &to.sin_addr), 1);
    to.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    return fd;
}

/* Reads byte by byte to the end of the answer's headers, so that no frame behind them is taken. */
static unsigned ask(int fd, const char *request, size_t *body_length)
{
    char answer[4096] = "";
    size_t length = 0;
    unsigned status = 0;
    CU_ASSERT_EQUAL(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    while (length < sizeof answer - 1 && recv(fd, answer + length, 1, 0) == 1) {
        answer[++length] = '\0';
        if (length >= 4 && memcmp(answer + length - 4, "\r\n\r\n", 4) == 0) {
            break;
        }
    }
    const char *told = strstr(answer, "Content-Length: ");
    if (body_length != NULL) {
        *body_length = told != NULL ? strtoul(told + 16, NULL, 10) : 0;
    }
    return length > 0 && sscanf(answer, "HTTP/%*u.%*u %u", &status) == 1 ? status : 0;
}

unsigned http_body(const char *request, char *body, size_t size)
{
    size_t length = 0, got = 0;
    int fd = open_socket();
    unsigned status = ask(fd, request, &length);
    length = length < size - 1 ? length : size - 1;
    for (ssize_t count = 1; got < length && count > 0; got += (size_t)(count > 0 ? count : 0)) {
        count = recv(fd, body + got, length - got, 0);
    }
    body[got] = '\0';
    close(fd);
    return status;
}

unsigned http_status(const char *request)
{
    int fd = open_socket();
    unsigned status = ask(fd, request, NULL);
    close(fd);
    return status;
}

void connect_client(ws_client *client)
{
    bool connected = ws_client_connect(client, door.address, "/ws", DEADLINE_MS);
    CU_ASSERT_TRUE_FATAL(connected);
}

void connect_with(ws_client *client, const char *headers)
{
    char request[1024];
    snprintf(request, sizeof request,
             "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
             headers);
    *client = (ws_client){.fd = open_socket(), .mask = 1};
    CU_ASSERT_EQUAL_FATAL(ask(client->fd, request, NULL), 101);
}

void tell(ws_client *client, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ws_client_send(client, text, (size_t)length);
    CU_ASSERT_TRUE(ws_client_flush(client, DEADLINE_MS));
}

void send_frame(ws_client *client, unsigned opcode, bool final, const char *data, size_t length)
{
    unsigned char head[14] = {(unsigned char)(opcode | (final ? 0x80u : 0u))};
    size_t size = 2;
    CU_ASSERT_TRUE_FATAL(length < 65536);
    head[1] = (unsigned char)(0x80u | (length < 126 ? length : 126u));
    if (length >= 126) {
        head[size++] = (unsigned char)(length >> 8);
        head[size++] = (unsigned char)length;
    }
    size += 4; /* a mask of zeros leaves the data as it is */
    CU_ASSERT_TRUE(ws_client_flush(client, DEADLINE_MS));
    /* In one piece: a door that ends the connection at the head would answer the rest with a reset,
     * which may overtake its close frame. */
    char *frame = malloc(size + length);
    CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
    memcpy(frame, head, size);
    memcpy(frame + size, data, length);
    CU_ASSERT_EQUAL(send(client->fd, frame, size + length, MSG_NOSIGNAL), (ssize_t)(size + length));
    free(frame);
}

const char *hear(ws_client *client)
{
    const char *text = "";
    size_t length = 0;
    if (!ws_client_receive(client, &text, &length, DEADLINE_MS)) {
        printf("no message: %s\n", client->error);
        CU_FAIL("no message");
        return "";
    }
    return text;
}

void expect_begin(ws_client *client, const char *begin)
{
    const char *text = hear(client);
    if (strncmp(text, begin, strlen(begin)) != 0) {
        printf("got %s\nexpected %s\n", text, begin);
        CU_FAIL("another message");
    }
}

bool wait_until(ws_client *client, const char *text)
{
    const char *message;
    size_t length;
    while (ws_client_receive(client, &message, &length, DEADLINE_MS)) {
        if (strstr(message, text) != NULL) {
            return true;
        }
    }
    printf("waiting for %s: %s\n", text, client->error);
    return false;
}

void expect_close(ws_client *client, unsigned code, const char *reason)
{
    char wanted[160];
    const char *text;
    size_t length;
    while (ws_client_receive(client, &text, &length, DEADLINE_MS)) {
    }
    snprintf(wanted, sizeof wanted, "closed with %u %s", code, reason);
    CU_ASSERT_STRING_EQUAL(client->error, wanted);
}

unsigned long long number_of(const char *message, const char *name)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"%s\":", name);
    const char *at = strstr(message, wanted);
    return at != NULL ? strtoull(at + strlen(wanted), NULL, 10) : 0;
}
