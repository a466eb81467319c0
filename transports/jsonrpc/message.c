/* The envelope of JSON-RPC 2.0, over the shared JSON reader.
 *
 * The tree that json-c builds tells what a request is. Only the id is taken from the text itself,
 * because it has to be echoed as it came: 1.0 is not 1, 1e2 is not 100, and an integer of 30 digits
 * fits no number of ours. So a second, small walk over the (already checked) text finds each id.
 *
 * Before that a way without a tree is tried, for the single orders that nearly every body is.
 *
 * Invariants: the walk never leaves the text, whatever it holds; every id is a JSON string, number
 * or null; where a member name occurs twice, the last one counts, as in json-c.
 *
 * Not here: what methods mean, and how answers look.
 */
#include "message.h"

#include <stdlib.h>
#include <string.h>

#include "json_flat.h"
#include "json_reader.h"

typedef struct cursor {
    const char *at;
    const char *end;
} cursor;

static bool more(const cursor *from)
{
    return from->at < from->end;
}

static void skip_space(cursor *from)
{
    while (more(from) && memchr(" \t\r\n", *from->at, 4) != NULL) {
        from->at++;
    }
}

static void skip_string(cursor *from)
{
    from->at++; /* the opening quote */
    while (more(from) && *from->at != '"') {
        from->at += *from->at == '\\' && from->end - from->at > 1 ? 2 : 1;
    }
    if (more(from)) {
        from->at++;
    }
}

/* Past an array or object: counts brackets outside strings. */
static void skip_container(cursor *from)
{
    unsigned depth = 0;
    while (more(from)) {
        char c = *from->at;
        if (c == '"') {
            skip_string(from);
            continue;
        }
        from->at++;
        if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && --depth == 0) {
            return;
        }
    }
}

/* Takes the value that begins here and returns its text. */
static matching_text take_value(cursor *from)
{
    const char *start = from->at;
    if (more(from) && *from->at == '"') {
        skip_string(from);
    } else if (more(from) && (*from->at == '{' || *from->at == '[')) {
        skip_container(from);
    } else {
        while (more(from) && memchr(",:]} \t\r\n", *from->at, 8) == NULL) {
            from->at++;
        }
    }
    return (matching_text){start, (size_t)(from->at - start)};
}

/* Past white space and, if it is next, this separator. */
static void skip_separator(cursor *from, char separator)
{
    skip_space(from);
    if (more(from) && *from->at == separator) {
        from->at++;
    }
    skip_space(from);
}

/* Is this member name, quotes included, "id"? It may be written with \u escapes. */
static bool is_id(matching_text name)
{
    static const char letters[2] = {'i', 'd'};
    static const char *const escapes[2] = {"\\u0069", "\\u0064"};
    size_t at = 1;
    for (int i = 0; i < 2; i++) {
        if (at < name.length && name.data[at] == letters[i]) {
            at++;
        } else if (at + 6 <= name.length && memcmp(name.data + at, escapes[i], 6) == 0) {
            at += 6;
        } else {
            return false;
        }
    }
    return at + 1 == name.length;
}

/* The text of an object's id; length 0: it has none. */
static matching_text find_id(matching_text object)
{
    matching_text id = {NULL, 0};
    cursor from = {object.data, object.data + object.length};
    skip_separator(&from, '{');
    while (more(&from) && *from.at == '"') {
        matching_text name = take_value(&from);
        skip_separator(&from, ':');
        matching_text value = take_value(&from);
        if (is_id(name)) {
            id = value;
        }
        skip_separator(&from, ',');
    }
    return id;
}

static bool is_string(struct json_object *value, matching_text *text)
{
    if (!json_object_is_type(value, json_type_string)) {
        return false;
    }
    text->data = json_object_get_string(value);
    text->length = (size_t)json_object_get_string_len(value);
    return true;
}

static jsonrpc_request read_request(struct json_object *element, matching_text text)
{
    jsonrpc_request request = {0};
    if (!json_object_is_type(element, json_type_object)) {
        return request;
    }
    struct json_object *version = NULL;
    struct json_object *method = NULL;
    json_object_object_get_ex(element, "jsonrpc", &version);
    json_object_object_get_ex(element, "method", &method);
    json_object_object_get_ex(element, "params", &request.params);
    matching_text number = {NULL, 0};
    bool good = is_string(version, &number) && number.length == 3 &&
                memcmp(number.data, "2.0", 3) == 0 && is_string(method, &request.method);
    /* null is no structured value, but many clients send it for "no parameters". */
    good =
        good && (request.params == NULL || json_object_is_type(request.params, json_type_object) ||
                 json_object_is_type(request.params, json_type_array));
    request.id = find_id(text);
    request.notification = request.id.length == 0;
    if (!request.notification) {
        good = good && strchr("\"-0123456789n", request.id.data[0]) != NULL;
    }
    request.valid = good;
    return request;
}

static bool read_batch(jsonrpc_message *message, matching_text text)
{
    message->requests = calloc(message->count, sizeof *message->requests);
    if (message->requests == NULL) {
        return false;
    }
    cursor from = {text.data, text.data + text.length};
    skip_separator(&from, '[');
    for (size_t i = 0; i < message->count; i++) {
        matching_text element = take_value(&from);
        message->requests[i] = read_request(json_object_array_get_idx(message->root, i), element);
        skip_separator(&from, ',');
    }
    return true;
}

static bool fail(jsonrpc_message *message, int error, const char *why)
{
    message->error = error;
    message->why = why;
    message->count = 0;
    return true;
}

