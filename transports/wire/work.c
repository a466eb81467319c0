/* How much is done for one client before others are looked at: peer.h says what for.
 *
 * Invariants: a share is in the server's list of those that wait exactly while it is spent; nothing
 * is read from a connection whose share is.
 */
#include "peer.h"

bool wire_share_use(wire_server *server, wire_share *share, size_t units,
                    void (*on_paid)(wire_server *server, wire_share *share))
{
    if (share->is_spent) {
        share->work += units; /* the message that went too far goes on to its end */
        return false;
    }
    share->work = share->work_turn == server->turns ? share->work + units : units;
    share->work_turn = server->turns;
    if (share->work <= WIRE_WORK_A_SHARE) {
        return false;
    }
    share->is_spent = true;
    share->on_paid = on_paid;
    share->next = NULL;
    *(server->last_spent != NULL ? &server->last_spent->next : &server->first_spent) = share;
    server->last_spent = share;
    return true;
}

void wire_share_forget(wire_server *server, wire_share *share)
{
    wire_share *before = NULL;
    if (!share->is_spent) {
        return;
    }
    for (wire_share *at = server->first_spent; at != share; at = at->next) {
        before = at;
    }
    *(before != NULL ? &before->next : &server->first_spent) = share->next;
    server->last_spent = server->last_spent == share ? before : server->last_spent;
    share->is_spent = false;
}

void wire_work_turn(wire_server *server)
{
    size_t left = WIRE_WORK_A_TURN;
    server->turns++;
    while (server->first_spent != NULL && left > 0) {
        wire_share *share = server->first_spent;
        size_t paid = share->work < left ? share->work : left;
        share->work -= paid;
        left -= paid;
        if (share->work > 0) {
            return;
        }
        wire_share_forget(server, share);
        share->on_paid(server, share);
    }
}

/* ---- Connections ----------------------------------------------------------------------------- */

static void on_paid(wire_server *server, wire_share *share)
{
    wire_peer *peer = (void *)((char *)share - offsetof(wire_peer, share));
    (void)server;
    wire_mark_dirty(peer); /* what it is owed comes before what it sends */
    wire_adjust_reading(peer);
}

void wire_work(wire_peer *peer, size_t units)
{
    if ((peer->state == WIRE_OPEN || peer->share.is_spent) &&
        wire_share_use(peer->server, &peer->share, units, on_paid)) {
        wire_adjust_reading(peer);
    }
}
