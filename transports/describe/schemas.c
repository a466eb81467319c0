/* The bodies of answers as JSON Schema. They are closed: a member that is not here is not sent, which
 * the tests hold every answer to.
 *
 * What the writers in transports/json print, and in which words; a change there is a change here.
 */
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "matching/order.h"

#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define ARRAY(items) "{\"type\":\"array\",\"items\":" items "}"
#define TEXT "{\"type\":\"string\"}"
#define COUNT "{\"type\":\"integer\",\"minimum\":0}"
#define NUMBER "{\"type\":\"number\",\"minimum\":0}"
#define NUMBER_OR_NULL "{\"type\":[\"number\",\"null\"]}"
#define TRUE "{\"const\":true}"
#define OBJECT(properties, required)                                                               \
    "{\"type\":\"object\",\"properties\":{" properties "},\"required\":[" required                 \
    "],\"additionalProperties\":false}"

/* The state of an order, in the answers about one. */
#define OUTCOME                                                                                    \
    "\"order_id\":" REF("OrderId") ",\"client_order_id\":" REF(                                    \
        "ClientOrderId") ",\"status\":" REF("Status") ",\"reason\":" REF("Reason") ",\"filled_"    \
                                                                                   "quantity\""    \
                                                                                   ":" NUMBER      \
                                                                                   ",\"remaining_" \
                                                                                   "quantity\""    \
                                                                                   ":" NUMBER
#define BEST                                                                                       \
    "\"best_bid\":" NUMBER_OR_NULL ",\"best_ask\":" NUMBER_OR_NULL ",\"spread\":" NUMBER_OR_NULL
#define INSTRUMENT                                                                                 \
    "\"symbol\":" REF("Symbol") ",\"id\":{\"type\":\"integer\",\"minimum\":1}"                     \
                                ",\"tick_size\":" REF("Positive") ",\"lot_size\":" REF("Positive")

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
    {"Level", "{\"type\":\"array\",\"description\":\"price, quantity, orders\",\"items\":" NUMBER
              ",\"minItems\":3,\"maxItems\":3}"},
    {"Instrument", OBJECT(INSTRUMENT ",\"state\":" REF("State"),
                          "\"symbol\",\"id\",\"tick_size\",\"lot_size\",\"state\"")},
    {"ShardTold", OBJECT("\"shard\":" COUNT ",\"failed\":" TEXT ",\"warning\":" TEXT, "\"shard\"")},
    {"Error", OBJECT("\"error\":" TEXT ",\"code\":" REF("Code") ",\"field\":" TEXT
                                                                ",\"order_id\":" REF("OrderId"),
                     "\"error\",\"code\"")},
    {"ErrorData", OBJECT("\"code\":" REF("Code") ",\"field\":" TEXT ",\"order_id\":" REF("OrderId"),
                         "\"code\"")},
};

