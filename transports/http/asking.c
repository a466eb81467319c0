/* Requests and the core: what is asked, what waits until there is room to ask it, what is answered.
 *
 * A port has room for so many reads with large answers at a time. Those beyond wait their turn
 * (turns.h), one for each connection: so they are as many as there are connections, and each gets
 * its answer.
 *
 * Invariants: an exchange is with the core (`is_asking`), or waits (`turn`), or neither; while one
 * waits others are with the core, whose replies make room; one whose client goes away waits no
 * more.
 */
#include <assert.h>

#include "exchange.h"

static void begin_asking(http_exchange *exchange)
{
    http_door *door = exchange->door;
    exchange->is_asking = true;
    exchange->previous = NULL;
    exchange->next = door->asking;
    if (door->asking != NULL)
        door->asking->previous = exchange;
    door->asking = exchange;
    door->asking_count++;
}

static void end_asking(http_exchange *exchange)
{
    http_door *door = exchange->door;
    assert(exchange->is_asking);
    exchange->is_asking = false;
    if (exchange->previous != NULL)
        exchange->previous->next = exchange->next;
    else
        door->asking = exchange->next;
    if (exchange->next != NULL)
        exchange->next->previous = exchange->previous;
    door->asking_count--;
}

/* The answer is there: it goes out in the next run of libmicrohttpd. */
static void give_answer(http_exchange *exchange)
{
    exchange->is_answered = true;
    if (exchange->is_suspended)
        MHD_resume_connection(exchange->mhd);
    exchange->is_suspended = false;
}

void http_on_reply(void *context, const matching_reply *reply)
{
    http_door *door = context;
    http_exchange *exchange = (http_exchange *)(uintptr_t)reply->tag;
    end_asking(exchange);
    if (exchange->mhd == NULL) {
        http_exchange_end(exchange);
        return;
    }
    http_answer_reply(&door->service, exchange->action, &exchange->command, reply,
                      &exchange->answer);
    give_answer(exchange);
}

void http_give_up_asking(http_door *door)
{
    for (http_exchange *exchange = door->asking; exchange != NULL; exchange = exchange->next) {
        if (exchange->is_answered || exchange->mhd == NULL)
            continue;
        http_answer_problem(
            &exchange->answer, 503, MATCHING_INTERNAL_ERROR,
            "stopped before the outcome was known, look the order up after a restart");
        give_answer(exchange);
    }
}

void http_free_asking(http_door *door)
{
    while (door->asking != NULL) {
        http_exchange *exchange = door->asking;
        end_asking(exchange);
        http_exchange_free(exchange);
    }
}

/* ---- What waits ------------------------------------------------------------------------------ */

static http_exchange *waiting_one(const matching_turn *turn)
{
    return (http_exchange *)((uintptr_t)turn - offsetof(http_exchange, turn));
}

static matching_code submit(http_exchange *exchange)
{
    const matching_trace_context *before = matching_trace_enter(&exchange->trace.span);
    matching_code code = matching_port_submit(exchange->door->port, &exchange->command);
    matching_trace_leave(before);
    if (code == MATCHING_OK)
        begin_asking(exchange);
    return code;
}

static void refuse(http_exchange *exchange, matching_code code)
{
    matching_error error;
    matching_error_set(&error, code, MATCHING_FIELD_NONE, NULL);
    http_answer_error(&exchange->answer, &error);
}

/* The first in the line, before anybody who comes now. False: there is no room, which the replies
 * to others will make. */
static bool serve_first(http_door *door, uint64_t now_ns)
{
    http_exchange *exchange = waiting_one(door->waiting.first);
    matching_code code = MATCHING_OVERLOADED;
    if (matching_turns_left_ms(exchange->waits_since_ns, now_ns) > 0) {
        code = submit(exchange);
        if (code == MATCHING_OVERLOADED && door->asking_count > 0)
            return false;
    }
    matching_turns_leave(&door->waiting, &exchange->turn);
    if (code != MATCHING_OK) {
        refuse(exchange, code);
        give_answer(exchange);
    }
    return true;
}

void http_serve_waiting(http_door *door)
{
    if (door->waiting.first == NULL)
        return;
    uint64_t now_ns = matching_monotonic_ns();
    while (door->waiting.first != NULL && serve_first(door, now_ns)) {
    }
}

int http_waiting_timeout_ms(const http_door *door, uint64_t now_ns)
{
    return door->waiting.first == NULL
               ? -1
               : matching_turns_left_ms(waiting_one(door->waiting.first)->waits_since_ns, now_ns);
}

void http_client_left(http_exchange *exchange)
{
    if (!exchange->turn.is_waiting)
        return;
    matching_turns_leave(&exchange->door->waiting, &exchange->turn);
    refuse(exchange, MATCHING_OVERLOADED); /* it may still be listening */
    give_answer(exchange);
}

bool http_is_asking(const http_exchange *exchange)
{
    return exchange->is_asking || exchange->turn.is_waiting;
}

void http_ask_no_more(http_exchange *exchange)
{
    exchange->connection->exchange = NULL;
    matching_turns_leave(&exchange->door->waiting, &exchange->turn);
}

/* ---- What is asked --------------------------------------------------------------------------- */

bool http_ask(http_exchange *exchange, const matching_request *request, uint64_t received_ns)
{
    http_door *door = exchange->door;
    matching_error error;
    matching_command *command = &exchange->command;
    matching_code code = matching_gateway_prepare(door->service.core, request, command, &error);
    if (code != MATCHING_OK) {
        http_answer_error(&exchange->answer, &error);
        return false;
    }
    if (!matching_rates_take_trader(door->trader_rates, command, door->now_ns)) {
        matching_error_set(&error, MATCHING_RATE_LIMITED, MATCHING_FIELD_TRADER_ID, NULL);
        http_answer_error(&exchange->answer, &error);
        return false;
    }
    matching_http_named(&exchange->connection->traffic, command);
    http_request_trace_named(&exchange->trace, command);
    exchange->action = request->action;
    command->tag = (uint64_t)(uintptr_t)exchange;
    command->received_ns = received_ns;
    if (request->action == MATCHING_ACTION_PLACE || request->action == MATCHING_ACTION_AMEND ||
        request->action == MATCHING_ACTION_CANCEL_ALL)
        command->flags |= MATCHING_FLAG_COLLECT;
    /* Who comes now does not pass those who wait for the same room. */
    bool may_wait = matching_turns_may_wait(command);
    bool is_behind = door->waiting.count > 0 && matching_port_is_bulk(command);
    code = is_behind ? MATCHING_OVERLOADED : submit(exchange);
    /* The client's end of the stream may have come with its request. */
    if (code == MATCHING_OVERLOADED && may_wait && door->asking_count > 0 &&
        !matching_turns_has_left(exchange->connection->fd)) {
        exchange->connection->exchange = exchange;
        exchange->waits_since_ns = received_ns;
        matching_turns_join(&door->waiting, &exchange->turn);
        return true;
    }
    if (code != MATCHING_OK)
        refuse(exchange, code);
    return code == MATCHING_OK;
}
