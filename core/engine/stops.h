/* Stops as the other files see them: seldom there, so asking for any costs next to nothing. */
#ifndef MATCHING_ENGINE_STOPS_H
#define MATCHING_ENGINE_STOPS_H

#include "engine/events.h"
#include "engine/queues.h"

static inline unsigned stop_kind(unsigned side)
{
    return side == MATCHING_BUY ? BUY_STOPS : SELL_STOPS;
}

static inline bool has_stops(const book_record *book)
{
    return (book->sides[BUY_STOPS].best | book->sides[SELL_STOPS].best) != 0;
}

/* After a change of state or of stops. */
static inline void book_note_plain(book_record *book)
{
    book->is_plain = book->state == MATCHING_TRADING && !has_stops(book);
}

/* After a command: stops whose price has come enter. */
static inline void stops_run(apply_context *context, uint16_t instrument)
{
    if (unlikely(has_stops(&context->engine->books[instrument]))) {
        stops_cascade(context, instrument);
    }
}

#endif
