/* A core that keeps the commands of its ports back until it is told to take them.
 *
 * By the linker's --wrap, so everything else of the core is the real one. One port at a time.
 */
#ifndef MATCHING_TESTS_HELD_CORE_H
#define MATCHING_TESTS_HELD_CORE_H

#include <stddef.h>

/* From now on commands are kept, at most this many. Before the doors' threads run. */
void held_core_hold(size_t capacity);

/* The same, but only of the reads with large answers; everything else goes through. */
void held_core_hold_bulk(size_t capacity);

/* How many are kept now. Any thread. */
size_t held_core_count(void);

/* How many of a matching_command_type have been kept or let through since held_core_hold. Any
 * thread. */
size_t held_core_taken(unsigned type);

/* From now on they are let through, those that are kept first: in the next turn of the port's
 * thread, which something has to wake. Any thread. */
void held_core_let_go(void);

/* Frees; the real core from now on. After the doors' threads have ended. */
void held_core_fini(void);

/* Threads of this process. */
size_t held_core_threads(void);

#endif
