/* What GET /health says on every door. */
#include <string.h>

#include "json_writer.h"
#include "matching/history.h"

#define REASON_SIZE 256

/* A reason may name a file, whose name may be any bytes. */
static void keep_printable(char *text)
{
    for (; *text != '\0'; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

static void write_failed_shards(matching_writer *writer, const matching_core *core)
{
    char why[REASON_SIZE];
    bool first = true;
    MATCHING_WRITE(writer, ",\"shards\":[");
    for (unsigned i = 0; i < matching_core_shard_count(core); i++) {
        if (matching_core_shard_is_healthy(core, i, why, sizeof why))
            continue;
        if (!first)
            MATCHING_WRITE(writer, ",");
        keep_printable(why);
        MATCHING_WRITE(writer, "{\"shard\":");
        matching_write_unsigned(writer, i);
        MATCHING_WRITE(writer, ",\"failed\":");
        matching_write_cstring(writer, why);
        MATCHING_WRITE(writer, "}");
        first = false;
    }
    MATCHING_WRITE(writer, "]");
}

static bool has_warning(const matching_core *core)
{
    for (unsigned i = 0; i < matching_core_shard_count(core); i++)
        if (*matching_core_shard_warning(core, i) != '\0')
            return true;
    return *matching_core_history_warning(core) != '\0';
}

/* What is not well without keeping anybody from trading. */
static void write_warnings(matching_writer *writer, const matching_core *core)
{
    bool first = true;
    MATCHING_WRITE(writer, ",\"warnings\":[");
    for (unsigned i = 0; i < matching_core_shard_count(core); i++) {
        const char *warning = matching_core_shard_warning(core, i);
        if (*warning == '\0')
            continue;
        if (!first)
            MATCHING_WRITE(writer, ",");
        MATCHING_WRITE(writer, "{\"shard\":");
        matching_write_unsigned(writer, i);
        MATCHING_WRITE(writer, ",\"warning\":");
        matching_write_cstring(writer, warning);
        MATCHING_WRITE(writer, "}");
        first = false;
    }
    const char *history = matching_core_history_warning(core);
    if (*history != '\0') {
        if (!first)
            MATCHING_WRITE(writer, ",");
        MATCHING_WRITE(writer, "{\"warning\":");
        matching_write_cstring(writer, history);
        MATCHING_WRITE(writer, "}");
    }
    MATCHING_WRITE(writer, "]");
}

bool matching_write_health(matching_writer *writer, const matching_core *core, const char *service,
                           const char *members)
{
    char why[REASON_SIZE];
    bool healthy = matching_core_is_healthy(core, why, sizeof why);
    if (healthy)
        MATCHING_WRITE(writer, "{\"status\":\"healthy\",\"service\":");
    else
        MATCHING_WRITE(writer, "{\"status\":\"failing\",\"service\":");
    matching_write_cstring(writer, service);
    matching_write(writer, members, strlen(members));
    if (!healthy)
        write_failed_shards(writer, core);
    if (has_warning(core))
        write_warnings(writer, core);
    MATCHING_WRITE(writer, "}");
    return healthy;
}
