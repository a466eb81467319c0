/* `matching store rebuild DIR`. */
#include <errno.h>

#include "matching/history.h"
#include "tools.h"
#include "tools_internal.h"

static void on_progress(void *context, unsigned shard, const char *what, double fraction)
{
    tool_progress(context, shard, what, (uint64_t)(fraction * 1000000), 1000000);
}

static void on_note(void *context, const char *line)
{
    tool *t = context;
    progress_end(&t->progress);
    printf("%s\n", line);
    fflush(stdout);
}

int tool_store_rebuild(tool *t)
{
    char error[TOOL_TEXT_SIZE] = "";
    int failed =
        matching_history_rebuild(t->options->dir, on_progress, on_note, t, error, sizeof error);
    progress_end(&t->progress);
    if (failed != 0) {
        fprintf(stderr, "matching: %s\n", error);
    }
    return failed == 0 ? 0 : failed == -EBADMSG ? MATCHING_EXIT_USAGE : MATCHING_EXIT_RUN;
}
