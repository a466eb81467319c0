/* The document, from the table of methods (methods.c) and the gateway's table of fields
 * (transports/describe).
 *
 * Invariants: a method has the parameters of its action, but for those that its name implies; side
 * and type are told as this door takes them, in any case.
 */
#include "openrpc.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "matching/order.h"
#include "message.h"
#include "methods.h"

#ifndef MATCHING_VERSION
#define MATCHING_VERSION "unknown"
#endif

#define BIT(name) MATCHING_FIELD_BIT(MATCHING_FIELD_##name)

static const struct {
    const char *name;
    int number;
    const char *message;
} ERRORS[] = {
    {"InvalidParams", JSONRPC_INVALID_PARAMS, "a parameter is missing or wrong"},
    {"Refused", JSONRPC_REFUSED, "understood and refused"},
    {"Internal", JSONRPC_INTERNAL_ERROR, "a fault of the service"},
};

static matching_schema schema_of(const jsonrpc_method_view *view)
{
    switch (view->answer) {
    case JSONRPC_ANSWER_BOOK_STATUS:
        return MATCHING_SCHEMA_BOOK_STATUS;
    case JSONRPC_ANSWER_SNAPSHOTS:
        return MATCHING_SCHEMA_SNAPSHOTS;
    case JSONRPC_ANSWER_DOCUMENT:
        return MATCHING_SCHEMA_DOCUMENT;
    case JSONRPC_ANSWER_SYMBOLS:
        return MATCHING_SCHEMA_SYMBOLS;
    case JSONRPC_ANSWER_HEALTH:
        return MATCHING_SCHEMA_HEALTH;
    default:
        return matching_schema_of_action(view->action);
    }
}

/* ---- Parameters ------------------------------------------------------------------------------ */

/* "[bB][uU][yY]" */
static void write_any_case(matching_writer *writer, const char *word)
{
    for (; *word != '\0'; word++) {
        char text[5] = {'[', *word, (char)toupper((unsigned char)*word), ']', '\0'};
        if (islower((unsigned char)*word))
            matching_describe_text(writer, text);
        else
            matching_write(writer, word, 1);
    }
}

static void write_words(matching_writer *writer, matching_field field)
{
    bool is_side = field == MATCHING_FIELD_SIDE;
    MATCHING_WRITE(writer, "{\"type\":\"string\",\"pattern\":\"^(");
    for (unsigned i = 0; i < (is_side ? 2 : 4); i++) {
        if (i > 0)
            MATCHING_WRITE(writer, "|");
        write_any_case(writer, is_side ? matching_side_name(i) : matching_order_type_name(i));
    }
    if (is_side)
        MATCHING_WRITE(writer, "|[bB]|[sS]");
    MATCHING_WRITE(writer, ")$\"}");
}

static void write_parameter(matching_writer *writer, matching_action action, matching_field field,
                            const char *name, bool is_required)
{
    MATCHING_WRITE(writer, "{\"name\":");
    matching_write_cstring(writer, name);
    MATCHING_WRITE(writer, ",\"description\":");
    matching_write_cstring(writer, matching_describe_meaning(field));
    matching_describe_text(writer, is_required ? ",\"required\":true,\"schema\":"
                                               : ",\"required\":false,\"schema\":");
    if (field == MATCHING_FIELD_SIDE || field == MATCHING_FIELD_TYPE)
        write_words(writer, field);
    else
        matching_describe_field(writer, action, field, false);
    MATCHING_WRITE(writer, "}");
}

/* What the method's name says, and what means nothing for it. */
static uint32_t left_out(const jsonrpc_method_view *view)
{
    if (view->answer == JSONRPC_ANSWER_BOOK_STATUS)
        return BIT(LEVELS);
    if (view->order_type == NULL)
        return 0;
    bool is_limit = strcmp(view->order_type, matching_order_type_name(MATCHING_LIMIT)) == 0;
    return BIT(TYPE) | BIT(STOP_PRICE) |
           (is_limit ? 0 : BIT(PRICE) | BIT(POST_ONLY) | BIT(DISPLAY_QUANTITY) | BIT(EXPIRE_TIME));
}

