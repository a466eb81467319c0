/* The WebSocket door's codec on any bytes: a message or an error, an id that lies in the frame and
 * is JSON, and answers that are JSON whatever is echoed in them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "json_reader.h"
#include "json_text.h"
#include "message.h"
#include "reply.h"

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_answer(matching_writer *writer)
{
    must(!writer->failed && matching_json_check(writer->data, writer->length, 4));
    matching_writer_clear(writer);
}

/* The id is echoed as it is, so it has to be a whole JSON value by itself. */
static void check_id(matching_text id, const char *text, size_t size)
{
    if (id.length == 0) {
        return;
    }
    must(id.data >= text && id.data + id.length <= text + size);
    must(id.length <= WS_ID_BYTES_MAX);
    must(id.data[0] == '"' || id.data[0] == '-' || (id.data[0] >= '0' && id.data[0] <= '9'));
    must(matching_json_check(id.data, id.length, 1));
}

/* A message that is refused unread has the same id, if it is short. */
static void check_unread(matching_text id, const char *text, size_t size)
{
    matching_text unread = ws_message_id(text, size);
    matching_text wanted = size <= WS_UNREAD_BYTES_MAX ? id : (matching_text){NULL, 0};
    must(unread.data == wanted.data && unread.length == wanted.length);
}

static void check_message(const ws_message *message)
{
    must(message->type != NULL);
    bool subscribes = message->type->kind == WS_SUBSCRIBE || message->type->kind == WS_UNSUBSCRIBE;
    must(subscribes == (message->channels != 0));
    must(message->channels < WS_CHANNEL_BIT(WS_CHANNEL_COUNT));
    must(message->symbols == NULL || json_object_array_length(message->symbols) > 0);
    must((message->type->kind == WS_COMMAND) == (message->request.action != MATCHING_ACTION_NONE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    ws_message message;
    ws_error error;
    matching_writer writer;
    matching_writer_init(&writer);
    memset(&message, 0xa5, sizeof message);
    matching_code code = ws_message_read(text, size, &message, &error);
    must((code == MATCHING_INVALID_JSON) ==
         !matching_json_check(text, size, MATCHING_JSON_DEPTH_MAX));
    check_id(message.id, text, size);
    check_unread(message.id, text, size);
    if (code == MATCHING_OK) {
        check_message(&message);
        ws_write_channels(&writer, "subscribed", message.channels, message.id);
    } else {
        must(error.code == code && error.field != NULL && error.message[0] != '\0');
        ws_write_error(&writer, &error, message.id);
    }
    check_answer(&writer);
    ws_message_fini(&message);
    matching_writer_fini(&writer);
    return 0;
}
