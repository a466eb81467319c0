/* The bytes of keys and values never change: those that docs/store.md describes, put together by
 * hand, are what the program writes, and are read as what they say. Cut or changed ones are refused
 * or read as something, never beyond their end.
 */
#include "store/layout.h"

#include "support/cunit_main.h"

#define VALUE_MOST 512

/* "01 ff 'abc'" to bytes. */
static size_t bytes_of(const char *text, char *out)
{
    size_t length = 0;
    while (*text != '\0') {
        if (*text == ' ') {
            text++;
        } else if (*text == '\'') {
            for (text++; *text != '\''; text++) {
                out[length++] = *text;
            }
            text++;
        } else {
            char digits[3] = {text[0], text[1], '\0'};
            out[length++] = (char)strtoul(digits, NULL, 16);
            text += 2;
        }
    }
    return length;
}

static bool are(const char *bytes, size_t length, const char *expected)
{
    char wanted[VALUE_MOST];
    bool good = bytes_of(expected, wanted) == length && memcmp(wanted, bytes, length) == 0;
    for (size_t i = 0; i < length && !good; i++) {
        printf("%s%02x ", i % 8 == 0 ? "\n    " : "", (unsigned char)bytes[i]);
    }
    return good;
}

static void test_keys(void)
{
    char key[STORE_CLIENT_KEY_MAX];
    CU_ASSERT(are(key, store_meta_key(key, STORE_FORMAT_OF, 0), "'F' 00 00"));
    CU_ASSERT(are(key, store_meta_key(key, STORE_INSTRUMENT_OF, 258), "'I' 01 02"));
    CU_ASSERT(are(key, store_meta_key(key, STORE_PROGRESS_OF, 63), "'P' 00 3f"));
    CU_ASSERT(are(key, store_meta_key(key, STORE_STATE_OF, 65535), "'S' ff ff"));
    CU_ASSERT(are(key, store_log_key(key, STORE_TRADES, 258, 0x0102030405060708),
                  "'t' 01 02 01 02 03 04 05 06 07 08"));
    CU_ASSERT(are(key, store_log_key(key, STORE_ENDED, 1, 2), "'e' 00 01 00 00 00 00 00 00 00 02"));
    CU_ASSERT(
        are(key, store_id_key(key, 3, 4), "'i' 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00 04"));
    CU_ASSERT(are(key, store_trader_key(key, "bob", 5), "'obob' 00 00 00 00 00 00 00 00 05"));
    CU_ASSERT(are(key, store_client_key(key, "bob", "c-1", 6, 7),
                  "'kbob' 00 'c-1' 00 00 06 00 00 00 00 00 00 00 07"));
    CU_ASSERT(are(key, store_candle_key(key, 8, MATCHING_D1, 86400),
                  "'c' 00 08 07 00 00 00 00 00 01 51 80"));
    CU_ASSERT_EQUAL(store_key_number("\x01\x02\x03", 3), 0x010203);
}

static void test_index_entries(void)
{
    store_ended ended = {.place = {.version = STORE_VALUE_VERSION,
                                   .shard = 2,
                                   .status = MATCHING_CANCELLED,
                                   .instrument = 258,
                                   .index = 6,
                                   .page = 3},
                         .first_trade = 4,
                         .count = 5};
    store_fill fill = {.version = STORE_VALUE_VERSION, .instrument = 258, .count = 5};
    CU_ASSERT(are((const char *)&ended, sizeof ended,
                  "01 02 03 00 02 01 06 00 03 00 00 00 00 00 00 00"
                  "04 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00"));
    CU_ASSERT(are((const char *)&fill, sizeof fill, "01 00 02 01 05 00 00 00"));
}

