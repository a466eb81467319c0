/* Every connection takes a file descriptor, and the soft limit is often 1024. */
#ifndef MATCHING_CMD_DESCRIPTORS_H
#define MATCHING_CMD_DESCRIPTORS_H

#include "matching/config.h"

/* Raises this process's soft limit to what the enabled doors' max_connections need together, as far
 * as the hard limit lets it, and says on stderr which door's do not fit even alone. Before the
 * doors are made: libwebsockets sizes its tables by the limit, which is why it is not raised
 * further. */
void descriptors_raise(const matching_config *config);

#endif
