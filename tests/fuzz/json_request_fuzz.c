/* Fuzz target: any bytes as a JSON request.
 *
 * What must hold: no crash; a refused text leaves nothing behind; accepted text is accepted again
 * when json-c prints it; the bits of a request agree with each other and with its values.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_reader.h"
#include "json_text.h"

static void must(bool holds)
{
    if (!holds)
        abort();
}

static bool is_clear(const matching_request *request, matching_field field)
{
    uint32_t bit = MATCHING_FIELD_BIT(field);
    return (request->present & bit) == 0 || ((request->wrong_type | request->malformed) & bit) != 0;
}

static void check_request(const matching_request *request)
{
    must(((request->wrong_type | request->malformed) & ~request->present) == 0);
    must((request->wrong_type & request->malformed) == 0);
    must(request->present < MATCHING_FIELD_BIT(MATCHING_FIELD_COUNT));
    must((request->present & 1) == 0);
    must(!is_clear(request, MATCHING_FIELD_PRICE) || request->price == 0);
    must(!is_clear(request, MATCHING_FIELD_QUANTITY) || request->quantity == 0);
    must(!is_clear(request, MATCHING_FIELD_ORDER_ID) || request->order_id == 0);
    must(!is_clear(request, MATCHING_FIELD_EXPIRE_TIME) || request->expire_time == 0);
    must(!is_clear(request, MATCHING_FIELD_POST_ONLY) || !request->post_only);
    must(!is_clear(request, MATCHING_FIELD_TRADER_ID) || request->trader_id.data == NULL);
    volatile unsigned sum = 0; /* read every byte that the request points at */
    for (size_t i = 0; i < request->trader_id.length; i++)
        sum += (unsigned char)request->trader_id.data[i];
    for (size_t i = 0; i < request->symbol.length; i++)
        sum += (unsigned char)request->symbol.data[i];
    (void)sum;
}

/* The same bytes as a URL's query would bring them, for every field. */
static void check_plain_text(const char *text, size_t length)
{
    for (matching_field field = MATCHING_FIELD_NONE; field < MATCHING_FIELD_COUNT; field++) {
        matching_request request = {0};
        matching_request_from_text(&request, field, text, length);
        check_request(&request);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    struct json_object *value = NULL;
    matching_code code = matching_json_parse(text, size, &value);
    must(code == MATCHING_OK || (code == MATCHING_INVALID_JSON && value == NULL));
    must((code == MATCHING_OK) == matching_json_check(text, size, MATCHING_JSON_DEPTH_MAX));
    if (json_object_is_type(value, json_type_object)) {
        matching_request request;
        memset(&request, 0xa5, sizeof request);
        request.action = MATCHING_ACTION_PLACE;
        matching_json_request(value, &request);
        must(request.action == MATCHING_ACTION_PLACE);
        check_request(&request);
        size_t length = 0;
        const char *printed =
            json_object_to_json_string_length(value, JSON_C_TO_STRING_PLAIN, &length);
        must(printed != NULL && matching_json_check(printed, length, MATCHING_JSON_DEPTH_MAX));
    }
    json_object_put(value);
    if (size < 64)
        check_plain_text(text, size);
    return 0;
}
