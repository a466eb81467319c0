/* JSON text to ws_message, in two ways: flat for the commands that matter, else with json-c.
 *
 * Invariants: what it returns points into the frame or into `object`, both of which outlive it;
 * which of several faults is told follows the order of the codes; where the flat way takes a
 * message, json-c's way would have made the same of it.
 *
 * Not a judge of orders: presence and ranges of their fields are the gateway's.
 */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "json_flat.h"
#include "json_reader.h"
#include "json_text.h"

#define TYPE_BIT MATCHING_FIELD_BIT(MATCHING_FIELD_TYPE)
#define ID_BIT MATCHING_FIELD_BIT(MATCHING_FIELD_ID)

matching_code ws_error_set(ws_error *error, matching_code code, const char *field,
                           const char *message)
{
    *error = (ws_error){.code = code, .field = field};
    snprintf(error->message, sizeof error->message, "%s",
             message != NULL ? message : matching_code_text(code));
    return code;
}

void ws_error_from(ws_error *error, const matching_error *from)
{
    *error = (ws_error){
        .code = from->code, .field = matching_field_name(from->field), .order_id = from->order_id};
    memcpy(error->message, from->message, sizeof error->message);
}

/* ---- The id, byte for byte --------------------------------------------------------------------
 *
 * json-c does not keep the text of integers, and an id must come back as it was sent. So it is
 * found in the text, which is known to be good JSON by then.
 */

static const char *skip_space(const char *at)
{
    while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') {
        at++;
    }
    return at;
}

/* From an opening quote to behind the closing one. */
static const char *skip_string(const char *at)
{
    for (at++; *at != '"'; at++) {
        at += *at == '\\';
    }
    return at + 1;
}

/* From a value's first byte to behind its last. */
static const char *skip_value(const char *at)
{
    unsigned depth = 0;
    for (;;) {
        if (*at == '"') {
            at = skip_string(at);
        } else if (*at == '{' || *at == '[') {
            depth++;
            at++;
        } else if (depth > 0 && (*at == '}' || *at == ']')) {
            depth--;
            at++;
        } else if (depth > 0) {
            at++;
            continue;
        } else {
            while (strchr(",}] \t\n\r", *at) == NULL) {
                at++;
            }
        }
        if (depth == 0) {
            return at;
        }
    }
}

/* Is this member name (between its quotes) "id"? Its letters may be escaped. */
static bool is_id(const char *name, const char *end)
{
    for (const char *wanted = "id"; *wanted != '\0'; wanted++) {
        char escaped[7];
        snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned char)*wanted);
        if (name < end && *name == *wanted) {
            name++;
        } else if (end - name >= 6 && name[0] == '\\' && name[1] == 'u' &&
                   strncasecmp(name, escaped, 6) == 0) {
            name += 6;
        } else {
            return false;
        }
    }
    return name == end;
}

/* The value of the object's last member "id". The text is an object and ends with its brace. */
static matching_text find_id(const char *text)
{
    matching_text found = {NULL, 0};
    const char *at = skip_space(skip_space(text) + 1);
    while (*at != '}') {
        const char *name = at + 1;
        at = skip_string(at);
        bool wanted = is_id(name, at - 1);
        at = skip_space(skip_space(at) + 1); /* the colon */
        const char *value = at;
        at = skip_value(at);
        if (wanted) {
            found = (matching_text){value, (size_t)(at - value)};
        }
        at = skip_space(at);
        if (*at == ',') {
            at = skip_space(at + 1);
        }
    }
    return found;
}

/* Of a string with its quotes. An escape is one character, and so are two that make a pair. */
static size_t count_characters(matching_text string)
{
    const char *at = string.data + 1, *end = string.data + string.length - 1;
    size_t count = 0;
    bool is_half = false; /* the last one was the first half of a pair */
    while (at < end) {
        size_t length = *at != '\\' ? 1 : at[1] != 'u' ? 2 : 6;
        char digits[5] = "";
        memcpy(digits, at + 2, length == 6 ? 4 : 0);
        unsigned long unit = strtoul(digits, NULL, 16);
        bool is_rest = is_half && unit >= 0xdc00 && unit <= 0xdfff;
        is_half = unit >= 0xd800 && unit <= 0xdbff;
        count += !is_rest && ((unsigned char)*at & 0xc0) != 0x80; /* not the tail of UTF-8 */
        at += length;
    }
    return count;
}

