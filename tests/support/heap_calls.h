/* Counts calls for memory: malloc and its family, free, mmap and its family.
 *
 * A test that links matching_heap_calls has every such call of its own code and of the static
 * libraries of this project go through a counter first (the linker's --wrap). Calls that libc makes
 * on its own are not seen. Any thread.
 */
#ifndef MATCHING_TESTS_HEAP_CALLS_H
#define MATCHING_TESTS_HEAP_CALLS_H

#include <stdint.h>

/* Calls so far of the calling thread, and of all threads. */
uint64_t heap_calls_here(void);
uint64_t heap_calls_everywhere(void);

#endif