/* The type of order whose needs the method has; for place_order those that all types share. */
static uint32_t needs(const jsonrpc_method_view *view, uint32_t always)
{
    uint32_t required = always;
    for (unsigned type = 0; view->order_type != NULL && type < 4; type++)
        if (strcmp(view->order_type, matching_order_type_name(type)) == 0)
            (void)matching_gateway_fields(view->action, type, &required);
    return required;
}

static void write_parameters(matching_writer *writer, const jsonrpc_method_view *view)
{
    uint8_t fields[MATCHING_FIELD_COUNT];
    uint32_t required = 0;
    const char *separator = "";
    size_t count = view->action != MATCHING_ACTION_NONE
                       ? matching_describe_fields(view->action, fields, &required)
                       : 0;
    required = needs(view, required);
    for (int turn = 0; turn < 2; turn++) { /* those that must be there come first */
        for (size_t i = 0; i < count; i++) {
            matching_field field = (matching_field)fields[i];
            uint32_t bit = MATCHING_FIELD_BIT(field);
            if ((left_out(view) & bit) || ((required & bit) != 0) != (turn == 0))
                continue;
            matching_describe_text(writer, separator);
            write_parameter(writer, view->action, field, matching_field_name(field), turn == 0);
            separator = ",";
        }
    }
    if (view->action == MATCHING_ACTION_PLACE && view->order_type == NULL) {
        MATCHING_WRITE(writer, ",");
        write_parameter(writer, view->action, MATCHING_FIELD_TYPE, "order_type", false);
    }
}

/* ---- Methods --------------------------------------------------------------------------------- */

static void begin_method(matching_writer *writer, const char *name, const char *summary)
{
    MATCHING_WRITE(writer, "{\"name\":");
    matching_write_cstring(writer, name);
    MATCHING_WRITE(writer, ",\"summary\":");
    matching_write_cstring(writer, summary);
    MATCHING_WRITE(writer, ",\"paramStructure\":\"by-name\",\"params\":[");
}

static void end_method(matching_writer *writer)
{
    MATCHING_WRITE(writer, ",\"errors\":[");
    for (size_t i = 0; i < sizeof ERRORS / sizeof ERRORS[0]; i++) {
        matching_describe_text(writer, i > 0 ? ",{\"$ref\":\"#/components/errors/"
                                             : "{\"$ref\":\"#/components/errors/");
        matching_describe_text(writer, ERRORS[i].name);
        MATCHING_WRITE(writer, "\"}");
    }
    MATCHING_WRITE(writer, "]}");
}

static void write_method(matching_writer *writer, const jsonrpc_method_view *view)
{
    begin_method(writer, view->name, view->summary);
    write_parameters(writer, view);
    MATCHING_WRITE(writer, "],\"result\":{\"name\":");
    matching_write_cstring(writer, matching_schema_name(schema_of(view)));
    MATCHING_WRITE(writer, ",\"schema\":");
    matching_describe_reference(writer, schema_of(view));
    MATCHING_WRITE(writer, "}");
    matching_describe_text(writer, view->administration ? ",\"x-administration\":true" : "");
    end_method(writer);
}

