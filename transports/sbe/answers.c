/* Answers in the order of the requests, and reports of what happened later among them.
 *
 * Invariants: nothing is sent past something older that is owed; the oldest that is owed is never a
 * stored message once a function of this file has returned.
 */
#include <string.h>

#include "door.h"
#include "matching/metrics.h"

/* More is owed than may be, or memory is out: what follows could not be told in order. */
static void fail(sbe_connection *connection)
{
    wire_end(&connection->peer, LWS_CLOSE_STATUS_POLICY_VIOLATION, "too much is owed",
             WIRE_CLOSE_GRACE_MS);
}

bool sbe_release(sbe_connection *connection)
{
    sbe_owed *owed = &connection->owed;
    uint64_t before = owed->head;
    while (owed->head != owed->tail) {
        const uint8_t *message;
        uint8_t length = sbe_owed_oldest(owed, &message);
        if (length == SBE_OWED_NOTHING || (length == SBE_OWED_MASS && !sbe_mass_send(connection))) {
            break;
        }
        if (length != SBE_OWED_MASS) {
            wire_join_reply(&connection->peer, message, length);
        }
        sbe_owed_sent(owed);
    }
    sbe_count_owed(connection);
    return owed->head != before;
}

void sbe_answer(sbe_connection *connection, uint64_t number, const uint8_t *message, size_t length)
{
    sbe_owed *owed = &connection->owed;
    if (number == owed->head) {
        wire_join_reply(&connection->peer, message, length);
        sbe_owed_sent(owed);
        sbe_release(connection);
    } else if (!sbe_owed_store(owed, number, message, length)) {
        fail(connection);
    }
}

void sbe_answer_now(sbe_connection *connection, const uint8_t *message, size_t length)
{
    sbe_owed *owed = &connection->owed;
    if (sbe_owed_count(owed) == 0) {
        wire_join_reply(&connection->peer, message, length);
    } else if (sbe_owed_reserve(owed) && sbe_owed_add_message(owed, message, length)) {
        sbe_count_owed(connection);
    } else {
        fail(connection);
    }
}

void sbe_report_later(sbe_connection *connection, uint64_t *last, const uint8_t *message,
                      size_t length)
{
    sbe_owed *owed = &connection->owed;
    if (sbe_owed_count(owed) == 0 || *last < owed->head) {
        wire_join_event(&connection->peer, message, length);
        return;
    }
    if (!sbe_owed_reserve(owed)) {
        fail(connection);
        return;
    }
    *last = owed->tail;
    if (!sbe_owed_add_message(owed, message, length)) {
        fail(connection);
        return;
    }
    sbe_count_owed(connection);
}

void sbe_tell_behind(sbe_connection *connection, const uint8_t *messages, size_t length,
                     size_t message_bytes)
{
    for (size_t at = 0; at < length; at += message_bytes) {
        if (!sbe_owed_reserve(&connection->owed) ||
            !sbe_owed_add_message(&connection->owed, messages + at, message_bytes)) {
            fail(connection);
            return;
        }
    }
    sbe_count_owed(connection);
}

void sbe_answer_heartbeat(sbe_connection *connection, uint64_t time_ns)
{
    uint8_t message[SBE_HEARTBEAT_BYTES];
    sbe_heartbeat beat = {.timestamp = time_ns};
    sbe_answer_now(connection, message, sbe_heartbeat_write(message, sizeof message, &beat));
}

void sbe_refuse(sbe_connection *connection, uint16_t template_id, uint64_t client_order_id,
                const matching_error *error)
{
    uint8_t message[SBE_REJECT_BYTES];
    sbe_reject reject;
    matching_connection_failed(connection->peer.server->table, connection->peer.entry);
    matching_port_refused(connection->peer.server->port, error->code);
    wire_message_refused(connection->peer.server, matching_code_name(error->code));
    sbe_report_refusal(&reject, template_id, client_order_id, error);
    sbe_answer_now(connection, message, sbe_reject_write(message, sizeof message, &reject));
}
