/* Events by name; one table, so that a new event begins here. */
#include "request.h"

#include <stdio.h>
#include <string.h>

#include "json_reader.h"
#include "json_writer.h"

static const char *const NAMES[] = {
    [SIO_SUBSCRIBE_KLINE] = "subscribe_kline", [SIO_UNSUBSCRIBE_KLINE] = "unsubscribe_kline",
    [SIO_GET_HISTORY] = "get_history",         [SIO_SUBSCRIBE] = "subscribe",
    [SIO_UNSUBSCRIBE] = "unsubscribe",
};

static const char PRICE_TOPIC[] = "price:";

sio_code sio_error_set(sio_error *error, sio_code code, const char *field, const char *message)
{
    error->code = code;
    error->field = field;
    snprintf(error->message, sizeof error->message, "%s", message);
    return code;
}

static sio_code bad(sio_error *error, const char *field, const char *message)
{
    return sio_error_set(error, SIO_BAD_PARAMETER, field, message);
}

/* NULL: absent, or null. */
static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    return json_object_object_get_ex(object, name, &value) ? value : NULL;
}

static matching_text text_of(struct json_object *string)
{
    return (matching_text){json_object_get_string(string),
                           (size_t)json_object_get_string_len(string)};
}

static sio_code read_symbol(struct json_object *object, sio_request *request, sio_error *error)
{
    struct json_object *symbol = member(object, "symbol");
    request->has_symbol = symbol != NULL;
    if (symbol == NULL) {
        return SIO_FINE;
    }
    if (!json_object_is_type(symbol, json_type_string)) {
        return bad(error, "symbol", "symbol must be a string");
    }
    request->symbol = text_of(symbol);
    return SIO_FINE;
}

static sio_code read_interval(struct json_object *object, sio_request *request, sio_error *error)
{
    struct json_object *interval = member(object, "interval");
    if (interval != NULL && json_object_is_type(interval, json_type_string)) {
        matching_text name = text_of(interval);
        if (matching_interval_find(name.data, name.length, &request->interval)) {
            return SIO_FINE;
        }
    }
    return bad(error, "interval", "interval must be one of s1, s30, m1, m5, m15, h1, h4, d1");
}

/* Characters, not bytes; json-c has seen to it that it is UTF-8. */
static size_t characters(matching_text text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.length; i++) {
        count += (text.data[i] & 0xc0) != 0x80;
    }
    return count;
}

/* Is it held as it was written? json-c holds what does not fit at the nearest bound of uint64 or
 * int64, and tells what is beyond int64 by the bound of that. */
static bool is_exact(struct json_object *integer)
{
    return json_object_get_uint64(integer) <= INT64_MAX &&
           json_object_get_int64(integer) != INT64_MIN;
}

/* Kept as JSON, since that is how it goes back. */
static sio_code read_label(struct json_object *object, sio_request *request, sio_error *error)
{
    static const char rule[] = "subscriptionId must be a string of 1 to 64 characters, or an "
                               "integer of less than 2^63";
    struct json_object *id = member(object, "subscriptionId");
    matching_writer writer;
    if (id == NULL) {
        return SIO_FINE;
    }
    bool is_string = json_object_is_type(id, json_type_string);
    if (!is_string && (!json_object_is_type(id, json_type_int) || !is_exact(id))) {
        return bad(error, "subscriptionId", rule);
    }
    matching_writer_init(&writer);
    if (is_string) {
        matching_text text = text_of(id);
        size_t count = characters(text);
        if (count == 0 || count > SIO_SUBSCRIPTION_ID_MAX) {
            return bad(error, "subscriptionId", rule);
        }
        matching_write_string(&writer, text.data, text.length);
    } else {
        matching_write_integer(&writer, json_object_get_int64(id));
    }
    bool fits = !writer.failed && writer.length < sizeof request->label;
    if (fits) {
        memcpy(request->label, writer.data, writer.length);
        request->label[writer.length] = '\0';
    }
    matching_writer_fini(&writer);
    return fits ? SIO_FINE : bad(error, "subscriptionId", rule);
}

