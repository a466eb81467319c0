/* Tables of requests and the judgement that the gateway has to give. */
#ifndef MATCHING_TESTS_GATEWAY_ROWS_H
#define MATCHING_TESTS_GATEWAY_ROWS_H

#include <stddef.h>

#include "request_text.h"

typedef struct row {
    matching_action action;
    const char *request;
    matching_code code;
    matching_field field;
} row;

/* Gives each row to the gateway of a new core; CUnit hears of differences. */
void check_rows(const row *rows, size_t count);

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))
#define GOOD MATCHING_OK, MATCHING_FIELD_NONE
#define BAD(code, field) MATCHING_##code, MATCHING_FIELD_##field

#endif
