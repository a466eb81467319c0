/* See xz.h. */
#define _GNU_SOURCE
#include "market/xz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_xz(const char *path, int out)
{
    if (dup2(out, STDOUT_FILENO) >= 0) {
        execlp("xz", "xz", "--decompress", "--stdout", "--", path, (char *)NULL);
    }
    _exit(errno == ENOENT ? 126 : 127);
}

xz_outcome xz_open(xz_file *file, const char *path)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        perror("pipe");
        return XZ_BROKEN;
    }
    file->child = fork();
    if (file->child == 0) {
        run_xz(path, ends[1]);
    }
    close(ends[1]);
    file->from = file->child > 0 ? fdopen(ends[0], "r") : NULL;
    if (file->from == NULL) {
        perror(path);
        close(ends[0]);
        return XZ_BROKEN;
    }
    return XZ_READ;
}

xz_outcome xz_close(xz_file *file, const char *path)
{
    int status = 0;
    fclose(file->from);
    waitpid(file->child, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 126) {
        return XZ_ABSENT;
    }
    if (status != 0) {
        fprintf(stderr, "xz could not read %s\n", path);
        return XZ_BROKEN;
    }
    return XZ_READ;
}
