/* The bodies of answers as JSON Schema. They are closed: a member that is not here is not sent,
 * which the tests hold every answer to.
 *
 * What the writers in transports/json print, and in which words; a change there is a change here.
 */
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "matching/order.h"

/* clang-format off */
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define ARRAY(items) "{\"type\":\"array\",\"items\":" items "}"
#define MAP_OF(values) "{\"type\":\"object\",\"additionalProperties\":" values "}"
#define TEXT "{\"type\":\"string\"}"
#define TEXT_OR_NULL "{\"type\":[\"string\",\"null\"]}"
#define BOOLEAN "{\"type\":\"boolean\"}"
#define TRUE "{\"const\":true}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define POSITIVE_COUNT "{\"type\":\"integer\",\"minimum\":1}"
#define COUNT_OR_NULL "{\"type\":[\"integer\",\"null\"],\"minimum\":0}"
#define NUMBER "{\"type\":\"number\",\"minimum\":0}"
#define NUMBER_OR_NULL "{\"type\":[\"number\",\"null\"]}"
#define OR_NULL(schema) "{\"anyOf\":[" schema ",{\"type\":\"null\"}]}"
#define SIDE_OR_NULL "{\"enum\":[\"buy\",\"sell\",null]}"
#define HEALTH "{\"enum\":[\"healthy\",\"starting\",\"failing\"]}"
#define M(name, schema) "\"" name "\":" schema
/* Members, and the names of those that are always there. */
#define OBJECT(members, required)                                                                  \
    "{\"type\":\"object\",\"properties\":{" members "},\"required\":[" required \
    "],\"additionalProperties\":false}"

