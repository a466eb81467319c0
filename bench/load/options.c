/* See options.h. */
#define _GNU_SOURCE
#include "load/options.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "load/report.h"
#include "load/turns.h"

/* What getopt_long returns for the options that are there anyway: behind all others. */
enum { CPU = LOAD_OPTIONS_MAX, ALONE, NO_HEAD, HELP };

static _Noreturn void refuse(const load_program *program, const char *what, const char *value)
{
    fprintf(stderr, "%s: %s%s\n\n%s", program->name, what, value, program->usage);
    exit(2);
}

static unsigned number(const load_program *program, const char *text, unsigned least, unsigned most)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < least || value > most) {
        char what[80];
        snprintf(what, sizeof what, "expected a number from %u to %u, not ", least, most);
        refuse(program, what, text);
    }
    return (unsigned)value;
}

/* False: it is none of them. */
static bool find(const char *const *names, const char *text, unsigned *place)
{
    for (unsigned i = 0; names[i] != NULL; i++) {
        if (strcmp(names[i], text) == 0) {
            *place = i;
            return true;
        }
    }
    return false;
}

static void take(const load_program *program, const load_option *option, const char *text)
{
    if (option->names == NULL) {
        *option->value = number(program, text, option->least, option->most);
    } else if (!find(option->names, text, option->value)) {
        char what[80];
        snprintf(what, sizeof what, "no such %s: ", option->name);
        refuse(program, what, text);
    }
}

static void pin(unsigned cpu)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        fail("processor %u: %s", cpu, strerror(errno));
    }
}

/* What of those that are there anyway was asked for. */
typedef struct common {
    bool has_head, is_alone;
} common;

static common read_options(const load_program *program, int argc, char **argv)
{
    struct option options[LOAD_OPTIONS_MAX + 5] = {{NULL, 0, NULL, 0}};
    common asked = {.has_head = true};
    int count = 0;
    for (; program->options[count].name != NULL; count++) {
        options[count] =
            (struct option){program->options[count].name, required_argument, NULL, count};
    }
    options[count++] = (struct option){"cpu", required_argument, NULL, CPU};
    options[count++] = (struct option){"alone", no_argument, NULL, ALONE};
    options[count++] = (struct option){"no-head", no_argument, NULL, NO_HEAD};
    options[count] = (struct option){"help", no_argument, NULL, HELP};
    for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) >= 0;) {
        if (option < LOAD_OPTIONS_MAX) {
            take(program, &program->options[option], optarg);
        } else if (option == CPU) {
            pin(number(program, optarg, 0, CPU_SETSIZE - 1));
        } else if (option == ALONE) {
            asked.is_alone = true;
        } else if (option == NO_HEAD) {
            asked.has_head = false;
        } else if (option == HELP || option == 'h') {
            fputs(program->usage, stdout);
            exit(EXIT_SUCCESS);
        } else {
            refuse(program, "try --help", "");
        }
    }
    return asked;
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void print_head(bool is_alone)
{
    double average = 0;
    cpu_set_t set;
    CPU_ZERO(&set);
    (void)getloadavg(&average, 1);
    (void)sched_getaffinity(0, sizeof set, &set);
    printf("load average %.2f; %d processor%s for the load; the other targets %s\n", average,
           CPU_COUNT(&set), CPU_COUNT(&set) == 1 ? "" : "s",
           is_alone ? "are stopped during a turn" : "run on");
    report_head();
}

void load_begin(const load_program *program, int argc, char **argv, load_command *command)
{
    common asked = read_options(program, argc, argv);
    if (optind == argc) {
        refuse(program, "what shall be measured?", "");
    }
    const char *measure = argv[optind++];
    for (command->count = 0; optind < argc; optind++, command->count++) {
        if (command->count == TARGETS_MAX ||
            !target_parse(argv[optind], &command->targets[command->count])) {
            refuse(program, "not a target, or one too many: ", argv[optind]);
        }
    }
    if (command->count == 0) {
        refuse(program, "no target", "");
    }
    if (!find(program->measures, measure, &command->measure)) {
        refuse(program, "no such measure: ", measure);
    }
    signal(SIGPIPE, SIG_IGN);
    allow_descriptors();
    if (asked.is_alone && !turns_begin(command->targets, command->count)) {
        refuse(program, "--alone needs the process id of every target", "");
    }
    if (asked.has_head) {
        print_head(asked.is_alone);
    }
}
