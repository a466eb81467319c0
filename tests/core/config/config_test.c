/* The file and the whole: what is taken, what is refused and with which words, what is printed. */
#include "config_support.h"

#include "matching/decimal.h"

#define LONGEST_COMMENT 4095 /* with its # the longest line */

static matching_config config;
static char error[MATCHING_CONFIG_ERROR_SIZE];

static int load(const char *text)
{
    matching_config_default(&config);
    int status = config_test_load(&config, text, strlen(text), error);
    if (status != 0 && error[0] == '\0')
        CU_FAIL("a refusal without a message");
    return status;
}

static void test_defaults_are_those_of_the_contract(void)
{
    matching_config_default(&config);
    CU_ASSERT_STRING_EQUAL(config.bind, "127.0.0.1");
    CU_ASSERT_STRING_EQUAL(config.data_dir, "./matching-data");
    CU_ASSERT_FALSE(config.in_memory);
    CU_ASSERT_FALSE(config.insecure);
    CU_ASSERT_EQUAL(config.engine.batch_size, 100);
    CU_ASSERT_EQUAL(config.engine.max_orders, 1048576);
    CU_ASSERT_TRUE(config.engine.memory_at_start);
    CU_ASSERT_EQUAL(config.journal.sync, MATCHING_SYNC_COMMIT);
    CU_ASSERT_EQUAL(config.websocket.port, 9090);
    CU_ASSERT_EQUAL(config.websocket.max_connections, 10000);
    CU_ASSERT_EQUAL(config.websocket.max_subscriptions_per_client, 50);
    CU_ASSERT_EQUAL(config.websocket.heartbeat_interval_s, 30);
    CU_ASSERT_EQUAL(config.websocket.client_timeout_s, 60);
    CU_ASSERT_EQUAL(config.websocket.message_batch_size, 100);
    CU_ASSERT_EQUAL(config.websocket.message_batch_timeout_ms, 50);
    CU_ASSERT_EQUAL(config.websocket.max_message_bytes, 65536);
    CU_ASSERT_EQUAL(config.websocket.max_errors_in_a_row, 100);
    CU_ASSERT_EQUAL(config.websocket.max_queue_bytes, 4u << 20);
    CU_ASSERT_EQUAL(config.websocket.max_total_queue_bytes, 1u << 30);
    CU_ASSERT_EQUAL(config.http.port, 8080);
    CU_ASSERT_EQUAL(config.jsonrpc.port, 3030);
    CU_ASSERT_EQUAL(config.jsonrpc.max_batch, 100);
    CU_ASSERT_EQUAL(config.sbe.port, 9001);
    CU_ASSERT_EQUAL(config.sbe.max_subscriptions_per_client, 4096);
    CU_ASSERT_EQUAL(config.sbe.heartbeat_interval_s, 30);
    CU_ASSERT_EQUAL(config.sbe.client_timeout_s, 60);
    CU_ASSERT_EQUAL(config.sbe.max_message_bytes, 65536);
    CU_ASSERT_EQUAL(config.sbe.max_errors_in_a_row, 100);
    CU_ASSERT_EQUAL(config.sbe.max_queue_bytes, 4u << 20);
    CU_ASSERT_EQUAL(config.sbe.max_total_queue_bytes, 1u << 30);
    CU_ASSERT_EQUAL(config.socketio.port, 9092);
    CU_ASSERT_STRING_EQUAL(config.admin.token, "");
    static const char *const names[] = {"BTCUSDT", "ETHUSDT", "SOLUSDT"};
    CU_ASSERT_EQUAL_FATAL(config.instrument_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        CU_ASSERT_STRING_EQUAL(config.instruments[i].symbol, names[i]);
        CU_ASSERT_EQUAL(config.instruments[i].id, i + 1);
        CU_ASSERT_EQUAL(config.instruments[i].tick_size, MATCHING_DECIMAL_ONE / 100);
        CU_ASSERT_EQUAL(config.instruments[i].lot_size, MATCHING_DECIMAL_ONE / 10000);
        CU_ASSERT_EQUAL(config.instruments[i].sbe_char, "BES"[i]);
    }
    CU_ASSERT_EQUAL(config.engine.max_instruments, 1024);
    CU_ASSERT_EQUAL(matching_config_check(&config, error, sizeof error), 0);
}

