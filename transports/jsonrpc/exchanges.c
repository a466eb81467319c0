/* One body: its calls in order, each to a command or to an answer at once, and the answers gathered
 * until the last reply is in.
 *
 * Invariants: calls are submitted in the order in which they stand, so those on one instrument take
 * effect in it; what follows a change of the instruments waits until that has happened, since it
 * may mean the new one; a call that found the rings full of this exchange's own calls waits for
 * them to come back, and what follows waits behind it, while one that finds them full of others'
 * is OVERLOADED, but for a read, which waits its turn (turns.h) while others are under way; a slot
 * stays where it is until its reply has come, even if the client is long gone; a notification
 * leaves no text behind, whatever becomes of it.
 *
 * Not here: what methods mean (methods.c), HTTP (requests.c), sockets (connections.c).
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "door.h"
#include "matching/metrics.h"

typedef enum step { STEP_DONE, STEP_STALLED, STEP_WAITS } step;

bool jsonrpc_slot_is_mute(const jsonrpc_slot *slot)
{
    return slot->id.length == 0 || slot->exchange->request == NULL;
}

static void count_answer(jsonrpc_slot *slot)
{
    slot->exchange->answer_bytes += slot->answer.length;
    slot->exchange->door->reply_bytes += slot->answer.length;
}

void jsonrpc_slot_fail(jsonrpc_slot *slot, const jsonrpc_failure *failure)
{
    slot->code = failure->code;
    if (!jsonrpc_slot_is_mute(slot)) {
        jsonrpc_write_failure(&slot->answer, slot->id, failure);
        count_answer(slot);
    }
}

static void fail_slot_internally(jsonrpc_slot *slot)
{
    jsonrpc_failure failure;
    matching_writer_fini(&slot->answer);
    matching_writer_init(&slot->answer);
    jsonrpc_failure_set(&failure, JSONRPC_INTERNAL_ERROR, MATCHING_INTERNAL_ERROR, "",
                        "the answer could not be held in memory; what was asked for has been done");
    jsonrpc_slot_fail(slot, &failure);
}

void jsonrpc_slot_written(jsonrpc_slot *slot)
{
    if (slot->answer.failed) {
        fail_slot_internally(slot);
    } else {
        count_answer(slot);
    }
}

/* reply: NULL where no command was needed. */
static void finish_slot(jsonrpc_slot *slot, const matching_reply *reply)
{
    if (jsonrpc_slot_is_mute(slot)) {
        return;
    }
    if (reply != NULL && reply->code != MATCHING_OK) {
        matching_error error;
        jsonrpc_failure failure;
        matching_reply_error(reply, &error);
        jsonrpc_failure_from(&failure, &error, true);
        jsonrpc_slot_fail(slot, &failure);
        return;
    }
    jsonrpc_write_result(&slot->answer, slot->exchange->door->transport->core, slot->id,
                         &slot->expected, reply);
    jsonrpc_slot_written(slot);
}

static bool is_allowed(const jsonrpc_exchange *exchange, const jsonrpc_call *call,
                       jsonrpc_failure *failure)
{
    if (exchange->rights.market_data_only && !call->market_data) {
        jsonrpc_failure_set(failure, JSONRPC_REFUSED, MATCHING_UNAUTHORIZED, "",
                            "this Origin may ask for market data only, see allow_origins");
        return false;
    }
    if (call->administration && !exchange->rights.administrator) {
        jsonrpc_failure_set(failure, JSONRPC_REFUSED, MATCHING_UNAUTHORIZED, "",
                            "administration needs the admin token, or a loopback address if none "
                            "is configured");
        return false;
    }
    return true;
}

static matching_code submit(jsonrpc_exchange *exchange, const matching_command *command)
{
    jsonrpc_door *door = exchange->door;
    if (exchange->late) {
        return MATCHING_SHUTTING_DOWN;
    }
    if (door->calls >= JSONRPC_CALLS_MAX || door->reply_bytes >= JSONRPC_REPLY_BYTES_MAX) {
        return MATCHING_OVERLOADED;
    }
    matching_code code = matching_port_submit(door->port, command);
    if (code == MATCHING_OK) {
        exchange->outstanding++;
        door->calls++;
        exchange->settles = exchange->settles || command->type == MATCHING_ADD_INSTRUMENT ||
                            command->type == MATCHING_SET_STATE;
    }
    return code;
}

