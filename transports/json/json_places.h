/* Where a request keeps each field, and which JSON it is read from. The reader's own. */
#ifndef MATCHING_JSON_PLACES_H
#define MATCHING_JSON_PLACES_H

#include <stddef.h>

#include "matching/gateway.h"

typedef enum json_kind {
    JSON_NONE = 0,
    JSON_TEXT,    /* a matching_text */
    JSON_DECIMAL, /* an int64_t of 10^-8 */
    JSON_INTEGER, /* an int64_t */
    JSON_BOOLEAN  /* a bool */
} json_kind;

typedef struct json_place {
    json_kind kind;
    size_t offset; /* of the variable in matching_request */
} json_place;

extern const json_place json_places[MATCHING_FIELD_COUNT];

#endif
