/* Objects, member by member. */
#include "reply.h"

#define NS_PER_MS UINT64_C(1000000)

static void write_boolean(matching_writer *writer, bool value)
{
    if (value) {
        MATCHING_WRITE(writer, "true");
    } else {
        MATCHING_WRITE(writer, "false");
    }
}

/* {"symbol":...,"interval":... */
static void begin_series(matching_writer *writer, const char *symbol, matching_interval interval)
{
    MATCHING_WRITE(writer, "{\"symbol\":");
    matching_write_cstring(writer, symbol);
    MATCHING_WRITE(writer, ",\"interval\":");
    matching_write_cstring(writer, matching_interval_name(interval));
}

void sio_write_label(matching_writer *writer, const char *label)
{
    if (*label != '\0') {
        MATCHING_WRITE(writer, ",\"subscriptionId\":");
        matching_write(writer, label, strlen(label));
    }
}

static void end_confirmed(matching_writer *writer, bool success, const char *message)
{
    MATCHING_WRITE(writer, ",\"success\":");
    write_boolean(writer, success);
    MATCHING_WRITE(writer, ",\"message\":");
    matching_write_cstring(writer, message);
    MATCHING_WRITE(writer, "}");
}

void sio_write_success(matching_writer *writer, const matching_core *core, const char *client_id,
                       uint64_t now_ms)
{
    MATCHING_WRITE(writer, "{\"clientId\":");
    matching_write_cstring(writer, client_id);
    MATCHING_WRITE(writer, ",\"serverTime\":");
    matching_write_unsigned(writer, now_ms);
    MATCHING_WRITE(writer, ",\"supportedSymbols\":[");
    size_t count = matching_core_instrument_count(core);
    for (size_t i = 0, written = 0; i < count; i++) {
        const matching_instrument *instrument = matching_core_instrument(core, i);
        if (instrument != NULL) {
            matching_write(writer, ",", written++ > 0);
            matching_write_cstring(writer, instrument->symbol);
        }
    }
    MATCHING_WRITE(writer, "],\"supportedIntervals\":[");
    for (unsigned i = 0; i < MATCHING_INTERVALS; i++) {
        matching_write(writer, ",", i > 0);
        matching_write_cstring(writer, matching_interval_name(i));
    }
    MATCHING_WRITE(writer, "]}");
}

void sio_write_confirmed(matching_writer *writer, const char *symbol, matching_interval interval,
                         const char *label, bool success, const char *message)
{
    begin_series(writer, symbol, interval);
    sio_write_label(writer, label);
    end_confirmed(writer, success, message);
}

void sio_write_topic_confirmed(matching_writer *writer, const char *symbol, bool success,
                               const char *message)
{
    if (symbol == NULL) {
        MATCHING_WRITE(writer, "{\"topic\":\"token_events\"");
    } else { /* a symbol has no character that JSON would escape */
        MATCHING_WRITE(writer, "{\"topic\":\"price:");
        matching_write(writer, symbol, strlen(symbol));
        MATCHING_WRITE(writer, "\",\"symbol\":");
        matching_write_cstring(writer, symbol);
    }
    end_confirmed(writer, success, message);
}

void sio_begin_kline(matching_writer *writer, const char *symbol, matching_interval interval)
{
    begin_series(writer, symbol, interval);
}

void sio_end_kline(matching_writer *writer, const matching_instrument *instrument,
                   const matching_candle *candle, uint64_t now_ms)
{
    MATCHING_WRITE(writer, ",\"data\":");
    matching_write_candle(writer, instrument, candle);
    MATCHING_WRITE(writer, ",\"timestamp\":");
    matching_write_unsigned(writer, now_ms);
    MATCHING_WRITE(writer, "}");
}

void sio_begin_history(matching_writer *writer, const char *symbol, matching_interval interval)
{
    begin_series(writer, symbol, interval);
    MATCHING_WRITE(writer, ",\"data\":[");
}

void sio_end_history(matching_writer *writer, bool has_more)
{
    MATCHING_WRITE(writer, "],\"hasMore\":");
    write_boolean(writer, has_more);
    MATCHING_WRITE(writer, "}");
}

void sio_write_price(matching_writer *writer, const matching_instrument *instrument,
                     int64_t price_ticks, uint64_t time_ns, uint8_t side)
{
    MATCHING_WRITE(writer, "{\"symbol\":");
    matching_write_cstring(writer, instrument->symbol);
    MATCHING_WRITE(writer, ",\"price\":");
    matching_write_decimal(writer, matching_price_of(instrument, price_ticks));
    MATCHING_WRITE(writer, ",\"timestamp\":");
    matching_write_unsigned(writer, time_ns / NS_PER_MS);
    if (side == MATCHING_BUY) {
        MATCHING_WRITE(writer, ",\"side\":\"buy\"}");
    } else if (side == MATCHING_SELL) {
        MATCHING_WRITE(writer, ",\"side\":\"sell\"}");
    } else {
        MATCHING_WRITE(writer, ",\"side\":null}");
    }
}

void sio_write_error(matching_writer *writer, const sio_error *error, const char *event)
{
    MATCHING_WRITE(writer, "{\"code\":");
    matching_write_unsigned(writer, error->code);
    MATCHING_WRITE(writer, ",\"message\":");
    matching_write_cstring(writer, error->message);
    MATCHING_WRITE(writer, ",\"data\":{");
    if (*event != '\0') {
        MATCHING_WRITE(writer, "\"event\":");
        matching_write_cstring(writer, event);
    }
    if (error->field != NULL) {
        matching_write(writer, ",", *event != '\0');
        MATCHING_WRITE(writer, "\"field\":");
        matching_write_cstring(writer, error->field);
    }
    MATCHING_WRITE(writer, "}}");
}
