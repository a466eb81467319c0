/* The line about a connection of HTTP that has ended. */
#include "matching/connections.h"
#include "matching/log.h"

void matching_http_ended(const char *transport, const char *remote,
                         const matching_http_traffic *traffic)
{
    const matching_log_field fields[] = {
        {.name = "remote", .text = remote},
        {.name = "duration_ms", .number = (matching_monotonic_ns() - traffic->since_ns) / 1000000},
        {.name = "requests", .number = traffic->requests},
        {.name = "answers", .number = traffic->answers},
        {.name = "bytes_received", .number = traffic->bytes_received},
        {.name = "bytes_sent", .number = traffic->bytes_sent},
        {.name = "errors", .number = traffic->errors},
    };
    matching_log_fields(MATCHING_LOG_DEBUG, transport, "connection ended", fields,
                        sizeof fields / sizeof fields[0]);
}