static const char *const TEXTS[MATCHING_SCHEMA_COUNT] = {
    [MATCHING_SCHEMA_ORDER] = OBJECT(
        OUTCOME ",\"symbol\":" REF("Symbol") ",\"trader_id\":" REF("TraderId") ",\"side\":" REF("Si"
                                                                                                "d"
                                                                                                "e") ",\"order_type\":" REF("OrderType") ",\"time_in_force\":" REF("TimeInForce") ",\"expire_time\":" REF("Milliseconds") ",\"price\":" REF(
            "Positive") ",\"stop_price\":" REF("Positive") ",\"quantity\":" REF("Positive") ",\"dis"
                                                                                            "play_"
                                                                                            "quanti"
                                                                                            "ty\""
                                                                                            ":" REF("Positive") ",\"average_price\":" REF("Positive") ",\"post_only\":{\"type\":\"boolean\"},\"created\":" REF("Milliseconds") ",\"updated\":" REF("Milliseconds"),
        "\"order_id\",\"symbol\",\"trader_id\",\"side\",\"order_type\",\"time_in_force\","
        "\"quantity\",\"filled_quantity\",\"remaining_quantity\",\"status\",\"post_only\","
        "\"created\",\"updated\""),
    [MATCHING_SCHEMA_ORDERS] = OBJECT("\"orders\":" ARRAY(REF("Order")), "\"orders\""),
    [MATCHING_SCHEMA_ORDER_RESULT] =
        OBJECT(OUTCOME ",\"symbol\":" REF("Symbol") ",\"average_price\":" REF(
                   "Positive") ",\"trades\":" ARRAY(REF("Trade")) ",\"trades_truncated\":" TRUE
                                                                  ",\"latency_us\":" COUNT,
               "\"order_id\",\"symbol\",\"status\",\"filled_quantity\",\"remaining_quantity\","
               "\"trades\",\"latency_us\""),
    [MATCHING_SCHEMA_CANCEL_RESULT] =
        OBJECT("\"success\":" TRUE ",\"message\":" TEXT "," OUTCOME,
               "\"success\",\"message\",\"order_id\",\"status\",\"reason\",\"filled_quantity\","
               "\"remaining_quantity\""),
    [MATCHING_SCHEMA_ORDER_IDS] = OBJECT(
        "\"order_ids\":" ARRAY(REF("OrderId")) ",\"order_ids_truncated\":" TRUE, "\"order_ids\""),
    [MATCHING_SCHEMA_TRADE] =
        OBJECT("\"trade_id\":" REF("OrderId") ",\"symbol\":" REF("Symbol") ",\"buyer\":" REF("Trade"
                                                                                             "rId") ",\"seller\":" REF("TraderId") ",\"price\":" REF(
                   "Positive") ",\"quantity\":" REF("Positive") ",\"timestamp\":" REF("Millisecond"
                                                                                      "s") ",\"buy_"
                                                                                           "order_"
                                                                                           "id\""
                                                                                           ":" REF("OrderId") ",\"sell_order_id\":" REF("OrderId") ",\"taker_side\":{\"enum\":[\"buy\",\"sell\",null]}",
               "\"trade_id\",\"symbol\",\"buyer\",\"seller\",\"price\",\"quantity\",\"timestamp\","
               "\"buy_order_id\",\"sell_order_id\",\"taker_side\""),
    [MATCHING_SCHEMA_TRADES] = OBJECT("\"trades\":" ARRAY(REF("Trade")), "\"trades\""),
    [MATCHING_SCHEMA_DEPTH] =
        OBJECT("\"symbol\":" REF("Symbol") ",\"sequence\":" COUNT "," BEST ",\"bids\":" ARRAY(
                   REF("Level")) ",\"asks\":" ARRAY(REF("Level")),
               "\"symbol\",\"sequence\",\"best_bid\",\"best_ask\",\"spread\",\"bids\",\"asks\""),
    [MATCHING_SCHEMA_BOOK_STATUS] =
        OBJECT("\"symbol\":" REF("Symbol") "," BEST ",\"bid_quantity\":" NUMBER
                                           ",\"ask_quantity\":" NUMBER,
               "\"symbol\",\"best_bid\",\"best_ask\",\"spread\",\"bid_quantity\","
               "\"ask_quantity\""),
    [MATCHING_SCHEMA_TICKER] = OBJECT(
        "\"symbol\":" REF("Symbol") ",\"last\":" NUMBER_OR_NULL ",\"open\":" NUMBER_OR_NULL
                                    ",\"high\":" NUMBER_OR_NULL ",\"low\":" NUMBER_OR_NULL
                                    ",\"volume\":" NUMBER ",\"quote_volume\":" NUMBER
                                    ",\"count\":" COUNT ",\"best_bid\":" NUMBER_OR_NULL
                                    ",\"best_ask\":" NUMBER_OR_NULL ",\"indicative_price\":" REF(
                                        "Positive") ",\"indicative_quantity\":" NUMBER
                                                    ",\"timestamp\":" REF("Milliseconds"),
        "\"symbol\",\"last\",\"open\",\"high\",\"low\",\"volume\",\"quote_volume\",\"count\","
        "\"best_bid\",\"best_ask\",\"timestamp\""),
    [MATCHING_SCHEMA_SYMBOLS] = OBJECT("\"symbols\":" ARRAY(REF("Instrument")), "\"symbols\""),
    [MATCHING_SCHEMA_SYMBOL_ADDED] =
        OBJECT(INSTRUMENT ",\"timestamp\":" REF("Milliseconds"),
               "\"symbol\",\"id\",\"tick_size\",\"lot_size\",\"timestamp\""),
    [MATCHING_SCHEMA_SYMBOL_STATE] =
        OBJECT("\"symbol\":" REF("Symbol") ",\"state\":" REF("State"), "\"symbol\",\"state\""),
    [MATCHING_SCHEMA_HEALTH] =
        OBJECT("\"status\":{\"enum\":[\"healthy\",\"unhealthy\"]},\"service\":" TEXT
               ",\"version\":" TEXT ",\"uptime_seconds\":" COUNT
               ",\"shards\":" ARRAY(REF("ShardTold")) ",\"warnings\":" ARRAY(REF("ShardTold")),
               "\"status\",\"service\""),
    [MATCHING_SCHEMA_TIME] = OBJECT("\"server_time\":" REF("Milliseconds"), "\"server_time\""),
    [MATCHING_SCHEMA_EVENTS_STATUS] =
        OBJECT("\"shards\":" ARRAY(OBJECT(
                   "\"shard\":" COUNT ",\"commands\":" COUNT ",\"events\":" COUNT,
                   "\"shard\",\"commands\",\"events\"")) ","
                                                         "\"sbe\":" OBJECT(
                                                             "\"trades\":" COUNT
                                                             ",\"volume\":{\"type\":\"object\","
                                                             "\"additionalProperties\":" COUNT
                                                             "},\"unlisted_volume\":" COUNT,
                                                             "\"trades\",\"volume\"") ",\"store\":{"
                                                                                      "\"type\":["
                                                                                      "\"object\","
                                                                                      "\"null\"]}",
               "\"shards\",\"sbe\",\"store\""),
    [MATCHING_SCHEMA_CONNECTIONS] =
        OBJECT("\"connections\":" ARRAY(
                   OBJECT("\"id\":" TEXT ",\"transport\":" TEXT
                          ",\"trader_id\":{\"type\":[\"string\",\"null\"]},"
                          "\"remote_address\":{\"type\":[\"string\",\"null\"]},\"connected_"
                          "at\":" REF("Milliseconds") ",\"last_activity\":" REF(
                              "Milliseconds") ",\"messages_received\":" COUNT
                                              ",\"messages_sent\":" COUNT
                                              ",\"bytes_received\":" COUNT ",\"bytes_sent\":" COUNT
                                              ",\"errors\":" COUNT ",\"subscriptions\":" COUNT,
                          "\"id\",\"transport\",\"trader_id\",\"remote_address\",\"connected_at\","
                          "\"last_activity\",\"messages_received\",\"messages_sent\",\"bytes_"
                          "received\","
                          "\"bytes_sent\",\"errors\",\"subscriptions\"")) ",\"next\":"
                                                                          "{\"type\":[\"integer\","
                                                                          "\"null\"]}",
               "\"connections\",\"next\""),
    [MATCHING_SCHEMA_METRICS] = OBJECT(
        "\"connections\":" OBJECT(
            "\"total_connections\":" COUNT ",\"active_connections\":" COUNT
            ",\"total_messages_sent\":" COUNT ",\"total_subscriptions\":" COUNT,
            "\"total_connections\",\"active_connections\","
            "\"total_messages_sent\",\"total_subscriptions\"") ","
                                                               "\"messages_per_second\":" NUMBER
                                                               ",\"average_latency_ms\":" NUMBER
                                                               ",\"error_rate\":" NUMBER
                                                               ",\"memory_usage_mb\":" NUMBER,
        "\"connections\",\"messages_per_second\",\"average_latency_ms\",\"error_rate\","
        "\"memory_usage_mb\""),
    [MATCHING_SCHEMA_SNAPSHOTS] =
        OBJECT("\"success\":" TRUE ",\"snapshots\":" ARRAY(
                   OBJECT("\"shard\":" COUNT ",\"sequence\":" COUNT, "\"shard\",\"sequence\"")),
               "\"success\",\"snapshots\""),
    [MATCHING_SCHEMA_DOCUMENT] = "{\"type\":\"object\"}",
};

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
