/* A library with the interface of yardstick.h, loaded by path. */
#ifndef MATCHING_BENCH_YARDSTICK_LIBRARY_H
#define MATCHING_BENCH_YARDSTICK_LIBRARY_H

#include "bench/yardstick.h"

typedef struct yardstick_library {
    void *handle;
    void (*init)(uint64_t nonce, const yardstick_transport *transport, void *sink);
    void (*shutdown)(void);
    void (*on_new_order)(const yardstick_new *message);
    void (*on_cancel)(const yardstick_cancel *message);
    void (*on_modify)(const yardstick_modify *message);
    void (*flush)(void);
    int64_t (*best_bid)(void);
    int64_t (*best_ask)(void);
    uint64_t (*depth_at)(int64_t price_ticks, uint8_t side);
    const yardstick_transport *(*get_transport)(void);                   /* may be NULL */
    void (*on_batch)(const yardstick_message *messages, uint32_t count); /* may be NULL */
} yardstick_library;

/* NULL, or what is wrong (valid until the next load). */
const char *yardstick_library_load(const char *path, yardstick_library *library);
void yardstick_library_unload(yardstick_library *library);

/* One message by the function of its type. */
static inline void yardstick_library_deliver(const yardstick_library *library,
                                             const yardstick_message *message)
{
    if (message->type == YARDSTICK_NEW) {
        library->on_new_order(&message->enter);
    } else if (message->type == YARDSTICK_CANCEL) {
        library->on_cancel(&message->cancel);
    } else {
        library->on_modify(&message->modify);
    }
}

#endif
