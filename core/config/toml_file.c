/* A configuration file: libinih finds sections and keys, the values are read as TOML.
 *
 * libinih alone would read TOML wrongly and in silence: it takes `;` inside a string for a comment,
 * accepts `key: value`, indented lines as continuations and anything after `]`, cuts long lines and
 * names, and as Debian builds it tells its handler neither line numbers nor empty sections. So
 * it is fed through a reader of our own, one line at a time:
 *   - the reader checks that the line is TOML and keeps number and value of it,
 *   - libinih gets the skeleton, `[section]` or `key = @`, which none of its settings misreads,
 *   - its handler is called for the line just read, with the section and key it belongs to.
 * After each heading the reader slips in a line `@ = @`, so that the handler also sees sections
 * that have no key.
 *
 * Invariants: the first problem ends the reading; the caller's config is only touched at the end.
 */
#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "instruments.h"
#include "settings.h"

#define SECTION_MARK "@" /* no TOML name */

typedef struct loader {
    FILE *file;
    const char *path;
    unsigned line;
    bool mark_due; /* the last line was a heading */
    bool failed;
    char *error;
    size_t error_size;
    const char *raw_value; /* behind the equals sign, in text */
    char text[TOML_LINE_SIZE];
    toml_value value;
    matching_config config; /* what the file makes of the caller's */
    bool has_instruments;
    unsigned key_lines[SETTINGS_MAX]; /* where a setting was given, 0: not yet */
    unsigned section_lines[SETTINGS_MAX];
    instrument_lines instruments;
} loader;

/* Remembers the first problem. name: the key or section, or "". Always false. */
static bool refuse(loader *in, const char *name, const char *problem)
{
    if (!in->failed)
        matching_config_fail(in->error, in->error_size, "%s:%u: %s%s%s", in->path, in->line, name,
                             *name ? ": " : "", problem);
    in->failed = true;
    return false;
}

/* Refuses the value just parsed by its rule, and quotes it unless it may be a secret. */
static bool refuse_value(loader *in, const char *name, const char *rule, bool secret)
{
    char problem[384];
    const char *raw = in->raw_value + strspn(in->raw_value, " \t");
    int length = (int)in->value.raw_length;
    if (secret || length > 40)
        snprintf(problem, sizeof problem, "%s", rule);
    else
        snprintf(problem, sizeof problem, "%s, not %.*s", rule, length, raw);
    return refuse(in, name, problem);
}

static bool refuse_repeated(loader *in, const char *name, unsigned first_line)
{
    char problem[64];
    snprintf(problem, sizeof problem, "is given twice, the first time on line %u", first_line);
    return refuse(in, name, problem);
}

/* Names what exists, so that a misspelt word can be mended from the message alone. */
static bool refuse_unknown_key(loader *in, const char *name, const char *section)
{
    char problem[400];
    size_t used = (size_t)snprintf(problem, sizeof problem, "unknown key, %s%s%s has",
                                   *section ? "[" : "the part before the first section", section,
                                   *section ? "]" : "");
    for (size_t i = 0; i < matching_settings_count && used < sizeof problem; i++)
        if (strcmp(matching_settings[i].section, section) == 0)
            used += (size_t)snprintf(problem + used, sizeof problem - used, " %s",
                                     matching_settings[i].key);
    return refuse(in, name, problem);
}

static bool refuse_unknown_section(loader *in, const char *section)
{
    char name[TOML_NAME_SIZE + 2], problem[400];
    const char *last = "";
    snprintf(name, sizeof name, "[%s]", section);
    size_t used = (size_t)snprintf(problem, sizeof problem, "unknown section, there are");
    for (size_t i = 0; i < matching_settings_count && used < sizeof problem; i++) {
        const char *next = matching_settings[i].section;
        if (*next && strcmp(next, last) != 0)
            used += (size_t)snprintf(problem + used, sizeof problem - used, " %s", next);
        last = next;
    }
    if (used < sizeof problem)
        snprintf(problem + used, sizeof problem - used, " symbol.NAME");
    return refuse(in, name, problem);
}

