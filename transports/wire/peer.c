/* The life of a connection: how it begins, what is looked at once a second, and how it ends. What
 * comes in is in receive.c, what goes out in sending.c.
 *
 * Invariant: a connection is freed only by wire_peer_closed, which libwebsockets' last callback for
 * it calls.
 */
#include "peer.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define MS_PER_S UINT64_C(1000)

void wire_print_remote(char out[MATCHING_CONNECTION_REMOTE_SIZE], int fd)
{
    struct sockaddr_storage remote;
    socklen_t size = sizeof remote;
    char host[47], port[6]; /* an address with a scope that is longer is left out */
    out[0] = '\0';
    if (getpeername(fd, (struct sockaddr *)&remote, &size) == 0 &&
        getnameinfo((struct sockaddr *)&remote, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        bool v6 = remote.ss_family == AF_INET6;
        snprintf(out, MATCHING_CONNECTION_REMOTE_SIZE, "%.1s%.46s%.1s:%.5s", v6 ? "[" : "", host,
                 v6 ? "]" : "", port);
    }
}

wire_peer *wire_peer_open(wire_server *server, struct lws *wsi, matching_access_level level)
{
    if (server->peer_count >= server->settings->max_connections) {
        return NULL;
    }
    wire_peer *peer = calloc(1, server->handlers->peer_size);
    if (peer == NULL) {
        return NULL;
    }
    char remote[MATCHING_CONNECTION_REMOTE_SIZE];
    uint32_t slot = server->free_slots[server->free_slot_count - 1];
    peer->server = server;
    peer->wsi = wsi;
    peer->fd = lws_get_socket_fd(wsi);
    wire_print_remote(remote, peer->fd);
    peer->message_room = server->settings->message_bytes;
    peer->message = peer->message_room > 0 ? malloc(peer->message_room) : NULL;
    if (peer->message != NULL || peer->message_room == 0) {
        peer->entry = matching_connection_open(server->table, slot, remote);
    }
    if (peer->entry == NULL) {
        free(peer->message);
        free(peer);
        return NULL;
    }
    server->free_slot_count--;
    peer->close_code = WIRE_CLOSE_ABNORMAL;
    peer->slot = slot;
    peer->generation = ++server->generations[slot];
    peer->level = level;
    peer->seen_ms = peer->pinged_ms = server->now_ms;
    peer->window_bits = (uint8_t)wire_http_deflate(server, wsi);
    peer->is_packed = peer->reader.takes_compressed = peer->window_bits != 0;
    server->peers[slot] = peer;
    server->peer_count++;
    wire_connection_begin(peer);
    wire_receive_start(peer);
    if (server->handlers->on_open != NULL) {
        server->handlers->on_open(peer);
    }
    return peer;
}

void wire_peer_closed(wire_peer *peer)
{
    wire_server *server = peer->server;
    wire_receive_stop(peer);
    wire_work_forget(peer);
    peer->state = WIRE_OVER; /* what the door does now must not queue or read any more */
    server->handlers->on_closed(peer);
    wire_guard_release(&server->guard, peer, server->phase == WIRE_RUNNING);
    wire_connection_end(peer);
    matching_connection_close(server->table, peer->entry, peer->close_code);
    if (peer->is_dirty) {
        wire_peer *last = server->dirty[--server->dirty_count];
        server->dirty[peer->dirty_at] = last;
        last->dirty_at = peer->dirty_at;
    }
    server->peers[peer->slot] = NULL;
    server->free_slots[server->free_slot_count++] = peer->slot;
    server->peer_count--;
    wire_batch_drop(peer);
    wire_outbox_free(&peer->outbox, &server->queued);
    free(peer->message);
    free(peer);
}

wire_peer *wire_peer_find(const wire_server *server, uint32_t slot, uint32_t generation)
{
    wire_peer *peer = slot < server->peer_max ? server->peers[slot] : NULL;
    return peer != NULL && peer->generation == generation ? peer : NULL;
}

/* ---- How it ends ---------------------------------------------------------------------------- */

void wire_end(wire_peer *peer, unsigned code, const char *reason, uint64_t grace_ms)
{
    unsigned char payload[WIRE_CONTROL_MAX] = {(unsigned char)(code >> 8), (unsigned char)code};
    if (peer->state == WIRE_OPEN) {
        wire_batch_flush(peer); /* what it was told before goes out before; may end it itself */
    }
    if (peer->state != WIRE_OPEN) {
        return;
    }
    size_t length = strlen(reason);
    length = length < sizeof payload - 2 ? length : sizeof payload - 2;
    memcpy(payload + 2, reason, length);
    peer->state = WIRE_ENDING;
    peer->close_code = code == WIRE_CLOSE_NONE ? WIRE_CLOSE_UNTOLD : code;
    peer->close_deadline_ms = peer->server->now_ms + grace_ms;
    /* Not once the client has read what waits: until then nobody is told what becomes of them. */
    wire_guard_release(&peer->server->guard, peer, peer->server->phase == WIRE_RUNNING);
    if (!wire_outbox_control(&peer->outbox, &peer->server->queued, WIRE_OPCODE_CLOSE, payload,
                             code == WIRE_CLOSE_NONE ? 0 : 2 + length)) {
        wire_kill(peer); /* not even memory for that */
        return;
    }
    wire_adjust_reading(peer);
    wire_mark_dirty(peer);
}

void wire_end_slow(wire_peer *peer)
{
    if (peer->state == WIRE_OPEN) {
        matching_connection_slow(peer->server->table, MATCHING_CONNECTIONS_SLOW_CLOSED);
    }
    wire_end(peer, LWS_CLOSE_STATUS_POLICY_VIOLATION, "slow consumer", WIRE_SLOW_GRACE_MS);
}

void wire_out_of_memory(wire_peer *peer)
{
    wire_end(peer, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory", WIRE_CLOSE_GRACE_MS);
}

void wire_kill(wire_peer *peer)
{
    peer->state = WIRE_OVER;
    wire_batch_drop(peer);
    ev_io_stop(peer->server->loop, &peer->reading);
    lws_set_timeout(peer->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
    lws_cancel_service(peer->server->lws); /* it looks at its timeouts after an event only */
}

void wire_bound_queues(wire_server *server)
{
    while (server->queued > server->limits.all) {
        wire_peer *longest = NULL;
        size_t most = 0;
        for (uint32_t slot = 0; slot < server->peer_max; slot++) {
            wire_peer *peer = server->peers[slot];
            if (peer != NULL && wire_waiting(peer) > most) {
                longest = peer;
                most = wire_waiting(peer);
            }
        }
        if (longest == NULL) {
            return;
        }
        wire_batch_drop(longest);
        wire_outbox_free(&longest->outbox,
                         &server->queued); /* whole frames: the stream stays sound */
        if (longest->state == WIRE_OPEN) {
            wire_end_slow(longest);
        } else if (longest->state != WIRE_OVER) {
            wire_kill(longest); /* its close frame was among them */
        }
    }
}

/* ---- Once a second -------------------------------------------------------------------------- */

/* Idle connections hold no buffers. */
static void trim(wire_peer *peer)
{
    if (!peer->was_used && wire_outbox_length(&peer->outbox) == 0) {
        wire_outbox_free(&peer->outbox, &peer->server->queued);
    }
    if (!peer->was_used && peer->incoming == 0 && peer->server->settings->message_bytes == 0) {
        free(peer->message);
        peer->message = NULL;
        peer->message_room = 0;
    }
    peer->was_used = false;
}

void wire_peer_second(wire_peer *peer)
{
    const wire_settings *settings = peer->server->settings;
    uint64_t now = peer->server->now_ms;
    if (peer->state != WIRE_OPEN) {
        if (peer->state != WIRE_OVER && now >= peer->close_deadline_ms) {
            wire_kill(peer);
        }
        return;
    }
    trim(peer);
    peer->is_bursting = peer->is_bursting && wire_waiting(peer) > peer->server->limits.queue;
    if (peer->is_bursting && !wire_reads(peer)) {
        wire_end_slow(peer);
        return;
    }
    /* Rather half a second early than a whole one late; nobody is dropped who was not asked. */
    if (now - peer->seen_ms >= settings->client_timeout_s * MS_PER_S &&
        peer->pinged_ms > peer->seen_ms) {
        wire_end(peer, LWS_CLOSE_STATUS_GOINGAWAY, "client timeout", WIRE_CLOSE_GRACE_MS);
    } else if (now + MS_PER_S / 2 - peer->pinged_ms >= settings->heartbeat_interval_s * MS_PER_S &&
               peer->server->pings_left > 0) {
        peer->server->pings_left--;
        peer->pinged_ms = now;
        lws_validity_confirmed(peer->wsi); /* it hears nothing, and would end it one day */
        if (wire_outbox_control(&peer->outbox, &peer->server->queued, WIRE_OPCODE_PING, NULL, 0)) {
            wire_mark_dirty(peer);
        }
    }
}
