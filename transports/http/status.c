/* The status of events as JSON. A symbol character belongs to at most one instrument; volume under
 * one that no instrument has is told apart. There is no store yet.
 */
#include "status.h"

static void write_shards(matching_writer *writer, const matching_core *core)
{
    for (unsigned shard = 0; shard < matching_core_shard_count(core); shard++) {
        matching_progress progress = matching_core_shard_progress(core, shard);
        if (shard > 0)
            MATCHING_WRITE(writer, ",");
        MATCHING_WRITE(writer, "{\"shard\":");
        matching_write_unsigned(writer, shard);
        MATCHING_WRITE(writer, ",\"commands\":");
        matching_write_unsigned(writer, progress.commands);
        MATCHING_WRITE(writer, ",\"events\":");
        matching_write_unsigned(writer, progress.events);
        MATCHING_WRITE(writer, "}");
    }
}

/* Those with an instrument, and the sum of those without. */
static uint64_t write_volumes(matching_writer *writer, const matching_core *core,
                              const matching_counters *counters)
{
    bool is_listed[256] = {false};
    uint64_t unlisted = 0;
    const char *comma = "";
    for (size_t i = 0; i < matching_core_instrument_count(core); i++) {
        const matching_instrument *instrument = matching_core_instrument(core, i);
        unsigned char letter = instrument == NULL ? 0 : (unsigned char)instrument->sbe_char;
        uint64_t units =
            letter == 0 ? 0
                        : atomic_load_explicit(&counters->sbe_volume[letter], memory_order_relaxed);
        is_listed[letter] = true;
        if (units > 0) {
            matching_write(writer, comma, *comma != '\0');
            matching_write_cstring(writer, instrument->symbol);
            MATCHING_WRITE(writer, ":");
            matching_write_unsigned(writer, units);
            comma = ",";
        }
    }
    is_listed[0] = false; /* no instrument has that one */
    for (unsigned letter = 0; letter < 256; letter++)
        if (!is_listed[letter])
            unlisted += atomic_load_explicit(&counters->sbe_volume[letter], memory_order_relaxed);
    return unlisted;
}

void http_status_write(matching_writer *writer, const matching_core *core,
                       const matching_counters *counters)
{
    static const matching_counters nothing;
    counters = counters != NULL ? counters : &nothing;
    MATCHING_WRITE(writer, "{\"shards\":[");
    write_shards(writer, core);
    MATCHING_WRITE(writer, "],\"sbe\":{\"trades\":");
    matching_write_unsigned(writer,
                            atomic_load_explicit(&counters->sbe_trades, memory_order_relaxed));
    MATCHING_WRITE(writer, ",\"volume\":{");
    uint64_t unlisted = write_volumes(writer, core, counters);
    MATCHING_WRITE(writer, "}");
    if (unlisted > 0) {
        MATCHING_WRITE(writer, ",\"unlisted_volume\":");
        matching_write_unsigned(writer, unlisted);
    }
    MATCHING_WRITE(writer, "},\"store\":null}");
}
