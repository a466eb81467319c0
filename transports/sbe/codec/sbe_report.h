/* Reports: what the core says made into messages of the wire.
 *
 * Ticks and lots become mantissas of 10^-8, exact for every order and trade; a sum of the book
 * that does not fit is INT64_MAX. All functions: any thread, no allocation; the messages are the
 * caller's and have no pointers.
 */
#ifndef MATCHING_SBE_REPORT_H
#define MATCHING_SBE_REPORT_H

#include "matching/event.h"
#include "matching/gateway.h"
#include "matching/port.h"
#include "sbe_frame.h"

/* The number of a client_order_id (NUL-terminated) that came over this wire; 0: none, or a text
 * that no number here has (another door's, "007", 2^64 and more). */
uint64_t sbe_client_order_id(const char *text);

/* An order as it is now. client_order_id: the request's in a reply, the order's own
 * (sbe_client_order_id) in a later report. time_ns: Unix, of the command behind it. Without a fill:
 * lastQuantity 0, tradeId 0, lastPrice null. Uses only what a reply to MATCHING_FLAG_BRIEF has. */
void sbe_report_order(sbe_execution_report *report, const matching_instrument *instrument,
                      const matching_order *order, sbe_exec_type exec_type,
                      uint64_t client_order_id, uint64_t time_ns);

/* What a later report tells of an order, for the connection that entered it. */
typedef struct sbe_reported_order {
    uint64_t order_id;
    uint64_t client_order_id; /* the order's own number, 0: none */
    int64_t price_ticks;      /* 0: none */
    int64_t quantity_lots;
    int64_t filled_lots;
    uint8_t side;
    bool waits; /* it is an untriggered stop */
} sbe_reported_order;

/* The order as a TRADE event has left it, that fill included. */
void sbe_report_fill(sbe_execution_report *report, const matching_instrument *instrument,
                     const sbe_reported_order *order, const matching_event *event);

/* The order as something other than a fill has left it; before that it was a stop that `waited`, or
 * not. execType: cancelled if it ended, triggered if it waited and now does not, else amended. */
void sbe_report_change(sbe_execution_report *report, const matching_instrument *instrument,
                       const sbe_reported_order *order, matching_status status,
                       matching_reason reason, bool waited, uint64_t time_ns);

/* A refusal. text is what the error tells beside its code: the order_id of the other order for
 * DUPLICATE_CLIENT_ORDER_ID, else the field at fault by its name on every wire (by the schema's,
 * where no other wire has it), else the code's name; the first 16 characters of it. */
void sbe_report_refusal(sbe_reject *reject, uint16_t template_id, uint64_t client_order_id,
                        const matching_error *error);

/* The same for a message that ended its frame: UNKNOWN_TYPE for an unknown template, else
 * INVALID_MESSAGE. */
void sbe_report_fault(sbe_reject *reject, const sbe_error *error);

/* A TRADE event as template 1 and as template 11. In template 1 the price is the nearest double
 * (beyond 90,071,992 one beside it, at most), the quantity whole units. */
void sbe_report_trade(sbe_trade *trade, const matching_instrument *instrument,
                      const matching_event *event);
void sbe_report_trade_exact(sbe_trade_exact *trade, const matching_instrument *instrument,
                            const matching_event *event);

/* Best prices and what is visible there, as the channel `book` of the WebSocket door shows them:
 * 0 ticks, no price, is a null price with quantity 0. */
void sbe_report_book(sbe_book_update *update, const matching_instrument *instrument,
                     int64_t bid_ticks, matching_wide bid_lots, int64_t ask_ticks,
                     matching_wide ask_lots, uint64_t sequence);

void sbe_report_instrument(sbe_instrument *message, const matching_instrument *instrument,
                           matching_state state);

#endif
