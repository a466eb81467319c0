/* The SBE door: binary order entry, market data and trade reports, back to back in WebSocket
 * frames. See README.md. */
#ifndef MATCHING_TRANSPORT_SBE_H
#define MATCHING_TRANSPORT_SBE_H

#include "matching/transport.h"

extern const matching_transport_ops matching_sbe_transport;

/* Who is handed the trades that clients report. All calls: the loop's thread, which they keep
 * waiting; pointers are valid during the call. Each may be NULL. connection: one of those that are
 * there. */
typedef struct sbe_hook {
    void *context;
    void (*on_connect)(void *context, uint64_t connection);
    void (*on_disconnect)(void *context, uint64_t connection);

    /* `count` messages of template 1, headers included, `message_bytes` from one to the next. */
    void (*on_trades)(void *context, uint64_t connection, const uint8_t *messages,
                      size_t message_bytes, size_t count);

    /* The connection sent what is no message; it was refused and goes on. NUL-terminated. */
    void (*on_error)(void *context, uint64_t connection, const char *text);
} sbe_hook;

/* Between init and start, on the main thread. The hook must live until stop has returned. */
void sbe_set_hook(matching_transport *transport, const sbe_hook *hook);

#endif
