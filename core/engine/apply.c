/* The engine's one entry: matching_engine_apply. What most commands are goes the short way of
 * plain.c, the others all of the way, through place.c, change.c and their like.
 */
#include "engine/orders.h"

#ifndef MATCHING_ENGINE_CHECKS
#define MATCHING_ENGINE_CHECKS 0 /* 1 in debug and fuzz builds */
#endif
/* Orders and levels that an engine may have and still check itself after each command. */
#define CHECKED_EACH 1024

/* All of the way, for any command. */
void apply_any(matching_engine *engine, const matching_command *command, matching_event_sink *sink,
               matching_reply *reply)
{
    apply_context context = {engine, command, sink, reply};
    begin_reply(reply, command->type, false, command->sequence);
    reply->order.order_id = 0; /* none is entered yet */
    if (engine->next_expiry_ns <= command->time_ns) {
        expire_due(&context);
    }
    switch (command->type) {
    case MATCHING_PLACE:
        apply_place(&context);
        break;
    case MATCHING_CANCEL:
        apply_cancel(&context);
        break;
    case MATCHING_AMEND:
        apply_amend(&context);
        break;
    case MATCHING_CANCEL_ALL:
        apply_cancel_all(&context);
        break;
    case MATCHING_SET_STATE:
        apply_set_state(&context);
        break;
    case MATCHING_ADD_INSTRUMENT:
        apply_add_instrument(&context);
        break;
    case MATCHING_SET_LIMITS:
        apply_set_limits(&context);
        break;
    case MATCHING_RELEASE_GUARDS:
        apply_release_guards(&context);
        break;
    case MATCHING_CANCEL_GUARDED:
        apply_cancel_guarded(&context);
        break;
    case MATCHING_TICK:
        break; /* time has passed: what was due has expired */
    default:
        matching_engine_panic(__FILE__, __LINE__, "not a command");
    }
}

/* Walks every invariant: in a small engine after each command, in a larger one as much more
 * seldom as the walk is longer. */
static void check_itself(const matching_engine *engine, const matching_command *command)
{
    const matching_engine_limits *limits = &engine->limits;
    uint64_t size = limits->max_orders + limits->retained_orders + limits->max_levels;
    if (command->sequence % (1 + size / CHECKED_EACH) == 0) {
        const char *broken = matching_engine_check(engine);
        if (broken != NULL) {
            matching_engine_panic(__FILE__, __LINE__, broken);
        }
    }
}

void matching_engine_apply(matching_engine *engine, const matching_command *command,
                           matching_event_sink *sink, matching_reply *reply)
{
    engine_assert(command->instrument < engine->limits.instruments);
    bool is_due = engine->next_expiry_ns <= command->time_ns;
    if (command->type == MATCHING_PLACE && likely(!is_due)) {
        place_plain(engine, command, sink, reply);
    } else if (command->type == MATCHING_CANCEL && likely(!is_due)) {
        cancel_plain(engine, command, sink, reply);
    } else if (command->type == MATCHING_AMEND && likely(!is_due)) {
        amend_plain(engine, command, sink, reply);
    } else {
        apply_any(engine, command, sink, reply);
    }
    if (MATCHING_ENGINE_CHECKS) {
        check_itself(engine, command);
    }
}
