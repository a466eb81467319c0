/* The status of events as JSON. A symbol character belongs to at most one instrument; volume under
 * one that no instrument has is told apart. The store's state is that of the shard which is worst
 * off.
 */
#include "status.h"

#include "matching/history.h"

#define NS_PER_MS UINT64_C(1000000)

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
    for (unsigned letter = 0; letter < 256; letter++) {
        uint64_t units = is_listed[letter] ? 0
                                           : atomic_load_explicit(&counters->sbe_volume[letter],
                                                                  memory_order_relaxed);
        unlisted = units <= UINT64_MAX - unlisted ? unlisted + units : UINT64_MAX;
    }
    return unlisted;
}

/* What needs a look first: a failure, then one who is behind. */
static matching_history_state worse(matching_history_state one, matching_history_state other)
{
    if (one == MATCHING_HISTORY_STATE_FAILED || other == MATCHING_HISTORY_STATE_FAILED)
        return MATCHING_HISTORY_STATE_FAILED;
    return one == MATCHING_HISTORY_STATE_CATCHING_UP ? one : other;
}

static void write_stored(matching_writer *writer, unsigned shard,
                         const matching_history_progress *progress)
{
    MATCHING_WRITE(writer, "{\"shard\":");
    matching_write_unsigned(writer, shard);
    MATCHING_WRITE(writer, ",\"state\":");
    matching_write_cstring(writer, matching_history_state_name(progress->state));
    MATCHING_WRITE(writer, ",\"stored\":");
    matching_write_unsigned(writer, progress->stored);
    MATCHING_WRITE(writer, ",\"safe\":");
    matching_write_unsigned(writer, progress->safe);
    MATCHING_WRITE(writer, ",\"lag\":");
    matching_write_unsigned(writer, progress->lag);
    MATCHING_WRITE(writer, ",\"time\":");
    matching_write_unsigned(writer, progress->time_ns / NS_PER_MS);
    if (progress->why[0] != '\0') {
        MATCHING_WRITE(writer, ",\"why\":");
        matching_write_cstring(writer, progress->why);
    }
    MATCHING_WRITE(writer, "}");
}

static void write_store(matching_writer *writer, const matching_core *core)
{
    matching_history_progress progress[MATCHING_SHARDS_MAX];
    matching_history_state state = MATCHING_HISTORY_STATE_LIVE;
    unsigned count = matching_core_shard_count(core);
    if (!matching_core_has_history(core)) {
        MATCHING_WRITE(writer, "null");
        return;
    }
    for (unsigned shard = 0; shard < count; shard++) {
        progress[shard] = matching_core_history_progress(core, shard);
        state = worse(state, progress[shard].state);
    }
    MATCHING_WRITE(writer, "{\"state\":");
    matching_write_cstring(writer, matching_history_state_name(state));
    MATCHING_WRITE(writer, ",\"shards\":[");
    for (unsigned shard = 0; shard < count; shard++) {
        matching_write(writer, ",", shard > 0);
        write_stored(writer, shard, &progress[shard]);
    }
    MATCHING_WRITE(writer, "]}");
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
    MATCHING_WRITE(writer, "},\"store\":");
    write_store(writer, core);
    MATCHING_WRITE(writer, "}");
}
