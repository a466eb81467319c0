/* Traces of a door (matching/trace.h): its handshakes, connections, messages and broadcasts.
 *
 * A handshake goes on with the trace that its traceparent names, or begins one, which the sampler
 * decides about; the connection's span is below it. Each message and each broadcast begins a trace
 * of its own, about which the sampler decides on its own: a connection lasts for days, and one that
 * is sampled would have millions of spans below it, one that is not would hide all that goes over
 * it. A message's span has the connection's as its link, where that is sampled. What a message
 * submits to the port is below its span.
 *
 * While traces are off, a message costs one branch. Thread: the loop's.
 */
#ifndef MATCHING_WIRE_SPANS_H
#define MATCHING_WIRE_SPANS_H

#include <libwebsockets.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/trace.h"

#define WIRE_STATUS_UPGRADED 101u

typedef struct wire_server wire_server;
typedef struct wire_peer wire_peer;

/* Static. */
typedef struct wire_span_names {
    const char *upgrade, *connection, *message, *broadcast;
} wire_span_names;

/* What a door says of a message. */
typedef struct wire_message_facts {
    const char *type;  /* static, one of few: clients must not be able to make up others */
    const char *error; /* static: why it was refused; NULL: it was not */
    uint64_t count;    /* of messages that stand in it; 0: that is not told */
} wire_message_facts;

/* Of a server: the handshake that is being answered, and the sampled message that is being
 * handled. */
typedef struct wire_spans {
    matching_span upgrade;
    const struct lws *upgraded; /* whose it is; NULL: there is none */
    wire_message_facts message;
    const matching_span *handled; /* NULL: it is not sampled, or none is being handled */
} wire_spans;

/* For a door that leaves a part of the message for later, which belongs to its span too. */
#define wire_message_span(server)                                                                  \
    ((server)->spans.handled != NULL ? *(server)->spans.handled                                    \
                                     : (matching_span){.own = {.is_sampled = false}})

/* A handshake is judged; then it is answered. why: what went wrong in spite of the status; NULL:
 * nothing. */
void wire_upgrade_begin(wire_server *server, struct lws *wsi);
void wire_upgrade_end(wire_server *server, struct lws *wsi, unsigned status, const char *why);

/* The handshake has become this connection; it has ended. */
void wire_connection_begin(wire_peer *peer);
void wire_connection_end(wire_peer *peer);

/* A message whose span is sampled: hands it to the door, and tells what it was. */
void wire_message_sampled(wire_peer *peer, matching_span *span, const char *data, size_t length);

/* The same for what comes in by other ways, who begin the span and fill in server->spans.message
 * themselves. peer: NULL, there is none. */
void wire_message_end(wire_server *server, const wire_peer *peer, matching_span *span,
                      size_t length);

/* The message that is being handled is refused. why: static. Costs a store, sampled or not. */
#define wire_message_refused(server, why) ((void)((server)->spans.message.error = (why)))

/* A message of a feed is made for its followers; it has been queued for so many. symbol: "" if it
 * is of none. count: of messages in it, 0: that is not told. */
static inline void wire_broadcast_begin(matching_span *span)
{
    matching_span_begin(span, NULL, 0);
}
void wire_broadcast_tell(const wire_server *server, matching_span *span, const char *channel,
                         const char *symbol, size_t recipients, size_t count);
static inline void wire_broadcast_end(const wire_server *server, matching_span *span,
                                      const char *channel, const char *symbol, size_t recipients,
                                      size_t count)
{
    if (matching_span_is_sampled(span)) {
        wire_broadcast_tell(server, span, channel, symbol, recipients, count);
    }
}

#endif