static bool is_short(matching_text id)
{
    size_t characters = id.data[0] == '"' ? count_characters(id) : id.length;
    return characters <= WS_ID_CHARACTERS_MAX && id.length <= WS_ID_BYTES_MAX;
}

static matching_code read_id(const char *text, ws_message *message, ws_error *error)
{
    struct json_object *id = NULL;
    if (!json_object_object_get_ex(message->object, "id", &id) || id == NULL) {
        return MATCHING_OK;
    }
    if (!json_object_is_type(id, json_type_string) && !json_object_is_type(id, json_type_int) &&
        !json_object_is_type(id, json_type_double)) {
        return ws_error_set(error, MATCHING_INVALID_MESSAGE, "id",
                            "id must be a string or a number");
    }
    matching_text found = find_id(text);
    if (!is_short(found)) {
        return ws_error_set(error, MATCHING_INVALID_PARAMETER, "id",
                            "id must have at most 64 characters");
    }
    message->id = found;
    return MATCHING_OK;
}

matching_text ws_message_id(const char *text, size_t length)
{
    matching_text id = {NULL, 0};
    if (length <= WS_UNREAD_BYTES_MAX &&
        matching_json_check(text, length, MATCHING_JSON_DEPTH_MAX) && *skip_space(text) == '{') {
        id = find_id(text);
    }
    bool is_good = id.length > 0 && strchr("\"-0123456789", id.data[0]) != NULL && is_short(id);
    return is_good ? id : (matching_text){NULL, 0};
}

/* ---- Members that only this door has --------------------------------------------------------- */

static matching_code read_type(ws_message *message, ws_error *error)
{
    struct json_object *type = NULL;
    if (!json_object_object_get_ex(message->object, "type", &type) || type == NULL) {
        return ws_error_set(error, MATCHING_MISSING_FIELD, "type", "type is missing");
    }
    if (!json_object_is_type(type, json_type_string)) {
        return ws_error_set(error, MATCHING_INVALID_MESSAGE, "type", "type must be a string");
    }
    message->type =
        ws_type_find(json_object_get_string(type), (size_t)json_object_get_string_len(type));
    if (message->type == NULL) {
        return ws_error_set(error, MATCHING_UNKNOWN_TYPE, "type", NULL);
    }
    return MATCHING_OK;
}

/* An array whose elements are strings, or absent (*array NULL). */
static matching_code read_strings(struct json_object *object, const char *name,
                                  struct json_object **array, ws_error *error)
{
    char text[64];
    snprintf(text, sizeof text, "%s must be an array of strings", name);
    *array = NULL;
    if (!json_object_object_get_ex(object, name, array) || *array == NULL) {
        return MATCHING_OK;
    }
    bool good = json_object_is_type(*array, json_type_array);
    for (size_t i = 0; good && i < json_object_array_length(*array); i++) {
        good = json_object_is_type(json_object_array_get_idx(*array, i), json_type_string);
    }
    return good ? MATCHING_OK : ws_error_set(error, MATCHING_INVALID_MESSAGE, name, text);
}

