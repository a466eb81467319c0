/* One walk over the headers.
 *
 * Invariants: two of a header that is to be there once are ambiguous; two traceparents count as
 * none.
 *
 * Not the judge of what is too much: that is exchange.c's and screen.c's.
 */
#include "head.h"

#include <string.h>
#include <strings.h>

#include "request_id.h"

static enum MHD_Result collect_header(void *context, enum MHD_ValueKind kind, const char *name,
                                      size_t name_size, const char *value, size_t value_size)
{
    (void)kind;
    http_head *into = context;
    into->size += name_size + value_size + sizeof ": \r\n" - 1;
    if (name_size == sizeof "traceparent" - 1 && strcasecmp(name, "traceparent") == 0) {
        into->traceparent = into->traceparent == NULL && value != NULL ? value : "";
        return MHD_YES;
    }
#define WANTED(name, value) name, sizeof(name) - 1, &into->value
    const struct {
        const char *name;
        size_t length;
        const char **value;
    } wanted[] = {
        {WANTED("Origin", origin)},
        {WANTED("Host", host)},
        {WANTED("Content-Type", content_type)},
        {WANTED("Authorization", authorization)},
        {WANTED("Transfer-Encoding", transfer_encoding)},
        {WANTED("Content-Length", content_length)},
        {WANTED("Expect", expect)},
        {WANTED(MATCHING_REQUEST_ID_HEADER, request_id)},
    };
#undef WANTED
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (name_size != wanted[i].length || strcasecmp(name, wanted[i].name) != 0)
            continue;
        if (*wanted[i].value != NULL || value == NULL)
            into->is_ambiguous = true;
        *wanted[i].value = value != NULL ? value : "";
    }
    return MHD_YES;
}

void http_head_collect(http_head *head, struct MHD_Connection *connection)
{
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, collect_header, head);
}

/* What makes servers disagree about where a request ends, or whose it is, is not for guessing. */
const char *http_head_ambiguity(const http_head *head, const char *version)
{
    if (head->is_ambiguous)
        return "a header that must be there at most once is there twice";
    if (head->transfer_encoding != NULL && head->content_length != NULL)
        return "both Transfer-Encoding and Content-Length";
    if (head->transfer_encoding != NULL && strcasecmp(head->transfer_encoding, "chunked") != 0)
        return "the only Transfer-Encoding known here is chunked";
    if (head->host == NULL && strcmp(version, "HTTP/1.0") != 0)
        return "HTTP/1.1 needs a Host header";
    return NULL;
}
