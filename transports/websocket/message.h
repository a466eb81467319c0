/* The codec, inbound: the bytes of one text frame to what the client wants.
 *
 * Pure: no socket, no core. Any thread. Judges the shape of messages and the fields that only this
 * door has (channels, symbols, enabled, id); the fields of orders are the gateway's.
 */
#ifndef MATCHING_WEBSOCKET_MESSAGE_H
#define MATCHING_WEBSOCKET_MESSAGE_H

#include <json-c/json.h>

#include "matching/gateway.h"
#include "types.h"

#define WS_ID_CHARACTERS_MAX 64
#define WS_ID_BYTES_MAX (2 + 12 * WS_ID_CHARACTERS_MAX) /* each may be a pair of \uXXXX */
#define WS_UNREAD_BYTES_MAX 1024u

typedef struct ws_error {
    matching_code code;
    const char *field; /* static string, "" for none */
    uint64_t order_id; /* DUPLICATE_CLIENT_ORDER_ID: the other order's; else 0 */
    char message[200];
} ws_error;

/* What a subscribe says of gzip. */
typedef enum ws_compression {
    WS_COMPRESSION_UNSAID = 0,
    WS_COMPRESSION_NONE,
    WS_COMPRESSION_GZIP
} ws_compression;

typedef struct ws_message {
    const ws_type *type;
    matching_text id;            /* JSON as it was sent, into the frame's bytes; length 0: none */
    struct json_object *object;  /* owned; the texts below point into it; NULL: into the frame */
    matching_request request;    /* WS_COMMAND; for the others only its trader_id counts */
    unsigned channels;           /* WS_CHANNEL_BITs */
    bool batch;                  /* WS_SUBSCRIBE: its messages may be joined */
    ws_compression compression;  /* WS_SUBSCRIBE */
    struct json_object *symbols; /* an array of strings, at least one; NULL: all */
    bool enabled;
} ws_message;

/* MATCHING_OK, or the code with *error filled in; message->id is set as far as there is a valid
 * one. The text must live as long as the message is used. ws_message_fini in any case. */
matching_code ws_message_read(const char *text, size_t length, ws_message *message,
                              ws_error *error);
void ws_message_fini(ws_message *message);

/* The two ways that ws_message_read takes, the second one where the first has said false. They are
 * alike: where the first says true, the second would have made the same message. */
bool ws_message_read_flat(const char *text, size_t length, ws_message *message);
matching_code ws_message_read_json(const char *text, size_t length, ws_message *message,
                                   ws_error *error);

/* The id of a message that is refused unread, as ws_message_read would find it: one pass over at
 * most WS_UNREAD_BYTES_MAX bytes. Length 0: it has none, no good one, or is longer or no JSON. */
matching_text ws_message_id(const char *text, size_t length);

/* NULL message: the code's text. Returns the code. */
matching_code ws_error_set(ws_error *error, matching_code code, const char *field,
                           const char *message);
void ws_error_from(ws_error *error, const matching_error *from);

#endif
