/* The oracle's uncross: every price is tried, and lots are handed out one part at a time.
 *
 * A part is what an order shows, or what it hides; of a level all that is shown comes first.
 */
#include "oracle_internal.h"

#define EVERY_TICK_UP_TO 2000 /* wider books: only prices at and beside those of orders */

static bool rests_in(const record *r, uint16_t instrument)
{
    return r->order.instrument == instrument && oracle_is_resting(r);
}

/* What would trade at this price or better, of one side. */
static matching_wide willing(const oracle *o, uint16_t instrument, unsigned side, int64_t price)
{
    matching_wide sum = 0;
    for (size_t i = 0; i < o->working_count; i++) {
        const record *r = &o->working[i];
        if (rests_in(r, instrument) && r->order.side == side &&
            !oracle_better(side, price, r->order.price_ticks)) {
            sum += (matching_wide)oracle_remaining(&r->order);
        }
    }
    return sum;
}

static int64_t best_price(const oracle *o, uint16_t instrument, unsigned side)
{
    int64_t best = 0;
    for (size_t i = 0; i < o->working_count; i++) {
        const record *r = &o->working[i];
        if (rests_in(r, instrument) && r->order.side == side &&
            (best == 0 || oracle_better(side, r->order.price_ticks, best))) {
            best = r->order.price_ticks;
        }
    }
    return best;
}

bool oracle_is_crossed(const oracle *o, uint16_t instrument)
{
    int64_t bid = best_price(o, instrument, MATCHING_BUY);
    int64_t ask = best_price(o, instrument, MATCHING_SELL);
    return bid != 0 && ask != 0 && bid >= ask;
}

typedef struct trial {
    int64_t price;
    matching_wide volume, imbalance, distance;
} trial;

/* Holds one more price against the best so far. */
static void try_price(const oracle *o, uint16_t instrument, int64_t price, trial *best)
{
    matching_wide buys = willing(o, instrument, MATCHING_BUY, price);
    matching_wide sells = willing(o, instrument, MATCHING_SELL, price);
    int64_t last = o->markets[instrument].last_price;
    trial t = {.price = price,
               .volume = buys < sells ? buys : sells,
               .imbalance = buys < sells ? sells - buys : buys - sells,
               .distance =
                   last == 0 ? 0 : (matching_wide)(price < last ? last - price : price - last)};
    bool wins = t.volume > best->volume;
    if (t.volume == best->volume) {
        wins = t.imbalance < best->imbalance;
        if (t.imbalance == best->imbalance) {
            wins = t.distance < best->distance;
            if (t.distance == best->distance) {
                wins = t.price < best->price;
            }
        }
    }
    if (best->price == 0 || wins) {
        *best = t;
    }
}

static trial best_trial(const oracle *o, uint16_t instrument)
{
    trial best = {0};
    int64_t high = best_price(o, instrument, MATCHING_BUY);
    int64_t low = best_price(o, instrument, MATCHING_SELL);
    if (high - low <= EVERY_TICK_UP_TO) {
        for (int64_t price = low; price <= high; price++) {
            try_price(o, instrument, price, &best);
        }
        return best;
    }
    int64_t last = o->markets[instrument].last_price;
    if (last >= low && last <= high) {
        try_price(o, instrument, last, &best);
    }
    for (size_t i = 0; i < o->working_count; i++) {
        const record *r = &o->working[i];
        for (int64_t price = r->order.price_ticks - 1;
             rests_in(r, instrument) && price <= r->order.price_ticks + 1; price++) {
            if (price >= low && price <= high) {
                try_price(o, instrument, price, &best);
            }
        }
    }
    return best;
}

bool oracle_indicative(const oracle *o, uint16_t instrument, int64_t *price_ticks,
                       matching_wide *volume_lots)
{
    if (!oracle_is_crossed(o, instrument)) {
        return false;
    }
    trial best = best_trial(o, instrument);
    *price_ticks = best.price;
    *volume_lots = best.volume;
    return true;
}

/* Is a's next part to be filled before b's? */
static bool comes_first(const record *a, const record *b)
{
    if (a->order.price_ticks != b->order.price_ticks) {
        return oracle_better(a->order.side, a->order.price_ticks, b->order.price_ticks);
    }
    if ((a->shown > 0) != (b->shown > 0)) {
        return a->shown > 0;
    }
    return a->arrival < b->arrival;
}

/* The order of a side whose turn it is. filled: of those that are filled, else of the others. */
static record *next_of(oracle *o, uint16_t instrument, unsigned side, bool filled)
{
    record *next = NULL;
    for (size_t i = 0; i < o->working_count; i++) {
        record *r = &o->working[i];
        bool wanted = filled ? r->order.status == MATCHING_FILLED : oracle_is_resting(r);
        if (wanted && r->order.instrument == instrument && r->order.side == side &&
            (next == NULL || comes_first(r, next))) {
            next = r;
        }
    }
    return next;
}

static int64_t part_of(const record *r)
{
    return r->shown > 0 ? r->shown : oracle_remaining(&r->order);
}

static void fill_part(oracle *o, record *r, int64_t price, int64_t lots)
{
    if (r->shown > 0) {
        r->shown -= lots;
    }
    oracle_fill(o, r, price, lots);
}

/* Filled orders end: the buys first, each side in its priority. Spent slices are renewed and join
 * the back, in the order in which they stood. */
static void tidy(oracle *o, uint16_t instrument)
{
    for (unsigned side = 0; side < 2; side++) {
        record *filled;
        while ((filled = next_of(o, instrument, side, true)) != NULL) {
            oracle_remember_ended(o, filled);
            oracle_take_working(o, filled);
        }
    }
    for (;;) {
        record *spent = NULL;
        for (size_t i = 0; i < o->working_count; i++) {
            record *r = &o->working[i];
            if (rests_in(r, instrument) && r->shown == 0 &&
                (spent == NULL || r->arrival < spent->arrival)) {
                spent = r;
            }
        }
        if (spent == NULL) {
            return;
        }
        oracle_show_slice(spent);
        spent->arrival = ++o->arrivals;
    }
}

void oracle_uncross(oracle *o, uint16_t instrument)
{
    if (!oracle_is_crossed(o, instrument)) {
        return;
    }
    market *m = &o->markets[instrument];
    trial at = best_trial(o, instrument);
    for (matching_wide left = at.volume; left > 0;) {
        record *buy = next_of(o, instrument, MATCHING_BUY, false);
        record *sell = next_of(o, instrument, MATCHING_SELL, false);
        int64_t lots = part_of(buy) < part_of(sell) ? part_of(buy) : part_of(sell);
        if ((matching_wide)lots > left) {
            lots = (int64_t)left;
        }
        left -= (matching_wide)lots;
        uint64_t trade_id = ++m->last_trade_id;
        m->last_price = at.price;
        oracle_tell_trade(o, sell, buy, trade_id, at.price, lots);
        o->events[o->event_count - 1].side = MATCHING_SIDE_NONE;
        fill_part(o, sell, at.price, lots);
        oracle_tell_order(o, sell, trade_id, at.price, lots);
        fill_part(o, buy, at.price, lots);
        oracle_tell_order(o, buy, trade_id, at.price, lots);
    }
    tidy(o, instrument);
}
