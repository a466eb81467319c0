/* Books that were saved and loaded now and then are like those that never were: the engine, trades,
 * tickers, instruments; also through a file. Bytes that were cut or changed are refused, or make
 * books that are sound.
 */
#include "shard/books.h"

#include <inttypes.h>

#include "core/engine/generator.h"
#include "core/journal/workshop.h"
#include "journal/snapshot.h"
#include "support/cunit_main.h"
#include "support/state_bytes.h"

#define RECENT 40u
#define COMMANDS 4000u
#define MINUTE UINT64_C(60000000000)

static const market plain = {.name = "books",
                             .limits = {.instruments = 5,
                                        .shard = 1,
                                        .shard_bits = 1,
                                        .max_orders = 60,
                                        .max_levels = 40,
                                        .max_traders = 6,
                                        .retained_orders = 16},
                             .traders = 6,
                             .client_ids = 6,
                             .price_low = 90,
                             .price_high = 110,
                             .quantity_high = 20,
                             .passive = 40,
                             .stops = 10};

static uint64_t random_state;

static uint64_t below(uint64_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % bound;
}

static bool is_added(uint16_t instrument)
{
    return instrument < 2 || instrument == 3;
}

/* Empty books, but for the instruments that are added. */
static void begin_books(books *b, const matching_engine_limits *limits, unsigned recent)
{
    CU_ASSERT_EQUAL_FATAL(books_init(b, limits, recent), 0);
    static const uint16_t indexes[] = {0, 1, 3};
    for (uint16_t i = 0; i < limits->instruments; i++) { /* as a duel has them */
        matching_engine_set_instrument(b->engine, i, duel_tick_size(i), duel_lot_size(i));
    }
    for (unsigned i = 0; i < 3; i++) {
        matching_command add = {.type = MATCHING_ADD_INSTRUMENT,
                                .sequence = i + 1,
                                .time_ns = 1600000000000000000,
                                .instrument = indexes[i],
                                .instrument_id = 100 + i,
                                .price_ticks = duel_tick_size(indexes[i]),
                                .quantity_lots = duel_lot_size(indexes[i]),
                                .sbe_char = (char)(i == 1 ? 'B' : 0),
                                .state = MATCHING_TRADING};
        snprintf(add.symbol, sizeof add.symbol, i == 0 ? "SIXTEEN-LETTERS!" : "S%u", i);
        books_replay(b, &add, NULL);
    }
}

static void save(const books *b, state_bytes *out)
{
    matching_state_output output = state_bytes_output(out);
    CU_ASSERT_TRUE_FATAL(books_save(b, &output));
}

/* Books in place of these, loaded from what they save. */
static const char *replace(books *b, unsigned recent)
{
    state_bytes saved = {0}, again = {0};
    save(b, &saved);
    matching_engine_limits limits = b->limits;
    unsigned before = b->recent_capacity;
    uint64_t sequence = b->sequence, time_ns = b->time_ns;
    books_fini(b);
    CU_ASSERT_EQUAL_FATAL(books_init(b, &limits, recent), 0);
    matching_state_input input = state_bytes_input(&saved);
    const char *wrong = books_load(b, &input);
    b->sequence = sequence;
    b->time_ns = time_ns;
    save(b, &again);
    if (wrong == NULL && (saved.at != saved.size || matching_engine_check(b->engine) != NULL)) {
        wrong = "not all was read, or the engine is broken";
    }
    if (wrong == NULL && recent >= before && !state_bytes_equal(&saved, &again)) {
        wrong = "they save other bytes";
    }
    state_bytes_free(&saved);
    state_bytes_free(&again);
    return wrong;
}

static bool same_trade(const matching_trade *a, const matching_trade *b)
{
    return a->trade_id == b->trade_id && a->price_ticks == b->price_ticks &&
           a->quantity_lots == b->quantity_lots && a->time_ns == b->time_ns &&
           a->buy_order_id == b->buy_order_id && a->sell_order_id == b->sell_order_id &&
           a->instrument == b->instrument && a->taker_side == b->taker_side &&
           strcmp(a->buyer, b->buyer) == 0 && strcmp(a->seller, b->seller) == 0;
}

/* The newest trades of both, as many as the smaller ring holds. */
static bool same_trades(const books *a, const books *b, unsigned index, size_t limit)
{
    matching_trade x[RECENT], y[RECENT];
    size_t count = recent_trades_read(&a->recent[index], 0, 0, limit, x);
    bool same = recent_trades_read(&b->recent[index], 0, 0, limit, y) == count;
    for (size_t i = 0; i < count && same; i++) {
        same = same_trade(&x[i], &y[i]);
    }
    return same;
}

