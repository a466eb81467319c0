/* A core of two instruments and the HTTP door on a free port of 127.0.0.1, for tests of the door.
 */
#ifndef MATCHING_TESTS_HTTP_DOOR_FIXTURE_H
#define MATCHING_TESTS_HTTP_DOOR_FIXTURE_H

#include "client.h"
#include "http.h"
#include "matching/config.h"

#define ORDER(side, price)                                                                         \
    "{\"trader_id\":\"t\",\"side\":\"" side "\",\"price\":" price ",\"quantity\":1}"
#define POST_HEAD                                                                                  \
    "POST /api/orders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"

extern matching_config config;
extern matching_access access_rules;
extern matching_core_options core_options;
extern matching_transport door;
extern client_answer answer; /* the last one */

/* Default settings, two shards, every origin let in for market data. May be changed before
 * open_door. */
void prepare(void);
void open_door(void);
void close_door(void);

/* What core and fixture took, after the door's stop. */
void end_core(void);

/* Ends the test on failure. */
void connect_or_fail(client *self);

/* Does the connection serve a plain request? */
bool is_alive(client *self);

#endif
