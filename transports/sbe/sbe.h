/* The SBE door: binary order entry, market data and trade reports, back to back in WebSocket
 * frames. See README.md. */
#ifndef MATCHING_TRANSPORT_SBE_H
#define MATCHING_TRANSPORT_SBE_H

#include "matching/sbe_gateway.h"
#include "matching/transport.h"

extern const matching_transport_ops matching_sbe_transport;

/* For gateway.c: the door takes nothing but Trade and Heartbeat and tells of no instruments; each
 * connection has these buffers. Between init and start, on the main thread. */
void sbe_take_trades_only(matching_transport *transport, size_t read_bytes, size_t message_bytes);

#endif
