/* What a step of a scenario came to, as JSON that can be compared: a tree in which every scalar is
 * a string, so that 0.25 is only ever the text "0.25".
 */
#ifndef MATCHING_TESTS_OUTCOME_H
#define MATCHING_TESTS_OUTCOME_H

#include <json-c/json.h>
#include <stdbool.h>

#include "matching/gateway.h"
#include "matching/port.h"

/* The caller owns what these return. */
struct json_object *outcome_of_error(const matching_error *error);
struct json_object *outcome_of_reply(const matching_core *core, const matching_request *request,
                                     const matching_reply *reply);

/* A step's `then` in full: defaults added, `$name` replaced by the order_id among `names`. */
struct json_object *outcome_expected(struct json_object *step, struct json_object *names);

/* Equal in all members; where `expected` has no `message` or `average_price`, the other's is not
 * looked at. */
bool outcome_same(struct json_object *expected, struct json_object *actual);

#endif
