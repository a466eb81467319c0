/* The head of a packet, read from left to right. */
#include "socket_packet.h"

#include <string.h>

#define NAMESPACE_MAX 64u /* characters; ours has nine */

typedef struct cursor {
    const char *at, *end;
} cursor;

static bool is_digit(const cursor *c)
{
    return c->at < c->end && *c->at >= '0' && *c->at <= '9';
}

/* Digits up to a number of at most `most`. False: there are none, or it is larger. */
static bool read_number(cursor *c, uint64_t most, uint64_t *number)
{
    *number = 0;
    if (!is_digit(c)) {
        return false;
    }
    for (; is_digit(c); c->at++) {
        uint64_t digit = (uint64_t)(*c->at - '0');
        if (*number > (most - digit) / 10) {
            return false;
        }
        *number = 10 * *number + digit;
    }
    return true;
}

static bool read_attachments(cursor *c, sio_packet *packet)
{
    uint64_t count;
    if (packet->type != SIO_BINARY_EVENT && packet->type != SIO_BINARY_ACK) {
        return true;
    }
    if (!read_number(c, SIO_ATTACHMENTS_MAX, &count) || c->at == c->end || *c->at != '-') {
        return false;
    }
    c->at++;
    packet->attachments = (unsigned)count;
    return true;
}

static bool read_namespace(cursor *c, sio_packet *packet)
{
    packet->namespace_name = (matching_text){"/", 1};
    if (c->at == c->end || *c->at != '/') {
        return true;
    }
    const char *comma = memchr(c->at, ',', (size_t)(c->end - c->at));
    const char *end = comma == NULL ? c->end : comma; /* "1/name" may do without */
    packet->namespace_name = (matching_text){c->at, (size_t)(end - c->at)};
    c->at = comma == NULL ? c->end : comma + 1;
    for (const char *at = packet->namespace_name.data; at < end; at++) {
        if (*at <= ' ' || *at > '~') {
            return false; /* it may be sent back */
        }
    }
    return packet->namespace_name.length <= NAMESPACE_MAX;
}

static bool is_payload_good(const sio_packet *packet)
{
    size_t length = packet->payload.length;
    char first = length == 0 ? '\0' : packet->payload.data[0];
    switch (packet->type) {
    case SIO_CONNECT:
        return !packet->has_id && (length == 0 || first == '{');
    case SIO_DISCONNECT:
        return !packet->has_id && length == 0;
    case SIO_ACK:
    case SIO_BINARY_ACK:
        return packet->has_id && first == '[';
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        return first == '[';
    default:
        return false;
    }
}

bool sio_packet_read(const char *text, size_t length, sio_packet *packet)
{
    cursor c = {text, text + length};
    *packet = (sio_packet){0};
    if (length == 0 || *c.at < '0' || *c.at > '6') {
        return false;
    }
    packet->type = (sio_type)(*c.at++ - '0');
    if (!read_attachments(&c, packet) || !read_namespace(&c, packet)) {
        return false;
    }
    packet->has_id = is_digit(&c);
    if (packet->has_id && !read_number(&c, SIO_ACK_ID_MAX, &packet->id)) {
        return false;
    }
    packet->payload = (matching_text){c.at, (size_t)(c.end - c.at)};
    return is_payload_good(packet);
}

bool sio_is_our_namespace(matching_text name)
{
    return name.length == sizeof SIO_NAMESPACE - 1 &&
           memcmp(name.data, SIO_NAMESPACE, name.length) == 0;
}

void sio_begin_event(matching_writer *writer, const char *event)
{
    MATCHING_WRITE(writer, "42" SIO_NAMESPACE ",[");
    matching_write_cstring(writer, event);
    MATCHING_WRITE(writer, ",");
}

void sio_begin_ack(matching_writer *writer, uint64_t id)
{
    MATCHING_WRITE(writer, "43" SIO_NAMESPACE ",");
    matching_write_unsigned(writer, id);
    MATCHING_WRITE(writer, "[");
}

void sio_write_connected(matching_writer *writer, const char *sid)
{
    MATCHING_WRITE(writer, "40" SIO_NAMESPACE ",{\"sid\":");
    matching_write_cstring(writer, sid);
    MATCHING_WRITE(writer, "}");
}

void sio_write_connect_error(matching_writer *writer, matching_text namespace_name,
                             const char *message)
{
    MATCHING_WRITE(writer, "44");
    if (namespace_name.length != 1) { /* "/" is never named */
        matching_write(writer, namespace_name.data, namespace_name.length);
        MATCHING_WRITE(writer, ",");
    }
    MATCHING_WRITE(writer, "{\"message\":");
    matching_write_cstring(writer, message);
    MATCHING_WRITE(writer, "}");
}