static void refuse_too_often(jsonrpc_slot *slot, matching_field field)
{
    jsonrpc_failure failure;
    jsonrpc_failure_set(&failure, JSONRPC_REFUSED, MATCHING_RATE_LIMITED,
                        matching_field_name(field), NULL);
    matching_port_refused(slot->exchange->door->port, MATCHING_RATE_LIMITED);
    jsonrpc_slot_fail(slot, &failure);
}

/* Nobody waits for it any more, or it has waited too long. */
static bool has_lost_its_turn(const jsonrpc_exchange *exchange)
{
    return matching_turns_left_ms(exchange->waits_since_ns, matching_monotonic_ns()) == 0 ||
           exchange->connection == NULL || matching_turns_has_left(exchange->connection->socket);
}

/* Hands a read to the core when it is its exchange's turn; while the door closes nobody waits.
 * MATCHING_OK also for one that nobody would hear the answer of. */
static step send_read(jsonrpc_slot *slot, const matching_command *command, matching_code *code)
{
    jsonrpc_exchange *exchange = slot->exchange;
    jsonrpc_door *door = exchange->door;
    bool is_its_turn = exchange->turn.is_waiting;
    *code = MATCHING_OK;
    if (jsonrpc_slot_is_mute(slot)) {
        return STEP_DONE;
    }
    if (is_its_turn && has_lost_its_turn(exchange)) {
        *code = MATCHING_OVERLOADED;
        return STEP_DONE;
    }
    if (is_its_turn && door->draining) {
        *code = MATCHING_SHUTTING_DOWN;
        return STEP_DONE;
    }
    /* Who comes now does not pass those who wait for the same room. */
    bool is_behind = !is_its_turn && door->readers.count > 0 && matching_port_is_bulk(command);
    *code = is_behind ? MATCHING_OVERLOADED : submit(exchange, command);
    if (*code == MATCHING_OVERLOADED && door->draining) {
        *code = MATCHING_SHUTTING_DOWN;
    }
    return *code == MATCHING_OVERLOADED && door->calls > 0 ? STEP_WAITS : STEP_DONE;
}

/* For the spans and the line about the connection. One that is looked at again is the same. */
static void note_trader(jsonrpc_slot *slot, const matching_command *command)
{
    jsonrpc_connection *connection = slot->exchange->connection;
    if (connection != NULL) {
        matching_http_named(&connection->traffic, command);
    }
    if (matching_span_is_sampled(&slot->span) && command->type != MATCHING_ADD_INSTRUMENT) {
        memcpy(slot->trader_id, command->trader_id, MATCHING_TRADER_MAX);
    }
}

static step send_command(jsonrpc_slot *slot, matching_command *command)
{
    jsonrpc_exchange *exchange = slot->exchange;
    slot->expected.instrument = command->instrument;
    slot->expected.state = command->state;
    command->tag = (uint64_t)(uintptr_t)slot;
    command->received_ns = exchange->received_ns;
    if (!jsonrpc_slot_is_mute(slot)) {
        command->flags |= MATCHING_FLAG_COLLECT;
    }
    matching_code code;
    if (matching_turns_may_wait(command)) {
        if (send_read(slot, command, &code) == STEP_WAITS) {
            return STEP_WAITS;
        }
    } else {
        code = submit(exchange, command);
        if (code == MATCHING_OVERLOADED && exchange->outstanding > 0) {
            return STEP_STALLED;
        }
    }
    if (code != MATCHING_OK) {
        matching_error error;
        jsonrpc_failure failure;
        matching_error_set(&error, code, MATCHING_FIELD_NONE, NULL);
        jsonrpc_failure_from(&failure, &error, true);
        matching_port_refused(exchange->door->port, code);
        jsonrpc_slot_fail(slot, &failure);
    }
    return STEP_DONE;
}

