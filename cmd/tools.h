/* The tools on a data directory: `matching journal verify|dump|replay DIR` and
 * `matching snapshot DIR`.
 *
 * Main thread, in a process that serves nothing. Results go to stdout, progress and trouble to
 * stderr. All but snapshot only read, and may be used beside a service that writes: they go as far
 * as it had made its journal safe.
 */
#ifndef MATCHING_CMD_TOOLS_H
#define MATCHING_CMD_TOOLS_H

#include "matching/options.h"

/* Runs the tool to its end. The exit code of the process: 0; MATCHING_EXIT_USAGE when the directory
 * is refused or damaged; MATCHING_EXIT_RUN when something else failed (memory, a full disk, an
 * output that cannot be written, a directory in use). */
int tools_run(const matching_tool_options *options);

#endif
