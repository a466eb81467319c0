/* How long a connection may stay as it is. libmicrohttpd never ends one that sends its request a
 * byte at a time, nor one that takes its answer so; these do.
 *
 * One queue for each kind of wait, and as all waits of a kind are equally long, each queue is in
 * order by itself: every step is O(1). Pure; the caller brings the time. One thread.
 */
#ifndef MATCHING_HTTP_DEADLINES_H
#define MATCHING_HTTP_DEADLINES_H

#include <stdbool.h>
#include <stdint.h>

#include "matching/config.h"

typedef enum http_wait {
    HTTP_WAIT_NONE = 0, /* for the engine: no deadline */
    HTTP_WAIT_IDLE,     /* no byte of a first or next request has come */
    HTTP_WAIT_HEAD,     /* a first byte has, the end of the headers has not */
    HTTP_WAIT_BODY,     /* the headers have come, the last byte has not */
    HTTP_WAIT_SEND,     /* an answer is on its way */
    HTTP_WAIT_COUNT
} http_wait;

/* Part of what waits; zero before the first use. */
typedef struct http_deadline {
    struct http_deadline *previous;
    struct http_deadline *next;
    uint64_t due_ns;
    http_wait wait;
} http_deadline;

typedef struct http_deadlines {
    struct {
        http_deadline *first;
        http_deadline *last;
        uint64_t length_ns;
    } queues[HTTP_WAIT_COUNT];
} http_deadlines;

/* With the configured lengths; an answer may take as long as a connection may be idle. */
void http_deadlines_init(http_deadlines *deadlines, const matching_config_limits *limits);

/* What waited now waits for this, from now_ns on. HTTP_WAIT_NONE: for nothing; also before it is
 * freed. */
void http_deadline_set(http_deadlines *deadlines, http_deadline *deadline, http_wait wait,
                       uint64_t now_ns);

/* The next one that is due, taken out; NULL if none is. */
http_deadline *http_deadlines_due(http_deadlines *deadlines, uint64_t now_ns);

/* The first one that waits for this, NULL if there is none; the following ones by ->next. */
http_deadline *http_deadlines_first(http_deadlines *deadlines, http_wait wait);

/* Milliseconds until one is due, rounded up; -1: nothing waits. */
int http_deadlines_timeout_ms(const http_deadlines *deadlines, uint64_t now_ns);

#endif
