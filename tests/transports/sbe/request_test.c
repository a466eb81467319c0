/* Requests of the SBE wire: they become the commands, and are refused with the codes, that the same
 * request with words gives, which is how the JSON doors ask.
 */
#include "core.h"
#include "sbe_request.h"
#include "support/cunit_main.h"

#define NONE SBE_NULL_I64
#define BIT(name) MATCHING_FIELD_BIT(MATCHING_FIELD_##name)
#define ROUNDS 20000

static matching_core *core;
static sbe_instruments instruments;
static sbe_sender sender;
static matching_command command;
static matching_error error;

static void set_up(const char *logon)
{
    core = create_core();
    CU_ASSERT_EQUAL_FATAL(sbe_instruments_init(&instruments, core), 0);
    sender = (sbe_sender){
        .core = core, .instruments = &instruments, .trader_id = {logon, strlen(logon)}};
}

static void tear_down(void)
{
    sbe_instruments_fini(&instruments);
    matching_core_destroy(core);
}

static matching_code prepare(const uint8_t *bytes, size_t length)
{
    sbe_frame frame;
    sbe_message message;
    sbe_error fault;
    sbe_frame_init(&frame, bytes, length);
    CU_ASSERT_TRUE_FATAL(sbe_frame_next(&frame, &message, &fault));
    CU_ASSERT_TRUE(sbe_is_request(&message));
    matching_code code = sbe_request_prepare(&sender, &message, &command, &error);
    CU_ASSERT_EQUAL(code, error.code);
    return code;
}

