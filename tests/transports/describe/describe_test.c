/* Tests that the documents for machines leave nothing out: every field, call and method has its
 * row. What they say is held against the service by tests/clients/describe_test.mjs.
 */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <string.h>

#include "describe.h"
#include "json_text.h"
#include "methods.h"
#include "openapi.h"
#include "openrpc.h"
#include "support/cunit_main.h"

#define DEPTH 32

static bool has(const matching_writer *writer, const char *text)
{
    return memmem(writer->data, writer->length, text, strlen(text)) != NULL;
}

static void test_every_field_of_requests_is_known(void)
{
    for (unsigned field = 1; field < MATCHING_FIELD_COUNT; field++) {
        bool is_known = matching_describe_knows((matching_field)field);
        if (!is_known)
            printf("\n    %s has no rule\n", matching_field_name((matching_field)field));
        CU_ASSERT_TRUE(is_known);
        CU_ASSERT_NOT_EQUAL(matching_describe_meaning((matching_field)field)[0], '\0');
    }
    CU_ASSERT_FALSE(matching_describe_knows(MATCHING_FIELD_NONE));
    CU_ASSERT_FALSE(matching_describe_knows(MATCHING_FIELD_COUNT));
}

static void test_every_call_is_told_in_full(void)
{
    http_route_view view;
    size_t count = 0;
    for (; http_route_at(count, &view); count++) {
        bool is_told = view.summary != NULL && view.summary[0] != '\0' &&
                       (view.is_html || view.is_text || view.answer != MATCHING_SCHEMA_NONE);
        if (!is_told)
            printf("\n    call %zu, %s, has no summary or no answer\n", count,
                   view.segments[0] != NULL ? view.segments[1] : "/");
        CU_ASSERT_TRUE(is_told);
    }
    CU_ASSERT_TRUE(count > 15);
}

static void test_openapi_is_json_with_every_code(void)
{
    matching_writer writer;
    const http_service service = {.config = NULL};
    matching_writer_init(&writer);
    http_openapi_write(&writer, &service);
    CU_ASSERT_FALSE_FATAL(writer.failed);
    CU_ASSERT_TRUE(matching_json_check(writer.data, writer.length, DEPTH));
    for (unsigned code = 1; code < MATCHING_CODE_COUNT; code++)
        CU_ASSERT_TRUE(has(&writer, matching_code_name((matching_code)code)));
    for (unsigned schema = 1; schema < MATCHING_SCHEMA_COUNT; schema++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"%s\":{", matching_schema_name((matching_schema)schema));
        CU_ASSERT_TRUE(has(&writer, wanted));
    }
    matching_writer_fini(&writer);
}

static void test_openrpc_is_json_with_every_method(void)
{
    matching_writer writer;
    jsonrpc_method_view view;
    matching_writer_init(&writer);
    jsonrpc_openrpc_write(&writer, NULL);
    CU_ASSERT_FALSE_FATAL(writer.failed);
    CU_ASSERT_TRUE(matching_json_check(writer.data, writer.length, DEPTH));
    CU_ASSERT_FALSE(has(&writer, "#/components/schemas/\"")); /* a method without a result */
    for (size_t i = 0; jsonrpc_method_at(i, &view); i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "{\"name\":\"%s\",\"summary\":\"", view.name);
        CU_ASSERT_TRUE(has(&writer, wanted));
        CU_ASSERT_NOT_EQUAL(view.summary[0], '\0');
    }
    matching_writer_fini(&writer);
}

/* Neither what the path has nor a row twice. */
static void test_a_body_has_the_fields_of_its_action(void)
{
    matching_writer writer;
    matching_writer_init(&writer);
    matching_describe_body(&writer, MATCHING_ACTION_AMEND,
                           MATCHING_FIELD_BIT(MATCHING_FIELD_ORDER_ID));
    CU_ASSERT_TRUE(matching_json_check(writer.data, writer.length, DEPTH));
    CU_ASSERT_FALSE(has(&writer, "\"order_id\":"));
    CU_ASSERT_TRUE(has(&writer, "\"stop_price\":{"));
    matching_writer_fini(&writer);
    uint8_t fields[MATCHING_FIELD_COUNT];
    uint32_t required = 0;
    uint32_t seen = 0;
    size_t count = matching_describe_fields(MATCHING_ACTION_PLACE, fields, &required);
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_FALSE(seen & MATCHING_FIELD_BIT(fields[i]));
        seen |= MATCHING_FIELD_BIT(fields[i]);
    }
    CU_ASSERT_EQUAL(required, MATCHING_FIELD_BIT(MATCHING_FIELD_TRADER_ID) |
                                  MATCHING_FIELD_BIT(MATCHING_FIELD_SIDE) |
                                  MATCHING_FIELD_BIT(MATCHING_FIELD_QUANTITY));
    CU_ASSERT_TRUE(seen & MATCHING_FIELD_BIT(MATCHING_FIELD_STOP_PRICE));
}

MATCHING_TESTS(MATCHING_TEST(test_every_field_of_requests_is_known),
               MATCHING_TEST(test_every_call_is_told_in_full),
               MATCHING_TEST(test_openapi_is_json_with_every_code),
               MATCHING_TEST(test_openrpc_is_json_with_every_method),
               MATCHING_TEST(test_a_body_has_the_fields_of_its_action))
