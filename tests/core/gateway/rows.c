/* See rows.h. */
#include "rows.h"

#include <stdio.h>
#include <string.h>

#include <CUnit/CUnit.h>

void check_rows(const row *rows, size_t count)
{
    matching_core *core = create_core();
    for (size_t i = 0; i < count; i++) {
        matching_command command;
        matching_error error;
        matching_code code = prepare(core, rows[i].action, rows[i].request, &command, &error);
        if (code != rows[i].code || error.field != rows[i].field) {
            printf("\n    row %zu, \"%s\": wanted %s \"%s\", got %s \"%s\"", i, rows[i].request,
                   matching_code_name(rows[i].code), matching_field_name(rows[i].field),
                   matching_code_name(code), matching_field_name(error.field));
        }
        CU_ASSERT_EQUAL(code, rows[i].code);
        CU_ASSERT_EQUAL(error.code, rows[i].code);
        CU_ASSERT_EQUAL(error.field, rows[i].field);
        CU_ASSERT_EQUAL(error.order_id, 0);
        CU_ASSERT_PTR_NOT_NULL(memchr(error.message, 0, sizeof error.message));
        CU_ASSERT_EQUAL(error.message[0] != 0, code != MATCHING_OK);
    }
    matching_core_destroy(core);
}
