/* The process itself, as the system tells it in /proc. Any thread; reads some small files. */
#ifndef MATCHING_METRICS_PROCESS_H
#define MATCHING_METRICS_PROCESS_H

#include <stdint.h>
#include <stdio.h>

/* Prometheus' usual process_ metrics; those that the system does not tell are left out. */
void process_metrics_print(FILE *out);

#endif
