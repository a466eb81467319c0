/* Instruments by id: configured ones, those added while the core runs, and none for other ids. */
#include "core.h"
#include "inprocess.h"
#include "sbe_instruments.h"
#include "support/cunit_main.h"

#define ADDED 97 /* with the three configured ones as many as the core can have */

static uint32_t id_of(unsigned n)
{
    /* Ids far apart, their low halves all the same. */
    return 1000u + n * 65536u * 400u;
}

static void add(matching_inprocess *client, unsigned n)
{
    char symbol[MATCHING_SYMBOL_MAX + 1];
    const matching_reply *reply;
    matching_error error;
    snprintf(symbol, sizeof symbol, "ADDED-%u", n);
    matching_request request = {.action = MATCHING_ACTION_ADD_INSTRUMENT,
                                .present = MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL) |
                                           MATCHING_FIELD_BIT(MATCHING_FIELD_ID) |
                                           MATCHING_FIELD_BIT(MATCHING_FIELD_TICK_SIZE) |
                                           MATCHING_FIELD_BIT(MATCHING_FIELD_LOT_SIZE),
                                .symbol = {symbol, strlen(symbol)},
                                .id = id_of(n),
                                .tick_size = 1,
                                .lot_size = 1};
    CU_ASSERT_EQUAL(matching_inprocess_call(client, &request, &reply, &error), MATCHING_OK);
}

static void expect(sbe_instruments *instruments, uint32_t id, const char *symbol)
{
    const matching_instrument *found = sbe_instruments_find(instruments, id);
    CU_ASSERT_PTR_NOT_NULL_FATAL(found);
    CU_ASSERT_EQUAL(found->id, id);
    CU_ASSERT_STRING_EQUAL(found->symbol, symbol);
}

static void test_configured_instruments_by_id(void)
{
    sbe_instruments instruments;
    matching_core *core = create_core();
    CU_ASSERT_EQUAL_FATAL(sbe_instruments_init(&instruments, core), 0);
    expect(&instruments, 1, "BTCUSDT");
    expect(&instruments, 70000, "ETHUSDT");
    expect(&instruments, 3, "SOL");
    static const uint32_t others[] = {0, 2, 4, 69999, 70001, 65537, UINT32_MAX};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        CU_ASSERT_PTR_NULL(sbe_instruments_find(&instruments, others[i]));
    }
    sbe_instruments_fini(&instruments);
    matching_core_destroy(core);
}

static void test_instruments_that_are_added_are_found(void)
{
    sbe_instruments instruments;
    char error[256], symbol[MATCHING_SYMBOL_MAX + 1];
    matching_core *core = create_core();
    matching_inprocess *client = matching_inprocess_create(core, NULL, NULL);
    CU_ASSERT_EQUAL_FATAL(matching_core_start(core, error, sizeof error), 0);
    CU_ASSERT_EQUAL_FATAL(sbe_instruments_init(&instruments, core), 0);
    for (unsigned n = 0; n < ADDED; n++) {
        CU_ASSERT_PTR_NULL(sbe_instruments_find(&instruments, id_of(n)));
        add(client, n);
        if (n % 3 == 0) { /* else a later one brings it in */
            snprintf(symbol, sizeof symbol, "ADDED-%u", n);
            expect(&instruments, id_of(n), symbol);
        }
    }
    for (unsigned n = 0; n < ADDED; n++) {
        snprintf(symbol, sizeof symbol, "ADDED-%u", n);
        expect(&instruments, id_of(n), symbol);
    }
    expect(&instruments, 70000, "ETHUSDT");
    sbe_instruments_fini(&instruments);
    matching_inprocess_destroy(client);
    matching_core_stop(core);
    matching_core_destroy(core);
}

MATCHING_TESTS(MATCHING_TEST(test_configured_instruments_by_id),
               MATCHING_TEST(test_instruments_that_are_added_are_found))