#define PREPARE(name, ...)                                                                         \
    do {                                                                                           \
        uint8_t out[SBE_MESSAGE_BYTES_MAX];                                                        \
        code = prepare(out, sbe_##name##_write(out, sizeof out, &(sbe_##name){__VA_ARGS__}));      \
    } while (0)

static void expect_trader(const char *wanted)
{
    CU_ASSERT_EQUAL(strncmp(command.trader_id, wanted, MATCHING_TRADER_MAX), 0);
}

static void test_a_limit_order(void)
{
    matching_code code;
    set_up("");
    PREPARE(new_order, .client_order_id = UINT64_MAX, .trader_id = "alice", .instrument_id = 70000,
            .side = MATCHING_SELL, .order_type = MATCHING_LIMIT, .time_in_force = MATCHING_GTD,
            .flags = SBE_POST_ONLY | MATCHING_STP_CANCEL_MAKER << SBE_SELF_TRADE_SHIFT,
            .price = 300050000000, .quantity = 200000000, .display_quantity = 100000000,
            .stop_price = NONE, .expire_time = 1700000000123);
    CU_ASSERT_EQUAL(code, MATCHING_OK);
    CU_ASSERT_EQUAL(command.type, MATCHING_PLACE);
    CU_ASSERT_STRING_EQUAL(matching_core_instrument(core, command.instrument)->symbol, "ETHUSDT");
    CU_ASSERT_EQUAL(command.side, MATCHING_SELL);
    CU_ASSERT_EQUAL(command.order_type, MATCHING_LIMIT);
    CU_ASSERT_EQUAL(command.time_in_force, MATCHING_GTD);
    CU_ASSERT_EQUAL(command.flags, MATCHING_FLAG_POST_ONLY | MATCHING_FLAG_HAS_SYMBOL);
    CU_ASSERT_EQUAL(command.self_trade, MATCHING_STP_CANCEL_MAKER);
    CU_ASSERT_EQUAL(command.price_ticks, 6001);
    CU_ASSERT_EQUAL(command.quantity_lots, 2);
    CU_ASSERT_EQUAL(command.display_lots, 1);
    CU_ASSERT_EQUAL(command.stop_price_ticks, 0);
    CU_ASSERT_EQUAL(command.expire_time_ms, 1700000000123);
    CU_ASSERT_STRING_EQUAL(command.client_order_id, "18446744073709551615");
    expect_trader("alice");
    tear_down();
}

static void test_zeros_and_nulls_are_left_out(void)
{
    matching_code code;
    set_up("a-trader-with-a-name-of-32-chars");
    PREPARE(new_order, .order_type = MATCHING_MARKET, .price = NONE, .quantity = 10000,
            .display_quantity = NONE, .stop_price = NONE);
    CU_ASSERT_EQUAL(code, MATCHING_OK);
    CU_ASSERT_STRING_EQUAL(matching_core_instrument(core, command.instrument)->symbol, "BTCUSDT");
    CU_ASSERT_EQUAL(command.time_in_force, MATCHING_IOC);
    CU_ASSERT_EQUAL(command.flags, 0);
    CU_ASSERT_EQUAL(command.client_order_id[0], '\0');
    expect_trader("a-trader-with-a-name-of-32-chars");
    PREPARE(new_order, .order_type = MATCHING_MARKET, .price = NONE, .quantity = NONE,
            .display_quantity = NONE, .stop_price = NONE);
    CU_ASSERT_EQUAL(code, MATCHING_MISSING_FIELD);
    CU_ASSERT_EQUAL(error.field, MATCHING_FIELD_QUANTITY);
    tear_down();
}

static void test_an_order_without_a_trader(void)
{
    matching_code code;
    set_up("");
    PREPARE(new_order, .price = 1000000, .quantity = 10000, .display_quantity = NONE,
            .stop_price = NONE);
    CU_ASSERT_EQUAL(code, MATCHING_MISSING_FIELD);
    CU_ASSERT_EQUAL(error.field, MATCHING_FIELD_TRADER_ID);
    PREPARE(mass_cancel, .client_order_id = 1);
    CU_ASSERT_EQUAL(code, MATCHING_MISSING_FIELD);
    PREPARE(new_order, .trader_id = "a\0b", .price = 1000000, .quantity = 10000,
            .display_quantity = NONE, .stop_price = NONE);
    CU_ASSERT_EQUAL(code, MATCHING_INVALID_TRADER);
    tear_down();
}

static void test_an_unknown_instrument(void)
{
    matching_code code;
    set_up("alice");
    PREPARE(new_order, .instrument_id = 2, .price = 1, .quantity = 1, .display_quantity = NONE,
            .stop_price = NONE);
    CU_ASSERT_EQUAL(code, MATCHING_UNKNOWN_SYMBOL);
    CU_ASSERT_EQUAL(error.field, MATCHING_FIELD_SYMBOL);
    PREPARE(cancel_order, .order_id = 1, .instrument_id = UINT32_MAX);
    CU_ASSERT_EQUAL(code, MATCHING_UNKNOWN_SYMBOL);
    PREPARE(mass_cancel, .instrument_id = 65537);
    CU_ASSERT_EQUAL(code, MATCHING_UNKNOWN_SYMBOL);
    tear_down();
}

static void test_a_cancel(void)
{
    matching_code code;
    set_up("alice");
    PREPARE(cancel_order, .client_order_id = 77, .order_id = 9007199254740991);
    CU_ASSERT_EQUAL(code, MATCHING_OK);
    CU_ASSERT_EQUAL(command.type, MATCHING_CANCEL);
    CU_ASSERT_EQUAL(command.order_id, 9007199254740991);
    CU_ASSERT_EQUAL(command.reason, MATCHING_REASON_USER);
    CU_ASSERT_EQUAL(command.flags, 0);
    CU_ASSERT_EQUAL(command.client_order_id[0], '\0');
    PREPARE(cancel_order, .order_id = 1, .instrument_id = 3);
    CU_ASSERT_EQUAL(code, MATCHING_OK);
    CU_ASSERT_EQUAL(command.flags, MATCHING_FLAG_HAS_SYMBOL);
    CU_ASSERT_STRING_EQUAL(matching_core_instrument(core, command.instrument)->symbol, "SOL");
    static const uint64_t wrong[] = {0,          9007199254740992, INT64_MAX,
                                     1ull << 63, (1ull << 63) + 5, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        PREPARE(cancel_order, .order_id = wrong[i]);
        CU_ASSERT_EQUAL(code, MATCHING_INVALID_PARAMETER);
        CU_ASSERT_EQUAL(error.field, MATCHING_FIELD_ORDER_ID);
    }
    tear_down();
}

/* Not as the time that the lower 63 bits are. */
static void test_a_time_beyond_63_bits(void)
{
    matching_code code;
    set_up("alice");
    PREPARE(new_order, .time_in_force = MATCHING_GTD, .price = 1000000, .quantity = 10000,
            .display_quantity = NONE, .stop_price = NONE,
            .expire_time = (1ull << 63) + 1700000000123);
    CU_ASSERT_EQUAL(code, MATCHING_INVALID_PARAMETER);
    CU_ASSERT_EQUAL(error.field, MATCHING_FIELD_EXPIRE_TIME);
    tear_down();
}

static void test_an_amend(void)
{
    matching_code code;
    set_up("");
    PREPARE(amend_order, .order_id = 5, .instrument_id = 1, .price = 5000000000000,
            .quantity = NONE, .stop_price = NONE);
    CU_ASSERT_EQUAL(code, MATCHING_OK);
    CU_ASSERT_EQUAL(command.type, MATCHING_AMEND);
    CU_ASSERT_EQUAL(command.price_ticks, 5000000);
    CU_ASSERT_EQUAL(command.quantity_lots, 0);
    CU_ASSERT_EQUAL(command.stop_price_ticks, 0);
    CU_ASSERT_EQUAL(command.flags, MATCHING_FLAG_HAS_SYMBOL);
    /* Which instrument is the engine's to find: decimals go on as they are. */
    PREPARE(amend_order, .order_id = 5, .price = NONE, .quantity = 7, .stop_price = 8);
    CU_ASSERT_EQUAL(code, MATCHING_OK);
    CU_ASSERT_EQUAL(command.quantity_lots, 7);
    CU_ASSERT_EQUAL(command.stop_price_ticks, 8);
    CU_ASSERT_EQUAL(command.flags, MATCHING_FLAG_DECIMALS);
    PREPARE(amend_order, .order_id = 5, .price = NONE, .quantity = NONE, .stop_price = NONE);
    CU_ASSERT_EQUAL(code, MATCHING_MISSING_FIELD);
    PREPARE(amend_order, .order_id = 5, .price = NONE, .quantity = 0, .stop_price = NONE);
    CU_ASSERT_EQUAL(code, MATCHING_INVALID_QUANTITY);
    tear_down();
}

static void test_a_mass_cancel(void)
{
    matching_code code;
    set_up("alice");
    PREPARE(mass_cancel, .client_order_id = 3);
    CU_ASSERT_EQUAL(code, MATCHING_OK);
    CU_ASSERT_EQUAL(command.type, MATCHING_CANCEL_ALL);
    CU_ASSERT_EQUAL(command.flags, MATCHING_FLAG_ALL_SYMBOLS);
    CU_ASSERT_EQUAL(command.reason, MATCHING_REASON_MASS_CANCEL);
    expect_trader("alice");
    PREPARE(mass_cancel, .trader_id = "bob", .instrument_id = 70000);
    CU_ASSERT_EQUAL(code, MATCHING_OK);
    CU_ASSERT_EQUAL(command.flags, MATCHING_FLAG_HAS_SYMBOL);
    expect_trader("bob");
    tear_down();
}

static void test_who_may_log_on(void)
{
    static const struct {
        const char *name;
        matching_code code;
    } rows[] = {{"a", MATCHING_OK},
                {"a-trader-with-a-name-of-32-chars", MATCHING_OK},
                {"", MATCHING_MISSING_FIELD},
                {"two words", MATCHING_INVALID_TRADER},
                {"tab\t", MATCHING_INVALID_TRADER},
                {"\x7f", MATCHING_INVALID_TRADER}};
    set_up("");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        sbe_logon logon = {.flags = 0};
        memcpy(logon.trader_id, rows[i].name, strlen(rows[i].name));
        matching_text name = sbe_text(logon.trader_id, sizeof logon.trader_id);
        CU_ASSERT_EQUAL(name.length, strlen(rows[i].name));
        CU_ASSERT_EQUAL(sbe_logon_check(core, name, 0, &error), rows[i].code);
        bool is_good = rows[i].code == MATCHING_OK;
        for (unsigned bit = 0; bit < 8; bit++) { /* bit 0 is cancel on disconnect */
            matching_code wanted = is_good && bit > 0 ? MATCHING_INVALID_PARAMETER : rows[i].code;
            CU_ASSERT_EQUAL(sbe_logon_check(core, name, (uint8_t)(1u << bit), &error), wanted);
        }
    }
    tear_down();
}