static step read_slot(jsonrpc_exchange *exchange, size_t index)
{
    const jsonrpc_request *request = &exchange->message.requests[index];
    jsonrpc_slot *slot = &exchange->slots[index];
    slot->exchange = exchange;
    slot->id = request->valid ? request->id : (matching_text){"null", 4};
    if (!request->valid) {
        matching_port_refused(exchange->door->port, MATCHING_INVALID_MESSAGE);
        slot->code = MATCHING_INVALID_MESSAGE;
        jsonrpc_write_no_request(&slot->answer, JSONRPC_INVALID_REQUEST,
                                 "Invalid Request: this is not a request object of JSON-RPC 2.0");
        count_answer(slot);
        return STEP_DONE;
    }
    /* One that stalled is looked at again, and counts once. The first call of a body has been
     * counted as the request that brought it. */
    bool counts = index >= exchange->counted;
    exchange->counted = index + 1;
    if (counts && index > 0 && !jsonrpc_peer_may_call(exchange->door, &exchange->peer)) {
        refuse_too_often(slot, MATCHING_FIELD_NONE);
        return STEP_DONE;
    }
    jsonrpc_call call;
    jsonrpc_failure failure;
    if (!jsonrpc_read_call(request, &call, &failure) || !is_allowed(exchange, &call, &failure)) {
        matching_port_refused(exchange->door->port, failure.code);
        jsonrpc_slot_fail(slot, &failure);
        return STEP_DONE;
    }
    slot->expected.answer = call.answer;
    if (call.answer == JSONRPC_ANSWER_SNAPSHOTS) {
        jsonrpc_snapshot_begin(slot);
        return STEP_DONE;
    }
    if (call.answer == JSONRPC_ANSWER_DOCUMENT) {
        if (!jsonrpc_slot_is_mute(slot)) {
            jsonrpc_write_document(&slot->answer, slot->id, exchange->door->transport->config);
            jsonrpc_slot_written(slot);
        }
        return STEP_DONE;
    }
    if (call.answer >= JSONRPC_ANSWER_SYMBOLS) {
        finish_slot(slot, NULL);
        return STEP_DONE;
    }
    matching_command command;
    if (!jsonrpc_prepare(exchange->door->transport->core, &call, &command, &failure)) {
        matching_port_refused(exchange->door->port, failure.code);
        jsonrpc_slot_fail(slot, &failure);
        return STEP_DONE;
    }
    if (counts && !matching_rates_take_trader(exchange->door->trader_rates, &command,
                                              matching_monotonic_ns())) {
        refuse_too_often(slot, MATCHING_FIELD_TRADER_ID);
        return STEP_DONE;
    }
    note_trader(slot, &command);
    return send_command(slot, &command);
}

static step take_slot(jsonrpc_exchange *exchange, size_t index)
{
    jsonrpc_slot *slot = &exchange->slots[index];
    size_t away = exchange->outstanding + exchange->snapshots;
    if (index >= exchange->counted) {
        jsonrpc_slot_span_begin(exchange, index);
    }
    const matching_trace_context *before = matching_trace_enter(&slot->span);
    step result = read_slot(exchange, index);
    matching_trace_leave(before);
    if (result == STEP_DONE && exchange->outstanding + exchange->snapshots == away) {
        jsonrpc_slot_span_end(slot);
    }
    return result;
}

static void destroy(jsonrpc_exchange *exchange)
{
    jsonrpc_door *door = exchange->door;
    if (exchange->previous != NULL) {
        exchange->previous->next = exchange->next;
    } else {
        door->exchanges = exchange->next;
    }
    if (exchange->next != NULL) {
        exchange->next->previous = exchange->previous;
    }
    for (size_t i = 0; exchange->slots != NULL && i < exchange->message.count; i++) {
        matching_writer_fini(&exchange->slots[i].answer);
    }
    door->stalled -= exchange->stalled;
    matching_turns_leave(&door->readers, &exchange->turn);
    door->reply_bytes -= exchange->answer_bytes;
    if (exchange->slots != &exchange->single) {
        free(exchange->slots);
    }
    jsonrpc_message_fini(&exchange->message);
    free(exchange->body);
    free(exchange);
}

