/* See store.h. What the store is told of a core's commands comes from its writer, by
 * matching_metrics_stored; how it is, from the history that is attached.
 *
 * Invariants: a store that has failed is not warned of as well.
 */
#include "metrics/store.h"

#include <inttypes.h>

#include "matching/history.h"
#include "metrics/recorder.h"
#include "shard/core_internal.h"

void matching_metrics_stored(matching_core *core, unsigned number, uint64_t sequence)
{
    shard_metrics *m = core->shards[number].metrics;
    if (m != NULL) {
        atomic_store_explicit(&m->stored, sequence + 1, memory_order_relaxed);
    }
}

static void print_lags(const matching_core *core, FILE *out)
{
    fputs("# HELP matching_store_lag_commands Commands that are safe, but not yet in the store.\n"
          "# TYPE matching_store_lag_commands gauge\n",
          out);
    for (unsigned i = 0; i < core->shard_count; i++) {
        const shard *one = &core->shards[i];
        uint64_t stored = one->metrics != NULL ? metric_read(&one->metrics->stored) : 0;
        uint64_t durable = atomic_load_explicit(&one->durable_sequence, memory_order_acquire);
        if (stored != 0) {
            fprintf(out, "matching_store_lag_commands{shard=\"%u\"} %" PRIu64 "\n", i,
                    durable > stored - 1 ? durable - (stored - 1) : 0);
        }
    }
}

void store_metrics_print(const matching_core *core, FILE *out)
{
    bool has_warning = *matching_core_history_warning(core) != '\0'; /* first: failing sets both */
    bool has_failed =
        matching_core_history_progress(core, 0).state == MATCHING_HISTORY_STATE_FAILED;
    bool is_there = matching_core_has_history(core);
    fputs("# HELP matching_store_healthy 0: the store has failed, and history stands still.\n"
          "# TYPE matching_store_healthy gauge\n",
          out);
    if (is_there) {
        fprintf(out, "matching_store_healthy %d\n", !has_failed);
    }
    fputs("# HELP matching_store_warning 1: the store is so far behind that it may be given up.\n"
          "# TYPE matching_store_warning gauge\n",
          out);
    if (is_there) {
        fprintf(out, "matching_store_warning %d\n", has_warning && !has_failed);
    }
    print_lags(core, out);
}
