/* The fixture: small memory, two shards. */
#include "door_fixture.h"

#include <CUnit/CUnit.h>
#include <stdio.h>
#include <string.h>

matching_config config;
matching_access access_rules;
matching_core_options core_options;
matching_transport door;
client_answer answer;

void prepare(void)
{
    matching_config_default(&config);
    memset(&access_rules, 0, sizeof access_rules);
    config.http.port = 0;
    config.http.cors.enabled = true;
    snprintf(access_rules.bind_address, sizeof access_rules.bind_address, "127.0.0.1");
    snprintf(access_rules.allow_origins[0], sizeof access_rules.allow_origins[0], "*");
    access_rules.allow_origin_count = 1;
    matching_core_options_default(&core_options);
    core_options.shards = 2;
    core_options.max_instruments = 3;
    core_options.ring_size = 256;
    core_options.max_orders = 4096;
    core_options.max_traders = 64;
    core_options.retained_orders = 4096;
    core_options.recent_trades = 128;
}

void open_door(void)
{
    static const matching_instrument_options instruments[] = {
        {.symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "ETHUSDT", .id = 2, .tick_size = 1000000, .lot_size = 10000}};
    char error[256] = "";
    core_options.instruments = instruments;
    core_options.instrument_count = 2;
    door = (matching_transport){.ops = &matching_http_transport,
                                .config = &config,
                                .access = &access_rules,
                                .core = matching_core_create(&core_options, error, sizeof error)};
    CU_ASSERT_PTR_NOT_NULL_FATAL(door.core);
    CU_ASSERT_EQUAL_FATAL(door.ops->init(&door), 0);
    CU_ASSERT_EQUAL_FATAL(matching_core_start(door.core, error, sizeof error), 0);
    CU_ASSERT_EQUAL_FATAL(door.ops->start(&door), 0);
}

void end_core(void)
{
    matching_core_stop(door.core);
    door.ops->fini(&door);
    matching_core_destroy(door.core);
}

void close_door(void)
{
    door.ops->stop(&door);
    end_core();
}

void connect_or_fail(client *self)
{
    CU_ASSERT_TRUE_FATAL(client_connect(self, door.address));
}

bool is_alive(client *self)
{
    return client_ask(self, &answer, "GET", "/health", NULL) == 200;
}
