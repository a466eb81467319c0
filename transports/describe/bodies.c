/* The bodies of requests: the fields of an action, and which of them must be there with which.
 *
 * Which fields an action has is the gateway's to say (matching_gateway_fields). What it needs one
 * of is written here beside it, in few words: an order is named by order_id, or by trader_id and
 * client_order_id; an amend changes something; GTD has an expire_time.
 */
#include "describe.h"
#include "matching/order.h"

#define TYPES 4
#define BIT(name) MATCHING_FIELD_BIT(MATCHING_FIELD_##name)

size_t matching_describe_fields(matching_action action, uint8_t *fields, uint32_t *required)
{
    uint32_t seen = 0;
    size_t count = 0;
    *required = UINT32_MAX;
    for (unsigned type = 0; type < (action == MATCHING_ACTION_PLACE ? TYPES : 1); type++) {
        uint32_t needed = 0;
        const uint8_t *at = matching_gateway_fields(action, type, &needed);
        *required &= needed;
        for (; *at != MATCHING_FIELD_NONE; at++) {
            if (seen & MATCHING_FIELD_BIT(*at))
                continue;
            seen |= MATCHING_FIELD_BIT(*at);
            fields[count++] = *at;
        }
    }
    return count;
}

/* ["trader_id","side"] */
static void write_names(matching_writer *writer, uint32_t bits)
{
    const char *separator = "[";
    for (unsigned field = 1; field < MATCHING_FIELD_COUNT; field++) {
        if (!(bits & MATCHING_FIELD_BIT(field)))
            continue;
        matching_describe_text(writer, separator);
        matching_write_cstring(writer, matching_field_name((matching_field)field));
        separator = ",";
    }
    matching_describe_text(writer, bits != 0 ? "]" : "[]");
}

static void write_required(matching_writer *writer, uint32_t bits)
{
    MATCHING_WRITE(writer, "{\"required\":");
    write_names(writer, bits);
    MATCHING_WRITE(writer, "}");
}

/* {"properties":{"type":{"const":"stop"}},"required":["type"] */
static void write_type_is(matching_writer *writer, const char *member, unsigned type)
{
    MATCHING_WRITE(writer, "{\"properties\":{");
    matching_describe_name(writer, member);
    MATCHING_WRITE(writer, "{\"const\":");
    matching_write_cstring(writer, matching_order_type_name(type));
    MATCHING_WRITE(writer, "}},\"required\":[");
    matching_write_cstring(writer, member);
    MATCHING_WRITE(writer, "]");
}

/* What each type of order needs beside what all of them do. `type` counts before `order_type`, and
 * without either the order is a limit order. */
static void write_types(matching_writer *writer, uint32_t always)
{
    for (unsigned type = 0; type < TYPES; type++) {
        uint32_t needed = 0;
        (void)matching_gateway_fields(MATCHING_ACTION_PLACE, type, &needed);
        if ((needed & ~always) == 0)
            continue;
        MATCHING_WRITE(writer, "{\"if\":{\"anyOf\":[");
        write_type_is(writer, "type", type);
        MATCHING_WRITE(writer, "},");
        write_type_is(writer, "order_type", type);
        MATCHING_WRITE(writer, ",\"not\":{\"required\":[\"type\"]}}");
        if (type == MATCHING_LIMIT)
            MATCHING_WRITE(writer, ",{\"not\":{\"anyOf\":[{\"required\":[\"type\"]},"
                                   "{\"required\":[\"order_type\"]}]}}");
        MATCHING_WRITE(writer, "]},\"then\":");
        write_required(writer, needed & ~always);
        MATCHING_WRITE(writer, "},");
    }
    MATCHING_WRITE(writer, "{\"if\":{\"properties\":{\"time_in_force\":{\"const\":\"GTD\"}},"
                           "\"required\":[\"time_in_force\"]},\"then\":");
    write_required(writer, BIT(EXPIRE_TIME));
    MATCHING_WRITE(writer, "}");
}

/* What it needs one of. */
static void write_choices(matching_writer *writer, matching_action action, uint32_t elsewhere)
{
    bool is_named = action == MATCHING_ACTION_CANCEL || action == MATCHING_ACTION_AMEND ||
                    action == MATCHING_ACTION_GET_ORDER;
    bool names_here = is_named && !(elsewhere & BIT(ORDER_ID));
    MATCHING_WRITE(writer, ",\"allOf\":[");
    if (names_here) {
        MATCHING_WRITE(writer, "{\"anyOf\":[");
        write_required(writer, BIT(ORDER_ID));
        MATCHING_WRITE(writer, ",");
        write_required(writer, BIT(TRADER_ID) | BIT(CLIENT_ORDER_ID));
        MATCHING_WRITE(writer, "]}");
    }
    if (action == MATCHING_ACTION_AMEND) {
        matching_describe_text(writer, names_here ? ",{\"anyOf\":[" : "{\"anyOf\":[");
        write_required(writer, BIT(PRICE));
        MATCHING_WRITE(writer, ",");
        write_required(writer, BIT(QUANTITY));
        MATCHING_WRITE(writer, ",");
        write_required(writer, BIT(STOP_PRICE));
        MATCHING_WRITE(writer, "]}");
    }
    if (action == MATCHING_ACTION_PLACE)
        write_types(writer, BIT(TRADER_ID) | BIT(SIDE) | BIT(QUANTITY));
    MATCHING_WRITE(writer, "]");
}

void matching_describe_body(matching_writer *writer, matching_action action, uint32_t elsewhere)
{
    uint8_t fields[MATCHING_FIELD_COUNT];
    uint32_t required = 0;
    size_t count = matching_describe_fields(action, fields, &required);
    const char *separator = "";
    MATCHING_WRITE(writer, "{\"type\":\"object\",\"properties\":{");
    for (size_t i = 0; i < count; i++) {
        if (elsewhere & MATCHING_FIELD_BIT(fields[i]))
            continue;
        matching_describe_text(writer, separator);
        matching_describe_name(writer, matching_field_name((matching_field)fields[i]));
        matching_describe_field(writer, action, (matching_field)fields[i], false);
        separator = ",";
    }
    if (action == MATCHING_ACTION_PLACE) {
        MATCHING_WRITE(writer, ",\"order_type\":");
        matching_describe_field(writer, action, MATCHING_FIELD_TYPE, false);
    }
    MATCHING_WRITE(writer, "},\"required\":");
    write_names(writer, required & ~elsewhere);
    bool has_choices = action == MATCHING_ACTION_PLACE || action == MATCHING_ACTION_AMEND ||
                       (action == MATCHING_ACTION_CANCEL && !(elsewhere & BIT(ORDER_ID)));
    if (has_choices)
        write_choices(writer, action, elsewhere);
    MATCHING_WRITE(writer, "}");
}
