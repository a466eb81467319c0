/* A small blocking HTTP client for tests: sends bytes as given, reads answers one by one.
 *
 * Every wait has a deadline of CLIENT_DEADLINE_S, after which it counts as failed.
 */
#ifndef MATCHING_TESTS_HTTP_CLIENT_H
#define MATCHING_TESTS_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#define CLIENT_DEADLINE_S 40

typedef struct client {
    int fd;             /* -1: not connected */
    char data[1 << 16]; /* received, not yet consumed */
    size_t length;
} client;

typedef struct client_answer {
    unsigned status; /* 0: the connection ended or nothing came in time */
    char head[4096];
    char body[1 << 15];
} client_answer;

/* address: "127.0.0.1:8080". */
bool client_connect(client *self, const char *address);
void client_close(client *self);
/* Ends it with a reset, as a client that vanishes. */
void client_reset(client *self);

bool client_send(client *self, const char *data, size_t length);
bool client_send_text(client *self, const char *text);

/* Reads one answer. A HEAD request's has no body, which only the caller knows. */
bool client_read(client *self, client_answer *answer, bool is_head);

/* Sends a request with a body of JSON (NULL: none) and reads the answer. */
unsigned client_ask(client *self, client_answer *answer, const char *method, const char *target,
                    const char *json);

/* Has the other side closed? Waits for it. */
bool client_sees_end(client *self);

/* Does the answer's head hold this text, body that one? NULL: whatever. */
bool client_answer_has(const client_answer *answer, const char *in_head, const char *in_body);

#endif
