/* An HTTP request that a door answers itself, at once or when there is something to say
 * (wire_handlers.on_request).
 *
 * libwebsockets reads its head and its body. While it waits for its answer and while that is
 * written, libwebsockets is kept from reading, and the socket is watched here: a client that breaks
 * off is seen at once.
 *
 * Thread: the loop's.
 */
#ifndef MATCHING_WIRE_EXCHANGE_H
#define MATCHING_WIRE_EXCHANGE_H

#include "server.h"

typedef enum wire_method { WIRE_GET = 0, WIRE_POST = 1, WIRE_OTHER_METHOD = 2 } wire_method;

struct wire_exchange {
    wire_server *server;
    struct lws *wsi;
    wire_method method;
    bool is_head; /* it wants the answer without its body */
    void *owner;  /* the door's, NULL at first */
    char *body;   /* of a POST, whole in on_body */
    size_t body_length, body_room;

    bool is_answered;
    bool is_in_callback; /* libwebsockets gets what is to become of the socket as a result */
    bool is_held;        /* libwebsockets does not read */
    char *out;           /* the answer; what of it has been sent */
    size_t out_length, out_sent;
    ev_io reading, writing;
};

/* What is kept for each socket that libwebsockets has. */
typedef struct wire_socket {
    wire_peer *peer;         /* NULL: not a WebSocket (yet) */
    wire_exchange *exchange; /* NULL: no request is under way */
} wire_socket;

/* A parameter of the request's URL, decoded, as a string; NULL: absent, or longer than size - 1. */
const char *wire_query(struct lws *wsi, const char *name, char *out, size_t size);

/* Answers: status line ("200 OK"), media type, body; copied. The exchange may be gone when this
 * returns. */
void wire_answer(wire_exchange *exchange, const char *status, const char *type, const char *body,
                 size_t length);

/* For libwebsockets' callbacks: a request for the door; a part of its body; its body's end; the end
 * of its socket. The first three return what libwebsockets wants. */
int wire_exchange_begin(wire_server *server, struct lws *wsi, wire_socket *socket);
int wire_exchange_body(wire_socket *socket, const char *data, size_t length);
int wire_exchange_body_done(wire_socket *socket);
void wire_exchange_gone(wire_socket *socket);

#endif
