/* Fuzz target: any bytes as the body of a JSON-RPC request, through the whole codec.
 *
 * What must hold: no crash; what is no JSON is told from what is no request; each id that would be
 * echoed is a JSON string, number or null by itself and a part of the body; every answer is JSON.
 * There is no core: commands are not made, so results are not part of this, but for admin_snapshot's.
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
    must(!writer->failed && matching_json_check(writer->data, writer->length, 8));
    matching_writer_fini(writer);
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
