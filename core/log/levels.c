/* Levels as words: "warn", "websocket=debug", "info,http=warn,libwebsockets=debug".
 *
 * Pure; needs no log. A misspelt module is refused: it would silence nobody, and nobody would
 * notice.
 */
#include <string.h>

#include "matching/log.h"

static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const module_names[] = {MATCHING_LOG_MODULES(MATCHING_LOG_MODULE_NAME)};

#define LEVELS (sizeof level_names / sizeof level_names[0])
#define MODULES (sizeof module_names / sizeof module_names[0])

_Static_assert(MODULES == MATCHING_LOG_MODULE_COUNT, "a level for each module");

/* The place of a word in a list, or its length. */
static size_t find(const char *const *names, size_t count, const char *word, size_t length)
{
    size_t at = 0;
    while (at < count && (strlen(names[at]) != length || memcmp(names[at], word, length) != 0)) {
        at++;
    }
    return at;
}

const char *matching_log_level_name(matching_log_level level)
{
    return level_names[level];
}

matching_log_level matching_log_level_of(const matching_log_levels *levels, const char *module)
{
    size_t at = find(module_names, MODULES, module, strlen(module));
    return (matching_log_level)(at < MODULES ? levels->of[at] : levels->others);
}

bool matching_log_levels_parse(const char *text, matching_log_levels *levels)
{
    bool has_others = false, has[MODULES] = {false};
    uint8_t of[MODULES], others = MATCHING_LOG_INFO;
    for (;;) {
        size_t length = strcspn(text, ","), name = strcspn(text, ",=");
        bool is_module = name < length;
        const char *word = is_module ? text + name + 1 : text;
        size_t module = is_module ? find(module_names, MODULES, text, name) : MODULES;
        size_t level = find(level_names, LEVELS, word, length - (size_t)(word - text));
        bool *given = is_module ? &has[module % MODULES] : &has_others;
        if (level == LEVELS || (is_module && module == MODULES) || *given) {
            return false;
        }
        *given = true;
        *(is_module ? &of[module] : &others) = (uint8_t)level;
        if (text[length] == '\0') {
            break;
        }
        text += length + 1;
    }
    levels->others = others;
    for (size_t i = 0; i < MODULES; i++) {
        levels->of[i] = has[i] ? of[i] : others;
    }
    return true;
}
