/* A request's head before libmicrohttpd reads it: what that would answer in HTML, or not at all, is
 * found here and answered in this door's form.
 *
 * Pure; any thread. Which calls there are, and who may make them, is decided elsewhere.
 */
#ifndef MATCHING_HTTP_SCREEN_H
#define MATCHING_HTTP_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

#include "matching/codes.h"

/* What a head may take of libmicrohttpd's memory for a connection, the notes that it takes of each
 * header, parameter and cookie included; the rest is for the answer's head. */
#define HTTP_HEAD_MEMORY ((size_t)14 * 1024)

/* As much of what has come as http_screen wants to see: a head that has no end in it is too large,
 * also where one line, with its end, is all that would have had room. */
#define HTTP_SCREEN_MAX (HTTP_HEAD_MEMORY + 3)

typedef enum http_screening {
    HTTP_HEAD_UNFINISHED, /* nothing is wrong so far */
    HTTP_HEAD_GOOD,
    HTTP_HEAD_REFUSED
} http_screening;

/* An answer to a head that is refused; static texts. */
typedef struct http_refusal {
    unsigned status;
    matching_code code;
    const char *message;
} http_refusal;

/* is_whole: data is all that has come since the last request; else something before it may have
 * been read, and only what would be too much with more in front of it too is refused. *refusal is
 * set with HTTP_HEAD_REFUSED alone. */
http_screening http_screen(const char *data, size_t length, bool is_whole, http_refusal *refusal);

/* Would libmicrohttpd have no room for this target's parameters, of which it takes notes? */
bool http_target_is_too_much(const char *target, http_refusal *refusal);

#endif
