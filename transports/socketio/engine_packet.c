/* Packets are one digit and their data; a polling body joins them by U+001E. */
#include "engine_packet.h"

#include <string.h>

bool eio_packet_read(const char *text, size_t length, eio_packet *packet)
{
    *packet = (eio_packet){0};
    if (length == 0) {
        return false;
    }
    packet->data = (matching_text){text + 1, length - 1};
    if (text[0] == 'b') {
        packet->type = EIO_MESSAGE;
        packet->is_binary = true;
        return true;
    }
    packet->type = (eio_type)(text[0] - '0');
    return text[0] >= '0' && text[0] <= '6';
}

eio_next eio_payload_next(eio_payload *payload, eio_packet *packet)
{
    if (payload->has_begun && payload->at > payload->length) {
        return EIO_NEXT_END;
    }
    const char *begin = payload->text + payload->at;
    size_t left = payload->length - payload->at;
    const char *end = left == 0 ? NULL : memchr(begin, EIO_SEPARATOR[0], left);
    size_t length = end == NULL ? left : (size_t)(end - begin);
    payload->has_begun = true;
    payload->at += length + 1; /* one past the end: it was the last one */
    return eio_packet_read(begin, length, packet) ? EIO_NEXT_PACKET : EIO_NEXT_BAD;
}

void eio_write_open(matching_writer *writer, const char *sid, bool may_upgrade,
                    const eio_terms *terms)
{
    MATCHING_WRITE(writer, "0{\"sid\":");
    matching_write_cstring(writer, sid);
    if (may_upgrade) {
        MATCHING_WRITE(writer, ",\"upgrades\":[\"websocket\"],\"pingInterval\":");
    } else {
        MATCHING_WRITE(writer, ",\"upgrades\":[],\"pingInterval\":");
    }
    matching_write_unsigned(writer, terms->ping_interval_ms);
    MATCHING_WRITE(writer, ",\"pingTimeout\":");
    matching_write_unsigned(writer, terms->ping_timeout_ms);
    MATCHING_WRITE(writer, ",\"maxPayload\":");
    matching_write_unsigned(writer, terms->max_payload);
    MATCHING_WRITE(writer, "}");
}

const char *eio_error_body(eio_error error)
{
    switch (error) {
    case EIO_UNKNOWN_TRANSPORT:
        return "{\"code\":0,\"message\":\"Transport unknown\"}";
    case EIO_UNKNOWN_SID:
        return "{\"code\":1,\"message\":\"Session ID unknown\"}";
    case EIO_BAD_METHOD:
        return "{\"code\":2,\"message\":\"Bad handshake method\"}";
    case EIO_UNSUPPORTED_VERSION:
        return "{\"code\":5,\"message\":\"Unsupported protocol version\"}";
    default:
        return "{\"code\":3,\"message\":\"Bad request\"}";
    }
}

eio_error eio_query_judge(const eio_query *query, eio_transport *transport)
{
    if (query->version == NULL || strcmp(query->version, "4") != 0) {
        return EIO_UNSUPPORTED_VERSION;
    }
    if (query->transport == NULL) {
        return EIO_UNKNOWN_TRANSPORT;
    }
    bool is_websocket = strcmp(query->transport, "websocket") == 0;
    if (!is_websocket && strcmp(query->transport, "polling") != 0) {
        return EIO_UNKNOWN_TRANSPORT;
    }
    *transport = is_websocket ? EIO_WEBSOCKET : EIO_POLLING;
    if (is_websocket != query->is_upgrade) {
        return EIO_BAD_REQUEST;
    }
    return query->sid == NULL && !query->is_get ? EIO_BAD_METHOD : EIO_FINE;
}

void eio_sid_print(const unsigned char random[15], char out[EIO_SID_SIZE])
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (unsigned i = 0; i < 5; i++) {
        const unsigned char *three = random + 3 * i;
        out[4 * i] = alphabet[three[0] >> 2];
        out[4 * i + 1] = alphabet[(three[0] & 3) << 4 | three[1] >> 4];
        out[4 * i + 2] = alphabet[(three[1] & 15) << 2 | three[2] >> 6];
        out[4 * i + 3] = alphabet[three[2] & 63];
    }
    out[EIO_SID_SIZE - 1] = '\0';
}
