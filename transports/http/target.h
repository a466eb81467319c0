/* A request target (RFC 9112 section 3.2) taken apart: path segments and query parameters, decoded.
 *
 * Pure; any thread. Nothing here knows what a path means.
 */
#ifndef MATCHING_HTTP_TARGET_H
#define MATCHING_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "matching/gateway.h"

#define HTTP_SEGMENTS_MAX 4
#define HTTP_PARAMETERS_MAX 16

typedef struct http_parameter {
    matching_text name;
    matching_text value;
    bool malformed; /* a % that two hex digits do not follow; name and value as far as they go */
} http_parameter;

typedef struct http_target {
    matching_text authority; /* "host:port" of an absolute target; data NULL where there is none */
    matching_text segments[HTTP_SEGMENTS_MAX]; /* "/api/orders" has two, "/" none */
    size_t segment_count;
    http_parameter parameters[HTTP_PARAMETERS_MAX];
    size_t parameter_count;
    bool is_asterisk;         /* "*": the server itself, for OPTIONS */
    bool bad_path;            /* no path, too many segments, or a malformed escape */
    bool too_many_parameters; /* those beyond HTTP_PARAMETERS_MAX are not listed */
} http_target;

/* Takes text apart, decoding it in place: *target points into text, which must outlive it. In the
 * query "+" is a space, as forms and URLSearchParams write it. */
void http_target_parse(char *text, size_t length, http_target *target);

/* Is this text exactly that word? */
bool http_text_is(matching_text text, const char *word);

#endif
