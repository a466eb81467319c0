/* A doubly linked list, in the order of arrival. */
#include "turns.h"

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
