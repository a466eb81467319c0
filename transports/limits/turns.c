/* A doubly linked list, in the order of arrival. */
#include "turns.h"

#include <errno.h>
#include <sys/socket.h>

#define NS_PER_MS UINT64_C(1000000)

void matching_turns_join(matching_turns *turns, matching_turn *turn)
{
    if (turn->is_waiting) {
        return;
    }
    *turn = (matching_turn){.previous = turns->last, .is_waiting = true};
    *(turns->last != NULL ? &turns->last->next : &turns->first) = turn;
    turns->last = turn;
    turns->count++;
}

void matching_turns_leave(matching_turns *turns, matching_turn *turn)
{
    if (!turn->is_waiting) {
        return;
    }
    *(turn->previous != NULL ? &turn->previous->next : &turns->first) = turn->next;
    *(turn->next != NULL ? &turn->next->previous : &turns->last) = turn->previous;
    *turn = (matching_turn){0};
    turns->count--;
}

bool matching_turns_may_wait(const matching_command *command)
{
    return command->type >= MATCHING_READ_ORDER;
}

int matching_turns_left_ms(uint64_t since_ns, uint64_t now_ns)
{
    uint64_t due_ns = since_ns + MATCHING_TURN_WAIT_NS;
    return now_ns < due_ns ? (int)((due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS) : 0;
}

bool matching_turns_has_left(int socket)
{
    char byte;
    ssize_t got = recv(socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR); /* the end, or a reset */
}
