/* Which status a code has, and errors in REST's form.
 *
 * Invariants: every code has a status; an answer is filled once.
 *
 * Not the bodies of successes: those are transports/json's and routes.c's.
 */
#include "answer.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_NAME_MAX 40

static const struct {
    unsigned bit;
    const char *name;
} METHODS[] = {
    {HTTP_GET, "GET"},     {HTTP_HEAD, "HEAD"},     {HTTP_POST, "POST"},
    {HTTP_PATCH, "PATCH"}, {HTTP_DELETE, "DELETE"}, {HTTP_OPTIONS, "OPTIONS"},
};

void http_answer_init(http_answer *answer)
{
    *answer = (http_answer){0};
    matching_writer_init(&answer->body);
}

void http_answer_clear(http_answer *answer)
{
    matching_writer body = answer->body;
    *answer = (http_answer){.body = body};
    matching_writer_clear(&answer->body);
}

void http_answer_fini(http_answer *answer)
{
    matching_writer_fini(&answer->body);
}

unsigned http_status_of(matching_code code)
{
    switch (code) {
    case MATCHING_OK:
        return 200;
    case MATCHING_UNAUTHORIZED:
        return 403;
    case MATCHING_UNKNOWN_SYMBOL:
    case MATCHING_ORDER_NOT_FOUND:
        return 404;
    case MATCHING_DUPLICATE_CLIENT_ORDER_ID:
    case MATCHING_MARKET_HALTED:
    case MATCHING_BOOK_FULL:
        return 409;
    case MATCHING_MESSAGE_TOO_LARGE:
        return 413;
    case MATCHING_POST_ONLY_WOULD_CROSS:
    case MATCHING_RISK_LIMIT:
        return 422;
    case MATCHING_RATE_LIMITED:
    case MATCHING_TOO_MANY_SUBSCRIPTIONS:
        return 429;
    case MATCHING_TOO_MANY_CONNECTIONS:
    case MATCHING_OVERLOADED:
    case MATCHING_SHUTTING_DOWN:
    case MATCHING_INTERNAL_ERROR:
    case MATCHING_CODE_COUNT:
        return 503;
    default:
        return 400;
    }
}

bool http_code_asks_to_retry(matching_code code)
{
    return code == MATCHING_RATE_LIMITED || code == MATCHING_TOO_MANY_SUBSCRIPTIONS ||
           code == MATCHING_TOO_MANY_CONNECTIONS || code == MATCHING_OVERLOADED ||
           code == MATCHING_SHUTTING_DOWN;
}

void http_answer_error(http_answer *answer, const matching_error *error)
{
    assert(answer->status == 0);
    answer->status = http_status_of(error->code);
    answer->code = error->code;
    answer->later = http_code_asks_to_retry(error->code);
    matching_write_error(&answer->body, error);
}

void http_answer_problem(http_answer *answer, unsigned status, matching_code code,
                         const char *message)
{
    matching_error error;
    matching_error_set(&error, code, MATCHING_FIELD_NONE, message);
    http_answer_error(answer, &error);
    answer->status = status;
}

static bool is_showable(matching_text name)
{
    bool showable = name.length > 0 && name.length <= SHOWN_NAME_MAX;
    for (size_t i = 0; showable && i < name.length; i++)
        showable = name.data[i] > ' ' && name.data[i] < 0x7f;
    return showable;
}

void http_answer_parameter(http_answer *answer, matching_text name, const char *what)
{
    assert(answer->status == 0);
    char message[200];
    matching_writer *body = &answer->body;
    answer->status = 400;
    answer->code = MATCHING_INVALID_PARAMETER;
    if (is_showable(name))
        snprintf(message, sizeof message, "query parameter %.*s: %s", (int)name.length, name.data,
                 what);
    else
        snprintf(message, sizeof message, "a query parameter: %s", what);
    MATCHING_WRITE(body, "{\"error\":");
    matching_write_cstring(body, message);
    MATCHING_WRITE(body, ",\"code\":\"INVALID_PARAMETER\"");
    if (is_showable(name)) {
        MATCHING_WRITE(body, ",\"field\":");
        matching_write_string(body, name.data, name.length);
    }
    MATCHING_WRITE(body, "}");
}

void http_answer_nothing(http_answer *answer, unsigned allow)
{
    assert(answer->status == 0);
    answer->status = 204;
    answer->allow = allow;
}

void http_methods_print(char out[HTTP_METHODS_TEXT], unsigned methods)
{
    size_t length = 0;
    out[0] = '\0';
    for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++)
        if (methods & METHODS[i].bit)
            length += (size_t)snprintf(out + length, HTTP_METHODS_TEXT - length, "%s%s",
                                       length > 0 ? ", " : "", METHODS[i].name);
}

unsigned http_method_find(const char *name)
{
    for (size_t i = 0; i < sizeof METHODS / sizeof METHODS[0]; i++)
        if (strcmp(METHODS[i].name, name) == 0)
            return METHODS[i].bit;
    return 0;
}
