/* Requests: an order, cancel, amend or mass cancel of the wire made into a command.
 *
 * Nulls and zeros of the wire become absent fields and numbers fields; all judgement is
 * matching_gateway_prepare's, so the same bad order is refused with the same code through every
 * door. What a zero or null means is the contract's section 9:
 *
 *   clientOrderId 0 no client_order_id; elsewhere its decimal text (of a NewOrder only: in the
 *                   other three it numbers the request)
 *   traderId        all zero: the Logon's; without a Logon it is missing
 *   instrumentId 0  left out: the first instrument for an order, not checked for a cancel or
 *                   amend, all for a mass cancel
 *   int64 null      left out
 *   expireTime 0    left out
 */
#ifndef MATCHING_SBE_REQUEST_H
#define MATCHING_SBE_REQUEST_H

#include <stdbool.h>

#include "matching/gateway.h"
#include "sbe_frame.h"
#include "sbe_instruments.h"

/* Who sends: what of a connection decides what its messages mean. */
typedef struct sbe_sender {
    const matching_core *core;
    sbe_instruments *instruments;
    matching_text trader_id; /* the Logon's; length 0: no Logon */
} sbe_sender;

/* Is the message one that sbe_request_prepare takes: NewOrder, CancelOrder, AmendOrder, MassCancel?
 * Heartbeat, Subscribe, Logon and Trade are the door's own; the others only go out. */
static inline bool sbe_is_request(const sbe_message *message)
{
    return (1u << message->template_id & (1u << SBE_NEW_ORDER | 1u << SBE_CANCEL_ORDER |
                                          1u << SBE_AMEND_ORDER | 1u << SBE_MASS_CANCEL)) != 0;
}

/* clientOrderId of such a message: it is the first field of each. */
static inline uint64_t sbe_request_id(const sbe_message *message)
{
    return sbe_load_u64(message->block);
}

/* Makes the command of such a message. As matching_gateway_prepare: MATCHING_OK, or the code with
 * *error filled in and the command unusable; tag, received_ns, COLLECT, BRIEF, GUARDED and
 * hint_place are left for the caller. The instruments' thread; no allocation; keeps nothing. */
matching_code sbe_request_prepare(const sbe_sender *sender, const sbe_message *message,
                                  matching_command *command, matching_error *error);

/* The text of a zero-padded field, up to the last byte that is not zero. In place. */
matching_text sbe_text(const char *field, size_t size);

/* May these be a Logon's traderId, which stands for orders, and flags? Otherwise MISSING_FIELD (all
 * zero), INVALID_TRADER or INVALID_PARAMETER (flags) with *error filled in. */
matching_code sbe_logon_check(const matching_core *core, matching_text trader_id, uint8_t flags,
                              matching_error *error);

#endif
