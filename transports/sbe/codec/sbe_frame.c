/* What is wrong with a message, and its text: the way that good messages never take. */
#include "sbe_frame.h"

#include <stdio.h>

static bool names_a_request(uint16_t template_id)
{
    return template_id == SBE_NEW_ORDER || template_id == SBE_CANCEL_ORDER ||
           template_id == SBE_AMEND_ORDER || template_id == SBE_MASS_CANCEL;
}

static sbe_fault be_short(sbe_error *error, size_t expected, size_t got)
{
    error->expected = expected;
    error->got = got;
    return error->fault = SBE_FAULT_SHORT;
}

sbe_fault sbe_frame_judge(const sbe_frame *frame, sbe_error *error)
{
    const uint8_t *at = frame->at;
    *error = (sbe_error){.fault = SBE_FAULT_NONE};
    if (frame->left >= 4) {
        error->template_id = sbe_load_u16(at + 2);
    }
    if (frame->left < SBE_HEADER_BYTES) {
        return be_short(error, SBE_HEADER_BYTES, frame->left);
    }
    if (sbe_load_u16(at + 4) != SBE_SCHEMA_ID) {
        error->expected = SBE_SCHEMA_ID;
        error->got = sbe_load_u16(at + 4);
        return error->fault = SBE_FAULT_SCHEMA;
    }
    size_t known = sbe_block_length(error->template_id);
    if (known == 0) {
        return error->fault = SBE_FAULT_TEMPLATE;
    }
    size_t sent = sbe_load_u16(at), there = frame->left - SBE_HEADER_BYTES;
    size_t got = sent < there ? sent : there;
    if (names_a_request(error->template_id) && got >= SBE_SIZE_u64) {
        error->client_order_id = sbe_load_u64(at + SBE_HEADER_BYTES); /* the first field of each */
    }
    size_t wanted = sent > known ? sent : known;
    return got < wanted ? be_short(error, SBE_HEADER_BYTES + wanted, SBE_HEADER_BYTES + got)
                        : SBE_FAULT_NONE;
}

size_t sbe_error_print(char out[SBE_ERROR_TEXT], const sbe_error *error)
{
    int length = 0;
    switch (error->fault) {
    case SBE_FAULT_SHORT:
        length = snprintf(out, SBE_ERROR_TEXT, "insufficient data: expected %zu bytes, got %zu",
                          error->expected, error->got);
        break;
    case SBE_FAULT_TEMPLATE:
        length = snprintf(out, SBE_ERROR_TEXT, "unknown template: %u", error->template_id);
        break;
    case SBE_FAULT_SCHEMA:
        length = snprintf(out, SBE_ERROR_TEXT, "wrong schema: expected %zu, got %zu",
                          error->expected, error->got);
        break;
    case SBE_FAULT_NONE:
        out[0] = '\0';
        break;
    }
    return (size_t)length;
}