static void test_instruments(void)
{
    static const char bytes[] = "01 02 'B' 00 0a 00 00 00 40 42 0f 00 00 00 00 00"
                                "10 27 00 00 00 00 00 00 'BTCUSDT' 00 00 00 00 00 00 00 00 00";
    matching_instrument instrument = {.symbol = "BTCUSDT",
                                      .id = 10,
                                      .index = 3,
                                      .shard = 2,
                                      .sbe_char = 'B',
                                      .tick_size = 1000000,
                                      .lot_size = 10000};
    matching_instrument read;
    char value[VALUE_MOST];
    size_t length = store_put_instrument(value, &instrument);
    CU_ASSERT(are(value, length, bytes));
    CU_ASSERT(store_get_instrument(value, length, 3, &read));
    CU_ASSERT_STRING_EQUAL(read.symbol, "BTCUSDT");
    CU_ASSERT(read.id == 10 && read.index == 3 && read.shard == 2 && read.sbe_char == 'B' &&
              read.tick_size == 1000000 && read.lot_size == 10000);
    CU_ASSERT_FALSE(store_get_instrument(value, length - 1, 3, &read));
    value[0] = 2;
    CU_ASSERT_FALSE(store_get_instrument(value, length, 3, &read));
}

static void test_trades(void)
{
    static const char bytes[] = "08 07 06 05 04 03 02 01 11 00 00 00 00 00 00 00"
                                "12 00 00 00 00 00 00 00 13 00 00 00 00 00 00 00"
                                "14 00 00 00 00 00 00 00 01 03 05 00 00 00 00 00 'bobalice'";
    matching_trade trade = {.trade_id = 9,
                            .price_ticks = 0x11,
                            .quantity_lots = 0x12,
                            .time_ns = 0x0102030405060708,
                            .buy_order_id = 0x13,
                            .sell_order_id = 0x14,
                            .taker_side = MATCHING_SELL,
                            .buyer = "bob",
                            .seller = "alice"};
    matching_trade read;
    char value[VALUE_MOST];
    size_t length = store_put_trade(value, &trade);
    CU_ASSERT(are(value, length, bytes));
    const char *at = value;
    CU_ASSERT(store_get_trade(&at, value + length, &read));
    CU_ASSERT_PTR_EQUAL(at, value + length);
    CU_ASSERT(read.price_ticks == 0x11 && read.quantity_lots == 0x12 &&
              read.time_ns == 0x0102030405060708 && read.buy_order_id == 0x13 &&
              read.sell_order_id == 0x14 && read.taker_side == MATCHING_SELL);
    CU_ASSERT_STRING_EQUAL(read.buyer, "bob");
    CU_ASSERT_STRING_EQUAL(read.seller, "alice");
    for (size_t cut = 0; cut < length; cut++) {
        at = value;
        CU_ASSERT_FALSE(store_get_trade(&at, value + cut, &read));
    }
    value[41] = 33;
    at = value;
    CU_ASSERT_FALSE(store_get_trade(&at, value + sizeof value, &read));
}

static void test_orders(void)
{
    static const char bytes[] =
        "01 00 00 00 00 00 00 00 02 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00"
        "04 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00 06 00 00 00 00 00 00 00"
        "07 00 00 00 00 00 00 00 08 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00"
        "0a 00 00 00 00 00 00 00 0b 00 00 00 00 00 00 00 02 01 03 05 01 03 02 01 01 03 02"
        "00 00 00 00 00 'bobc1'";
    matching_order order = {.order_id = 1,
                            .price_ticks = 2,
                            .quantity_lots = 3,
                            .filled_lots = 4,
                            .instrument = 258,
                            .status = MATCHING_CANCELLED,
                            .reason = MATCHING_REASON_EXPIRED,
                            .side = MATCHING_SELL,
                            .type = MATCHING_STOP_LIMIT,
                            .time_in_force = MATCHING_FOK,
                            .self_trade = MATCHING_STP_CANCEL_TAKER,
                            .post_only = 1,
                            .client_order_id = "c1",
                            .trader_id = "bob",
                            .stop_price_ticks = 5,
                            .display_lots = 6,
                            .notional = (matching_wide)8 << 64 | 7,
                            .created_ns = 9,
                            .updated_ns = 10,
                            .expire_time_ms = 11};
    matching_order read;
    char value[VALUE_MOST];
    size_t length = store_put_order(value, &order);
    CU_ASSERT(are(value, length, bytes));
    const char *at = value;
    CU_ASSERT(store_get_order(&at, value + length, &read));
    CU_ASSERT_PTR_EQUAL(at, value + length);
    char again[VALUE_MOST];
    CU_ASSERT_EQUAL(store_put_order(again, &read), length);
    CU_ASSERT_EQUAL(memcmp(value, again, length), 0);
    CU_ASSERT(read.notional == order.notional && read.expire_time_ms == 11);
    for (size_t cut = 0; cut < length; cut++) {
        at = value;
        CU_ASSERT_FALSE(store_get_order(&at, value + cut, &read));
    }
}

