/* Large memory: zero-filled pages, taken from the machine only when first written. */
#ifndef MATCHING_PAGES_H
#define MATCHING_PAGES_H

#include <stddef.h>

/* NULL: there are none. Any thread. */
void *pages_take(size_t bytes);

/* Has the machine give those pages among pages_take's that it has not given yet, as if somebody
 * wrote to them. What is in them stays, so they may be in use. From the beginning of a page on. 0,
 * or a negative errno: -EINVAL where the kernel cannot do that, which came with Linux 5.14. */
int pages_populate(void *memory, size_t bytes);

/* What pages_take gave; nothing for NULL. */
void pages_give(void *memory, size_t bytes);

#endif
