/* What a client asks for: the array of an event, taken apart and judged as far as that needs no
 * market.
 *
 * Pure. Any thread. A request that was read holds memory until sio_request_fini.
 */
#ifndef MATCHING_SOCKETIO_REQUEST_H
#define MATCHING_SOCKETIO_REQUEST_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "matching/candles.h"
#include "matching/gateway.h"

#define SIO_SUBSCRIPTION_ID_MAX 64u /* characters */
#define SIO_LABEL_SIZE 400u         /* an id in JSON, escapes included, and a NUL */
#define SIO_HISTORY_DEFAULT 100u
#define SIO_HISTORY_MAX 500u

typedef enum sio_kind {
    SIO_SUBSCRIBE_KLINE = 0,
    SIO_UNSUBSCRIBE_KLINE = 1,
    SIO_GET_HISTORY = 2,
    SIO_SUBSCRIBE = 3,
    SIO_UNSUBSCRIBE = 4
} sio_kind;

typedef enum sio_topic { SIO_PRICE = 0, SIO_TOKEN_EVENTS = 1 } sio_topic;

/* Codes of the event `error`. */
typedef enum sio_code {
    SIO_FINE = 0,
    SIO_BAD_PARAMETER = 1001,
    SIO_TOO_MANY = 1002,
    SIO_NO_HISTORY = 1003
} sio_code;

typedef struct sio_error {
    sio_code code;
    char message[160];
    const char *field; /* static; NULL: none is at fault */
} sio_error;

typedef struct sio_request {
    sio_kind kind;
    char name[24];        /* the event's, cut; "" where it had none */
    bool has_symbol;      /* kline events may leave it out; a topic `price:` may not */
    matching_text symbol; /* into root, or the topic */
    matching_interval interval;
    char label[SIO_LABEL_SIZE]; /* subscriptionId as JSON, ""; none */
    uint32_t limit;
    bool has_from;
    uint64_t from_s;
    sio_topic topic;
    struct json_object *root;
} sio_request;

/* Reads the payload of an EVENT. SIO_FINE, or SIO_BAD_PARAMETER with *error filled in. is_array:
 * false if it is no event at all, which breaks the protocol (no JSON, no array, no name). */
sio_code sio_request_read(matching_text payload, sio_request *request, sio_error *error,
                          bool *is_array);
void sio_request_fini(sio_request *request);

/* The event's name, as clients write it (without spaces or escapes), static; "unknown": it is none
 * of ours. */
const char *sio_event_name(matching_text payload);

/* field may be NULL. Returns the code. */
sio_code sio_error_set(sio_error *error, sio_code code, const char *field, const char *message);

#endif
