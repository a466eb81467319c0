/* libmatching_yardstick.so: the interface of yardstick.h over the engine, as the service has it.
 *
 * A message becomes a command; the command's reply and its TRADE events become the reports. A
 * table (live_ids.h) leads from outside ids to engine ids and, for trades, back; it knows how much
 * of an order is open, so an id is free again as soon as its order has been filled.
 *
 * Invariants: the table holds exactly the ids of orders that rest in the book; a message's
 * reports are out before the call returns; nothing is looked at ahead of its turn.
 *
 * What the interface leaves open: a new order that the engine would refuse (a price or quantity
 * of zero, no memory left) gets CANCEL_ACK without ORDER_ACK; one with the id of an order that
 * rests may trade, but is cancelled before it would rest too. A modify to such values is rejected.
 *
 * Not for more than one instrument, one caller, one use at a time: the interface has no handle.
 */
#define _GNU_SOURCE
#include "bench/yardstick.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "bench/live_ids.h"
#include "bench/report_ring.h"
#include "engine/engine.h"

#define EXPORT __attribute__((visibility("default")))
/* The engine's slots: many more than orders mostly rest, so that a free one is found at once. */
#define SLOTS (1u << 17)
#define LIVE_MAX (SLOTS - 2) /* orders that can rest; ended ones are not kept */
#define LEVELS_MAX (1u << 16)
/* How far ahead the memory of messages is asked for; what they say is not looked at. */
#define MESSAGES_AHEAD 12u
#define EVENT_SLOTS 64u /* stays in the first cache; a longer command goes out piece by piece */

static struct {
    const yardstick_transport *transport;
    void *sink;
    report_ring *ring;       /* the sink, when it is our own; else NULL */
    yardstick_report report; /* on its way into a foreign sink */
    matching_engine *engine;
    matching_command places[2][2]; /* by immediate and side; what no message sets stays as it is */
    matching_command cancel, amend;
    uint64_t commands; /* how many there were */
    matching_event_sink events;
    matching_watch nobody; /* listens to a trader's orders */
    matching_event event_slots[EVENT_SLOTS];
    uint64_t seen;                 /* events before it were looked at */
    const yardstick_new *entering; /* its ORDER_ACK goes out before the first trade */
    uint64_t sequence, taker;      /* of the message at work */
    live_ids live;
    matching_level *levels[2]; /* LIVE_MAX each, for queries */
    void *memory;
    size_t bytes;
} self;

_Noreturn void matching_engine_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "matching_yardstick: internal error at %s:%d: %s\n", file, line, what);
    abort();
}

/* ---- Reports --------------------------------------------------------------------------------- */

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Waits for the reader while the transport is full. */
static inline yardstick_report *report_begin(void)
{
    if (self.ring == NULL) {
        return &self.report;
    }
    yardstick_report *slot;
    while ((slot = report_ring_slot(self.ring)) == NULL) {
        relax();
    }
    return slot;
}

static inline void report_end(void)
{
    if (self.ring != NULL) {
        report_ring_advance(self.ring);
        return;
    }
    while (self.transport->push(self.sink, &self.report) == 0) {
        relax();
    }
}

static inline void report(uint8_t type, uint8_t side, uint64_t order_id, int64_t price_ticks,
                          int64_t lots)
{
    yardstick_report *out = report_begin();
    *out = (yardstick_report){.type = type,
                              .side = side,
                              .sequence = self.sequence,
                              .order_id = order_id,
                              .price_ticks = price_ticks,
                              .quantity_lots = (uint32_t)lots};
    report_end();
}

static void report_trade(const matching_event *event)
{
    live_order *maker = live_ids_by_engine(&self.live, event->trade.maker_order_id);
    yardstick_report *out = report_begin();
    *out = (yardstick_report){.type = YARDSTICK_TRADE,
                              .side = event->side,
                              .sequence = self.sequence,
                              .order_id = self.taker,
                              .price_ticks = event->trade.price_ticks,
                              .quantity_lots = (uint32_t)event->trade.quantity_lots,
                              .maker_id = maker->outside,
                              .taker_id = self.taker};
    report_end();
    maker->open_lots -= (uint32_t)event->trade.quantity_lots;
    if (maker->open_lots == 0) {
        live_ids_remove(&self.live, live_ids_search(&self.live, maker->outside));
    }
}

static inline void report_entered(void)
{
    const yardstick_new *entering = self.entering;
    if (entering != NULL) {
        self.entering = NULL;
        report(YARDSTICK_ORDER_ACK, entering->side, entering->order_id, entering->price_ticks,
               entering->quantity_lots);
    }
}

/* Turns the events that were written into reports. */
static inline void report_events(void)
{
    while (self.seen < self.events.head) {
        const matching_event *event = &self.event_slots[self.seen % EVENT_SLOTS];
        if (event->kind == MATCHING_EVENT_TRADE) {
            report_trade(event);
        }
        self.seen += matching_event_slots(event);
    }
    self.events.limit = self.events.head + EVENT_SLOTS;
}

