/* See heap_calls.h. The linker gives calls of malloc to __wrap_malloc, and ours of __real_malloc to
 * malloc; CMakeLists.txt has the same list of names.
 */
#define _GNU_SOURCE
#include "support/heap_calls.h"

#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/types.h>

/* Compilers know that malloc changes no variables; volatile makes them look all the same. */
static _Thread_local volatile uint64_t here;
static atomic_ullong everywhere;

uint64_t heap_calls_here(void)
{
    return here;
}

uint64_t heap_calls_everywhere(void)
{
    return atomic_load(&everywhere);
}

static void count(void)
{
    here++;
    atomic_fetch_add(&everywhere, 1);
}

#define WRAP(result, name, parameters, arguments)                                                  \
    result __real_##name parameters;                                                               \
    result __wrap_##name parameters;                                                               \
    result __wrap_##name parameters                                                                \
    {                                                                                              \
        count();                                                                                   \
        return __real_##name arguments;                                                            \
    }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t items, size_t size), (items, size))
WRAP(void *, realloc, (void *memory, size_t size), (memory, size))
WRAP(void *, reallocarray, (void *memory, size_t items, size_t size), (memory, items, size))
WRAP(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
WRAP(void *, memalign, (size_t alignment, size_t size), (alignment, size))
WRAP(int, posix_memalign, (void **memory, size_t alignment, size_t size), (memory, alignment, size))
WRAP(char *, strdup, (const char *text), (text))
WRAP(char *, strndup, (const char *text, size_t size), (text, size))
WRAP(void, free, (void *memory), (memory))
WRAP(void *, mmap, (void *at, size_t size, int protection, int flags, int file, off_t offset),
     (at, size, protection, flags, file, offset))
WRAP(int, munmap, (void *memory, size_t size), (memory, size))

int __real_madvise(void *memory, size_t size, int advice);
int __wrap_madvise(void *memory, size_t size, int advice);

/* To have memory ready before it is used is what keeps others from taking it when they do. */
int __wrap_madvise(void *memory, size_t size, int advice)
{
    if (advice != MADV_POPULATE_WRITE) {
        count();
    }
    return __real_madvise(memory, size, advice);
}
