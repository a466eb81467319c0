/* The rules of a session.
 *
 * Invariants: packets wait only while polling is the carrier; has_poll only then, too; a probe is
 * there only beside polling; bytes is the sum of the packets' lengths.
 */
#include "session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 8u

eio_text *eio_text_create(const char *data, size_t length)
{
    eio_text *text = length > UINT32_MAX ? NULL : malloc(sizeof *text + length);
    if (text == NULL) {
        return NULL;
    }
    text->references = 1;
    text->length = (uint32_t)length;
    memcpy(text->data, data, length);
    return text;
}

void eio_text_release(eio_text *text)
{
    if (--text->references == 0) {
        free(text);
    }
}

/* ---- Begin and end --------------------------------------------------------------------------- */

void eio_session_begin(eio_session *session, eio_transport transport, const eio_terms *terms,
                       uint64_t now_ms)
{
    *session = (eio_session){
        .transport = transport,
        .ping_interval_ms = terms->ping_interval_ms,
        .ping_timeout_ms = terms->ping_timeout_ms,
        .ping_due_ms = now_ms + terms->ping_interval_ms,
        .pong_deadline_ms = UINT64_MAX,
    };
}

void eio_session_end(eio_session *session)
{
    for (eio_text *text; (text = eio_session_next(session)) != NULL;) {
        eio_text_release(text);
    }
    free(session->packets);
    *session = (eio_session){.transport = session->transport, .is_closed = true};
}

/* ---- Requests -------------------------------------------------------------------------------- */

static bool is_polling(const eio_session *session)
{
    return !session->is_closed && session->transport == EIO_POLLING;
}

bool eio_session_has_answer(const eio_session *session)
{
    return session->has_poll && (session->count > 0 || session->is_probed);
}

eio_action eio_session_poll(eio_session *session)
{
    if (!is_polling(session)) {
        return EIO_DO_REFUSE;
    }
    if (session->has_poll) {
        return EIO_DO_CLOSE;
    }
    session->has_poll = true;
    return eio_session_has_answer(session) ? EIO_DO_ANSWER : EIO_DO_HOLD;
}

eio_action eio_session_poll_gone(eio_session *session)
{
    bool was_waiting = session->has_poll;
    session->has_poll = false;
    return is_polling(session) && was_waiting ? EIO_DO_CLOSE : EIO_DO_NOTHING;
}

eio_action eio_session_post(eio_session *session)
{
    if (!is_polling(session)) {
        return EIO_DO_REFUSE;
    }
    if (session->has_post) {
        return EIO_DO_CLOSE;
    }
    session->has_post = true;
    return EIO_DO_NOTHING;
}

void eio_session_post_done(eio_session *session)
{
    session->has_post = false;
}

/* ---- The second carrier ---------------------------------------------------------------------- */

eio_action eio_session_probe(eio_session *session, uint64_t now_ms)
{
    if (!is_polling(session) || session->has_probe) {
        return EIO_DO_DROP;
    }
    session->has_probe = true;
    session->is_probed = false;
    session->probe_deadline_ms = now_ms + EIO_PROBE_MS;
    return EIO_DO_NOTHING;
}

void eio_session_probe_gone(eio_session *session)
{
    session->has_probe = session->is_probed = false;
}

static bool is_probe(const eio_packet *packet)
{
    return packet->type == EIO_PING && packet->data.length == 5 &&
           memcmp(packet->data.data, "probe", 5) == 0;
}

static eio_action receive_probe(eio_session *session, const eio_packet *packet)
{
    if (!is_polling(session) || !session->has_probe) {
        return EIO_DO_DROP;
    }
    if (is_probe(packet) && !session->is_probed) {
        session->is_probed = true;
        return EIO_DO_PROBED;
    }
    if (packet->type == EIO_UPGRADE && session->is_probed) {
        session->has_probe = session->is_probed = session->has_poll = false;
        session->transport = EIO_WEBSOCKET;
        return EIO_DO_UPGRADE;
    }
    return EIO_DO_DROP;
}

/* ---- Packets --------------------------------------------------------------------------------- */

eio_action eio_session_receive(eio_session *session, eio_carrier carrier, const eio_packet *packet,
                               uint64_t now_ms)
{
    if (carrier == EIO_FROM_PROBE) {
        return receive_probe(session, packet);
    }
    if (session->is_closed) {
        return EIO_DO_NOTHING;
    }
    switch (packet->type) {
    case EIO_MESSAGE:
        return EIO_DO_DELIVER;
    case EIO_PONG:
        if (session->pong_deadline_ms != UINT64_MAX) {
            session->pong_deadline_ms = UINT64_MAX;
            session->ping_due_ms = now_ms + session->ping_interval_ms;
        }
        return EIO_DO_NOTHING;
    case EIO_NOOP:
        return EIO_DO_NOTHING;
    case EIO_UPGRADE: /* a late copy of the one that made this WebSocket the carrier */
        return carrier == EIO_FROM_WEBSOCKET ? EIO_DO_NOTHING : EIO_DO_CLOSE;
    default: /* its CLOSE; since protocol 4 it is the server that pings; OPEN is not a client's */
        return EIO_DO_CLOSE;
    }
}

eio_action eio_session_tick(eio_session *session, uint64_t now_ms)
{
    if (session->is_closed) {
        return EIO_DO_NOTHING;
    }
    if (now_ms >= session->pong_deadline_ms) {
        return EIO_DO_CLOSE;
    }
    if (session->has_probe && now_ms >= session->probe_deadline_ms) {
        return EIO_DO_DROP;
    }
    if (now_ms >= session->ping_due_ms) {
        session->ping_due_ms = UINT64_MAX;
        session->pong_deadline_ms = now_ms + session->ping_timeout_ms;
        return EIO_DO_PING;
    }
    return EIO_DO_NOTHING;
}

/* ---- What waits for a GET -------------------------------------------------------------------- */

static bool grow(eio_session *session)
{
    uint32_t room = session->room == 0 ? FIRST_ROOM : 2 * session->room;
    eio_text **packets = malloc(room * sizeof *packets);
    if (packets == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < session->count; i++) {
        packets[i] = session->packets[(session->first + i) & (session->room - 1)];
    }
    free(session->packets);
    session->packets = packets;
    session->first = 0;
    session->room = room;
    return true;
}

bool eio_session_push(eio_session *session, eio_text *text)
{
    assert(is_polling(session));
    if (session->count == session->room && !grow(session)) {
        return false;
    }
    text->references++;
    session->packets[(session->first + session->count++) & (session->room - 1)] = text;
    session->bytes += text->length;
    return true;
}

eio_text *eio_session_next(eio_session *session)
{
    if (session->count == 0) {
        return NULL;
    }
    eio_text *text = session->packets[session->first];
    session->first = (session->first + 1) & (session->room - 1);
    session->bytes -= text->length;
    if (--session->count == 0) { /* one that is read well holds no memory */
        free(session->packets);
        session->packets = NULL;
        session->first = session->room = 0;
    }
    return text;
}

void eio_session_take(eio_session *session, matching_writer *writer, size_t most)
{
    size_t begin = writer->length;
    session->has_poll = false;
    if (session->count == 0) {
        MATCHING_WRITE(writer, "6");
        return;
    }
    while (session->count > 0) {
        eio_text *text = session->packets[session->first];
        size_t used = writer->length - begin;
        if (used > 0 && used + 1 + text->length > most) {
            break;
        }
        if (used > 0) {
            MATCHING_WRITE(writer, EIO_SEPARATOR);
        }
        matching_write(writer, text->data, text->length);
        eio_text_release(eio_session_next(session));
    }
}
