/* OpenTelemetry's variables. An empty one counts as absent, as its specification wants. What is set
 * and makes no sense is refused at the start: a trace that is missing when it is needed is found
 * out too late.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "matching/trace_export.h"
#include "trace/unknown.h"

typedef struct reading {
    char *error;
    size_t error_size;
    bool failed;
} reading;

static void refuse(reading *r, const char *name, const char *value, const char *wanted)
{
    if (!r->failed) {
        snprintf(r->error, r->error_size, "%s is \"%.80s\", which is not %s", name, value, wanted);
    }
    r->failed = true;
}

/* What may hold a secret is not repeated. */
static void refuse_unseen(reading *r, const char *name, const char *why)
{
    if (!r->failed) {
        snprintf(r->error, r->error_size, "%s %s", name, why);
    }
    r->failed = true;
}

/* NULL: it is not set. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

/* The one for traces goes before the one for all signals. *name: whose the value is. */
static const char *either(const char **name, const char *own, const char *general)
{
    *name = variable(own) != NULL ? own : general;
    return variable(*name);
}

static bool is_word(const char *value, const char *word)
{
    return strcasecmp(value, word) == 0;
}

/* ---- On or off ------------------------------------------------------------------------------- */

static bool is_wanted(reading *r)
{
    const char *disabled = variable("OTEL_SDK_DISABLED");
    const char *exporter = variable("OTEL_TRACES_EXPORTER");
    if (disabled != NULL && !is_word(disabled, "true") && !is_word(disabled, "false")) {
        refuse(r, "OTEL_SDK_DISABLED", disabled, "true or false");
    }
    if (exporter != NULL && !is_word(exporter, "otlp") && !is_word(exporter, "none")) {
        refuse(r, "OTEL_TRACES_EXPORTER", exporter, "otlp or none");
    }
    return !r->failed && exporter != NULL && is_word(exporter, "otlp") &&
           (disabled == NULL || !is_word(disabled, "true"));
}

/* ---- Where to -------------------------------------------------------------------------------- */

static bool is_url(const char *value)
{
    size_t scheme = strncasecmp(value, "http://", 7) == 0    ? 7
                    : strncasecmp(value, "https://", 8) == 0 ? 8
                                                             : 0;
    bool is_good = scheme > 0 && value[scheme] != '\0' && strchr("/:?#", value[scheme]) == NULL;
    for (const char *at = value; is_good && *at != '\0'; at++) {
        is_good = *at > ' ' && *at < 0x7f;
    }
    return is_good;
}

/* The address goes into the log, so no secret may stand in it. */
static bool has_user(const char *value)
{
    const char *host = strstr(value, "://");
    host = host != NULL ? host + 3 : value;
    return memchr(host, '@', strcspn(host, "/?#")) != NULL;
}

