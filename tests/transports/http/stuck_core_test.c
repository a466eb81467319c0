/* Tests of the HTTP door before a core that refuses or never answers. The functions of the core
 * that the door calls are doubles, defined here. What must hold: the client is told, the door still
 * stops, nothing is leaked.
 */
#include <time.h>

#include "client.h"
#include "http.h"
#include "matching/connections.h"
#include "matching/gateway.h"
#include "matching/history.h"
#include "matching/log.h"
#include "matching/metrics.h"
#include "support/cunit_main.h"

static matching_config config;
static matching_access access_rules;
static matching_transport door;
static client_answer answer;
static matching_code submit_result; /* set before the door opens */

/* ---- The core's doubles --------------------------------------------------------------------- */

matching_port *matching_port_create(matching_core *core, const matching_port_handlers *handlers,
                                    void *context)
{
    static char port;
    (void)core;
    (void)handlers;
    (void)context;
    return (matching_port *)&port;
}

void matching_port_name(matching_port *port, const char *name)
{
    (void)port;
    (void)name;
}

void matching_port_refused(matching_port *port, matching_code code)
{
    (void)port;
    (void)code;
}

void matching_http_began(matching_http_traffic *traffic, const char *address, unsigned port)
{
    (void)traffic;
    (void)address;
    (void)port;
}

void matching_http_named(matching_http_traffic *traffic, const matching_command *command)
{
    (void)traffic;
    (void)command;
}

void matching_http_ended(const char *transport, const char *span, const char *address,
                         matching_http_traffic *traffic)
{
    (void)transport;
    (void)span;
    (void)address;
    (void)traffic;
}

void matching_port_responded(matching_port *port, unsigned status)
{
    (void)port;
    (void)status;
}

void matching_port_connected(matching_port *port)
{
    (void)port;
}

void matching_port_disconnected(matching_port *port)
{
    (void)port;
}

void matching_port_carried(matching_port *port, uint64_t received, uint64_t sent)
{
    (void)port;
    (void)received;
    (void)sent;
}

void matching_metrics_print(const matching_core *core, FILE *out)
{
    (void)core;
    (void)out;
}

void matching_metrics_latency(const matching_core *core, matching_stage stage,
                              matching_latency *latency)
{
    (void)core;
    (void)stage;
    (void)latency;
}

const char *matching_stage_name(matching_stage stage)
{
    (void)stage;
    return "";
}

bool matching_log_wants(matching_log_level level, const char *module)
{
    (void)level;
    (void)module;
    return false;
}

void matching_log(matching_log_level level, const char *module, const char *format, ...)
{
    (void)level;
    (void)module;
    (void)format;
}

matching_code matching_port_submit(matching_port *port, const matching_command *command)
{
    (void)port;
    (void)command;
    return submit_result; /* MATCHING_OK: and no reply will ever come */
}

bool matching_port_is_bulk(const matching_command *command)
{
    (void)command;
    return false;
}

void matching_port_flush(matching_port *port)
{
    (void)port;
}

bool matching_port_poll(matching_port *port, unsigned budget)
{
    (void)port;
    (void)budget;
    return false;
}

bool matching_port_sleep(matching_port *port)
{
    (void)port;
    return true;
}

void matching_port_close(matching_port *port)
{
    (void)port;
}

matching_code matching_gateway_prepare(const matching_core *core, const matching_request *request,
                                       matching_command *command, matching_error *error)
{
    (void)core;
    (void)request;
    (void)error;
    memset(command, 0, sizeof *command);
    return MATCHING_OK;
}

const uint8_t *matching_gateway_fields(matching_action action, unsigned order_type,
                                       uint32_t *required)
{
    static const uint8_t none[] = {MATCHING_FIELD_NONE};
    (void)action;
    (void)order_type;
    *required = 0;
    return none;
}

void matching_error_set(matching_error *error, matching_code code, matching_field field,
                        const char *message)
{
    *error = (matching_error){.code = code, .field = field};
    snprintf(error->message, sizeof error->message, "%s",
             message != NULL ? message : matching_code_text(code));
}

matching_access_level matching_access_check(const matching_access *access, const char *origin,
                                            const char *host)
{
    (void)access;
    (void)origin;
    (void)host;
    return MATCHING_ACCESS_FULL;
}

bool matching_access_admin(const matching_access *access, const char *authorization,
                           const char *peer)
{
    (void)access;
    (void)authorization;
    (void)peer;
    return true;
}

matching_state matching_core_state(const matching_core *core, size_t index)
{
    (void)core;
    (void)index;
    return MATCHING_TRADING;
}

bool matching_core_is_healthy(const matching_core *core, char *why, size_t why_size)
{
    (void)core;
    (void)why;
    (void)why_size;
    return true;
}

