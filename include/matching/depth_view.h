/* A reader's copy of one instrument's visible book, and what changed in it from step to step.
 *
 * Built from a READ_DEPTH reply and kept up by the LEVEL events that follow it. What clients see is
 * the best MATCHING_VIEW_SHOWN levels of a side as of the last step; a step moves that forward and
 * tells the exact difference, so that a client who applies every step to its snapshot always has
 * the same levels.
 *
 * Thread: a view belongs to one thread. Memory: grows with the book up to MATCHING_VIEW_KEPT levels
 * a side, never beyond.
 */
#ifndef MATCHING_DEPTH_VIEW_H
#define MATCHING_DEPTH_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "matching/event.h"
#include "matching/port.h"

#define MATCHING_VIEW_SHOWN 1000
#define MATCHING_VIEW_KEPT MATCHING_DEPTH_LEVELS_MAX

typedef struct matching_depth_view matching_depth_view;

typedef struct matching_view_level {
    matching_wide total_lots; /* visible; 0 in a step: no longer among the shown levels */
    int64_t price_ticks;
} matching_view_level;

/* The best of the book as of the last event. Price 0: the side is empty. */
typedef struct matching_view_best {
    int64_t bid_ticks, ask_ticks;
    matching_wide bid_lots, ask_lots;
} matching_view_best;

/* What a step changed. Some 128 kB: the caller keeps one and uses it for every view. */
typedef struct matching_depth_step {
    uint64_t prev_sequence; /* of the step (or snapshot) before */
    uint64_t sequence;      /* of this one */
    size_t counts[2];       /* by matching_side */
    /* Best first. A step can take every shown level away and show as many others. */
    matching_view_level changes[2][2 * MATCHING_VIEW_SHOWN];
} matching_depth_step;

/* An empty view that knows nothing yet. NULL when out of memory. destroy takes NULL too. */
matching_depth_view *matching_depth_view_create(void);
void matching_depth_view_destroy(matching_depth_view *view);

/* Takes over a READ_DEPTH reply (asked for with limit MATCHING_VIEW_KEPT). False: events after the
 * reply have already been dropped, so it is of no use; read again. What clients see changes with
 * the next step, never here: a reload needs no fresh snapshots. */
bool matching_depth_view_load(matching_depth_view *view, const matching_depth *depth);

/* Applies a LEVEL event of the instrument. Events that the view already contains are ignored; after
 * a gap in depth_sequence the view is no longer ready until the next load. */
void matching_depth_view_apply(matching_depth_view *view, const matching_event *event);

/* Events were lost: the view is no longer ready until the next load. */
void matching_depth_view_lose(matching_depth_view *view);

/* The view mirrors the book. While it does not, steps say that nothing changed. */
bool matching_depth_view_ready(const matching_depth_view *view);

/* The owner should read the depth and load it: the view is not ready, or deeper levels than it
 * keeps will soon be needed. */
bool matching_depth_view_needs_load(const matching_depth_view *view);

void matching_depth_view_best(const matching_depth_view *view, matching_view_best *best);

/* Moves what clients see to the present. True: something changed, *step is filled in. step NULL: as
 * well, for when nobody is told. */
bool matching_depth_view_step(matching_depth_view *view, matching_depth_step *step);

/* What clients see: as of the last step, rank 0 is the best level of the side. */
uint64_t matching_depth_view_sequence(const matching_depth_view *view);
size_t matching_depth_view_count(const matching_depth_view *view, matching_side side);
const matching_view_level *matching_depth_view_level(const matching_depth_view *view,
                                                     matching_side side, size_t rank);

#endif
