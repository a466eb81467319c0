/* How much is done for one connection before others are looked at: peer.h says what for.
 *
 * Invariants: a connection is in the server's list of those that wait exactly while it is spent,
 * and then nothing is read from it.
 */
#include "peer.h"

void wire_work(wire_peer *peer, size_t units)
{
    wire_server *server = peer->server;
    if (peer->is_spent) {
        peer->work += units; /* the message that went too far goes on to its end */
        return;
    }
    peer->work = peer->work_turn == server->turns ? peer->work + units : units;
    peer->work_turn = server->turns;
    if (peer->work <= WIRE_WORK_A_SHARE || peer->state != WIRE_OPEN) {
        return;
    }
    peer->is_spent = true;
    peer->next_spent = NULL;
    *(server->last_spent != NULL ? &server->last_spent->next_spent : &server->first_spent) = peer;
    server->last_spent = peer;
    wire_adjust_reading(peer);
}

void wire_work_forget(wire_peer *peer)
{
    wire_server *server = peer->server;
    wire_peer *before = NULL;
    if (!peer->is_spent) {
        return;
    }
    for (wire_peer *at = server->first_spent; at != peer; at = at->next_spent) {
        before = at;
    }
    *(before != NULL ? &before->next_spent : &server->first_spent) = peer->next_spent;
    server->last_spent = server->last_spent == peer ? before : server->last_spent;
    peer->is_spent = false;
}

void wire_work_turn(wire_server *server)
{
    size_t left = WIRE_WORK_A_TURN;
    server->turns++;
    while (server->first_spent != NULL && left > 0) {
        wire_peer *peer = server->first_spent;
        size_t paid = peer->work < left ? peer->work : left;
        peer->work -= paid;
        left -= paid;
        if (peer->work > 0) {
            return;
        }
        wire_work_forget(peer);
        wire_mark_dirty(peer); /* what it is owed comes before what it sends */
        wire_adjust_reading(peer);
    }
}
