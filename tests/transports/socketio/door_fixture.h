/* A Socket.IO door with a core of its own in this process, on a free port of 127.0.0.1, and a
 * client of HTTP that shows every byte.
 */
#ifndef MATCHING_TESTS_SOCKETIO_DOOR_FIXTURE_H
#define MATCHING_TESTS_SOCKETIO_DOOR_FIXTURE_H

#include "socketio.h"
#include "support/cunit_main.h"
#include "support/ws_client.h"

#define DEADLINE_MS 20000
#define ANSWER_SIZE 65536

extern matching_config config;
extern matching_access access_rules;
extern matching_transport door;

/* Defaults; what a test wants otherwise it sets between prepare and open_door. */
void prepare(void);
void open_door(void);
extern unsigned event_ring_size;   /* 0: the default */
extern void (*before_start)(void); /* runs when the core runs and the door does not yet */
void close_door(void);

/* Administration and trading, which this door does not take. An order at a price in units of 10^-8;
 * a trade of so many lots of 0.0001, its taker selling. */
void place(const char *symbol, const char *who, const char *side, int64_t price, int64_t lots);
void trade(const char *symbol, const char *price_of_1e8, int64_t lots);
void add_instrument(const char *symbol);
void set_state(const char *symbol, const char *state);

/* A connected socket whose reads have a deadline. */
int dial(void);

/* Sends bytes as they are; a request for /socket.io/?EIO=4&transport=polling<query> with a body
 * (NULL: none). */
void say(int fd, const char *bytes);
void request(int fd, const char *method, const char *query, const char *body);

/* The next answer's status, with head and body (NUL-terminated, valid until the next call); 0:
 * closed without one. */
typedef struct answer {
    unsigned status;
    char head[2048];
    char body[ANSWER_SIZE];
} answer;
const answer *hear(int fd);

/* Both at once. */
const answer *ask(int fd, const char *method, const char *query, const char *body);

/* The answer has this status and body. */
void expect(const answer *got, unsigned status, const char *body);
bool has(const answer *got, const char *text);

/* A session over polling, with "&sid=..." for its queries; and one that is in our namespace, its
 * greeting read. */
void open_session(int fd, char query[64]);
void join_namespace(int fd, char query[64]);

/* GETs until one has this text in its answer. False: the session ended. */
bool poll_until(int fd, const char *query, const char *text);

/* A WebSocket of /socket.io/?EIO=4&transport=websocket<query>; a text message; the next one, "" if
 * there is none (and the test fails); the next ones up to one with this text. */
bool ws_open(ws_client *client, const char *query);
void ws_say(ws_client *client, const char *text);
const char *ws_hear(ws_client *client);
bool ws_until(ws_client *client, const char *text);

#endif
