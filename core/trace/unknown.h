/* Variables of OpenTelemetry's that are set and not looked at. */
#ifndef MATCHING_TRACE_UNKNOWN_H
#define MATCHING_TRACE_UNKNOWN_H

#include <stddef.h>

/* Writes their names, "OTEL_A, OTEL_B", in the environment's order; "" if there is none. What finds
 * no room is told by an ellipsis. Main thread. */
void trace_unknown_variables(char *names, size_t size);

#endif
