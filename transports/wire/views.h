/* A door's view of an instrument's book (matching/depth_view.h): how it is read, and what it shows.
 *
 * A view that the door does not keep up is lost (matching_depth_view_lose) and read again for the
 * next who follows it. Thread: the server's.
 */
#ifndef MATCHING_WIRE_VIEWS_H
#define MATCHING_WIRE_VIEWS_H

#include "matching/depth_view.h"
#include "server.h"

#define WIRE_LOADS_AT_ONCE 8u /* reads of views that a door has under way at a shard */

typedef struct wire_view {
    matching_depth_view *depth; /* NULL: none yet */
    matching_view_best best;    /* as last told; prices 0 while the book is crossed */
    bool is_loading;            /* a read is under way */
    bool has_failed; /* its shard no longer answers reads: what is known stays as it is */
} wire_view;

/* Somebody follows it: is it to be read now? */
bool wire_view_wants_load(const wire_view *view);

/* Reads an instrument, `action` being GET_DEPTH (for a view) or GET_TICKER: MATCHING_OK, a reply
 * with this tag will come, or what the port said. */
matching_code wire_read_market(wire_server *server, matching_action action, uint16_t instrument,
                               uint64_t tag);

typedef enum wire_view_outcome {
    WIRE_VIEW_LOADED = 0,
    WIRE_VIEW_AGAIN = 1, /* it is of no use: read again */
    WIRE_VIEW_FAILED = 2 /* has_failed from now on */
} wire_view_outcome;

/* Takes over the reply to GET_DEPTH. */
wire_view_outcome wire_view_loaded(wire_view *view, const matching_reply *reply);

/* The reads of a door's views. Each keeps its shard busy, so a shard gets a few at a time; one that
 * does not answer holds up its own views alone. */
typedef struct wire_shard_loads {
    bool is_wanted; /* some view of the shard may have to be read */
    unsigned under_way;
    size_t next; /* the instrument to go on with */
} wire_shard_loads;

typedef struct wire_loads {
    wire_shard_loads shards[MATCHING_SHARDS_MAX];
} wire_loads;

/* What a door brings to them. */
typedef struct wire_loader {
    /* The instrument's view, if it is to be read now; else NULL. */
    wire_view *(*wanted)(wire_server *server, size_t instrument);

    /* Asks for its depth, with a tag of the door's own: what wire_read_market says. */
    matching_code (*read)(wire_server *server, uint16_t instrument);
} wire_loader;

/* The view of this instrument, a listed one, may have to be read. */
void wire_loads_want(wire_loads *loads, const wire_server *server, uint16_t instrument);

/* At the end of a turn: reads what is wanted of the first `count` instruments, as far as there is
 * room; the next turn goes on. */
void wire_loads_submit(wire_loads *loads, wire_server *server, size_t count,
                       const wire_loader *loader);

/* wire_view_loaded for a read of wire_loads_submit. */
wire_view_outcome wire_loads_answered(wire_loads *loads, const wire_server *server, wire_view *view,
                                      uint16_t instrument, const matching_reply *reply);

/* Brings `best` to the present. True: it has changed. */
bool wire_view_move_best(wire_view *view);

#endif
