/* See ticker.h.
 *
 * Invariants: `closed` is in the order of time, each minute at most once and none older than
 * TICKER_MINUTES before the running one; `total` is what the closed ones add up to. A trade touches
 * the running minute alone.
 *
 * Not here: best prices and auctions, which are the book's.
 */
#include "market/ticker.h"

#define NS_PER_MINUTE UINT64_C(60000000000)

static ticker_minute *closed_at(const ticker *t, uint32_t n)
{
    uint32_t at = t->oldest + n;
    return &t->closed[at < TICKER_MINUTES ? at : at - TICKER_MINUTES];
}

/* The later minute's trades join the earlier ones. */
static void join(ticker_minute *sum, const ticker_minute *later)
{
    if (later->count == 0) {
        return;
    }
    if (sum->count == 0) {
        *sum = *later;
        return;
    }
    sum->high_ticks = later->high_ticks > sum->high_ticks ? later->high_ticks : sum->high_ticks;
    sum->low_ticks = later->low_ticks < sum->low_ticks ? later->low_ticks : sum->low_ticks;
    sum->count += later->count;
    sum->volume_lots += later->volume_lots;
    matching_turnover_add_all(&sum->turnover, &later->turnover);
}

/* The highest and lowest price of the closed minutes, of which there is one. */
static void find_extremes(ticker *t)
{
    t->total.high_ticks = closed_at(t, 0)->high_ticks;
    t->total.low_ticks = closed_at(t, 0)->low_ticks;
    for (uint32_t i = 1; i < t->closed_count; i++) {
        const ticker_minute *minute = closed_at(t, i);
        if (minute->high_ticks > t->total.high_ticks) {
            t->total.high_ticks = minute->high_ticks;
        }
        if (minute->low_ticks < t->total.low_ticks) {
            t->total.low_ticks = minute->low_ticks;
        }
    }
}

/* Lets go of the minutes that began before this time. */
static void drop_before(ticker *t, uint64_t begin_ns)
{
    bool lost_extreme = false;
    while (t->closed_count > 0 && closed_at(t, 0)->begin_ns < begin_ns) {
        const ticker_minute *gone = closed_at(t, 0);
        t->total.count -= gone->count;
        t->total.volume_lots -= gone->volume_lots;
        matching_turnover_subtract(&t->total.turnover, &gone->turnover);
        lost_extreme = lost_extreme || gone->high_ticks == t->total.high_ticks ||
                       gone->low_ticks == t->total.low_ticks;
        t->closed_count--;
        t->oldest = t->oldest + 1 < TICKER_MINUTES ? t->oldest + 1 : 0;
    }
    if (t->closed_count == 0) {
        t->total = (ticker_minute){0};
        return;
    }
    t->total.open_ticks = closed_at(t, 0)->open_ticks;
    if (lost_extreme) {
        find_extremes(t);
    }
}

/* Makes the minute of this time the running one. Room first: of 1,441 minutes in a row the oldest
 * has gone before the last one is closed. */
static void advance(ticker *t, uint64_t time_ns)
{
    if (time_ns - t->running.begin_ns < NS_PER_MINUTE || time_ns < t->running.begin_ns) {
        return;
    }
    uint64_t begin_ns = time_ns - time_ns % NS_PER_MINUTE;
    uint64_t window_ns = TICKER_MINUTES * NS_PER_MINUTE;
    drop_before(t, begin_ns > window_ns ? begin_ns - window_ns : 0);
    if (t->running.count > 0 && begin_ns - t->running.begin_ns <= window_ns) {
        *closed_at(t, t->closed_count) = t->running;
        t->closed_count++;
        join(&t->total, &t->running);
    }
    t->running = (ticker_minute){.begin_ns = begin_ns};
}

void ticker_add(ticker *t, uint64_t time_ns, int64_t price_ticks, int64_t quantity_lots)
{
    advance(t, time_ns);
    ticker_minute *running = &t->running;
    if (running->count == 0) {
        running->open_ticks = running->high_ticks = running->low_ticks = price_ticks;
    } else if (price_ticks > running->high_ticks) {
        running->high_ticks = price_ticks;
    } else if (price_ticks < running->low_ticks) {
        running->low_ticks = price_ticks;
    }
    running->count++;
    running->volume_lots += (matching_wide)quantity_lots;
    matching_turnover_add(&running->turnover,
                          (matching_wide)price_ticks * (matching_wide)quantity_lots);
    t->last_ticks = price_ticks;
}

bool ticker_restore(ticker *t, const ticker_minute *closed)
{
    uint64_t window_ns = TICKER_MINUTES * NS_PER_MINUTE;
    if (closed->count == 0 || closed->begin_ns >= t->running.begin_ns ||
        t->running.begin_ns - closed->begin_ns > window_ns ||
        (t->closed_count > 0 && closed_at(t, t->closed_count - 1)->begin_ns >= closed->begin_ns)) {
        return false;
    }
    *closed_at(t, t->closed_count++) = *closed;
    join(&t->total, closed);
    return true;
}

void ticker_read(ticker *t, uint64_t time_ns, matching_ticker *out)
{
    advance(t, time_ns);
    ticker_minute all = t->total;
    join(&all, &t->running);
    out->last_ticks = t->last_ticks;
    out->open_ticks = all.open_ticks;
    out->high_ticks = all.high_ticks;
    out->low_ticks = all.low_ticks;
    out->count = all.count;
    out->volume_lots = all.volume_lots;
    out->turnover = all.turnover;
    out->time_ns = time_ns;
}
