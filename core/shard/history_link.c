/* What is asked of a core's history, whether it has one or not. */
#include "shard/history_link.h"

#include "shard/core_internal.h"

const char *matching_history_text(unsigned trouble)
{
    static const char *const texts[] = {
        [MATCHING_HISTORY_FINE] = "",
        [MATCHING_HISTORY_CATCHING_UP] = "history is catching up, ask again soon",
        [MATCHING_HISTORY_FAILED] = "history failed, see the health check",
        [MATCHING_HISTORY_OFF] = "this service keeps no history",
    };
    return trouble < sizeof texts / sizeof texts[0] ? texts[trouble] : "";
}

const char *matching_history_state_name(unsigned state)
{
    static const char *const names[] = {
        [MATCHING_HISTORY_STATE_OFF] = "off",
        [MATCHING_HISTORY_STATE_CATCHING_UP] = "catching_up",
        [MATCHING_HISTORY_STATE_LIVE] = "live",
        [MATCHING_HISTORY_STATE_FAILED] = "failed",
    };
    return state < sizeof names / sizeof names[0] ? names[state] : "";
}

bool matching_core_has_history(const matching_core *core)
{
    return core->history != NULL;
}

matching_history_progress matching_core_history_progress(const matching_core *core, unsigned number)
{
    return core->history != NULL ? core->history->progress(core->history, number)
                                 : (matching_history_progress){.why = ""};
}

const char *matching_core_history_warning(const matching_core *core)
{
    return core->history != NULL ? core->history->warning(core->history) : "";
}