/* In the middle of a command: only an accepted one has events. */
static void make_room(matching_event_sink *sink)
{
    (void)sink;
    report_entered();
    report_events();
}

/* ---- Commands -------------------------------------------------------------------------------- */

static inline void apply(matching_command *command, matching_reply *reply)
{
    command->sequence = ++self.commands;
    matching_engine_apply(self.engine, command, &self.events, reply);
}

/* What is left of a new order rests, if nobody has its id. */
static inline void remember(const yardstick_new *message, const matching_order *order)
{
    uint32_t open_lots = (uint32_t)(order->quantity_lots - order->filled_lots);
    if (!live_ids_insert(&self.live, message->order_id, order->order_id, open_lots)) {
        matching_reply reply;
        self.cancel.order_id = order->order_id;
        apply(&self.cancel, &reply);
        self.seen = self.events.head;
        report(YARDSTICK_CANCEL_ACK, message->side, message->order_id, message->price_ticks,
               open_lots);
    }
}

static inline bool is_valid(int64_t price_ticks, uint32_t lots)
{
    return price_ticks >= 1 && price_ticks <= MATCHING_TICKS_MAX && lots > 0;
}

static inline void on_new(const yardstick_new *message)
{
    matching_reply reply;
    self.sequence = message->sequence;
    self.taker = message->order_id;
    if (!is_valid(message->price_ticks, message->quantity_lots) || message->side > 1) {
        report(YARDSTICK_CANCEL_ACK, message->side, message->order_id, message->price_ticks,
               message->quantity_lots);
        return;
    }
    live_ids_prefetch(&self.live, message->order_id); /* wanted when it has been matched */
    matching_command *command = &self.places[message->immediate != 0][message->side];
    command->price_ticks = message->price_ticks;
    command->quantity_lots = message->quantity_lots;
    self.entering = message;
    apply(command, &reply);
    if (reply.code == MATCHING_OK) {
        report_entered();
        report_events();
        command->trader_hint = reply.trader;
    }
    self.entering = NULL;
    if (reply.code != MATCHING_OK || reply.order.status == MATCHING_CANCELLED) {
        report(YARDSTICK_CANCEL_ACK, message->side, message->order_id, message->price_ticks,
               reply.code != MATCHING_OK ? message->quantity_lots
                                         : reply.order.quantity_lots - reply.order.filled_lots);
    } else if (matching_order_is_working(&reply.order)) {
        remember(message, &reply.order);
    }
}

static inline void on_cancel(const yardstick_cancel *message)
{
    matching_reply reply;
    self.sequence = message->sequence;
    uint32_t at = live_ids_search(&self.live, message->order_id);
    self.cancel.order_id = live_ids_engine(&self.live, at);
    if (self.cancel.order_id == 0) {
        report(YARDSTICK_CANCEL_REJECT, 0, message->order_id, 0, 0);
        return;
    }
    apply(&self.cancel, &reply);
    live_ids_remove(&self.live, at);
    self.seen = self.events.head; /* nothing traded */
    report(YARDSTICK_CANCEL_ACK, reply.order.side, message->order_id, reply.order.price_ticks,
           reply.order.quantity_lots - reply.order.filled_lots);
}

static inline void on_modify(const yardstick_modify *message)
{
    matching_reply reply;
    self.sequence = message->sequence;
    self.taker = message->order_id;
    uint32_t at = live_ids_search(&self.live, message->order_id);
    self.amend.order_id = live_ids_engine(&self.live, at);
    if (self.amend.order_id == 0 || !is_valid(message->price_ticks, message->quantity_lots)) {
        report(YARDSTICK_MODIFY_REJECT, 0, message->order_id, 0, 0);
        return;
    }
    self.amend.price_ticks = message->price_ticks;
    self.amend.quantity_lots = message->quantity_lots;
    apply(&self.amend, &reply);
    if (reply.code != MATCHING_OK) {
        report(YARDSTICK_MODIFY_REJECT, 0, message->order_id, 0, 0);
        return;
    }
    report_events();
    if (matching_order_is_working(&reply.order)) {
        live_ids_by_engine(&self.live, self.amend.order_id)->open_lots =
            (uint32_t)(reply.order.quantity_lots - reply.order.filled_lots);
    } else {
        live_ids_remove(&self.live, live_ids_search(&self.live, message->order_id));
    }
    report(YARDSTICK_MODIFY_ACK, reply.order.side, message->order_id, message->price_ticks,
           message->quantity_lots);
}

/* ---- The interface --------------------------------------------------------------------------- */

/* Rounded up to whole cache lines. */
static size_t lines(size_t bytes)
{
    return (bytes + 63) & ~(size_t)63;
}

