/* The WebSocket door: text frames of JSON on /ws, GET /health on the same port. See README.md. */
#ifndef MATCHING_TRANSPORT_WEBSOCKET_H
#define MATCHING_TRANSPORT_WEBSOCKET_H

#include "matching/transport.h"

extern const matching_transport_ops matching_websocket_transport;

#endif
