/* Bytes of JSON to a matching_request, for every door that speaks JSON.
 *
 * Pure: no socket, no core. Any thread. Text is strict RFC 8259: UTF-8, one value, nothing after
 * it, nesting at most MATCHING_JSON_DEPTH_MAX. Nothing here judges values: that is the gateway's.
 */
#ifndef MATCHING_JSON_READER_H
#define MATCHING_JSON_READER_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "matching/gateway.h"

#define MATCHING_JSON_DEPTH_MAX 32

/* Parses one JSON text. MATCHING_OK with *value owned by the caller (json_object_put; NULL for the
 * text `null`), or MATCHING_INVALID_JSON with *value NULL. Of members with the same name the last
 * one counts. Numbers with a fraction or exponent keep their text, so that decimals stay exact; an
 * integer beyond uint64 or int64 is held at their bound, which matching_json_request tells apart. A
 * member name with \u0000 is refused, though legal JSON: json-c would cut it short. */
matching_code matching_json_parse(const char *text, size_t length, struct json_object **value);

/* Reads every member of an object that is a field of requests (matching_field_find) into the
 * request: presence, type errors, numbers out of range. Members with other names are left alone;
 * null counts as absent. The request's texts point into the object, which must outlive it; they may
 * hold any character, NUL too. Leaves request->action as it is; sets the rest.
 *
 * By the documented type: text takes a string; a decimal takes a number or a string that holds
 * exactly one; an integer takes a number without a fraction (5, 5.0 and 5e0 are the same); a
 * boolean takes true and false. Anything else sets the field's bit in wrong_type. */
void matching_json_request(struct json_object *object, matching_request *request);

/* For order entry: takes the type from `order_type`, the name that the Order object has, where the
 * object has no `type`. After matching_json_request. */
void matching_json_order_type(struct json_object *object, matching_request *request);

/* Reads one field from plain text, as a URL's query has it, into a request that the caller has
 * zeroed. Numbers in JSON's grammar, booleans as true and false; else malformed.
 * MATCHING_FIELD_NONE is ignored. The text must outlive the request's use. */
void matching_request_from_text(matching_request *request, matching_field field, const char *text,
                                size_t length);

#endif
