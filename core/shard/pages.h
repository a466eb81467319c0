/* Large memory: zero-filled pages, taken from the machine only when first written. */
#ifndef MATCHING_PAGES_H
#define MATCHING_PAGES_H

#include <stddef.h>

/* NULL: there are none. Any thread. */
void *pages_take(size_t bytes);

/* What pages_take gave; nothing for NULL. */
void pages_give(void *memory, size_t bytes);

#endif
