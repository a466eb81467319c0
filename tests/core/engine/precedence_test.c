/* Tests of which refusal wins when several apply.
 *
 * Each fault makes a good command one that is refused; a table has them in the contract's order.
 * Every two of a table are tried together, and the earlier one must win.
 */
#include "fixture.h"
#include "support/cunit_main.h"

static fixture f;

typedef struct fault {
    matching_code code;
    matching_field field;
    void (*make)(matching_command *command); /* changes the command, or what it will meet */
} fault;

static uint64_t mine; /* an iceberg, post_only, 4 of 10 lots filled; its level has others */
static uint64_t my_stop;

/* One order, one level and one trader id are free. Last price 100, best ask 105. */
static void begin(void)
{
    matching_engine_limits limits = fixture_limits();
    limits.max_orders = 7;
    limits.max_levels = 5;
    limits.max_traders = 3;
    fixture_init(&f, &limits);
    fixture_set_instrument(&f, 0, 10, 10);
    matching_command command = iceberg_order("a", MATCHING_BUY, 100, 10, 1);
    command.flags |= MATCHING_FLAG_POST_ONLY;
    mine = accepted(&f, command).order_id;
    accepted(&f, market_order("b", MATCHING_SELL, 4));
    my_stop = accepted(&f, stop_order("a", MATCHING_BUY, 200, 0, 5)).order_id;
    accepted(&f, stop_order("b", MATCHING_BUY, 200, 0, 5));
    accepted(&f, limit_order("b", MATCHING_BUY, 100, 1));
    accepted(&f, limit_order("b", MATCHING_SELL, 105, 1));
    command = limit_order("a", MATCHING_BUY, 90, 1);
    set_client_id(&command, "x");
    accepted(&f, command);
}

static bool is_refused(matching_command command, const fault *wanted)
{
    uint64_t before = matching_engine_hash(f.engine);
    const matching_reply *reply = fixture_apply(&f, command);
    return reply->code == wanted->code && reply->field == wanted->field && !reply->has_order &&
           f.event_count == 0 && matching_engine_hash(f.engine) == before;
}

/* The later fault is made first: what it does to the market needs one that trades. */
static void check_pair(matching_command (*good)(void), const fault *faults, size_t i, size_t j)
{
    begin();
    matching_command command = good();
    if (j != i) {
        faults[j].make(&command);
    }
    faults[i].make(&command);
    bool right = is_refused(command, &faults[i]);
    if (!right) {
        printf("\n    faults %zu and %zu: wanted code %d field %d, got code %d field %d", i, j,
               faults[i].code, faults[i].field, f.reply.code, f.reply.field);
    }
    CU_ASSERT_TRUE(right);
    fixture_fini(&f);
}

static void check_table(matching_command (*good)(void), const fault *faults, size_t count)
{
    begin();
    accepted(&f, good());
    fixture_fini(&f);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i; j < count; j++) {
            bool alike = faults[i].code == faults[j].code && faults[i].field == faults[j].field;
            if (i == j || !alike) {
                check_pair(good, faults, i, j);
            }
        }
    }
}

/* ---- what a command may meet ----------------------------------------------------------------- */

static void halt(matching_command *command)
{
    (void)command;
    fixture_apply(&f, set_state(0, MATCHING_HALTED));
}

static void use_up_orders(matching_command *command)
{
    (void)command;
    accepted(&f, limit_order("b", MATCHING_BUY, 90, 1));
}

static void use_up_levels(matching_command *command)
{
    (void)command;
    accepted(&f, limit_order("b", MATCHING_BUY, 89, 1));
}

/* ---- new orders ------------------------------------------------------------------------------ */

static matching_command good_order(void)
{
    return limit_order("a", MATCHING_BUY, 99, 5);
}

static void make_expired(matching_command *command)
{
    command->time_in_force = MATCHING_GTD;
    command->expire_time_ms = 1;
}

static void make_post_only(matching_command *command)
{
    command->flags |= MATCHING_FLAG_POST_ONLY;
    command->price_ticks = 105;
}

/* An auction takes no post_only order. */
static void make_post_only_in_auction(matching_command *command)
{
    make_post_only(command);
    fixture_apply(&f, set_state(0, MATCHING_AUCTION));
}

static void make_duplicate(matching_command *command)
{
    set_trader(command, "a"); /* the other order's */
    set_client_id(command, "x");
}

static void make_unknown_trader(matching_command *command)
{
    matching_command other = limit_order("c", MATCHING_BUY, 90, 1);
    other.instrument = 1; /* takes the last level too */
    accepted(&f, other);
    set_trader(command, "d");
}

