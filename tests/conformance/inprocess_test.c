/* The conformance scenarios in-process: scenarios.json says what every door must answer, here the
 * core is asked by function calls. Each scenario has a core of its own.
 *
 *     conformance_inprocess_test     (CONFORMANCE_SCENARIOS names the file)
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conformance/outcome.h"
#include "inprocess.h"
#include "json_reader.h"
#include "matching/decimal.h"
#include "support/cunit_main.h"

#define UNTIL_MS 20000 /* how long a step with `until` may take */

static struct json_object *load(void)
{
    static char text[1 << 20];
    const char *path = getenv("CONFORMANCE_SCENARIOS");
    FILE *file = path != NULL ? fopen(path, "r") : NULL;
    struct json_object *all = NULL;
    if (file == NULL) {
        fprintf(stderr, "CONFORMANCE_SCENARIOS does not name a file that can be read\n");
        return NULL;
    }
    size_t length = fread(text, 1, sizeof text, file);
    fclose(file);
    return matching_json_parse(text, length, &all) == MATCHING_OK ? all : NULL;
}

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, name, &value);
    return value;
}

static int64_t mantissa_of(struct json_object *object, const char *name)
{
    int64_t mantissa = 0;
    const char *text = json_object_get_string(member(object, name));
    CU_ASSERT_TRUE_FATAL(text != NULL && matching_decimal_parse(text, strlen(text), &mantissa));
    return mantissa;
}

/* ---- A run: one scenario with its core ------------------------------------------------------ */

typedef struct run {
    matching_core *core;
    matching_inprocess *client;
    struct json_object *names; /* the order_id of each name */
} run;

static void start(run *r, struct json_object *instruments, unsigned shards)
{
    matching_instrument_options table[16];
    size_t count = json_object_array_length(instruments);
    CU_ASSERT_TRUE_FATAL(count <= sizeof table / sizeof table[0]);
    for (size_t i = 0; i < count; i++) {
        struct json_object *from = json_object_array_get_idx(instruments, i);
        table[i] =
            (matching_instrument_options){.id = (uint32_t)json_object_get_int(member(from, "id")),
                                          .tick_size = mantissa_of(from, "tick_size"),
                                          .lot_size = mantissa_of(from, "lot_size")};
        snprintf(table[i].symbol, sizeof table[i].symbol, "%s",
                 json_object_get_string(member(from, "symbol")));
    }
    matching_core_options options;
    char error[200];
    matching_core_options_default(&options);
    options.instruments = table;
    options.instrument_count = count;
    options.shards = shards;
    options.max_orders = 1000;
    options.max_traders = 100;
    options.retained_orders = 1000;
    options.event_ring_size = 4096;
    r->core = matching_core_create(&options, error, sizeof error);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->core);
    r->client = matching_inprocess_create(r->core, NULL, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r->client);
    CU_ASSERT_EQUAL_FATAL(matching_core_start(r->core, error, sizeof error), 0);
    r->names = json_object_new_object();
}

static void end(run *r)
{
    matching_core_stop(r->core);
    matching_core_destroy(r->core);
    matching_inprocess_destroy(r->client);
    json_object_put(r->names);
}

static matching_action action_of(const char *word)
{
    static const struct {
        const char *word;
        matching_action action;
    } table[] = {
        {"place", MATCHING_ACTION_PLACE},       {"cancel", MATCHING_ACTION_CANCEL},
        {"amend", MATCHING_ACTION_AMEND},       {"cancel_all", MATCHING_ACTION_CANCEL_ALL},
        {"state", MATCHING_ACTION_SET_STATE},   {"get", MATCHING_ACTION_GET_ORDER},
        {"list", MATCHING_ACTION_LIST_ORDERS},  {"open_orders", MATCHING_ACTION_LIST_OPEN_ORDERS},
        {"depth", MATCHING_ACTION_GET_DEPTH},   {"trades", MATCHING_ACTION_GET_TRADES},
        {"klines", MATCHING_ACTION_GET_KLINES}, {"ticker", MATCHING_ACTION_GET_TICKER},
        {"add", MATCHING_ACTION_ADD_INSTRUMENT}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].word, word) == 0) {
            return table[i].action;
        }
    }
    fprintf(stderr, "no action is called %s\n", word);
    return MATCHING_ACTION_NONE;
}

/* The time in N ms, of "@+N". */
static struct json_object *later(const char *text)
{
    return json_object_new_uint64(matching_unix_ns() / 1000000 + strtoull(text + 2, NULL, 10));
}

