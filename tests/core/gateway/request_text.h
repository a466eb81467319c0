/* Requests written as text for the gateway's tests, and a core with three instruments.
 *
 * "trader_id=alice;side=buy": a later field replaces an earlier one of the same name, "-price"
 * takes it out again, "price=!" has the wrong JSON type, and a number that cannot be read is
 * malformed, as a codec would mark it.
 */
#ifndef MATCHING_TESTS_GATEWAY_REQUEST_TEXT_H
#define MATCHING_TESTS_GATEWAY_REQUEST_TEXT_H

#include "matching/gateway.h"

#define PLACE MATCHING_ACTION_PLACE
#define CANCEL MATCHING_ACTION_CANCEL
#define AMEND MATCHING_ACTION_AMEND
#define CANCEL_ALL MATCHING_ACTION_CANCEL_ALL
#define SET_STATE MATCHING_ACTION_SET_STATE
#define ADD MATCHING_ACTION_ADD_INSTRUMENT
#define GET_ORDER MATCHING_ACTION_GET_ORDER
#define LIST_ORDERS MATCHING_ACTION_LIST_ORDERS
#define LIST_OPEN MATCHING_ACTION_LIST_OPEN_ORDERS
#define GET_DEPTH MATCHING_ACTION_GET_DEPTH
#define GET_TRADES MATCHING_ACTION_GET_TRADES
#define GET_KLINES MATCHING_ACTION_GET_KLINES
#define GET_TICKER MATCHING_ACTION_GET_TICKER

/* Good orders to change for a test. */
#define LIMIT "type=limit;trader_id=alice;side=buy;price=50000;quantity=0.5;"
#define NEW "symbol=NEW;tick_size=0.5;lot_size=10;"
#define MARKET "type=market;trader_id=alice;side=sell;quantity=0.5;"

/* BTCUSDT as configured by default, FINE-1.0_X with the finest sizes, SIXTEENLETTERS16 with coarse
 * ones that are no powers of ten (5 and 7). Ends the program if there is no core. */
matching_core *create_core(void);

/* Ends the program if the text names a field that is none: the test is wrong. */
matching_request make_request(matching_action action, const char *text);

/* make_request and matching_gateway_prepare; command and error are filled with rubbish before. */
matching_code prepare(const matching_core *core, matching_action action, const char *text,
                      matching_command *command, matching_error *error);

#endif
