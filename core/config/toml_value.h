/* The words of a TOML line: names, and the values this project has a use for.
 *
 * Values: "..." with escapes, '...', integers (with _, and 0x, 0o, 0b), decimals kept as text,
 * booleans, and flat arrays of these on one line. Dates, tables in line and strings over several
 * lines are refused by name. Pure functions, no allocation; a problem comes back as a static text.
 */
#ifndef MATCHING_TOML_VALUE_H
#define MATCHING_TOML_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TOML_LINE_SIZE 4097 /* the longest line, NUL included */
#define TOML_ITEMS_MAX 64   /* values in an array */
#define TOML_NAME_SIZE 49   /* a dotted name, NUL included; libinih keeps 49 characters of one */

typedef enum toml_kind { TOML_STRING, TOML_INTEGER, TOML_DECIMAL, TOML_BOOLEAN } toml_kind;

typedef struct toml_item {
    toml_kind kind;
    bool boolean;
    int64_t integer;
    const char *text; /* a string's characters, or a number in JSON's grammar; in the arena */
} toml_item;

typedef struct toml_value {
    bool is_array;
    size_t count;      /* 1 unless it is an array */
    size_t raw_length; /* of the value in the text read, from its first character on */
    toml_item items[TOML_ITEMS_MAX];
    size_t arena_used;
    char arena[TOML_LINE_SIZE + TOML_ITEMS_MAX];
} toml_value;

/* NULL if the line is legal UTF-8 without control characters but tab, else the problem. */
const char *toml_line_check(const char *line, size_t length);

/* Reads a dotted name at *at and moves past it. Parts may be quoted; name gets them joined by dots
 * without quotes and spaces: [symbol."A.B"] and [symbol.A.B] are one name. */
const char *toml_name_parse(const char **at, char name[TOML_NAME_SIZE]);

/* True if nothing but white space or a comment is left. */
bool toml_line_ends(const char *at);

/* Reads the whole text after an equals sign, comment included. */
const char *toml_value_parse(const char *text, toml_value *value);

#endif
