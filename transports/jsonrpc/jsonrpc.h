/* The JSON-RPC 2.0 door: HTTP POST / on libevent's evhttp, one thread, one port of the core.
 *
 * See README.md in this folder for what a client sees.
 */
#ifndef MATCHING_TRANSPORT_JSONRPC_H
#define MATCHING_TRANSPORT_JSONRPC_H

#include "matching/transport.h"

/* Its members behave as matching/transport.h says. Uses config->jsonrpc and config->bind. */
extern const matching_transport_ops matching_jsonrpc_transport;

#endif
