/* Turns: clients that wait for one of few places come to it one after the other.
 *
 * A port has room for so many reads with large answers at a time (matching/port.h: OVERLOADED). A
 * door lets the clients whose reads found none wait here, each of them once, whatever it still
 * wants: who wants more goes to the end again when it has had one. So nobody who asks for much
 * keeps others waiting for more than one read of his.
 *
 * One thread at a time; the caller brings the time. Memory is the waiting ones' own, so it is
 * bounded as they are.
 */
#ifndef MATCHING_LIMITS_TURNS_H
#define MATCHING_LIMITS_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/command.h"

/* Who has waited longer is told OVERLOADED: by then most clients have given up. */
#define MATCHING_TURN_WAIT_NS (UINT64_C(60) * 1000000000)

/* All zeros: it does not wait. */
typedef struct matching_turn {
    struct matching_turn *previous, *next;
    bool is_waiting;
} matching_turn;

/* All zeros: nobody waits. */
typedef struct matching_turns {
    matching_turn *first, *last; /* first: whose turn it is, NULL: nobody's */
    size_t count;
} matching_turns;

/* At the end; nothing happens to one that waits already. */
void matching_turns_join(matching_turns *turns, matching_turn *turn);

/* Wherever it stands; nothing happens to one that does not wait. */
void matching_turns_leave(matching_turns *turns, matching_turn *turn);

/* May a command wait its turn where there is no room for it? A read may; what changes something is
 * answered at once, since nobody can tell what it would do later. */
bool matching_turns_may_wait(const matching_command *command);

/* Milliseconds that who waits since then may go on waiting, rounded up; 0: that was too long. */
int matching_turns_left_ms(uint64_t since_ns, uint64_t now_ns);

/* Has the client at the other end of this socket gone, or ended its sending? For who does not read
 * from it while it waits: then its end shows only when somebody looks. One that has sent more has
 * not. */
bool matching_turns_has_left(int socket);

#endif
