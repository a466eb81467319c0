/* JSON Schema (2020-12) of what requests hold and what answers look like, the same for every door.
 *
 * Which fields an action takes and needs comes from the gateway's own tables, words and bounds from
 * the functions and constants that the checks use. The documents of the doors (openapi.json,
 * rpc.discover) are put together from these pieces. Any thread; pure.
 */
#ifndef MATCHING_DESCRIBE_H
#define MATCHING_DESCRIBE_H

#include <stdbool.h>

#include "json_writer.h"
#include "matching/gateway.h"

/* The bodies of answers, by their names under #/components/schemas. */
#define MATCHING_SCHEMA_TABLE(X)                                                                   \
    X(ORDER, Order)                                                                                \
    X(ORDERS, Orders)                                                                              \
    X(ORDER_RESULT, OrderResult)                                                                   \
    X(CANCEL_RESULT, CancelResult)                                                                 \
    X(ORDER_IDS, OrderIds)                                                                         \
    X(TRADE, Trade)                                                                                \
    X(TRADES, Trades)                                                                              \
    X(DEPTH, Depth)                                                                                \
    X(BOOK_STATUS, BookStatus)                                                                     \
    X(CANDLE, Candle)                                                                              \
    X(KLINES, Klines)                                                                              \
    X(TICKER, Ticker)                                                                              \
    X(SYMBOLS, Symbols)                                                                            \
    X(SYMBOL_ADDED, SymbolAdded)                                                                   \
    X(SYMBOL_STATE, SymbolState)                                                                   \
    X(HEALTH, Health)                                                                              \
    X(TIME, Time)                                                                                  \
    X(EVENTS_STATUS, EventsStatus)                                                                 \
    X(CONNECTIONS, Connections)                                                                    \
    X(METRICS, Metrics)                                                                            \
    X(LATENCY, Latency)                                                                            \
    X(SNAPSHOTS, Snapshots)                                                                        \
    X(DOCUMENT, Document)

typedef enum matching_schema {
    MATCHING_SCHEMA_NONE = 0,
#define MATCHING_SCHEMA_ENUM(upper, name) MATCHING_SCHEMA_##upper,
    MATCHING_SCHEMA_TABLE(MATCHING_SCHEMA_ENUM)
#undef MATCHING_SCHEMA_ENUM
        MATCHING_SCHEMA_COUNT
} matching_schema;

/* "Order"; "" for none. Static string. */
const char *matching_schema_name(matching_schema schema);

/* What answers an action when it succeeds; NONE for one that is not known here. */
matching_schema matching_schema_of_action(matching_action action);

/* {"$ref":"#/components/schemas/Order"} */
void matching_describe_reference(matching_writer *writer, matching_schema schema);

/* The members of components.schemas, braces and all: those above and what they are made of, among
 * it Code, the list of all codes. */
void matching_describe_schemas(matching_writer *writer);

/* What is known about a field of requests? Every field of the gateway's table should be. */
bool matching_describe_knows(matching_field field);

/* The schema of a field's value, as it stands in a body of JSON or, as_text, in a path or query. */
void matching_describe_field(matching_writer *writer, matching_action action, matching_field field,
                             bool as_text);

/* What a field means, in a few words. Static string. */
const char *matching_describe_meaning(matching_field field);

/* The fields that an action takes, in the contract's order (for PLACE those of all types), and
 * which of them it always needs. fields: room for MATCHING_FIELD_COUNT. Returns how many there
 * are. */
size_t matching_describe_fields(matching_action action, uint8_t *fields, uint32_t *required);

/* The schema of a body of JSON for an action. elsewhere: bits of the fields that the path has. */
void matching_describe_body(matching_writer *writer, matching_action action, uint32_t elsewhere);

/* Text that holds nothing to be escaped, and a member's name with its colon. */
void matching_describe_text(matching_writer *writer, const char *text);
void matching_describe_name(matching_writer *writer, const char *name);

#endif
