/* Socket.IO protocol 5: what an Engine.IO message holds.
 *
 * By the public document of the protocol (github.com/socketio/socket.io-protocol, "Socket.IO
 * Protocol", revision 5: sections Packet encoding, Exchange protocol):
 * <type>[<attachments>-][<namespace>,][<acknowledgement id>][<JSON>].
 *
 * Pure. Any thread. Texts point into the bytes given.
 */
#ifndef MATCHING_SOCKETIO_SOCKET_PACKET_H
#define MATCHING_SOCKETIO_SOCKET_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json_writer.h"

#define SIO_NAMESPACE "/ws/kline"
#define SIO_ACK_ID_MAX UINT64_C(9007199254740991) /* 2^53 - 1: exact in every client */
#define SIO_ATTACHMENTS_MAX 99u                   /* of a binary packet */

typedef enum sio_type {
    SIO_CONNECT = 0,
    SIO_DISCONNECT = 1,
    SIO_EVENT = 2,
    SIO_ACK = 3,
    SIO_CONNECT_ERROR = 4,
    SIO_BINARY_EVENT = 5,
    SIO_BINARY_ACK = 6
} sio_type;

typedef struct sio_packet {
    sio_type type;
    unsigned attachments;         /* of a binary one */
    matching_text namespace_name; /* "/" where none is named */
    bool has_id;
    uint64_t id;
    matching_text payload; /* empty: none; whether it is JSON has not been looked at */
} sio_packet;

/* False: it breaks the protocol. What is checked is the head, that a payload is there where one
 * must be, and that it begins as its type wants: an object for CONNECT, an array for events and
 * acknowledgements. A client sends no CONNECT_ERROR. */
bool sio_packet_read(const char *text, size_t length, sio_packet *packet);

bool sio_is_our_namespace(matching_text name);

/* Heads of Engine.IO messages for our namespace. An event's arguments follow, and "]" ends it. */
void sio_begin_event(matching_writer *writer, const char *event); /* 42/ws/kline,["event", */
void sio_begin_ack(matching_writer *writer, uint64_t id);         /* 43/ws/kline,12[ */

/* Whole messages: the answers to CONNECT. */
void sio_write_connected(matching_writer *writer, const char *sid);
void sio_write_connect_error(matching_writer *writer, matching_text namespace_name,
                             const char *message);

#endif
