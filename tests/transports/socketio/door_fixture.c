/* The fixture: small memory, two shards. */
#include "door_fixture.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "inprocess.h"

matching_config config;
matching_access access_rules;
matching_transport door;
unsigned event_ring_size;
void (*before_start)(void);
static matching_inprocess *trader;

void prepare(void)
{
    matching_config_default(&config);
    memset(&access_rules, 0, sizeof access_rules);
    config.socketio.port = 0;
    event_ring_size = 0;
    before_start = NULL;
    snprintf(access_rules.bind_address, sizeof access_rules.bind_address, "127.0.0.1");
}

void open_door(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "ETHUSDT", .id = 2, .tick_size = 1000000, .lot_size = 10000}};
    char error[256] = "";
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = 2;
    options.max_instruments = 8;
    options.shards = 2;
    options.ring_size = 4096;
    options.max_orders = 65536;
    options.max_traders = 64;
    options.retained_orders = 4096;
    options.recent_trades = 128;
    options.event_ring_size = event_ring_size != 0 ? event_ring_size : options.event_ring_size;
    door = (matching_transport){.ops = &matching_socketio_transport,
                                .config = &config,
                                .access = &access_rules,
                                .core = matching_core_create(&options, error, sizeof error)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(door.core);
    CU_ASSERT_EQUAL_FATAL(door.ops->init(&door), 0);
    trader = matching_inprocess_create(door.core, NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(trader);
    CU_ASSERT_EQUAL_FATAL(matching_core_start(door.core, error, sizeof error), 0);
    if (before_start != NULL) {
        before_start();
    }
    CU_ASSERT_EQUAL_FATAL(door.ops->start(&door), 0);
}

void close_door(void)
{
    door.ops->stop(&door);
    matching_core_stop(door.core);
    door.ops->fini(&door);
    matching_core_destroy(door.core);
    matching_inprocess_destroy(trader);
}

static matching_text text_of(const char *text)
{
    return (matching_text){text, strlen(text)};
}

static void call(const matching_request *wanted)
{
    const matching_reply *reply;
    matching_error error;
    matching_code code = matching_inprocess_call(trader, wanted, &reply, &error);
    if (code != MATCHING_OK) {
        printf("refused: %s\n", error.message);
    }
    CU_ASSERT_EQUAL(code, MATCHING_OK);
}

void place(const char *symbol, const char *who, const char *side, int64_t price, int64_t lots)
{
    call(&(matching_request){
        .action = MATCHING_ACTION_PLACE,
        .present =
            MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL) |
            MATCHING_FIELD_BIT(MATCHING_FIELD_TRADER_ID) | MATCHING_FIELD_BIT(MATCHING_FIELD_SIDE) |
            MATCHING_FIELD_BIT(MATCHING_FIELD_PRICE) | MATCHING_FIELD_BIT(MATCHING_FIELD_QUANTITY),
        .symbol = text_of(symbol),
        .trader_id = text_of(who),
        .side = text_of(side),
        .price = price,
        .quantity = lots * 10000,
    });
}

void trade(const char *symbol, const char *price_of_1e8, int64_t lots)
{
    int64_t price = strtoll(price_of_1e8, NULL, 10) * 100000000;
    place(symbol, "maker", "buy", price, lots);
    place(symbol, "taker", "sell", price, lots);
}

void set_state(const char *symbol, const char *state)
{
    call(&(matching_request){
        .action = MATCHING_ACTION_SET_STATE,
        .present =
            MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL) | MATCHING_FIELD_BIT(MATCHING_FIELD_STATE),
        .symbol = text_of(symbol),
        .state = text_of(state),
    });
}

void add_instrument(const char *symbol)
{
    call(&(matching_request){
        .action = MATCHING_ACTION_ADD_INSTRUMENT,
        .present = MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL) |
                   MATCHING_FIELD_BIT(MATCHING_FIELD_TICK_SIZE) |
                   MATCHING_FIELD_BIT(MATCHING_FIELD_LOT_SIZE),
        .symbol = text_of(symbol),
        .tick_size = 1000000,
        .lot_size = 10000,
    });
}

/* ---- HTTP ------------------------------------------------------------------------------------ */

int dial(void)
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

