/* A small WebSocket client for tests: messages over a blocking socket, every wait with a deadline.
 *
 * Messages to be sent gather in a buffer until flush or receive. Pings are answered, fragments
 * joined; compression is not offered. One thread at a time for each client.
 */
#ifndef MATCHING_TESTS_WS_CLIENT_H
#define MATCHING_TESTS_WS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ws_client {
    int fd; /* -1: not connected */
    uint32_t mask;
    bool is_binary; /* messages are binary, not text; set after connect */
    char *out;      /* frames to be sent */
    size_t out_length, out_room;
    char *in; /* received bytes; in_begin ... in_end are not yet taken */
    size_t in_begin, in_end, in_room;
    char *message; /* the last message, fragments joined, NUL-terminated */
    size_t message_length, message_room;
    unsigned close_code; /* of the server's close frame, 0: none came */
    char error[160];     /* why the last call failed */
} ws_client;

/* address: "127.0.0.1:9090". False: see error; ws_client_close is then not needed. */
bool ws_client_connect(ws_client *client, const char *address, const char *path, int timeout_ms);

/* Queues a message. */
void ws_client_send(ws_client *client, const char *text, size_t length);

/* Sends what is queued. */
bool ws_client_flush(ws_client *client, int timeout_ms);

/* Flushes, then waits for the next message, which is valid until the next call. False: closed
 * (close_code says how), broken, or nothing came in time. */
bool ws_client_receive(ws_client *client, const char **text, size_t *length, int timeout_ms);

/* Closes the socket and frees the buffers. */
void ws_client_close(ws_client *client);

#endif
