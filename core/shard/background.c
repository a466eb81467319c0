/* See background.h. */
#define _GNU_SOURCE
#include "shard/background.h"

#include <sched.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOWEST_PRIORITY 19
#define LONG_SLICE_NS 100000000 /* the longest that may be asked for */

/* What the system calls struct sched_attr, for which this C library has no name. */
typedef struct slice_wish {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns; /* of a fair policy, since 6.12: the slice; before that it means nothing */
    uint64_t deadline_ns, period_ns;
} slice_wish;

/* SCHED_IDLE holds among the threads of a session or a control group only. Everybody else, the
 * kernel's own threads that send our journal's blocks to the disk among them, sees a thread like
 * any other, and would have to wait for the end of its slice. With a longer slice than theirs it
 * leaves the processor at once. The slice stays when the policy changes. */
static void wish_long_slice(void)
{
    const slice_wish wish = {.size = sizeof wish,
                             .policy = SCHED_BATCH,
                             .nice = LOWEST_PRIORITY,
                             .runtime_ns = LONG_SLICE_NS};
    (void)syscall(SYS_sched_setattr, 0, &wish, 0); /* a wish */
}

void background_begin_awaited(void)
{
    wish_long_slice();
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), LOWEST_PRIORITY); /* where it was none */
}

void background_begin(void)
{
    wish_long_slice();
    const struct sched_param none = {.sched_priority = 0};
    if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) { /* of this thread, as all these calls */
        setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), LOWEST_PRIORITY);
    }
}
