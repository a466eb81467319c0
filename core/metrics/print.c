/* All metrics as Prometheus' text format: a table of families, each with a function that prints its
 * samples.
 *
 * Invariants: a family's samples stand together below its HELP and TYPE; label sets are bounded by
 * what is configured, never by what clients send; instruments beyond SYMBOLS_MAX are one together.
 *
 * Not here: what is counted where (recorder.h), the store (store.c), the process itself
 * (process.c).
 */
#include <inttypes.h>
#include <string.h>

#include "matching/connections.h"
#include "matching/log.h"
#include "matching/trace.h"
#include "metrics/process.h"
#include "metrics/recorder.h"
#include "metrics/store.h"
#include "shard/core_internal.h"
#include "shard/gate.h"

#define SYMBOLS_MAX 256u /* instruments that are told by name, the first ones */
#define NS_PER_S 1000000000u
#define TIME_LOG2_MIN 7u  /* of the bounds of times in 1/1024 us: an eighth of one ... */
#define TIME_LOG2_MAX 34u /* ... 17 s */
#define US 1024u
#define COUNT_LOG2_MAX 16u

static const char *const stage_names[MATCHING_STAGES] = {"parse",   "submit", "queue", "match",
                                                         "durable", "send",   "total"};

const char *matching_stage_name(matching_stage stage)
{
    return stage_names[stage];
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static void print_seconds(FILE *out, uint64_t ns)
{
    fprintf(out, "%" PRIu64 ".%09" PRIu64, ns / NS_PER_S, ns % NS_PER_S);
}

static void print_value(FILE *out, uint64_t value, bool is_time)
{
    if (is_time) {
        print_seconds(out, value);
    } else {
        fprintf(out, "%" PRIu64, value);
    }
}

/* Those of times stand for themselves as any client of Prometheus writes them: le="5e-06". */
static void print_bucket(FILE *out, const char *name, const char *labels,
                         const histogram_total *total, bool is_time, uint64_t bound)
{
    const char *comma = *labels != '\0' ? "," : "";
    uint64_t count = histogram_at_most(total, bound);
    double seconds = (double)(bound / 128 * 125) / NS_PER_S; /* all of them are whole there */
    if (is_time) {
        fprintf(out, "%s_bucket{%s%sle=\"%.12g\"} %" PRIu64 "\n", name, labels, comma, seconds,
                count);
    } else {
        fprintf(out, "%s_bucket{%s%sle=\"%" PRIu64 "\"} %" PRIu64 "\n", name, labels, comma, bound,
                count);
    }
}

/* labels: "stage=\"match\"", or "". */
static void print_histogram(FILE *out, const char *name, const char *labels,
                            const histogram_total *total, bool is_time)
{
    const char *comma = *labels != '\0' ? "," : "", *open = *labels != '\0' ? "{" : "",
               *close = *labels != '\0' ? "}" : "";
    unsigned log2 = is_time ? TIME_LOG2_MIN : 0, last = is_time ? TIME_LOG2_MAX : COUNT_LOG2_MAX;
    for (; log2 <= last; log2++) {
        uint64_t bound = 1ull << log2;
        print_bucket(out, name, labels, total, is_time, bound);
        if (is_time && (bound == 4 * US || bound == 8 * US)) {
            print_bucket(out, name, labels, total, true, bound / 4 * 5); /* 5 and 10 us */
        }
    }
    fprintf(out, "%s_bucket{%s%sle=\"+Inf\"} %" PRIu64 "\n", name, labels, comma, total->count);
    fprintf(out, "%s_sum%s%s%s ", name, open, labels, close);
    print_value(out, total->sum, is_time);
    fprintf(out, "\n%s_count%s%s%s %" PRIu64 "\n", name, open, labels, close, total->count);
}

/* ---- Ports ----------------------------------------------------------------------------------- */

static const port_metrics *port_at(const matching_core *core, unsigned number)
{
    return port_metrics_of(core->ports[number]);
}

static const char *name_of(const matching_core *core, unsigned number)
{
    const port_metrics *own = port_at(core, number);
    return own != NULL && own->name != NULL ? own->name : "unnamed";
}

/* Is it the first one of its name? Ports of one name are told as one. */
static bool is_first(const matching_core *core, unsigned number)
{
    for (unsigned i = 0; i < number; i++) {
        if (strcmp(name_of(core, i), name_of(core, number)) == 0) {
            return false;
        }
    }
    return port_at(core, number) != NULL;
}

/* Adds up what the ports of one name have at this place in port_metrics. */
static uint64_t sum_of_name(const matching_core *core, unsigned number, size_t offset)
{
    uint64_t sum = 0;
    for (unsigned i = number; i < core->port_count; i++) {
        if (strcmp(name_of(core, i), name_of(core, number)) == 0) {
            sum += metric_read(
                (const _Atomic uint64_t *)(const void *)((const char *)port_at(core, i) + offset));
        }
    }
    return sum;
}

static void print_commands(const matching_core *core, const char *name, FILE *out)
{
    static const struct {
        unsigned type;
        const char *name;
    } types[] = {
        {MATCHING_PLACE, "place"},
        {MATCHING_CANCEL, "cancel"},
        {MATCHING_AMEND, "amend"},
        {MATCHING_CANCEL_ALL, "cancel_all"},
        {MATCHING_SET_STATE, "set_state"},
        {MATCHING_ADD_INSTRUMENT, "add_instrument"},
        {MATCHING_READ_ORDER, "read_order"},
        {MATCHING_READ_ORDERS, "read_orders"},
        {MATCHING_READ_OPEN_ORDERS, "read_open_orders"},
        {MATCHING_READ_DEPTH, "read_depth"},
        {MATCHING_READ_TRADES, "read_trades"},
        {MATCHING_READ_TICKER, "read_ticker"},
        {MATCHING_READ_CANDLES, "read_candles"},
    };
    for (unsigned port = 0; port < core->port_count; port++) {
        for (size_t i = 0; is_first(core, port) && i < sizeof types / sizeof types[0]; i++) {
            size_t offset =
                offsetof(port_metrics, answered) + types[i].type * sizeof(_Atomic uint64_t);
            fprintf(out, "%s{transport=\"%s\",type=\"%s\"} %" PRIu64 "\n", name,
                    name_of(core, port), types[i].name, sum_of_name(core, port, offset));
        }
    }
}

static void print_refusals(const matching_core *core, const char *name, FILE *out)
{
    for (unsigned port = 0; port < core->port_count; port++) {
        for (unsigned code = 1; is_first(core, port) && code < MATCHING_CODE_COUNT; code++) {
            size_t offset = offsetof(port_metrics, refused) + code * sizeof(_Atomic uint64_t);
            fprintf(out, "%s{transport=\"%s\",code=\"%s\"} %" PRIu64 "\n", name,
                    name_of(core, port), matching_code_name((matching_code)code),
                    sum_of_name(core, port, offset));
        }
    }
}

/* Of doors that have answered any. */
static void print_responses(const matching_core *core, const char *name, FILE *out)
{
    for (unsigned port = 0; port < core->port_count; port++) {
        uint64_t counts[METRIC_STATUSES] = {0}, all = 0;
        for (unsigned i = 2; is_first(core, port) && i < METRIC_STATUSES; i++) {
            size_t offset = offsetof(port_metrics, responses) + i * sizeof(_Atomic uint64_t);
            counts[i] = sum_of_name(core, port, offset);
            all += counts[i];
        }
        for (unsigned i = 2; all > 0 && i < METRIC_STATUSES; i++) {
            fprintf(out, "%s{transport=\"%s\",status=\"%uxx\"} %" PRIu64 "\n", name,
                    name_of(core, port), i, counts[i]);
        }
    }
}

/* Of doors of HTTP, once somebody has come: the others' connections are in their tables. */
static void print_http_connections(const matching_core *core, const char *name, FILE *out,
                                   bool is_now)
{
    for (unsigned port = 0; port < core->port_count; port++) {
        if (!is_first(core, port)) {
            continue;
        }
        uint64_t ended = sum_of_name(core, port, offsetof(port_metrics, disconnected));
        uint64_t begun = sum_of_name(core, port, offsetof(port_metrics, connected));
        if (begun > 0) {
            fprintf(out, "%s{transport=\"%s\"} %" PRIu64 "\n", name, name_of(core, port),
                    is_now ? begun - ended : begun);
        }
    }
}

static void print_http_bytes(const matching_core *core, const char *name, FILE *out)
{
    for (unsigned port = 0; port < core->port_count; port++) {
        if (is_first(core, port) &&
            sum_of_name(core, port, offsetof(port_metrics, connected)) > 0) {
            fprintf(out,
                    "%s{transport=\"%s\",direction=\"in\"} %" PRIu64
                    "\n%s{transport=\"%s\",direction=\"out\"} %" PRIu64 "\n",
                    name, name_of(core, port),
                    sum_of_name(core, port, offsetof(port_metrics, bytes_received)), name,
                    name_of(core, port),
                    sum_of_name(core, port, offsetof(port_metrics, bytes_sent)));
        }
    }
}

static void collect_stage(const matching_core *core, unsigned stage, histogram_total *total)
{
    *total = (histogram_total){0};
    for (unsigned port = 0; port < core->port_count; port++) {
        if (port_at(core, port) != NULL) {
            histogram_collect(total, &port_at(core, port)->stages[stage]);
        }
    }
}

static void print_stages(const matching_core *core, const char *name, FILE *out)
{
    histogram_total total;
    char label[32];
    for (unsigned stage = 0; stage < MATCHING_STAGE_TOTAL; stage++) {
        collect_stage(core, stage, &total);
        snprintf(label, sizeof label, "stage=\"%s\"", stage_names[stage]);
        print_histogram(out, name, label, &total, true);
    }
}

static void print_orders_time(const matching_core *core, const char *name, FILE *out)
{
    char label[64];
    for (unsigned port = 0; port < core->port_count; port++) {
        histogram_total total = {0};
        for (unsigned i = port; is_first(core, port) && i < core->port_count; i++) {
            if (strcmp(name_of(core, i), name_of(core, port)) == 0) {
                histogram_collect(&total, &port_at(core, i)->stages[MATCHING_STAGE_TOTAL]);
            }
        }
        if (is_first(core, port)) {
            snprintf(label, sizeof label, "transport=\"%s\"", name_of(core, port));
            print_histogram(out, name, label, &total, true);
        }
    }
}

/* The times that are promised, so that they can be read without a query. */
static void print_processing(const matching_core *core, const char *name, FILE *out)
{
    static const struct {
        const char *name;
        uint64_t parts;
    } quantiles[] = {{"0.5", 500}, {"0.9", 900}, {"0.99", 990}, {"0.999", 999}, {"1", 1000}};
    histogram_total total;
    collect_stage(core, MATCHING_STAGE_MATCH, &total);
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        fprintf(out, "%s{quantile=\"%s\"} ", name, quantiles[i].name);
        if (total.count > 0) {
            print_seconds(out, histogram_quantile_time(&total, quantiles[i].parts, 1000));
        } else {
            fputs("NaN", out);
        }
        fputc('\n', out);
    }
    fprintf(out, "%s_sum ", name);
    print_seconds(out, total.sum);
    fprintf(out, "\n%s_count %" PRIu64 "\n", name, total.count);
}

