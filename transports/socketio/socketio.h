/* The Socket.IO door. */
#ifndef MATCHING_SOCKETIO_H
#define MATCHING_SOCKETIO_H

#include "matching/transport.h"

extern const matching_transport_ops matching_socketio_transport;

#endif
