/* The fast way for the orders that nearly every client sends: flat JSON to a matching_request.
 *
 * Without an allocation and in one pass, but for plain texts only. What is unusual it leaves to
 * matching_json_parse and matching_json_request, and it never differs from them: a fuzz target
 * holds both to the same outcome. Pure. Any thread.
 */
#ifndef MATCHING_JSON_FLAT_H
#define MATCHING_JSON_FLAT_H

#include <stdbool.h>
#include <stddef.h>

#include "matching/gateway.h"

/* True: the text is an object, and *request, which the caller has zeroed, holds its members as
 * matching_json_request would have them, none of the wrong type or malformed, `action` left alone.
 * But for the member "id": it is not read as a number; *id is its value as it was sent, a string or
 * an integer, or NULL with length 0. All texts point into `text`.
 *
 * False: the ordinary way must be taken (the text may be fine, or no JSON at all); *request and *id
 * are of no use. So it is with members that orders do not have or that come twice, null, nested
 * values, values of the wrong type, escapes, line breaks, characters beyond ASCII, numbers with a
 * sign, an exponent or very many digits, and texts beyond 1 KiB. */
bool matching_json_flat(const char *text, size_t length, matching_request *request,
                        matching_text *id);

#endif