static sio_code read_page(struct json_object *object, sio_request *request, sio_error *error)
{
    struct json_object *limit = member(object, "limit"), *from = member(object, "from");
    request->limit = SIO_HISTORY_DEFAULT;
    if (limit != NULL) {
        int64_t number = json_object_get_int64(limit);
        if (!json_object_is_type(limit, json_type_int) || number < 1 ||
            number > (int64_t)SIO_HISTORY_MAX) {
            return bad(error, "limit", "limit must be an integer from 1 to 500");
        }
        request->limit = (uint32_t)number;
    }
    if (from != NULL) {
        int64_t number = json_object_get_int64(from);
        if (!json_object_is_type(from, json_type_int) || number < 0) {
            return bad(error, "from", "from must be Unix time in seconds");
        }
        request->has_from = true;
        request->from_s = (uint64_t)number;
    }
    return SIO_FINE;
}

static sio_code read_topic(struct json_object *object, sio_request *request, sio_error *error)
{
    struct json_object *topic = member(object, "topic");
    if (topic != NULL && json_object_is_type(topic, json_type_string)) {
        matching_text name = text_of(topic);
        if (name.length == sizeof "token_events" - 1 &&
            memcmp(name.data, "token_events", name.length) == 0) {
            request->topic = SIO_TOKEN_EVENTS;
            return SIO_FINE;
        }
        if (name.length >= sizeof PRICE_TOPIC &&
            memcmp(name.data, PRICE_TOPIC, sizeof PRICE_TOPIC - 1) == 0) {
            request->topic = SIO_PRICE;
            request->has_symbol = true;
            request->symbol = (matching_text){name.data + sizeof PRICE_TOPIC - 1,
                                              name.length - (sizeof PRICE_TOPIC - 1)};
            return SIO_FINE;
        }
    }
    return bad(error, "topic", "topic must be price:SYMBOL or token_events");
}

static sio_code read_members(struct json_object *object, sio_request *request, sio_error *error)
{
    if (request->kind == SIO_SUBSCRIBE || request->kind == SIO_UNSUBSCRIBE) {
        return read_topic(object, request, error);
    }
    sio_code code = read_symbol(object, request, error);
    if (code == SIO_FINE) {
        code = read_interval(object, request, error);
    }
    if (code == SIO_FINE) {
        code = request->kind == SIO_GET_HISTORY ? read_page(object, request, error)
                                                : read_label(object, request, error);
    }
    return code;
}

sio_code sio_request_read(matching_text payload, sio_request *request, sio_error *error,
                          bool *is_array)
{
    *request = (sio_request){0};
    *is_array = matching_json_parse(payload.data, payload.length, &request->root) == MATCHING_OK &&
                json_object_is_type(request->root, json_type_array) &&
                json_object_array_length(request->root) > 0 &&
                json_object_is_type(json_object_array_get_idx(request->root, 0), json_type_string);
    if (!*is_array) {
        return bad(error, NULL, "an event is an array that begins with its name");
    }
    matching_text name = text_of(json_object_array_get_idx(request->root, 0));
    struct json_object *object = json_object_array_get_idx(request->root, 1);
    unsigned kind = 0;
    while (
        kind < sizeof NAMES / sizeof NAMES[0] &&
        (strlen(NAMES[kind]) != name.length || memcmp(NAMES[kind], name.data, name.length) != 0)) {
        kind++;
    }
    if (kind == sizeof NAMES / sizeof NAMES[0]) {
        return bad(error, "event",
                   "unknown event; there are subscribe_kline, unsubscribe_kline, get_history, "
                   "subscribe and unsubscribe");
    }
    request->kind = (sio_kind)kind;
    snprintf(request->name, sizeof request->name, "%s", NAMES[kind]);
    if (!json_object_is_type(object, json_type_object)) {
        return bad(error, "data", "the event needs an object after its name");
    }
    return read_members(object, request, error);
}

const char *sio_event_name(matching_text payload)
{
    for (size_t kind = 0; kind < sizeof NAMES / sizeof NAMES[0]; kind++) {
        size_t length = strlen(NAMES[kind]);
        if (payload.length >= length + 3 && memcmp(payload.data, "[\"", 2) == 0 &&
            memcmp(payload.data + 2, NAMES[kind], length) == 0 && payload.data[length + 2] == '"') {
            return NAMES[kind];
        }
    }
    return "unknown";
}

void sio_request_fini(sio_request *request)
{
    json_object_put(request->root);
    request->root = NULL;
}