static const struct {
    const char *name;
    const char *text;
} PARTS[] = {
    {"OrderId", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":9007199254740991}"},
    {"Positive", "{\"type\":\"number\",\"exclusiveMinimum\":0}"},
    {"Milliseconds", "{\"type\":\"integer\",\"minimum\":0,\"description\":\"Unix time\"}"},
    {"Symbol", "{\"type\":\"string\",\"pattern\":\"^[A-Z0-9._-]{1,16}$\"}"},
    {"TraderId", "{\"type\":\"string\",\"pattern\":\"^[!-~]{1,32}$\"}"},
    {"ClientOrderId", "{\"type\":\"string\",\"pattern\":\"^[ -~]{1,36}$\"}"},
    {"Level", "{\"type\":\"array\",\"description\":\"price, quantity, orders\","
              "\"items\":" NUMBER ",\"minItems\":3,\"maxItems\":3}"},
    {"Instrument", OBJECT(
        M("symbol", REF("Symbol")) ","
        M("id", POSITIVE_COUNT) ","
        M("tick_size", REF("Positive")) ","
        M("lot_size", REF("Positive")) ","
        M("state", REF("State")),
        "\"symbol\",\"id\",\"tick_size\",\"lot_size\",\"state\"")},
    {"ShardTold", OBJECT(
        M("shard", COUNT) ","
        M("failed", TEXT) ","
        M("warning", TEXT),
        "")},
    {"ShardProgress", OBJECT(
        M("shard", COUNT) ","
        M("commands", COUNT) ","
        M("events", COUNT),
        "\"shard\",\"commands\",\"events\"")},
    {"StoreProgress", OBJECT(
        M("shard", COUNT) ","
        M("state", TEXT) ","
        M("stored", COUNT) ","
        M("safe", COUNT) ","
        M("lag", COUNT) ","
        M("time", REF("Milliseconds")) ","
        M("why", TEXT),
        "\"shard\",\"state\",\"stored\",\"safe\",\"lag\",\"time\"")},
    {"StoreStatus", OBJECT(
        M("state", TEXT) ","
        M("shards", ARRAY(REF("StoreProgress"))),
        "\"state\",\"shards\"")},
    {"Recovering", OBJECT(
        M("shard", COUNT) ","
        M("what", TEXT) ","
        M("done", NUMBER),
        "\"shard\",\"what\",\"done\"")},
    {"StageBucket", OBJECT(
        M("most_ns", COUNT) ","
        M("count", POSITIVE_COUNT),
        "\"most_ns\",\"count\"")},
    {"StageTimes", OBJECT(
        M("stage", TEXT) ","
        M("count", COUNT) ","
        M("mean_ns", COUNT) ","
        M("p50_ns", COUNT) ","
        M("p90_ns", COUNT) ","
        M("p99_ns", COUNT) ","
        M("p999_ns", COUNT) ","
        M("max_ns", COUNT) ","
        M("buckets", ARRAY(REF("StageBucket"))),
        "\"stage\",\"count\",\"mean_ns\",\"p50_ns\",\"p90_ns\",\"p99_ns\",\"p999_ns\",\"max_ns\","
        "\"buckets\"")},
    {"SbeCounts", OBJECT(
        M("trades", COUNT) ","
        M("volume", MAP_OF(COUNT)) ","
        M("unlisted_volume", COUNT),
        "\"trades\",\"volume\"")},
    {"Snapshot", OBJECT(
        M("shard", COUNT) ","
        M("sequence", COUNT),
        "\"shard\",\"sequence\"")},
    {"Connection", OBJECT(
        M("id", TEXT) ","
        M("transport", TEXT) ","
        M("trader_id", TEXT_OR_NULL) ","
        M("remote_address", TEXT_OR_NULL) ","
        M("connected_at", REF("Milliseconds")) ","
        M("last_activity", REF("Milliseconds")) ","
        M("messages_received", COUNT) ","
        M("messages_sent", COUNT) ","
        M("bytes_received", COUNT) ","
        M("bytes_sent", COUNT) ","
        M("errors", COUNT) ","
        M("subscriptions", COUNT),
        "\"id\",\"transport\",\"trader_id\",\"remote_address\",\"connected_at\","
        "\"last_activity\",\"messages_received\",\"messages_sent\",\"bytes_received\","
        "\"bytes_sent\",\"errors\",\"subscriptions\"")},
    {"ConnectionTotals", OBJECT(
        M("total_connections", COUNT) ","
        M("active_connections", COUNT) ","
        M("total_messages_sent", COUNT) ","
        M("total_subscriptions", COUNT),
        "\"total_connections\",\"active_connections\",\"total_messages_sent\","
        "\"total_subscriptions\"")},
    {"Error", OBJECT(
        M("error", TEXT) ","
        M("code", REF("Code")) ","
        M("field", TEXT) ","
        M("order_id", REF("OrderId")),
        "\"error\",\"code\"")},
    {"ErrorData", OBJECT(
        M("code", REF("Code")) ","
        M("field", TEXT) ","
        M("order_id", REF("OrderId")),
        "\"code\"")},
};

