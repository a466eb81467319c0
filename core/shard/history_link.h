/* What the core knows of a history that is attached to it; core/history is what there is. So the
 * core itself needs no store, and whoever wants none links none.
 *
 * Functions are for any thread and wait for nothing unless said otherwise.
 */
#ifndef MATCHING_HISTORY_LINK_H
#define MATCHING_HISTORY_LINK_H

#include "matching/history.h"

typedef struct history_link history_link;

struct history_link {
    matching_history_progress (*progress)(const history_link *link, unsigned shard);
    const char *(*warning)(const history_link *link);
};

#endif