static void test_no_more_instruments_than_the_limit(void)
{
    CU_ASSERT_EQUAL(load("[engine]\nmax_instruments = 2\n[symbol.A]\nid = 1\n[symbol.B]\nid = 2\n"),
                    0);
    CU_ASSERT_EQUAL(matching_config_check(&config, error, sizeof error), 0);
    CU_ASSERT_EQUAL(load("[engine]\nmax_instruments = 2\n"), 0); /* the three default ones */
    CU_ASSERT_EQUAL(matching_config_check(&config, error, sizeof error), -1);
    config_test_expect_text(error, "engine.max_instruments: must be at least the number of "
                                   "instruments that are configured, which is 3, not 2");
    CU_ASSERT_EQUAL(load("[engine]\nmax_instruments = 0\n"), -1);
    CU_ASSERT_EQUAL(load("[engine]\nmax_instruments = 65536\n"), -1);
    CU_ASSERT_EQUAL(load("[engine]\nmax_instruments = 65535\n"), 0);
}

static void test_every_kind_of_setting_is_read(void)
{
    CU_ASSERT_EQUAL_FATAL(
        load("\xef\xbb\xbf# settings\r\n"
             "data_dir = '/var/lib/a;b #c' # comment\r\n"
             "bind = \"::1\"\n"
             "in_memory = true\n"
             "allow_hosts = [\"Exchange.Example.com\", \"10.0.0.7\", \"[2001:db8::1]\"]\n"
             "  [ engine ]  # indented\n"
             "\tshards = 2\n"
             "    cpu_affinity = [0, 1]\n"
             "ring_size = 1_024\n"
             "[journal]\n"
             "sync = \"interval\"\n"
             "segment_bytes = 0x1000000\n"
             "[websocket]\n"
             "port=0\n"
             "max_errors_in_a_row = 0\n"
             "max_queue_bytes = 65536\n"
             "max_total_queue_bytes = 8589934592\n"
             "[websocket.cors]\n"
             "allow_origins = [\"https://Example.com:8443\", \"http://[::1]:3000\", \"*\"]\n"
             "[http]\n"
             "cors.enabled = false\n"
             "[telemetry]\n"
             "log_level = \"warn\"\n"
             "log_format = 'json'\n"
             "[store]\n"
             "[admin]\n"
             "token = \"s3cret!\""),
        0);
    CU_ASSERT_STRING_EQUAL(config.data_dir, "/var/lib/a;b #c");
    CU_ASSERT_STRING_EQUAL(config.bind, "::1");
    CU_ASSERT_TRUE(config.in_memory);
    CU_ASSERT_EQUAL(config.allow_hosts.count, 3);
    CU_ASSERT_STRING_EQUAL(config.allow_hosts.items[0], "exchange.example.com");
    CU_ASSERT_EQUAL(config.engine.shards, 2);
    CU_ASSERT_EQUAL(config.engine.cpu_affinity_count, 2);
    CU_ASSERT_EQUAL(config.engine.cpu_affinity[1], 1);
    CU_ASSERT_EQUAL(config.engine.ring_size, 1024);
    CU_ASSERT_EQUAL(config.journal.sync, MATCHING_SYNC_INTERVAL);
    CU_ASSERT_EQUAL(config.journal.segment_bytes, 1u << 24);
    CU_ASSERT_EQUAL(config.websocket.port, 0);
    CU_ASSERT_EQUAL(config.websocket.max_errors_in_a_row, 0);
    CU_ASSERT_EQUAL(config.websocket.max_queue_bytes, 65536);
    CU_ASSERT_EQUAL(config.websocket.max_total_queue_bytes, UINT64_C(8589934592));
    CU_ASSERT_EQUAL(config.websocket.cors.allow_origins.count, 3);
    CU_ASSERT_STRING_EQUAL(config.websocket.cors.allow_origins.items[0],
                           "https://example.com:8443");
    CU_ASSERT_FALSE(config.http.cors.enabled);
    CU_ASSERT_STRING_EQUAL(config.telemetry.log_level, "warn");
    CU_ASSERT_EQUAL(config.telemetry.log_format, MATCHING_CONFIG_LOG_JSON);
    CU_ASSERT_STRING_EQUAL(config.admin.token, "s3cret!");
    CU_ASSERT_EQUAL(config.instrument_count, 3); /* no section: the default ones stay */
}

