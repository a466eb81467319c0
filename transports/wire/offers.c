/* permessage-deflate's offers and the answer to them (RFC 7692 sections 5 and 7.1).
 *
 * Sec-WebSocket-Extensions (RFC 6455 section 9.1) is a list of extensions, each with parameters:
 * name; parameter; parameter=value; parameter="value", name ... The client's favourite comes first.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "deflate.h"

#define WINDOW_LEAST 8u
#define WINDOW_MOST 15u
#define TOKEN_MAX 64u /* longer ones are none that is known */

typedef struct reader {
    const char *at;
    bool is_broken; /* not as the grammar has it */
} reader;

typedef struct offer {
    bool is_known, is_good;
    unsigned server_bits; /* 0: not given */
    bool has_server_bits, has_client_bits, has_server_reset, has_client_reset;
} offer;

static void skip_space(reader *in)
{
    in->at += strspn(in->at, " \t");
}

/* Takes this character if it comes next. */
static bool take(reader *in, char wanted)
{
    skip_space(in);
    if (*in->at != wanted) {
        return false;
    }
    in->at++;
    return true;
}

static bool is_token_character(char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') ||
           (byte != '\0' && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

/* Empty: there is none, or none that could be known. */
static void read_token(reader *in, char out[TOKEN_MAX])
{
    size_t length = 0;
    skip_space(in);
    while (is_token_character(in->at[length])) {
        length++;
    }
    in->is_broken = in->is_broken || length == 0;
    bool fits = length < TOKEN_MAX;
    memcpy(out, in->at, fits ? length : 0);
    out[fits ? length : 0] = '\0';
    in->at += length;
}

/* A token, or one in quotes. */
static void read_value(reader *in, char out[TOKEN_MAX])
{
    bool is_quoted = take(in, '"');
    read_token(in, out);
    if (is_quoted && *in->at++ != '"') {
        in->at--;
        in->is_broken = true;
    }
}

/* 8 to 15 without a leading zero (section 7.1.2); 0: it is not. */
static unsigned window_of(const char *value)
{
    static const char *const bits[] = {"8", "9", "10", "11", "12", "13", "14", "15"};
    for (unsigned i = 0; i <= WINDOW_MOST - WINDOW_LEAST; i++) {
        if (strcmp(value, bits[i]) == 0) {
            return WINDOW_LEAST + i;
        }
    }
    return 0;
}

/* A parameter of permessage-deflate; NULL: it has no value. False: the offer must be declined. */
static bool take_parameter(offer *made, const char *name, const char *value)
{
    struct {
        const char *name;
        bool *seen;
        bool may_have_value, must_have_value;
    } known[] = {
        {"server_no_context_takeover", &made->has_server_reset, false, false},
        {"client_no_context_takeover", &made->has_client_reset, false, false},
        {"server_max_window_bits", &made->has_server_bits, true, true},
        {"client_max_window_bits", &made->has_client_bits, true, false},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcasecmp(name, known[i].name) != 0) {
            continue;
        }
        bool is_repeated = *known[i].seen;
        bool is_right = value == NULL ? !known[i].must_have_value
                                      : known[i].may_have_value && window_of(value) != 0;
        *known[i].seen = true;
        if (is_right && known[i].must_have_value) {
            made->server_bits = window_of(value);
        }
        return is_right && !is_repeated;
    }
    return false;
}

/* Up to the comma behind it, or the end. */
static offer read_offer(reader *in)
{
    char name[TOKEN_MAX], value[TOKEN_MAX];
    offer made = {.is_good = true};
    read_token(in, name);
    made.is_known = strcasecmp(name, "permessage-deflate") == 0;
    while (!in->is_broken && take(in, ';')) {
        read_token(in, name);
        bool has_value = !in->is_broken && take(in, '=');
        if (has_value) {
            read_value(in, value);
        }
        if (made.is_known && !take_parameter(&made, name, has_value ? value : NULL)) {
            made.is_good = false;
        }
    }
    return made;
}

unsigned wire_deflate_choose(const char *offers, char answer[WIRE_ANSWER_MAX])
{
    reader in = {.at = offers};
    unsigned window_bits = 0;
    answer[0] = '\0';
    while (!in.is_broken) {
        while (take(&in, ',')) { /* empty members of a list are allowed (RFC 9110 section 5.6.1) */
        }
        if (*in.at == '\0') {
            return window_bits;
        }
        offer made = read_offer(&in);
        skip_space(&in);
        in.is_broken = in.is_broken || (*in.at != ',' && *in.at != '\0');
        if (window_bits != 0 || !made.is_known || !made.is_good || in.is_broken) {
            continue;
        }
        int length = snprintf(answer, WIRE_ANSWER_MAX,
                              "permessage-deflate; server_no_context_takeover; "
                              "client_no_context_takeover");
        if (made.has_server_bits) {
            snprintf(answer + length, WIRE_ANSWER_MAX - (size_t)length,
                     "; server_max_window_bits=%u", made.server_bits);
        }
        window_bits = made.has_server_bits ? made.server_bits : WINDOW_MOST;
    }
    answer[0] = '\0'; /* a header that breaks the grammar offers nothing */
    return 0;
}
