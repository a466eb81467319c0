/* See background.h. A longer slice for these threads (sched_setattr, Linux 6.12), with which they
 * would leave the processor to the kernel's own threads at once, was tried and not kept: where
 * nobody sleeps they go on for as long (docs/performance.md). */
#define _GNU_SOURCE
#include "shard/background.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOWEST_PRIORITY 19

static void become(int policy)
{
    const struct sched_param none = {.sched_priority = 0};
    if (policy != SCHED_IDLE || sched_setscheduler(0, SCHED_IDLE, &none) != 0) {
        (void)sched_setscheduler(0, SCHED_BATCH, &none); /* of this thread, as all these calls */
        setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), LOWEST_PRIORITY);
    }
}

void background_begin(void)
{
    become(SCHED_IDLE);
}

void background_begin_awaited(void)
{
    become(SCHED_BATCH);
}
