/* See process.h. Names and units are those of every Prometheus client library. */
#define _GNU_SOURCE
#include "metrics/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void print_one(FILE *out, const char *name, const char *type, const char *help,
                      const char *value)
{
    fprintf(out, "# HELP %s %s\n# TYPE %s %s\n%s %s\n", name, help, name, type, name, value);
}

static void print_number(FILE *out, const char *name, const char *help, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, value);
    print_one(out, name, "gauge", help, text);
}

static void print_memory(FILE *out)
{
    unsigned long long size, resident;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    FILE *file = fopen("/proc/self/statm", "re");
    int found = file != NULL ? fscanf(file, "%llu %llu", &size, &resident) : 0;
    if (file != NULL) {
        fclose(file);
    }
    if (found == 2) {
        print_number(out, "process_resident_memory_bytes", "Memory that is in RAM.",
                     resident * page);
        print_number(out, "process_virtual_memory_bytes", "Memory that is reserved.", size * page);
    }
}

static void print_descriptors(FILE *out)
{
    struct rlimit limit;
    DIR *folder = opendir("/proc/self/fd");
    if (folder != NULL) {
        uint64_t count = 0;
        for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
            count += entry->d_name[0] != '.';
        }
        closedir(folder);
        print_number(out, "process_open_fds", "Descriptors that are open.", count - 1);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        print_number(out, "process_max_fds", "Descriptors that may be open.",
                     (uint64_t)limit.rlim_cur);
    }
}

static void print_cpu(FILE *out)
{
    struct rusage used;
    char text[48];
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        uint64_t us = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                      (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
        snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64, us / 1000000, us % 1000000);
        print_one(out, "process_cpu_seconds_total", "counter", "CPU time, of user and system.",
                  text);
    }
}

/* Field 22 of stat: clock ticks after the machine's start; the second field may hold spaces. */
static void print_start(FILE *out)
{
    char line[1024], text[48];
    unsigned long long ticks;
    struct timespec now, up;
    FILE *file = fopen("/proc/self/stat", "re");
    const char *got = file != NULL ? fgets(line, sizeof line, file) : NULL;
    if (file != NULL) {
        fclose(file);
    }
    const char *at = got != NULL ? strrchr(line, ')') : NULL;
    for (int field = 2; at != NULL && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    if (at == NULL || sscanf(at, "%llu", &ticks) != 1 || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &up) != 0) {
        return;
    }
    unsigned long long a_second = (unsigned long long)sysconf(_SC_CLK_TCK);
    unsigned long long booted_ms = (unsigned long long)(now.tv_sec - up.tv_sec) * 1000 +
                                   (unsigned long long)(now.tv_nsec / 1000000) -
                                   (unsigned long long)(up.tv_nsec / 1000000);
    unsigned long long started_ms = booted_ms + ticks * 1000 / a_second;
    snprintf(text, sizeof text, "%llu.%03llu", started_ms / 1000, started_ms % 1000);
    print_one(out, "process_start_time_seconds", "gauge", "Unix time of the start.", text);
}

void process_metrics_print(FILE *out)
{
    print_memory(out);
    print_descriptors(out);
    print_cpu(out);
    print_start(out);
}