static void test_symbol_sections_replace_the_default_instruments(void)
{
    CU_ASSERT_EQUAL_FATAL(load("[symbol.SOLUSDT]\n"
                               "[symbol.\"A.B_C-1\"]\n"
                               "id = 4_294_967_295\n"
                               "tick_size = 5e-1\n"
                               "lot_size = \"0.00000001\"\n"
                               "sbe_char = '#'\n"
                               "[symbol.X]\n"
                               "id = 7\n"
                               "tick_size = 10\n"),
                          0);
    CU_ASSERT_EQUAL_FATAL(config.instrument_count, 3);
    const matching_instrument_options *it = config.instruments;
    CU_ASSERT_STRING_EQUAL(it[0].symbol, "SOLUSDT");
    CU_ASSERT_EQUAL(it[0].id, 3);
    CU_ASSERT_EQUAL(it[0].sbe_char, 'S');
    CU_ASSERT_STRING_EQUAL(it[1].symbol, "A.B_C-1");
    CU_ASSERT_EQUAL(it[1].id, UINT32_MAX);
    CU_ASSERT_EQUAL(it[1].tick_size, MATCHING_DECIMAL_ONE / 2);
    CU_ASSERT_EQUAL(it[1].lot_size, 1);
    CU_ASSERT_EQUAL(it[1].sbe_char, '#');
    CU_ASSERT_EQUAL(it[2].tick_size, 10 * MATCHING_DECIMAL_ONE);
    CU_ASSERT_EQUAL(it[2].lot_size, MATCHING_DECIMAL_ONE / 10000);
    CU_ASSERT_EQUAL(it[2].sbe_char, 0);
}