/* The instrument of a section name, or NULL if it is no instrument's. */
static const char *instrument_name(const char *section)
{
    return strncmp(section, "symbol.", 7) == 0 ? section + 7 : NULL;
}

static bool open_instrument(loader *in, const char *section, const char *name)
{
    if (!in->has_instruments) {
        in->has_instruments = true;
        in->config.instrument_count = 0;
        in->config.instruments_are_defaults = false;
    }
    for (size_t i = 0; i < in->config.instrument_count; i++)
        if (strcmp(in->config.instruments[i].symbol, name) == 0)
            return refuse_repeated(in, section, in->instruments.section[i]);
    const char *problem = matching_instrument_open(&in->config, name);
    if (problem)
        return refuse(in, section, problem);
    in->instruments.section[in->config.instrument_count - 1] = in->line;
    return true;
}

static bool open_section(loader *in, const char *section)
{
    const char *instrument = instrument_name(section);
    if (instrument)
        return open_instrument(in, section, instrument);
    int index = matching_setting_section(section);
    if (index < 0)
        return refuse_unknown_section(in, section);
    if (in->section_lines[index])
        return refuse_repeated(in, section, in->section_lines[index]);
    in->section_lines[index] = in->line;
    return true;
}

static bool set_instrument(loader *in, const char *path, const char *key)
{
    size_t at = in->config.instrument_count - 1;
    int index = matching_instrument_key(key);
    if (index < 0)
        return refuse(in, path, "unknown key, an instrument has id tick_size lot_size sbe_char");
    if (in->instruments.key[at][index])
        return refuse_repeated(in, path, in->instruments.key[at][index]);
    in->instruments.key[at][index] = in->line;
    const char *problem = toml_value_parse(in->raw_value, &in->value);
    if (problem)
        return refuse(in, path, problem);
    const char *rule = matching_instrument_store(&in->config, index, &in->value);
    return rule ? refuse_value(in, path, rule, false) : true;
}

static bool set_key(loader *in, const char *section, const char *key)
{
    char path[2 * TOML_NAME_SIZE];
    snprintf(path, sizeof path, "%s%s%s", section, *section ? "." : "", key);
    if (instrument_name(section))
        return set_instrument(in, path, key);
    const setting *it = matching_setting_find(path);
    if (!it)
        return refuse_unknown_key(in, path, section);
    unsigned *line = &in->key_lines[it - matching_settings];
    if (*line)
        return refuse_repeated(in, path, *line);
    *line = in->line;
    const char *problem = toml_value_parse(in->raw_value, &in->value);
    if (problem)
        return refuse(in, path, problem);
    if (!matching_setting_store(it, &in->config, &in->value)) {
        char rule[256];
        matching_setting_rule(it, rule, sizeof rule);
        return refuse_value(in, path, rule, it->kind == SETTING_TOKEN);
    }
    return true;
}

/* libinih's handler: the line just read gives `key` of `section`. */
static int on_key(void *user, const char *section, const char *key, const char *value)
{
    (void)value; /* a placeholder, see the top */
    loader *in = user;
    if (in->failed)
        return 0;
    return strcmp(key, SECTION_MARK) == 0 ? open_section(in, section) : set_key(in, section, key);
}

/* Reads one line without its end into text. False at the end of the file or on a problem. */
static bool next_line(loader *in)
{
    size_t length = 0;
    int c = getc(in->file);
    if (c == EOF) {
        if (ferror(in->file))
            refuse(in, "", strerror(errno));
        return false;
    }
    in->line++;
    for (; c != EOF && c != '\n'; c = getc(in->file)) {
        if (length == TOML_LINE_SIZE - 1)
            return refuse(in, "", "the line is longer than 4096 bytes");
        in->text[length++] = (char)c;
    }
    if (length > 0 && in->text[length - 1] == '\r' && c == '\n')
        length--;
    in->text[length] = '\0';
    if (in->line == 1 && length >= 3 && memcmp(in->text, "\xef\xbb\xbf", 3) == 0) {
        memmove(in->text, in->text + 3, length - 3 + 1); /* a byte order mark says nothing */
        length -= 3;
    }
    const char *problem = toml_line_check(in->text, length);
    return problem ? refuse(in, "", problem) : true;
}

