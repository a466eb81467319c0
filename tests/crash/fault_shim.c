/* Makes one call to the disk go wrong: LD_PRELOAD this library into a program.
 *
 * Counted are the calls below that write, sync, rename, remove or create below a folder; the n-th
 * of them is failed, cut short, or the end of the process. Everything else passes.
 *
 *   FAULT_SHIM_DIR     the folder (absolute, no symbolic links); unset: everything passes
 *   FAULT_SHIM_AT      n, from 1
 *   FAULT_SHIM_CALLS   which calls count, separated by commas; unset: all. "write" stands for
 *                      pwrite, writev and pwritev too, "sync" for fsync and fdatasync, the others
 *                      are "rename", "truncate" (also fallocate), "open" (one that creates a file)
 *                      and "unlink"
 *   FAULT_SHIM_ACTION  EIO, ENOSPC, EINTR   fails with it, nothing is done
 *                      FULL                 from then on all that needs room fails with ENOSPC
 *                      SHORT                half of a write is done and told; others pass
 *                      HALF                 half of a write is done, then EIO; others fail
 *                      KILL                 SIGKILL instead of it
 *                      KILL_HALF            half of a write is done, then SIGKILL
 *                      KILL_AFTER           it is done, then SIGKILL
 *   FAULT_SHIM_REPORT  a file elsewhere: gets a line "call path" when the n-th call is there
 *
 * Thread: any; the count is one for the whole process.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define SEGMENTS_MAX 1024 /* of a writev, what IOV_MAX is */

typedef enum kind { WRITE, SYNC, RENAME, TRUNCATE, OPEN, UNLINK, KINDS } kind;
typedef enum action { PASS, FAIL, FULL, SHORT, HALF, KILL, KILL_HALF, KILL_AFTER } action;

static struct {
    char folder[PATH_MAX];
    size_t folder_length; /* 0: everything passes */
    unsigned long at;
    bool counted[KINDS];
    action action;
    int error;
    const char *report;
} plan;

static atomic_ulong calls;
static atomic_bool is_full;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void read_action(const char *name)
{
    static const struct {
        const char *name;
        action action;
        int error;
    } table[] = {
        {"EIO", FAIL, EIO},     {"ENOSPC", FAIL, ENOSPC},    {"EINTR", FAIL, EINTR},
        {"FULL", FULL, ENOSPC}, {"SHORT", SHORT, 0},         {"HALF", HALF, EIO},
        {"KILL", KILL, 0},      {"KILL_HALF", KILL_HALF, 0}, {"KILL_AFTER", KILL_AFTER, 0}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (name != NULL && strcmp(name, table[i].name) == 0) {
            plan.action = table[i].action;
            plan.error = table[i].error;
        }
    }
}

static void read_plan(void)
{
    static const char *const names[KINDS] = {"write",    "sync", "rename",
                                             "truncate", "open", "unlink"};
    const char *folder = getenv("FAULT_SHIM_DIR"), *at = getenv("FAULT_SHIM_AT");
    const char *wanted = getenv("FAULT_SHIM_CALLS");
    if (folder == NULL || at == NULL || strlen(folder) >= sizeof plan.folder) {
        return;
    }
    read_action(getenv("FAULT_SHIM_ACTION"));
    plan.at = strtoul(at, NULL, 10);
    plan.report = getenv("FAULT_SHIM_REPORT");
    for (unsigned i = 0; i < KINDS; i++) {
        plan.counted[i] = wanted == NULL || strstr(wanted, names[i]) != NULL;
    }
    if (plan.action != PASS && plan.at > 0) {
        strcpy(plan.folder, folder);
        plan.folder_length = strlen(folder);
    }
}

static bool is_below(const char *path)
{
    return strncmp(path, plan.folder, plan.folder_length) == 0 &&
           (path[plan.folder_length] == '/' || path[plan.folder_length] == 0);
}

/* The path of an open file; "" for what is none. */
static void path_of(int fd, char *path)
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
}