void say(int fd, const char *bytes)
{
    CU_ASSERT_EQUAL(send(fd, bytes, strlen(bytes), MSG_NOSIGNAL), (ssize_t)strlen(bytes));
}

void request(int fd, const char *method, const char *query, const char *body)
{
    static char bytes[ANSWER_SIZE];
    int length = snprintf(bytes, sizeof bytes,
                          "%s /socket.io/?EIO=4&transport=polling%s HTTP/1.1\r\n"
                          "Host: localhost\r\n",
                          method, query);
    if (body != NULL) {
        snprintf(bytes + length, sizeof bytes - (size_t)length, "Content-Length: %zu\r\n\r\n%s",
                 strlen(body), body);
    } else {
        snprintf(bytes + length, sizeof bytes - (size_t)length, "\r\n");
    }
    say(fd, bytes);
}

const answer *hear(int fd)
{
    static answer got;
    size_t length = 0, body = 0;
    got.status = 0;
    got.head[0] = got.body[0] = '\0';
    while (length < sizeof got.head - 1 && recv(fd, got.head + length, 1, 0) == 1) {
        got.head[++length] = '\0';
        if (length >= 4 && memcmp(got.head + length - 4, "\r\n\r\n", 4) == 0) {
            break;
        }
    }
    if (length == 0 || sscanf(got.head, "HTTP/1.1 %u", &got.status) != 1) {
        return &got;
    }
    const char *told = strstr(got.head, "Content-Length: ");
    size_t wanted = told == NULL ? 0 : strtoul(told + 16, NULL, 10);
    CU_ASSERT_TRUE_FATAL(wanted < sizeof got.body);
    while (body < wanted) {
        ssize_t count = recv(fd, got.body + body, wanted - body, 0);
        if (count <= 0) {
            break;
        }
        body += (size_t)count;
    }
    got.body[body] = '\0';
    return &got;
}

const answer *ask(int fd, const char *method, const char *query, const char *body)
{
    request(fd, method, query, body);
    return hear(fd);
}

void expect(const answer *got, unsigned status, const char *body)
{
    if (got->status != status || strcmp(got->body, body) != 0) {
        printf("got %u %s\nexpected %u %s\n", got->status, got->body, status, body);
        CU_FAIL("another answer");
    }
}

bool has(const answer *got, const char *text)
{
    return strstr(got->body, text) != NULL;
}

void open_session(int fd, char query[64])
{
    char sid[32] = "";
    const answer *got = ask(fd, "GET", "", NULL);
    CU_ASSERT_EQUAL(got->status, 200);
    CU_ASSERT_EQUAL_FATAL(sscanf(got->body, "0{\"sid\":\"%20[A-Za-z0-9_-]\"", sid), 1);
    snprintf(query, 64, "&sid=%s", sid);
}

void join_namespace(int fd, char query[64])
{
    open_session(fd, query);
    expect(ask(fd, "POST", query, "40/ws/kline,"), 200, "ok");
    const answer *got = ask(fd, "GET", query, NULL);
    CU_ASSERT_TRUE(has(got, "40/ws/kline,{\"sid\":\""));
    CU_ASSERT_TRUE(has(got, "42/ws/kline,[\"connection_success\",{\"clientId\":\""));
}

bool poll_until(int fd, const char *query, const char *text)
{
    for (;;) {
        const answer *got = ask(fd, "GET", query, NULL);
        if (got->status != 200) {
            printf("waiting for %s: %u %s\n", text, got->status, got->body);
            return false;
        }
        if (has(got, text)) {
            return true;
        }
    }
}

/* ---- WebSockets ------------------------------------------------------------------------------ */

bool ws_open(ws_client *client, const char *query)
{
    char path[160];
    snprintf(path, sizeof path, "/socket.io/?EIO=4&transport=websocket%s", query);
    return ws_client_connect(client, door.address, path, DEADLINE_MS);
}

void ws_say(ws_client *client, const char *text)
{
    ws_client_send(client, text, strlen(text));
    CU_ASSERT_TRUE(ws_client_flush(client, DEADLINE_MS));
}

const char *ws_hear(ws_client *client)
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

bool ws_until(ws_client *client, const char *text)
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
