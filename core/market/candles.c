/* See candles.h.
 *
 * Invariants: a running candle covers time_ns and has at least one trade; since each interval is a
 * multiple of the one before, a running candle implies that those of all longer intervals run, and
 * the shortest running one ends first. next_end_ns is its end.
 *
 * Not here: who is told of a candle how often, and where final ones are kept.
 */
#include "matching/candles.h"

#include <string.h>

#define NS_PER_S UINT64_C(1000000000)

static const uint32_t seconds_of[MATCHING_INTERVALS] = {1, 30, 60, 300, 900, 3600, 14400, 86400};

uint32_t matching_interval_seconds(unsigned interval)
{
    return interval < MATCHING_INTERVALS ? seconds_of[interval] : 0;
}

void matching_candles_init(matching_candles *candles)
{
    memset(candles, 0, sizeof *candles);
    candles->next_end_ns = UINT64_MAX;
}

static uint64_t end_ns_of(const matching_candle *candle)
{
    return (candle->start_s + seconds_of[candle->interval]) * NS_PER_S;
}

static void find_next_end(matching_candles *candles)
{
    candles->next_end_ns = UINT64_MAX;
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        if (candles->running[i].update_count > 0) {
            candles->next_end_ns = end_ns_of(&candles->running[i]);
            return;
        }
    }
}

/* Some candle has ended. The longer a candle, the later its end, so the first that has not ended
 * is followed by none that has. */
static void end_candles(matching_candles *candles, matching_candle_sink *sink, void *context)
{
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        matching_candle *candle = &candles->running[i];
        if (candle->update_count == 0) {
            continue;
        }
        if (end_ns_of(candle) > candles->time_ns) {
            break;
        }
        candle->is_final = 1;
        candles->changed &= (uint8_t) ~(1u << i);
        if (sink != NULL) {
            sink(context, candle);
        }
        candle->update_count = 0;
    }
    find_next_end(candles);
}

void matching_candles_advance(matching_candles *candles, uint64_t time_ns,
                              matching_candle_sink *sink, void *context)
{
    if (time_ns > candles->time_ns) {
        candles->time_ns = time_ns;
    }
    if (candles->time_ns >= candles->next_end_ns) {
        end_candles(candles, sink, context);
    }
}

/* Begins those candles that do not run. */
static void begin_candles(matching_candles *candles, int64_t price_ticks)
{
    uint64_t now_s = candles->time_ns / NS_PER_S;
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        if (candles->running[i].update_count == 0) {
            candles->running[i] = (matching_candle){.start_s = now_s - now_s % seconds_of[i],
                                                    .open_ticks = price_ticks,
                                                    .high_ticks = price_ticks,
                                                    .low_ticks = price_ticks,
                                                    .interval = (uint8_t)i};
        }
    }
    candles->next_end_ns = end_ns_of(&candles->running[0]);
}

void matching_candles_trade(matching_candles *candles, uint64_t time_ns, int64_t price_ticks,
                            int64_t quantity_lots, matching_candle_sink *sink, void *context)
{
    matching_candles_advance(candles, time_ns, sink, context);
    if (candles->running[0].update_count == 0) {
        begin_candles(candles, price_ticks);
    }
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        matching_candle *candle = &candles->running[i];
        candle->high_ticks = price_ticks > candle->high_ticks ? price_ticks : candle->high_ticks;
        candle->low_ticks = price_ticks < candle->low_ticks ? price_ticks : candle->low_ticks;
        candle->close_ticks = price_ticks;
        candle->volume_lots += (matching_wide)quantity_lots;
        candle->update_count++;
    }
    candles->changed = (uint8_t)((1u << MATCHING_INTERVALS) - 1);
}

void matching_candles_changed(matching_candles *candles, matching_candle_sink *sink, void *context)
{
    for (unsigned i = 0; candles->changed != 0; i++) {
        if ((candles->changed & (1u << i)) != 0) {
            candles->changed &= (uint8_t) ~(1u << i);
            sink(context, &candles->running[i]);
        }
    }
}

/* ---- Going on after a restart --------------------------------------------------------------- */

static bool lies_within(int64_t ticks, const matching_candle *candle)
{
    return ticks >= candle->low_ticks && ticks <= candle->high_ticks;
}

/* A candle that can be running at this time, of an interval that has none yet. */
static bool may_run(const matching_candles *candles, const matching_candle *candle)
{
    if (candle->interval >= MATCHING_INTERVALS || candle->is_final != 0 ||
        candles->running[candle->interval].update_count > 0) {
        return false;
    }
    uint64_t now_s = candles->time_ns / NS_PER_S;
    return candle->start_s == now_s - now_s % seconds_of[candle->interval] &&
           candle->update_count > 0 && candle->volume_lots >= candle->update_count &&
           candle->low_ticks > 0 && lies_within(candle->open_ticks, candle) &&
           lies_within(candle->close_ticks, candle);
}

/* A longer candle contains the trades of the shorter one, and ends with the same. */
static bool contains(const matching_candle *longer, const matching_candle *shorter)
{
    return longer->update_count >= shorter->update_count &&
           longer->volume_lots >= shorter->volume_lots && lies_within(shorter->low_ticks, longer) &&
           lies_within(shorter->high_ticks, longer) && longer->close_ticks == shorter->close_ticks;
}

static bool is_consistent(const matching_candles *candles)
{
    for (unsigned i = 0; i + 1 < MATCHING_INTERVALS; i++) {
        const matching_candle *shorter = &candles->running[i], *longer = shorter + 1;
        if (shorter->update_count > 0 && !contains(longer, shorter)) {
            return false;
        }
    }
    return true;
}

bool matching_candles_resume(matching_candles *candles, uint64_t time_ns,
                             const matching_candle *running, size_t count)
{
    matching_candles_init(candles);
    candles->time_ns = time_ns;
    for (size_t i = 0; i < count; i++) {
        if (!may_run(candles, &running[i])) {
            matching_candles_init(candles);
            return false;
        }
        candles->running[running[i].interval] = running[i];
    }
    if (!is_consistent(candles)) {
        matching_candles_init(candles);
        return false;
    }
    find_next_end(candles);
    return true;
}