/* What the caller named, relative to a folder that is open; symbolic links stay as they are. */
static void absolute(int folder, const char *name, char *path)
{
    path[0] = 0;
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
        return;
    }
    if (folder != AT_FDCWD) {
        path_of(folder, path);
    } else if (getcwd(path, PATH_MAX) == NULL) {
        path[0] = 0;
    }
    size_t length = strlen(path);
    snprintf(path + length, PATH_MAX - length, "/%s", name);
}

static void report(const char *call, const char *path)
{
    char line[PATH_MAX + 32];
    if (plan.report == NULL) {
        return;
    }
    long fd = syscall(SYS_openat, AT_FDCWD, plan.report, O_WRONLY | O_CREAT | O_APPEND, 0644);
    int length = snprintf(line, sizeof line, "%s %s\n", call, path);
    if (fd >= 0) {
        syscall(SYS_write, (int)fd, line, (size_t)length);
        syscall(SYS_close, (int)fd);
    }
}

/* What becomes of this call. */
static action judge(kind k, const char *call, const char *path)
{
    pthread_once(&once, read_plan);
    if (plan.folder_length == 0 || !plan.counted[k] || !is_below(path)) {
        return PASS;
    }
    unsigned long number = atomic_fetch_add(&calls, 1) + 1;
    if (number == plan.at) {
        report(call, path);
        if (plan.action != FULL) {
            return plan.action;
        }
        atomic_store(&is_full, true);
    }
    bool needs_room = k == WRITE || k == TRUNCATE || k == OPEN;
    return atomic_load(&is_full) && needs_room ? FULL : PASS;
}

static action judge_fd(kind k, const char *call, int fd)
{
    char path[PATH_MAX];
    pthread_once(&once, read_plan);
    if (plan.folder_length == 0) {
        return PASS;
    }
    path_of(fd, path);
    return judge(k, call, path);
}

static action judge_name(kind k, const char *call, int folder, const char *name)
{
    char path[PATH_MAX];
    pthread_once(&once, read_plan);
    if (plan.folder_length == 0) {
        return PASS;
    }
    absolute(folder, name, path);
    return judge(k, call, path);
}

_Noreturn static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;) {
        pause();
    }
}

/* The function of that name that comes after ours. */
static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL) {
        abort();
    }
    return found;
}

/* Around a call that is done in full or not at all. */
#define WHOLE(judgement, call)                                                                     \
    do {                                                                                           \
        action todo = (judgement);                                                                 \
        if (todo == KILL || todo == KILL_HALF) {                                                   \
            die();                                                                                 \
        }                                                                                          \
        if (todo == FAIL || todo == FULL || todo == HALF) {                                        \
            errno = todo == FULL ? ENOSPC : plan.error;                                            \
            return -1;                                                                             \
        }                                                                                          \
        int result = (call);                                                                       \
        if (todo == KILL_AFTER) {                                                                  \
            die();                                                                                 \
        }                                                                                          \
        return result;                                                                             \
    } while (0)

/* ---- Writes: all of them are a writev at an offset, -1: where the file stands ---------------- */

typedef ssize_t (*writev_function)(int, const struct iovec *, int);
typedef ssize_t (*pwritev_function)(int, const struct iovec *, int, off_t);

static ssize_t pass_write(int fd, const struct iovec *segments, int count, off_t offset)
{
    return offset < 0 ? ((writev_function)next("writev"))(fd, segments, count)
                      : ((pwritev_function)next("pwritev"))(fd, segments, count, offset);
}

/* Half of the bytes, at least one. */
static ssize_t half_write(int fd, const struct iovec *segments, int count, off_t offset)
{
    struct iovec half[SEGMENTS_MAX];
    size_t bytes = 0;
    int used = 0;
    for (int i = 0; i < count; i++) {
        bytes += segments[i].iov_len;
    }
    bytes = (bytes + 1) / 2;
    for (; used < count && used < SEGMENTS_MAX && bytes > 0; used++) {
        half[used] = segments[used];
        half[used].iov_len = half[used].iov_len < bytes ? half[used].iov_len : bytes;
        bytes -= half[used].iov_len;
    }
    return pass_write(fd, half, used, offset);
}