/* A bit that nobody has given a meaning to is refused, behind what comes first in the order of the
 * codes and before what comes later. */
static void test_unknown_flags_of_an_order(void)
{
    matching_code code;
    set_up("");
    for (unsigned flags = 0; flags <= UINT8_MAX; flags++) {
        bool is_known = flags <= 7;
        PREPARE(new_order, .trader_id = "ann", .flags = (uint8_t)flags, .price = 10000000,
                .quantity = 10000, .display_quantity = NONE, .stop_price = NONE);
        CU_ASSERT_EQUAL(code, is_known ? MATCHING_OK : MATCHING_INVALID_PARAMETER);
        PREPARE(new_order, .trader_id = "a b", .flags = (uint8_t)flags, .price = 10000000,
                .quantity = 10000, .display_quantity = NONE, .stop_price = NONE);
        CU_ASSERT_EQUAL(code, MATCHING_INVALID_TRADER);
        PREPARE(new_order, .trader_id = "ann", .instrument_id = 999, .flags = (uint8_t)flags,
                .price = 10000000, .quantity = 10000, .display_quantity = NONE, .stop_price = NONE);
        CU_ASSERT_EQUAL(code, is_known ? MATCHING_UNKNOWN_SYMBOL : MATCHING_INVALID_PARAMETER);
    }
    tear_down();
}

