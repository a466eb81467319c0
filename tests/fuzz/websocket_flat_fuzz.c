/* The two ways to read a message, on any bytes: whatever the flat one takes, json-c's makes the
 * same of, to the last bit of the request.
 *
 * An input whose first byte is no ASCII is not a text but a list of words to make one of: mutations
 * of that keep more of the grammar and so get deeper.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

#define TEXT_MAX 4096

static const char *const WORDS[] = {
    "{",
    "}",
    ",",
    ":",
    "\"",
    " ",
    "\t\n\r ",
    "\"type\":",
    "\"id\":",
    "\"order_id\":",
    "\"trader_id\":",
    "\"side\":",
    "\"price\":",
    "\"stop_price\":",
    "\"quantity\":",
    "\"symbol\" :",
    "\"time_in_force\": ",
    "\"expire_time\":",
    "\"post_only\":",
    "\"display_quantity\":",
    "\"client_order_id\":",
    "\"self_trade_prevention\":",
    "\"state\":",
    "\"levels\":",
    "\"other\":",
    "\"i\\u0064\":",
    "\"limit_order\"",
    "\"market_order\"",
    "\"stop_order\"",
    "\"cancel_order\"",
    "\"amend_order\"",
    "\"get_order\"",
    "\"cancel_all\"",
    "\"subscribe\"",
    "\"ping\"",
    "\"alice\"",
    "\"buy\"",
    "\"GTD\"",
    "\"\"",
    "\"12345678\"",
    "\"1234567\\\"\"",
    "\"\xc3\xa9\"",
    "\"\x7f\"",
    "\"5e4\"",
    "\"0.25\"",
    "true",
    "false",
    "null",
    "[]",
    "{}",
    "0",
    "7",
    "-",
    ".",
    "e",
    "E+",
    "00000000",
    "12345678",
    "9223372036",
    "92233720368",
    "999999999999999999",
    "9223372036854775807",
    "0.00000001",
    "0.000000001",
    "1.10000000000",
    "\\",
    "\x01",
};

enum { WORD_COUNT = sizeof WORDS / sizeof WORDS[0] };

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool is_same(matching_text left, matching_text right)
{
    return left.length == right.length &&
           (left.length == 0 || memcmp(left.data, right.data, left.length) == 0);
}

static void check_request(const matching_request *flat, const matching_request *json)
{
    must(flat->action == json->action && flat->present == json->present);
    must(flat->wrong_type == 0 && json->wrong_type == 0);
    must(flat->malformed == 0 && json->malformed == 0);
    must(is_same(flat->symbol, json->symbol) && is_same(flat->trader_id, json->trader_id));
    must(is_same(flat->client_order_id, json->client_order_id));
    must(is_same(flat->side, json->side) && is_same(flat->type, json->type));
    must(is_same(flat->time_in_force, json->time_in_force));
    must(is_same(flat->self_trade_prevention, json->self_trade_prevention));
    must(is_same(flat->state, json->state) && is_same(flat->status, json->status));
    must(is_same(flat->sbe_char, json->sbe_char));
    must(flat->price == json->price && flat->stop_price == json->stop_price);
    must(flat->quantity == json->quantity && flat->display_quantity == json->display_quantity);
    must(flat->tick_size == json->tick_size && flat->lot_size == json->lot_size);
    must(flat->order_id == json->order_id && flat->expire_time == json->expire_time);
    must(flat->after == json->after && flat->levels == json->levels && flat->limit == json->limit);
    must(flat->from_id == json->from_id && flat->before_id == json->before_id);
    must(is_same(flat->interval, json->interval));
    must(flat->from == json->from && flat->to == json->to);
    must(flat->id == json->id && flat->post_only == json->post_only);
}

static void check_ways(const char *text, size_t size)
{
    ws_message flat, json;
    ws_error error;
    memset(&flat, 0xa5, sizeof flat);
    memset(&json, 0x5a, sizeof json);
    if (ws_message_read_flat(text, size, &flat)) {
        must(ws_message_read_json(text, size, &json, &error) == MATCHING_OK);
        must(flat.type == json.type && flat.object == NULL);
        must(flat.id.data == json.id.data && flat.id.length == json.id.length);
        check_request(&flat.request, &json.request);
        must(flat.channels == 0 && json.channels == 0);
        must(flat.symbols == NULL && json.symbols == NULL && flat.enabled == json.enabled);
        ws_message_fini(&json);
    }
    ws_message_fini(&flat);
}

/* In memory of just that size, so that reading too far is noticed. */
static void check_copy(const char *text, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    must(copy != NULL);
    memcpy(copy, text, size);
    check_ways(copy, size);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] < 0x80) {
        check_ways((const char *)data, size);
        return 0;
    }
    char text[TEXT_MAX];
    size_t length = 0;
    for (size_t i = 1; i < size; i++) {
        const char *word = WORDS[data[i] % WORD_COUNT];
        if (length + strlen(word) > sizeof text) {
            break;
        }
        memcpy(text + length, word, strlen(word));
        length += strlen(word);
    }
    check_copy(text, length);
    return 0;
}
