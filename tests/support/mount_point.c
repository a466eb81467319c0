/* See mount_point.h. */
#define _GNU_SOURCE
#include "mount_point.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

bool folder_is_mount_point;

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    if (folder_is_mount_point) {
        errno = EBUSY;
        return -1;
    }
    return (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}