static void test_which_refusal_of_an_order_wins(void)
{
    static const fault faults[] = {
        {MATCHING_INVALID_PARAMETER, MATCHING_FIELD_EXPIRE_TIME, make_expired},
        {MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE, halt},
        {MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE, make_post_only_in_auction},
        {MATCHING_DUPLICATE_CLIENT_ORDER_ID, MATCHING_FIELD_CLIENT_ORDER_ID, make_duplicate},
        {MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE, make_post_only},
        {MATCHING_BOOK_FULL, MATCHING_FIELD_NONE, use_up_orders},
        {MATCHING_BOOK_FULL, MATCHING_FIELD_NONE, use_up_levels},
        {MATCHING_BOOK_FULL, MATCHING_FIELD_NONE, make_unknown_trader}};
    check_table(good_order, faults, sizeof faults / sizeof faults[0]);
}

/* ---- amends ---------------------------------------------------------------------------------- */

/* By decimals, of which ten are a tick or a lot. */
static matching_command good_amend(void)
{
    matching_command command = amend_by_id(mine, 990, 110);
    command.flags |= MATCHING_FLAG_DECIMALS;
    return command;
}

static void make_not_mine(matching_command *command)
{
    set_trader(command, "b");
}

static void make_odd_price(matching_command *command)
{
    command->price_ticks = 1055; /* would reach the ask too */
}

static void make_odd_stop_price(matching_command *command)
{
    command->stop_price_ticks = 1999; /* on an order that does not wait, too */
}

static void make_odd_quantity(matching_command *command)
{
    command->quantity_lots = 35; /* has filled already, too */
}

static void make_stop_with_price(matching_command *command)
{
    command->order_id = my_stop;
}

static void make_stop_price(matching_command *command)
{
    command->stop_price_ticks = 1990;
}

static void make_less_than_filled(matching_command *command)
{
    command->quantity_lots = 40;
}

static void make_too_thin(matching_command *command)
{
    command->quantity_lots = 10010; /* it shows one lot, less than a thousandth */
}

static void make_reach(matching_command *command)
{
    command->price_ticks = 1050;
}

static void test_which_refusal_of_an_amend_wins(void)
{
    static const fault faults[] = {
        {MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID, make_not_mine},
        {MATCHING_INVALID_PRICE, MATCHING_FIELD_PRICE, make_odd_price},
        {MATCHING_INVALID_PRICE, MATCHING_FIELD_STOP_PRICE, make_odd_stop_price},
        {MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY, make_odd_quantity},
        {MATCHING_INVALID_PARAMETER, MATCHING_FIELD_PRICE, make_stop_with_price},
        {MATCHING_INVALID_PARAMETER, MATCHING_FIELD_STOP_PRICE, make_stop_price},
        {MATCHING_MARKET_HALTED, MATCHING_FIELD_NONE, halt},
        {MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY, make_less_than_filled},
        {MATCHING_INVALID_QUANTITY, MATCHING_FIELD_QUANTITY, make_too_thin},
        {MATCHING_POST_ONLY_WOULD_CROSS, MATCHING_FIELD_PRICE, make_reach},
        {MATCHING_BOOK_FULL, MATCHING_FIELD_NONE, use_up_levels}};
    check_table(good_amend, faults, sizeof faults / sizeof faults[0]);
}

/* ---- cancels --------------------------------------------------------------------------------- */

/* A cancel knows one refusal; nothing that refuses an order stands against it. */
static void test_a_cancel_is_refused_for_want_of_its_order_only(void)
{
    begin();
    use_up_levels(NULL);
    halt(NULL);
    matching_command command = cancel_by_id(mine);
    set_trader(&command, "b");
    refused(&f, command, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    set_trader(&command, "nobody");
    refused(&f, command, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    set_trader(&command, "a");
    command.instrument = 1;
    command.flags |= MATCHING_FLAG_HAS_SYMBOL;
    refused(&f, command, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    command.instrument = 0;
    accepted(&f, command);
    refused(&f, command, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_ORDER_ID);
    command = cancel_by_client_id("b", "x");
    refused(&f, command, MATCHING_ORDER_NOT_FOUND, MATCHING_FIELD_CLIENT_ORDER_ID);
    accepted(&f, cancel_by_client_id("a", "x"));
    fixture_fini(&f);
}

MATCHING_TESTS(MATCHING_TEST(test_which_refusal_of_an_order_wins),
               MATCHING_TEST(test_which_refusal_of_an_amend_wins),
               MATCHING_TEST(test_a_cancel_is_refused_for_want_of_its_order_only))
