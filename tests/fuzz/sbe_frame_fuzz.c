/* The SBE codec on any bytes: messages lie in the frame; what is read of one and written again is
 * its known block, padding zeroed; requests become a command or a refusal that can be told.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "matching/core.h"
#include "sbe_report.h"
#include "sbe_request.h"

static matching_core *core;
static sbe_instruments instruments;

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void set_up(void)
{
    static const matching_instrument_options wanted[] = {
        {.symbol = "BTCUSDT", .id = 1, .tick_size = 1000000, .lot_size = 10000},
        {.symbol = "ETHUSDT", .id = 256, .tick_size = 1, .lot_size = 100000000}};
    matching_core_options options;
    char error[256];
    matching_core_options_default(&options);
    options.instruments = wanted;
    options.instrument_count = 2;
    options.max_instruments = 2;
    options.shards = 1;
    options.max_orders = options.max_traders = options.retained_orders = 64;
    core = matching_core_create(&options, error, sizeof error);
    must(core != NULL && sbe_instruments_init(&instruments, core) == 0);
}

/* ---- Read and written again ------------------------------------------------------------------ */

#define CLEAR_u8(at)
#define CLEAR_u16(at)
#define CLEAR_u32(at)
#define CLEAR_u64(at)
#define CLEAR_i64(at)
#define CLEAR_f64(at)
#define CLEAR_chr(at)
#define CLEAR_text16(at)
#define CLEAR_text32(at)
#define CLEAR_pad2(at) memset(at, 0, 2);
#define CLEAR_pad3(at) memset(at, 0, 3);
#define CLEAR_pad4(at) memset(at, 0, 4);
#define CLEAR_pad7(at) memset(at, 0, 7);
#define CLEAR_pad8(at) memset(at, 0, 8);
#define CLEAR(message, kind, name, offset) CLEAR_##kind(block + offset)

#define SBE_DEFINE(id, NAME, name, block_bytes)                                                    \
    case SBE_##NAME: {                                                                             \
        sbe_##name values;                                                                         \
        sbe_##name##_read(message->block, &values);                                                \
        written = sbe_##name##_write(out, sizeof out, &values);                                    \
        SBE_##NAME##_FIELDS(CLEAR, sbe_##name) break;                                              \
    }

static void read_and_write(const sbe_message *message)
{
    uint8_t out[SBE_MESSAGE_BYTES_MAX], block[SBE_MESSAGE_BYTES_MAX];
    size_t written = 0, known = sbe_block_length(message->template_id);
    memcpy(block, message->block, known);
    switch (message->template_id) {
        SBE_TEMPLATE_TABLE(SBE_DEFINE)
    default:
        abort();
    }
    must(written == SBE_HEADER_BYTES + known);
    must(memcmp(out + SBE_HEADER_BYTES, block, known) == 0);
    must(sbe_load_u16(out) == known && sbe_load_u16(out + 2) == message->template_id);
    must(sbe_load_u64(out) >> 32 == SBE_SCHEMA_ID);
}
#undef SBE_DEFINE

/* ---- Requests -------------------------------------------------------------------------------- */

static void check_command(const sbe_message *message, const matching_command *command)
{
    static const uint8_t types[] = {[SBE_NEW_ORDER] = MATCHING_PLACE,
                                    [SBE_CANCEL_ORDER] = MATCHING_CANCEL,
                                    [SBE_AMEND_ORDER] = MATCHING_AMEND,
                                    [SBE_MASS_CANCEL] = MATCHING_CANCEL_ALL};
    const matching_instrument *found = matching_core_instrument(core, command->instrument);
    must(command->type == types[message->template_id] && found != NULL);
    if (command->type != MATCHING_PLACE) {
        return;
    }
    must(command->side <= MATCHING_SELL && command->order_type <= MATCHING_STOP_LIMIT);
    must(command->quantity_lots > 0 && command->quantity_lots <= MATCHING_LOTS_MAX);
    must(command->price_ticks >= 0 && command->price_ticks <= MATCHING_TICKS_MAX);
    /* The id that went in as a number comes out as that number. */
    must(sbe_client_order_id(command->client_order_id) == sbe_request_id(message));
    matching_order order = {.order_id = 1,
                            .price_ticks = command->price_ticks,
                            .quantity_lots = command->quantity_lots,
                            .side = command->side};
    sbe_execution_report report;
    sbe_report_order(&report, found, &order, SBE_EXEC_NEW, sbe_request_id(message), 1);
    must(report.remaining_quantity == sbe_new_order_quantity(message->block));
    must(command->price_ticks == 0 || report.price == sbe_new_order_price(message->block));
}

static void check_refusal(const sbe_message *message, const matching_error *error)
{
    sbe_reject reject;
    sbe_report_refusal(&reject, message->template_id, sbe_request_id(message), error);
    must(reject.code >= 1 && reject.code < MATCHING_CODE_COUNT && reject.text[0] != '\0');
    must(error->message[0] != '\0');
}

static void check_request(const sbe_message *message)
{
    matching_command command;
    matching_error error;
    sbe_sender sender = {.core = core, .instruments = &instruments};
    for (int logged_on = 0; logged_on < 2; logged_on++) {
        sender.trader_id = logged_on ? (matching_text){"alice", 5} : (matching_text){NULL, 0};
        matching_code code = sbe_request_prepare(&sender, message, &command, &error);
        must(code == error.code);
        if (code == MATCHING_OK) {
            check_command(message, &command);
        } else {
            check_refusal(message, &error);
        }
    }
}

/* ---- Frames ---------------------------------------------------------------------------------- */

/* The messages of a frame when those that are alike are stepped over together. */
static size_t count_in_runs(const uint8_t *data, size_t size)
{
    sbe_frame frame;
    sbe_message message;
    sbe_error error;
    size_t count = 0;
    sbe_frame_init(&frame, data, size);
    while (sbe_frame_next(&frame, &message, &error)) {
        count += 1 + sbe_frame_skip_alike(&frame, &message);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    sbe_frame frame;
    sbe_message message;
    sbe_error error;
    char text[SBE_ERROR_TEXT];
    size_t count = 0, at = 0;
    if (core == NULL) {
        set_up();
    }
    sbe_frame_init(&frame, data, size);
    while (sbe_frame_next(&frame, &message, &error)) {
        must(message.block == data + at + SBE_HEADER_BYTES);
        at += message.bytes;
        must(at <= size && message.block_length >= sbe_block_length(message.template_id));
        read_and_write(&message);
        if (sbe_is_request(&message)) {
            check_request(&message);
        }
        count++;
    }
    must((error.fault == SBE_FAULT_NONE) == (at == size));
    must((sbe_error_print(text, &error) > 0) == (error.fault != SBE_FAULT_NONE));
    must(count_in_runs(data, size) == count);
    if (error.fault != SBE_FAULT_NONE) {
        sbe_reject reject;
        sbe_report_fault(&reject, &error);
        must(reject.template_id == error.template_id && reject.text[0] != '\0');
    }
    return 0;
}
