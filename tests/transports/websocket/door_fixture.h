/* A WebSocket door with a core of its own in this process, on a free port of 127.0.0.1. */
#ifndef MATCHING_TESTS_WEBSOCKET_DOOR_FIXTURE_H
#define MATCHING_TESTS_WEBSOCKET_DOOR_FIXTURE_H

#include "support/cunit_main.h"
#include "support/ws_client.h"
#include "websocket.h"

#define DEADLINE_MS 20000

extern matching_config config;
extern matching_access access_rules;
extern matching_transport door;

/* Defaults; what a test wants otherwise it sets between prepare and open_door. */
void prepare(void);
void open_door(void);
void close_door(void);
void free_door(void); /* close_door after the door has been stopped */

/* Administration, which this door does not take: sets the state of BTCUSDT. */
void set_state(const char *state);

/* Sends a request's bytes and returns the status of the answer; 0: closed without one. */
unsigned http_status(const char *request);

/* The same, with the body's beginning in body (NUL-terminated). */
unsigned http_body(const char *request, char *body, size_t size);

/* Connected, or the test ends. `headers`: further ones, each with its CRLF, or "". */
void connect_client(ws_client *client);
void connect_with(ws_client *client, const char *headers);

/* Sends one message (printf). */
__attribute__((format(printf, 2, 3))) void tell(ws_client *client, const char *format, ...);

/* Sends a frame with this opcode and FIN or not, as it is. */
void send_frame(ws_client *client, unsigned opcode, bool final, const char *data, size_t length);

/* The next message, valid until the next call; "" if there is none (and the test fails). */
const char *hear(ws_client *client);

/* The next message begins with this text, else the test fails. */
void expect_begin(ws_client *client, const char *begin);

/* Passes over messages until one contains the text. False: it never came. */
bool wait_until(ws_client *client, const char *text);

/* Waits for the server's close frame and compares its code and reason. */
void expect_close(ws_client *client, unsigned code, const char *reason);

/* The unsigned number after "name": in the message; 0 if there is none. */
unsigned long long number_of(const char *message, const char *name);

#endif
