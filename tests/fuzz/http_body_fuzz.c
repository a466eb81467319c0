/* Fuzz target: any bytes as the body of a REST request, as far as its command. The first byte
 * chooses the call, the second one what its query says.
 *
 * What must hold: no crash; a refusal is JSON with a status of its own; a request that is
 * understood is made of the body and the target alone; a command that the gateway lets through is
 * within its bounds.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_text.h"
#include "routes.h"

#define DEPTH 8

static const struct {
    const char *method, *path;
} CALLS[] = {
    {"POST", "/api/orders"},       {"POST", "/api/orders/cancel"}, {"PATCH", "/api/orders/7"},
    {"POST", "/api/symbols"},      {"PATCH", "/api/symbols/AAA"},  {"GET", "/api/orders"},
    {"DELETE", "/api/orders"},     {"GET", "/api/orders/9"},       {"GET", "/api/market/depth"},
    {"GET", "/api/market/trades"},
};

static void must(bool holds)
{
    if (!holds)
        abort();
}

static const matching_core *get_core(void)
{
    static const matching_instrument_options instrument = {
        .symbol = "AAA", .id = 1, .sbe_char = 'A', .tick_size = 1000000, .lot_size = 10000};
    static matching_core *core;
    char error[256];
    if (core == NULL) {
        matching_core_options options;
        matching_core_options_default(&options);
        options.instruments = &instrument;
        options.instrument_count = options.shards = options.max_instruments = 1;
        options.ring_size = options.max_orders = options.max_traders = 64;
        options.retained_orders = options.recent_trades = 64;
        options.event_ring_size = 1024;
        core = matching_core_create(&options, error, sizeof error);
        must(core != NULL);
    }
    return core;
}

static void check_refusal(const http_answer *answer)
{
    must(answer->status >= 400 && answer->status <= 503 && !answer->body.failed);
    must(matching_json_check(answer->body.data, answer->body.length, DEPTH));
}

static void check_command(const matching_request *request, const matching_command *command)
{
    must(command->type != MATCHING_COMMAND_NONE && command->order_id <= MATCHING_ORDER_ID_MAX);
    must(command->limit <= MATCHING_DEPTH_LEVELS_MAX);
    if (request->action == MATCHING_ACTION_PLACE) {
        must(command->quantity_lots >= 1 && command->quantity_lots <= MATCHING_LOTS_MAX);
        must(command->price_ticks >= 0 && command->price_ticks <= MATCHING_TICKS_MAX);
        must(command->trader_id[0] != '\0' && command->side <= 1 && command->order_type <= 3);
    }
}

static void run_call(unsigned which, char *target_text, const char *body, size_t size)
{
    static const matching_access access_rules;
    const http_service service = {.core = get_core(), .access = &access_rules, .address = ""};
    http_target target;
    http_target_parse(target_text, strlen(target_text), &target);
    const http_request request = {.method = CALLS[which].method,
                                  .target = &target,
                                  .peer = "127.0.0.1",
                                  .content_type = "application/json",
                                  .body = body,
                                  .body_length = size,
                                  .level = MATCHING_ACCESS_FULL};
    http_answer answer;
    http_call call;
    http_answer_init(&answer);
    if (http_route(&service, &request, &answer, &call) == HTTP_ASK) {
        matching_command command;
        matching_error error;
        if (matching_gateway_prepare(service.core, &call.request, &command, &error) ==
            MATCHING_OK) {
            check_command(&call.request, &command);
        } else {
            http_answer_error(&answer, &error);
            check_refusal(&answer);
        }
        http_call_fini(&call);
    } else {
        check_refusal(&answer);
    }
    http_answer_fini(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char target[512];
    if (size < 2)
        return 0;
    unsigned which = data[0] % (sizeof CALLS / sizeof CALLS[0]);
    size_t query = data[1] <= size - 2 ? data[1] : size - 2;
    size_t length = strlen(CALLS[which].path);
    memcpy(target, CALLS[which].path, length);
    if (query > 0) {
        target[length++] = '?';
        memcpy(target + length, data + 2, query);
        for (size_t i = 0; i < query; i++)
            if (target[length + i] == '\0') /* none comes through a request line */
                target[length + i] = '0';
        length += query;
    }
    target[length] = '\0';
    run_call(which, target, (const char *)data + 2 + query, size - 2 - query);
    return 0;
}
