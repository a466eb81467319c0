/* The [symbol.NAME] sections of a file. Private to core/config. */
#ifndef MATCHING_INSTRUMENTS_H
#define MATCHING_INSTRUMENTS_H

#include <stddef.h>
#include <stdio.h>

#include "matching/config.h"
#include "toml_value.h"

enum { INSTRUMENT_ID, INSTRUMENT_TICK_SIZE, INSTRUMENT_LOT_SIZE, INSTRUMENT_SBE_CHAR };
#define INSTRUMENT_KEYS 4

/* Where the instruments of the file being read were given, by their position. 0: not given. */
typedef struct instrument_lines {
    unsigned section[MATCHING_CONFIG_INSTRUMENTS_MAX];
    unsigned key[MATCHING_CONFIG_INSTRUMENTS_MAX][INSTRUMENT_KEYS];
} instrument_lines;

void matching_instruments_default(matching_config *config);

/* Opens [symbol.NAME] as the last instrument. NULL, or the rule that the name breaks. */
const char *matching_instrument_open(matching_config *config, const char *name);

/* 0 ... INSTRUMENT_KEYS - 1, or -1 if there is no such key. */
int matching_instrument_key(const char *key);
const char *matching_instrument_key_name(int key);

/* Stores a key of the last instrument. NULL, or the rule that the value breaks. */
const char *matching_instrument_store(matching_config *config, int key, const toml_value *value);

/* Ids and sbe_chars are unique and ids are given. 0, or -1 with the message in error. */
int matching_instruments_check(const matching_config *config, const instrument_lines *lines,
                               const char *path, char *error, size_t error_size);

void matching_instruments_print(const matching_config *config, FILE *out);

#endif
