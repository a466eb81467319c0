/* The header tracestate of W3C's Trace Context: key=value,key=value, what others want to be told of
 * again about a trace. Nothing in it is ours; it is looked at so far as it has to be to be handed
 * on.
 */
#ifndef MATCHING_TRACESTATE_H
#define MATCHING_TRACESTATE_H

#include <stddef.h>

#include "trace/states.h"

/* Writes the members of the list, without what stands around them, to `out`. Returns the length; 0:
 * there is none, or the list is malformed, and then none of it counts. What is longer than
 * TRACE_STATE_MAX loses whole members, as Trace Context has it: from the end those over 128 bytes,
 * then any. Pure. */
size_t tracestate_clean(const char *text, size_t length, char out[TRACE_STATE_MAX]);

#endif
