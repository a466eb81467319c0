/* The Socket.IO door's codec on any bytes as a polling body: packets that lie in it, in their
 * order, requests that keep their bounds, and errors that are JSON.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine_packet.h"
#include "json_text.h"
#include "reply.h"
#include "request.h"
#include "socket_packet.h"

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_request(matching_text payload)
{
    sio_request request;
    sio_error error;
    bool is_array;
    matching_writer writer;
    matching_writer_init(&writer);
    memset(&request, 0xa5, sizeof request);
    sio_code code = sio_request_read(payload, &request, &error, &is_array);
    if (code == SIO_FINE) {
        must(is_array && request.interval < MATCHING_INTERVALS);
        must(request.kind != SIO_GET_HISTORY ||
             (request.limit >= 1 && request.limit <= SIO_HISTORY_MAX));
        must(request.label[0] == '\0' ||
             matching_json_check(request.label, strlen(request.label), 1));
    } else {
        sio_write_error(&writer, &error, request.name);
        must(!writer.failed && matching_json_check(writer.data, writer.length, 4));
    }
    sio_request_fini(&request);
    matching_writer_fini(&writer);
}

static void check_message(matching_text text)
{
    sio_packet packet;
    if (!sio_packet_read(text.data, text.length, &packet)) {
        return;
    }
    const char *end = text.data + text.length;
    must(packet.payload.data >= text.data && packet.payload.data + packet.payload.length == end);
    must(packet.namespace_name.length > 0 && packet.namespace_name.data[0] == '/');
    must(packet.id <= SIO_ACK_ID_MAX);
    if (packet.type == SIO_EVENT) {
        check_request(packet.payload);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    eio_payload payload = {.text = (const char *)data, .length = size};
    eio_packet packet;
    size_t used = 0;
    eio_next next;
    while ((next = eio_payload_next(&payload, &packet)) == EIO_NEXT_PACKET) {
        must(packet.type <= EIO_NOOP);
        must(packet.data.data == (const char *)data + used + 1);
        used += packet.data.length + 2; /* its digit, and the separator */
        must(used <= size + 1);
        if (packet.type == EIO_MESSAGE && !packet.is_binary) {
            check_message(packet.data);
        }
    }
    must(next == EIO_NEXT_BAD || used == size + 1);
    return 0;
}
