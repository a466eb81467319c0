/* What the load says: a progress line while it works, a row of figures for each target, and why it
 * gave up.
 */
#ifndef MATCHING_BENCH_LOAD_REPORT_H
#define MATCHING_BENCH_LOAD_REPORT_H

#include "load/histogram.h"

/* Ends the program with status 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Redraws the line on standard error, if that is a terminal; NULL takes it away. */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_end(void);

/* One target's figures. rate: a second, 0: not measured. cpu_ns: processor time of its process for
 * each message, 0: unknown. */
typedef struct figures {
    const char *name;
    double rate, cpu_ns;
    const histogram *times;
    const char *note;
} figures;

/* The row, and how it stands to the first target's if that is another one. */
void report_row(const char *measure, const figures *row, const figures *first);
void report_head(void);

#endif
