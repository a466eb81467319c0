/* How much memory there is for this process. */
#ifndef MATCHING_MEMORY_LIMIT_H
#define MATCHING_MEMORY_LIMIT_H

#include <stdint.h>

/* Bytes: what the machine has, or less where a control group that the process is in, or one above
 * it, allows less (memory.max, or memory.limit_in_bytes of version 1; Linux, Control Group v2). A
 * container's limit is such a one. root: the folder that has proc and sys, "" but for tests. Any
 * thread; reads files. */
uint64_t memory_limit(const char *root);

#endif
