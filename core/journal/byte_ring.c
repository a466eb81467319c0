/* See byte_ring.h. */
#define _GNU_SOURCE
#include "journal/byte_ring.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define SMALLEST 65536u /* a multiple of every page size */

static int map_twice(byte_ring *ring, int fd, size_t size)
{
    if (ftruncate(fd, (off_t)size) != 0) {
        return -errno;
    }
    char *both = mmap(NULL, 2 * size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (both == MAP_FAILED) {
        return -errno;
    }
    for (int half = 0; half < 2; half++) {
        void *at = mmap(both + (size_t)half * size, size, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0);
        if (at == MAP_FAILED) {
            int code = -errno;
            munmap(both, 2 * size);
            return code;
        }
    }
    ring->bytes = both;
    ring->mask = size - 1;
    return 0;
}

int byte_ring_init(byte_ring *ring, size_t size)
{
    size_t rounded = SMALLEST;
    while (rounded < size) {
        rounded *= 2;
    }
    int fd = memfd_create("journal", MFD_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int code = map_twice(ring, fd, rounded);
    close(fd);
    return code;
}

void byte_ring_fini(byte_ring *ring)
{
    if (ring->bytes != NULL) {
        munmap(ring->bytes, 2 * byte_ring_size(ring));
        ring->bytes = NULL;
    }
}
