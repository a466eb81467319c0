/* What is told to the program that wants the trades (matching/sbe_gateway.h).
 *
 * Whatever its handler answers, the connection goes on.
 */
#include <stdio.h>

#include "door.h"

#define TEXT_SIZE 128

static const matching_sbe_handler *handler_of(const sbe_connection *connection)
{
    return sbe_door_of(connection)->handler;
}

void sbe_tell_open(const sbe_connection *connection)
{
    const matching_sbe_handler *handler = handler_of(connection);
    if (handler != NULL && handler->on_connect != NULL) {
        handler->on_connect(handler->context, sbe_connection_number(connection));
    }
}

void sbe_tell_closed(const sbe_connection *connection)
{
    const matching_sbe_handler *handler = handler_of(connection);
    if (handler != NULL && handler->on_disconnect != NULL) {
        handler->on_disconnect(handler->context, sbe_connection_number(connection));
    }
}

void sbe_tell_error(const sbe_connection *connection, int error, const char *text)
{
    const matching_sbe_handler *handler = handler_of(connection);
    if (handler != NULL && handler->on_error != NULL) {
        handler->on_error(handler->context, sbe_connection_number(connection), error, text);
    }
}

static void hand_out(const sbe_connection *connection, const uint8_t *at, size_t message_bytes,
                     size_t count)
{
    const matching_sbe_handler *handler = handler_of(connection);
    uint64_t number = sbe_connection_number(connection);
    for (size_t i = 0; i < count; i++, at += message_bytes) {
        const matching_sbe_trade trade = {.trade_id = matching_sbe_trade_id(at),
                                          .price = matching_sbe_trade_price(at),
                                          .quantity = matching_sbe_trade_quantity(at),
                                          .symbol = matching_sbe_trade_symbol(at)};
        int code = handler->on_trade(handler->context, number, &trade);
        if (code != 0) {
            char text[TEXT_SIZE];
            snprintf(text, sizeof text, "on_trade returned %d for trade %llu", code,
                     (unsigned long long)trade.trade_id);
            sbe_tell_error(connection, code, text);
        }
    }
}

void sbe_tell_trades(const sbe_connection *connection, const uint8_t *messages,
                     size_t message_bytes, size_t count)
{
    const matching_sbe_handler *handler = handler_of(connection);
    int code = MATCHING_SBE_ONE_BY_ONE;
    if (handler == NULL) {
        return;
    }
    if (handler->on_trades != NULL) {
        code = handler->on_trades(handler->context, sbe_connection_number(connection), messages,
                                  message_bytes, count);
    }
    if (code == MATCHING_SBE_ONE_BY_ONE && handler->on_trade != NULL) {
        hand_out(connection, messages, message_bytes, count);
    } else if (code != 0 && handler->on_trades != NULL) {
        char text[TEXT_SIZE];
        snprintf(text, sizeof text, "on_trades returned %d for %zu trades", code, count);
        sbe_tell_error(connection, code, text);
    }
}