static const char *const TEXTS[MATCHING_SCHEMA_COUNT] = {
    [MATCHING_SCHEMA_ORDER] = OBJECT(
        M("order_id", REF("OrderId")) ","
        M("client_order_id", REF("ClientOrderId")) ","
        M("symbol", REF("Symbol")) ","
        M("trader_id", REF("TraderId")) ","
        M("side", REF("Side")) ","
        M("order_type", REF("OrderType")) ","
        M("time_in_force", REF("TimeInForce")) ","
        M("expire_time", REF("Milliseconds")) ","
        M("price", REF("Positive")) ","
        M("stop_price", REF("Positive")) ","
        M("quantity", REF("Positive")) ","
        M("display_quantity", REF("Positive")) ","
        M("filled_quantity", NUMBER) ","
        M("remaining_quantity", NUMBER) ","
        M("average_price", REF("Positive")) ","
        M("status", REF("Status")) ","
        M("reason", REF("Reason")) ","
        M("post_only", BOOLEAN) ","
        M("created", REF("Milliseconds")) ","
        M("updated", REF("Milliseconds")),
        "\"order_id\",\"symbol\",\"trader_id\",\"side\",\"order_type\",\"time_in_force\","
        "\"quantity\",\"filled_quantity\",\"remaining_quantity\",\"status\",\"post_only\","
        "\"created\",\"updated\""),
    [MATCHING_SCHEMA_ORDERS] = OBJECT(
        M("orders", ARRAY(REF("Order"))),
        "\"orders\""),
    [MATCHING_SCHEMA_ORDER_RESULT] = OBJECT(
        M("order_id", REF("OrderId")) ","
        M("client_order_id", REF("ClientOrderId")) ","
        M("symbol", REF("Symbol")) ","
        M("status", REF("Status")) ","
        M("reason", REF("Reason")) ","
        M("filled_quantity", NUMBER) ","
        M("remaining_quantity", NUMBER) ","
        M("average_price", REF("Positive")) ","
        M("trades", ARRAY(REF("Trade"))) ","
        M("trades_truncated", TRUE) ","
        M("latency_us", COUNT),
        "\"order_id\",\"symbol\",\"status\",\"filled_quantity\",\"remaining_quantity\","
        "\"trades\",\"latency_us\""),
    [MATCHING_SCHEMA_CANCEL_RESULT] = OBJECT(
        M("success", TRUE) ","
        M("message", TEXT) ","
        M("order_id", REF("OrderId")) ","
        M("client_order_id", REF("ClientOrderId")) ","
        M("status", REF("Status")) ","
        M("reason", REF("Reason")) ","
        M("filled_quantity", NUMBER) ","
        M("remaining_quantity", NUMBER),
        "\"success\",\"message\",\"order_id\",\"status\",\"reason\",\"filled_quantity\","
        "\"remaining_quantity\""),
    [MATCHING_SCHEMA_ORDER_IDS] = OBJECT(
        M("order_ids", ARRAY(REF("OrderId"))) ","
        M("order_ids_truncated", TRUE),
        "\"order_ids\""),
    [MATCHING_SCHEMA_TRADE] = OBJECT(
        M("trade_id", REF("OrderId")) ","
        M("symbol", REF("Symbol")) ","
        M("buyer", REF("TraderId")) ","
        M("seller", REF("TraderId")) ","
        M("price", REF("Positive")) ","
        M("quantity", REF("Positive")) ","
        M("timestamp", REF("Milliseconds")) ","
        M("buy_order_id", REF("OrderId")) ","
        M("sell_order_id", REF("OrderId")) ","
        M("taker_side", SIDE_OR_NULL),
        "\"trade_id\",\"symbol\",\"buyer\",\"seller\",\"price\",\"quantity\",\"timestamp\","
        "\"buy_order_id\",\"sell_order_id\",\"taker_side\""),
    [MATCHING_SCHEMA_TRADES] = OBJECT(
        M("trades", ARRAY(REF("Trade"))),
        "\"trades\""),
    [MATCHING_SCHEMA_DEPTH] = OBJECT(
        M("symbol", REF("Symbol")) ","
        M("sequence", COUNT) ","
        M("best_bid", NUMBER_OR_NULL) ","
        M("best_ask", NUMBER_OR_NULL) ","
        M("spread", NUMBER_OR_NULL) ","
        M("bids", ARRAY(REF("Level"))) ","
        M("asks", ARRAY(REF("Level"))),
        "\"symbol\",\"sequence\",\"best_bid\",\"best_ask\",\"spread\",\"bids\",\"asks\""),
    [MATCHING_SCHEMA_BOOK_STATUS] = OBJECT(
        M("symbol", REF("Symbol")) ","
        M("best_bid", NUMBER_OR_NULL) ","
        M("best_ask", NUMBER_OR_NULL) ","
        M("spread", NUMBER_OR_NULL) ","
        M("bid_quantity", NUMBER) ","
        M("ask_quantity", NUMBER),
        "\"symbol\",\"best_bid\",\"best_ask\",\"spread\",\"bid_quantity\",\"ask_quantity\""),
    [MATCHING_SCHEMA_CANDLE] = OBJECT(
        M("time", COUNT) ","
        M("open", REF("Positive")) ","
        M("high", REF("Positive")) ","
        M("low", REF("Positive")) ","
        M("close", REF("Positive")) ","
        M("volume", NUMBER) ","
        M("is_final", BOOLEAN) ","
        M("update_count", COUNT),
        "\"time\",\"open\",\"high\",\"low\",\"close\",\"volume\",\"is_final\","
        "\"update_count\""),
    [MATCHING_SCHEMA_KLINES] = OBJECT(
        M("klines", ARRAY(REF("Candle"))),
        "\"klines\""),
    [MATCHING_SCHEMA_TICKER] = OBJECT(
        M("symbol", REF("Symbol")) ","
        M("last", NUMBER_OR_NULL) ","
        M("open", NUMBER_OR_NULL) ","
        M("high", NUMBER_OR_NULL) ","
        M("low", NUMBER_OR_NULL) ","
        M("volume", NUMBER) ","
        M("quote_volume", NUMBER) ","
        M("count", COUNT) ","
        M("best_bid", NUMBER_OR_NULL) ","
        M("best_ask", NUMBER_OR_NULL) ","
        M("indicative_price", REF("Positive")) ","
        M("indicative_quantity", NUMBER) ","
        M("timestamp", REF("Milliseconds")),
        "\"symbol\",\"last\",\"open\",\"high\",\"low\",\"volume\",\"quote_volume\","
        "\"count\",\"best_bid\",\"best_ask\",\"timestamp\""),
    [MATCHING_SCHEMA_SYMBOLS] = OBJECT(
        M("symbols", ARRAY(REF("Instrument"))),
        "\"symbols\""),
    [MATCHING_SCHEMA_SYMBOL_ADDED] = OBJECT(
        M("symbol", REF("Symbol")) ","
        M("id", POSITIVE_COUNT) ","
        M("tick_size", REF("Positive")) ","
        M("lot_size", REF("Positive")) ","
        M("timestamp", REF("Milliseconds")),
        "\"symbol\",\"id\",\"tick_size\",\"lot_size\",\"timestamp\""),
    [MATCHING_SCHEMA_SYMBOL_STATE] = OBJECT(
        M("symbol", REF("Symbol")) ","
        M("state", REF("State")),
        "\"symbol\",\"state\""),
    [MATCHING_SCHEMA_HEALTH] = OBJECT(
        M("status", HEALTH) ","
        M("service", TEXT) ","
        M("version", TEXT) ","
        M("uptime_seconds", COUNT) ","
        M("recovering", REF("Recovering")) ","
        M("shards", ARRAY(REF("ShardTold"))) ","
        M("warnings", ARRAY(REF("ShardTold"))),
        "\"status\",\"service\""),
    [MATCHING_SCHEMA_TIME] = OBJECT(
        M("server_time", REF("Milliseconds")),
        "\"server_time\""),
    [MATCHING_SCHEMA_EVENTS_STATUS] = OBJECT(
        M("shards", ARRAY(REF("ShardProgress"))) ","
        M("sbe", REF("SbeCounts")) ","
        M("store", OR_NULL(REF("StoreStatus"))),
        "\"shards\",\"sbe\",\"store\""),
    [MATCHING_SCHEMA_CONNECTIONS] = OBJECT(
        M("connections", ARRAY(REF("Connection"))) ","
        M("next", COUNT_OR_NULL),
        "\"connections\",\"next\""),
    [MATCHING_SCHEMA_METRICS] = OBJECT(
        M("connections", REF("ConnectionTotals")) ","
        M("messages_per_second", NUMBER) ","
        M("average_latency_ms", NUMBER) ","
        M("error_rate", NUMBER) ","
        M("memory_usage_mb", NUMBER),
        "\"connections\",\"messages_per_second\",\"average_latency_ms\",\"error_rate\","
        "\"memory_usage_mb\""),
    [MATCHING_SCHEMA_LATENCY] = OBJECT(
        M("stages", ARRAY(REF("StageTimes"))),
        "\"stages\""),
    [MATCHING_SCHEMA_SNAPSHOTS] = OBJECT(
        M("success", TRUE) ","
        M("snapshots", ARRAY(REF("Snapshot"))),
        "\"success\",\"snapshots\""),
    [MATCHING_SCHEMA_DOCUMENT] = "{\"type\":\"object\"}",
};
/* clang-format on */

