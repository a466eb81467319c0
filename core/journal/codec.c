/* Commands to journal records and back.
 *
 * A record has one form only: what decode takes, encode gives again byte for byte. So nothing in a
 * journal is without meaning, and a record with a right checksum that decode refuses was not
 * written by this version.
 */
#include "journal/codec.h"

#include <string.h>

#include "journal/checksum.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structs are the bytes on disk");

/* They change how the reply looks, not what happens. */
#define FLAGS_LEFT_OUT (MATCHING_FLAG_COLLECT | MATCHING_FLAG_BRIEF)
#define BODY_SIZE (sizeof(journal_record) + sizeof(journal_command))
#define CLIENT_SIZE sizeof(((matching_command *)0)->client_order_id)

static size_t aligned(size_t size)
{
    return (size + JOURNAL_ALIGN - 1) / JOURNAL_ALIGN * JOURNAL_ALIGN;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* Appends a number unless it is 0; `bit` is then set in *has. */
static char *put_number(char *at, uint8_t *has, uint8_t bit, uint64_t number)
{
    if (number == 0) {
        return at;
    }
    *has |= bit;
    memcpy(at, &number, sizeof number);
    return at + sizeof number;
}

size_t journal_encode(const matching_command *command, void *out)
{
    journal_record *record = out;
    journal_command *body = (journal_command *)(record + 1);
    char *at = (char *)(body + 1);
    uint8_t has = 0;
    at = put_number(at, &has, JOURNAL_HAS_DISPLAY, (uint64_t)command->display_lots);
    at = put_number(at, &has, JOURNAL_HAS_STOP, (uint64_t)command->stop_price_ticks);
    at = put_number(at, &has, JOURNAL_HAS_EXPIRE, command->expire_time_ms);
    at = put_number(at, &has, JOURNAL_HAS_ID, command->instrument_id);

    size_t trader_length = strnlen(command->trader_id, MATCHING_TRADER_MAX);
    size_t client_length = strnlen(command->client_order_id, CLIENT_SIZE);
    size_t text = trader_length + client_length;
    if (text > 0) {
        memset(at + aligned(text) - JOURNAL_ALIGN, 0, JOURNAL_ALIGN);
        memcpy(at, command->trader_id, trader_length);
        memcpy(at + trader_length, command->client_order_id, client_length);
    }

    size_t length = (size_t)(at - (char *)out) + aligned(text);
    *record = (journal_record){
        .length = (uint32_t)length,
        .kind = JOURNAL_COMMAND,
        .sequence = command->sequence,
        .time_ns = command->time_ns,
    };
    *body = (journal_command){
        .order_id = command->order_id,
        .price_ticks = command->price_ticks,
        .quantity_lots = command->quantity_lots,
        .instrument = command->instrument,
        .type = command->type,
        .side = command->side,
        .order_type = command->order_type,
        .time_in_force = command->time_in_force,
        .flags = (uint8_t)(command->flags & ~FLAGS_LEFT_OUT),
        .self_trade = command->self_trade,
        .reason = command->reason,
        .state = command->state,
        .sbe_char = command->sbe_char,
        .has = has,
        .trader_length = (uint8_t)trader_length,
        .client_length = (uint8_t)client_length,
    };
    return length;
}

static uint32_t checksum_of(const journal_record *record)
{
    uint32_t start[2] = {record->length, 0}; /* as if the checksum's field were 0 */
    uint32_t crc = checksum_crc32c(0, start, sizeof start);
    return checksum_crc32c(crc, (const char *)record + sizeof start, record->length - sizeof start);
}

uint32_t journal_seal(journal_record *record, uint32_t previous)
{
    record->previous = previous;
    record->checksum = checksum_of(record);
    return record->checksum;
}

void journal_make_claim(journal_record *record, uint64_t durable_sequence, uint64_t now_ns)
{
    *record = (journal_record){
        .length = sizeof *record,
        .kind = JOURNAL_CLAIM,
        .sequence = durable_sequence,
        .time_ns = now_ns,
    };
}

void journal_make_header(void *page, unsigned shard, unsigned shard_count, uint64_t first_sequence,
                         uint32_t previous, uint64_t size_bytes, uint64_t now_ns)
{
    journal_header *header = page;
    memset(page, 0, JOURNAL_RECORDS_AT);
    memcpy(header->magic, JOURNAL_MAGIC, sizeof header->magic);
    header->version = JOURNAL_VERSION;
    header->rules = JOURNAL_RULES;
    header->shard = shard;
    header->shard_count = shard_count;
    header->previous = previous;
    header->first_sequence = first_sequence;
    header->created_ns = now_ns;
    header->size_bytes = size_bytes;
    header->checksum = checksum_crc32c(0, page, JOURNAL_RECORDS_AT);
}

/* ---- Reading --------------------------------------------------------------------------------- */

bool journal_record_is_whole(const journal_record *record)
{
    return record->checksum == checksum_of(record);
}

/* Takes a number where `bit` is set, else 0. False: it is 0 although it is there. */
static bool take_number(const char **at, uint8_t has, uint8_t bit, uint64_t *number)
{
    *number = 0;
    if ((has & bit) == 0) {
        return true;
    }
    memcpy(number, *at, sizeof *number);
    *at += sizeof *number;
    return *number != 0;
}

static const char *take_numbers(const char **at, uint8_t has, matching_command *command)
{
    uint64_t display, stop, instrument_id;
    if (!take_number(at, has, JOURNAL_HAS_DISPLAY, &display) ||
        !take_number(at, has, JOURNAL_HAS_STOP, &stop) ||
        !take_number(at, has, JOURNAL_HAS_EXPIRE, &command->expire_time_ms) ||
        !take_number(at, has, JOURNAL_HAS_ID, &instrument_id)) {
        return "a number that is there is 0";
    }
    if (instrument_id > UINT32_MAX) {
        return "the instrument's id is too large";
    }
    command->display_lots = (int64_t)display;
    command->stop_price_ticks = (int64_t)stop;
    command->instrument_id = (uint32_t)instrument_id;
    return NULL;
}

/* What encode cannot have written, but for what follows the body. NULL: nothing. */
static const char *find_fault(const journal_record *record, const journal_command *body)
{
    if (record->kind != JOURNAL_COMMAND || record->reserved != 0) {
        return "an unknown kind of record";
    }
    if (record->length < BODY_SIZE || record->length > JOURNAL_RECORD_MAX) {
        return "a command's record cannot have this length";
    }
    if (body->reserved != 0) {
        return "a reserved field is not zero";
    }
    if (body->type == MATCHING_COMMAND_NONE || body->type >= MATCHING_READ_ORDER) {
        return "an unknown type of command";
    }
    if ((body->flags & FLAGS_LEFT_OUT) != 0 || body->has > 15) {
        return "unknown flags";
    }
    if (body->trader_length > MATCHING_TRADER_MAX || body->client_length > CLIENT_SIZE) {
        return "a text is too long";
    }
    size_t numbers = (size_t)__builtin_popcount(body->has) * 8;
    size_t text = (size_t)body->trader_length + body->client_length;
    if (record->length != BODY_SIZE + numbers + aligned(text)) {
        return "the length does not fit what is in it";
    }
    return NULL;
}

const char *journal_decode(const journal_record *record, matching_command *command)
{
    static const char zeros[JOURNAL_ALIGN];
    const journal_command *body = (const journal_command *)(record + 1);
    const char *at = (const char *)(body + 1);
    const char *fault = find_fault(record, body);
    if (fault != NULL) {
        return fault;
    }
    memset(command, 0, sizeof *command);
    fault = take_numbers(&at, body->has, command);
    if (fault != NULL) {
        return fault;
    }
    size_t text = (size_t)body->trader_length + body->client_length;
    if (memchr(at, '\0', text) != NULL) {
        return "a text has a zero in it";
    }
    if (memcmp(at + text, zeros, aligned(text) - text) != 0) {
        return "the padding is not zero";
    }
    memcpy(command->trader_id, at, body->trader_length);
    memcpy(command->client_order_id, at + body->trader_length, body->client_length);
    command->sequence = record->sequence;
    command->time_ns = record->time_ns;
    command->order_id = body->order_id;
    command->price_ticks = body->price_ticks;
    command->quantity_lots = body->quantity_lots;
    command->instrument = body->instrument;
    command->type = body->type;
    command->side = body->side;
    command->order_type = body->order_type;
    command->time_in_force = body->time_in_force;
    command->flags = body->flags;
    command->self_trade = body->self_trade;
    command->reason = body->reason;
    command->state = body->state;
    command->sbe_char = body->sbe_char;
    return NULL;
}