/* $name to its order_id, at the top level of the fields. */
static struct json_object *with_names(run *r, struct json_object *fields)
{
    struct json_object *own = json_object_new_object();
    json_object_object_foreach(fields, name, value)
    {
        struct json_object *known = NULL;
        const char *text = json_object_get_string(value);
        if (json_object_is_type(value, json_type_string) && text[0] == '$') {
            known = member(r->names, text + 1);
            CU_ASSERT_PTR_NOT_NULL(known);
        }
        bool is_time = json_object_is_type(value, json_type_string) && strncmp(text, "@+", 2) == 0;
        json_object_object_add(
            own, name, is_time ? later(text) : json_object_get(known != NULL ? known : value));
    }
    return own;
}

static struct json_object *do_step(run *r, struct json_object *step)
{
    matching_request request = {0};
    matching_error error;
    const matching_reply *reply = NULL;
    struct json_object *fields = with_names(r, member(step, "with"));
    matching_json_request(fields, &request);
    request.action = action_of(json_object_get_string(member(step, "do")));
    matching_code code = matching_inprocess_call(r->client, &request, &reply, &error);
    struct json_object *outcome =
        code != MATCHING_OK ? outcome_of_error(&error) : outcome_of_reply(r->core, &request, reply);
    struct json_object *name = member(step, "as");
    if (name != NULL && code == MATCHING_OK) {
        json_object_object_add(r->names, json_object_get_string(name),
                               json_object_new_uint64(reply->order.order_id));
    }
    json_object_put(fields);
    return outcome;
}

static bool lists(struct json_object *names, const char *name)
{
    for (size_t i = 0; i < json_object_array_length(names); i++) {
        if (strcmp(json_object_get_string(json_object_array_get_idx(names, i)), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Is this scenario, or step, for this door? */
static bool is_for_us(struct json_object *object)
{
    struct json_object *not_on = member(object, "not_on"), *only_on = member(object, "only_on");
    return !(not_on != NULL && lists(not_on, "inprocess")) &&
           (only_on == NULL || lists(only_on, "inprocess"));
}

/* True: done, well or not. False: not yet right, but there is time left. */
static bool play_step(run *r, struct json_object *step, uint64_t deadline_ns)
{
    struct json_object *outcome = do_step(r, step);
    struct json_object *expected = outcome_expected(step, r->names);
    bool same = outcome_same(expected, outcome);
    bool done = same || matching_monotonic_ns() >= deadline_ns;
    if (done) {
        CU_ASSERT_TRUE(same);
    }
    if (done && !same) {
        printf("\n%s %s\n  should be %s\n  but is    %s\n",
               json_object_get_string(member(step, "do")),
               json_object_to_json_string(member(step, "with")),
               json_object_to_json_string(expected), json_object_to_json_string(outcome));
    }
    json_object_put(expected);
    json_object_put(outcome);
    return done;
}

static void play(struct json_object *all, struct json_object *scenario, unsigned shards)
{
    run r;
    unsigned failures = CU_get_number_of_failures();
    start(&r, member(all, "instruments"), shards);
    struct json_object *steps = member(scenario, "steps");
    for (size_t i = 0; i < json_object_array_length(steps); i++) {
        struct json_object *step = json_object_array_get_idx(steps, i);
        if (!is_for_us(step)) {
            continue;
        }
        uint64_t deadline = matching_monotonic_ns();
        deadline += member(step, "until") != NULL ? UNTIL_MS * 1000000ull : 0;
        while (!play_step(&r, step, deadline)) {
            const struct timespec pause = {.tv_nsec = 10000000};
            nanosleep(&pause, NULL);
        }
    }
    end(&r);
    if (CU_get_number_of_failures() > failures) {
        printf("%s\n", json_object_get_string(member(scenario, "name")));
    }
}

static void play_all(unsigned shards)
{
    struct json_object *all = load();
    CU_ASSERT_PTR_NOT_NULL_FATAL(all);
    struct json_object *scenarios = member(all, "scenarios");
    CU_ASSERT_TRUE(json_object_array_length(scenarios) > 30);
    for (size_t i = 0; i < json_object_array_length(scenarios); i++) {
        struct json_object *scenario = json_object_array_get_idx(scenarios, i);
        if (is_for_us(scenario)) {
            play(all, scenario, shards);
        }
    }
    json_object_put(all);
}

static void test_all_scenarios_with_one_shard(void)
{
    play_all(1);
}

static void test_all_scenarios_with_three_shards(void)
{
    play_all(3);
}

MATCHING_TESTS(MATCHING_TEST(test_all_scenarios_with_one_shard),
               MATCHING_TEST(test_all_scenarios_with_three_shards))
