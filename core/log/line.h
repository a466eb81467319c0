/* A line of the log as bytes. Pure; any thread. */
#ifndef MATCHING_LOG_LINE_H
#define MATCHING_LOG_LINE_H

#include "matching/log.h"

/* Makes the line, newline included, and returns its length. A text that does not fit is cut between
 * two characters, a field that does not fit is left out, and those behind it; JSON stays JSON.
 * time_ns: Unix time. */
size_t log_line_make(char out[MATCHING_LOG_LINE_MAX], bool as_json, uint64_t time_ns,
                     matching_log_level level, const char *module, const char *message,
                     const matching_log_field *fields, size_t count);

#endif
