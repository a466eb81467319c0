/* The tracestates of traces that are under way: what came in the header of that name, beside a
 * traceparent, goes out again with the spans of its trace.
 *
 * Contexts are copied and forgotten without anybody being told, so they hold a number, and the
 * texts are in a ring: each stays until as many others have come as the ring has places. A span
 * that ends later goes without. Any thread puts and reads, nobody waits.
 */
#ifndef MATCHING_TRACE_STATES_H
#define MATCHING_TRACE_STATES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_STATE_MAX 512u /* bytes that are kept, as Trace Context asks for */

/* A ring of so many places; memory is taken as they are used. False: there is none. One thread,
 * while nobody puts or reads; the same for its end. */
bool trace_states_start(size_t places);
void trace_states_free(void);

/* Keeps this text of at most TRACE_STATE_MAX bytes. Its number; 0: there is no ring, or its place
 * is being written just now. */
uint32_t trace_states_put(const char *text, size_t length);

/* The text of that number, without a NUL. Its length; 0: it is gone. */
size_t trace_states_read(uint32_t number, char text[TRACE_STATE_MAX]);

#endif
