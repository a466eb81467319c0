/* The log: lines for those who run the service, on standard error.
 *
 * There is one for the process. Nobody who logs waits for standard error: a line goes into a ring and
 * a thread writes it out. When the ring is full, a line is dropped; how many were is told by a line of
 * its own as soon as there is room. Until start, and after stop, lines go nowhere.
 *
 * As text:  2026-01-02T03:04:05.678Z info websocket: connection ended id=... code=1000
 * As JSON:  {"time":"2026-01-02T03:04:05.678Z","level":"info","module":"websocket",
 *            "message":"connection ended","id":"...","code":1000}       (in one line)
 */
#ifndef MATCHING_LOG_H
#define MATCHING_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MATCHING_LOG_LINE_MAX 768 /* bytes, newline included; what is longer is cut */

typedef enum matching_log_level {
    MATCHING_LOG_DEBUG = 0,
    MATCHING_LOG_INFO = 1,
    MATCHING_LOG_WARN = 2,
    MATCHING_LOG_ERROR = 3
} matching_log_level;

typedef struct matching_log_field {
    const char *name;
    const char *text; /* NULL: it is a number; "": it is left out */
    uint64_t number;
} matching_log_field;

/* From now on lines of this level and above are written to fd, which stays the caller's. 0 or a
 * negative errno. Main thread, once before stop. */
int matching_log_start(int fd, matching_log_level level, bool as_json);

/* Writes what is in the ring, for a second at most if nobody reads it. When nobody logs any more.
 * Main thread; again, or without start, does nothing. */
void matching_log_stop(void);

/* Is a line of this level written? For those who would work to make one. Any thread. */
bool matching_log_wants(matching_log_level level);

/* A line. module: who says it, "websocket". message and the fields' texts: UTF-8; control characters
 * are shown as escapes. Any thread; takes no lock and does not block. */
void matching_log_fields(matching_log_level level, const char *module, const char *message,
                         const matching_log_field *fields, size_t count);

/* The same without fields. */
void matching_log(matching_log_level level, const char *module, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
