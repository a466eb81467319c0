/* For fuzz targets of what is written as JSON: values out of an input, and the object that json-c
 * has read, gone through member by member. Whatever does not hold aborts.
 *
 * Numbers are compared as whole multiples of their smallest decimal, so nothing is rounded, and
 * nothing is printed here by the code that is looked at.
 */
#ifndef MATCHING_TESTS_FUZZ_SAID_H
#define MATCHING_TESTS_FUZZ_SAID_H

#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matching/core.h"

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* ---- The input ------------------------------------------------------------------------------- */

typedef struct input {
    const uint8_t *at, *end;
} input;

/* 0 behind the end. */
static uint8_t take_byte(input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* 0 ... most; short ones as often as long ones. */
static uint64_t take_number(input *in, uint64_t most)
{
    uint64_t number = 0;
    unsigned bytes = take_byte(in) % 9;
    for (unsigned i = 0; i < bytes; i++) {
        number = number << 8 | take_byte(in);
    }
    return most == UINT64_MAX ? number : number % (most + 1);
}

/* A text of at most `most` bytes, and a NUL: any of ASCII but this, and others of two bytes. */
static void take_text(input *in, char *out, size_t most)
{
    size_t wanted = take_byte(in) % (most + 1), length = 0;
    while (length < wanted) {
        uint8_t byte = take_byte(in);
        if (byte < 0x80) {
            out[length++] = (char)(byte == 0 ? 1 : byte);
        } else if (wanted - length >= 2) {
            out[length++] = (char)(0xc2 + byte % 30);
            out[length++] = (char)(0x80 + byte % 64);
        } else {
            out[length++] = '~';
        }
    }
    out[length] = '\0';
}

static int64_t take_ticks(input *in, const matching_instrument *instrument)
{
    return (int64_t)take_number(in, (uint64_t)(INT64_MAX / instrument->tick_size));
}

static int64_t take_lots(input *in, const matching_instrument *instrument)
{
    return (int64_t)take_number(in, (uint64_t)(INT64_MAX / instrument->lot_size));
}

/* A sum of many; its whole part is one that json-c can hold. */
static matching_wide take_total(input *in, const matching_instrument *instrument)
{
    return (matching_wide)take_number(in, UINT64_MAX - 1) << (instrument->lot_size == 1 ? 20 : 0);
}

/* ---- What was said --------------------------------------------------------------------------- */

/* The members of an object that have not been looked at yet. */
typedef struct members {
    struct json_object_iterator at, end;
} members;

static members members_of(struct json_object *object)
{
    must(json_object_is_type(object, json_type_object));
    return (members){json_object_iter_begin(object), json_object_iter_end(object)};
}

static struct json_object *next(members *in, const char *name)
{
    must(!json_object_iter_equal(&in->at, &in->end));
    must(strcmp(json_object_iter_peek_name(&in->at), name) == 0);
    struct json_object *value = json_object_iter_peek_value(&in->at);
    json_object_iter_next(&in->at);
    return value;
}

static void expect_end(const members *in)
{
    must(json_object_iter_equal(&in->at, &in->end));
}

static void expect_text(members *in, const char *name, const char *wanted)
{
    struct json_object *value = next(in, name);
    must(json_object_is_type(value, json_type_string));
    must((size_t)json_object_get_string_len(value) == strlen(wanted));
    must(memcmp(json_object_get_string(value), wanted, strlen(wanted)) == 0);
}

static void expect_boolean(members *in, const char *name, bool wanted)
{
    struct json_object *value = next(in, name);
    must(json_object_is_type(value, json_type_boolean));
    must(json_object_get_boolean(value) == wanted);
}

static void check_whole(struct json_object *value, uint64_t wanted)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, wanted);
    must(json_object_is_type(value, json_type_int));
    must(strcmp(json_object_get_string(value), text) == 0);
}

static void expect_whole(members *in, const char *name, uint64_t wanted)
{
    check_whole(next(in, name), wanted);
}

/* The number has these many decimals at most, none of them idle, and no exponent. json-c keeps the
 * text of those with a point. */
static void check_decimal(struct json_object *value, matching_wide wanted, unsigned places)
{
    must(json_object_is_type(value, json_type_int) || json_object_is_type(value, json_type_double));
    const char *at = json_object_get_string(value);
    matching_wide sum = 0;
    unsigned decimals = 0;
    bool is_fraction = false;
    must(at[0] != '0' || at[1] == '.' || at[1] == '\0');
    for (; *at != '\0'; at++) {
        if (*at == '.') {
            must(!is_fraction);
            is_fraction = true;
            continue;
        }
        must(*at >= '0' && *at <= '9');
        sum = sum * 10 + (matching_wide)(*at - '0');
        decimals += is_fraction;
    }
    must(is_fraction == (decimals > 0) && decimals <= places && (!is_fraction || at[-1] != '0'));
    for (; decimals < places; decimals++) {
        sum *= 10;
    }
    must(sum == wanted);
}

static void expect_price(members *in, const char *name, const matching_instrument *instrument,
                         int64_t ticks)
{
    check_decimal(next(in, name), (matching_wide)ticks * (matching_wide)instrument->tick_size, 8);
}

static void expect_price_or_null(members *in, const char *name,
                                 const matching_instrument *instrument, int64_t ticks)
{
    if (ticks != 0) {
        expect_price(in, name, instrument, ticks);
    } else {
        must(next(in, name) == NULL);
    }
}

static void expect_quantity(members *in, const char *name, const matching_instrument *instrument,
                            matching_wide lots)
{
    check_decimal(next(in, name), lots * (matching_wide)instrument->lot_size, 8);
}

#endif
