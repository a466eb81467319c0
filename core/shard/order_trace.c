/* See order_trace.h.
 *
 * Invariants: a record is in one list of its port at a time: unused, under way, answered; only the
 * port's thread moves it. The gate may meet one that has gone back to its port already, where a
 * command became safe before the shard was through with it (it had more events than their ring
 * holds); such a one has another sequence by then, or none.
 */
#include "shard/order_trace.h"

#include <stdlib.h>

#include "trace/recorder.h"

port_traces *port_traces_create(matching_core *core, unsigned shards)
{
    port_traces *traces = calloc(1, sizeof *traces);
    if (traces == NULL) {
        return NULL;
    }
    traces->core = core;
    traces->transport = "";
    traces->under_way = calloc(shards, sizeof *traces->under_way);
    if (traces->under_way == NULL) {
        free(traces);
        return NULL;
    }
    for (unsigned i = 0; i < ORDER_TRACES_MAX; i++) {
        traces->records[i].next = traces->unused;
        traces->unused = &traces->records[i];
    }
    return traces;
}

void port_traces_destroy(port_traces *traces)
{
    if (traces != NULL) {
        free(traces->under_way);
        free(traces);
    }
}

shard_traces *shard_traces_create(void)
{
    shard_traces *traces = aligned_alloc(64, (sizeof *traces + 63) & ~(size_t)63);
    if (traces != NULL) {
        atomic_init(&traces->head, 0);
        atomic_init(&traces->tail, 0);
    }
    return traces;
}

static void append(order_trace_list *list, order_trace *trace)
{
    trace->next = NULL;
    if (list->first == NULL) {
        list->first = trace;
    } else {
        list->last->next = trace;
    }
    list->last = trace;
}

static order_trace *remove_first(order_trace_list *list)
{
    order_trace *trace = list->first;
    list->first = trace->next;
    return trace;
}

/* ---- The port -------------------------------------------------------------------------------- */

order_trace *port_traces_begin(port_traces *traces, unsigned s, uint64_t position,
                               const matching_command *command)
{
    if (command->type < MATCHING_PLACE || command->type > MATCHING_AMEND) {
        return NULL;
    }
    order_trace *trace = traces->unused;
    if (trace == NULL) {
        trace_count_dropped();
        return NULL;
    }
    traces->unused = trace->next;
    trace->parent = *matching_trace_current;
    trace->position = position;
    trace->received_ns = command->received_ns;
    trace->parsed_ns = matching_monotonic_ns();
    trace->queued_ns = trace->sequenced_ns = trace->matched_ns = 0;
    atomic_store_explicit(&trace->durable_ns, 0, memory_order_relaxed);
    atomic_store_explicit(&trace->sequence, 0, memory_order_relaxed);
    trace->order_id = 0;
    trace->shard = s;
    trace->instrument = command->instrument;
    trace->type = command->type;
    trace->has_instrument =
        command->type == MATCHING_PLACE || (command->flags & MATCHING_FLAG_HAS_SYMBOL) != 0;
    append(&traces->under_way[s], trace);
    if (traces->under_way[s].unpublished == NULL) {
        traces->under_way[s].unpublished = trace;
    }
    return trace;
}

void port_traces_queued(order_trace_list *under_way)
{
    uint64_t now_ns = matching_monotonic_ns();
    for (; under_way->unpublished != NULL; under_way->unpublished = under_way->unpublished->next) {
        under_way->unpublished->queued_ns = now_ns;
    }
}

void port_traces_end(port_traces *traces, unsigned s, const matching_reply *reply)
{
    order_trace *trace = remove_first(&traces->under_way[s]);
    trace->code = reply->code;
    if (reply->has_order) {
        trace->order_id = reply->order.order_id;
        trace->instrument = reply->order.instrument;
        trace->has_instrument = true;
    }
    append(&traces->answered, trace);
}

static const char *command_name(uint8_t type)
{
    return type == MATCHING_PLACE ? "place" : type == MATCHING_CANCEL ? "cancel" : "amend";
}

