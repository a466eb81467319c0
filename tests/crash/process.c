/* See process.h. */
#define _GNU_SOURCE
#include "crash/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define VARIABLES_MAX 256

extern char **environ;

void process_give_up(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("\n    ", stdout);
    vprintf(format, arguments);
    fputs("\n", stdout);
    va_end(arguments);
    fflush(stdout);
    exit(EXIT_FAILURE);
}

/* Do both set the same variable? */
static bool same_name(const char *a, const char *b)
{
    size_t length = strcspn(a, "=");
    return strncmp(a, b, length + 1) == 0;
}

static bool is_replaced(const char *variable, char *const *variables)
{
    for (char *const *v = variables; v != NULL && *v != NULL; v++) {
        if (same_name(variable, *v)) {
            return true;
        }
    }
    return false;
}

void process_start(process *p, char *const *arguments, char *const *variables, int kept)
{
    int ends[2];
    char *all[VARIABLES_MAX];
    size_t count = 0;
    for (char *const *v = environ; *v != NULL && count < VARIABLES_MAX - 16; v++) {
        if (!is_replaced(*v, variables)) {
            all[count++] = *v;
        }
    }
    for (char *const *v = variables; v != NULL && *v != NULL && count < VARIABLES_MAX - 1; v++) {
        all[count++] = *v;
    }
    all[count] = NULL;
    fflush(stdout);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        process_give_up("pipe: %s", strerror(errno));
    }
    p->name = strrchr(arguments[0], '/') != NULL ? strrchr(arguments[0], '/') + 1 : arguments[0];
    p->out = ends[0];
    p->pid = fork();
    if (p->pid < 0) {
        process_give_up("fork: %s", strerror(errno));
    }
    if (p->pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        if (kept >= 0) {
            fcntl(kept, F_SETFD, 0);
        }
        execve(arguments[0], arguments, all);
        fprintf(stderr, "%s: %s\n", arguments[0], strerror(errno));
        _exit(127);
    }
    close(ends[1]);
}

static bool is_there(int fd, const process *p)
{
    struct pollfd wanted = {.fd = fd, .events = POLLIN};
    int ready;
    do {
        ready = poll(&wanted, 1, PROCESS_DEADLINE_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready != 1) {
        kill(p->pid, SIGKILL);
        process_give_up("%s (%d) did nothing for %d ms", p->name, (int)p->pid, PROCESS_DEADLINE_MS);
    }
    return true;
}

bool process_line(process *p, char *line, size_t size)
{
    size_t length = 0;
    while (is_there(p->out, p)) {
        char c;
        ssize_t got = read(p->out, &c, 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got != 1 || c == '\n') {
            line[length] = 0;
            return got == 1;
        }
        if (length + 1 < size) {
            line[length++] = c;
        }
    }
    return false;
}

int process_wait(process *p)
{
    int status = 0;
    int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (fd >= 0) {
        is_there(fd, p);
        close(fd);
    }
    while (waitpid(p->pid, &status, 0) < 0) {
        if (errno != EINTR) {
            process_give_up("waitpid: %s", strerror(errno));
        }
    }
    close(p->out);
    p->pid = 0;
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

int process_end(process *p, int signal)
{
    kill(p->pid, signal);
    return process_wait(p);
}
