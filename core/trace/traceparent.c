/* The header traceparent of W3C's Trace Context: 00-<32 hex digits>-<16>-<2>. Digits are lower
 * case; a version above 00 may bring more behind another hyphen, which is passed over.
 */
#include <string.h>

#include "matching/trace.h"

#define TRACE_AT 3
#define SPAN_AT 36
#define FLAGS_AT 53
#define LENGTH 55

static bool read_hex(const char *text, size_t digits, uint64_t *value)
{
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        char c = text[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) {
            return false;
        }
        *value = *value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

bool matching_traceparent_parse(const char *text, size_t length, matching_trace_context *context)
{
    uint64_t version, high, low, span, flags;
    if (length < LENGTH || text[TRACE_AT - 1] != '-' || text[SPAN_AT - 1] != '-' ||
        text[FLAGS_AT - 1] != '-' || !read_hex(text, 2, &version) ||
        !read_hex(text + TRACE_AT, 16, &high) || !read_hex(text + TRACE_AT + 16, 16, &low) ||
        !read_hex(text + SPAN_AT, 16, &span) || !read_hex(text + FLAGS_AT, 2, &flags)) {
        return false;
    }
    bool has_good_end = version == 0 ? length == LENGTH : length == LENGTH || text[LENGTH] == '-';
    if (version == 0xff || !has_good_end || (high | low) == 0 || span == 0) {
        return false;
    }
    *context = (matching_trace_context){.trace_high = high,
                                        .trace_low = low,
                                        .span_id = span,
                                        .is_sampled = (flags & 1) != 0,
                                        .is_remote = true};
    return true;
}
