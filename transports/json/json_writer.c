/* The growing buffer, and JSON's atoms: strings, integers, decimals, errors.
 *
 * Invariants: length <= capacity <= MATCHING_WRITER_MAX; a failed writer changes no more until it
 * is cleared; what is written is never taken back.
 *
 * Not a checker of grammar: commas and braces are the callers'. What doors print is in
 * json_bodies.c.
 */
#include "json_writer.h"

#include <stdlib.h>
#include <string.h>

#include "matching/decimal.h"

#define FIRST_CAPACITY 512

void matching_writer_init(matching_writer *writer)
{
    *writer = (matching_writer){0};
}

void matching_writer_fini(matching_writer *writer)
{
    free(writer->data);
    *writer = (matching_writer){0};
}

char *matching_writer_take(matching_writer *writer, size_t *length)
{
    char *data = writer->data;
    *length = writer->length;
    if (writer->failed || writer->length == 0) {
        free(data);
        data = NULL;
        *length = 0;
    }
    *writer = (matching_writer){0};
    return data;
}

char *matching_writer_grow(matching_writer *writer, size_t wanted)
{
    if (writer->failed)
        return NULL;
    if (wanted <= writer->capacity - writer->length)
        return writer->data + writer->length;
    size_t capacity = writer->capacity > 0 ? writer->capacity : FIRST_CAPACITY;
    while (capacity < MATCHING_WRITER_MAX && capacity - writer->length < wanted)
        capacity *= 2;
    char *data = NULL;
    if (capacity <= MATCHING_WRITER_MAX && capacity - writer->length >= wanted)
        data = realloc(writer->data, capacity);
    if (data == NULL) {
        writer->failed = true;
        return NULL;
    }
    writer->data = data;
    writer->capacity = capacity;
    return data + writer->length;
}

static bool needs_escape(unsigned char c)
{
    return c < 0x20 || c == '"' || c == '\\';
}

/* How many bytes from here on need no escape: as many as there are, or fewer. */
static size_t count_clean(const char *text, size_t length)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    size_t at = 0;
    for (; length - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, text + at, sizeof word);
        uint64_t quote = word ^ ('"' * ones), backslash = word ^ ('\\' * ones);
        if ((((word - ' ' * ones) & ~word) | ((quote - ones) & ~quote) |
             ((backslash - ones) & ~backslash)) &
            (0x80 * ones))
            break; /* it is one of these eight */
    }
    while (at < length && !needs_escape((unsigned char)text[at]))
        at++;
    return at;
}

static void write_escape(matching_writer *writer, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    const char *found;
    if (c == '"' || c == '\\') {
        matching_write(writer, (char[]){'\\', (char)c}, 2);
    } else if (c != '\0' && (found = strchr("\bb\ff\nn\rr\tt", c)) != NULL) {
        matching_write(writer, (char[]){'\\', found[1]}, 2);
    } else {
        matching_write(writer, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
    }
}

void matching_write_string(matching_writer *writer, const char *text, size_t length)
{
    size_t clean = count_clean(text, length);
    char *out = matching_writer_reserve(writer, clean + 2);
    if (out == NULL)
        return;
    out[0] = '"';
    memcpy(out + 1, text, clean);
    out[1 + clean] = '"';
    matching_writer_advance(writer, clean + (clean == length ? 2 : 1));
    while (clean < length) {
        write_escape(writer, (unsigned char)text[clean]);
        text += clean + 1;
        length -= clean + 1;
        clean = count_clean(text, length);
        matching_write(writer, text, clean);
        if (clean == length)
            MATCHING_WRITE(writer, "\"");
    }
}

void matching_write_cstring(matching_writer *writer, const char *text)
{
    matching_write_string(writer, text, strlen(text));
}

void matching_write_unsigned(matching_writer *writer, uint64_t value)
{
    char *out = matching_writer_reserve(writer, MATCHING_UNSIGNED_TEXT);
    if (out != NULL)
        matching_writer_advance(writer, matching_unsigned_print(out, value));
}

void matching_write_integer(matching_writer *writer, int64_t value)
{
    if (value < 0)
        MATCHING_WRITE(writer, "-");
    matching_write_unsigned(writer, value < 0 ? -(uint64_t)value : (uint64_t)value);
}

void matching_write_decimal(matching_writer *writer, int64_t mantissa)
{
    char *out = matching_writer_reserve(writer, MATCHING_DECIMAL_TEXT);
    if (out != NULL)
        writer->length += matching_decimal_print(out, mantissa);
}

void matching_write_total(matching_writer *writer, matching_wide lots, int64_t lot_size)
{
    matching_wide mantissa = lots * (matching_wide)lot_size;
    char *out = matching_writer_reserve(writer, MATCHING_DECIMAL_WIDE_TEXT);
    if (out != NULL)
        writer->length += matching_decimal_print_wide(out, mantissa);
}

void matching_write_turnover(matching_writer *writer, const matching_turnover *turnover,
                             const matching_instrument *instrument)
{
    matching_turnover value = *turnover;
    matching_turnover_multiply(&value, (uint64_t)instrument->tick_size);
    matching_turnover_multiply(&value, (uint64_t)instrument->lot_size);
    char *out = matching_writer_reserve(writer, MATCHING_TURNOVER_TEXT);
    if (out != NULL)
        writer->length += matching_turnover_print(out, &value);
}

void matching_write_error_members(matching_writer *writer, const matching_error *error)
{
    MATCHING_WRITE(writer, "\"code\":");
    matching_write_cstring(writer, matching_code_name(error->code));
    if (error->field != MATCHING_FIELD_NONE) {
        MATCHING_WRITE(writer, ",\"field\":");
        matching_write_cstring(writer, matching_field_name(error->field));
    }
    if (error->order_id != 0) {
        MATCHING_WRITE(writer, ",\"order_id\":");
        matching_write_unsigned(writer, error->order_id);
    }
}

void matching_write_error(matching_writer *writer, const matching_error *error)
{
    MATCHING_WRITE(writer, "{\"error\":");
    matching_write_cstring(writer, error->message);
    MATCHING_WRITE(writer, ",");
    matching_write_error_members(writer, error);
    MATCHING_WRITE(writer, "}");
}