void matching_metrics_latency(const matching_core *core, matching_stage stage,
                              matching_latency *latency)
{
    histogram_total total;
    collect_stage(core, stage, &total);
    *latency = (matching_latency){
        .count = total.count,
        .mean_ns = total.count > 0 ? total.sum / total.count : 0,
        .p50_ns = histogram_quantile_time(&total, 500, 1000),
        .p90_ns = histogram_quantile_time(&total, 900, 1000),
        .p99_ns = histogram_quantile_time(&total, 990, 1000),
        .p999_ns = histogram_quantile_time(&total, 999, 1000),
        .max_ns = histogram_quantile_time(&total, 1000, 1000),
    };
    _Static_assert(HISTOGRAM_BUCKETS == MATCHING_LATENCY_BUCKETS, "there is room for all");
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        if (total.buckets[i] > 0) {
            latency->buckets[latency->bucket_count++] = (matching_latency_bucket){
                .most_ns = histogram_most_time(i), .count = total.buckets[i]};
        }
    }
}

/* ---- Shards ---------------------------------------------------------------------------------- */

static void print_by_symbol(const matching_core *core, const char *name, FILE *out, bool trades)
{
    size_t count = matching_core_instrument_count(core);
    uint64_t others = 0;
    for (size_t i = 0; i < count; i++) {
        const matching_instrument *instrument = matching_core_instrument(core, i);
        const shard_metrics *m =
            instrument != NULL ? core->shards[instrument->shard].metrics : NULL;
        if (m == NULL) {
            continue;
        }
        uint64_t value =
            metric_read(trades ? &m->instruments[i].trades : &m->instruments[i].orders);
        if (i < SYMBOLS_MAX) {
            fprintf(out, "%s{symbol=\"%s\"} %" PRIu64 "\n", name, instrument->symbol, value);
        } else {
            others += value;
        }
    }
    if (count > SYMBOLS_MAX) { /* lower case: no symbol has that name */
        fprintf(out, "%s{symbol=\"other\"} %" PRIu64 "\n", name, others);
    }
}

