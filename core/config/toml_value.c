/* A strict reader of TOML names and values, one line at a time.
 *
 * Invariant: the arena never overflows, since each item needs at most its own characters and a NUL,
 * and it has room for a full line and one NUL an item.
 *
 * Not a TOML parser: sections, files and what a value means are for toml_file.c and settings.c.
 */
#include "toml_value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char NOT_A_VALUE[] =
    "not a TOML value: write \"text\" in quotes, a number, true, false or an array";

/* Length of the UTF-8 sequence at text, 0 if it is not legal (RFC 3629). */
static size_t utf8_length(const unsigned char *text, size_t left)
{
    unsigned char lead = text[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length == 0 || lead > 0xf4 || length > left)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (lead == 0xe0 && text[1] < 0xa0) || (lead == 0xf0 && text[1] < 0x90);
    bool surrogate = lead == 0xed && text[1] >= 0xa0;
    bool beyond = lead == 0xf4 && text[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : length;
}

const char *toml_line_check(const char *line, size_t length)
{
    const unsigned char *text = (const unsigned char *)line;
    for (size_t i = 0; i < length;) {
        if ((text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
            return "a control character, which TOML does not allow";
        size_t step = utf8_length(text + i, length - i);
        if (step == 0)
            return "not legal UTF-8";
        i += step;
    }
    return NULL;
}

static void skip_blanks(const char **at)
{
    while (**at == ' ' || **at == '\t')
        (*at)++;
}

bool toml_line_ends(const char *at)
{
    skip_blanks(&at);
    return *at == '\0' || *at == '#';
}

static bool is_bare(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

const char *toml_name_parse(const char **at, char name[TOML_NAME_SIZE])
{
    static const char bad[] = "a name is made of letters, digits, _ and -, and in quotes also dots";
    size_t used = 0;
    for (;;) {
        skip_blanks(at);
        char quote = **at == '"' || **at == '\'' ? *(*at)++ : '\0';
        size_t length = 0;
        while (is_bare((*at)[length]) || (quote && (*at)[length] == '.'))
            length++;
        if (length == 0)
            return bad;
        if (used + length + 1 >= TOML_NAME_SIZE)
            return "the name is too long";
        memcpy(name + used, *at, length);
        used += length;
        *at += length;
        if (quote && *(*at)++ != quote)
            return bad;
        skip_blanks(at);
        if (**at != '.')
            break;
        (*at)++;
        name[used++] = '.';
    }
    name[used] = '\0';
    return NULL;
}

static void put(toml_value *value, char c)
{
    assert(value->arena_used < sizeof value->arena);
    value->arena[value->arena_used++] = c;
}

static void put_utf8(toml_value *value, uint32_t code)
{
    if (code < 0x80) {
        put(value, (char)code);
        return;
    }
    int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    put(value, (char)(lead[tail] | code >> (6 * tail)));
    while (tail-- > 0)
        put(value, (char)(0x80 | (code >> (6 * tail) & 0x3f)));
}

/* One escape, *at behind its backslash. */
static const char *escape_parse(const char **at, toml_value *value)
{
    static const char from[] = "btnfr\"\\";
    static const char to[] = "\b\t\n\f\r\"\\";
    char kind = *(*at)++;
    const char *simple = kind ? strchr(from, kind) : NULL;
    if (simple) {
        put(value, to[simple - from]);
        return NULL;
    }
    if (kind != 'u' && kind != 'U')
        return "unknown escape in a string: \\b \\t \\n \\f \\r \\\" \\\\ \\uXXXX \\UXXXXXXXX "
               "exist; "
               "for a plain backslash use 'single quotes'";
    uint32_t code = 0;
    for (int digits = kind == 'u' ? 4 : 8; digits > 0; digits--, (*at)++) {
        if (!isxdigit((unsigned char)**at))
            return "\\u needs four hexadecimal digits, \\U eight";
        char digit = (char)tolower((unsigned char)**at);
        code = code << 4 | (uint32_t)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    }
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
        return "an escape that names no usable character";
    put_utf8(value, code);
    return NULL;
}

static const char *string_parse(const char **at, toml_value *value)
{
    char quote = *(*at)++;
    if ((*at)[0] == quote && (*at)[1] == quote)
        return "a string over several lines is not taken here, write it on one";
    while (**at != quote) {
        if (**at == '\0')
            return "the string has no closing quote";
        char c = *(*at)++;
        if (c != '\\' || quote == '\'') {
            put(value, c);
            continue;
        }
        const char *problem = escape_parse(at, value);
        if (problem)
            return problem;
    }
    (*at)++;
    put(value, '\0');
    return NULL;
}

/* A run of digits of a base with single underscores between them, copied without these. */
static bool digits_copy(const char **at, const char *digits, toml_value *value)
{
    bool after_digit = false;
    for (;; (*at)++) {
        if (**at != '\0' && strchr(digits, **at)) {
            put(value, **at);
            after_digit = true;
        } else if (**at == '_' && after_digit) {
            after_digit = false;
        } else {
            return after_digit;
        }
    }
}

static const char *prefixed_integer_parse(const char **at, toml_value *value, toml_item *item)
{
    static const char *const digits[] = {"0123456789abcdefABCDEF", "01234567", "01"};
    int which = (*at)[1] == 'x' ? 0 : (*at)[1] == 'o' ? 1 : 2;
    *at += 2;
    if (!digits_copy(at, digits[which], value))
        return NOT_A_VALUE;
    put(value, '\0');
    errno = 0;
    item->kind = TOML_INTEGER;
    item->integer = strtoll(item->text, NULL, which == 0 ? 16 : which == 1 ? 8 : 2);
    return errno ? "the integer does not fit 64 bits" : NULL;
}

static const char *number_parse(const char **at, toml_value *value, toml_item *item)
{
    static const char decimal[] = "0123456789";
    if (**at == '0' && (*at)[1] != '\0' && strchr("xob", (*at)[1]))
        return prefixed_integer_parse(at, value, item);
    if (**at == '-')
        put(value, '-');
    if (**at == '-' || **at == '+')
        (*at)++;
    const char *first = *at;
    if (!digits_copy(at, decimal, value))
        return NOT_A_VALUE;
    if (*first == '0' && *at - first > 1)
        return "a number has no leading zeros in TOML";
    item->kind = TOML_INTEGER;
    if (**at == '.') {
        item->kind = TOML_DECIMAL;
        put(value, *(*at)++);
        if (!digits_copy(at, decimal, value))
            return "a decimal point needs digits on both sides";
    }
    if (**at == 'e' || **at == 'E') {
        item->kind = TOML_DECIMAL;
        put(value, *(*at)++);
        if (**at == '-' || **at == '+')
            put(value, *(*at)++);
        if (!digits_copy(at, decimal, value))
            return "an exponent needs digits";
    }
    put(value, '\0');
    if (item->kind == TOML_DECIMAL)
        return NULL;
    errno = 0;
    item->integer = strtoll(item->text, NULL, 10);
    return errno ? "the integer does not fit 64 bits" : NULL;
}

static const char *item_parse(const char **at, toml_value *value)
{
    if (value->count == TOML_ITEMS_MAX)
        return "too many values in the array";
    toml_item *item = &value->items[value->count++];
    *item = (toml_item){.kind = TOML_STRING, .text = value->arena + value->arena_used};
    const char *problem = NULL;
    if (**at == '"' || **at == '\'') {
        problem = string_parse(at, value);
    } else if (isdigit((unsigned char)**at) || **at == '+' || **at == '-') {
        problem = number_parse(at, value, item);
    } else if (strncmp(*at, "true", 4) == 0 || strncmp(*at, "false", 5) == 0) {
        item->kind = TOML_BOOLEAN;
        item->boolean = **at == 't';
        *at += item->boolean ? 4 : 5;
    } else {
        return **at == '{' ? "a table in braces is not taken here, use a [section]" : NOT_A_VALUE;
    }
    if (problem)
        return problem;
    return **at == '\0' || strchr(" \t,]#", **at) ? NULL : NOT_A_VALUE;
}

static const char *array_parse(const char **at, toml_value *value)
{
    static const char open[] = "the array has no closing ], write it on one line";
    value->is_array = true;
    (*at)++;
    for (;;) {
        skip_blanks(at);
        if (toml_line_ends(*at))
            return open;
        if (**at == ']')
            break;
        if (**at == '[')
            return "an array inside an array is not taken here";
        const char *problem = item_parse(at, value);
        if (problem)
            return problem;
        skip_blanks(at);
        if (**at == ',')
            (*at)++;
        else if (**at != ']')
            return toml_line_ends(*at) ? open : "values in an array are separated by commas";
    }
    (*at)++;
    return NULL;
}

const char *toml_value_parse(const char *text, toml_value *value)
{
    value->is_array = false;
    value->count = 0;
    value->arena_used = 0;
    skip_blanks(&text);
    if (toml_line_ends(text))
        return "no value after the equals sign";
    const char *first = text;
    const char *problem = *text == '[' ? array_parse(&text, value) : item_parse(&text, value);
    if (problem)
        return problem;
    value->raw_length = (size_t)(text - first);
    return toml_line_ends(text) ? NULL : "something follows the value that is not a comment";
}