static void emit(const port_traces *traces, const order_trace *trace, uint64_t now_ns)
{
    const char *symbol = trace->has_instrument
                             ? matching_core_instrument(traces->core, trace->instrument)->symbol
                             : "";
    const matching_trace_field fields[] = {
        {.name = "order.command", .text = command_name(trace->type)},
        {.name = "order.symbol", .text = symbol},
        {.name = "transport", .text = traces->transport},
        {.name = "shard", .number = trace->shard},
        {.name = "sequence",
         .number = atomic_load_explicit(&trace->sequence, memory_order_relaxed)},
        {.name = "order.id", .text = trace->order_id != 0 ? NULL : "", .number = trace->order_id},
    };
    const matching_trace_event events[] = {
        {"received", trace->received_ns},
        {"parsed", trace->parsed_ns},
        {"queued", trace->queued_ns},
        {"sequenced", trace->sequenced_ns},
        {"matched", trace->matched_ns},
        {"durable", atomic_load_explicit(&trace->durable_ns, memory_order_relaxed)},
        {"sent", now_ns},
    };
    uint64_t start_ns = trace->received_ns != 0 ? trace->received_ns : trace->parsed_ns;
    matching_span span;
    matching_span_begin(&span, &trace->parent, start_ns);
    matching_span_end(&span, &(matching_span_facts){
                                 .name = "order.match",
                                 .kind = MATCHING_SPAN_INTERNAL,
                                 .error = trace->code == MATCHING_OK
                                              ? NULL
                                              : matching_code_name((matching_code)trace->code),
                                 .fields = fields,
                                 .field_count = sizeof fields / sizeof fields[0],
                                 .events = events,
                                 .event_count = sizeof events / sizeof events[0],
                                 .end_ns = now_ns,
                             });
}

void port_traces_wrote(port_traces *traces)
{
    uint64_t now_ns = matching_monotonic_ns();
    while (traces->answered.first != NULL) {
        order_trace *trace = remove_first(&traces->answered);
        emit(traces, trace, now_ns);
        trace->next = traces->unused;
        traces->unused = trace;
    }
}

/* ---- The shard ------------------------------------------------------------------------------- */

void shard_traces_begin(order_trace *trace)
{
    trace->sequenced_ns = matching_monotonic_ns();
}

void shard_traces_end(shard_traces *traces, order_trace *trace, uint64_t sequence)
{
    uint64_t head = atomic_load_explicit(&traces->head, memory_order_relaxed);
    trace->matched_ns = matching_monotonic_ns();
    atomic_store_explicit(&trace->sequence, sequence, memory_order_relaxed);
    if (head - atomic_load_explicit(&traces->tail, memory_order_acquire) == ORDER_TRACES_WAITING) {
        return; /* the disk is far behind: nobody will note when this one is safe */
    }
    traces->waiting[head % ORDER_TRACES_WAITING].sequence = sequence;
    traces->waiting[head % ORDER_TRACES_WAITING].trace = trace;
    atomic_store_explicit(&traces->head, head + 1, memory_order_release);
}

void shard_traces_note_durable(shard_traces *traces, uint64_t sequence)
{
    uint64_t now_ns = matching_monotonic_ns();
    uint64_t head = atomic_load_explicit(&traces->head, memory_order_acquire);
    uint64_t tail = atomic_load_explicit(&traces->tail, memory_order_relaxed);
    while (tail < head && traces->waiting[tail % ORDER_TRACES_WAITING].sequence <= sequence) {
        order_trace *trace = traces->waiting[tail % ORDER_TRACES_WAITING].trace;
        uint64_t its = traces->waiting[tail % ORDER_TRACES_WAITING].sequence;
        if (atomic_load_explicit(&trace->sequence, memory_order_relaxed) == its) {
            atomic_store_explicit(&trace->durable_ns, now_ns, memory_order_relaxed);
        }
        tail++;
    }
    atomic_store_explicit(&traces->tail, tail, memory_order_release);
}
