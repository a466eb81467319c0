/* Guarded orders: those that somebody promised to cancel when a client goes, and that nobody would
 * cancel if the service itself died. CANCEL_GUARDED is the first that is heard after such a death;
 * RELEASE_GUARDS the last before a stop in which clients were taken leave of.
 *
 * Both walk traders by number and each one's orders by age: what they do follows from the commands
 * alone, not from where an order happens to lie.
 */
#include "engine/orders.h"

void apply_release_guards(const apply_context *context)
{
    matching_engine *engine = context->engine;
    for (uint32_t trader = 1; trader <= engine->trader_count; trader++) {
        for (uint32_t slot = trader_first(engine, trader); slot != NO_SLOT;
             slot = trader_after(engine, slot)) {
            engine->orders[slot].flags &= (uint8_t)~ORDER_GUARDED;
        }
    }
}

static void cancel_guarded_of(apply_context *context, uint32_t trader)
{
    matching_engine *engine = context->engine;
    uint32_t next = trader_first(engine, trader);
    while (next != NO_SLOT) {
        uint32_t slot = next;
        next = trader_after(engine, slot);
        if (engine->orders[slot].flags & ORDER_GUARDED) {
            cancel_order(context, slot, MATCHING_REASON_DISCONNECT);
        }
    }
}

void apply_cancel_guarded(apply_context *context)
{
    for (uint32_t trader = 1; trader <= context->engine->trader_count; trader++) {
        cancel_guarded_of(context, trader);
    }
}

bool matching_engine_has_guarded(const matching_engine *engine)
{
    for (uint32_t trader = 1; trader <= engine->trader_count; trader++) {
        for (uint32_t slot = trader_first(engine, trader); slot != NO_SLOT;
             slot = trader_after(engine, slot)) {
            if (engine->orders[slot].flags & ORDER_GUARDED) {
                return true;
            }
        }
    }
    return false;
}
