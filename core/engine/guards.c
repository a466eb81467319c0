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
        for (uint32_t at = engine->traders[trader].first; at != 0; at = engine->blocks[at].next) {
            const order_block *block = &engine->blocks[at];
            for (uint32_t i = 0; i < block->filled; i++) {
                if (block->slots[i] != NO_SLOT) {
                    engine->orders[block->slots[i]].flags &= (uint8_t)~ORDER_GUARDED;
                }
            }
        }
    }
}

static void cancel_guarded_of(apply_context *context, uint32_t trader)
{
    matching_engine *engine = context->engine;
    uint32_t next = engine->traders[trader].first;
    while (next != 0) {
        order_block block = engine->blocks[next]; /* a copy: it is freed with its last order */
        next = block.next;
        for (uint32_t i = 0; i < block.filled; i++) {
            uint32_t slot = block.slots[i];
            if (slot != NO_SLOT && (engine->orders[slot].flags & ORDER_GUARDED)) {
                cancel_order(context, slot, MATCHING_REASON_DISCONNECT);
            }
        }
    }
}

void apply_cancel_guarded(apply_context *context)
{
    for (uint32_t trader = 1; trader <= context->engine->trader_count; trader++) {
        cancel_guarded_of(context, trader);
    }
}