matching_progress matching_core_shard_progress(const matching_core *core, unsigned shard)
{
    (void)core;
    (void)shard;
    return (matching_progress){0, 0};
}

unsigned matching_core_shard_count(const matching_core *core)
{
    (void)core;
    return 0;
}

bool matching_core_shard_is_healthy(const matching_core *core, unsigned shard, char *why,
                                    size_t why_size)
{
    (void)shard;
    return matching_core_is_healthy(core, why, why_size);
}

bool matching_connections_next(const matching_core *core, uint64_t *position,
                               matching_connection_info *info)
{
    (void)core;
    (void)position;
    (void)info;
    return false;
}

void matching_connections_measure(const matching_core *core, matching_connections_metrics *metrics)
{
    (void)core;
    memset(metrics, 0, sizeof *metrics);
}

const char *matching_core_shard_warning(const matching_core *core, unsigned shard)
{
    (void)core;
    (void)shard;
    return "";
}

const char *matching_core_history_warning(const matching_core *core)
{
    (void)core;
    return "";
}

bool matching_core_has_history(const matching_core *core)
{
    (void)core;
    return false;
}

matching_history_progress matching_core_history_progress(const matching_core *core, unsigned shard)
{
    (void)core;
    (void)shard;
    return (matching_history_progress){.why = ""};
}

size_t matching_core_instrument_count(const matching_core *core)
{
    (void)core;
    return 0;
}

const matching_instrument *matching_core_instrument(const matching_core *core, size_t index)
{
    (void)core;
    (void)index;
    return NULL;
}

int64_t matching_average_price(const matching_instrument *instrument, const matching_order *order)
{
    (void)instrument;
    (void)order;
    return 0;
}

uint64_t matching_unix_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t matching_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- The door ------------------------------------------------------------------------------- */

static void open_door(matching_code result)
{
    submit_result = result;
    memset(&config, 0, sizeof config);
    snprintf(config.bind, sizeof config.bind, "127.0.0.1");
    config.http.max_connections = 100;
    config.http.max_body_bytes = 1000;
    config.http.limits = (matching_config_limits){
        .header_timeout_ms = 60000, .body_timeout_ms = 60000, .idle_timeout_ms = 60000};
    door = (matching_transport){
        .ops = &matching_http_transport, .config = &config, .access = &access_rules};
    CU_ASSERT_EQUAL_FATAL(door.ops->init(&door), 0);
    CU_ASSERT_EQUAL_FATAL(door.ops->start(&door), 0);
}

static void test_a_refusal_is_told_with_when_to_retry(void)
{
    static const struct {
        matching_code code;
        const char *name;
    } cases[] = {{MATCHING_OVERLOADED, "\"code\":\"OVERLOADED\""},
                 {MATCHING_SHUTTING_DOWN, "\"code\":\"SHUTTING_DOWN\""}};
    static client one;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        open_door(cases[i].code);
        CU_ASSERT_TRUE_FATAL(client_connect(&one, door.address));
        CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/api/orders", NULL), 503);
        CU_ASSERT(client_answer_has(&answer, "Retry-After: 1\r\n", cases[i].name));
        CU_ASSERT_EQUAL(client_ask(&one, &answer, "GET", "/health", NULL), 200);
        client_close(&one);
        door.ops->stop(&door);
        door.ops->fini(&door);
    }
}

static void test_a_stop_does_not_wait_for_ever(void)
{
    enum { COUNT = 3 };
    static client clients[COUNT];
    open_door(MATCHING_OK);
    for (int i = 0; i < COUNT; i++) {
        CU_ASSERT_TRUE_FATAL(client_connect(&clients[i], door.address));
        CU_ASSERT_TRUE(
            client_send_text(&clients[i], "GET /api/orders HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    }
    client_reset(&clients[COUNT - 1]); /* gone before its reply, which never comes */
    door.ops->stop(&door);
    for (int i = 0; i < COUNT - 1; i++) {
        CU_ASSERT_TRUE(client_read(&clients[i], &answer, false));
        CU_ASSERT_EQUAL(answer.status, 503);
        CU_ASSERT_PTR_NULL(strstr(answer.head, "Retry-After"));
        CU_ASSERT(client_answer_has(&answer, "Connection: close\r\n", "INTERNAL_ERROR"));
        CU_ASSERT_TRUE(client_sees_end(&clients[i]));
        client_close(&clients[i]);
    }
    door.ops->fini(&door);
}

MATCHING_TESTS(MATCHING_TEST(test_a_refusal_is_told_with_when_to_retry),
               MATCHING_TEST(test_a_stop_does_not_wait_for_ever))