/* The text of a file and the exact words of its refusal. */
static void test_refusals_name_file_line_and_key_and_what_is_allowed(void)
{
    static const char *const cases[][2] = {
        {"[websocket]\nport = 65536\n",
         "matching.toml:2: websocket.port: must be an integer from 0 to 65535, not 65536"},
        {"[websocket]\n\n# c\nport = \"9090\" # text\n",
         "matching.toml:4: websocket.port: must be an integer from 0 to 65535, not \"9090\""},
        {"[http]\nenabled = 1", "matching.toml:2: http.enabled: must be true or false, not 1"},
        {"[engine]\nring_size = 1000\n",
         "matching.toml:2: engine.ring_size: must be a power of two from 64 to 1048576, not 1000"},
        {"[journal]\nsync = \"always\"\n", "matching.toml:2: journal.sync: must be one of "
                                           "\"commit\", \"interval\", \"none\", not \"always\""},
        {"bind = \"example.com\"\n",
         "matching.toml:1: bind: must be a numeric IPv4 or IPv6 address (no brackets) or "
         "localhost, not \"example.com\""},
        {"[websocket]\nprot = 9090\n",
         "matching.toml:2: websocket.prot: unknown key, [websocket] has enabled port "
         "max_connections max_subscriptions_per_client heartbeat_interval client_timeout "
         "message_batch_size message_batch_timeout_ms kline_batch_ms permessage_deflate "
         "max_message_bytes "
         "max_errors_in_a_row max_messages_per_second max_queue_bytes max_total_queue_bytes "
         "allow_hosts"},
        {"insecure = true\n", "matching.toml:1: insecure: unknown key, the part before the first "
                              "section has data_dir in_memory bind allow_hosts"},
        {"\n[webscoket]\n",
         "matching.toml:2: [webscoket]: unknown section, there are engine journal websocket "
         "websocket.cors http http.cors jsonrpc jsonrpc.cors sbe sbe.cors socketio socketio.cors "
         "store telemetry admin symbol.NAME"},
        {"[http]\nport = 1\nport = 1\n",
         "matching.toml:3: http.port: is given twice, the first time on line 2"},
        {"[http]\n[engine]\n[http]\n",
         "matching.toml:3: http: is given twice, the first time on line 1"},
        {"[admin]\ntoken = \"a b\"\n", "matching.toml:2: admin.token: must be 1 to 255 printable "
                                       "ASCII characters without spaces"},
        {"[websocket]\nclient_timeout = 30\n",
         "matching.toml:2: websocket.client_timeout: must be larger than heartbeat_interval, "
         "which is 30"},
        {"[websocket]\nheartbeat_interval = 60\n",
         "matching.toml:2: websocket.heartbeat_interval: must be smaller than client_timeout, "
         "which is 60"},
        {"[sbe]\nclient_timeout = 30\n",
         "matching.toml:2: sbe.client_timeout: must be larger than heartbeat_interval, "
         "which is 30"},
        {"[http]\nport 8080\n",
         "matching.toml:2: port: an equals sign and a value must follow the key"},
        {"[http]\nport =\n", "matching.toml:2: http.port: no value after the equals sign"},
        {"[symbol.A]\n\n", "matching.toml:1: symbol.A.id: is missing, give each instrument its own "
                           "integer from 1 to 4294967295"},
        {"[symbol.A]\nid = 1\n[symbol.B]\nid = 1\n",
         "matching.toml:4: symbol.B.id: must be unique, 1 is the id of A already"},
        {"[symbol.A]\nid = 9\nsbe_char = \"B\"\n[symbol.BTCUSDT]\n",
         "matching.toml:4: symbol.BTCUSDT.sbe_char: must be unique, \"B\" is the one of A already"},
        {"[symbol.A]\nid = 1\n[symbol.\"A\"]\nid = 2\n",
         "matching.toml:3: symbol.A: is given twice, the first time on line 1"},
        {"[symbol.A]\nid = 1\ntick_size = 0\n",
         "matching.toml:3: symbol.A.tick_size: must be a number above 0 with at most 8 decimals, "
         "like 0.01, at most 92233720368, not 0"},
        {"[symbol.btc]\n",
         "matching.toml:1: symbol.btc: the name of an instrument must be 1 to 16 of A-Z 0-9 . _ -"},
        {"[symbol.A]\nid = 1\ntick = 1\n",
         "matching.toml:3: symbol.A.tick: unknown key, an instrument has id tick_size lot_size "
         "sbe_char"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(load(cases[i][0]), -1);
        config_test_expect_text(error, cases[i][1]);
    }
}

static void test_what_is_not_toml_is_refused_even_where_libinih_would_take_it(void)
{
    static const char *const cases[] = {
        "[http]\nport: 8080\n",
        "[http]\n; comment\n",
        "[http] junk\n",
        "[http\n",
        "[]\n",
        "[[http]]\n",
        "[http]\nport\n",
        "[http]\nport = 8080 ; inline\n",
        "[http]\nport = 80\n  80\n",
        "[http]\nport = 8080 8081\n",
        "[http]\nallow_hosts = [\n\"a\",\n]\n",
        "[http]\n= 1\n",
        "[http]\npo rt = 1\n",
        "[http]\n\"port = 1\n",
        "[http]\n@ = @\n",
        "# \x01\n",
        "# \xff\n",
        "[http]\nport = 1\r2\n",
        "[symbol]\nBTCUSDT.id = 1\n",
        "symbol.BTCUSDT.id = 1\n",
        "[http]\nport = { a = 1 }\n",
        "[http]\ncors.cors = true\n",
        "[websocket]\ncors.enabled = true\n[websocket.cors]\nenabled = true\n",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (load(cases[i]) == 0) {
            printf("taken: %s\n", cases[i]);
            CU_FAIL("a bad file was taken");
        }
    matching_config_default(&config);
    CU_ASSERT_EQUAL(config_test_load(&config, "[http]\nport = 1\0\n", 17, error), -1);
}

static void test_values_out_of_range_or_of_another_type_are_refused(void)
{
    static const char *const cases[] = {
        "data_dir = \"\"",
        "data_dir = 1",
        "in_memory = \"true\"",
        "in_memory = [true]",
        "bind = \"\"",
        "bind = \"[::1]\"",
        "bind = \"127.0.0.1:80\"",
        "bind = \"127.1\"",
        "bind = \"256.0.0.1\"",
        "allow_hosts = \"a\"",
        "allow_hosts = [1]",
        "allow_hosts = [\"http://a\"]",
        "allow_hosts = [\"a:80\"]",
        "allow_hosts = [\"\"]",
        "allow_hosts = [\"*\"]",
        "allow_hosts = [\"a/b\"]",
        "allow_hosts = [\"a..b\"]",
        "allow_hosts = [\"[::1\"]",
        "allow_hosts = [\"[]\"]",
        "http.cors.allow_origins = [\"example.com\"]",
        "http.cors.allow_origins = [\"https://example.com/\"]",
        "http.cors.allow_origins = [\"https://\"]",
        "http.cors.allow_origins = [\"null\"]",
        "http.cors.allow_origins = [\"https://a:0\"]",
        "http.cors.allow_origins = [\"https://a:\"]",
        "http.cors.allow_origins = [\"https://a:65536\"]",
        "http.cors.allow_origins = [\"https://*.a\"]",
        "http.port = -1",
        "http.port = 80.0",
        "http.port = [80]",
        "http.port = true",
        "http.max_connections = 0",
        "http.max_body_bytes = 9223372036854775807",
        "engine.shards = 65",
        "engine.cpu_affinity = 1",
        "engine.cpu_affinity = [-1]",
        "engine.cpu_affinity = [1024]",
        "engine.cpu_affinity = [\"0\"]",
        "engine.max_orders = 0",
        "journal.sync = 0",
        "journal.sync = \"\"",
        "journal.sync = \"commit interval\"",
        "journal.sync = \"Commit\"",
        "admin.token = \"\"",
        "admin.token = \"caf\xc3\xa9\"",
        "telemetry.log_level = \"trace\"",
        "telemetry.log_level = \"info,webs=debug\"",
        "[symbol.A]\nid = 0",
        "[symbol.A]\nid = -1",
        "[symbol.A]\nid = 4294967296",
        "[symbol.A]\nid = \"1\"",
        "[symbol.A]\nid = 1.0",
        "[symbol.A]\nid = 1\nid = 1",
        "[symbol.A]\nid = 1\ntick_size = -0.01",
        "[symbol.A]\nid = 1\ntick_size = 0.000000001",
        "[symbol.A]\nid = 1\ntick_size = \"\"",
        "[symbol.A]\nid = 1\ntick_size = \"0.01 \"",
        "[symbol.A]\nid = 1\ntick_size = \"abc\"",
        "[symbol.A]\nid = 1\ntick_size = [0.01]",
        "[symbol.A]\nid = 1\nlot_size = 92233720369",
        "[symbol.A]\nid = 1\nlot_size = 1e400",
        "[symbol.A]\nid = 1\nlot_size = true",
        "[symbol.A]\nid = 1\nsbe_char = \"\"",
        "[symbol.A]\nid = 1\nsbe_char = \"AB\"",
        "[symbol.A]\nid = 1\nsbe_char = \" \"",
        "[symbol.A]\nid = 1\nsbe_char = \"\xc3\xa9\"",
        "[symbol.A]\nid = 1\nsbe_char = 65",
        "[symbol.ABCDEFGHIJKLMNOPQ]\nid = 1",
        "[symbol.\"A B\"]\nid = 1",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (load(cases[i]) == 0) {
            printf("taken: %s\n", cases[i]);
            CU_FAIL("a bad value was taken");
        }
}

static void test_long_lines_and_lists_are_bounded_with_clear_words(void)
{
    static char text[64 * 1024];
    sprintf(text, "#%*s\n", LONGEST_COMMENT, "");
    CU_ASSERT_EQUAL(load(text), 0);
    sprintf(text, "[http]\n#%*s\n", LONGEST_COMMENT + 1, "");
    CU_ASSERT_EQUAL(load(text), -1);
    config_test_expect_text(error, "matching.toml:2: the line is longer than 4096 bytes");

    for (int count = MATCHING_CONFIG_LIST_MAX; count <= MATCHING_CONFIG_LIST_MAX + 1; count++) {
        char *at = text + sprintf(text, "allow_hosts = [");
        for (int i = 0; i < count; i++)
            at += sprintf(at, "'h%d',", i);
        strcpy(at, "]");
        CU_ASSERT_EQUAL(load(text), count <= MATCHING_CONFIG_LIST_MAX ? 0 : -1);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "at most 32 host names"));

    char *at = text;
    for (int i = 1; i <= MATCHING_CONFIG_INSTRUMENTS_MAX; i++)
        at += sprintf(at, "[symbol.S%d]\nid = %d\n", i, i);
    CU_ASSERT_EQUAL(load(text), 0);
    CU_ASSERT_EQUAL(config.instrument_count, MATCHING_CONFIG_INSTRUMENTS_MAX);
    strcpy(at, "[symbol.ONE.MORE]\n");
    CU_ASSERT_EQUAL(load(text), -1);
    config_test_expect_text(error, "matching.toml:513: symbol.ONE.MORE: too many instruments, at "
                                   "most 256 can be configured");
}

static void test_a_refused_file_changes_nothing(void)
{
    static matching_config before;
    matching_config_default(&before);
    CU_ASSERT_EQUAL(load("[http]\nport = 1\n[symbol.A]\nid = 1\n[jsonrpc]\nport = x\n"), -1);
    CU_ASSERT_EQUAL(memcmp(&before, &config, sizeof config), 0);
}

static void test_a_file_that_cannot_be_read_is_named(void)
{
    matching_config_default(&config);
    CU_ASSERT_EQUAL(matching_config_load_file(&config, "/nonexistent/m.toml", error, sizeof error),
                    -1);
    config_test_expect_text(error,
                            "/nonexistent/m.toml: cannot be read: No such file or directory");
    CU_ASSERT_EQUAL(matching_config_load_file(&config, "/", error, sizeof error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "Is a directory"));
}

static void test_a_short_error_buffer_is_respected(void)
{
    char small[8];
    memset(small, 'x', sizeof small);
    matching_config_default(&config);
    CU_ASSERT_EQUAL(matching_config_load_file(&config, "/nonexistent", small, 4), -1);
    CU_ASSERT_STRING_EQUAL(small, "/no");
    CU_ASSERT_EQUAL(small[4], 'x');
    CU_ASSERT_EQUAL(matching_config_load_file(&config, "/nonexistent", NULL, 0), -1);
}

/* Prints config into a text that the caller frees. */
static char *printed(const matching_config *it)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    matching_config_print(it, out);
    fclose(out);
    return text;
}

static void test_what_is_printed_reads_back_to_the_same(void)
{
    static const char *const files[] = {
        "",
        "data_dir = \"a \\\"b\\\" \\\\ \\t \\u0001 \xe4\xb8\xad\"\nbind = \"::1\"\nin_memory = "
        "true\n"
        "allow_hosts = ['a', '10.0.0.1']\n[engine]\nshards = 3\ncpu_affinity = [2, 0, 5]\n"
        "[journal]\nsync = \"none\"\nsegment_bytes = 4294967296\n[http.cors]\nenabled = false\n"
        "allow_origins = ['*']\n[telemetry]\nlog_level = 'error'\nlog_format = 'json'\n"
        "[symbol.\"A.B\"]\nid = 8\ntick_size = 0.00000001\nlot_size = 92233720368\n"
        "sbe_char = '\"'\n[symbol.C]\nid = 9\nsbe_char = '\\'\n",
    };
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        static matching_config again;
        CU_ASSERT_EQUAL_FATAL(load(files[i]), 0);
        char *text = printed(&config);
        matching_config_default(&again);
        CU_ASSERT_EQUAL(config_test_load(&again, text, strlen(text), error), 0);
        config_test_expect_text(error, "");
        config.instruments_are_defaults = false; /* printed they are anybody's wish */
        CU_ASSERT_EQUAL(memcmp(&again, &config, sizeof config), 0);
        free(text);
    }
}