static bool same_ticker(books *a, books *b, unsigned index)
{
    matching_ticker x = {0}, y = {0};
    ticker_read(&a->tickers[index], a->time_ns, &x);
    ticker_read(&b->tickers[index], b->time_ns, &y);
    return x.last_ticks == y.last_ticks && x.open_ticks == y.open_ticks &&
           x.high_ticks == y.high_ticks && x.low_ticks == y.low_ticks &&
           x.volume_lots == y.volume_lots && x.count == y.count &&
           memcmp(&x.turnover, &y.turnover, sizeof x.turnover) == 0;
}

static bool same_instrument(const books *a, const books *b, unsigned index)
{
    const matching_instrument *x = &a->instruments[index], *y = &b->instruments[index];
    return strcmp(x->symbol, y->symbol) == 0 && x->id == y->id && x->index == y->index &&
           x->shard == y->shard && x->sbe_char == y->sbe_char && x->tick_size == y->tick_size &&
           x->lot_size == y->lot_size && a->states[index] == b->states[index];
}

static bool same_books(books *a, books *b, size_t trades)
{
    bool same = matching_engine_hash(a->engine) == matching_engine_hash(b->engine) &&
                a->instrument_end == b->instrument_end && a->sequence == b->sequence;
    for (unsigned i = 0; i < a->limits.instruments && same; i++) {
        same = same_instrument(a, b, i) && same_ticker(a, b, i) && same_trades(a, b, i, trades);
    }
    return same;
}

/* A duel makes the commands; time leaps now and then, so that minutes and days pass. */
typedef struct history {
    duel d;
    generator random;
} history;

static void begin_history(history *h, const market *m, uint64_t seed)
{
    duel_init(&h->d, &m->limits);
    h->random = (generator){.market = m, .duel = &h->d, .random_state = seed};
    random_state = seed;
}

static matching_command next_command(history *h)
{
    for (;;) {
        matching_command command = generator_next(&h->random);
        if ((command.type == MATCHING_PLACE || command.type == MATCHING_SET_STATE) &&
            !is_added(command.instrument)) {
            command.instrument = 3;
        }
        if (below(12) == 0) {
            static const uint64_t leaps[] = {MINUTE / 3, MINUTE, 90 * MINUTE, 1441 * MINUTE};
            command.time_ns = h->d.engine.time_ns + leaps[below(100) == 0 ? 3 : below(3)];
        }
        CU_ASSERT_TRUE_FATAL(duel_apply(&h->d, &command, false));
        if (command.type < MATCHING_READ_ORDER) {
            command.sequence = h->d.engine.sequence + 3; /* after the additions */
            command.time_ns = h->d.engine.time_ns;
            return command;
        }
    }
}

static void test_loaded_books_go_on_like_the_saved_ones(void)
{
    static history h;
    books kept, loaded;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        begin_history(&h, &plain, seed);
        begin_books(&kept, &plain.limits, RECENT);
        begin_books(&loaded, &plain.limits, RECENT);
        bool same = true;
        uint64_t trades = 0;
        uint32_t minutes = 0; /* at most in one ticker */
        for (unsigned i = 0; i < COMMANDS && same; i++) {
            matching_command command = next_command(&h);
            matching_reply x = {0}, y = {0};
            books_replay(&kept, &command, &x);
            books_replay(&loaded, &command, &y);
            same = x.code == y.code && x.order.order_id == y.order.order_id;
            if (below(60) == 0) {
                const char *wrong = replace(&loaded, RECENT);
                CU_ASSERT_PTR_NULL(wrong);
            }
            if (same && i % 20 == 0) {
                same = same_books(&kept, &loaded, RECENT);
            }
            uint32_t now = kept.tickers[0].closed_count;
            minutes = now > minutes ? now : minutes;
        }
        for (unsigned i = 0; i < plain.limits.instruments; i++) {
            trades += kept.recent[i].last_id;
        }
        CU_ASSERT_TRUE(same && same_books(&kept, &loaded, RECENT));
        CU_ASSERT_EQUAL(matching_engine_hash(kept.engine), matching_engine_hash(h.d.engine.engine));
        CU_ASSERT_TRUE(trades > 3 * RECENT && minutes > 5);
        books_fini(&kept);
        books_fini(&loaded);
        duel_fini(&h.d);
    }
}

