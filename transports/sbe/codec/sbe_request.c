/* Messages to requests, requests to commands.
 *
 * Not a judge: a value that is wrong goes into the request as it is, so that the gateway refuses it
 * as it does for every door.
 */
#include "sbe_request.h"

#include "matching/decimal.h"

#define BIT(name) MATCHING_FIELD_BIT(MATCHING_FIELD_##name)

matching_text sbe_text(const char *field, size_t size)
{
    while (size > 0 && field[size - 1] == '\0') {
        size--;
    }
    return (matching_text){field, size};
}

static void set_trader(const sbe_sender *sender, matching_text named, matching_request *request)
{
    request->trader_id = named.length > 0 ? named : sender->trader_id;
    request->present |= request->trader_id.length > 0 ? BIT(TRADER_ID) : 0;
}

static void set_instrument(const sbe_sender *sender, uint32_t id, matching_request *request)
{
    if (id != 0) {
        request->present |= BIT(SYMBOL);
        request->numbered |= BIT(SYMBOL);
        request->instrument = sbe_instruments_find(sender->instruments, id);
    }
}

static void set_decimal(matching_request *request, int64_t *value, int64_t mantissa, uint32_t bit)
{
    *value = mantissa;
    request->present |= mantissa != SBE_NULL_I64 ? bit : 0;
}

/* Order ids and times are uint64 here and int64 there; those that do not fit are out of range. */
static void set_integer(matching_request *request, int64_t *value, uint64_t number, uint32_t bit)
{
    *value = (int64_t)(number & INT64_MAX);
    request->present |= bit;
    request->malformed |= number > INT64_MAX ? bit : 0;
}

static void take_new_order(const sbe_sender *sender, const uint8_t *block,
                           matching_request *request, char client_order_id[MATCHING_UNSIGNED_TEXT])
{
    uint64_t id = sbe_new_order_client_order_id(block);
    uint64_t expire_time = sbe_new_order_expire_time(block);
    uint8_t flags = sbe_new_order_flags(block);
    request->action = MATCHING_ACTION_PLACE;
    request->numbered = BIT(SIDE) | BIT(TYPE) | BIT(TIME_IN_FORCE) | BIT(SELF_TRADE_PREVENTION);
    request->present = request->numbered;
    request->side_number = sbe_new_order_side(block);
    request->type_number = sbe_new_order_order_type(block);
    request->time_in_force_number = sbe_new_order_time_in_force(block);
    request->self_trade_number = flags >> SBE_SELF_TRADE_SHIFT & SBE_SELF_TRADE_MASK;
    request->post_only = flags & SBE_POST_ONLY;
    request->present |= request->post_only ? BIT(POST_ONLY) : 0;
    set_trader(sender, sbe_text(sbe_new_order_trader_id(block), SBE_SIZE_text16), request);
    set_instrument(sender, sbe_new_order_instrument_id(block), request);
    set_decimal(request, &request->price, sbe_new_order_price(block), BIT(PRICE));
    set_decimal(request, &request->quantity, sbe_new_order_quantity(block), BIT(QUANTITY));
    set_decimal(request, &request->display_quantity, sbe_new_order_display_quantity(block),
                BIT(DISPLAY_QUANTITY));
    set_decimal(request, &request->stop_price, sbe_new_order_stop_price(block), BIT(STOP_PRICE));
    if (expire_time != 0) {
        set_integer(request, &request->expire_time, expire_time, BIT(EXPIRE_TIME));
    }
    if (id != 0) {
        request->client_order_id =
            (matching_text){client_order_id, matching_unsigned_print(client_order_id, id)};
        request->present |= BIT(CLIENT_ORDER_ID);
    }
}

/* Bits that nobody has given a meaning to. Whoever sets one wants something that would not happen:
 * the code comes where it stands in the order of the codes. */
static matching_code check_flags(matching_code code, unsigned flags, unsigned known,
                                 matching_error *error)
{
    if ((flags & ~known) == 0 || (code != MATCHING_OK && code <= MATCHING_INVALID_PARAMETER)) {
        return code;
    }
    matching_error_set(error, MATCHING_INVALID_PARAMETER, MATCHING_FIELD_NONE,
                       "flags has a bit that means nothing");
    return MATCHING_INVALID_PARAMETER;
}

static void take_cancel(const sbe_sender *sender, const uint8_t *block, matching_request *request)
{
    request->action = MATCHING_ACTION_CANCEL;
    set_integer(request, &request->order_id, sbe_cancel_order_order_id(block), BIT(ORDER_ID));
    set_instrument(sender, sbe_cancel_order_instrument_id(block), request);
}

static void take_amend(const sbe_sender *sender, const uint8_t *block, matching_request *request)
{
    request->action = MATCHING_ACTION_AMEND;
    set_integer(request, &request->order_id, sbe_amend_order_order_id(block), BIT(ORDER_ID));
    set_instrument(sender, sbe_amend_order_instrument_id(block), request);
    set_decimal(request, &request->price, sbe_amend_order_price(block), BIT(PRICE));
    set_decimal(request, &request->quantity, sbe_amend_order_quantity(block), BIT(QUANTITY));
    set_decimal(request, &request->stop_price, sbe_amend_order_stop_price(block), BIT(STOP_PRICE));
}

static void take_mass_cancel(const sbe_sender *sender, const uint8_t *block,
                             matching_request *request)
{
    request->action = MATCHING_ACTION_CANCEL_ALL;
    set_trader(sender, sbe_text(sbe_mass_cancel_trader_id(block), SBE_SIZE_text32), request);
    set_instrument(sender, sbe_mass_cancel_instrument_id(block), request);
}

matching_code sbe_request_prepare(const sbe_sender *sender, const sbe_message *message,
                                  matching_command *command, matching_error *error)
{
    matching_request request; /* of the rest of it what `present` names: it is large */
    request.action = MATCHING_ACTION_NONE;
    request.present = request.wrong_type = request.malformed = request.numbered = 0;
    char client_order_id[MATCHING_UNSIGNED_TEXT];
    switch (message->template_id) {
    case SBE_NEW_ORDER:
        take_new_order(sender, message->block, &request, client_order_id);
        break;
    case SBE_CANCEL_ORDER:
        take_cancel(sender, message->block, &request);
        break;
    case SBE_AMEND_ORDER:
        take_amend(sender, message->block, &request);
        break;
    case SBE_MASS_CANCEL:
        take_mass_cancel(sender, message->block, &request);
        break;
    default:
        break; /* none of the four: UNKNOWN_TYPE */
    }
    matching_code code = matching_gateway_prepare(sender->core, &request, command, error);
    return message->template_id == SBE_NEW_ORDER
               ? check_flags(code, sbe_new_order_flags(message->block), SBE_ORDER_FLAGS, error)
               : code;
}

matching_code sbe_logon_check(const matching_core *core, matching_text trader_id, uint8_t flags,
                              matching_error *error)
{
    matching_command unused;
    matching_request request = {.action = MATCHING_ACTION_CANCEL_ALL,
                                .present = trader_id.length > 0 ? BIT(TRADER_ID) : 0,
                                .trader_id = trader_id};
    matching_code code = matching_gateway_prepare(core, &request, &unused, error);
    return check_flags(code, flags, SBE_LOGON_FLAGS, error);
}
