/* How a message goes to a connection: as it is, as gzip, or by permessage-deflate. What the sizes
 * mean stands in peer.h.
 */
#include "peer.h"

void wire_take_gzip(wire_peer *peer, bool takes)
{
    peer->takes_gzip = takes;
    peer->is_packed = takes || peer->window_bits != 0;
}

/* How a message of so many bytes goes to the connection. Worth its while is less if it is done for
 * one alone. */
static wire_packing packing_of(const wire_peer *peer, size_t length, size_t worth)
{
    if (peer->takes_gzip && length > WIRE_GZIP_OVER) {
        return WIRE_GZIP;
    }
    return peer->window_bits != 0 && length > worth &&
                   wire_deflate_reaches(peer->window_bits, length)
               ? WIRE_DEFLATE
               : WIRE_PLAIN;
}

/* A message that may be compressed becomes what is sent. Returns the first byte of that. */
static unsigned pack(wire_peer *peer, const void **payload, size_t *length)
{
    wire_server *server = peer->server;
    wire_packing how = packing_of(peer, *length, WIRE_DEFLATE_OWN_OVER);
    if (how == WIRE_PLAIN) {
        return server->settings->kind;
    }
    size_t packed_length;
    const unsigned char *packed =
        wire_pack(&server->packers[how], how, *payload, *length, &packed_length);
    if (packed == NULL) {
        return server->settings->kind;
    }
    *payload = packed;
    *length = packed_length;
    return wire_packed_kind(how, server->settings->kind);
}

bool wire_append(wire_peer *peer, const void *payload, size_t length)
{
    wire_server *server = peer->server;
    unsigned kind = peer->is_packed ? pack(peer, &payload, &length) : server->settings->kind;
    return wire_outbox_message(&peer->outbox, &server->queued, kind, payload, length);
}

bool wire_append_frame(wire_peer *peer, wire_frame *frame)
{
    wire_server *server = peer->server;
    if (peer->is_packed) {
        size_t length;
        wire_frame_payload(frame, &length);
        wire_packing how = packing_of(peer, length, WIRE_DEFLATE_OVER);
        if (how != WIRE_PLAIN) {
            frame = wire_frame_packed(&server->queued, &server->packers[how], how, frame);
        }
    }
    return wire_outbox_share(&peer->outbox, &server->queued, frame);
}
