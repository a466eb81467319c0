/* The depth view: two sorted arrays a side, what is known now and what clients have been shown.
 *
 * Invariants: keys rise strictly, so the best level stands at the end and changes near the top move
 * little memory; `shown` is the top of what `known` was at the last step; every key at which the
 * two differ within the shown range is at or above `touched`.
 *
 * Not a book: it knows totals, no orders, and forgets levels far from the market.
 */
#include "matching/depth_view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64
#define ROOM_MAX (MATCHING_VIEW_KEPT + MATCHING_VIEW_KEPT / 4)
/* An incomplete side is read again well before the shown range could run out of known levels. */
#define LOAD_BELOW (2 * MATCHING_VIEW_SHOWN)

_Static_assert(LOAD_BELOW < MATCHING_VIEW_KEPT, "a fresh load must be enough for a while");

#define KEY_NONE INT64_MAX /* nothing touched */
#define KEY_ALL INT64_MIN  /* anything may have changed */

typedef struct known_side {
    matching_view_level *levels; /* room for `room`; in use: begin ... end - 1 */
    size_t room, begin, end;
    bool complete;   /* the book has no deeper levels */
    int64_t touched; /* the worst key changed since the last step */
    matching_view_level *shown;
    size_t shown_count, shown_room;
} known_side;

struct matching_depth_view {
    known_side sides[2];
    uint64_t sequence;       /* depth_sequence of the last event contained */
    uint64_t shown_sequence; /* the same as of the last step that changed something */
    uint64_t dropped;        /* depth_sequence of the last event that came while not ready */
    bool ready;
};

/* The better the level, the larger its key. */
static int64_t key_of(matching_side side, int64_t price_ticks)
{
    return side == MATCHING_BUY ? price_ticks : -price_ticks;
}

static size_t known_count(const known_side *known)
{
    return known->end - known->begin;
}

matching_depth_view *matching_depth_view_create(void)
{
    matching_depth_view *view = calloc(1, sizeof *view);
    if (view == NULL) {
        return NULL;
    }
    for (unsigned side = 0; side < 2; side++) {
        known_side *known = &view->sides[side];
        known->levels = malloc(FIRST_ROOM * sizeof *known->levels);
        known->shown = malloc(FIRST_ROOM * sizeof *known->shown);
        known->room = FIRST_ROOM;
        known->shown_room = FIRST_ROOM;
        known->touched = KEY_NONE;
        if (known->levels == NULL || known->shown == NULL) {
            matching_depth_view_destroy(view);
            return NULL;
        }
    }
    return view;
}

void matching_depth_view_destroy(matching_depth_view *view)
{
    if (view == NULL) {
        return;
    }
    for (unsigned side = 0; side < 2; side++) {
        free(view->sides[side].levels);
        free(view->sides[side].shown);
    }
    free(view);
}

/* Room for `wanted` levels as far as there is memory; true if there is that much. */
static bool grow(matching_view_level **levels, size_t *room, size_t wanted, size_t most)
{
    size_t larger = *room;
    while (larger < wanted) {
        larger *= 2;
    }
    larger = larger > most ? most : larger;
    if (larger <= *room) {
        return wanted <= *room;
    }
    matching_view_level *moved = realloc(*levels, larger * sizeof **levels);
    if (moved == NULL) {
        return wanted <= *room;
    }
    *levels = moved;
    *room = larger;
    return wanted <= larger;
}

static void load_side(known_side *known, const matching_level *levels, size_t count, bool complete)
{
    count = count > MATCHING_VIEW_KEPT ? MATCHING_VIEW_KEPT : count;
    known->begin = 0;
    known->end = 0;
    known->complete = complete && count <= MATCHING_VIEW_KEPT;
    if (!grow(&known->levels, &known->room, count, ROOM_MAX)) {
        count = known->room;
        known->complete = false;
    }
    for (size_t i = count; i-- > 0;) { /* best last */
        known->levels[known->end++] =
            (matching_view_level){levels[i].total_lots, levels[i].price_ticks};
    }
    known->touched = KEY_ALL;
}

