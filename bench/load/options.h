/* The command line of a load generator: MEASURE [options] NAME=ADDRESS:PORT[/PID]...
 *
 * What is wrong with it ends the program with 2 and the usage.
 */
#ifndef MATCHING_BENCH_LOAD_OPTIONS_H
#define MATCHING_BENCH_LOAD_OPTIONS_H

#include "load/target.h"

/* `--name VALUE`: a number from least to most or, with names, the place of one of these. --cpu,
 * --alone, --no-head and --help are there anyway. */
typedef struct load_option {
    const char *name;
    unsigned *value;
    unsigned least, most;
    const char *const *names; /* NULL: a number; else NULL at their end */
} load_option;

typedef struct load_program {
    const char *name, *usage;
    const load_option *options;  /* one without a name at their end, at most LOAD_OPTIONS_MAX */
    const char *const *measures; /* NULL at their end */
} load_program;

#define LOAD_OPTIONS_MAX 16

typedef struct load_command {
    unsigned measure; /* the place of its name */
    unsigned count;   /* of targets */
    target targets[TARGETS_MAX];
} load_command;

/* Fills in the options' values and *command, goes to the processor that is wanted, begins turns
 * (turns.h) where --alone is given, and prints the head line unless that is not wanted. */
void load_begin(const load_program *program, int argc, char **argv, load_command *command);

#endif
