/* Is this text JSON? The whole grammar of RFC 8259, before anything is built from it.
 *
 * json-c alone is too lenient for a wire: even when strict it takes NaN, Infinity, 1., -.5, -01,
 * raw control characters and ill-formed UTF-8. What passes here it reads as it is meant.
 */
#ifndef MATCHING_JSON_TEXT_H
#define MATCHING_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* One value and nothing but white space around it, in UTF-8 (RFC 3629), nesting at most `depth` (1
 * to 64) containers. A member name with \u0000 does not pass, although the grammar has it: json-c
 * would cut the name there and so take it for another. Any thread, pure, no recursion; one pass. */
bool matching_json_check(const char *text, size_t length, unsigned depth);

#endif