static void test_only_four_templates_are_requests(void)
{
    for (uint16_t id = 1; id <= SBE_TEMPLATE_MAX; id++) {
        sbe_message message = {.template_id = id};
        bool wanted = id == SBE_NEW_ORDER || id == SBE_CANCEL_ORDER || id == SBE_AMEND_ORDER ||
                      id == SBE_MASS_CANCEL;
        CU_ASSERT_EQUAL(sbe_is_request(&message), wanted);
    }
}

/* ---- The same request with words ------------------------------------------------------------- */

static uint64_t random_state = 20240607;

static unsigned draw(unsigned below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((random_state >> 33) % below);
}

/* Mostly fine, so that a request with one fault is as usual as one with several. */
static int64_t draw_decimal(int64_t fine)
{
    const int64_t odd[] = {0, -1, 1, 10000, 1000001, INT64_MAX, INT64_MIN + 1, fine + 1, NONE};
    return draw(6) > 0 ? fine : odd[draw(sizeof odd / sizeof odd[0])];
}

static sbe_new_order draw_order(void)
{
    static const char *const traders[] = {"alice", "bob", "", "no good"};
    static const uint32_t ids[] = {0, 1, 3, 70000, 2};
    sbe_new_order order = {.client_order_id = draw(2) * draw(100000),
                           .instrument_id = ids[draw(5)],
                           .side = (uint8_t)(draw(8) > 0 ? draw(2) : draw(256)),
                           .order_type = (uint8_t)(draw(8) > 0 ? draw(4) : draw(256)),
                           .time_in_force = (uint8_t)(draw(8) > 0 ? draw(4) : draw(256)),
                           .flags = (uint8_t)(draw(2) > 0 ? 0 : draw(8)),
                           .price = draw_decimal(5000000000000),
                           .quantity = draw_decimal(100000000000),
                           .display_quantity = draw(2) > 0 ? NONE : draw_decimal(100000000),
                           .stop_price = draw(2) > 0 ? NONE : draw_decimal(4900000000000),
                           .expire_time = draw(3) > 0   ? 0
                                          : draw(2) > 0 ? 1700000000123
                                                        : UINT64_MAX - draw(3)};
    const char *trader = traders[draw(4)];
    memcpy(order.trader_id, trader, strlen(trader));
    return order;
}

static matching_text word(const char *text)
{
    return (matching_text){text, strlen(text)};
}

static matching_text name_of(const char *const *names, unsigned count, unsigned at)
{
    return word(at < count ? names[at] : "no such word");
}

static void add_decimal(matching_request *request, int64_t *place, int64_t value, uint32_t bit)
{
    if (value != NONE) {
        *place = value;
        request->present |= bit;
    }
}

