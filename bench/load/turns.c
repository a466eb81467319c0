/* See turns.h. */
#include "load/turns.h"

#include <signal.h>
#include <stdlib.h>

static pid_t pids[TARGETS_MAX];
static unsigned target_count;

/* Those that are stopped. An entry is there before its process is, and goes after it goes on, since
 * a signal may come between. */
static volatile pid_t stopped[TARGETS_MAX];
static volatile sig_atomic_t stopped_count;

void turns_end(void)
{
    for (unsigned i = 0; i < (unsigned)stopped_count; i++) {
        (void)kill(stopped[i], SIGCONT);
    }
    stopped_count = 0;
}

static void on_signal(int number)
{
    turns_end();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

bool turns_begin(const target *targets, unsigned count)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGABRT, SIGSEGV, SIGBUS};
    for (unsigned i = 0; i < count; i++) {
        if (targets[i].pid == 0) {
            return false;
        }
        pids[i] = targets[i].pid;
    }
    target_count = count;
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        (void)signal(signals[i], on_signal);
    }
    return atexit(turns_end) == 0;
}

void turn_of(const target *t)
{
    turns_end();
    for (unsigned i = 0; i < target_count; i++) {
        if (pids[i] != t->pid) {
            stopped[stopped_count] = pids[i];
            stopped_count = stopped_count + 1;
            (void)kill(pids[i], SIGSTOP);
        }
    }
}
