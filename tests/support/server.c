/* See server.h. The child dies with the test (PR_SET_PDEATHSIG), so an aborted test leaves none. */
#define _GNU_SOURCE
#include "support/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void config_path(const server *s, char *path, size_t size)
{
    snprintf(path, size, "%s/matching.toml", s->folder);
}

static bool write_config(server *s, const char *config)
{
    const char *base = getenv("TMPDIR");
    snprintf(s->folder, sizeof s->folder, "%.40s/matching-XXXXXX",
             base != NULL && strlen(base) <= 40 ? base : "/tmp");
    if (mkdtemp(s->folder) == NULL) {
        perror(s->folder);
        s->folder[0] = '\0';
        return false;
    }
    char path[96];
    config_path(s, path, sizeof path);
    FILE *file = fopen(path, "w");
    if (file == NULL || fputs(config, file) < 0 || fclose(file) != 0) {
        perror(path);
        return false;
    }
    return true;
}

static void remove_folder(server *s)
{
    if (s->folder[0] != '\0') {
        char path[96];
        config_path(s, path, sizeof path);
        unlink(path);
        rmdir(s->folder);
        s->folder[0] = '\0';
    }
}

static void run_child(const server *s, const char *binary, const char *doors, int out, pid_t parent)
{
    char path[96];
    config_path(s, path, sizeof path);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || dup2(out, STDOUT_FILENO) < 0) {
        _exit(127);
    }
    execl(binary, binary, doors, "--in-memory", "--config", path, "--ws-port", "0", "--http-port",
          "0", "--rpc-port", "0", "--sbe-port", "0", "--socketio-port", "0", (char *)NULL);
    perror(binary);
    _exit(127);
}

/* A line of what it prints. True: it was `ready`. */
static bool take_line(server *s, const char *line)
{
    char name[32], address[80];
    if (sscanf(line, "listening %31s %79s", name, address) == 2 &&
        s->door_count < SERVER_DOORS_MAX) {
        snprintf(s->doors[s->door_count].name, sizeof name, "%s", name);
        snprintf(s->doors[s->door_count].address, sizeof address, "%s", address);
        s->door_count++;
    }
    return strcmp(line, "ready") == 0;
}

static bool wait_until_ready(server *s)
{
    char text[1024];
    size_t length = 0;
    long long deadline = now_ms() + SERVER_DEADLINE_MS;
    for (;;) {
        struct pollfd descriptor = {.fd = s->out, .events = POLLIN};
        long long left = deadline - now_ms();
        if (left <= 0 || poll(&descriptor, 1, (int)left) <= 0) {
            fprintf(stderr, "server: not ready in time\n");
            return false;
        }
        ssize_t got = read(s->out, text + length, sizeof text - 1 - length);
        if (got <= 0) {
            fprintf(stderr, "server: it ended before it was ready\n");
            return false;
        }
        length += (size_t)got;
        text[length] = '\0';
        for (char *end; (end = strchr(text, '\n')) != NULL;) {
            *end = '\0';
            if (take_line(s, text)) {
                return true;
            }
            length -= (size_t)(end + 1 - text);
            memmove(text, end + 1, length + 1);
        }
        if (length == sizeof text - 1) {
            fprintf(stderr, "server: its output is not what it should be\n");
            return false;
        }
    }
}

bool server_start(server *s, const char *binary, const char *doors, const char *config)
{
    int ends[2];
    memset(s, 0, sizeof *s);
    s->out = -1;
    if (!write_config(s, config) || pipe2(ends, O_CLOEXEC) != 0) {
        remove_folder(s);
        return false;
    }
    pid_t parent = getpid();
    s->pid = fork();
    if (s->pid == 0) {
        run_child(s, binary, doors, ends[1], parent);
    }
    close(ends[1]);
    s->out = ends[0];
    if (s->pid < 0 || !wait_until_ready(s)) {
        server_stop(s);
        return false;
    }
    return true;
}

const char *server_address(const server *s, const char *door)
{
    for (unsigned i = 0; i < s->door_count; i++) {
        if (strcmp(s->doors[i].name, door) == 0) {
            return s->doors[i].address;
        }
    }
    return NULL;
}

/* Its end, or the deadline. */
static bool reap(pid_t pid, int *status)
{
    long long deadline = now_ms() + SERVER_DEADLINE_MS;
    const struct timespec pause = {.tv_nsec = 2000000};
    for (;;) {
        pid_t got = waitpid(pid, status, WNOHANG);
        if (got == pid) {
            return true;
        }
        if ((got < 0 && errno != EINTR) || now_ms() > deadline) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
}

int server_stop(server *s)
{
    int status = 0, code = -1;
    if (s->pid > 0) {
        kill(s->pid, SIGTERM);
        if (reap(s->pid, &status)) {
            code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        } else {
            fprintf(stderr, "server: it did not end after SIGTERM\n");
            kill(s->pid, SIGKILL);
            waitpid(s->pid, &status, 0);
        }
        s->pid = 0;
    }
    if (s->out >= 0) {
        close(s->out);
        s->out = -1;
    }
    remove_folder(s);
    return code;
}