/* All memory there is, and all of it touched, so that none is taken while messages come. */
static void take_memory(const matching_engine_limits *limits)
{
    size_t engine = lines(matching_engine_size(limits));
    size_t entries = lines(LIVE_IDS_ENTRIES(LIVE_MAX) * sizeof(live_id));
    size_t orders = lines(SLOTS * sizeof(live_order));
    size_t levels = lines(LIVE_MAX * sizeof(matching_level));
    self.bytes = engine + entries + orders + 2 * levels;
    char *memory =
        mmap(NULL, self.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        matching_engine_panic(__FILE__, __LINE__, "out of memory");
    }
    madvise(memory, self.bytes, MADV_HUGEPAGE);
    memset(memory, 0, self.bytes);
    self.memory = memory;
    self.engine = matching_engine_init(memory, limits);
    live_ids_init(&self.live, (void *)(memory + engine), (void *)(memory + engine + entries),
                  SLOTS);
    self.levels[0] = (void *)(memory + engine + entries + orders);
    self.levels[1] = (void *)(memory + engine + entries + orders + levels);
}

/* What all commands of a kind have in common. */
static void build_commands(void)
{
    for (unsigned i = 0; i < 4; i++) {
        self.places[i / 2][i % 2] =
            (matching_command){.type = MATCHING_PLACE,
                               .time_ns = 1, /* there is no time here */
                               .side = (uint8_t)(i % 2),
                               .order_type = MATCHING_LIMIT,
                               .time_in_force = i / 2 ? MATCHING_IOC : MATCHING_GTC,
                               .flags = MATCHING_FLAG_BRIEF,
                               .trader_id = "yardstick"};
    }
    self.cancel = (matching_command){.type = MATCHING_CANCEL,
                                     .time_ns = 1,
                                     .flags = MATCHING_FLAG_BRIEF,
                                     .reason = MATCHING_REASON_USER};
    self.amend = (matching_command){.type = MATCHING_AMEND,
                                    .time_ns = 1,
                                    .flags = MATCHING_FLAG_BRIEF | MATCHING_FLAG_OPEN_QUANTITY};
}

EXPORT void engine_init(uint64_t nonce, const yardstick_transport *transport, void *sink)
{
    (void)nonce;
    engine_shutdown();
    memset(&self, 0, sizeof self);
    self.transport = transport;
    self.sink = sink;
    self.ring = transport == &report_ring_transport ? sink : NULL;
    const matching_engine_limits limits = {.instruments = 1,
                                           .max_orders = LIVE_MAX,
                                           .max_levels = LEVELS_MAX,
                                           .max_traders = 1,
                                           .retained_orders = 0};
    take_memory(&limits);
    self.events = (matching_event_sink){.slots = self.event_slots,
                                        .mask = EVENT_SLOTS - 1,
                                        .limit = EVENT_SLOTS,
                                        .make_room = make_room,
                                        .watch = &self.nobody};
    build_commands();
}

EXPORT void engine_shutdown(void)
{
    if (self.memory != NULL) {
        munmap(self.memory, self.bytes);
        self.memory = NULL;
    }
}

EXPORT void engine_on_new_order(const yardstick_new *message)
{
    on_new(message);
}

EXPORT void engine_on_cancel(const yardstick_cancel *message)
{
    on_cancel(message);
}

EXPORT void engine_on_modify(const yardstick_modify *message)
{
    on_modify(message);
}

EXPORT void engine_on_batch(const yardstick_message *messages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i + MESSAGES_AHEAD < count) {
            __builtin_prefetch(&messages[i + MESSAGES_AHEAD]);
        }
        if (messages[i].type == YARDSTICK_NEW) {
            on_new(&messages[i].enter);
        } else if (messages[i].type == YARDSTICK_CANCEL) {
            on_cancel(&messages[i].cancel);
        } else if (messages[i].type == YARDSTICK_MODIFY) {
            on_modify(&messages[i].modify);
        }
    }
}

EXPORT void engine_flush(void)
{
    if (self.transport != NULL) {
        self.transport->flush(self.sink);
    }
}

static matching_depth read_depth(uint32_t levels)
{
    matching_depth depth = {.bids = self.levels[0], .asks = self.levels[1]};
    matching_engine_read_depth(self.engine, 0, levels, &depth);
    return depth;
}

EXPORT int64_t engine_query_best_bid(void)
{
    matching_depth depth = read_depth(1);
    return depth.bid_count > 0 ? depth.bids[0].price_ticks : INT64_MIN;
}

EXPORT int64_t engine_query_best_ask(void)
{
    matching_depth depth = read_depth(1);
    return depth.ask_count > 0 ? depth.asks[0].price_ticks : INT64_MAX;
}

EXPORT uint64_t engine_query_depth_at(int64_t price_ticks, uint8_t side)
{
    bool buy = side == MATCHING_BUY;
    for (uint32_t levels = 64;; levels = levels < LIVE_MAX / 8 ? levels * 8 : LIVE_MAX) {
        matching_depth depth = read_depth(levels);
        const matching_level *found = buy ? depth.bids : depth.asks;
        uint32_t count = buy ? depth.bid_count : depth.ask_count;
        for (uint32_t i = 0; i < count; i++) {
            if (found[i].price_ticks == price_ticks) {
                return (uint64_t)found[i].total_lots;
            }
        }
        if ((buy ? depth.bids_complete : depth.asks_complete) || levels == LIVE_MAX) {
            return 0;
        }
    }
}

EXPORT const yardstick_transport *engine_get_transport(void)
{
    return &report_ring_transport;
}