bool matching_depth_view_load(matching_depth_view *view, const matching_depth *depth)
{
    if (view->dropped > depth->sequence || (view->ready && view->sequence > depth->sequence)) {
        return false;
    }
    load_side(&view->sides[MATCHING_BUY], depth->bids, depth->bid_count, depth->bids_complete);
    load_side(&view->sides[MATCHING_SELL], depth->asks, depth->ask_count, depth->asks_complete);
    view->sequence = depth->sequence;
    view->ready = true;
    return true;
}

void matching_depth_view_lose(matching_depth_view *view)
{
    view->ready = false;
}

bool matching_depth_view_ready(const matching_depth_view *view)
{
    return view->ready;
}

bool matching_depth_view_needs_load(const matching_depth_view *view)
{
    bool short_of_levels = false;
    for (unsigned side = 0; side < 2; side++) {
        const known_side *known = &view->sides[side];
        short_of_levels = short_of_levels || (!known->complete && known_count(known) < LOAD_BELOW);
    }
    return !view->ready || short_of_levels;
}

/* The first position whose key is not below this one. */
static size_t find(const known_side *known, matching_side side, int64_t key)
{
    size_t low = known->begin, high = known->end;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (key_of(side, known->levels[middle].price_ticks) < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Notes that the level of this key changed. Below a full shown range it need not be noted: a level
 * from there is told only when the range moves down to it, and then in full. */
static void touch(known_side *known, matching_side side, int64_t key)
{
    if (known->shown_count == MATCHING_VIEW_SHOWN &&
        key < key_of(side, known->shown[0].price_ticks)) {
        return;
    }
    known->touched = key < known->touched ? key : known->touched;
}

static void insert(known_side *known, matching_side side, size_t at, matching_view_level level)
{
    if (at == known->begin && !known->complete) {
        return; /* deeper than all that is known: there may be others between */
    }
    if (known_count(known) == MATCHING_VIEW_KEPT ||
        (known->end == known->room && known->begin == 0 &&
         !grow(&known->levels, &known->room, known->room + 1, ROOM_MAX))) {
        known->complete = false; /* the worst level makes room */
        if (at == known->begin) {
            return;
        }
        known->begin++;
    }
    if (known->end == known->room) {
        size_t count = known_count(known);
        memmove(known->levels, known->levels + known->begin, count * sizeof *known->levels);
        at -= known->begin;
        known->begin = 0;
        known->end = count;
    }
    memmove(known->levels + at + 1, known->levels + at, (known->end - at) * sizeof *known->levels);
    known->levels[at] = level;
    known->end++;
    touch(known, side, key_of(side, level.price_ticks));
}

static void remove_level(known_side *known, matching_side side, size_t at)
{
    touch(known, side, key_of(side, known->levels[at].price_ticks));
    known->end--;
    memmove(known->levels + at, known->levels + at + 1, (known->end - at) * sizeof *known->levels);
}

void matching_depth_view_apply(matching_depth_view *view, const matching_event *event)
{
    assert(event->kind == MATCHING_EVENT_LEVEL && event->side <= MATCHING_SELL);
    uint64_t sequence = event->level.depth_sequence;
    if (view->ready && sequence <= view->sequence) {
        return;
    }
    if (!view->ready || sequence != view->sequence + 1) {
        view->ready = false;
        view->dropped = sequence;
        return;
    }
    view->sequence = sequence;

    matching_side side = (matching_side)event->side;
    known_side *known = &view->sides[side];
    int64_t price = event->level.price_ticks;
    size_t at = find(known, side, key_of(side, price));
    bool found = at < known->end && known->levels[at].price_ticks == price;
    if (event->level.total_lots == 0) {
        if (found) {
            remove_level(known, side, at);
        }
    } else if (found) {
        known->levels[at].total_lots = event->level.total_lots;
        touch(known, side, key_of(side, price));
    } else {
        insert(known, side, at, (matching_view_level){event->level.total_lots, price});
    }
}

void matching_depth_view_best(const matching_depth_view *view, matching_view_best *best)
{
    const known_side *bids = &view->sides[MATCHING_BUY], *asks = &view->sides[MATCHING_SELL];
    *best = (matching_view_best){0};
    if (known_count(bids) > 0) {
        best->bid_ticks = bids->levels[bids->end - 1].price_ticks;
        best->bid_lots = bids->levels[bids->end - 1].total_lots;
    }
    if (known_count(asks) > 0) {
        best->ask_ticks = asks->levels[asks->end - 1].price_ticks;
        best->ask_lots = asks->levels[asks->end - 1].total_lots;
    }
}

/* Where differences go; with no list they are only counted. */
typedef struct difference {
    matching_view_level *changes;
    size_t count;
} difference;

static void tell(difference *out, int64_t price_ticks, matching_wide total_lots)
{
    if (out->changes != NULL) {
        out->changes[out->count] = (matching_view_level){total_lots, price_ticks};
    }
    out->count++;
}

/* Walks both lists from the best level down to the worst touched one, then settles the far end:
 * from there on the lists are the same, only one may reach deeper. */
static void compare(const known_side *known, matching_side side, const matching_view_level *fresh,
                    size_t fresh_count, difference *out)
{
    size_t old = known->shown_count, fresh_left = fresh_count;
    while (old > 0 || fresh_left > 0) {
        int64_t old_key = old > 0 ? key_of(side, known->shown[old - 1].price_ticks) : KEY_ALL;
        int64_t new_key =
            fresh_left > 0 ? key_of(side, fresh[fresh_left - 1].price_ticks) : KEY_ALL;
        if (old_key < known->touched && new_key < known->touched) {
            break;
        }
        if (old_key > new_key) {
            tell(out, known->shown[--old].price_ticks, 0);
        } else if (new_key > old_key) {
            fresh_left--;
            tell(out, fresh[fresh_left].price_ticks, fresh[fresh_left].total_lots);
        } else {
            old--;
            fresh_left--;
            if (known->shown[old].total_lots != fresh[fresh_left].total_lots) {
                tell(out, fresh[fresh_left].price_ticks, fresh[fresh_left].total_lots);
            }
        }
    }
    for (size_t leaving = old > fresh_left ? old - fresh_left : 0; leaving-- > 0;) {
        tell(out, known->shown[leaving].price_ticks, 0);
    }
    for (size_t entering = fresh_left > old ? fresh_left - old : 0; entering-- > 0;) {
        tell(out, fresh[entering].price_ticks, fresh[entering].total_lots);
    }
}

static size_t step_side(known_side *known, matching_side side, matching_view_level *changes)
{
    size_t count = known_count(known);
    count = count > MATCHING_VIEW_SHOWN ? MATCHING_VIEW_SHOWN : count;
    if (!grow(&known->shown, &known->shown_room, count, MATCHING_VIEW_SHOWN)) {
        count = known->shown_room;
    }
    const matching_view_level *fresh = known->levels + known->end - count;
    difference out = {changes, 0};
    compare(known, side, fresh, count, &out);
    if (out.count > 0) {
        memcpy(known->shown, fresh, count * sizeof *fresh);
        known->shown_count = count;
    }
    known->touched = KEY_NONE;
    return out.count;
}

bool matching_depth_view_step(matching_depth_view *view, matching_depth_step *step)
{
    if (!view->ready || (view->sides[MATCHING_BUY].touched == KEY_NONE &&
                         view->sides[MATCHING_SELL].touched == KEY_NONE)) {
        return false;
    }
    size_t counts[2];
    for (unsigned side = 0; side < 2; side++) {
        counts[side] = step_side(&view->sides[side], (matching_side)side,
                                 step != NULL ? step->changes[side] : NULL);
    }
    bool changed = counts[MATCHING_BUY] + counts[MATCHING_SELL] > 0;
    if (!changed && step != NULL) {
        return false; /* the sequence stays: who follows must find each step's prev_sequence */
    }
    if (step != NULL) {
        step->counts[MATCHING_BUY] = counts[MATCHING_BUY];
        step->counts[MATCHING_SELL] = counts[MATCHING_SELL];
        step->prev_sequence = view->shown_sequence;
        step->sequence = view->sequence;
    }
    view->shown_sequence = view->sequence;
    return changed;
}

uint64_t matching_depth_view_sequence(const matching_depth_view *view)
{
    return view->shown_sequence;
}

size_t matching_depth_view_count(const matching_depth_view *view, matching_side side)
{
    return view->sides[side].shown_count;
}

const matching_view_level *matching_depth_view_level(const matching_depth_view *view,
                                                     matching_side side, size_t rank)
{
    const known_side *known = &view->sides[side];
    assert(rank < known->shown_count);
    return &known->shown[known->shown_count - 1 - rank];
}
