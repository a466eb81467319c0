/* How a thread sleeps until another has something for it.
 *
 *   sleeper:  seen = doorbell_seen(bell); look at everything; nothing? doorbell_wait(bell, seen, ns)
 *   caller:   store what the sleeper shall find; doorbell_ring(bell)
 *
 * A ring after doorbell_seen ends the wait at once, so none is lost. The caller enters the kernel
 * only when somebody sleeps. One sleeper, any number of callers.
 */
#ifndef MATCHING_DOORBELL_H
#define MATCHING_DOORBELL_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define DOORBELL_FOREVER UINT64_MAX

typedef struct doorbell {
    _Atomic uint32_t rings; /* counts, and wraps around */
    _Atomic uint32_t sleepers;
} doorbell;

static inline uint32_t doorbell_seen(doorbell *bell)
{
    return atomic_load(&bell->rings);
}

static inline void doorbell_ring(doorbell *bell)
{
    atomic_fetch_add(&bell->rings, 1);
    if (atomic_load(&bell->sleepers) != 0) {
        syscall(SYS_futex, &bell->rings, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    }
}

/* Returns at a ring, after timeout_ns, or for no reason at all: look again. */
static inline void doorbell_wait(doorbell *bell, uint32_t seen, uint64_t timeout_ns)
{
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000),
                               .tv_nsec = (long)(timeout_ns % 1000000000)};
    atomic_fetch_add(&bell->sleepers, 1);
    syscall(SYS_futex, &bell->rings, FUTEX_WAIT_PRIVATE, seen,
            timeout_ns == DOORBELL_FOREVER ? NULL : &timeout, NULL, 0);
    atomic_fetch_sub(&bell->sleepers, 1);
}

#endif
