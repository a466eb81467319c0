/* The queues of waits.
 *
 * Invariants: a deadline is in the queue of its wait, or in none with HTTP_WAIT_NONE; queues are in
 * ascending order of due_ns, which holds as long as the given time never goes back.
 */
#include "deadlines.h"

#include <assert.h>
#include <limits.h>
#include <stddef.h>

#define NS_PER_MS UINT64_C(1000000)

void http_deadlines_init(http_deadlines *deadlines, const matching_config_limits *limits)
{
    *deadlines = (http_deadlines){0};
    deadlines->queues[HTTP_WAIT_IDLE].length_ns = limits->idle_timeout_ms * NS_PER_MS;
    deadlines->queues[HTTP_WAIT_HEAD].length_ns = limits->header_timeout_ms * NS_PER_MS;
    deadlines->queues[HTTP_WAIT_BODY].length_ns = limits->body_timeout_ms * NS_PER_MS;
    deadlines->queues[HTTP_WAIT_SEND].length_ns = limits->idle_timeout_ms * NS_PER_MS;
}

static void take_out(http_deadlines *deadlines, http_deadline *deadline)
{
    if (deadline->wait == HTTP_WAIT_NONE)
        return;
    if (deadline->previous != NULL)
        deadline->previous->next = deadline->next;
    else
        deadlines->queues[deadline->wait].first = deadline->next;
    if (deadline->next != NULL)
        deadline->next->previous = deadline->previous;
    else
        deadlines->queues[deadline->wait].last = deadline->previous;
    *deadline = (http_deadline){0};
}

void http_deadline_set(http_deadlines *deadlines, http_deadline *deadline, http_wait wait,
                       uint64_t now_ns)
{
    assert(wait < HTTP_WAIT_COUNT);
    take_out(deadlines, deadline);
    if (wait == HTTP_WAIT_NONE)
        return;
    deadline->wait = wait;
    deadline->due_ns = now_ns + deadlines->queues[wait].length_ns;
    deadline->previous = deadlines->queues[wait].last;
    if (deadline->previous != NULL)
        deadline->previous->next = deadline;
    else
        deadlines->queues[wait].first = deadline;
    deadlines->queues[wait].last = deadline;
}

http_deadline *http_deadlines_due(http_deadlines *deadlines, uint64_t now_ns)
{
    for (http_wait wait = HTTP_WAIT_IDLE; wait < HTTP_WAIT_COUNT; wait++) {
        http_deadline *first = deadlines->queues[wait].first;
        if (first != NULL && first->due_ns <= now_ns) {
            take_out(deadlines, first);
            return first;
        }
    }
    return NULL;
}

http_deadline *http_deadlines_first(http_deadlines *deadlines, http_wait wait)
{
    assert(wait < HTTP_WAIT_COUNT);
    return deadlines->queues[wait].first;
}

int http_deadlines_timeout_ms(const http_deadlines *deadlines, uint64_t now_ns)
{
    uint64_t earliest_ns = UINT64_MAX;
    for (http_wait wait = HTTP_WAIT_IDLE; wait < HTTP_WAIT_COUNT; wait++) {
        const http_deadline *first = deadlines->queues[wait].first;
        if (first != NULL && first->due_ns < earliest_ns)
            earliest_ns = first->due_ns;
    }
    if (earliest_ns == UINT64_MAX)
        return -1;
    uint64_t left_ms =
        earliest_ns > now_ns ? (earliest_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS : 0;
    return left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}