static void print_orders(const matching_core *core, const char *name, FILE *out)
{
    print_by_symbol(core, name, out, false);
}

static void print_trades(const matching_core *core, const char *name, FILE *out)
{
    print_by_symbol(core, name, out, true);
}

/* One number of each shard; UINT64_MAX: it has none. */
static void print_shards(const matching_core *core, const char *name, FILE *out,
                         uint64_t (*value_of)(const shard *s), bool is_time)
{
    for (unsigned i = 0; i < core->shard_count; i++) {
        uint64_t value = value_of(&core->shards[i]);
        if (value != UINT64_MAX) {
            fprintf(out, "%s{shard=\"%u\"} ", name, i);
            print_value(out, value, is_time);
            fputc('\n', out);
        }
    }
}

#define SHARDS(function, is_time, expression)                                                      \
    static uint64_t value_of_##function(const shard *s)                                            \
    {                                                                                              \
        return expression;                                                                         \
    }                                                                                              \
    static void print_##function(const matching_core *core, const char *name, FILE *out)           \
    {                                                                                              \
        print_shards(core, name, out, value_of_##function, is_time);                               \
    }
#define COUNTED(member) s->metrics == NULL ? UINT64_MAX : metric_read(&s->metrics->member)
#define JOURNALLED(member) s->journal == NULL ? UINT64_MAX : COUNTED(journal.member)

static uint64_t snapshot_age_ns(const shard *s)
{
    uint64_t made_ns = s->metrics != NULL ? metric_read(&s->metrics->snapshot_ns) : 0;
    uint64_t now_ns = matching_unix_ns();
    return made_ns == 0 ? UINT64_MAX : now_ns > made_ns ? now_ns - made_ns : 0;
}

static uint64_t durable_of(const shard *s)
{
    return atomic_load_explicit(&s->durable_sequence, memory_order_acquire);
}

SHARDS(sequence, false, durable_of(s))
SHARDS(events, false, atomic_load_explicit(&s->events.tail, memory_order_acquire))
SHARDS(healthy, false, !gate_has_failed(s))
SHARDS(warns, false, *matching_core_shard_warning(s->core, s->number) != '\0')
SHARDS(written, false, JOURNALLED(bytes))
SHARDS(writes, false, JOURNALLED(writes))
SHARDS(snapshot_age, true, snapshot_age_ns(s))
SHARDS(snapshots, false, s->journal == NULL ? UINT64_MAX : COUNTED(snapshots))
SHARDS(snapshots_failed, false, s->journal == NULL ? UINT64_MAX : COUNTED(snapshots_failed))

static void print_of_shards(const matching_core *core, const char *name, FILE *out, size_t offset,
                            bool is_time)
{
    histogram_total total = {0};
    for (unsigned i = 0; i < core->shard_count; i++) {
        const char *m = (const char *)core->shards[i].metrics;
        if (m != NULL) {
            histogram_collect(&total, (const histogram *)(const void *)(m + offset));
        }
    }
    print_histogram(out, name, "", &total, is_time);
}

static void print_batch_time(const matching_core *core, const char *name, FILE *out)
{
    print_of_shards(core, name, out, offsetof(shard_metrics, batch_ns), true);
}

static void print_batch_commands(const matching_core *core, const char *name, FILE *out)
{
    print_of_shards(core, name, out, offsetof(shard_metrics, batch_commands), false);
}

static void print_sync(const matching_core *core, const char *name, FILE *out)
{
    print_of_shards(core, name, out, offsetof(shard_metrics, journal.sync_ns), true);
}

static void print_rings(const matching_core *core, const char *name, FILE *out)
{
    for (unsigned i = 0; i < core->shard_count; i++) {
        for (unsigned port = 0; port < core->port_count && core->shards[i].replies != NULL;
             port++) {
            const ring *rings[] = {&core->shards[i].commands[port], &core->shards[i].replies[port]};
            static const char *const names[] = {"commands", "replies"};
            for (unsigned r = 0; r < 2; r++) {
                fprintf(out,
                        "%s{ring=\"%s\",shard=\"%u\",transport=\"%s\",port=\"%u\"} %" PRIu64 "\n",
                        name, names[r], i, name_of(core, port), port, ring_depth(rings[r]));
            }
        }
    }
}

static void print_ring_slots(const matching_core *core, const char *name, FILE *out)
{
    fprintf(out, "%s %" PRIu64 "\n", name, core->ring_slots);
}

/* ---- Connections ----------------------------------------------------------------------------- */

/* One number of each door, or two with a second label each. */
typedef struct door_value {
    const char *label; /* "": none */
    unsigned total;
} door_value;

static void print_doors(const matching_core *core, const char *name, FILE *out,
                        const door_value *values, size_t count)
{
    const char *transport;
    uint64_t totals[MATCHING_CONNECTIONS_TOTALS];
    for (uint32_t i = 0; matching_connections_totals(core, i, &transport, totals); i++) {
        for (size_t v = 0; v < count; v++) {
            fprintf(out, "%s{transport=\"%s\"%s} %" PRIu64 "\n", name, transport, values[v].label,
                    totals[values[v].total]);
        }
    }
}

#define DOORS(function, ...)                                                                       \
    static void print_##function(const matching_core *core, const char *name, FILE *out)           \
    {                                                                                              \
        static const door_value values[] = {__VA_ARGS__};                                          \
        print_doors(core, name, out, values, sizeof values / sizeof values[0]);                    \
    }

DOORS(opened_of_tables, {"", MATCHING_CONNECTIONS_OPENED})
DOORS(subscriptions, {"", MATCHING_CONNECTIONS_SUBSCRIPTIONS})
DOORS(errors, {"", MATCHING_CONNECTIONS_ERRORS})
DOORS(messages, {",direction=\"in\"", MATCHING_CONNECTIONS_RECEIVED},
      {",direction=\"out\"", MATCHING_CONNECTIONS_SENT})
DOORS(bytes, {",direction=\"in\"", MATCHING_CONNECTIONS_BYTES_RECEIVED},
      {",direction=\"out\"", MATCHING_CONNECTIONS_BYTES_SENT})
DOORS(slow, {",action=\"close\"", MATCHING_CONNECTIONS_SLOW_CLOSED},
      {",action=\"conflate\"", MATCHING_CONNECTIONS_SLOW_CONFLATED},
      {",action=\"pause\"", MATCHING_CONNECTIONS_SLOW_PAUSED})

static void print_opened(const matching_core *core, const char *name, FILE *out)
{
    print_opened_of_tables(core, name, out);
    print_http_connections(core, name, out, false);
}

static void print_active(const matching_core *core, const char *name, FILE *out)
{
    const char *transport;
    uint64_t totals[MATCHING_CONNECTIONS_TOTALS];
    for (uint32_t i = 0; matching_connections_totals(core, i, &transport, totals); i++) {
        fprintf(out, "%s{transport=\"%s\"} %" PRIu64 "\n", name, transport,
                totals[MATCHING_CONNECTIONS_OPENED] - totals[MATCHING_CONNECTIONS_CLOSED]);
    }
    print_http_connections(core, name, out, true);
}

static void print_log_dropped(const matching_core *core, const char *name, FILE *out)
{
    (void)core;
    fprintf(out, "%s %" PRIu64 "\n", name, matching_log_dropped());
}

/* ---- Traces ---------------------------------------------------------------------------------- */

#define SPANS(member)                                                                              \
    static void print_spans_##member(const matching_core *core, const char *name, FILE *out)       \
    {                                                                                              \
        matching_trace_counts counts;                                                              \
        (void)core;                                                                                \
        matching_trace_counts_get(&counts);                                                        \
        fprintf(out, "%s %" PRIu64 "\n", name, counts.member);                                     \
    }

SPANS(recorded)
SPANS(dropped)
SPANS(exported)
SPANS(failed)

/* ---- The table ------------------------------------------------------------------------------- */

static const struct family {
    const char *name, *type, *help;
    void (*print)(const matching_core *core, const char *name, FILE *out);
} families[] = {
    {"matching_commands_total", "counter", "Commands and reads that were answered, well or not.",
     print_commands},
    {"matching_refusals_total", "counter", "What clients were told could not be done, and why.",
     print_refusals},
    {"matching_http_responses_total", "counter", "Answers to requests of HTTP.", print_responses},
    {"matching_orders_total", "counter", "New orders that were accepted.", print_orders},
    {"matching_trades_total", "counter", "Trades.", print_trades},
    {"matching_stage_seconds", "histogram",
     "How long an order takes from one stage to the next, of 1 in 256.", print_stages},
    {"matching_order_seconds", "histogram",
     "From an order's bytes in to its reply's bytes out, of 1 in 256.", print_orders_time},
    {"matching_processing_seconds", "summary",
     "A shard's own work for an order since the start, of 1 in 256.", print_processing},
    {"matching_batch_seconds", "histogram", "What a shard takes for a batch of commands.",
     print_batch_time},
    {"matching_batch_commands", "histogram", "Commands that a shard takes at once.",
     print_batch_commands},
    {"matching_ring_depth", "gauge", "Commands or replies that wait between a port and a shard.",
     print_rings},
    {"matching_ring_slots", "gauge", "How many each of these rings can hold.", print_ring_slots},
    {"matching_shard_sequence_total", "counter", "The last command of a shard that is safe.",
     print_sequence},
    {"matching_shard_events_total", "counter", "Records of events that a shard has published.",
     print_events},
    {"matching_shard_healthy", "gauge", "1: the shard takes commands; 0: its journal has failed.",
     print_healthy},
    {"matching_shard_warning", "gauge", "1: something may soon keep it from that, see /health.",
     print_warns},
    {"matching_journal_sync_seconds", "histogram", "How long an fdatasync of a journal takes.",
     print_sync},
    {"matching_journal_written_bytes_total", "counter", "Bytes written to a journal.",
     print_written},
    {"matching_journal_writes_total", "counter", "Writes of a journal, each of many commands.",
     print_writes},
    {"matching_snapshot_age_seconds", "gauge", "Since a shard's newest snapshot was made.",
     print_snapshot_age},
    {"matching_snapshots_total", "counter", "Snapshots that were made.", print_snapshots},
    {"matching_snapshots_failed_total", "counter", "Snapshots that could not be made.",
     print_snapshots_failed},
    {"matching_connections", "gauge", "Connections that are open.", print_active},
    {"matching_connections_opened_total", "counter", "Connections so far.", print_opened},
    {"matching_http_body_bytes_total", "counter", "Bytes of bodies over connections of HTTP.",
     print_http_bytes},
    {"matching_subscriptions", "gauge", "Subscriptions of open connections.", print_subscriptions},
    {"matching_messages_total", "counter", "Messages of connections.", print_messages},
    {"matching_transferred_bytes_total", "counter", "Bytes of connections.", print_bytes},
    {"matching_message_errors_total", "counter", "Messages that were answered by an error.",
     print_errors},
    {"matching_slow_consumer_actions_total", "counter",
     "Slow clients closed, messages left out for them, times that none were read from one.",
     print_slow},
    {"matching_log_dropped_lines_total", "counter",
     "Lines that the log had no room for, or could not write.", print_log_dropped},
    {"matching_spans_total", "counter", "Spans of traces that were recorded.",
     print_spans_recorded},
    {"matching_spans_dropped_total", "counter", "Spans that the queue had no room for.",
     print_spans_dropped},
    {"matching_spans_exported_total", "counter", "Spans that the collector has taken.",
     print_spans_exported},
    {"matching_spans_failed_total", "counter", "Spans that the collector has not taken.",
     print_spans_failed},
};

void matching_metrics_print(const matching_core *core, FILE *out)
{
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        const struct family *it = &families[i];
        fprintf(out, "# HELP %s %s\n# TYPE %s %s\n", it->name, it->help, it->name, it->type);
        it->print(core, it->name, out);
    }
    store_metrics_print(core, out);
    process_metrics_print(out);
}
