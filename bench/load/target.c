/* See target.h. */
#define _GNU_SOURCE /* clock_getcpuclockid */
#include "load/target.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load/report.h"

bool target_parse(const char *text, target *t)
{
    char host[32];
    unsigned port;
    int pid = 0, end = 0;
    memset(t, 0, sizeof *t);
    int fields =
        sscanf(text, "%15[^=]=%31[0-9.]:%u%n/%d%n", t->name, host, &port, &end, &pid, &end);
    if (fields < 3 || text[end] != '\0' || port == 0 || port > 65535 || pid < 0 ||
        inet_pton(AF_INET, host, &t->address.sin_addr) != 1) {
        return false;
    }
    t->address.sin_family = AF_INET;
    t->address.sin_port = htons((uint16_t)port);
    t->pid = pid;
    t->is_echo = strncmp(t->name, "echo", 4) == 0;
    return true;
}

uint64_t target_cpu_ns(const target *t)
{
    clockid_t clock;
    struct timespec used;
    if (t->pid == 0) {
        return 0;
    }
    if (clock_getcpuclockid(t->pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        fail("%s: there is no process %d", t->name, (int)t->pid);
    }
    return (uint64_t)used.tv_sec * UINT64_C(1000000000) + (uint64_t)used.tv_nsec;
}

uint64_t target_resident_bytes(const target *t)
{
    char path[64], line[256];
    unsigned long long kilobytes = 0;
    if (t->pid == 0) {
        return 0;
    }
    snprintf(path, sizeof path, "/proc/%d/status", (int)t->pid);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fail("%s: there is no process %d", t->name, (int)t->pid);
    }
    while (kilobytes == 0 && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "VmRSS: %llu kB", &kilobytes);
    }
    fclose(file);
    return kilobytes * 1024;
}

void target_clear(target *t)
{
    memset(&t->times, 0, sizeof t->times);
    memset(t->rates, 0, sizeof t->rates);
    t->messages = t->cpu_ns = 0;
}

static int compare_rates(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static figures figures_of(const target *t, unsigned rounds)
{
    double rates[ROUNDS_MAX];
    memcpy(rates, t->rates, sizeof rates);
    qsort(rates, rounds, sizeof rates[0], compare_rates);
    return (figures){.name = t->name,
                     .rate = rates[rounds / 2],
                     .cpu_ns = t->messages > 0 ? (double)t->cpu_ns / (double)t->messages : 0,
                     .times = &t->times};
}

void targets_report(const char *measure, const target *targets, unsigned count, unsigned rounds,
                    const char *(*note)(const target *t))
{
    figures first = figures_of(&targets[0], rounds);
    for (unsigned i = 0; i < count; i++) {
        figures row = figures_of(&targets[i], rounds);
        row.note = note != NULL ? note(&targets[i]) : NULL;
        report_row(measure, &row, i == 0 ? &row : &first);
    }
}

void targets_report_pair(const char *first, const char *second, const target pair[2])
{
    figures rows[2] = {figures_of(&pair[0], 1), figures_of(&pair[1], 1)};
    report_row(first, &rows[0], &rows[0]);
    report_row(second, &rows[1], &rows[0]);
}