/* What a JSON door makes of an order that says the same. */
static matching_request request_with_words(const sbe_new_order *order, char client_order_id[24])
{
    static const char *const sides[] = {"buy", "sell"};
    static const char *const types[] = {"limit", "market", "stop", "stop_limit"};
    static const char *const times[] = {"GTC", "IOC", "FOK", "GTD"};
    static const char *const preventions[] = {"none", "cancel_taker", "cancel_maker",
                                              "cancel_both"};
    matching_request request = {.action = MATCHING_ACTION_PLACE,
                                .present = BIT(SIDE) | BIT(TYPE) | BIT(TIME_IN_FORCE) |
                                           BIT(SELF_TRADE_PREVENTION),
                                .side = name_of(sides, 2, order->side),
                                .type = name_of(types, 4, order->order_type),
                                .time_in_force = name_of(times, 4, order->time_in_force),
                                .self_trade_prevention = word(preventions[order->flags >> 1 & 3])};
    if (order->instrument_id != 0) {
        request.symbol = word(order->instrument_id == 1       ? "BTCUSDT"
                              : order->instrument_id == 3     ? "SOL"
                              : order->instrument_id == 70000 ? "ETHUSDT"
                                                              : "XRP");
        request.present |= BIT(SYMBOL);
    }
    if (order->trader_id[0] != '\0') {
        request.trader_id = word(order->trader_id);
        request.present |= BIT(TRADER_ID);
    }
    if (order->client_order_id != 0) {
        snprintf(client_order_id, 24, "%llu", (unsigned long long)order->client_order_id);
        request.client_order_id = word(client_order_id);
        request.present |= BIT(CLIENT_ORDER_ID);
    }
    if (order->flags & 1) {
        request.post_only = true;
        request.present |= BIT(POST_ONLY);
    }
    if (order->expire_time != 0) {
        bool fits = order->expire_time <= INT64_MAX;
        request.expire_time = fits ? (int64_t)order->expire_time : 0;
        request.present |= BIT(EXPIRE_TIME);
        request.malformed |= fits ? 0 : BIT(EXPIRE_TIME);
    }
    add_decimal(&request, &request.price, order->price, BIT(PRICE));
    add_decimal(&request, &request.quantity, order->quantity, BIT(QUANTITY));
    add_decimal(&request, &request.display_quantity, order->display_quantity,
                BIT(DISPLAY_QUANTITY));
    add_decimal(&request, &request.stop_price, order->stop_price, BIT(STOP_PRICE));
    return request;
}

static void test_orders_are_judged_as_with_words(void)
{
    unsigned seen[MATCHING_CODE_COUNT] = {0};
    set_up("");
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint8_t out[SBE_NEW_ORDER_BYTES];
        char client_order_id[24];
        sbe_new_order order = draw_order();
        matching_request request = request_with_words(&order, client_order_id);
        matching_command wanted;
        matching_error wanted_error;
        matching_code code = matching_gateway_prepare(core, &request, &wanted, &wanted_error);
        sbe_new_order_write(out, sizeof out, &order);
        bool same = prepare(out, sizeof out) == code && error.field == wanted_error.field &&
                    (code != MATCHING_OK || memcmp(&command, &wanted, sizeof wanted) == 0);
        if (!same) {
            printf("order %u of seed 20240607: %s, with words %s\n", i,
                   matching_code_name(error.code), matching_code_name(code));
        }
        CU_ASSERT_TRUE(same);
        seen[code]++;
    }
    static const matching_code expected[] = {
        MATCHING_OK,
        MATCHING_MISSING_FIELD,
        MATCHING_INVALID_SIDE,
        MATCHING_INVALID_PRICE,
        MATCHING_INVALID_QUANTITY,
        MATCHING_INVALID_TRADER,
        MATCHING_INVALID_ORDER_TYPE,
        MATCHING_INVALID_TIME_IN_FORCE,
        MATCHING_INVALID_PARAMETER,
        MATCHING_UNKNOWN_SYMBOL,
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        CU_ASSERT(seen[expected[i]] > 0);
    }
    tear_down();
}

MATCHING_TESTS(MATCHING_TEST(test_a_limit_order), MATCHING_TEST(test_zeros_and_nulls_are_left_out),
               MATCHING_TEST(test_an_order_without_a_trader),
               MATCHING_TEST(test_an_unknown_instrument), MATCHING_TEST(test_a_cancel),
               MATCHING_TEST(test_a_time_beyond_63_bits), MATCHING_TEST(test_an_amend),
               MATCHING_TEST(test_a_mass_cancel), MATCHING_TEST(test_who_may_log_on),
               MATCHING_TEST(test_unknown_flags_of_an_order),
               MATCHING_TEST(test_only_four_templates_are_requests),
               MATCHING_TEST(test_orders_are_judged_as_with_words))
