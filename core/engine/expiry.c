/* Good-till-date orders: a binary heap by (expire_time, order_id).
 *
 * Invariants: exactly the working GTD orders are in it; an order's extra has its place;
 * next_expiry_ns is when the first is due.
 */
#include "engine/engine_internal.h"
#include "engine/orders.h"

static bool before(const matching_engine *engine, uint32_t a, uint32_t b)
{
    uint64_t x = extra_of(engine, a)->expire_time_ms, y = extra_of(engine, b)->expire_time_ms;
    return x < y || (x == y && engine->orders[a].order_id < engine->orders[b].order_id);
}

static void put(matching_engine *engine, uint32_t at, uint32_t slot)
{
    engine->expiry_heap[at] = slot;
    engine->extras[engine->orders[slot].extra].expiry_at = at;
}

static void sift_up(matching_engine *engine, uint32_t at, uint32_t slot)
{
    for (; at > 1 && before(engine, slot, engine->expiry_heap[at / 2]); at /= 2) {
        put(engine, at, engine->expiry_heap[at / 2]);
    }
    put(engine, at, slot);
}

static void sift_down(matching_engine *engine, uint32_t at, uint32_t slot)
{
    for (;;) {
        uint32_t child = 2 * at;
        if (child > engine->expiry_count) {
            break;
        }
        if (child < engine->expiry_count &&
            before(engine, engine->expiry_heap[child + 1], engine->expiry_heap[child])) {
            child++;
        }
        if (!before(engine, engine->expiry_heap[child], slot)) {
            break;
        }
        put(engine, at, engine->expiry_heap[child]);
        at = child;
    }
    put(engine, at, slot);
}

/* Tells apply when to look at the heap at all. */
static void note_next(matching_engine *engine)
{
    uint64_t next_ms = UINT64_MAX;
    if (engine->expiry_count > 0) {
        next_ms = extra_of(engine, engine->expiry_heap[1])->expire_time_ms;
    }
    engine->next_expiry_ns = next_ms < UINT64_MAX / 1000000 ? next_ms * 1000000 : UINT64_MAX;
}

void expiry_insert(matching_engine *engine, uint32_t slot)
{
    sift_up(engine, ++engine->expiry_count, slot);
    note_next(engine);
}

void expiry_remove(matching_engine *engine, uint32_t slot)
{
    order_extra *extra = &engine->extras[engine->orders[slot].extra];
    uint32_t at = extra->expiry_at;
    engine_assert(at != 0 && engine->expiry_heap[at] == slot);
    uint32_t last = engine->expiry_heap[engine->expiry_count--];
    extra->expiry_at = 0;
    if (last != slot) {
        if (at > 1 && before(engine, last, engine->expiry_heap[at / 2])) {
            sift_up(engine, at, last);
        } else {
            sift_down(engine, at, last);
        }
    }
    note_next(engine);
}

/* Before a command: whatever is due by its time ends. */
void expire_due(apply_context *context)
{
    matching_engine *engine = context->engine;
    while (engine->next_expiry_ns <= context->command->time_ns) {
        cancel_order(context, engine->expiry_heap[1], MATCHING_REASON_EXPIRED);
    }
}
