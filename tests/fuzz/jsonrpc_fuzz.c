/* Fuzz target: any bytes as the body of a JSON-RPC request, through the whole codec.
 *
 * What must hold: no crash; what is no JSON is told from what is no request; each id that would be
 * echoed is a JSON string, number or null by itself and a part of the body; every answer is JSON.
 * a command that comes out is within its bounds. Nothing is carried out, so results are not part
 * of this, but for those of admin_snapshot and rpc.discover.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "json_reader.h"
#include "json_text.h"
#include "message.h"
#include "methods.h"

#define MAX_BATCH 20

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_answer(matching_writer *writer)
{
    must(!writer->failed && matching_json_check(writer->data, writer->length, 32));
    matching_writer_fini(writer);
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

static void check_command(const jsonrpc_request *request, const jsonrpc_call *call)
{
    matching_writer writer;
    matching_command command;
    jsonrpc_failure failure;
    matching_writer_init(&writer);
    if (jsonrpc_prepare(get_core(), call, &command, &failure)) {
        must(command.type != MATCHING_COMMAND_NONE && command.order_id <= MATCHING_ORDER_ID_MAX);
        must(call->request.action != MATCHING_ACTION_PLACE ||
             (command.quantity_lots >= 1 && command.quantity_lots <= MATCHING_LOTS_MAX &&
              command.trader_id[0] != '\0' && command.side <= 1));
    } else {
        jsonrpc_write_failure(&writer, request->id, &failure);
        check_answer(&writer);
    }
}

static void check_request(const jsonrpc_request *request, const char *body, size_t size)
{
    matching_writer writer;
    jsonrpc_call call;
    jsonrpc_failure failure;
    matching_writer_init(&writer);
    if (!request->valid) {
        jsonrpc_write_no_request(&writer, JSONRPC_INVALID_REQUEST, "no request");
        check_answer(&writer);
        return;
    }
    if (!request->notification) {
        must(request->id.data > body && request->id.data + request->id.length < body + size);
        must(matching_json_check(request->id.data, request->id.length, 1));
        must(memchr("\"-0123456789n", request->id.data[0], 13) != NULL);
    }
    if (!jsonrpc_read_call(request, &call, &failure)) {
        jsonrpc_write_failure(&writer, request->id, &failure);
        check_answer(&writer);
        return;
    }
    must(call.answer != JSONRPC_ANSWER_NONE);
    must(((call.request.wrong_type | call.request.malformed) & ~call.request.present) == 0);
    volatile unsigned sum = 0; /* read every byte that the texts point at */
    const matching_text texts[] = {call.request.symbol, call.request.trader_id, call.request.side,
                                   call.request.type, call.request.client_order_id};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        for (size_t j = 0; j < texts[i].length; j++) {
            sum += (unsigned char)texts[i].data[j];
        }
    }
    if (call.answer == JSONRPC_ANSWER_SNAPSHOTS) { /* the one result that needs no core */
        const matching_snapshot_result results[] = {{size, false}, {UINT64_MAX, false}};
        jsonrpc_write_snapshots(&writer, request->id, results, 2);
        check_answer(&writer);
    } else if (call.answer == JSONRPC_ANSWER_DOCUMENT) {
        jsonrpc_write_document(&writer, request->id, NULL);
        check_answer(&writer);
    }
    if (call.request.action != MATCHING_ACTION_NONE) {
        check_command(request, &call);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *body = (const char *)data;
    jsonrpc_message message;
    must(jsonrpc_message_parse(&message, body, size, MAX_BATCH));
    bool is_json = matching_json_check(body, size, MATCHING_JSON_DEPTH_MAX);
    must((message.error == JSONRPC_PARSE_ERROR) == !is_json);
    if (message.error != 0) {
        matching_writer writer;
        matching_writer_init(&writer);
        must(message.count == 0);
        jsonrpc_write_no_request(&writer, message.error, message.why);
        check_answer(&writer);
    } else {
        must(message.count >= 1 && message.count <= MAX_BATCH);
        must(message.batch || message.count == 1);
    }
    for (size_t i = 0; i < message.count; i++) {
        check_request(&message.requests[i], body, size);
    }
    jsonrpc_message_fini(&message);
    return 0;
}
