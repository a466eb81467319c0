/* The response objects of JSON-RPC 2.0; the results in them are the bodies that REST gives.
 *
 * Invariants: `result` or `error`, never both; `id` is what the request's text had, byte for byte.
 */
#include "answers.h"

#include "openrpc.h"

static void write_id(matching_writer *writer, matching_text id)
{
    MATCHING_WRITE(writer, ",\"id\":");
    if (id.length == 0) {
        MATCHING_WRITE(writer, "null}");
    } else {
        matching_write(writer, id.data, id.length);
        MATCHING_WRITE(writer, "}");
    }
}

static const char *state_name(unsigned state)
{
    static const char *const names[] = {"trading", "halted", "auction"};
    return state < sizeof names / sizeof names[0] ? names[state] : "";
}

static void write_state(matching_writer *writer, const matching_core *core,
                        const jsonrpc_expected *expected)
{
    MATCHING_WRITE(writer, "{\"symbol\":");
    matching_write_cstring(writer, matching_core_instrument(core, expected->instrument)->symbol);
    MATCHING_WRITE(writer, ",\"state\":");
    matching_write_cstring(writer, state_name(expected->state));
    MATCHING_WRITE(writer, "}");
}

static void write_body(matching_writer *writer, const matching_core *core,
                       const jsonrpc_expected *expected, const matching_reply *reply)
{
    switch (expected->answer) {
    case JSONRPC_ANSWER_PLACED:
        matching_write_order_result(writer, core, reply);
        break;
    case JSONRPC_ANSWER_CANCELLED:
        matching_write_cancel_result(writer, core, reply);
        break;
    case JSONRPC_ANSWER_ORDER_IDS:
        matching_write_cancel_all_result(writer, reply);
        break;
    case JSONRPC_ANSWER_ORDER:
        matching_write_order(writer, core, &reply->order, false);
        break;
    case JSONRPC_ANSWER_ORDERS:
        matching_write_orders(writer, core, reply);
        break;
    case JSONRPC_ANSWER_DEPTH:
        matching_write_depth(writer, core, expected->instrument, reply->depth);
        break;
    case JSONRPC_ANSWER_BOOK_STATUS:
        matching_write_book_status(writer, core, expected->instrument, reply->depth);
        break;
    case JSONRPC_ANSWER_TRADES:
        matching_write_trades(writer, core, reply);
        break;
    case JSONRPC_ANSWER_TICKER:
        matching_write_ticker(writer, core, expected->instrument, reply->ticker);
        break;
    case JSONRPC_ANSWER_KLINES:
        matching_write_klines(writer, core, expected->instrument, reply);
        break;
    case JSONRPC_ANSWER_STATE:
        write_state(writer, core, expected);
        break;
    case JSONRPC_ANSWER_ADDED:
        matching_write_token_created(writer, matching_core_instrument(core, reply->instrument),
                                     reply->time_ns);
        break;
    case JSONRPC_ANSWER_SYMBOLS:
        matching_write_symbols(writer, core);
        break;
    case JSONRPC_ANSWER_HEALTH:
        matching_write_health(writer, core, JSONRPC_SERVICE, "");
        break;
    case JSONRPC_ANSWER_SNAPSHOTS: /* these have functions of their own */
    case JSONRPC_ANSWER_DOCUMENT:
    case JSONRPC_ANSWER_NONE:
        MATCHING_WRITE(writer, "null");
        break;
    }
}

void jsonrpc_write_result(matching_writer *writer, const matching_core *core, matching_text id,
                          const jsonrpc_expected *expected, const matching_reply *reply)
{
    MATCHING_WRITE(writer, "{\"jsonrpc\":\"2.0\",\"result\":");
    write_body(writer, core, expected, reply);
    write_id(writer, id);
}

void jsonrpc_write_snapshots(matching_writer *writer, matching_text id,
                             const matching_snapshot_result *results, size_t count)
{
    MATCHING_WRITE(writer, "{\"jsonrpc\":\"2.0\",\"result\":{\"success\":true,\"snapshots\":[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            MATCHING_WRITE(writer, ",");
        }
        MATCHING_WRITE(writer, "{\"shard\":");
        matching_write_unsigned(writer, i);
        MATCHING_WRITE(writer, ",\"sequence\":");
        matching_write_unsigned(writer, results[i].sequence);
        MATCHING_WRITE(writer, "}");
    }
    MATCHING_WRITE(writer, "]}");
    write_id(writer, id);
}

void jsonrpc_write_document(matching_writer *writer, matching_text id,
                            const matching_config *config)
{
    MATCHING_WRITE(writer, "{\"jsonrpc\":\"2.0\",\"result\":");
    jsonrpc_openrpc_write(writer, config);
    write_id(writer, id);
}

void jsonrpc_write_failure(matching_writer *writer, matching_text id,
                           const jsonrpc_failure *failure)
{
    MATCHING_WRITE(writer, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":");
    matching_write_integer(writer, failure->number);
    MATCHING_WRITE(writer, ",\"message\":");
    matching_write_cstring(writer, failure->message);
    MATCHING_WRITE(writer, ",\"data\":{\"code\":");
    matching_write_cstring(writer, matching_code_name(failure->code));
    if (failure->field[0] != '\0') {
        MATCHING_WRITE(writer, ",\"field\":");
        matching_write_cstring(writer, failure->field);
    }
    if (failure->order_id != 0) {
        MATCHING_WRITE(writer, ",\"order_id\":");
        matching_write_unsigned(writer, failure->order_id);
    }
    MATCHING_WRITE(writer, "}}");
    write_id(writer, id);
}

void jsonrpc_write_no_request(matching_writer *writer, int number, const char *why)
{
    jsonrpc_failure failure;
    matching_code code =
        number == JSONRPC_PARSE_ERROR ? MATCHING_INVALID_JSON : MATCHING_INVALID_MESSAGE;
    jsonrpc_failure_set(&failure, number, code, "", why);
    jsonrpc_write_failure(writer, (matching_text){NULL, 0}, &failure);
}
