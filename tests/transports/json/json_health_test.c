/* Tests of what GET /health says: transports/json/json_health.c. */
#include <string.h>

#include "json_text.h"
#include "json_writer.h"
#include "support/cunit_main.h"
#include "support/journal_double.h"

#define SHARDS 3

static matching_core *make_core(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 10000}};
    char error[256];
    matching_core_options options;
    matching_core_options_default(&options);
    options.instruments = instruments;
    options.instrument_count = 1;
    options.shards = SHARDS;
    options.max_orders = options.retained_orders = 64;
    options.max_traders = 16;
    journal_double_reset();
    matching_core *core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(core);
    return core;
}

static bool says(const matching_core *core, const char *members, bool healthy, const char *wanted)
{
    matching_writer writer;
    matching_writer_init(&writer);
    bool said = matching_write_health(&writer, core, "some-service", members);
    bool same = writer.length == strlen(wanted) && memcmp(writer.data, wanted, writer.length) == 0;
    if (!same) {
        printf("got %.*s\nexpected %s\n", (int)writer.length, writer.data, wanted);
    }
    CU_ASSERT_TRUE(matching_json_check(writer.data, writer.length, 8));
    matching_writer_fini(&writer);
    return same && said == healthy;
}

static void test_healthy(void)
{
    matching_core *core = make_core();
    CU_ASSERT(says(core, "", true, "{\"status\":\"healthy\",\"service\":\"some-service\"}"));
    CU_ASSERT(says(core, ",\"protocol\":\"ws\"", true,
                   "{\"status\":\"healthy\",\"service\":\"some-service\",\"protocol\":\"ws\"}"));
    matching_core_destroy(core);
}

static void test_the_shards_that_failed_are_listed(void)
{
    matching_core *core = make_core();
    journal_double_fail(2, "the disk is full");
    CU_ASSERT(says(core, "", false,
                   "{\"status\":\"failing\",\"service\":\"some-service\",\"shards\":"
                   "[{\"shard\":2,\"failed\":\"the disk is full\"}]}"));
    journal_double_fail(0, "a \"quoted\" \xff name\n");
    CU_ASSERT(says(core, ",\"protocol\":\"ws\"", false,
                   "{\"status\":\"failing\",\"service\":\"some-service\",\"protocol\":\"ws\","
                   "\"shards\":[{\"shard\":0,\"failed\":\"a \\\"quoted\\\" ? name?\"},"
                   "{\"shard\":2,\"failed\":\"the disk is full\"}]}"));
    matching_core_destroy(core);
}

/* They are told, and nobody is sent away because of them. */
static void test_warnings_are_listed_and_do_no_harm(void)
{
    matching_core *core = make_core();
    journal_double_warn(1, "no \"room\"");
    CU_ASSERT(says(core, ",\"protocol\":\"ws\"", true,
                   "{\"status\":\"healthy\",\"service\":\"some-service\",\"protocol\":\"ws\","
                   "\"warnings\":[{\"shard\":1,\"warning\":\"no \\\"room\\\"\"}]}"));
    journal_double_warn(2, "nor there");
    journal_double_fail(0, "gone");
    CU_ASSERT(says(core, "", false,
                   "{\"status\":\"failing\",\"service\":\"some-service\","
                   "\"shards\":[{\"shard\":0,\"failed\":\"gone\"}],"
                   "\"warnings\":[{\"shard\":1,\"warning\":\"no \\\"room\\\"\"},"
                   "{\"shard\":2,\"warning\":\"nor there\"}]}"));
    journal_double_reset();
    CU_ASSERT(says(core, "", true, "{\"status\":\"healthy\",\"service\":\"some-service\"}"));
    matching_core_destroy(core);
}

MATCHING_TESTS(MATCHING_TEST(test_healthy), MATCHING_TEST(test_the_shards_that_failed_are_listed),
               MATCHING_TEST(test_warnings_are_listed_and_do_no_harm))
