/* A small client: connects, subscribes to the trades, lets alice sell to bob, prints what comes.
 *
 *     ws_client [URL]        (ws://127.0.0.1:9090/ws)
 *
 * What it shows of the protocol: every message is one JSON object in one text frame; an `id` comes
 * back in the direct reply; the order_ack of an order comes before the trades that it caused. The
 * next message is sent when the last one is answered, so the output is the same on every run.
 *
 * Exit code: 0 once the trade was seen, 1 after any failure or 10 seconds.
 *
 * Not a JSON parser: to keep the eye on the protocol, it only looks for words in the answers. Link
 * a JSON library in a client of your own (clients/ has this one in JavaScript and Python).
 */
#include <libwebsockets.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define DEADLINE_S 10
#define MESSAGE_MAX 4096

static const char *const conversation[] = {
    "{\"type\":\"subscribe\",\"channels\":[\"trades\"],\"id\":1}",
    "{\"type\":\"limit_order\",\"trader_id\":\"alice\",\"side\":\"sell\",\"price\":50000,"
    "\"quantity\":0.5,\"id\":2}",
    "{\"type\":\"limit_order\",\"trader_id\":\"bob\",\"side\":\"buy\",\"price\":50000,"
    "\"quantity\":0.5,\"id\":3}",
};
#define CONVERSATION_COUNT (sizeof conversation / sizeof conversation[0])

typedef struct client {
    lws_sorted_usec_list_t deadline;
    size_t sent; /* messages of the conversation */
    bool trade_seen;
    bool ended;                /* the connection is gone */
    char message[MESSAGE_MAX]; /* what has come of the message that is coming */
    size_t message_length;
} client;

/* libwebsockets wants free room in front of what it sends, for the frame's header. */
static int send_next(client *self, struct lws *wsi)
{
    unsigned char buffer[LWS_PRE + MESSAGE_MAX];
    const char *text = conversation[self->sent];
    size_t length = strlen(text);
    memcpy(buffer + LWS_PRE, text, length);
    printf("> %s\n", text);
    self->sent++;
    return lws_write(wsi, buffer + LWS_PRE, length, LWS_WRITE_TEXT) < (int)length ? -1 : 0;
}

/* A message may come in several parts; it is whole with the last part of its last frame. */
static bool append(client *self, struct lws *wsi, const void *part, size_t length)
{
    if (length >= sizeof self->message - self->message_length) {
        fprintf(stderr, "ws_client: a message is longer than %d bytes\n", MESSAGE_MAX);
        return false;
    }
    memcpy(self->message + self->message_length, part, length);
    self->message_length += length;
    self->message[self->message_length] = '\0';
    return lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0;
}

/* Returns -1 to close the connection. */
static int take_message(client *self, struct lws *wsi)
{
    self->message_length = 0;
    printf("< %s\n", self->message);
    if (strstr(self->message, "\"type\":\"error\"") != NULL) {
        return -1;
    }
    if (strstr(self->message, "\"type\":\"trade\"") != NULL) {
        self->trade_seen = true;
        return -1;
    }
    if (strstr(self->message, "\"id\":") != NULL && self->sent < CONVERSATION_COUNT) {
        lws_callback_on_writable(wsi); /* answered: the next one may go */
    }
    return 0;
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t length)
{
    (void)user;
    client *self = lws_context_user(lws_get_context(wsi));
    switch (reason) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return self->sent < CONVERSATION_COUNT ? send_next(self, wsi) : 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        return append(self, wsi, in, length) ? take_message(self, wsi) : 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        fprintf(stderr, "ws_client: cannot connect: %s\n", in != NULL ? (char *)in : "no reason");
        self->ended = true;
        return 0;
    case LWS_CALLBACK_CLIENT_CLOSED:
        self->ended = true;
        return 0;
    default:
        return 0;
    }
}

static void on_deadline(lws_sorted_usec_list_t *deadline)
{
    client *self = (void *)((char *)deadline - offsetof(client, deadline));
    fprintf(stderr, "ws_client: nothing more came within %d seconds\n", DEADLINE_S);
    self->ended = true;
}

static int connect_to(struct lws_context *context, const char *url)
{
    char copy[256], path[256];
    const char *scheme, *address, *rest;
    int port;
    snprintf(copy, sizeof copy, "%s", url); /* lws_parse_uri writes into it */
    if (lws_parse_uri(copy, &scheme, &address, &port, &rest) != 0 || strcmp(scheme, "ws") != 0) {
        fprintf(stderr, "ws_client: '%s' is no address like ws://127.0.0.1:9090/ws\n", url);
        return -1;
    }
    snprintf(path, sizeof path, "/%s", rest);
    char host[300];
    snprintf(host, sizeof host, "%s:%d", address, port);
    const struct lws_client_connect_info wanted = {
        .context = context,
        .address = address,
        .port = port,
        .path = path,
        .host = host,
    };
    return lws_client_connect_via_info(&wanted) != NULL ? 0 : -1;
}

int main(int argc, char **argv)
{
    static client self;
    static const struct lws_protocols protocols[] = {
        {.name = "matching", .callback = on_event, .rx_buffer_size = MESSAGE_MAX},
        {0},
    };
    const struct lws_context_creation_info options = {
        .port = CONTEXT_PORT_NO_LISTEN,
        .protocols = protocols,
        .user = &self,
        .gid = -1,
        .uid = -1,
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&options);
    if (context == NULL) {
        fprintf(stderr, "ws_client: libwebsockets does not start\n");
        return 1;
    }
    lws_sul_schedule(context, 0, &self.deadline, on_deadline, DEADLINE_S * LWS_US_PER_SEC);
    if (connect_to(context, argc > 1 ? argv[1] : "ws://127.0.0.1:9090/ws") != 0) {
        self.ended = true;
    }
    while (!self.ended && lws_service(context, 0) >= 0) {
    }
    lws_sul_cancel(&self.deadline);
    lws_context_destroy(context);
    if (!self.trade_seen) {
        fprintf(stderr, "ws_client: the conversation did not come to its end\n");
    }
    return self.trade_seen ? 0 : 1;
}
