/* Commands under way: what a reply's tag stands for.
 *
 * An entry outlives its connection; slot and generation tell whether that is still there. The table
 * grows with the commands in flight, which the port bounds.
 */
#ifndef MATCHING_WEBSOCKET_PENDING_H
#define MATCHING_WEBSOCKET_PENDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/gateway.h"

typedef enum ws_pending_kind {
    WS_PENDING_FREE = 0,
    WS_PENDING_ORDER,      /* entry, cancel, amend: order_ack */
    WS_PENDING_CANCEL_ALL, /* cancel_all_ack */
    WS_PENDING_GET_ORDER,  /* order_update */
    WS_PENDING_DEPTH,      /* a depth view's load: nobody is told */
    WS_PENDING_TICKER,     /* a read of the ticker: its followers are told */
    WS_PENDING_ORDERS      /* a part of an orders_snapshot */
} ws_pending_kind;

#define WS_PENDING_ID_INLINE 40

typedef struct ws_pending {
    uint8_t kind;
    bool guarded; /* the order was entered under cancel_on_disconnect */
    uint16_t instrument;
    uint16_t id_length;
    uint32_t slot, generation; /* the connection's */
    uint32_t next_free;
    uint32_t watched; /* guarded: matching_port_watch of the order's trader */
    void *read;       /* WS_PENDING_ORDERS: the ws_orders_read */
    char *long_id;    /* heap, where the id does not fit */
    char id[WS_PENDING_ID_INLINE];
} ws_pending;

typedef struct ws_pending_table {
    ws_pending *entries;
    uint32_t room, used, first_free;
} ws_pending_table;

void ws_pending_init(ws_pending_table *table);
void ws_pending_fini(ws_pending_table *table);

/* An entry with this kind and a copy of the id; *tag leads back to it. NULL: out of memory. Valid
 * until the next ws_pending_add. */
ws_pending *ws_pending_add(ws_pending_table *table, ws_pending_kind kind, matching_text id,
                           uint64_t *tag);

/* The entry of a reply, or NULL. */
ws_pending *ws_pending_find(ws_pending_table *table, uint64_t tag);
matching_text ws_pending_id(const ws_pending *pending);
void ws_pending_remove(ws_pending_table *table, uint64_t tag);

#endif
