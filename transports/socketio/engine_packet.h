/* Engine.IO protocol 4, the layer below Socket.IO: packets, polling bodies, the handshake.
 *
 * By the public document of the protocol (github.com/socketio/engine.io-protocol, "Engine.IO
 * Protocol", revision 4: sections Packet encoding, Handshake, Upgrade, HTTP long-polling) and, for
 * the numbers of its errors, the public reference server's documentation (socket.io/docs/v4,
 * "Troubleshooting connection issues").
 *
 * Pure. Any thread. Texts point into the bytes given.
 */
#ifndef MATCHING_SOCKETIO_ENGINE_PACKET_H
#define MATCHING_SOCKETIO_ENGINE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json_writer.h"

#define EIO_SID_SIZE 21      /* twenty characters of base64url and a NUL */
#define EIO_SEPARATOR "\x1e" /* between the packets of a polling body */

typedef enum eio_type {
    EIO_OPEN = 0,
    EIO_CLOSE = 1,
    EIO_PING = 2,
    EIO_PONG = 3,
    EIO_MESSAGE = 4,
    EIO_UPGRADE = 5,
    EIO_NOOP = 6
} eio_type;

typedef struct eio_packet {
    eio_type type;
    bool is_binary; /* "b" and base64: a message whose bytes are not looked at */
    matching_text data;
} eio_packet;

/* One packet, as a WebSocket frame or a part of a polling body holds it. False: it is none. */
bool eio_packet_read(const char *text, size_t length, eio_packet *packet);

typedef enum eio_next {
    EIO_NEXT_PACKET = 0,
    EIO_NEXT_END = 1, /* all are read */
    EIO_NEXT_BAD = 2  /* what is there is no packet */
} eio_next;

/* A polling body, packet by packet; all zeros but for text and length at the start. An empty body
 * holds no packet and is bad. */
typedef struct eio_payload {
    const char *text;
    size_t length, at;
    bool has_begun;
} eio_payload;

eio_next eio_payload_next(eio_payload *payload, eio_packet *packet);

/* What a connection is told when it opens. */
typedef struct eio_terms {
    uint32_t ping_interval_ms, ping_timeout_ms;
    uint32_t max_payload; /* bytes of a POST's body, and of a WebSocket message */
} eio_terms;

/* 0{"sid":...,"upgrades":["websocket"] or [],"pingInterval":...,"pingTimeout":...,
 *  "maxPayload":...} */
void eio_write_open(matching_writer *writer, const char *sid, bool may_upgrade,
                    const eio_terms *terms);

/* ---- What a request's URL says --------------------------------------------------------------- */

typedef enum eio_error {
    EIO_FINE = -1,
    EIO_UNKNOWN_TRANSPORT = 0,
    EIO_UNKNOWN_SID = 1,
    EIO_BAD_METHOD = 2, /* a handshake is a GET */
    EIO_BAD_REQUEST = 3,
    EIO_UNSUPPORTED_VERSION = 5
} eio_error;

/* {"code":5,"message":"Unsupported protocol version"} */
const char *eio_error_body(eio_error error);

typedef enum eio_transport { EIO_POLLING = 0, EIO_WEBSOCKET = 1 } eio_transport;

/* The parameters, NUL-terminated and decoded; NULL: absent. */
typedef struct eio_query {
    const char *version;   /* EIO */
    const char *transport; /* polling, websocket */
    const char *sid;
    bool is_upgrade; /* the request is a WebSocket handshake */
    bool is_get;
} eio_query;

/* Judges all but whether there is such a session: EIO_FINE with *transport set, or what is wrong,
 * the first of: version, transport, its fit with the request, the method of a handshake. */
eio_error eio_query_judge(const eio_query *query, eio_transport *transport);

/* Twenty characters of base64url for 15 random bytes, and a NUL. */
void eio_sid_print(const unsigned char random[15], char out[EIO_SID_SIZE]);

#endif