void matching_describe_text(matching_writer *writer, const char *text)
{
    matching_write(writer, text, strlen(text));
}

void matching_describe_name(matching_writer *writer, const char *name)
{
    matching_write_cstring(writer, name);
    MATCHING_WRITE(writer, ":");
}

const char *matching_schema_name(matching_schema schema)
{
    static const char *const names[MATCHING_SCHEMA_COUNT] = {"",
#define SCHEMA_NAME(upper, name) #name,
                                                             MATCHING_SCHEMA_TABLE(SCHEMA_NAME)
#undef SCHEMA_NAME
    };
    return (unsigned)schema < MATCHING_SCHEMA_COUNT ? names[schema] : "";
}

matching_schema matching_schema_of_action(matching_action action)
{
    switch (action) {
    case MATCHING_ACTION_PLACE:
    case MATCHING_ACTION_AMEND:
        return MATCHING_SCHEMA_ORDER_RESULT;
    case MATCHING_ACTION_CANCEL:
        return MATCHING_SCHEMA_CANCEL_RESULT;
    case MATCHING_ACTION_CANCEL_ALL:
        return MATCHING_SCHEMA_ORDER_IDS;
    case MATCHING_ACTION_SET_STATE:
        return MATCHING_SCHEMA_SYMBOL_STATE;
    case MATCHING_ACTION_ADD_INSTRUMENT:
        return MATCHING_SCHEMA_SYMBOL_ADDED;
    case MATCHING_ACTION_GET_ORDER:
        return MATCHING_SCHEMA_ORDER;
    case MATCHING_ACTION_LIST_ORDERS:
    case MATCHING_ACTION_LIST_OPEN_ORDERS:
        return MATCHING_SCHEMA_ORDERS;
    case MATCHING_ACTION_GET_DEPTH:
        return MATCHING_SCHEMA_DEPTH;
    case MATCHING_ACTION_GET_TRADES:
        return MATCHING_SCHEMA_TRADES;
    case MATCHING_ACTION_GET_KLINES:
        return MATCHING_SCHEMA_KLINES;
    case MATCHING_ACTION_GET_TICKER:
        return MATCHING_SCHEMA_TICKER;
    default:
        return MATCHING_SCHEMA_NONE;
    }
}

