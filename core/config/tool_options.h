/* The command line of the tools: `journal verify|dump|replay DIR`, `snapshot DIR`, `store rebuild
 * DIR`. */
#ifndef MATCHING_TOOL_OPTIONS_H
#define MATCHING_TOOL_OPTIONS_H

#include "matching/options.h"

/* Does a tool's command line begin with this word? */
bool matching_tool_is_named(const char *word);

/* Reads argv, whose argv[1] is such a word, into options->mode and options->tool. 0, or -1 with one
 * line in error. */
int matching_tool_parse(matching_options *options, int argc, char *const *argv, char *error,
                        size_t error_size);

#endif
