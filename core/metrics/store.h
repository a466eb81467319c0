/* The store behind a core, as metrics tell it. Any thread. */
#ifndef MATCHING_METRICS_STORE_H
#define MATCHING_METRICS_STORE_H

#include <stdio.h>

#include "matching/core.h"

/* Whether it stands still or soon may, and how far each shard is ahead of it. Without a store the
 * families have no samples. */
void store_metrics_print(const matching_core *core, FILE *out);

#endif
