/* How much is done for one client before others are looked at: peer.h says what for. */
#ifndef MATCHING_WIRE_WORK_H
#define MATCHING_WIRE_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Work is counted in units of some tens of nanoseconds: something small is made or put in a
 * list. */
#define WIRE_WORK_A_SHARE 256u /* of one client in a turn */
#define WIRE_WORK_A_TURN 512u  /* of all that are spent */

typedef struct wire_server wire_server;

/* What has been done for a client: a connection, or one that comes by requests. All zeros at
 * first. */
typedef struct wire_share {
    size_t work; /* units, in the turn of this number or, spent, still to be paid for */
    uint64_t work_turn;
    bool is_spent;           /* in the server's list: */
    struct wire_share *next; /* NULL: the last one there */
    void (*on_paid)(wire_server *server, struct wire_share *share);
} wire_share;

/* So much has been done. True: with that it is spent. on_paid is called once that has been paid
 * for; the loop does not sleep before. */
bool wire_share_use(wire_server *server, wire_share *share, size_t units,
                    void (*on_paid)(wire_server *server, wire_share *share));

/* Its client ends. */
void wire_share_forget(wire_server *server, wire_share *share);

/* Once a turn. */
void wire_work_turn(wire_server *server);

#endif