/* All that are known, also where one is not: whether trader_id is needed depends on them. */
static matching_code read_channels(struct json_object *array, unsigned *channels, ws_error *error)
{
    matching_code code = MATCHING_OK;
    for (size_t i = 0; i < json_object_array_length(array); i++) {
        struct json_object *element = json_object_array_get_idx(array, i);
        const char *name = json_object_get_string(element);
        size_t length = (size_t)json_object_get_string_len(element);
        ws_channel channel;
        matching_code found = ws_channel_find(name, length, &channel);
        if (found == MATCHING_OK) {
            *channels |= WS_CHANNEL_BIT(channel);
        } else if (code == MATCHING_OK || found < code) {
            code = ws_error_set(error, found, "channels",
                                found == MATCHING_INVALID_INTERVAL
                                    ? "unknown interval, use one of s1 s30 m1 m5 m15 h1 h4 d1"
                                    : "unknown channel, use one of trades book depth ticker orders "
                                      "kline:s1 ... kline:d1");
        }
    }
    if (code == MATCHING_OK && *channels == 0) {
        code = ws_error_set(error, MATCHING_INVALID_CHANNEL, "channels",
                            "name at least one channel: trades book depth ticker orders "
                            "kline:s1 ... kline:d1");
    }
    return code;
}

/* How the messages of the feeds are to come. */
static matching_code read_options(struct json_object *object, ws_message *message, ws_error *error)
{
    struct json_object *batch = NULL, *compression = NULL;
    json_object_object_get_ex(object, "batch", &batch);
    json_object_object_get_ex(object, "compression", &compression);
    if (batch != NULL && !json_object_is_type(batch, json_type_boolean)) {
        return ws_error_set(error, MATCHING_INVALID_MESSAGE, "batch",
                            "batch must be true or false");
    }
    if (compression != NULL && !json_object_is_type(compression, json_type_string)) {
        return ws_error_set(error, MATCHING_INVALID_MESSAGE, "compression",
                            "compression must be a string");
    }
    message->batch = json_object_get_boolean(batch);
    if (compression == NULL) {
        return MATCHING_OK;
    }
    const char *name = json_object_get_string(compression);
    bool is_gzip = strcmp(name, "gzip") == 0;
    message->compression = is_gzip ? WS_COMPRESSION_GZIP : WS_COMPRESSION_NONE;
    if (!is_gzip && strcmp(name, "none") != 0) {
        return ws_error_set(error, MATCHING_INVALID_PARAMETER, "compression",
                            "compression must be gzip or none");
    }
    return MATCHING_OK;
}

/* The type of trader_id, and whether it is needed; its value is the gateway's to judge. */
static matching_code check_trader(const ws_message *message, ws_error *error)
{
    const uint32_t bit = MATCHING_FIELD_BIT(MATCHING_FIELD_TRADER_ID);
    if (message->request.wrong_type & bit) {
        return ws_error_set(error, MATCHING_INVALID_MESSAGE, "trader_id",
                            "trader_id must be a string");
    }
    if (message->type->kind == WS_SUBSCRIBE && !(message->request.present & bit) &&
        (message->channels & WS_CHANNEL_BIT(WS_ORDERS))) {
        return ws_error_set(error, MATCHING_MISSING_FIELD, "trader_id",
                            "trader_id is missing; the channel orders needs it");
    }
    return MATCHING_OK;
}

static matching_code read_subscription(ws_message *message, ws_error *error)
{
    struct json_object *channels = NULL;
    ws_error wrong_channel, wrong_option;
    matching_json_request(message->object, &message->request);
    matching_code code = read_strings(message->object, "channels", &channels, error);
    if (code == MATCHING_OK) {
        code = read_strings(message->object, "symbols", &message->symbols, error);
    }
    if (code != MATCHING_OK) {
        return code;
    }
    /* Read now, told later: wrong types and missing fields come first. */
    matching_code channel_code = channels == NULL
                                     ? MATCHING_OK
                                     : read_channels(channels, &message->channels, &wrong_channel);
    matching_code option_code = read_options(message->object, message, &wrong_option);
    if (option_code == MATCHING_INVALID_MESSAGE) {
        *error = wrong_option;
        return option_code;
    }
    if (channels == NULL) {
        return ws_error_set(error, MATCHING_MISSING_FIELD, "channels", "channels is missing");
    }
    code = check_trader(message, error);
    if (code != MATCHING_OK) {
        return code;
    }
    if (channel_code != MATCHING_OK) {
        *error = wrong_channel;
        return channel_code;
    }
    if (option_code != MATCHING_OK) {
        *error = wrong_option;
        return option_code;
    }
    if (message->symbols != NULL && json_object_array_length(message->symbols) == 0) {
        return ws_error_set(error, MATCHING_INVALID_PARAMETER, "symbols",
                            "name at least one symbol, or leave symbols out for all");
    }
    return MATCHING_OK;
}

