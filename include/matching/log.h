/* The log: lines for those who run the service, on standard error or in a file.
 *
 * There is one for the process. Nobody who logs waits for whoever reads it: a line goes into a ring
 * and a thread writes it out. When the ring is full, a line is dropped; how many were is told by a
 * line of its own as soon as there is room. Until start, and after stop, lines go nowhere.
 *
 * Each line belongs to a module, which may have a level of its own.
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

/* The modules that can have a level of their own; a line may name others, too. The doors', and
 * those of the libraries, are called like these. */
#define MATCHING_LOG_MODULES(X)                                                                    \
    X(core)                                                                                        \
    X(journal)                                                                                     \
    X(snapshot)                                                                                    \
    X(store)                                                                                       \
    X(process)                                                                                     \
    X(websocket)                                                                                   \
    X(http)                                                                                        \
    X(jsonrpc)                                                                                     \
    X(sbe)                                                                                         \
    X(socketio)                                                                                    \
    X(libwebsockets)                                                                               \
    X(libmicrohttpd)                                                                               \
    X(libevent)                                                                                    \
    X(traces)                                                                                      \
    X(log)
#define MATCHING_LOG_MODULE_NAME(name) #name,
#define MATCHING_LOG_MODULE_ONE(name) +1
enum { MATCHING_LOG_MODULE_COUNT = MATCHING_LOG_MODULES(MATCHING_LOG_MODULE_ONE) };

/* The least level of a line that is written, by module. All zeros: everything is. */
typedef struct matching_log_levels {
    uint8_t others; /* of modules that are not in the list */
    uint8_t of[MATCHING_LOG_MODULE_COUNT];
} matching_log_levels;

typedef struct matching_log_field {
    const char *name;
    const char *text; /* NULL: it is a number; "": it is left out */
    uint64_t number;
} matching_log_field;

typedef struct matching_log_options {
    matching_log_levels levels;
    bool as_json;
    int fd; /* where lines go; stays the caller's */
    const char
        *path; /* a file that they are appended to instead; NULL or "": none. Outlives the log */
} matching_log_options;

/* "info", "websocket=debug", "warn,http=info,store=debug": a level for all, info where none is
 * given, and levels of single modules. False, and levels unchanged: it is something else. Pure. */
bool matching_log_levels_parse(const char *text, matching_log_levels *levels);

/* The level that a module's lines need. level_name: "debug" and so on. Pure. */
matching_log_level matching_log_level_of(const matching_log_levels *levels, const char *module);
const char *matching_log_level_name(matching_log_level level);

/* From now on lines are written. 0 or a negative errno, that of the file if there is one. Main
 * thread, once before stop. */
int matching_log_start(const matching_log_options *options);

/* The file is opened anew by its name before the next line: what has been renamed is let go. Where
 * that fails the old one stays, which is told in it. Without a file it does nothing. Any thread, a
 * signal handler too. */
void matching_log_reopen(void);

/* Writes what is in the ring, for a second at most if nobody reads it. When nobody logs any more.
 * Main thread; again, or without start, does nothing. */
void matching_log_stop(void);

/* Is such a line written? For those who would work to make one. Any thread. */
bool matching_log_wants(matching_log_level level, const char *module);

/* Lines that were dropped since the start. Any thread. */
uint64_t matching_log_dropped(void);

/* A line. module: who says it, "websocket". message and the fields' texts: UTF-8; control
 * characters are shown as escapes. Any thread; takes no lock and does not block. */
void matching_log_fields(matching_log_level level, const char *module, const char *message,
                         const matching_log_field *fields, size_t count);

/* The same without fields. */
void matching_log(matching_log_level level, const char *module, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
