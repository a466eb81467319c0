/* The checks of single fields; each sets its part of the command or refuses. */
#ifndef MATCHING_GATEWAY_FIELDS_H
#define MATCHING_GATEWAY_FIELDS_H

#include "matching/gateway.h"
#include "matching/port.h"

typedef struct check_state {
    const matching_core *core;
    const matching_request *request;
    matching_command *command;
    matching_error *error;                 /* the winning refusal so far */
    const matching_instrument *instrument; /* NULL: unknown symbol */
    int order_type;                        /* matching_order_type; -1: no such type */
    bool decimals;                         /* prices and quantities stay mantissas */
} check_state;

/* Refuses with a code; the lowest code wins, among equal ones the first. */
void refuse(check_state *check, matching_code code, matching_field field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

bool text_is_printable(const matching_text *text);

/* The type that a request's `type` names; limit where it has none; -1: no such type. */
int order_type_of(const matching_request *request);

void check_side(check_state *check);
void check_price(check_state *check, matching_field field);
void check_quantity(check_state *check, matching_field field, int64_t *lots);
void check_quantities(check_state *check);
void check_trader(check_state *check);
void check_order_type(check_state *check);
void check_time_in_force(check_state *check);
void check_order_parameters(check_state *check);
void check_client_order_id(check_state *check);
void check_state_name(check_state *check);
void check_new_instrument(check_state *check);
void check_status(check_state *check);
void check_integer(check_state *check, matching_field field, int64_t least, int64_t most,
                   uint64_t *value);
void check_interval(check_state *check);

/* from and to of candles. */
void check_time_range(check_state *check);
void check_limit(check_state *check, matching_field field, uint32_t usual, uint32_t most);

#endif
