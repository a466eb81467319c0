/* See needed.h. */
#include "history/needed.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "history/history_internal.h"

int matching_history_needed(const data_dir *dir, unsigned number, uint64_t *keep_from, char *error,
                            size_t error_size)
{
    char path[DATA_DIR_PATH_SIZE + sizeof "/" DATA_DIR_STORE], trouble[STORE_ERROR_SIZE];
    store *s;
    *keep_from = UINT64_MAX;
    snprintf(path, sizeof path, "%s/" DATA_DIR_STORE, dir->path);
    if (access(path, F_OK) != 0) {
        return 0;
    }
    int failed = history_open_store_whole(&s, dir, error, error_size);
    if (failed == -EBADMSG) {
        return 0; /* it will not read this journal any more */
    }
    if (failed == 0) {
        uint64_t stored = store_safe_sequence(s, number);
        bool has_use = stored == 0 || follower_can_reach(dir, number, stored);
        *keep_from = has_use ? stored : UINT64_MAX;
        failed = store_close(s, trouble, sizeof trouble);
    }
    return failed;
}
