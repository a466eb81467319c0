/* The table of settings: for each its section, key, type and range. Private to core/config.
 *
 * The file, the environment, the flags and the printer all go through this table, so that a value
 * is held to the same rule wherever it comes from. Pure functions.
 */
#ifndef MATCHING_SETTINGS_H
#define MATCHING_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "matching/config.h"
#include "toml_value.h"

typedef enum setting_kind {
    SETTING_BOOLEAN,
    SETTING_INTEGER,
    SETTING_POWER, /* an integer that is a power of two */
    SETTING_CHOICE,
    SETTING_PATH,
    SETTING_FILE, /* a path, or "": none */
    SETTING_LEVELS,
    SETTING_BIND,
    SETTING_TOKEN,
    SETTING_ORIGINS,
    SETTING_HOSTS,
    SETTING_CPUS
} setting_kind;

typedef struct setting {
    const char *section; /* "" before the first section */
    const char *key;
    setting_kind kind;
    size_t offset;       /* in matching_config */
    size_t size;         /* of the member */
    uint64_t min, max;   /* of numbers */
    const char *choices; /* of SETTING_CHOICE: "commit interval none", by enum value */
} setting;

#define SETTINGS_MAX 128

extern const setting matching_settings[];
extern const size_t matching_settings_count; /* at most SETTINGS_MAX */

/* By "section.key", or a plain key before the first section. NULL if there is none. */
const setting *matching_setting_find(const char *path);

/* Is there a section of this name? Returns the index of its first setting, or -1. */
int matching_setting_section(const char *section);

/* Stores a value of the right type and range; false, and config unchanged, otherwise. */
bool matching_setting_store(const setting *it, matching_config *config, const toml_value *value);

/* The same for the text of a flag or a variable: no quotes, plain decimal digits. */
bool matching_setting_store_text(const setting *it, matching_config *config, const char *text);

uint64_t matching_setting_number(const setting *it, const matching_config *config);

/* "must be an integer from 0 to 65535", NUL-terminated. */
void matching_setting_rule(const setting *it, char *out, size_t size);

/* Prints `key = value`, or nothing where there is no value to print. */
void matching_setting_print(const setting *it, const matching_config *config, FILE *out);

/* Prints a TOML string, quotes and escapes included. */
void matching_setting_print_string(const char *text, FILE *out);

/* Formats a message into error, with control characters replaced. Always returns -1. */
int matching_config_fail(char *error, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