/* The skeleton of the line in text. False on a problem. */
static bool skeleton_of_line(loader *in, char *out, size_t size)
{
    char name[TOML_NAME_SIZE];
    const char *at = in->text;
    if (toml_line_ends(at)) {
        snprintf(out, size, "\n");
        return true;
    }
    at += strspn(at, " \t");
    bool heading = *at == '[';
    at += heading;
    if (heading && *at == '[')
        return refuse(in, "", "arrays of tables, [[...]], are not used here, write [section]");
    const char *problem = toml_name_parse(&at, name);
    if (problem)
        return refuse(in, "", problem);
    if (*at != (heading ? ']' : '='))
        return refuse(in, name,
                      heading ? "the section's name needs a closing ]"
                              : "an equals sign and a value must follow the key");
    at++;
    if (heading && !toml_line_ends(at))
        return refuse(in, name, "something follows the section's ] that is not a comment");
    in->mark_due = heading;
    in->raw_value = at;
    snprintf(out, size, heading ? "[%s]\n" : "%s = @\n", name);
    return true;
}

/* libinih's reader: one skeleton line a call, NULL at the end. */
static char *read_skeleton(char *out, int size, void *user)
{
    loader *in = user;
    if (in->failed)
        return NULL;
    if (in->mark_due) {
        in->mark_due = false;
        snprintf(out, (size_t)size, SECTION_MARK " = @\n");
        return out;
    }
    return next_line(in) && skeleton_of_line(in, out, (size_t)size) ? out : NULL;
}

/* Who has time to answer a heartbeat? section: of a door that sends them. */
static bool check_heartbeat(loader *in, const char *section, uint32_t heartbeat_s,
                            uint32_t timeout_s)
{
    char heartbeat[64], timeout[64], problem[160];
    if (timeout_s > heartbeat_s)
        return true;
    snprintf(heartbeat, sizeof heartbeat, "%s.heartbeat_interval", section);
    snprintf(timeout, sizeof timeout, "%s.client_timeout", section);
    unsigned heartbeat_line = in->key_lines[matching_setting_find(heartbeat) - matching_settings];
    unsigned timeout_line = in->key_lines[matching_setting_find(timeout) - matching_settings];
    snprintf(problem, sizeof problem, "must be %s, which is %u",
             timeout_line ? "larger than heartbeat_interval" : "smaller than client_timeout",
             timeout_line ? heartbeat_s : timeout_s);
    in->line = timeout_line ? timeout_line : heartbeat_line;
    return refuse(in, timeout_line ? timeout : heartbeat, problem);
}

/* What only shows at the end of the file, where lines can still be named. */
static bool check_end(loader *in)
{
    if (in->has_instruments && matching_instruments_check(&in->config, &in->instruments, in->path,
                                                          in->error, in->error_size) != 0)
        return false;
    return check_heartbeat(in, "websocket", in->config.websocket.heartbeat_interval_s,
                           in->config.websocket.client_timeout_s) &&
           check_heartbeat(in, "sbe", in->config.sbe.heartbeat_interval_s,
                           in->config.sbe.client_timeout_s);
}

int matching_config_load_file(matching_config *config, const char *path, char *error,
                              size_t error_size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return matching_config_fail(error, error_size, "%s: cannot be read: %s", path,
                                    strerror(errno));
    loader *in = calloc(1, sizeof *in);
    if (!in) {
        fclose(file);
        return matching_config_fail(error, error_size, "%s: out of memory", path);
    }
    in->file = file;
    in->path = path;
    in->error = error;
    in->error_size = error_size;
    in->config = *config;
    int status = ini_parse_stream(read_skeleton, in, on_key, in);
    if (status != 0 && !in->failed)
        refuse(in, "", "libinih could not take the line");
    bool loaded = !in->failed && check_end(in);
    if (loaded)
        *config = in->config;
    fclose(file);
    free(in);
    return loaded ? 0 : -1;
}
