/* See truth.h. */
#define _GNU_SOURCE
#include "crash/truth.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/process.h"
#include "crash/segments.h"
#include "journal/checksum.h"
#include "journal/codec.h"

#define CHECK_EVERY 64u /* commands between two walks of all invariants */
#define PAGE_MAX 1000u

/* A shard's way through a life's log. */
typedef struct follower {
    truth *t;
    truth_shard *s;
    const life *l;
    truth_expectation expected;
    unsigned *steps; /* numbers of those that were sent to this shard, in their order */
    unsigned count, next;
    unsigned next_trade;
    uint64_t begun_at; /* sequence before this life */
    bool met_recovered;
} follower;

__attribute__((format(printf, 2, 3))) _Noreturn static void wrong(const follower *f,
                                                                  const char *format, ...)
{
    char what[1800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    process_give_up("%s: shard %u, life %" PRIu64 ", after command %" PRIu64 " (the life began "
                    "after %" PRIu64 "): %s",
                    f->l->folder, f->s->number, f->t->counts.lives, f->s->sequence, f->begun_at,
                    what);
}

/* As an engine is that no instrument was added to. */
static void forget_sizes(duel *d)
{
    for (uint16_t i = 0; i < d->engine.limits.instruments; i++) {
        fixture_set_instrument(&d->engine, i, 1, 1);
        oracle_set_instrument(d->oracle, i, 1, 1);
    }
}

void truth_init(truth *t, const life *set_up, const char *journals)
{
    *t = (truth){.shards = set_up->shards,
                 .limits = {.instruments = LIFE_SYMBOLS_MAX,
                            .max_orders = set_up->max_orders,
                            .max_levels = set_up->max_levels,
                            .max_traders = set_up->max_traders,
                            .retained_orders = set_up->retained_orders}};
    snprintf(t->journals, sizeof t->journals, "%s", journals);
    while (1u << t->limits.shard_bits < t->shards) {
        t->limits.shard_bits++;
    }
    t->shard = calloc(t->shards, sizeof *t->shard);
    for (unsigned i = 0; i < t->shards; i++) {
        matching_engine_limits limits = t->limits;
        limits.shard = t->shard[i].number = i;
        duel_init(&t->shard[i].duel, &limits);
        forget_sizes(&t->shard[i].duel);
        if (books_init(&t->shard[i].books, &limits, TRUTH_RECENT) != 0) {
            process_give_up("no memory for books");
        }
    }
}

void truth_fini(truth *t)
{
    for (unsigned i = 0; i < t->shards; i++) {
        duel_fini(&t->shard[i].duel);
        books_fini(&t->shard[i].books);
    }
    free(t->shard);
}

/* ---- One command ----------------------------------------------------------------------------- */

static unsigned symbol_number(const follower *f, const char symbol[MATCHING_TRADER_MAX])
{
    for (unsigned i = 0; i < LIFE_SYMBOLS_MAX; i++) {
        if (strncmp(symbol, life_symbol(i), MATCHING_TRADER_MAX) == 0) {
            return i;
        }
    }
    wrong(f, "an instrument that nobody added: %.16s", symbol);
}

/* The oracle knows no additions: to it, and to the depth that is followed, only time passes. */
static void add_instrument(follower *f, const matching_command *command)
{
    truth_shard *s = f->s;
    fixture *engine = &s->duel.engine;
    unsigned number = symbol_number(f, command->symbol);
    matching_command time = {.type = MATCHING_TICK, .time_ns = command->time_ns};
    if (s->is_there[command->instrument]) {
        wrong(f, "instrument %u was added before", command->instrument);
    }
    s->is_there[command->instrument] = true;
    s->symbols[command->instrument] = (uint8_t)number;
    oracle_set_instrument(s->duel.oracle, command->instrument, command->price_ticks,
                          command->quantity_lots);
    if (!duel_apply(&s->duel, &time, false)) {
        wrong(f, "%s", s->duel.difference);
    }
    engine->sequence--;
    engine->time_ns = command->time_ns - 1;
    fixture_try(engine, *command, true);
    if (engine->difference != NULL) {
        wrong(f, "twin: %s", engine->difference);
    }
}

static void apply(follower *f, const matching_command *command)
{
    truth_shard *s = f->s;
    fixture *engine = &s->duel.engine;
    if (command->sequence != s->sequence + 1 || command->time_ns < s->books.time_ns) {
        wrong(f, "the journal goes on with command %" PRIu64 " of time %" PRIu64, command->sequence,
              command->time_ns);
    }
    engine->time_ns = command->time_ns - 1; /* it gives a command its own time if that is later */
    if (command->type == MATCHING_ADD_INSTRUMENT) {
        add_instrument(f, command);
    } else if (!duel_apply(&s->duel, command, command->sequence % CHECK_EVERY == 0)) {
        wrong(f, "%s", s->duel.difference);
    }
    if (engine->sequence != command->sequence || engine->time_ns != command->time_ns) {
        wrong(f, "this test has lost its count");
    }
    books_replay(&s->books, command, NULL);
    if (f->t->past != NULL) {
        past_apply(f->t->past, s->number, command);
    }
    s->sequence = command->sequence;
    f->t->counts.commands++;
}

/* ---- What was recovered ---------------------------------------------------------------------- */

static bool add_checksum(void *context, const void *bytes, size_t size)
{
    uint32_t *checksum = context;
    *checksum = checksum_crc32c(*checksum, bytes, size);
    return true;
}

/* The life said what it found at its start: is it this? */
static void check_recovered(follower *f)
{
    const life *l = f->l;
    unsigned n = f->s->number;
    if (atomic_load(&l->stage) < LIFE_RECOVERED || l->recovered[n].sequence != f->s->sequence) {
        return;
    }
    uint32_t checksum = 0;
    matching_state_output output = {.write = add_checksum, .context = &checksum};
    books_save(&f->s->books, &output);
    uint64_t hash = matching_engine_hash(f->s->books.engine);
    if (hash != matching_engine_hash(f->s->duel.engine.engine)) {
        wrong(f, "replay and oracle came to different states");
    }
    if (hash != l->recovered[n].state_hash || checksum != l->recovered[n].checksum) {
        wrong(f,
              "another state was recovered: hash %016" PRIx64 " instead of %016" PRIx64
              ", checksum of all %08x instead of %08x",
              l->recovered[n].state_hash, hash, l->recovered[n].checksum, checksum);
    }
    f->met_recovered = true;
}

/* ---- Reads ----------------------------------------------------------------------------------- */

static void read_orders(const follower *f, const matching_command *command, matching_reply *reply)
{
    static matching_order orders[PAGE_MAX];
    const matching_engine *engine = f->s->duel.engine.engine;
    matching_order_page page = {.orders = orders, .capacity = command->limit};
    while (!page.done) {
        if (command->type == MATCHING_READ_OPEN_ORDERS) {
            matching_engine_read_open_orders(engine, command, &page, 4096);
        } else {
            matching_engine_read_orders(engine, command, &page, 4096);
        }
    }
    reply->order_count = page.count;
    reply->orders_complete = !page.more;
    reply->orders = orders;
}

/* What the truth answers to a read. */
static uint64_t digest_of_read(const follower *f, const matching_command *command)
{
    static matching_level levels[2][PAGE_MAX];
    static matching_trade trades[TRUTH_RECENT];
    const matching_engine *engine = f->s->duel.engine.engine;
    matching_reply reply = {.type = command->type};
    matching_depth depth = {.bids = levels[0], .asks = levels[1]}, best = depth;
    matching_ticker day = {0};
    ticker now; /* a read moves its minutes on, which no replay knows of */
    switch (command->type) {
    case MATCHING_READ_ORDER:
        matching_engine_read_order(engine, command, &reply);
        break;
    case MATCHING_READ_DEPTH:
        matching_engine_read_depth(engine, command->instrument, command->limit, &depth);
        reply.depth = &depth;
        break;
    case MATCHING_READ_TRADES:
        reply.trades = trades;
        reply.trade_count = recent_trades_read(&f->s->books.recent[command->instrument], 0, 0,
                                               command->limit, trades);
        break;
    case MATCHING_READ_TICKER:
        now = f->s->books.tickers[command->instrument];
        ticker_read(&now, f->s->books.time_ns, &day);
        matching_engine_read_depth(engine, command->instrument, 1, &best);
        if (!matching_engine_indicative(engine, command->instrument, &day.indicative_ticks,
                                        &day.indicative_lots)) {
            day.bid_ticks = best.bid_count > 0 ? best.bids[0].price_ticks : 0;
            day.ask_ticks = best.ask_count > 0 ? best.asks[0].price_ticks : 0;
        }
        reply.ticker = &day;
        break;
    default:
        read_orders(f, command, &reply);
        break;
    }
    return life_digest(&reply);
}

static bool is_read(const life_step *step)
{
    return step->command.type >= MATCHING_READ_ORDER;
}

/* One reply for several shards: what it says may be another's. */
static bool goes_to_all(const life_step *step)
{
    return step->command.type == MATCHING_CANCEL_ALL &&
           (step->command.flags & MATCHING_FLAG_ALL_SYMBOLS) != 0;
}

static bool is_answered(const life_step *step)
{
    return atomic_load(&step->state) == STEP_ANSWERED && step->code != MATCHING_INTERNAL_ERROR;
}

/* Reads that were answered while this was the last command. */
static void check_reads(follower *f)
{
    for (; f->next < f->count; f->next++) {
        const life_step *step = &f->l->steps[f->steps[f->next]];
        if (!is_read(step)) {
            return;
        }
        if (!is_answered(step)) {
            continue;
        }
        if (step->sequence != f->s->sequence) {
            return;
        }
        if (step->digest != digest_of_read(f, &step->command)) {
            wrong(f, "read %u (type %u, instrument %u) was answered otherwise", f->steps[f->next],
                  step->command.type, step->command.instrument);
        }
        f->t->counts.reads++;
    }
}

/* ---- Events ---------------------------------------------------------------------------------- */

static bool same_trade(const matching_event *a, const matching_event *b)
{
    return a->sequence_low == b->sequence_low && a->time_ns == b->time_ns &&
           a->instrument == b->instrument && a->side == b->side &&
           a->trade.trade_id == b->trade.trade_id && a->trade.price_ticks == b->trade.price_ticks &&
           a->trade.quantity_lots == b->trade.quantity_lots &&
           a->trade.maker_order_id == b->trade.maker_order_id &&
           a->trade.taker_order_id == b->trade.taker_order_id &&
           a->trade.maker_trader == b->trade.maker_trader &&
           a->trade.taker_trader == b->trade.taker_trader;
}

/* The life's next trade of this shard; NULL: it has seen no more. */
static const matching_event *next_trade(follower *f)
{
    unsigned count = atomic_load(&f->l->trade_count);
    while (f->next_trade < count && f->l->trades[f->next_trade].shard != f->s->number) {
        f->next_trade++;
    }
    return f->next_trade < count ? &f->l->trades[f->next_trade].event : NULL;
}

/* The trades of the last command, as far as the life has seen them. */
static void check_trades(follower *f)
{
    const fixture *engine = &f->s->duel.engine;
    for (size_t i = 0; i < engine->event_count; i++) {
        const matching_event *event = &engine->events[i].event;
        const matching_event *seen = next_trade(f);
        if (event->kind != MATCHING_EVENT_TRADE || seen == NULL) {
            continue;
        }
        if (!same_trade(event, seen)) {
            wrong(f, "trade %" PRIu64 " of instrument %u was shown, not %" PRIu64 " of %u",
                  seen->trade.trade_id, seen->instrument, event->trade.trade_id, event->instrument);
        }
        f->next_trade++;
        f->t->counts.trades++;
    }
}

/* ---- Commands -------------------------------------------------------------------------------- */

/* Byte for byte what the journal keeps. */
static bool same_command(const matching_command *planned, const matching_command *found)
{
    _Alignas(8) unsigned char bytes[2][JOURNAL_RECORD_MAX];
    matching_command sent = *planned;
    sent.sequence = found->sequence;
    sent.time_ns = found->time_ns;
    if (sent.type == MATCHING_ADD_INSTRUMENT) {
        sent.instrument = found->instrument;
        sent.instrument_id = found->instrument_id;
    } else {
        sent.instrument_id = 0;
    }
    sent.trader_hint = 0;
    size_t size = journal_encode(&sent, bytes[0]);
    return size == journal_encode(found, bytes[1]) && memcmp(bytes[0], bytes[1], size) == 0;
}

/* Which of the steps that were sent is this? LIFE_STEPS_MAX: none. */
static unsigned find_step(const follower *f, const matching_command *command)
{
    for (unsigned i = 0; i < f->count; i++) {
        if (same_command(&f->l->steps[f->steps[i]].command, command)) {
            return f->steps[i];
        }
    }
    return LIFE_STEPS_MAX;
}

/* What a shard enters by itself, where it may. */
static bool is_own(const follower *f, const matching_command *command)
{
    bool is_first = f->s->sequence == f->begun_at;
    switch (command->type) {
    case MATCHING_TICK:
        return true;
    case MATCHING_SET_LIMITS:
        return command->sequence == 1;
    case MATCHING_CANCEL_GUARDED:
        return is_first && command->sequence > 1 && !f->t->was_clean;
    case MATCHING_RELEASE_GUARDS:
        return !f->l->lingers;
    case MATCHING_ADD_INSTRUMENT:
        return symbol_number(f, command->symbol) < LIFE_SYMBOLS;
    default:
        return false;
    }
}

/* An addition: which shard it went to only its answer says, and one that was refused is no
 * command. */
static bool is_optional(const life_step *step)
{
    return step->command.type == MATCHING_ADD_INSTRUMENT &&
           (!is_answered(step) || step->code != MATCHING_OK);
}

/* A planned one comes: was it sent, is it its turn, and was its answer right? */
static void follow_planned(follower *f, const matching_command *command)
{
    while (f->next < f->count && is_optional(&f->l->steps[f->steps[f->next]]) &&
           !same_command(&f->l->steps[f->steps[f->next]].command, command)) {
        f->next++;
        check_reads(f);
    }
    if (f->next == f->count) {
        wrong(f, "command %" PRIu64 " (type %u) was not sent", command->sequence, command->type);
    }
    const life_step *step = &f->l->steps[f->steps[f->next]];
    if (is_read(step)) {
        wrong(f, "read %u was answered as of command %" PRIu64, f->steps[f->next], step->sequence);
    }
    if (!same_command(&step->command, command)) {
        wrong(f,
              "command %" PRIu64 " (type %u) is not the next one that was sent, %u (type %u), but "
              "%u",
              command->sequence, command->type, f->steps[f->next], step->command.type,
              find_step(f, command));
    }
    apply(f, command);
    if (is_answered(step) && !goes_to_all(step) && step->command.type != MATCHING_ADD_INSTRUMENT &&
        (step->sequence != command->sequence || step->shard != f->s->number ||
         step->digest != life_digest(&f->s->duel.engine.reply))) {
        wrong(f, "step %u was answered otherwise: code %u, sequence %" PRIu64, f->steps[f->next],
              step->code, step->sequence);
    }
    f->t->counts.acknowledged += is_answered(step);
    f->t->counts.refused += is_answered(step) && step->code != MATCHING_OK;
    f->t->counts.unanswered += !is_answered(step);
    f->next++;
}

static void follow_command(follower *f, const matching_command *command)
{
    check_reads(f);
    if (f->s->sequence == f->begun_at && f->begun_at > 0 &&
        matching_engine_has_guarded(f->s->books.engine) &&
        command->type != MATCHING_CANCEL_GUARDED) {
        wrong(f, "guarded orders outlived their connections");
    }
    if (is_own(f, command)) {
        apply(f, command);
        f->t->counts.own++;
    } else {
        follow_planned(f, command);
    }
    check_trades(f);
    check_recovered(f);
}

/* ---- A life ---------------------------------------------------------------------------------- */

static bool is_for(const follower *f, const life_step *step)
{
    bool to_all = goes_to_all(step);
    bool may_be = step->command.type == MATCHING_ADD_INSTRUMENT && !is_answered(step);
    return to_all || may_be || step->shard == f->s->number;
}

static void begin(follower *f)
{
    f->steps = calloc(f->l->step_count + 1, sizeof *f->steps);
    bool has_failed = false;
    for (unsigned i = 0; i < f->l->step_count; i++) {
        const life_step *step = &f->l->steps[i];
        unsigned state = atomic_load(&step->state);
        if (state == STEP_PLANNED || !is_for(f, step)) {
            continue;
        }
        f->steps[f->count++] = i;
        if (state == STEP_ANSWERED && step->code == MATCHING_INTERNAL_ERROR) {
            if (!f->expected.may_fail) {
                wrong(f, "step %u was answered INTERNAL_ERROR", i);
            }
            has_failed = has_failed || (step->shard == f->s->number && !goes_to_all(step));
        } else if (state == STEP_ANSWERED && has_failed && !is_read(step)) {
            wrong(f,
                  "step %u (type %u) was answered with code %u, sequence %" PRIu64
                  " after an INTERNAL_ERROR",
                  i, step->command.type, step->code, step->sequence);
        }
    }
}

/* Everything that was acknowledged or shown has been met. */
static void end(follower *f)
{
    const life *l = f->l;
    if (f->expected.may_lose) {
        return;
    }
    for (check_reads(f); f->next < f->count; f->next++, check_reads(f)) {
        const life_step *step = &l->steps[f->steps[f->next]];
        if (is_answered(step) && !is_optional(step)) {
            wrong(f, "step %u (type %u) was answered, with sequence %" PRIu64 ", and is not there",
                  f->steps[f->next], step->command.type, step->sequence);
        }
    }
    if (next_trade(f) != NULL) {
        wrong(f, "trade %" PRIu64 " was shown and is not there", next_trade(f)->trade.trade_id);
    }
    if (l->last_event[f->s->number] > f->s->sequence) {
        wrong(f, "an event of command %" PRIu64 " was shown", l->last_event[f->s->number]);
    }
    if (atomic_load(&l->stage) >= LIFE_RECOVERED && !f->met_recovered) {
        wrong(f, "a state after command %" PRIu64 " was recovered",
              l->recovered[f->s->number].sequence);
    }
}

static void follow_shard(follower *f, const data_dir *dir)
{
    char error[600];
    matching_command command;
    begin(f);
    check_recovered(f);
    journal_reader *reader =
        journal_reader_open(dir, f->s->number, f->s->sequence + 1, 0, error, sizeof error);
    if (reader == NULL) {
        wrong(f, "%s", error);
    }
    journal_end how = journal_reader_next(reader, &command);
    for (; how == JOURNAL_MORE; how = journal_reader_next(reader, &command)) {
        follow_command(f, &command);
    }
    if (how != JOURNAL_WHOLE && how != JOURNAL_TORN) {
        wrong(f, "%s", journal_reader_trouble(reader));
    }
    f->t->counts.torn += how == JOURNAL_TORN;
    f->s->position = *journal_reader_position(reader);
    journal_reader_close(reader);
    end(f);
    free(f->steps);
}

void truth_follow(truth *t, const life *l, const char *folder, truth_expectation expected)
{
    data_dir dir;
    char error[600];
    t->counts.lives++;
    segments_gather(folder, t->journals, t->shards);
    if (data_dir_open_read_only(&dir, t->journals, error, sizeof error) != 0) {
        if (atomic_load(&l->stage) >= LIFE_RECOVERED || t->shard[0].sequence > 0) {
            process_give_up("%s", error);
        }
        return; /* it did not live to make one */
    }
    for (unsigned i = 0; i < t->shards; i++) {
        follower f = {.t = t,
                      .s = &t->shard[i],
                      .l = l,
                      .expected = expected,
                      .begun_at = t->shard[i].sequence};
        follow_shard(&f, &dir);
    }
    data_dir_close(&dir);
    t->was_clean = atomic_load(&l->stage) == LIFE_STOPPED && !expected.may_fail;
    if (l->passed_over[0] != 0) {
        process_give_up("%s: a snapshot with a name is bad: %s", folder, l->passed_over);
    }
    if (l->lapped > 0) {
        process_give_up("the child was lapped %u times: its event ring is too small", l->lapped);
    }
}