/* The configuration may ask for other numbers of trades than before. */
static void test_a_smaller_or_larger_ring_of_trades_has_what_there_is(void)
{
    static history h;
    books kept, loaded;
    begin_history(&h, &plain, 9);
    begin_books(&kept, &plain.limits, RECENT);
    begin_books(&loaded, &plain.limits, RECENT);
    for (unsigned i = 0; i < 1000; i++) {
        matching_command command = next_command(&h);
        books_replay(&kept, &command, NULL);
        books_replay(&loaded, &command, NULL);
    }
    matching_trade trades[RECENT];
    uint64_t last = kept.recent[0].last_id;
    CU_ASSERT_TRUE_FATAL(last > RECENT);
    CU_ASSERT_PTR_NULL(replace(&loaded, 7));
    CU_ASSERT_TRUE(same_books(&kept, &loaded, 7));
    CU_ASSERT_EQUAL(recent_trades_read(&loaded.recent[0], 0, 0, RECENT, trades), 7);
    CU_ASSERT_PTR_NULL(replace(&loaded, RECENT));
    CU_ASSERT_EQUAL(recent_trades_read(&loaded.recent[0], 0, 0, RECENT, trades), 7);
    CU_ASSERT_EQUAL(recent_trades_read(&loaded.recent[0], 1, 0, RECENT, trades), 7);
    CU_ASSERT_EQUAL(trades[0].trade_id, last - 6);
    CU_ASSERT_EQUAL(recent_trades_read(&loaded.recent[0], 0, last - 6, RECENT, trades), 0);
    CU_ASSERT_PTR_NULL(replace(&loaded, RECENT)); /* what it lacks is not made up either */
    CU_ASSERT_EQUAL(recent_trades_read(&loaded.recent[0], 0, 0, RECENT, trades), 7);
    while (kept.recent[0].last_id < last + RECENT || kept.recent[3].last_id < 3 * RECENT) {
        matching_command command = next_command(&h);
        books_replay(&kept, &command, NULL);
        books_replay(&loaded, &command, NULL);
    }
    CU_ASSERT_TRUE(same_trades(&kept, &loaded, 0, RECENT));
    books_fini(&kept);
    books_fini(&loaded);
    duel_fini(&h.d);
}

/* ---- Through a file -------------------------------------------------------------------------- */