static void read_endpoint(reading *r, matching_trace_options *options)
{
    static const char path[] = "v1/traces";
    const char *name;
    const char *value =
        either(&name, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT");
    if (value == NULL) {
        value = "http://localhost:4318";
    }
    size_t length = strlen(value);
    if (has_user(value)) {
        refuse_unseen(r, name,
                      "names a user; use OTEL_EXPORTER_OTLP_HEADERS for what it is to be "
                      "let in with");
    } else if (!is_url(value)) {
        refuse(r, name, value, "a URL of http or https, such as http://localhost:4318");
    } else if (length + sizeof path + 1 > sizeof options->url) {
        refuse_unseen(r, name, "is too long");
    } else if (strcmp(name, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") == 0) {
        memcpy(options->url, value, length + 1); /* as it is */
    } else {
        snprintf(options->url, sizeof options->url, "%s%s%s", value,
                 value[length - 1] == '/' ? "" : "/", path);
    }
    const char *protocol =
        either(&name, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL");
    if (protocol != NULL && !is_word(protocol, "http/json")) {
        refuse(r, name, protocol, "http/json, the only one spoken here");
    }
}

static void read_compression(reading *r, matching_trace_options *options)
{
    const char *name;
    const char *value =
        either(&name, "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "OTEL_EXPORTER_OTLP_COMPRESSION");
    if (value != NULL && !is_word(value, "gzip") && !is_word(value, "none")) {
        refuse(r, name, value, "gzip or none");
    }
    options->is_gzip = value != NULL && is_word(value, "gzip");
}

/* The name of a file that can be read; "": there is none. */
static void read_path(reading *r, char path[MATCHING_TRACE_PATH_MAX], const char *own,
                      const char *general)
{
    const char *name;
    const char *value = either(&name, own, general);
    path[0] = '\0';
    if (value == NULL) {
        return;
    }
    if (strlen(value) >= MATCHING_TRACE_PATH_MAX || access(value, R_OK) != 0) {
        refuse(r, name, value, "a file that can be read");
        return;
    }
    memcpy(path, value, strlen(value) + 1);
}

static void read_certificates(reading *r, matching_trace_options *options)
{
    read_path(r, options->authorities, "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
              "OTEL_EXPORTER_OTLP_CERTIFICATE");
    read_path(r, options->own_certificate, "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
              "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE");
    read_path(r, options->own_key, "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
              "OTEL_EXPORTER_OTLP_CLIENT_KEY");
    if (options->own_key[0] != '\0' && options->own_certificate[0] == '\0') {
        refuse_unseen(r, "OTEL_EXPORTER_OTLP_CLIENT_KEY",
                      "needs OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE beside it");
    }
}

/* ---- Pairs ----------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* Appends text with its %XX decoded, spaces around it left out. False: it is malformed, or there is
 * no room. A byte below a space is no good in a header, nor in the name of anything. */
static bool add_text(matching_trace_pairs *pairs, const char *text, size_t length)
{
    while (length > 0 && (text[0] == ' ' || text[0] == '\t')) {
        text++;
        length--;
    }
    while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t')) {
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        int byte = (unsigned char)text[i];
        if (byte == '%') {
            int high = i + 2 < length ? hex_digit(text[i + 1]) : -1;
            int low = i + 2 < length ? hex_digit(text[i + 2]) : -1;
            byte = high < 0 || low < 0 ? -1 : high * 16 + low;
            i += 2;
        }
        if (byte < ' ' || byte == 0x7f || pairs->length + 2 > sizeof pairs->bytes) {
            return false;
        }
        pairs->bytes[pairs->length++] = (char)byte;
    }
    if (pairs->length + 1 > sizeof pairs->bytes) {
        return false;
    }
    pairs->bytes[pairs->length++] = '\0';
    return true;
}

static bool is_name(const char *name)
{
    return name[0] != '\0' && strpbrk(name, " :") == NULL;
}

/* name=value,name=value */
static void read_pairs(reading *r, const char *name, const char *value, matching_trace_pairs *pairs)
{
    pairs->length = 0;
    while (value != NULL && *value != '\0') {
        size_t length = strcspn(value, ",");
        size_t split = strcspn(value, "=");
        size_t before = pairs->length;
        if (strspn(value, " \t") < length &&
            (split >= length || !add_text(pairs, value, split) || !is_name(pairs->bytes + before) ||
             !add_text(pairs, value + split + 1, length - split - 1))) {
            refuse_unseen(r, name, "is not a list such as name=value,name=value");
            return;
        }
        value += length + (value[length] == ',');
    }
}

/* The value of that name, NULL: there is none. */
static const char *find_pair(const matching_trace_pairs *pairs, const char *name)
{
    for (size_t at = 0; at < pairs->length;) {
        const char *key = pairs->bytes + at;
        const char *value = key + strlen(key) + 1;
        if (strcmp(key, name) == 0) {
            return value;
        }
        at = (size_t)(value - pairs->bytes) + strlen(value) + 1;
    }
    return NULL;
}

static void read_names(reading *r, matching_trace_options *options)
{
    const char *name;
    const char *headers =
        either(&name, "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS");
    read_pairs(r, name, headers, &options->headers);
    read_pairs(r, "OTEL_RESOURCE_ATTRIBUTES", variable("OTEL_RESOURCE_ATTRIBUTES"),
               &options->attributes);
    name = "OTEL_SERVICE_NAME";
    const char *service = variable(name);
    if (service == NULL && !r->failed) {
        name = "OTEL_RESOURCE_ATTRIBUTES";
        service = find_pair(&options->attributes, "service.name");
    }
    if (service != NULL && strlen(service) >= sizeof options->service_name) {
        refuse_unseen(r, name, "gives the service a name that is too long");
    } else {
        snprintf(options->service_name, sizeof options->service_name, "%s",
                 service != NULL && service[0] != '\0' ? service : "matching");
    }
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static uint32_t read_number(reading *r, const char *name, const char *value, uint32_t otherwise,
                            uint32_t least, uint32_t most)
{
    char wanted[64];
    char *end;
    if (value == NULL) {
        return otherwise;
    }
    errno = 0;
    unsigned long number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno != 0 || number < least ||
        number > most) {
        snprintf(wanted, sizeof wanted, "a whole number from %u to %u", least, most);
        refuse(r, name, value, wanted);
        return otherwise;
    }
    return (uint32_t)number;
}

static void read_limits(reading *r, matching_trace_options *options)
{
    enum { MS_MAX = 3600000, QUEUE_MAX = 1048576 };
    const char *name;
    const char *timeout =
        either(&name, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT");
    options->timeout_ms = read_number(r, name, timeout, 10000, 1, MS_MAX);
    options->give_up_ms = read_number(r, "OTEL_BSP_EXPORT_TIMEOUT",
                                      variable("OTEL_BSP_EXPORT_TIMEOUT"), 30000, 1, MS_MAX);
    options->delay_ms = read_number(r, "OTEL_BSP_SCHEDULE_DELAY",
                                    variable("OTEL_BSP_SCHEDULE_DELAY"), 5000, 1, MS_MAX);
    options->queue = read_number(r, "OTEL_BSP_MAX_QUEUE_SIZE", variable("OTEL_BSP_MAX_QUEUE_SIZE"),
                                 2048, 2, QUEUE_MAX);
    const char *batch = variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE");
    uint32_t usual = options->queue < 512 ? options->queue : 512;
    options->batch =
        read_number(r, "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", batch, usual, 1, options->queue);
}

static void read_sampler(reading *r, matching_trace_options *options)
{
    const char *sampler = variable("OTEL_TRACES_SAMPLER");
    const char *argument = variable("OTEL_TRACES_SAMPLER_ARG");
    const char *kind = sampler != NULL ? sampler : "parentbased_always_on";
    options->is_parent_based = strncasecmp(kind, "parentbased_", 12) == 0;
    kind += options->is_parent_based ? 12 : 0;
    options->ratio = 1;
    if (is_word(kind, "always_off")) {
        options->ratio = 0;
    } else if (is_word(kind, "traceidratio")) {
        char *end = NULL;
        double ratio = argument != NULL ? strtod(argument, &end) : 1;
        if (argument != NULL && (end == argument || *end != '\0' || !(ratio >= 0 && ratio <= 1))) {
            refuse(r, "OTEL_TRACES_SAMPLER_ARG", argument, "a number from 0 to 1");
        }
        options->ratio = ratio;
    } else if (!is_word(kind, "always_on")) {
        refuse(r, "OTEL_TRACES_SAMPLER", sampler,
               "always_on, always_off, traceidratio, or one of these behind parentbased_");
    }
}

int matching_trace_options_read(matching_trace_options *options, char *error, size_t error_size)
{
    reading r = {.error = error, .error_size = error_size};
    *options = (matching_trace_options){0};
    options->is_on = is_wanted(&r);
    if (options->is_on) {
        read_endpoint(&r, options);
        read_compression(&r, options);
        read_certificates(&r, options);
        read_names(&r, options);
        read_limits(&r, options);
        read_sampler(&r, options);
        trace_unknown_variables(options->unknown, sizeof options->unknown);
    }
    return r.failed ? -EINVAL : 0;
}
