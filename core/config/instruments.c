/* Instruments: the default ones, and the [symbol.NAME] sections that replace them.
 *
 * Invariant: the open section is always the last instrument. A section named like a default
 * instrument starts from its values; any other has to give its id, for an id that depended on the
 * order of sections would change its meaning when the file is edited.
 */
#include "instruments.h"

#include <inttypes.h>
#include <string.h>

#include "matching/decimal.h"
#include "settings.h"

static const matching_instrument_options defaults[] = {
    {"BTCUSDT", 1, 'B', 1000000, 10000}, /* ticks of 0.01, lots of 0.0001 */
    {"ETHUSDT", 2, 'E', 1000000, 10000},
    {"SOLUSDT", 3, 'S', 1000000, 10000},
};

static const char *const keys[INSTRUMENT_KEYS] = {"id", "tick_size", "lot_size", "sbe_char"};

void matching_instruments_default(matching_config *config)
{
    memcpy(config->instruments, defaults, sizeof defaults);
    config->instrument_count = sizeof defaults / sizeof defaults[0];
    config->instruments_are_defaults = true;
}

const char *matching_instrument_open(matching_config *config, const char *name)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t length = strlen(name);
    if (length == 0 || length > MATCHING_SYMBOL_MAX || strspn(name, legal) != length)
        return "the name of an instrument must be 1 to 16 of A-Z 0-9 . _ -";
    if (config->instrument_count == MATCHING_CONFIG_INSTRUMENTS_MAX)
        return "too many instruments, at most 256 can be configured";
    matching_instrument_options *it = &config->instruments[config->instrument_count++];
    *it = (matching_instrument_options){.tick_size = defaults[0].tick_size,
                                        .lot_size = defaults[0].lot_size};
    memcpy(it->symbol, name, length + 1);
    for (size_t i = 0; i < sizeof defaults / sizeof defaults[0]; i++)
        if (strcmp(defaults[i].symbol, name) == 0)
            *it = defaults[i];
    return NULL;
}

int matching_instrument_key(const char *key)
{
    for (int i = 0; i < INSTRUMENT_KEYS; i++)
        if (strcmp(keys[i], key) == 0)
            return i;
    return -1;
}

const char *matching_instrument_key_name(int key)
{
    return keys[key];
}

static const char *size_store(int64_t *size, const toml_value *value)
{
    const toml_item *item = &value->items[0];
    int64_t mantissa;
    if (value->is_array || item->kind == TOML_BOOLEAN || *item->text == '\0' ||
        !matching_decimal_parse(item->text, strlen(item->text), &mantissa) || mantissa <= 0)
        return "must be a number above 0 with at most 8 decimals, like 0.01, at most 92233720368";
    *size = mantissa;
    return NULL;
}

const char *matching_instrument_store(matching_config *config, int key, const toml_value *value)
{
    matching_instrument_options *it = &config->instruments[config->instrument_count - 1];
    const toml_item *item = &value->items[0];
    switch (key) {
    case INSTRUMENT_ID:
        if (value->is_array || item->kind != TOML_INTEGER || item->integer < 1 ||
            item->integer > UINT32_MAX)
            return "must be an integer from 1 to 4294967295";
        it->id = (uint32_t)item->integer;
        return NULL;
    case INSTRUMENT_TICK_SIZE:
        return size_store(&it->tick_size, value);
    case INSTRUMENT_LOT_SIZE:
        return size_store(&it->lot_size, value);
    default:
        if (value->is_array || item->kind != TOML_STRING || strlen(item->text) != 1 ||
            item->text[0] <= ' ' || item->text[0] > '~')
            return "must be one printable ASCII character in quotes, like \"B\"";
        it->sbe_char = item->text[0];
        return NULL;
    }
}

/* The line to look at: where the key is given, or else its section. */
static unsigned line_of(const instrument_lines *lines, size_t at, int key)
{
    return lines->key[at][key] ? lines->key[at][key] : lines->section[at];
}

int matching_instruments_check(const matching_config *config, const instrument_lines *lines,
                               const char *path, char *error, size_t error_size)
{
    for (size_t i = 0; i < config->instrument_count; i++) {
        const matching_instrument_options *it = &config->instruments[i];
        if (it->id == 0)
            return matching_config_fail(error, error_size,
                                        "%s:%u: symbol.%s.id: is missing, give each instrument its "
                                        "own integer from 1 to 4294967295",
                                        path, lines->section[i], it->symbol);
        for (size_t j = 0; j < i; j++) {
            const matching_instrument_options *other = &config->instruments[j];
            if (it->id == other->id)
                return matching_config_fail(
                    error, error_size,
                    "%s:%u: symbol.%s.id: must be unique, %" PRIu32 " is the id of %s already",
                    path, line_of(lines, i, INSTRUMENT_ID), it->symbol, it->id, other->symbol);
            if (it->sbe_char && it->sbe_char == other->sbe_char)
                return matching_config_fail(error, error_size,
                                            "%s:%u: symbol.%s.sbe_char: must be unique, \"%c\" is "
                                            "the one of %s already",
                                            path, line_of(lines, i, INSTRUMENT_SBE_CHAR),
                                            it->symbol, it->sbe_char, other->symbol);
        }
    }
    return 0;
}

void matching_instruments_print(const matching_config *config, FILE *out)
{
    for (size_t i = 0; i < config->instrument_count; i++) {
        const matching_instrument_options *it = &config->instruments[i];
        const char *quote = strchr(it->symbol, '.') ? "\"" : "";
        char tick[MATCHING_DECIMAL_TEXT], lot[MATCHING_DECIMAL_TEXT];
        matching_decimal_print(tick, it->tick_size);
        matching_decimal_print(lot, it->lot_size);
        fprintf(out, "\n[symbol.%s%s%s]\nid = %" PRIu32 "\ntick_size = %s\nlot_size = %s\n", quote,
                it->symbol, quote, it->id, tick, lot);
        if (it->sbe_char) {
            char text[2] = {it->sbe_char, '\0'};
            fputs("sbe_char = ", out);
            matching_setting_print_string(text, out);
            putc('\n', out);
        }
    }
}
