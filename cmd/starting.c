/* See starting.h. A log that is read by a machine gets lines of the log and nothing else; people
 * who watch a terminal get a bar.
 */
#include "starting.h"

#include <stdio.h>
#include <string.h>

#include "matching/log.h"

#define LINE_NS UINT64_C(1000000000) /* between two lines about progress */
#define WARNING "warn: "             /* how the core marks what is unusual */

void starting_begin(starting *it, const matching_config *config)
{
    progress_init(&it->shown, stderr);
    it->told_ns = matching_monotonic_ns(); /* what takes less needs no line */
    it->room = config->in_memory ? NULL : waiting_room_open(config); /* there: nothing takes long */
}

static void on_progress(void *context, unsigned shard, const char *what, double fraction)
{
    starting *it = context;
    uint64_t now = matching_monotonic_ns();
    waiting_room_tell(it->room, shard, what, fraction);
    if (it->shown.terminal) {
        char text[PROGRESS_WHAT_SIZE];
        snprintf(text, sizeof text, "shard %u: %s", shard, what);
        progress_show(&it->shown, text, (uint64_t)(fraction * 1000000), 1000000);
    } else if (now - it->told_ns >= LINE_NS) {
        const matching_log_field fields[] = {
            {.name = "shard", .number = shard},
            {.name = "what", .text = what},
            {.name = "percent", .number = (uint64_t)(fraction * 100)},
        };
        it->told_ns = now;
        matching_log_fields(MATCHING_LOG_INFO, "core", "recovering", fields,
                            sizeof fields / sizeof fields[0]);
    }
}

static void on_note(void *context, const char *line)
{
    starting *it = context;
    bool is_warning = strncmp(line, WARNING, strlen(WARNING)) == 0;
    progress_done(&it->shown); /* of what a line is about all is done */
    matching_log(is_warning ? MATCHING_LOG_WARN : MATCHING_LOG_INFO, "core", "%s",
                 line + (is_warning ? strlen(WARNING) : 0));
}

void starting_listen(starting *it, matching_core_options *options)
{
    options->on_progress = on_progress;
    options->on_note = on_note;
    options->progress_context = it;
}

void starting_end(starting *it)
{
    progress_end(&it->shown);
}

void starting_leave(starting *it)
{
    waiting_room_close(it->room);
    it->room = NULL;
}
