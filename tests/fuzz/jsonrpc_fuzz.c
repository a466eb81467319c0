/* Fuzz target: any bytes as the body of a JSON-RPC request, through the whole codec.
 *
 * What must hold: no crash; whatever is taken without a tree, the tree gives the same call of; what
 * is no JSON is told from what is no request; each id that would be echoed is a JSON string, number
 * or null by itself and a part of the body; every answer is JSON. a command that comes out is
 * within its bounds. Nothing is carried out, so results are not part of this, but for those of
 * admin_snapshot and rpc.discover.
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
    (void)sum;
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

static bool is_same(matching_text left, matching_text right)
{
    return left.length == right.length &&
           (left.length == 0 || memcmp(left.data, right.data, left.length) == 0);
}

static void check_same_call(const matching_request *flat, const matching_request *tree)
{
    must(flat->action == tree->action && flat->present == tree->present);
    must(flat->wrong_type == 0 && tree->wrong_type == 0);
    must(flat->malformed == 0 && tree->malformed == 0);
    must(is_same(flat->symbol, tree->symbol) && is_same(flat->trader_id, tree->trader_id));
    must(is_same(flat->client_order_id, tree->client_order_id));
    must(is_same(flat->side, tree->side) && is_same(flat->type, tree->type));
    must(is_same(flat->time_in_force, tree->time_in_force));
    must(is_same(flat->self_trade_prevention, tree->self_trade_prevention));
    must(is_same(flat->state, tree->state) && is_same(flat->status, tree->status));
    must(is_same(flat->sbe_char, tree->sbe_char) && is_same(flat->interval, tree->interval));
    must(flat->price == tree->price && flat->stop_price == tree->stop_price);
    must(flat->quantity == tree->quantity && flat->display_quantity == tree->display_quantity);
    must(flat->tick_size == tree->tick_size && flat->lot_size == tree->lot_size);
    must(flat->order_id == tree->order_id && flat->expire_time == tree->expire_time);
    must(flat->after == tree->after && flat->levels == tree->levels && flat->limit == tree->limit);
    must(flat->from_id == tree->from_id && flat->before_id == tree->before_id);
    must(flat->from == tree->from && flat->to == tree->to);
    must(flat->id == tree->id && flat->post_only == tree->post_only);
}

static void check_ways(const char *body, size_t size)
{
    jsonrpc_message flat;
    jsonrpc_message tree;
    jsonrpc_call calls[2];
    jsonrpc_failure failures[2];
    memset(&flat, 0xa5, sizeof flat);
    if (jsonrpc_message_parse_flat(&flat, body, size)) {
        must(jsonrpc_message_parse_json(&tree, body, size, MAX_BATCH));
        must(tree.error == 0 && tree.count == 1 && !tree.batch && tree.requests[0].valid);
        must(flat.error == 0 && flat.count == 1 && !flat.batch && flat.requests[0].valid);
        must(flat.requests[0].notification == tree.requests[0].notification);
        must(flat.requests[0].id.data == tree.requests[0].id.data);
        must(is_same(flat.requests[0].id, tree.requests[0].id));
        must(is_same(flat.requests[0].method, tree.requests[0].method));
        bool good = jsonrpc_read_call(&flat.requests[0], &calls[0], &failures[0]);
        must(good == jsonrpc_read_call(&tree.requests[0], &calls[1], &failures[1]));
        if (good) {
            must(calls[0].answer == calls[1].answer && calls[0].iceberg == calls[1].iceberg);
            check_same_call(&calls[0].request, &calls[1].request);
        } else {
            must(failures[0].number == failures[1].number && failures[0].code == failures[1].code);
            must(strcmp(failures[0].message, failures[1].message) == 0);
        }
        jsonrpc_message_fini(&tree);
    }
    jsonrpc_message_fini(&flat);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *body = (const char *)data;
    jsonrpc_message message;
    check_ways(body, size);
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
