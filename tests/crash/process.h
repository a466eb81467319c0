/* Child processes of the crash tests. Everything has a deadline; one that misses it is killed by
 * its process id, and the test program ends. Thread: the test's. */
#ifndef MATCHING_TESTS_CRASH_PROCESS_H
#define MATCHING_TESTS_CRASH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define PROCESS_DEADLINE_MS 240000

typedef struct process {
    pid_t pid; /* 0: none */
    int out;   /* what it says on stdout */
    const char *name;
} process;

/* Ends the test program with what went wrong. */
_Noreturn __attribute__((format(printf, 1, 2))) void process_give_up(const char *format, ...);

/* Starts arguments[0] with these arguments and, beside the environment, with the variables
 * ("NAME=value", NULL at the end; NULL: none). It gets the descriptor `kept` (-1: none) too. */
void process_start(process *p, char *const *arguments, char *const *variables, int kept);

/* Waits for a line on its stdout (without its end). False: there is none any more. */
bool process_line(process *p, char *line, size_t size);

/* Waits until it has ended. Its exit code, or minus the signal that it died of. */
int process_wait(process *p);

/* Sends the signal, then waits as above. */
int process_end(process *p, int signal);

#endif