static void test_candles_and_states(void)
{
    static const char candle_bytes[] = "01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00"
                                       "04 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00"
                                       "02 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00"
                                       "06 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00";
    matching_candle candle = {.volume_lots = (matching_wide)6 << 64 | 5,
                              .start_s = 120,
                              .open_ticks = 1,
                              .high_ticks = 4,
                              .low_ticks = 1,
                              .close_ticks = 2,
                              .update_count = 3,
                              .interval = MATCHING_M1,
                              .is_final = 1};
    char value[STORE_STATE_MAX], key[STORE_CANDLE_KEY];
    matching_candle read;
    store_candle_key(key, 1, MATCHING_M1, 120);
    CU_ASSERT(are(value, store_put_candle(value, &candle), candle_bytes));
    CU_ASSERT(store_get_candle(value, sizeof(store_candle), key, &read));
    CU_ASSERT(read.interval == MATCHING_M1 && read.start_s == 120 && read.is_final &&
              read.volume_lots == candle.volume_lots && read.close_ticks == 2);
    CU_ASSERT_FALSE(store_get_candle(value, sizeof(store_candle) - 1, key, &read));

    static const char state_bytes[] = "01 01 00 00 04 03 02 01 00 5e d0 b2 00 00 00 00"
                                      "07 00 00 00 00 00 00 00 09 00 00 00 00 00 00 00"
                                      "07 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
                                      "01 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00"
                                      "04 00 00 00 00 00 00 00 01 00 00 00 00 00 00 00"
                                      "02 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00"
                                      "06 00 00 00 00 00 00 00 03 00 00 00 00 00 00 00";
    matching_candles candles, resumed;
    matching_candles_init(&candles);
    candles.time_ns = 3000000000;
    candles.running[MATCHING_D1] = candle;
    candles.running[MATCHING_D1].interval = MATCHING_D1;
    candles.running[MATCHING_D1].start_s = 0;
    candles.running[MATCHING_D1].is_final = 0;
    uint64_t oldest, last;
    uint32_t exact_from_s;
    size_t length = store_put_state(value, &candles, 0x01020304, 7, 9);
    CU_ASSERT(are(value, length, state_bytes));
    CU_ASSERT(store_get_state(value, length, &resumed, &exact_from_s, &oldest, &last));
    CU_ASSERT(exact_from_s == 0x01020304 && oldest == 7 && last == 9 &&
              resumed.time_ns == 3000000000);
    CU_ASSERT_PTR_NOT_NULL(matching_candles_running(&resumed, MATCHING_D1));
    CU_ASSERT_PTR_NULL(matching_candles_running(&resumed, MATCHING_H4));
    CU_ASSERT_FALSE(store_get_state(value, length - 1, &resumed, &exact_from_s, &oldest, &last));
    value[16] = 11; /* the oldest beyond the last */
    CU_ASSERT_FALSE(store_get_state(value, length, &resumed, &exact_from_s, &oldest, &last));
}

MATCHING_TESTS(MATCHING_TEST(test_keys), MATCHING_TEST(test_index_entries),
               MATCHING_TEST(test_instruments), MATCHING_TEST(test_trades),
               MATCHING_TEST(test_orders), MATCHING_TEST(test_candles_and_states))
