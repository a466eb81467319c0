/* See reports.h. */
#include "bench/reports.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static yardstick_report normal(const yardstick_report *given)
{
    yardstick_report report = {.type = given->type, .sequence = given->sequence};
    if (given->type == YARDSTICK_TRADE) {
        report.maker_id = given->maker_id;
        report.taker_id = given->taker_id;
    } else {
        report.order_id = given->order_id;
    }
    if (given->type == YARDSTICK_CANCEL_REJECT || given->type == YARDSTICK_MODIFY_REJECT) {
        return report;
    }
    report.price_ticks = given->price_ticks;
    report.side = given->type == YARDSTICK_TRADE ? 0 : given->side;
    report.quantity_lots = given->type == YARDSTICK_CANCEL_ACK ? 0 : given->quantity_lots;
    return report;
}

void reports_normalise(yardstick_report *reports, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        yardstick_report report = normal(&reports[i]);
        size_t at = i;
        while (at > 0 && reports[at - 1].sequence == report.sequence &&
               reports[at - 1].type > report.type) {
            reports[at] = reports[at - 1];
            at--;
        }
        reports[at] = report;
    }
}

uint64_t reports_hash(const yardstick_report *reports, size_t count)
{
    uint64_t hash = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t words[sizeof *reports / 8];
        memcpy(words, &reports[i], sizeof words);
        for (size_t k = 0; k < sizeof words / sizeof words[0]; k++) {
            hash = (hash ^ words[k]) * 0x9E3779B97F4A7C15u;
            hash ^= hash >> 29;
        }
    }
    return hash;
}

bool reports_equal(const yardstick_report *left, const yardstick_report *right)
{
    return memcmp(left, right, sizeof *left) == 0;
}

void reports_describe(const yardstick_report *report, char *text, size_t size)
{
    static const char *const kinds[] = {"order-ack",  "trade",         "cancel-ack",
                                        "modify-ack", "cancel-reject", "modify-reject"};
    snprintf(text, size,
             "%s sequence=%" PRIu64 " order=%" PRIu64 " side=%u price=%" PRId64 " lots=%" PRIu32
             " maker=%" PRIu64 " taker=%" PRIu64,
             report->type < 6 ? kinds[report->type] : "?", report->sequence, report->order_id,
             report->side, report->price_ticks, report->quantity_lots, report->maker_id,
             report->taker_id);
}