/* All answers of a batch as one array; empty if there is none. */
static void join_answers(jsonrpc_exchange *exchange, matching_writer *whole)
{
    for (size_t i = 0; i < exchange->message.count; i++) {
        const matching_writer *answer = &exchange->slots[i].answer;
        if (exchange->slots[i].id.length == 0) {
            continue;
        }
        matching_write(whole, whole->length == 0 ? "[" : ",", 1);
        matching_write(whole, answer->data, answer->length);
        whole->failed = whole->failed || answer->failed;
    }
    if (whole->length > 0) {
        MATCHING_WRITE(whole, "]");
    }
}

/* Does the answer refuse anything? */
static bool has_failed(const jsonrpc_exchange *exchange)
{
    bool failed = exchange->message.error != 0;
    for (size_t i = 0; !failed && i < exchange->message.count; i++) {
        const jsonrpc_slot *slot = &exchange->slots[i];
        failed = slot->id.length > 0 && slot->code != MATCHING_OK;
    }
    return failed;
}

static void send_answer(jsonrpc_exchange *exchange, const matching_writer *whole)
{
    jsonrpc_connection *connection = exchange->connection;
    struct evhttp_request *request = exchange->request;
    int status = whole->failed ? 500 : whole->length == 0 ? 204 : 200;
    if (status != 204) {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                          "application/json");
    }
    jsonrpc_exchange_span_end(exchange, status);
    connection->traffic.errors += status < 400 && has_failed(exchange);
    jsonrpc_connection_reply(connection, request, status, whole->data,
                             status == 200 ? whole->length : 0);
    exchange->connection = NULL; /* it may be gone: all was written, and it was to be closed then */
    exchange->request = NULL;
}

static void answer(jsonrpc_exchange *exchange)
{
    if (exchange->request != NULL && exchange->message.error != 0) {
        matching_writer whole;
        matching_writer_init(&whole);
        matching_port_refused(exchange->door->port, exchange->message.error == JSONRPC_PARSE_ERROR
                                                        ? MATCHING_INVALID_JSON
                                                        : MATCHING_INVALID_MESSAGE);
        jsonrpc_write_no_request(&whole, exchange->message.error, exchange->message.why);
        send_answer(exchange, &whole);
        matching_writer_fini(&whole);
    } else if (exchange->request != NULL && exchange->message.batch) {
        matching_writer whole;
        matching_writer_init(&whole);
        join_answers(exchange, &whole);
        send_answer(exchange, &whole);
        matching_writer_fini(&whole);
    } else if (exchange->request != NULL) {
        send_answer(exchange, &exchange->slots[0].answer);
    }
    jsonrpc_exchange_span_end(exchange, 0);
    destroy(exchange);
}

static void answer_if_complete(jsonrpc_exchange *exchange)
{
    if (exchange->outstanding == 0 && exchange->snapshots == 0 &&
        exchange->taken == exchange->message.count) {
        answer(exchange);
    }
}

/* At the end of the line, or where it stands. */
static void wait_turn(jsonrpc_exchange *exchange)
{
    if (!exchange->turn.is_waiting) {
        exchange->waits_since_ns = matching_monotonic_ns();
        matching_turns_join(&exchange->door->readers, &exchange->turn);
    }
}

static void go_on(jsonrpc_exchange *exchange)
{
    while (exchange->taken < exchange->message.count) {
        exchange->settles = exchange->settles && exchange->outstanding > 0;
        step result = exchange->settles ? STEP_STALLED : take_slot(exchange, exchange->taken);
        if (result == STEP_STALLED) {
            exchange->stalled = true;
            exchange->door->stalled++;
            return;
        }
        if (result == STEP_WAITS) {
            wait_turn(exchange);
            return;
        }
        matching_turns_leave(&exchange->door->readers, &exchange->turn); /* it had its turn */
        exchange->taken++;
    }
    answer_if_complete(exchange);
}