static void test_the_admin_token_is_never_shown(void)
{
    CU_ASSERT_EQUAL_FATAL(load("[admin]\ntoken = \"hunter2\"\n"), 0);
    char *text = printed(&config);
    CU_ASSERT_PTR_NULL(strstr(text, "hunter2"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "# token is set, and not shown"));
    free(text);
    CU_ASSERT_EQUAL(load("[admin]\ntoken = \"hunter2 \"\n"), -1);
    CU_ASSERT_PTR_NULL(strstr(error, "hunter2"));
    CU_ASSERT_EQUAL(load("[admin]\ntoken = hunter2\n"), -1);
    CU_ASSERT_PTR_NULL(strstr(error, "hunter2"));
}

static void test_only_loopback_may_be_bound_without_insecure(void)
{
    static const struct {
        const char *bind;
        bool loopback;
    } cases[] = {
        {"127.0.0.1", true},    {"127.8.9.10", true},       {"::1", true},
        {"0.0.0.0", false},     {"192.168.1.2", false},     {"::", false},
        {"2001:db8::1", false}, {"::ffff:127.0.0.1", true}, {"::ffff:10.0.0.1", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        matching_config_default(&config);
        strcpy(config.bind, cases[i].bind);
        CU_ASSERT_EQUAL(matching_config_check(&config, error, sizeof error),
                        cases[i].loopback ? 0 : -1);
        if (!cases[i].loopback) {
            CU_ASSERT_PTR_NOT_NULL(strstr(error, cases[i].bind));
            CU_ASSERT_PTR_NOT_NULL(strstr(error, "--insecure"));
        }
        config.insecure = true;
        CU_ASSERT_EQUAL(matching_config_check(&config, error, sizeof error), 0);
    }
    CU_ASSERT_EQUAL(load("bind = 'localhost'"), 0);
    CU_ASSERT_STRING_EQUAL(config.bind, "127.0.0.1");
}

static void test_two_doors_on_one_port_are_refused(void)
{
    matching_config_default(&config);
    config.jsonrpc.port = config.http.port;
    CU_ASSERT_EQUAL(matching_config_check(&config, error, sizeof error), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "port 8080: http and jsonrpc"));
    config.jsonrpc.enabled = false;
    CU_ASSERT_EQUAL(matching_config_check(&config, error, sizeof error), 0);
    config.jsonrpc.enabled = true;
    config.jsonrpc.port = config.http.port = 0;
    CU_ASSERT_EQUAL(matching_config_check(&config, error, sizeof error), 0);
}

MATCHING_TESTS(MATCHING_TEST(test_defaults_are_those_of_the_contract),
               MATCHING_TEST(test_no_more_instruments_than_the_limit),
               MATCHING_TEST(test_every_kind_of_setting_is_read),
               MATCHING_TEST(test_symbol_sections_replace_the_default_instruments),
               MATCHING_TEST(test_refusals_name_file_line_and_key_and_what_is_allowed),
               MATCHING_TEST(test_what_is_not_toml_is_refused_even_where_libinih_would_take_it),
               MATCHING_TEST(test_values_out_of_range_or_of_another_type_are_refused),
               MATCHING_TEST(test_long_lines_and_lists_are_bounded_with_clear_words),
               MATCHING_TEST(test_a_refused_file_changes_nothing),
               MATCHING_TEST(test_a_file_that_cannot_be_read_is_named),
               MATCHING_TEST(test_a_short_error_buffer_is_respected),
               MATCHING_TEST(test_what_is_printed_reads_back_to_the_same),
               MATCHING_TEST(test_the_admin_token_is_never_shown),
               MATCHING_TEST(test_only_loopback_may_be_bound_without_insecure),
               MATCHING_TEST(test_two_doors_on_one_port_are_refused))
