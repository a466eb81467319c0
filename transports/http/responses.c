/* The headers, and the responses that are kept.
 *
 * Invariants: a kept response is on its way to one client or in `spare`, never both; while it is
 * spare nobody but this file holds it, so its bytes may change. All kept ones have the same
 * headers.
 */
#include "responses.h"

#include <stdlib.h>
#include <string.h>

#include "request_id.h"

struct http_response {
    struct MHD_Response *mhd; /* frees this when the last of its owners lets go */
    http_response *next;
    size_t length;
    char body[];
};

/* ---- Headers -------------------------------------------------------------------------------- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    /* Fails only when out of memory or for a value that is no header value: then without it. */
    (void)MHD_add_response_header(response, name, value);
}

static void add_plain_headers(struct MHD_Response *response)
{
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Cache-Control", "no-store");
}

static void add_cors_headers(struct MHD_Response *response, const http_answer *answer,
                             const char *origin)
{
    add_header(response, "Access-Control-Allow-Origin", origin);
    add_header(response, "Access-Control-Expose-Headers",
               "Allow, Retry-After, " MATCHING_REQUEST_ID_HEADER);
    add_header(response, "Vary", "Origin");
    if (answer->preflight) {
        char methods[HTTP_METHODS_TEXT];
        http_methods_print(methods, answer->allow);
        add_header(response, "Access-Control-Allow-Methods", methods);
        add_header(response, "Access-Control-Allow-Headers",
                   "Content-Type, Authorization, " MATCHING_REQUEST_ID_HEADER
                   ", traceparent, tracestate");
        add_header(response, "Access-Control-Max-Age", "600");
    }
}

static void add_headers(struct MHD_Response *response, const http_answer *answer,
                        const http_response_headers *headers)
{
    if (answer->status != 204)
        add_header(response, "Content-Type",
                   answer->is_html      ? "text/html; charset=utf-8"
                   : answer->is_metrics ? "text/plain; version=0.0.4; charset=utf-8"
                                        : "application/json");
    if (answer->is_html)
        /* connect-src: a person tries the doors from this page's console. */
        add_header(response, "Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; "
                   "connect-src http: https: ws: wss:");
    add_plain_headers(response);
    if (answer->allow != 0) {
        char methods[HTTP_METHODS_TEXT];
        http_methods_print(methods, answer->allow);
        add_header(response, "Allow", methods);
    }
    if (answer->later)
        add_header(response, "Retry-After", "1");
    if (answer->challenge)
        add_header(response, "WWW-Authenticate", "Bearer");
    if (headers->close)
        add_header(response, "Connection", "close");
    if (headers->request_id != NULL)
        add_header(response, MATCHING_REQUEST_ID_HEADER, headers->request_id);
    if (headers->origin != NULL)
        add_cors_headers(response, answer, headers->origin);
}

/* Are the headers those of all that is kept? */
static bool is_plain(const http_answer *answer, const http_response_headers *headers)
{
    return answer->status != 204 && !answer->is_html && !answer->is_metrics && answer->allow == 0 &&
           !answer->later && !answer->challenge && !headers->close && headers->request_id == NULL &&
           headers->origin == NULL;
}

/* ---- Kept responses ------------------------------------------------------------------------- */

static http_response *make_kept(size_t length)
{
    http_response *response = malloc(sizeof *response + length);
    if (response == NULL)
        return NULL;
    response->mhd = MHD_create_response_from_buffer_with_free_callback_cls(length, response->body,
                                                                           free, response);
    if (response->mhd == NULL) {
        free(response);
        return NULL;
    }
    response->length = length;
    add_header(response->mhd, "Content-Type", "application/json");
    add_plain_headers(response->mhd);
    return response;
}

static http_response *pop(http_responses *responses, size_t length)
{
    http_response *response = responses->spare[length];
    if (response == NULL)
        return NULL;
    responses->spare[length] = response->next;
    responses->spare_count--;
    return response;
}

/* NULL: out of memory. */
static http_response *take(http_responses *responses, const http_answer *answer)
{
    http_response *response = pop(responses, answer->body.length);
    if (response == NULL)
        response = make_kept(answer->body.length);
    if (response != NULL)
        memcpy(response->body, answer->body.data, answer->body.length);
    return response;
}

/* One of each length in turn, so that lengths that nobody asks for any more go in time. */
static void drop_one(http_responses *responses)
{
    http_response *response;
    while ((response = pop(responses, responses->hand)) == NULL)
        responses->hand = (responses->hand + 1) % (HTTP_RESPONSE_KEPT_MAX + 1);
    responses->hand = (responses->hand + 1) % (HTTP_RESPONSE_KEPT_MAX + 1);
    MHD_destroy_response(response->mhd);
}

void http_responses_give_back(http_responses *responses, http_response *kept)
{
    if (kept == NULL)
        return;
    if (responses->spare_count == HTTP_RESPONSES_MAX)
        drop_one(responses);
    kept->next = responses->spare[kept->length];
    responses->spare[kept->length] = kept;
    responses->spare_count++;
}

void http_responses_fini(http_responses *responses)
{
    while (responses->spare_count > 0)
        drop_one(responses);
}

/* ---- Sending -------------------------------------------------------------------------------- */

enum MHD_Result http_responses_send(http_responses *responses, struct MHD_Connection *connection,
                                    const http_answer *answer, const http_response_headers *headers,
                                    http_response **kept)
{
    const matching_writer *body = &answer->body;
    *kept = NULL;
    if (body->failed)
        return MHD_NO;
    if (body->length > 0 && body->length <= HTTP_RESPONSE_KEPT_MAX && is_plain(answer, headers)) {
        *kept = take(responses, answer);
        return *kept != NULL ? MHD_queue_response(connection, answer->status, (*kept)->mhd)
                             : MHD_NO;
    }
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body->length, body->data, MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    add_headers(response, answer, headers);
    enum MHD_Result result = MHD_queue_response(connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}