static matching_code read_enabled(ws_message *message, ws_error *error)
{
    struct json_object *enabled = NULL;
    json_object_object_get_ex(message->object, "enabled", &enabled);
    if (enabled == NULL) {
        return ws_error_set(error, MATCHING_MISSING_FIELD, "enabled", "enabled is missing");
    }
    if (!json_object_is_type(enabled, json_type_boolean)) {
        return ws_error_set(error, MATCHING_INVALID_MESSAGE, "enabled",
                            "enabled must be true or false");
    }
    message->enabled = json_object_get_boolean(enabled);
    return MATCHING_OK;
}

/* ---- Both ways ------------------------------------------------------------------------------- */

/* `type` names the message here, so the order's type comes from that; `id` is the message's. */
static void name_order(ws_message *message)
{
    matching_request *request = &message->request;
    const ws_type *type = message->type;
    request->action = type->action;
    request->id = 0;
    request->present &= ~(TYPE_BIT | ID_BIT);
    request->wrong_type &= ~(TYPE_BIT | ID_BIT);
    request->malformed &= ~(TYPE_BIT | ID_BIT);
    request->type = (matching_text){NULL, 0};
    if (type->order_type.length == 0) {
        return;
    }
    bool has_price = request->present & MATCHING_FIELD_BIT(MATCHING_FIELD_PRICE);
    request->type =
        type->order_type_stops && has_price ? (matching_text){"stop_limit", 10} : type->order_type;
    request->present |= TYPE_BIT;
}

bool ws_message_read_flat(const char *text, size_t length, ws_message *message)
{
    memset(message, 0, sizeof *message);
    matching_request *request = &message->request;
    if (!matching_json_flat(text, length, request, &message->id) ||
        message->id.length > WS_ID_CHARACTERS_MAX) {
        return false;
    }
    message->type = ws_type_find(request->type.data, request->type.length);
    if (message->type == NULL) {
        return false;
    }
    if (message->type->kind == WS_COMMAND) {
        name_order(message);
        return true;
    }
    bool is_ping = message->type->kind == WS_PING && request->present == TYPE_BIT;
    *request = (matching_request){0};
    return is_ping;
}

matching_code ws_message_read_json(const char *text, size_t length, ws_message *message,
                                   ws_error *error)
{
    memset(message, 0, sizeof *message);
    if (matching_json_parse(text, length, &message->object) != MATCHING_OK) {
        return ws_error_set(error, MATCHING_INVALID_JSON, "", NULL);
    }
    if (!json_object_is_type(message->object, json_type_object)) {
        return ws_error_set(error, MATCHING_INVALID_MESSAGE, "", "the message must be an object");
    }
    matching_code code = read_id(text, message, error);
    if (code == MATCHING_OK) {
        code = read_type(message, error);
    }
    if (code != MATCHING_OK) {
        return code;
    }
    switch (message->type->kind) {
    case WS_COMMAND:
        matching_json_request(message->object, &message->request);
        name_order(message);
        return MATCHING_OK;
    case WS_SUBSCRIBE:
    case WS_UNSUBSCRIBE:
        return read_subscription(message, error);
    case WS_CANCEL_ON_DISCONNECT:
        return read_enabled(message, error);
    default:
        return MATCHING_OK;
    }
}

matching_code ws_message_read(const char *text, size_t length, ws_message *message, ws_error *error)
{
    return ws_message_read_flat(text, length, message)
               ? MATCHING_OK
               : ws_message_read_json(text, length, message, error);
}

void ws_message_fini(ws_message *message)
{
    if (message->object != NULL) {
        json_object_put(message->object);
        message->object = NULL;
    }
}
