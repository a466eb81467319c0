/* One number of a core's metrics, as Prometheus is told it. Link matching_core. */
#ifndef MATCHING_TESTS_METRIC_H
#define MATCHING_TESTS_METRIC_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matching/metrics.h"

/* The value behind this line's name and labels; -1: there is no such line, or no memory. */
static inline double metric_value(const matching_core *core, const char *line)
{
    char *text = NULL;
    size_t size = 0, length = strlen(line);
    double value = -1;
    FILE *out = open_memstream(&text, &size);
    if (out == NULL) {
        return value;
    }
    matching_metrics_print(core, out);
    fclose(out);
    for (const char *at = text; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, line, length) == 0 && at[length] == ' ') {
            value = strtod(at + length, NULL);
            break;
        }
    }
    free(text);
    return value;
}

#endif
