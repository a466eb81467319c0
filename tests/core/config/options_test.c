/* The command line, the environment, and who wins over whom. */
#include "matching/options.h"

#include "config_support.h"

static const char *const three_doors[] = {"websocket", "http", "jsonrpc"};
static const char *const five_doors[] = {"websocket", "http", "jsonrpc", "sbe", "socketio"};

static matching_config config;
static matching_options options;
static char error[MATCHING_CONFIG_ERROR_SIZE];

/* Splits a line at spaces into argv and reads it. */
static int parse_with(const char *line, const char *const *available, size_t count)
{
    static char text[512], program[] = "matching";
    static char *argv[32];
    int argc = 1;
    argv[0] = program;
    snprintf(text, sizeof text, "%s", line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    error[0] = '\0';
    return matching_config_parse_command_line(&options, argc, argv, available, count, error,
                                              sizeof error);
}

static int parse(const char *line)
{
    return parse_with(line, three_doors, 3);
}

/* The doors that a line would start, as a bit each; -1 if it is refused. */
static int doors_of(const char *line)
{
    config_test_clear_environment();
    if (parse(line) != 0 || matching_config_load(&config, &options, error, sizeof error) != 0)
        return -1;
    int bits = 0;
    for (matching_door door = 0; door < MATCHING_DOOR_COUNT; door++)
        bits |= matching_config_door_enabled(&config, door) << door;
    return bits;
}

static void test_subcommands_choose_the_doors(void)
{
    CU_ASSERT_EQUAL(doors_of(""), 1);
    CU_ASSERT_EQUAL(doors_of("--in-memory"), 1);
    CU_ASSERT_EQUAL(doors_of("websocket"), 1);
    CU_ASSERT_EQUAL(doors_of("http"), 2);
    CU_ASSERT_EQUAL(doors_of("jsonrpc"), 4);
    CU_ASSERT_EQUAL(doors_of("websocket,jsonrpc"), 5);
    CU_ASSERT_EQUAL(doors_of("http,http"), 2);
    CU_ASSERT_EQUAL(doors_of("all"), 7);
    CU_ASSERT_EQUAL(doors_of("--in-memory all"), 7);
    CU_ASSERT_EQUAL(parse_with("all", five_doors, 5), 0);
    CU_ASSERT_EQUAL(matching_config_load(&config, &options, error, sizeof error), 0);
    CU_ASSERT_TRUE(config.sbe.enabled && config.socketio.enabled);
}

static void test_refusals_say_what_is_wrong_and_what_to_do(void)
{
    static const char *const cases[][2] = {
        {"sbe", "this version has no door 'sbe'; it has: websocket, http, jsonrpc"},
        {"http,socketio", "this version has no door 'socketio'; it has: websocket, http, jsonrpc"},
        {"htpp", "unknown subcommand 'htpp'; use all, or one or more of these joined by commas: "
                 "websocket, http, jsonrpc"},
        {"http,", "unknown subcommand ''; use all, or one or more of these joined by commas: "
                  "websocket, http, jsonrpc"},
        {"websocket http", "'http': only one subcommand is taken; join several doors by commas, as "
                           "in websocket,http"},
        {"--prot 1", "unknown option '--prot'; see matching --help"},
        {"-x", "unknown option '-x'; see matching --help"},
        {"--ws-port", "--ws-port: needs a value, as in --ws-port VALUE or --ws-port=VALUE"},
        {"--ws-port=", "--ws-port: needs a value, as in --ws-port VALUE or --ws-port=VALUE"},
        {"--config --in-memory", "--config: needs a value, as in --config VALUE or --config=VALUE"},
        {"--ws-port abc", "--ws-port: must be an integer from 0 to 65535, not 'abc'"},
        {"--http-port=-1", "--http-port: must be an integer from 0 to 65535, not '-1'"},
        {"--rpc-port 65536", "--rpc-port: must be an integer from 0 to 65535, not '65536'"},
        {"--rpc-port 1e3", "--rpc-port: must be an integer from 0 to 65535, not '1e3'"},
        {"--sbe-port 99999999999999999999",
         "--sbe-port: must be an integer from 0 to 65535, not '99999999999999999999'"},
        {"--in-memory=yes", "--in-memory: takes no value"},
        {"--log-level loud",
         "--log-level: must be debug, info, warn, error, MODULE=LEVEL, or some of these joined by "
         "commas; modules: core journal snapshot store process websocket http jsonrpc sbe socketio "
         "libwebsockets libmicrohttpd libevent traces log, not 'loud'"},
        {"--log-format=xml", "--log-format: must be one of \"text\", \"json\", not 'xml'"},
        {"--bind example.com", "--bind: must be a numeric IPv4 or IPv6 address (no brackets) or "
                               "localhost, not 'example.com'"},
        {"--ws-port \x1b[31m", "--ws-port: must be an integer from 0 to 65535, not '?[31m'"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(parse(cases[i][0]), -1);
        config_test_expect_text(error, cases[i][1]);
    }
}

static void test_actions_are_recognised_and_help_wins_over_what_follows(void)
{
    static const struct {
        const char *line;
        matching_mode mode;
    } cases[] = {
        {"", MATCHING_MODE_RUN},
        {"--help", MATCHING_MODE_HELP},
        {"-h", MATCHING_MODE_HELP},
        {"all --help --nonsense", MATCHING_MODE_HELP},
        {"--version", MATCHING_MODE_VERSION},
        {"all --check-config", MATCHING_MODE_CHECK_CONFIG},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CU_ASSERT_EQUAL(parse(cases[i].line), 0);
        CU_ASSERT_EQUAL(options.mode, cases[i].mode);
    }
}

/* The parts of a tool's options in one text, or the message that refuses them. */
static const char *tool_of(const char *line)
{
    static char text[MATCHING_CONFIG_ERROR_SIZE];
    if (parse(line) != 0)
        return error;
    CU_ASSERT_EQUAL(options.mode, MATCHING_MODE_TOOL);
    snprintf(text, sizeof text, "%d %s %d %llu", (int)options.tool.tool, options.tool.dir,
             options.tool.shard, (unsigned long long)options.tool.until);
    return text;
}

static void test_tools_take_a_directory_and_their_own_options(void)
{
    static const char *const cases[][2] = {
        {"journal verify d", "0 d -1 0"},
        {"journal dump d", "1 d -1 0"},
        {"journal replay d", "2 d -1 0"},
        {"snapshot d", "3 d -1 0"},
        {"journal verify --shard 3 d/e", "0 d/e 3 0"},
        {"journal dump d --until=18446744073709551615 --shard=63", "1 d 63 18446744073709551615"},
        {"journal replay --until 7 d --shard 0", "2 d 0 7"},
        {"journal dump d --until 7 --until 8", "1 d -1 8"},
        {"journal", "journal: '' is none of verify, dump, replay; it is used as in matching "
                    "journal verify DIR"},
        {"journal verfy d", "journal: 'verfy' is none of verify, dump, replay; it is used as in "
                            "matching journal verify DIR"},
        {"journal verify", "journal verify: needs a data directory, as in matching journal verify "
                           "./matching-data"},
        {"snapshot", "snapshot: needs a data directory, as in matching snapshot ./matching-data"},
        {"snapshot a b", "snapshot: 'b': only one directory is taken"},
        {"snapshot a --shard 1", "snapshot: has no option '--shard'; see matching --help"},
        {"journal verify a --until 1",
         "journal verify: has no option '--until'; see matching --help"},
        {"journal dump a --untill=1",
         "journal dump: has no option '--untill=1'; see matching --help"},
        {"journal dump a --shard", "--shard: must be an integer from 0 to 63, not ''"},
        {"journal dump a --shard=64", "--shard: must be an integer from 0 to 63, not '64'"},
        {"journal dump a --shard -1", "--shard: must be an integer from 0 to 63, not '-1'"},
        {"journal dump a --until 0",
         "--until: must be the sequence of a command, an integer from 1 on, not '0'"},
        {"journal dump a --until 1e3",
         "--until: must be the sequence of a command, an integer from 1 on, not '1e3'"},
        {"journal dump a --until 18446744073709551616",
         "--until: must be the sequence of a command, an integer from 1 on, not "
         "'18446744073709551616'"},
        {"--in-memory journal verify d",
         "'journal' has to come first, as in matching journal verify DIR"},
        {"--in-memory snapshot d", "'snapshot' has to come first, as in matching snapshot DIR"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        config_test_expect_text(tool_of(cases[i][0]), cases[i][1]);
    CU_ASSERT_EQUAL(parse("journal --help"), 0);
    CU_ASSERT_EQUAL(options.mode, MATCHING_MODE_HELP);
    CU_ASSERT_EQUAL(parse("snapshot d -h --nonsense"), 0);
    CU_ASSERT_EQUAL(options.mode, MATCHING_MODE_HELP);
}

static void test_every_flag_reaches_its_setting_in_both_spellings(void)
{
    static const char *const lines[] = {
        "all --ws-port 1 --http-port 2 --rpc-port 3 --sbe-port 4 --socketio-port 5 --data-dir d/e "
        "--bind ::1 --log-level error --log-format json --in-memory --insecure",
        "--ws-port=1 --http-port=2 --rpc-port=3 --sbe-port=4 --socketio-port=5 --data-dir=d/e "
        "--bind=::1 --log-level=error --log-format=json --in-memory --insecure all",
    };
    config_test_clear_environment();
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        CU_ASSERT_EQUAL_FATAL(parse(lines[i]), 0);
        CU_ASSERT_EQUAL_FATAL(matching_config_load(&config, &options, error, sizeof error), 0);
        CU_ASSERT_EQUAL(config.websocket.port, 1);
        CU_ASSERT_EQUAL(config.http.port, 2);
        CU_ASSERT_EQUAL(config.jsonrpc.port, 3);
        CU_ASSERT_EQUAL(config.sbe.port, 4);
        CU_ASSERT_EQUAL(config.socketio.port, 5);
        CU_ASSERT_STRING_EQUAL(config.data_dir, "d/e");
        CU_ASSERT_STRING_EQUAL(config.bind, "::1");
        CU_ASSERT_STRING_EQUAL(config.telemetry.log_level, "error");
        CU_ASSERT_EQUAL(config.telemetry.log_format, MATCHING_CONFIG_LOG_JSON);
        CU_ASSERT_TRUE(config.in_memory);
        CU_ASSERT_TRUE(config.insecure);
    }
    CU_ASSERT_EQUAL(parse("--ws-port 1 --ws-port 2"), 0);
    CU_ASSERT_EQUAL(matching_config_load(&config, &options, error, sizeof error), 0);
    CU_ASSERT_EQUAL(config.websocket.port, 2); /* the last one counts */
}

static void test_flag_wins_over_environment_over_file_over_default(void)
{
    static const char file[] = "[websocket]\nport = 20\n[http]\nport = 21\n[jsonrpc]\nport = 22\n"
                               "[telemetry]\nlog_level = \"error\"\n";
    config_test_clear_environment();
    setenv("WS_PORT", "30", 1);
    setenv("PORT", "31", 1);
    setenv("RPC_PORT", "", 1); /* empty is not set */
    setenv("MATCHING_LOG", "debug", 1);
    config_test_file_write(file, sizeof file - 1);
    CU_ASSERT_EQUAL(parse("all --config matching.toml --ws-port 40"), 0);
    CU_ASSERT_EQUAL(matching_config_load(&config, &options, error, sizeof error), 0);
    CU_ASSERT_EQUAL(config.websocket.port, 40);
    CU_ASSERT_EQUAL(config.http.port, 31);
    CU_ASSERT_EQUAL(config.jsonrpc.port, 22);
    CU_ASSERT_EQUAL(config.socketio.port, 9092);
    CU_ASSERT_STRING_EQUAL(config.telemetry.log_level, "debug");
    CU_ASSERT_EQUAL(parse("all --config=matching.toml --log-level=warn,http=debug"), 0);
    CU_ASSERT_EQUAL(matching_config_load(&config, &options, error, sizeof error), 0);
    CU_ASSERT_EQUAL(config.websocket.port, 30);
    CU_ASSERT_STRING_EQUAL(config.telemetry.log_level, "warn,http=debug");
    config_test_file_remove();
    config_test_clear_environment();
}

static void test_each_variable_reaches_its_setting_and_bad_ones_are_named(void)
{
    static const struct {
        const char *name, *good, *bad, *message;
    } cases[] = {
        {"WS_PORT", "101", "x", "environment WS_PORT: must be an integer from 0 to 65535, not 'x'"},
        {"PORT", "102", "65536",
         "environment PORT: must be an integer from 0 to 65535, not '65536'"},
        {"RPC_PORT", "103", " 1",
         "environment RPC_PORT: must be an integer from 0 to 65535, not ' 1'"},
        {"SBE_PORT", "104", "-1",
         "environment SBE_PORT: must be an integer from 0 to 65535, not '-1'"},
        {"SOCKETIO_PORT", "105", "1_0",
         "environment SOCKETIO_PORT: must be an integer from 0 to 65535, not '1_0'"},
        {"MATCHING_LOG", "debug", "DEBUG",
         "environment MATCHING_LOG: must be debug, info, warn, error, MODULE=LEVEL, or some of "
         "these joined by commas; modules: core journal snapshot store process websocket http "
         "jsonrpc sbe socketio libwebsockets libmicrohttpd libevent traces log, not 'DEBUG'"},
    };
    static matching_config before;
    config_test_clear_environment();
    matching_config_default(&before);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        config = before;
        setenv(cases[i].name, cases[i].bad, 1);
        CU_ASSERT_EQUAL(matching_config_apply_environment(&config, error, sizeof error), -1);
        config_test_expect_text(error, cases[i].message);
        CU_ASSERT_EQUAL(memcmp(&before, &config, sizeof config), 0);
        setenv(cases[i].name, cases[i].good, 1);
    }
    CU_ASSERT_EQUAL(matching_config_apply_environment(&config, error, sizeof error), 0);
    for (matching_door door = 0; door < MATCHING_DOOR_COUNT; door++)
        CU_ASSERT_EQUAL(matching_config_door_port(&config, door), 101 + (int)door);
    CU_ASSERT_STRING_EQUAL(config.telemetry.log_level, "debug");
    config_test_clear_environment();
}

static void test_a_disabled_door_is_left_out_of_all_but_starts_when_named(void)
{
    static const char file[] = "[http]\nenabled = false\n";
    static const char none[] = "[http]\nenabled = false\n[websocket]\nenabled = false\n"
                               "[jsonrpc]\nenabled = false\n";
    config_test_file_write(file, sizeof file - 1);
    CU_ASSERT_EQUAL(doors_of("all --config matching.toml"), 5);
    CU_ASSERT_EQUAL(doors_of("http --config matching.toml"), 2);
    CU_ASSERT_EQUAL(doors_of("all,http --config matching.toml"), 7);
    config_test_file_remove();
    config_test_file_write(none, sizeof none - 1);
    CU_ASSERT_EQUAL(doors_of("all --config matching.toml"), -1);
    config_test_expect_text(error, "matching.toml: every door is disabled there; name one on the "
                                   "command line, or set enabled = true in its section");
    config_test_file_remove();
}

static void test_a_bind_beyond_loopback_needs_the_flag(void)
{
    static const char file[] = "bind = \"0.0.0.0\"\n";
    CU_ASSERT_EQUAL(doors_of("--bind 0.0.0.0"), -1);
    CU_ASSERT_PTR_NOT_NULL(strstr(error, "add --insecure"));
    CU_ASSERT_EQUAL(doors_of("--bind 0.0.0.0 --insecure"), 1);
    config_test_file_write(file, sizeof file - 1);
    CU_ASSERT_EQUAL(doors_of("--config matching.toml"), -1);
    CU_ASSERT_EQUAL(doors_of("--config matching.toml --insecure"), 1);
    CU_ASSERT_EQUAL(doors_of("--config matching.toml --bind localhost"), 1);
    config_test_file_remove();
}

static void test_a_refused_load_changes_nothing(void)
{
    static matching_config before;
    config_test_clear_environment();
    memset(&before, 0x5a, sizeof before);
    config = before;
    CU_ASSERT_EQUAL(parse("--bind 10.0.0.1"), 0);
    CU_ASSERT_EQUAL(matching_config_load(&config, &options, error, sizeof error), -1);
    CU_ASSERT_EQUAL(memcmp(&before, &config, sizeof config), 0);
}

static char *help(const char *const *available, size_t count)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    matching_config_print_help(out, available, count);
    fclose(out);
    return text;
}

static void test_help_names_what_exists_and_fits_80_columns(void)
{
    char *text = help(five_doors, 5);
    for (const char *at = text; *at; at += strcspn(at, "\n") + 1)
        CU_ASSERT_TRUE(strcspn(at, "\n") <= 80);
    static const char *const words[] = {
        "--ws-port",        "--http-port",     "--rpc-port",     "--sbe-port",
        "--socketio-port",  "--config",        "--data-dir",     "--in-memory",
        "--bind",           "--check-config",  "--insecure",     "--log-level",
        "--log-format",     "--help",          "--version",      "9090, WS_PORT",
        "8080, PORT",       "3030, RPC_PORT",  "9001, SBE_PORT", "9092, SOCKETIO_PORT",
        "127.0.0.1",        "./matching-data", "MATCHING_LOG",   "journal verify",
        "journal dump",     "journal replay",  "snapshot DIR",   "--shard N",
        "--until SEQUENCE",
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(text, words[i]));
    free(text);
    text = help(three_doors, 3);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "jsonrpc"));
    CU_ASSERT_PTR_NULL(strstr(text, "sbe"));
    free(text);
}

static void test_version_is_one_line(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    matching_config_print_version(out, "1.2.3");
    fclose(out);
    CU_ASSERT_STRING_EQUAL(text, "matching 1.2.3\n");
    free(text);
}

MATCHING_TESTS(MATCHING_TEST(test_subcommands_choose_the_doors),
               MATCHING_TEST(test_refusals_say_what_is_wrong_and_what_to_do),
               MATCHING_TEST(test_actions_are_recognised_and_help_wins_over_what_follows),
               MATCHING_TEST(test_tools_take_a_directory_and_their_own_options),
               MATCHING_TEST(test_every_flag_reaches_its_setting_in_both_spellings),
               MATCHING_TEST(test_flag_wins_over_environment_over_file_over_default),
               MATCHING_TEST(test_each_variable_reaches_its_setting_and_bad_ones_are_named),
               MATCHING_TEST(test_a_disabled_door_is_left_out_of_all_but_starts_when_named),
               MATCHING_TEST(test_a_bind_beyond_loopback_needs_the_flag),
               MATCHING_TEST(test_a_refused_load_changes_nothing),
               MATCHING_TEST(test_help_names_what_exists_and_fits_80_columns),
               MATCHING_TEST(test_version_is_one_line))