/* The commands of other methods under one name. */
static void write_execute(matching_writer *writer)
{
    uint8_t fields[MATCHING_FIELD_COUNT];
    uint32_t unused = 0;
    begin_method(writer, "execute",
                 "enters or cancels an order, as the method that its command stands for");
    MATCHING_WRITE(writer, "{\"name\":\"command\",\"description\":\"what to do\","
                           "\"required\":true,\"schema\":{\"type\":\"string\",\"enum\":[");
    for (size_t i = 0; jsonrpc_command_at(i) != NULL; i++) {
        if (i > 0)
            MATCHING_WRITE(writer, ",");
        matching_write_cstring(writer, jsonrpc_command_at(i));
    }
    MATCHING_WRITE(writer, "]}}");
    size_t count = matching_describe_fields(MATCHING_ACTION_PLACE, fields, &unused);
    fields[count++] = MATCHING_FIELD_ORDER_ID;
    for (size_t i = 0; i < count; i++) {
        matching_field field = (matching_field)fields[i];
        if (field == MATCHING_FIELD_TYPE || field == MATCHING_FIELD_STOP_PRICE)
            continue;
        MATCHING_WRITE(writer, ",");
        write_parameter(writer, MATCHING_ACTION_PLACE, field, matching_field_name(field), false);
    }
    MATCHING_WRITE(writer, "],\"result\":{\"name\":\"Result\",\"schema\":{\"anyOf\":[");
    matching_describe_reference(writer, MATCHING_SCHEMA_ORDER_RESULT);
    MATCHING_WRITE(writer, ",");
    matching_describe_reference(writer, MATCHING_SCHEMA_CANCEL_RESULT);
    MATCHING_WRITE(writer, "]}}");
    end_method(writer);
}

/* ---- The whole ------------------------------------------------------------------------------- */

static void write_errors(matching_writer *writer)
{
    for (size_t i = 0; i < sizeof ERRORS / sizeof ERRORS[0]; i++) {
        if (i > 0)
            MATCHING_WRITE(writer, ",");
        matching_describe_name(writer, ERRORS[i].name);
        MATCHING_WRITE(writer, "{\"code\":");
        matching_write_integer(writer, ERRORS[i].number);
        MATCHING_WRITE(writer, ",\"message\":");
        matching_write_cstring(writer, ERRORS[i].message);
        MATCHING_WRITE(writer, ",\"data\":{\"$ref\":\"#/components/schemas/ErrorData\"}}");
    }
}

static void write_limits(matching_writer *writer, const matching_config *config)
{
    char text[600];
    const matching_config_limits *limits = &config->jsonrpc.limits;
    snprintf(
        text, sizeof text,
        ",\"x-limits\":{\"max_connections\":%" PRIu32 ",\"max_body_bytes\":%" PRIu32
        ",\"max_batch\":%" PRIu32 ",\"header_timeout_ms\":%" PRIu32 ",\"body_timeout_ms\":%" PRIu32
        ",\"idle_timeout_ms\":%" PRIu32 ",\"max_connections_per_address\":%" PRIu32
        ",\"max_requests_per_second_per_address\":%" PRIu32
        ",\"max_requests_per_second_per_trader\":%" PRIu32
        ",\"page\":%d,\"trades_in_an_answer\":%d,\"depth_levels\":%d}",
        config->jsonrpc.max_connections, config->jsonrpc.max_body_bytes, config->jsonrpc.max_batch,
        limits->header_timeout_ms, limits->body_timeout_ms, limits->idle_timeout_ms,
        limits->max_connections_per_address, limits->max_requests_per_second_per_address,
        limits->max_requests_per_second_per_trader, MATCHING_PAGE_MAX, MATCHING_REPLY_TRADES_MAX,
        MATCHING_DEPTH_LEVELS_MAX);
    matching_describe_text(writer, text);
}

void jsonrpc_openrpc_write(matching_writer *writer, const matching_config *config)
{
    jsonrpc_method_view view;
    MATCHING_WRITE(
        writer,
        "{\"openrpc\":\"1.3.2\",\"info\":{\"title\":\"matching\",\"version\":\"" MATCHING_VERSION
        "\",\"description\":\"Parameters go by name, null counts as left out, and those "
        "that a method does not know are ignored. Prices and quantities are exact "
        "decimals. In x-limits 0 means that there is no limit.\"");
    if (config != NULL)
        write_limits(writer, config);
    MATCHING_WRITE(writer, "},\"methods\":[");
    for (size_t i = 0; jsonrpc_method_at(i, &view); i++) {
        write_method(writer, &view);
        MATCHING_WRITE(writer, ",");
    }
    write_execute(writer);
    MATCHING_WRITE(writer, "],\"components\":{\"schemas\":");
    matching_describe_schemas(writer);
    MATCHING_WRITE(writer, ",\"errors\":{");
    write_errors(writer);
    MATCHING_WRITE(writer, "}}}");
}
