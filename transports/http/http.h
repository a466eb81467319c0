/* The HTTP REST door: libmicrohttpd on its own thread, JSON bodies. See README.md. */
#ifndef MATCHING_HTTP_H
#define MATCHING_HTTP_H

#include "matching/transport.h"

/* The ops of "http", for cmd/'s list of transports. */
extern const matching_transport_ops matching_http_transport;

#endif
