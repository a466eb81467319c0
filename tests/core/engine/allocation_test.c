/* Tests that the engine takes no memory once it is built: random commands and reads of every kind,
 * found with the oracle's help, then given to an engine whose every call for memory is counted.
 */
#include <stdlib.h>

#include "generator.h"
#include "support/cunit_main.h"
#include "support/heap_calls.h"

#define COMMANDS 30000u
#define RING 65536u

static const market everything = {.name = "everything",
                                  .limits = {.instruments = 3,
                                             .max_orders = 60,
                                             .max_levels = 40,
                                             .max_traders = 5,
                                             .retained_orders = 16},
                                  .traders = 6,
                                  .client_ids = 6,
                                  .price_low = 90,
                                  .price_high = 110,
                                  .quantity_high = 20,
                                  .passive = 50,
                                  .stops = 25};

static matching_command commands[COMMANDS];
static uint64_t types[MATCHING_READ_DEPTH + 1]; /* how often each was among them */

static void find_commands(void)
{
    static duel d;
    duel_init(&d, &everything.limits);
    generator random = {.market = &everything, .duel = &d, .random_state = 8};
    for (unsigned i = 0; i < COMMANDS; i++) {
        commands[i] = generator_next(&random);
        CU_ASSERT_TRUE_FATAL(duel_apply(&d, &commands[i], false));
        commands[i].sequence = d.engine.sequence;
        commands[i].time_ns = d.engine.time_ns;
        types[commands[i].type]++;
    }
    CU_ASSERT_TRUE(d.trades > 1000 && d.crosses > 100 && d.triggers > 100);
    CU_ASSERT_TRUE(d.codes[MATCHING_BOOK_FULL] > 100);
    for (unsigned reason = MATCHING_REASON_USER; reason <= MATCHING_REASON_DISCONNECT; reason++) {
        CU_ASSERT_TRUE(d.reasons[reason] > 0);
    }
    duel_fini(&d);
}

/* The ring starts over whenever it is full: nobody reads it. */
static void make_room(matching_event_sink *sink)
{
    sink->limit = sink->head + RING;
}

static void read(const matching_engine *engine, const matching_command *command)
{
    static matching_order orders[64];
    static matching_reply reply;
    matching_order_page page = {.orders = orders, .capacity = 64};
    switch (command->type) {
    case MATCHING_READ_ORDER:
        matching_engine_read_order(engine, command, &reply);
        break;
    case MATCHING_READ_ORDERS:
        while (!page.done) {
            matching_engine_read_orders(engine, command, &page, 10);
        }
        break;
    default:
        while (!page.done) {
            matching_engine_read_open_orders(engine, command, &page, 10);
        }
        break;
    }
}

static void read_books(const matching_engine *engine)
{
    static matching_level bids[64], asks[64];
    int64_t price;
    matching_wide volume;
    matching_depth depth = {.bids = bids, .asks = asks};
    for (uint16_t i = 0; i < everything.limits.instruments; i++) {
        matching_engine_read_depth(engine, i, 64, &depth);
        matching_engine_indicative(engine, i, &price, &volume);
    }
    matching_engine_next_expiry(engine);
    matching_engine_trader(engine, 1);
    matching_engine_hash(engine);
    CU_ASSERT_PTR_NULL(matching_engine_check(engine));
}

static void test_nothing_is_allocated_after_start(void)
{
    find_commands();
    for (unsigned type = MATCHING_PLACE; type <= MATCHING_CANCEL_GUARDED; type++) {
        CU_ASSERT_TRUE(types[type] > 30 || type == MATCHING_ADD_INSTRUMENT);
    }
    size_t bytes = (matching_engine_size(&everything.limits) + 63) / 64 * 64;
    void *memory = aligned_alloc(64, bytes);
    matching_event *ring = calloc(RING, sizeof *ring);
    CU_ASSERT_TRUE_FATAL(memory != NULL && ring != NULL);
    memset(memory, 0, bytes);
    matching_engine *engine = matching_engine_init(memory, &everything.limits);
    matching_event_sink sink = {.slots = ring, .mask = RING - 1, .make_room = make_room};
    static matching_reply reply;
    uint64_t before = heap_calls_everywhere();
    for (unsigned i = 0; i < COMMANDS; i++) {
        if (commands[i].type < MATCHING_READ_ORDER) {
            matching_engine_apply(engine, &commands[i], &sink, &reply);
        } else {
            read(engine, &commands[i]);
        }
        if (i % 100 == 0) {
            read_books(engine);
        }
    }
    CU_ASSERT_EQUAL(heap_calls_everywhere(), before);
    CU_ASSERT_TRUE(sink.head > COMMANDS);
    free(ring);
    free(memory);
}

/* The counter counts: else the test above would show nothing. */
static void test_calls_for_memory_are_counted(void)
{
    uint64_t before = heap_calls_here();
    void *volatile memory = malloc(10);
    memory = realloc(memory, 20);
    free(memory);
    memory = calloc(1, 1);
    free(memory);
    CU_ASSERT_EQUAL(heap_calls_here(), before + 5);
}

MATCHING_TESTS(MATCHING_TEST(test_nothing_is_allocated_after_start),
               MATCHING_TEST(test_calls_for_memory_are_counted))
