/* The in-process door: requests by function call, no bytes. Reference, test double, and the way for
 * a program that embeds the core.
 *
 * Thread: one thread owns a client; create it before matching_core_start. Calls block until the
 * reply is there (the shard answers within microseconds), so this is not for an event loop.
 */
#ifndef MATCHING_INPROCESS_H
#define MATCHING_INPROCESS_H

#include "matching/gateway.h"
#include "matching/port.h"

typedef struct matching_inprocess matching_inprocess;

/* Called for every event that passes while the client waits or polls. May be NULL. */
typedef void (*matching_inprocess_listener)(void *context, unsigned shard,
                                            const matching_event *event,
                                            const matching_order *order);

/* NULL: out of memory or too many ports. The core must outlive the client. */
matching_inprocess *matching_inprocess_create(matching_core *core,
                                              matching_inprocess_listener listener, void *context);
void matching_inprocess_destroy(matching_inprocess *client);

/* Asks and waits. MATCHING_OK: *reply is the answer, its pointers valid until the next call. Else
 * the code, with *error filled in (a refused field, the engine's refusal, or an overload). */
matching_code matching_inprocess_call(matching_inprocess *client, const matching_request *request,
                                      const matching_reply **reply, matching_error *error);

/* Delivers events that are there now to the listener; does not wait. */
void matching_inprocess_poll(matching_inprocess *client);

#endif