bool jsonrpc_exchange_start(jsonrpc_connection *connection, struct evhttp_request *request,
                            char *body, size_t length, const char *traceparent,
                            jsonrpc_rights rights)
{
    jsonrpc_door *door = connection->door;
    jsonrpc_exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange == NULL) {
        free(body);
        return false;
    }
    exchange->door = door;
    exchange->body = body;
    exchange->body_length = length;
    exchange->rights = rights;
    exchange->peer = connection->key;
    exchange->late = door->draining;
    exchange->received_ns = matching_monotonic_ns();
    jsonrpc_exchange_span_begin(exchange, connection, request, traceparent);
    connection->traffic.bytes_received += length;
    matching_port_carried(door->port, length, 0);
    exchange->next = door->exchanges;
    if (exchange->next != NULL) {
        exchange->next->previous = exchange;
    }
    door->exchanges = exchange;
    size_t max_batch = door->transport->config->jsonrpc.max_batch;
    bool good = jsonrpc_message_parse(&exchange->message, body, length, max_batch);
    if (good && exchange->message.count > 0) {
        exchange->slots = exchange->message.count == 1
                              ? &exchange->single
                              : calloc(exchange->message.count, sizeof *exchange->slots);
        good = exchange->slots != NULL;
    }
    if (!good) {
        destroy(exchange);
        return false;
    }
    exchange->connection = connection;
    exchange->request = request;
    connection->exchange = exchange;
    go_on(exchange);
    return true;
}

void jsonrpc_exchange_reply(void *argument, const matching_reply *reply)
{
    jsonrpc_door *door = argument;
    jsonrpc_slot *slot = (jsonrpc_slot *)(uintptr_t)reply->tag;
    jsonrpc_exchange *exchange = slot->exchange;
    slot->code = (matching_code)reply->code;
    finish_slot(slot, reply);
    jsonrpc_slot_span_end(slot);
    door->calls--;
    exchange->outstanding--;
    answer_if_complete(exchange);
}

void jsonrpc_slot_snapshot_ended(jsonrpc_slot *slot)
{
    slot->exchange->snapshots--;
    jsonrpc_slot_span_end(slot);
    answer_if_complete(slot->exchange);
}

static jsonrpc_exchange *waiting_one(const matching_turn *turn)
{
    return (jsonrpc_exchange *)((uintptr_t)turn - offsetof(jsonrpc_exchange, turn));
}

/* Sees to it that the loop looks when the first in the line has waited too long. A timer that runs
 * for one who has had his turn meanwhile only makes it look sooner, and is set anew then. */
static void time_first(jsonrpc_door *door)
{
    if (door->readers.first == NULL || evtimer_pending(door->turns_timer, NULL)) {
        return;
    }
    int left_ms = matching_turns_left_ms(waiting_one(door->readers.first)->waits_since_ns,
                                         matching_monotonic_ns());
    const struct timeval left = {left_ms / 1000, left_ms % 1000 * 1000L};
    event_add(door->turns_timer, &left);
}

void jsonrpc_exchanges_resume(jsonrpc_door *door)
{
    jsonrpc_exchange *next = NULL;
    for (jsonrpc_exchange *at = door->exchanges; at != NULL && door->stalled > 0; at = next) {
        next = at->next;
        if (at->stalled) {
            at->stalled = false;
            door->stalled--;
            go_on(at);
        }
    }
    for (const matching_turn *turn = NULL; door->readers.first != turn;) {
        turn = door->readers.first; /* one that stays the first has found no room */
        if (turn != NULL) {
            go_on(waiting_one(turn));
        }
    }
    time_first(door);
}

void jsonrpc_exchange_abandon(jsonrpc_exchange *exchange)
{
    exchange->connection = NULL;
    exchange->request = NULL;
    jsonrpc_snapshots_forget(exchange);
}

void jsonrpc_exchanges_free(jsonrpc_door *door)
{
    while (door->exchanges != NULL) {
        destroy(door->exchanges);
    }
}