static void test_books_come_back_from_a_snapshot(void)
{
    static history h;
    static workshop shop;
    char error[DATA_DIR_PATH_SIZE + 300];
    books kept, loaded;
    begin_history(&h, &plain, 4);
    begin_books(&kept, &plain.limits, RECENT);
    for (unsigned i = 0; i < 800; i++) {
        matching_command command = next_command(&h);
        books_replay(&kept, &command, NULL);
    }
    workshop_begin(&shop, 2);
    snapshot_head head = {.sequence = kept.sequence,
                          .time_ns = kept.time_ns,
                          .shard_count = 2,
                          .state_hash = matching_engine_hash(kept.engine),
                          .limits = kept.limits};
    snapshot_writer *w = snapshot_create(&shop.dir, 1, &head, 0, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(w);
    matching_state_output output = {snapshot_write, w};
    CU_ASSERT_TRUE(books_save(&kept, &output));
    CU_ASSERT_EQUAL(snapshot_finish(w, error, sizeof error), 0);
    snapshot_head found;
    snapshot_reader *r = snapshot_open(&shop.dir, 1, kept.sequence, 0, &found, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL_FATAL(books_init(&loaded, &found.limits, RECENT), 0);
    matching_state_input input = {snapshot_read, r};
    CU_ASSERT_PTR_NULL(books_load(&loaded, &input));
    CU_ASSERT_TRUE(snapshot_at_end(r));
    loaded.sequence = found.sequence;
    loaded.time_ns = found.time_ns;
    CU_ASSERT_EQUAL(matching_engine_hash(loaded.engine), found.state_hash);
    CU_ASSERT_TRUE(same_books(&kept, &loaded, RECENT));
    snapshot_close(r);
    workshop_end(&shop);
    books_fini(&kept);
    books_fini(&loaded);
    duel_fini(&h.d);
}

/* ---- Bytes that are not what was saved ------------------------------------------------------- */

static const market small = {.name = "small",
                             .limits = {.instruments = 4,
                                        .max_orders = 8,
                                        .max_levels = 8,
                                        .max_traders = 4,
                                        .retained_orders = 2},
                             .traders = 4,
                             .client_ids = 3,
                             .price_low = 99,
                             .price_high = 101,
                             .quantity_high = 5};

/* Few trades and minutes, so that there are not too many bytes to change. */
static void make_small(state_bytes *out)
{
    static history h;
    books b;
    begin_history(&h, &small, 2);
    begin_books(&b, &small.limits, 3);
    do {
        matching_command command = next_command(&h);
        books_replay(&b, &command, NULL);
    } while (b.recent[0].last_id < 4 || b.tickers[0].closed_count < 3);
    save(&b, out);
    books_fini(&b);
    duel_fini(&h.d);
}

/* Loads what may be anything: refused, or what is asked of it and done to it goes well. */
static bool try(state_bytes *bytes, uint64_t *loaded, uint64_t *refused)
{
    books b;
    CU_ASSERT_EQUAL_FATAL(books_init(&b, &small.limits, 3), 0);
    matching_state_input input = state_bytes_input(bytes);
    bool is_refused = books_load(&b, &input) != NULL;
    *refused += is_refused;
    *loaded += !is_refused;
    bool sound = is_refused || matching_engine_check(b.engine) == NULL;
    for (unsigned i = 0; i < 6 && sound && !is_refused; i++) {
        matching_command command = limit_order("t1", i % 2, 100, 2);
        command.instrument = (uint16_t)(i / 2);
        command.sequence = i + 1;
        command.time_ns = (UINT64_C(1) << 62) + i * 700 * MINUTE;
        books_replay(&b, &command, NULL);
        sound = matching_engine_check(b.engine) == NULL;
        matching_trade trades[5];
        matching_ticker now;
        size_t count = recent_trades_read(&b.recent[command.instrument], 0, 0, 5, trades);
        ticker_read(&b.tickers[command.instrument], command.time_ns + 1, &now);
        sound = sound && count <= 3 && now.low_ticks <= now.high_ticks;
    }
    books_fini(&b);
    return sound;
}

/* A mass cancel lists orders in the scratch ring, each over several slots. Here the sum of ticks x
 * lots that the order filled for has the bytes of a trade where a slot's kind and instrument
 * are. */
static void test_a_replayed_mass_cancel_trades_nothing(void)
{
    static const int64_t half = INT64_C(1) << 24; /* ticks, and lots */
    books b;
    begin_books(&b, &plain.limits, RECENT);
    const matching_command commands[] = {
        {.type = MATCHING_PLACE, .quantity_lots = 2 * half, .price_ticks = half, .trader_id = "m"},
        {.type = MATCHING_PLACE,
         .side = MATCHING_SELL,
         .quantity_lots = half,
         .price_ticks = half,
         .trader_id = "t"},
        {.type = MATCHING_CANCEL_ALL, .reason = MATCHING_REASON_MASS_CANCEL, .trader_id = "m"}};
    for (unsigned i = 0; i < 3; i++) {
        matching_command command = commands[i];
        matching_reply reply;
        command.sequence = 4 + i;
        command.time_ns = 1600000000000000000 + i;
        books_replay(&b, &command, &reply);
        CU_ASSERT_EQUAL(reply.code, MATCHING_OK);
    }
    CU_ASSERT_EQUAL(b.recent[0].last_id, 1);
    CU_ASSERT_EQUAL(b.tickers[0].running.count, 1);
    CU_ASSERT_EQUAL(b.instrument_end, 4);
    books_fini(&b);
}

static void test_books_that_were_cut_are_refused(void)
{
    state_bytes saved = {0};
    uint64_t loaded = 0, refused = 0;
    make_small(&saved);
    CU_ASSERT_TRUE(try(&saved, &loaded, &refused));
    CU_ASSERT_EQUAL(loaded, 1);
    size_t whole = saved.size;
    for (saved.size = 0; saved.size < whole; saved.size++) {
        CU_ASSERT_TRUE(try(&saved, &loaded, &refused));
    }
    CU_ASSERT_EQUAL(refused, whole);
    state_bytes_free(&saved);
}

static void test_a_changed_bit_in_books_is_refused_or_harmless(void)
{
    state_bytes saved = {0};
    uint64_t loaded = 0, refused = 0;
    make_small(&saved);
    for (size_t bit = 0; bit < 8 * saved.size; bit++) {
        saved.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        bool sound = try(&saved, &loaded, &refused);
        saved.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        CU_ASSERT_TRUE(sound);
        if (!sound) {
            printf("\n    byte %zu, bit %zu\n", bit / 8, bit % 8);
        }
    }
    printf("\n    %" PRIu64 " changed bits refused, %" PRIu64 " harmless\n", refused, loaded);
    CU_ASSERT_TRUE(refused > 1000 && loaded > 1000);
    state_bytes_free(&saved);
}

MATCHING_TESTS(MATCHING_TEST(test_loaded_books_go_on_like_the_saved_ones),
               MATCHING_TEST(test_a_smaller_or_larger_ring_of_trades_has_what_there_is),
               MATCHING_TEST(test_books_come_back_from_a_snapshot),
               MATCHING_TEST(test_a_replayed_mass_cancel_trades_nothing),
               MATCHING_TEST(test_books_that_were_cut_are_refused),
               MATCHING_TEST(test_a_changed_bit_in_books_is_refused_or_harmless))
