/* Fuzz target: any bytes as the state of books, as if a snapshot's checksums had been right.
 *
 * What must hold: they are refused, or all invariants of the engine hold, the books save what can
 * be loaded and saves the same again, and they stand a few commands and reads. The corpus has
 * states that books with these limits saved.
 */
#include "engine/state.h"
#include "shard/books.h"
#include "support/state_bytes.h"

#define RECENT 3u

static const matching_engine_limits limits = {.instruments = 3,
                                              .shard = 1,
                                              .shard_bits = 1,
                                              .max_orders = 8,
                                              .max_levels = 8,
                                              .max_traders = 4,
                                              .retained_orders = 3};

static void need(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

/* Of the core nothing but books is here. */
_Noreturn void matching_engine_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: %s\n", file, line, what);
    abort();
}

static const char *begin(books *b, state_bytes *bytes)
{
    need(books_init(b, &limits, RECENT) == 0, "no memory");
    matching_state_input input = state_bytes_input(bytes);
    return books_load(b, &input);
}

static void save(const books *b, state_bytes *out)
{
    matching_state_output output = state_bytes_output(out);
    need(books_save(b, &output), "the output took all, but saving failed");
}

static void check_round(const books *b)
{
    state_bytes saved = {0}, again = {0};
    books loaded;
    save(b, &saved);
    need(begin(&loaded, &saved) == NULL, "what was saved cannot be loaded");
    need(matching_engine_hash(loaded.engine) == matching_engine_hash(b->engine), "another hash");
    save(&loaded, &again);
    need(state_bytes_equal(&saved, &again), "it saves other bytes");
    books_fini(&loaded);
    state_bytes_free(&saved);
    state_bytes_free(&again);
}

static void read_all(books *b, uint16_t instrument, uint64_t time_ns)
{
    matching_trade trades[RECENT + 2];
    matching_ticker now;
    size_t count = recent_trades_read(&b->recent[instrument], 0, 0, RECENT + 2, trades);
    ticker_read(&b->tickers[instrument], time_ns, &now);
    need(count <= RECENT && now.low_ticks <= now.high_ticks, "reads make no sense");
}

static void use(books *b)
{
    static const uint8_t types[] = {MATCHING_PLACE,     MATCHING_PLACE,          MATCHING_SET_STATE,
                                    MATCHING_PLACE,     MATCHING_CANCEL_GUARDED, MATCHING_PLACE,
                                    MATCHING_CANCEL_ALL};
    for (unsigned i = 0; i < 2 * sizeof types; i++) {
        matching_command command = {.type = types[i % sizeof types],
                                    .sequence = i + 1,
                                    .time_ns = (UINT64_C(1) << 62) + i * 1000000000000u,
                                    .instrument = (uint16_t)(i % 3),
                                    .side = (uint8_t)(i / 3 % 2),
                                    .price_ticks = 100,
                                    .quantity_lots = 3,
                                    .reason = MATCHING_REASON_MASS_CANCEL,
                                    .trader_id = "t1"};
        books_replay(b, &command, NULL);
        const char *broken = matching_engine_check(b->engine);
        need(broken == NULL, broken);
        read_all(b, command.instrument, command.time_ns);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    state_bytes input = {0};
    books b;
    state_bytes_write(&input, data, size);
    if (begin(&b, &input) == NULL) {
        const char *broken = matching_engine_check(b.engine);
        need(broken == NULL, broken);
        check_round(&b);
        use(&b);
    }
    books_fini(&b);
    state_bytes_free(&input);
    return 0;
}
