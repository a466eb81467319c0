/* See report.h. */
#define _GNU_SOURCE /* program_invocation_short_name */
#include "load/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "load/turns.h"

static bool line_is_shown;

void progress(const char *format, ...)
{
    va_list values;
    if (!isatty(STDERR_FILENO)) {
        return;
    }
    va_start(values, format);
    fputs("\r\033[K", stderr);
    vfprintf(stderr, format, values);
    va_end(values);
    line_is_shown = true;
}

void progress_end(void)
{
    if (line_is_shown) {
        fputs("\r\033[K", stderr);
        line_is_shown = false;
    }
}

void fail(const char *format, ...)
{
    va_list values;
    progress_end();
    fflush(stdout);
    fprintf(stderr, "%s: ", program_invocation_short_name);
    va_start(values, format);
    vfprintf(stderr, format, values);
    va_end(values);
    fputc('\n', stderr);
    turns_end();
    _exit(EXIT_FAILURE); /* what is under way is not put away */
}

void report_head(void)
{
    printf("%-30s %-8s %10s %8s %9s %9s %9s %9s  %s\n", "measure", "target", "a second", "cpu us",
           "p50 us", "p99 us", "p99.9 us", "max us", "beside the first");
}

static double us(const histogram *times, double part)
{
    return (double)histogram_at(times, part) / 1e3;
}

static void print_number(int width, int digits, double value)
{
    if (value > 0) {
        printf(" %*.*f", width, digits, value);
    } else {
        printf(" %*s", width, "-");
    }
}

static void compare(const figures *row, const figures *first)
{
    static const struct {
        const char *name;
        double part;
    } parts[] = {{"p50", 0.5}, {"p99", 0.99}};
    if (row->rate > 0 && first->rate > 0) {
        printf("  rate %.2fx", row->rate / first->rate);
    }
    for (int i = 0; i < 2 && row->times->count > 0 && first->times->count > 0; i++) {
        double mine = us(row->times, parts[i].part), others = us(first->times, parts[i].part);
        printf("  %s %.2fx %+.0f", parts[i].name, mine / others, mine - others);
    }
}

void report_row(const char *measure, const figures *row, const figures *first)
{
    progress_end();
    printf("%-30s %-8s", measure, row->name);
    print_number(10, 0, row->rate);
    print_number(8, 2, row->cpu_ns / 1e3);
    print_number(9, 1, us(row->times, 0.5));
    print_number(9, 1, us(row->times, 0.99));
    print_number(9, 1, us(row->times, 0.999));
    print_number(9, 1, us(row->times, 1));
    if (row != first) {
        compare(row, first);
    }
    printf("%s%s\n", row->note != NULL ? "  " : "", row->note != NULL ? row->note : "");
    fflush(stdout);
}
