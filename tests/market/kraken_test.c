/* The candles of real trades against those that the exchange itself published.
 *
 *     market_kraken_test TRADES.json.xz CANDLES.json.xz
 *
 * Of the minutes that lie wholly within the recorded trades each one with a trade must have the
 * exchange's open, high, low, close, volume and count; each one without, for which the exchange
 * repeats the last close, must have no candle here. The trades are fed whole, and once more with a
 * stop after every one of them, after which only what is kept over a restart is left.
 *
 * Exit codes: 0 all is right, 77 skipped (no such file, or no xz), 1 anything else.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "market/xz.h"
#include "matching/candles.h"

#define SKIPPED 77
#define NS_PER_S UINT64_C(1000000000)
#define PRICE_UNIT INT64_C(10000000) /* the instrument's tick is 0.1, its lot 10^-8 */
#define MINUTES_MAX 2048

/* Of this recording, by its description: minutes that lie wholly within the trades, and those of
 * them without one. */
#define FULL_MINUTES 409
#define EMPTY_MINUTES 137

/* "result":{"XBTUSDT":[row, ...]} of one file; NULL with the exit code in *code. */
static struct json_object *read_rows(const char *path, struct json_object **whole, int *code)
{
    xz_file file;
    char *text = NULL;
    size_t size = 0;
    *code = EXIT_FAILURE;
    if (xz_open(&file, path) != XZ_READ) {
        return NULL;
    }
    ssize_t length = getdelim(&text, &size, '\0', file.from);
    switch (xz_close(&file, path)) {
    case XZ_ABSENT:
        printf("skipped: the command xz is not installed\n");
        *code = SKIPPED;
        break;
    case XZ_READ:
        *whole = length > 0 ? json_tokener_parse(text) : NULL;
        break;
    default:
        break;
    }
    free(text);
    struct json_object *result = NULL, *rows = NULL;
    json_object_object_get_ex(*whole, "result", &result);
    json_object_object_get_ex(result, "XBTUSDT", &rows);
    return rows;
}

/* A decimal of a row in units of unit * 10^-8; ends the test where it is none. */
static int64_t units(struct json_object *row, size_t at, int64_t unit)
{
    int64_t mantissa = 0;
    const char *text = json_object_get_string(json_object_array_get_idx(row, at));
    if (text == NULL || !matching_decimal_parse(text, strlen(text), &mantissa) ||
        mantissa % unit != 0) {
        fprintf(stderr, "not a decimal of this unit: %s\n", json_object_to_json_string(row));
        exit(EXIT_FAILURE);
    }
    return mantissa / unit;
}

typedef struct minutes {
    matching_candle candles[MINUTES_MAX];
    size_t count;
} minutes;

static void collect(void *context, const matching_candle *candle)
{
    minutes *all = context;
    if (candle->interval == MATCHING_M1 && all->count < MINUTES_MAX) {
        all->candles[all->count++] = *candle;
    }
}

static uint64_t trade_time_ns(struct json_object *row)
{
    return (uint64_t)(json_object_get_double(json_object_array_get_idx(row, 2)) * 1e6) * 1000;
}

/* What a restart leaves of them. */
static void restart(matching_candles *candles)
{
    matching_candles old = *candles;
    matching_candle kept[MATCHING_INTERVALS];
    size_t count = 0;
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        if (matching_candles_running(&old, i) != NULL) {
            kept[count++] = *matching_candles_running(&old, i);
        }
    }
    if (!matching_candles_resume(candles, old.time_ns, kept, count)) {
        fprintf(stderr, "running candles could not be resumed\n");
        exit(EXIT_FAILURE);
    }
}

static void make_candles(struct json_object *trades, bool restarts, minutes *out)
{
    matching_candles candles;
    matching_candles_init(&candles);
    out->count = 0;
    for (size_t i = 0; i < json_object_array_length(trades); i++) {
        struct json_object *row = json_object_array_get_idx(trades, i);
        matching_candles_trade(&candles, trade_time_ns(row), units(row, 0, PRICE_UNIT),
                               units(row, 1, 1), collect, out);
        if (restarts) {
            restart(&candles);
        }
    }
    matching_candles_advance(&candles, UINT64_MAX / 2, collect, out);
}

static const matching_candle *find(const minutes *made, uint64_t start_s)
{
    for (size_t i = 0; i < made->count; i++) {
        if (made->candles[i].start_s == start_s) {
            return &made->candles[i];
        }
    }
    return NULL;
}

/* A row: time, open, high, low, close, volume-weighted average, volume, count. */
static bool equals(const matching_candle *candle, struct json_object *row)
{
    return candle != NULL && candle->is_final && candle->open_ticks == units(row, 1, PRICE_UNIT) &&
           candle->high_ticks == units(row, 2, PRICE_UNIT) &&
           candle->low_ticks == units(row, 3, PRICE_UNIT) &&
           candle->close_ticks == units(row, 4, PRICE_UNIT) &&
           candle->volume_lots == (matching_wide)units(row, 6, 1) &&
           candle->update_count == json_object_get_uint64(json_object_array_get_idx(row, 7));
}

typedef struct agreement {
    size_t traded, equal; /* minutes with trades; those of them whose candle is the exchange's */
    size_t empty, absent; /* minutes without; those of them without a candle */
} agreement;

static agreement compare(struct json_object *trades, struct json_object *rows, const minutes *made)
{
    agreement found = {0};
    size_t count = json_object_array_length(trades);
    uint64_t first = trade_time_ns(json_object_array_get_idx(trades, 0));
    uint64_t last = trade_time_ns(json_object_array_get_idx(trades, count - 1));
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        uint64_t start_s = json_object_get_uint64(json_object_array_get_idx(row, 0));
        if (start_s * NS_PER_S < first || (start_s + 60) * NS_PER_S > last) {
            continue;
        }
        const matching_candle *candle = find(made, start_s);
        if (json_object_get_uint64(json_object_array_get_idx(row, 7)) == 0) {
            found.empty++;
            found.absent += candle == NULL;
        } else {
            found.traded++;
            found.equal += equals(candle, row);
        }
    }
    return found;
}

static bool judge(const agreement *found)
{
    printf("%zu of %zu minutes agree: %zu of %zu with trades, %zu of %zu without\n",
           found->equal + found->absent, found->traded + found->empty, found->equal, found->traded,
           found->absent, found->empty);
    return found->equal + found->absent == FULL_MINUTES && found->absent == EMPTY_MINUTES &&
           found->traded + found->empty == FULL_MINUTES;
}

int main(int argc, char **argv)
{
    static minutes made;
    struct json_object *whole[2] = {NULL, NULL}, *rows[2];
    if (argc != 3) {
        fprintf(stderr, "usage: %s TRADES.json.xz CANDLES.json.xz\n", argv[0]);
        return EXIT_FAILURE;
    }
    for (int i = 0; i < 2; i++) {
        int code;
        if (access(argv[i + 1], R_OK) != 0) {
            printf("skipped: there is no %s (MATCHING_TEST_DATA names another folder)\n",
                   argv[i + 1]);
            return SKIPPED;
        }
        rows[i] = read_rows(argv[i + 1], &whole[i], &code);
        if (rows[i] == NULL || json_object_array_length(rows[i]) == 0) {
            return code;
        }
    }
    bool good = true;
    for (unsigned restarts = 0; restarts < 2; restarts++) {
        make_candles(rows[0], restarts == 1, &made);
        agreement found = compare(rows[0], rows[1], &made);
        good = judge(&found) && good;
    }
    json_object_put(whole[0]);
    json_object_put(whole[1]);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