/* What is written over has its room already. */
static bool is_within(int fd, const struct iovec *segments, int count, off_t offset)
{
    struct stat about;
    off_t end = offset;
    for (int i = 0; i < count; i++) {
        end += (off_t)segments[i].iov_len;
    }
    return offset >= 0 && fstat(fd, &about) == 0 && end <= about.st_size;
}

static ssize_t do_write(const char *call, int fd, const struct iovec *segments, int count,
                        off_t offset)
{
    action todo = judge_fd(WRITE, call, fd);
    ssize_t done;
    switch (todo) {
    case FAIL:
        errno = plan.error;
        return -1;
    case FULL:
        if (is_within(fd, segments, count, offset)) {
            return pass_write(fd, segments, count, offset);
        }
        errno = ENOSPC;
        return -1;
    case KILL:
        die();
    case SHORT:
        return half_write(fd, segments, count, offset);
    case HALF:
        done = half_write(fd, segments, count, offset);
        errno = done < 0 ? errno : plan.error;
        return -1;
    case KILL_HALF:
        half_write(fd, segments, count, offset);
        die();
    case KILL_AFTER:
        pass_write(fd, segments, count, offset);
        die();
    default:
        return pass_write(fd, segments, count, offset);
    }
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    struct iovec segment = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    return do_write("write", fd, &segment, 1, -1);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    struct iovec segment = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    return do_write("pwrite", fd, &segment, 1, offset);
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t offset)
{
    return pwrite(fd, bytes, size, offset);
}

ssize_t writev(int fd, const struct iovec *segments, int count)
{
    return do_write("writev", fd, segments, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *segments, int count, off_t offset)
{
    return do_write("pwritev", fd, segments, count, offset);
}

ssize_t pwritev64(int fd, const struct iovec *segments, int count, off64_t offset)
{
    return do_write("pwritev", fd, segments, count, offset);
}

/* ---- The others ------------------------------------------------------------------------------ */

int fsync(int fd)
{
    WHOLE(judge_fd(SYNC, "fsync", fd), ((int (*)(int))next("fsync"))(fd));
}

int fdatasync(int fd)
{
    WHOLE(judge_fd(SYNC, "fdatasync", fd), ((int (*)(int))next("fdatasync"))(fd));
}

int ftruncate(int fd, off_t size)
{
    WHOLE(judge_fd(TRUNCATE, "ftruncate", fd), ((int (*)(int, off_t))next("ftruncate"))(fd, size));
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
    WHOLE(judge_fd(TRUNCATE, "fallocate", fd),
          ((int (*)(int, int, off_t, off_t))next("fallocate"))(fd, mode, offset, size));
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
    return fallocate(fd, 0, offset, size) == 0 ? 0 : errno;
}

int renameat(int from_folder, const char *from, int to_folder, const char *to)
{
    WHOLE(judge_name(RENAME, "rename", to_folder, to),
          ((int (*)(int, const char *, int, const char *))next("renameat"))(from_folder, from,
                                                                            to_folder, to));
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int folder, const char *name, int flags)
{
    WHOLE(judge_name(UNLINK, "unlink", folder, name),
          ((int (*)(int, const char *, int))next("unlinkat"))(folder, name, flags));
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

static bool takes_mode(int flags)
{
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

int openat(int folder, const char *name, int flags, ...)
{
    mode_t mode = 0;
    if (takes_mode(flags)) {
        va_list arguments;
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
    }
    struct stat there;
    bool creates = (flags & O_CREAT) != 0 && fstatat(folder, name, &there, 0) != 0;
    WHOLE(creates ? judge_name(OPEN, "open", folder, name) : PASS,
          ((int (*)(int, const char *, int, ...))next("openat"))(folder, name, flags, mode));
}

int open(const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = takes_mode(flags) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return openat(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = takes_mode(flags) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return openat(AT_FDCWD, name, flags, mode);
}
