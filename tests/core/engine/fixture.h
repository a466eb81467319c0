/* An engine with its memory, a small event ring and what came out: what the engine's tests use.
 *
 * The ring is as small as it may be, so that every test runs through make_room, and slots that the
 * engine has not reached are checked for stray writes. Events are gathered for the last command. A
 * second engine does the same a shorter way, and is compared (twin.h).
 */
#ifndef MATCHING_TESTS_ENGINE_FIXTURE_H
#define MATCHING_TESTS_ENGINE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "matching/gateway.h"

#define FIXTURE_RING 8u

typedef struct fixture_event {
    matching_event event;
    matching_order order; /* of an ORDER event */
} fixture_event;

typedef struct fixture {
    matching_engine_limits limits;
    void *memory;
    size_t memory_bytes;
    matching_engine *engine;
    matching_event_sink sink;
    matching_event ring[FIXTURE_RING];
    uint64_t drained;      /* ring position up to which slots were taken out */
    matching_event *slots; /* of the last command, as written */
    size_t slot_count, slot_room;
    fixture_event *events; /* the same, taken apart */
    size_t event_count, event_room;
    matching_reply reply; /* to the last command */
    uint64_t sequence;
    uint64_t time_ns;
    struct fixture_twin *twin; /* NULL: alone */
    const char *difference;    /* of the twin after the last command; NULL: none */
} fixture;

/* Limits wide enough for tests that are not about limits. */
matching_engine_limits fixture_limits(void);

void fixture_init(fixture *f, const matching_engine_limits *limits);
void fixture_init_alone(fixture *f, const matching_engine_limits *limits); /* without a twin */
void fixture_fini(fixture *f);

/* An empty engine again, in the same memory. */
void fixture_reset(fixture *f);

/* matching_engine_set_instrument for both. */
void fixture_set_instrument(fixture *f, uint16_t instrument, int64_t tick_size, int64_t lot_size);

/* Gives the command its sequence and time (the command's own, where it is later than the last one's
 * and not 0), applies it to both engines, checks every invariant. A difference ends the program. */
const matching_reply *fixture_apply(fixture *f, matching_command command);

/* The same without matching_engine_check, for large books. */
const matching_reply *fixture_apply_unchecked(fixture *f, matching_command command);

/* The same, but a difference is only noted in f->difference. check: also compares the states. */
const matching_reply *fixture_try(fixture *f, matching_command command, bool check);

/* The same without the twin. */
const matching_reply *fixture_apply_alone(fixture *f, matching_command command);

/* Commands. Instrument 0; change what should be different before applying. */
matching_command limit_order(const char *trader, matching_side side, int64_t price_ticks,
                             int64_t quantity_lots);
matching_command market_order(const char *trader, matching_side side, int64_t quantity_lots);
matching_command cancel_by_id(uint64_t order_id);
matching_command cancel_by_client_id(const char *trader, const char *client_order_id);
matching_command amend_by_id(uint64_t order_id, int64_t price_ticks, int64_t quantity_lots);
matching_command cancel_all(const char *trader);
matching_command set_state(uint16_t instrument, matching_state state);
matching_command stop_order(const char *trader, matching_side side, int64_t stop_price_ticks,
                            int64_t price_ticks, int64_t quantity_lots); /* price 0: market stop */
matching_command iceberg_order(const char *trader, matching_side side, int64_t price_ticks,
                               int64_t quantity_lots, int64_t display_lots);
matching_command tick_at(uint64_t time_ms);
matching_command guarded(matching_command place);
matching_command read_by_id(uint64_t order_id);
matching_command read_by_client_id(const char *trader, const char *client_order_id);

void set_trader(matching_command *command, const char *trader);
void set_limits(matching_command *command, const matching_engine_limits *limits);
void set_client_id(matching_command *command, const char *client_order_id);

/* Applies and asserts that it was accepted; gives the order as the reply has it. */
matching_order accepted(fixture *f, matching_command command);

/* Applies and asserts that it was refused with this code and field, and that nothing changed. */
void refused(fixture *f, matching_command command, matching_code code, matching_field field);

/* READ_ORDER. False: there is no such order. */
bool read_order(fixture *f, matching_command command, matching_order *order);

/* READ_OPEN_ORDERS, in small steps: how many orders a page of `capacity` has; *complete: all. */
size_t open_orders(const fixture *f, const matching_command *command, matching_order *orders,
                   size_t capacity, bool *complete);

/* Of the last command: the index-th event of a kind, NULL beyond the last. */
const fixture_event *event_of(const fixture *f, matching_event_kind kind, size_t index);
size_t count_events(const fixture *f, matching_event_kind kind);

/* Of the last command: asserts what its index-th trade was. */
void traded(const fixture *f, size_t index, uint64_t maker, uint64_t taker, int64_t price_ticks,
            int64_t lots);

/* Of the last command: asserts that the index-th ORDER event is about this order and status. */
void told(const fixture *f, size_t index, uint64_t order_id, matching_status status);

/* The order as it is now, working or ended. */
matching_order order_now(fixture *f, uint64_t order_id);

/* Of the last command's time, milliseconds. */
uint64_t now_ms(const fixture *f);

/* Visible total of a level, 0: there is none. */
uint64_t level_total(fixture *f, uint16_t instrument, matching_side side, int64_t price_ticks);

#endif