/* ---- One plain request ---- */

/* A string without escapes, line breaks or characters beyond ASCII. Its text lies within the
 * quotes. */
static bool take_plain(cursor *from, matching_text *text)
{
    if (!more(from) || *from->at != '"') {
        return false;
    }
    text->data = ++from->at;
    while (more(from) && *from->at != '"') {
        if (*from->at < ' ' || *from->at > '~' || *from->at == '\\') {
            return false;
        }
        from->at++;
    }
    text->length = (size_t)(from->at - text->data);
    return more(from) && from->at++ != NULL;
}

/* An id that is a plain string or a whole number. */
static bool take_plain_id(cursor *from, matching_text *id)
{
    matching_text text;
    id->data = from->at;
    if (more(from) && *from->at == '"') {
        bool good = take_plain(from, &text);
        id->length = (size_t)(from->at - id->data);
        return good;
    }
    while (more(from) && *from->at >= '0' && *from->at <= '9') {
        from->at++;
    }
    id->length = (size_t)(from->at - id->data);
    return id->length == 1 || (id->length > 1 && id->data[0] != '0');
}

/* An object without others in it; a brace in a text is beyond this. */
static bool take_plain_params(cursor *from, matching_request *request)
{
    matching_text id;
    const char *end = memchr(from->at, '}', (size_t)(from->end - from->at));
    if (end == NULL) {
        return false;
    }
    size_t length = (size_t)(end + 1 - from->at);
    bool good = matching_json_flat(from->at, length, request, &id) && id.length == 0;
    from->at = end + 1;
    return good;
}

enum { SEEN_VERSION = 1, SEEN_METHOD = 2, SEEN_PARAMS = 4, SEEN_ID = 8 };

static bool is_word(matching_text text, const char *word, size_t length)
{
    return text.length == length && memcmp(text.data, word, length) == 0;
}

/* The bit of the member that has been taken; 0: it is not plain. */
static unsigned take_plain_member(cursor *from, jsonrpc_message *message)
{
    jsonrpc_request *request = &message->single;
    matching_text name;
    matching_text version;
    if (!take_plain(from, &name)) {
        return 0;
    }
    skip_space(from);
    if (!more(from) || *from->at++ != ':') {
        return 0;
    }
    skip_space(from);
    if (is_word(name, "id", 2)) {
        return take_plain_id(from, &request->id) ? SEEN_ID : 0;
    }
    if (is_word(name, "jsonrpc", 7)) {
        return take_plain(from, &version) && is_word(version, "2.0", 3) ? SEEN_VERSION : 0;
    }
    if (is_word(name, "method", 6)) {
        return take_plain(from, &request->method) ? SEEN_METHOD : 0;
    }
    if (is_word(name, "params", 6)) {
        return take_plain_params(from, &message->flat) ? SEEN_PARAMS : 0;
    }
    return 0;
}

bool jsonrpc_message_parse_flat(jsonrpc_message *message, const char *text, size_t length)
{
    const unsigned needed = SEEN_VERSION | SEEN_METHOD | SEEN_PARAMS;
    unsigned seen = 0;
    cursor from = {text, text + length};
    memset(message, 0, sizeof *message);
    skip_space(&from);
    if (!more(&from) || *from.at != '{') {
        return false;
    }
    do {
        from.at++;
        skip_space(&from);
        unsigned bit = take_plain_member(&from, message);
        if (bit == 0 || (seen & bit) != 0) {
            return false;
        }
        seen |= bit;
        skip_space(&from);
    } while (more(&from) && *from.at == ',');
    if (!more(&from) || *from.at++ != '}' || (seen & needed) != needed) {
        return false;
    }
    skip_space(&from);
    message->count = 1;
    message->requests = &message->single;
    message->single.valid = true;
    message->single.notification = (seen & SEEN_ID) == 0;
    message->single.flat = &message->flat;
    return !more(&from);
}

/* ---- Any body ---- */

bool jsonrpc_message_parse_json(jsonrpc_message *message, const char *text, size_t length,
                                size_t max_batch)
{
    memset(message, 0, sizeof *message);
    if (matching_json_parse(text, length, &message->root) != MATCHING_OK) {
        return fail(message, JSONRPC_PARSE_ERROR, "Parse error: the body is not valid JSON");
    }
    cursor from = {text, text + length};
    skip_space(&from);
    matching_text whole = {from.at, (size_t)(from.end - from.at)};
    if (json_object_is_type(message->root, json_type_array)) {
        message->batch = true;
        message->count = json_object_array_length(message->root);
        if (message->count == 0) {
            return fail(message, JSONRPC_INVALID_REQUEST, "Invalid Request: the batch is empty");
        }
        if (message->count > max_batch) {
            return fail(message, JSONRPC_INVALID_REQUEST,
                        "Invalid Request: the batch holds more requests than the service takes");
        }
        return read_batch(message, whole);
    }
    message->count = 1;
    message->requests = &message->single;
    message->single = read_request(message->root, whole);
    return true;
}

bool jsonrpc_message_parse(jsonrpc_message *message, const char *text, size_t length,
                           size_t max_batch)
{
    return jsonrpc_message_parse_flat(message, text, length) ||
           jsonrpc_message_parse_json(message, text, length, max_batch);
}

void jsonrpc_message_fini(jsonrpc_message *message)
{
    if (message->requests != &message->single) {
        free(message->requests);
    }
    json_object_put(message->root);
    message->requests = NULL;
    message->root = NULL;
    message->count = 0;
}
