/* Fuzz target: any bytes as the target of an HTTP request.
 *
 * What must hold: no crash; every piece lies within the given bytes; a piece is never longer than
 * what it was decoded from; what a question to the core is made of comes from the target alone.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "routes.h"

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void must_lie_within(matching_text text, const char *data, size_t size)
{
    must(text.data == NULL
             ? text.length == 0
             : text.data >= data && text.length <= size && text.data + text.length <= data + size);
}

static void check_route(const http_target *target, const char *method, const char *data,
                        size_t size)
{
    static const matching_access access_rules;
    const http_service service = {.access = &access_rules, .address = ""};
    const http_request request = {.method = method,
                                  .target = target,
                                  .peer = "127.0.0.1",
                                  .content_type = "application/json",
                                  .body = "{}",
                                  .body_length = 2,
                                  .level = MATCHING_ACCESS_FULL};
    http_answer answer;
    http_call call;
    http_answer_init(&answer);
    if (http_route(&service, &request, &answer, &call) == HTTP_ASK) {
        must(call.request.action != MATCHING_ACTION_NONE && answer.status == 0);
        must_lie_within(call.request.symbol, data, size);
        must_lie_within(call.request.trader_id, data, size);
        must_lie_within(call.request.client_order_id, data, size);
        must(call.request.order_id >= 0 && call.request.order_id <= MATCHING_ORDER_ID_MAX);
        http_call_fini(&call);
    } else {
        must(answer.status >= 200 && answer.status < 500);
    }
    http_answer_fini(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "DELETE", "PATCH", "POST", "OPTIONS"};
    char *copy = malloc(size > 0 ? size : 1);
    http_target target;
    if (copy == NULL)
        return 0;
    memcpy(copy, data, size);
    http_target_parse(copy, size, &target);
    must(target.segment_count <= HTTP_SEGMENTS_MAX);
    must(target.parameter_count <= HTTP_PARAMETERS_MAX);
    must_lie_within(target.authority, copy, size);
    for (size_t i = 0; i < target.segment_count; i++)
        must_lie_within(target.segments[i], copy, size);
    for (size_t i = 0; i < target.parameter_count; i++) {
        must_lie_within(target.parameters[i].name, copy, size);
        must_lie_within(target.parameters[i].value, copy, size);
    }
    /* There is no core here to list its instruments, or to tell its health and its figures. */
    static const char *const asking[] = {"symbols", "health", "metrics",
                                         "latency", "status", "connections"};
    bool asks_core = false;
    for (size_t i = 0; target.segment_count > 0 && i < sizeof asking / sizeof asking[0]; i++)
        asks_core = asks_core || http_text_is(target.segments[target.segment_count - 1], asking[i]);
    for (size_t i = asks_core; i < sizeof methods / sizeof methods[0]; i++)
        check_route(&target, methods[i], copy, size);
    free(copy);
    return 0;
}
