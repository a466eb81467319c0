/* A door's view of an instrument's book (matching/depth_view.h): how it is read, and what it shows.
 *
 * A view that the door does not keep up is lost (matching_depth_view_lose) and read again for the
 * next who follows it. Thread: the server's.
 */
#ifndef MATCHING_WIRE_VIEWS_H
#define MATCHING_WIRE_VIEWS_H

#include "matching/depth_view.h"
#include "server.h"

#define WIRE_LOADS_AT_ONCE                                                                         \
    8u /* reads of views that a door has under way: each keeps a shard busy */

typedef struct wire_view {
    matching_depth_view *depth; /* NULL: none yet */
    matching_view_best best;    /* as last told; prices 0 while the book is crossed */
    bool is_loading;            /* a read is under way */
    bool has_failed; /* its shard no longer answers reads: what is known stays as it is */
} wire_view;

/* Somebody follows it: is it to be read now? */
bool wire_view_wants_load(const wire_view *view);

/* Reads an instrument, `action` being GET_DEPTH (for a view) or GET_TICKER: MATCHING_OK, a reply with
 * this tag will come, or what the port said. */
matching_code wire_read_market(wire_server *server, matching_action action, uint16_t instrument,
                               uint64_t tag);

typedef enum wire_view_outcome {
    WIRE_VIEW_LOADED = 0,
    WIRE_VIEW_AGAIN = 1, /* it is of no use: read again */
    WIRE_VIEW_FAILED = 2 /* has_failed from now on */
} wire_view_outcome;

/* Takes over the reply to GET_DEPTH. */
wire_view_outcome wire_view_loaded(wire_view *view, const matching_reply *reply);

/* Brings `best` to the present. True: it has changed. */
bool wire_view_move_best(wire_view *view);

#endif
