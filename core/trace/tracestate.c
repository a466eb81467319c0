/* See tracestate.h. Sections 3.3.1 and 3.3.1.5 of Trace Context say what a member is and how a list
 * is shortened.
 */
#include "trace/tracestate.h"

#include <stdbool.h>
#include <string.h>

#include "matching/trace.h"

#define MEMBERS_MAX 32u
#define LONG_MEMBER 128u /* bytes; longer ones go first */
#define KEY_MAX 256u
#define VALUE_MAX 256u
#define TENANT_MAX 241u /* of a key, before the @ ... */
#define SYSTEM_MAX 14u  /* ... and behind it */

typedef struct member {
    const char *text;
    size_t length, key; /* bytes, of the whole and of its key */
} member;

static bool is_small(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_key_part(const char *text, size_t length, size_t most, bool may_begin_with_digit)
{
    if (length == 0 || length > most ||
        !(is_small(text[0]) || (may_begin_with_digit && is_digit(text[0])))) {
        return false;
    }
    for (size_t i = 1; i < length; i++) {
        if (!is_small(text[i]) && !is_digit(text[i]) && memchr("_-*/", text[i], 4) == NULL) {
            return false;
        }
    }
    return true;
}

static bool is_key(const char *text, size_t length)
{
    const char *at = memchr(text, '@', length);
    if (at == NULL) {
        return is_key_part(text, length, KEY_MAX, false);
    }
    size_t tenant = (size_t)(at - text);
    return is_key_part(text, tenant, TENANT_MAX, true) &&
           is_key_part(at + 1, length - tenant - 1, SYSTEM_MAX, false);
}

/* Spaces around it are gone. */
static bool is_value(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (text[i] < ' ' || text[i] > '~' || text[i] == '=') {
            return false;
        }
    }
    return length > 0 && length <= VALUE_MAX;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static member trimmed(const char *text, size_t length)
{
    while (length > 0 && is_blank(text[0])) {
        text++;
        length--;
    }
    while (length > 0 && is_blank(text[length - 1])) {
        length--;
    }
    return (member){.text = text, .length = length};
}

static bool is_good(member *it)
{
    const char *equals = memchr(it->text, '=', it->length);
    if (equals == NULL) {
        return false;
    }
    it->key = (size_t)(equals - it->text);
    return is_key(it->text, it->key) && is_value(equals + 1, it->length - it->key - 1);
}

static bool is_twice(const member *members, size_t count, const member *it)
{
    for (size_t i = 0; i < count; i++) {
        if (members[i].key == it->key && memcmp(members[i].text, it->text, it->key) == 0) {
            return true;
        }
    }
    return false;
}

/* False: the list is malformed. Members may be empty. */
static bool read_members(const char *text, size_t length, member *members, size_t *count)
{
    *count = 0;
    for (size_t at = 0; at <= length;) {
        const char *comma = at < length ? memchr(text + at, ',', length - at) : NULL;
        size_t end = comma != NULL ? (size_t)(comma - text) : length;
        member it = trimmed(text + at, end - at);
        at = end + 1;
        if (it.length == 0) {
            continue;
        }
        if (*count == MEMBERS_MAX || !is_good(&it) || is_twice(members, *count, &it)) {
            return false;
        }
        members[(*count)++] = it;
    }
    return true;
}

/* With the commas between them. */
static size_t length_of(const member *members, size_t count)
{
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        length += members[i].length + (i > 0);
    }
    return length;
}

static void remove_at(member *members, size_t *count, size_t at)
{
    memmove(&members[at], &members[at + 1], (*count - at - 1) * sizeof *members);
    (*count)--;
}

static void shorten(member *members, size_t *count)
{
    for (size_t i = *count; i > 0 && length_of(members, *count) > TRACE_STATE_MAX; i--) {
        if (members[i - 1].length > LONG_MEMBER) {
            remove_at(members, count, i - 1);
        }
    }
    while (length_of(members, *count) > TRACE_STATE_MAX) {
        (*count)--;
    }
}

void matching_tracestate_add(matching_tracestate *all, const char *value, size_t length)
{
    if (all->is_too_long || length + 1 > sizeof all->text - all->length) {
        all->is_too_long = true;
        all->length = 0;
        return;
    }
    if (all->length > 0) {
        all->text[all->length++] = ',';
    }
    memcpy(all->text + all->length, value, length);
    all->length += length;
}

size_t tracestate_clean(const char *text, size_t length, char out[TRACE_STATE_MAX])
{
    member members[MEMBERS_MAX];
    size_t count, at = 0;
    if (!read_members(text, length, members, &count)) {
        return 0;
    }
    shorten(members, &count);
    for (size_t i = 0; i < count; i++) {
        if (i > 0) {
            out[at++] = ',';
        }
        memcpy(out + at, members[i].text, members[i].length);
        at += members[i].length;
    }
    return at;
}