void matching_describe_reference(matching_writer *writer, matching_schema schema)
{
    MATCHING_WRITE(writer, "{\"$ref\":\"#/components/schemas/");
    matching_describe_text(writer, matching_schema_name(schema));
    MATCHING_WRITE(writer, "\"}");
}

/* "Side":{"enum":["buy","sell"]}, */
static void write_words(matching_writer *writer, const char *name, const char *(*word)(unsigned),
                        unsigned from, unsigned end)
{
    matching_describe_name(writer, name);
    MATCHING_WRITE(writer, "{\"enum\":[");
    for (unsigned i = from; i < end; i++) {
        if (i > from)
            MATCHING_WRITE(writer, ",");
        matching_write_cstring(writer, word(i));
    }
    MATCHING_WRITE(writer, "]},");
}

static const char *code_name(unsigned code)
{
    return matching_code_name((matching_code)code);
}

void matching_describe_schemas(matching_writer *writer)
{
    MATCHING_WRITE(writer, "{");
    write_words(writer, "Code", code_name, 1, MATCHING_CODE_COUNT);
    write_words(writer, "Side", matching_side_name, 0, 2);
    write_words(writer, "OrderType", matching_order_type_name, 0, 4);
    write_words(writer, "TimeInForce", matching_time_in_force_name, 0, 4);
    write_words(writer, "Status", matching_status_name, 0, 5);
    write_words(writer, "Reason", matching_reason_name, 1, MATCHING_REASON_DISCONNECT + 1);
    write_words(writer, "State", matching_state_name, 0, 3);
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
        matching_describe_name(writer, PARTS[i].name);
        matching_describe_text(writer, PARTS[i].text);
        MATCHING_WRITE(writer, ",");
    }
    for (unsigned i = 1; i < MATCHING_SCHEMA_COUNT; i++) {
        if (i > 1)
            MATCHING_WRITE(writer, ",");
        matching_describe_name(writer, matching_schema_name((matching_schema)i));
        matching_describe_text(writer, TEXTS[i]);
    }
    MATCHING_WRITE(writer, "}");
}
