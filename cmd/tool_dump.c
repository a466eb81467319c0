/* `journal dump`: each command as a JSON object in a line of its own, with the names that clients
 * know (docs/journal.md lists them). Prices and quantities are exact decimals in quotes.
 *
 * To print them it takes the sizes of the instruments from the journal's own additions, and, where
 * its beginning was removed, from a snapshot; of an instrument that neither tells of it prints
 * ticks and lots.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "matching/decimal.h"
#include "tools_internal.h"

#define OUTPUT_BUFFER (1u << 18)

typedef struct dump {
    FILE *out;
    matching_instrument *instruments; /* by index; tick_size 0: not known */
    const matching_command *command;
    const matching_instrument *instrument; /* of the command; NULL: none, or not known */
} dump;

/* ---- Members --------------------------------------------------------------------------------- */

/* A text of at most `size` characters, zero-padded. Whoever made the file, it stays one line of
 * ASCII. */
static void put_text(const dump *d, const char *name, const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    if (length == 0) {
        return;
    }
    fprintf(d->out, ",\"%s\":\"", name);
    for (size_t i = 0; i < length; i++) {
        unsigned char character = (unsigned char)text[i];
        if (character < 0x20 || character > 0x7e) {
            fprintf(d->out, "\\u%04x", character);
        } else {
            if (character == '"' || character == '\\') {
                putc('\\', d->out);
            }
            putc(character, d->out);
        }
    }
    putc('"', d->out);
}

static void put_word(const dump *d, const char *name, const char *word)
{
    put_text(d, name, word, SIZE_MAX);
}

static void put_number(const dump *d, const char *name, uint64_t number)
{
    if (number != 0) {
        fprintf(d->out, ",\"%s\":%" PRIu64, name, number);
    }
}

static void put_flag(const dump *d, const char *name, unsigned flag)
{
    if (d->command->flags & flag) {
        fprintf(d->out, ",\"%s\":true", name);
    }
}

static void put_mantissa(const dump *d, const char *name, int64_t mantissa)
{
    char text[MATCHING_DECIMAL_TEXT];
    matching_decimal_print(text, mantissa);
    fprintf(d->out, ",\"%s\":\"%s\"", name, text);
}

/* `count` steps of the instrument's size: as a decimal, or as they are under `name` with `unit`
 * (_ticks, _lots) where the size is not known. 0 is none. */
static void put_steps(const dump *d, const char *name, const char *unit, int64_t count,
                      int64_t step)
{
    int64_t mantissa;
    if (count == 0) {
        return;
    }
    if (d->command->type == MATCHING_AMEND && d->command->flags & MATCHING_FLAG_DECIMALS) {
        put_mantissa(d, name, count);
    } else if (d->instrument != NULL && !__builtin_mul_overflow(count, step, &mantissa)) {
        put_mantissa(d, name, mantissa);
    } else {
        fprintf(d->out, ",\"%s%s\":%" PRId64, name, unit, count);
    }
}

static void put_price(const dump *d, const char *name, int64_t ticks)
{
    put_steps(d, name, "_ticks", ticks, d->instrument != NULL ? d->instrument->tick_size : 0);
}

static void put_quantity(const dump *d, const char *name, int64_t lots)
{
    put_steps(d, name, "_lots", lots, d->instrument != NULL ? d->instrument->lot_size : 0);
}

/* The instrument that the command names: its symbol, or its index where that is all one knows. */
static void put_symbol(const dump *d)
{
    if (d->instrument != NULL) {
        put_word(d, "symbol", d->instrument->symbol);
    } else {
        fprintf(d->out, ",\"instrument\":%u", d->command->instrument);
    }
}

static void put_trader(const dump *d)
{
    put_text(d, "trader_id", d->command->trader_id, sizeof d->command->trader_id);
}

static void put_client_id(const dump *d)
{
    put_text(d, "client_order_id", d->command->client_order_id, sizeof d->command->client_order_id);
}

/* ---- Commands -------------------------------------------------------------------------------- */

static const char *type_name(const matching_command *command)
{
    switch (command->type) {
    case MATCHING_PLACE:
        return command->order_type == MATCHING_LIMIT    ? "limit_order"
               : command->order_type == MATCHING_MARKET ? "market_order"
                                                        : "stop_order";
    case MATCHING_CANCEL:
        return "cancel_order";
    case MATCHING_AMEND:
        return "amend_order";
    case MATCHING_CANCEL_ALL:
        return "cancel_all";
    case MATCHING_SET_STATE:
        return "set_symbol_state";
    case MATCHING_TICK:
        return "tick";
    case MATCHING_ADD_INSTRUMENT:
        return "add_symbol";
    case MATCHING_SET_LIMITS:
        return "set_limits";
    case MATCHING_RELEASE_GUARDS:
        return "release_guards";
    case MATCHING_CANCEL_GUARDED:
        return "cancel_guarded";
    default:
        return "unknown";
    }
}

static void dump_place(const dump *d)
{
    const matching_command *c = d->command;
    put_symbol(d);
    put_trader(d);
    put_client_id(d);
    put_word(d, "side", matching_side_name(c->side));
    put_word(d, "order_type", matching_order_type_name(c->order_type));
    put_word(d, "time_in_force", matching_time_in_force_name(c->time_in_force));
    put_price(d, "price", c->price_ticks);
    put_price(d, "stop_price", c->stop_price_ticks);
    put_quantity(d, "quantity", c->quantity_lots);
    put_quantity(d, "display_quantity", c->display_lots);
    put_number(d, "expire_time", c->expire_time_ms);
    put_flag(d, "post_only", MATCHING_FLAG_POST_ONLY);
    if (c->self_trade != MATCHING_STP_NONE) {
        put_word(d, "self_trade_prevention", matching_self_trade_name(c->self_trade));
    }
    put_flag(d, "cancel_on_disconnect", MATCHING_FLAG_GUARDED);
}

/* Which order it is about. By order_id alone the instrument is the order's, whatever the command
 * has there. */
static void put_target(const dump *d)
{
    put_number(d, "order_id", d->command->order_id);
    put_trader(d);
    put_client_id(d);
    if (d->command->order_id == 0 || d->command->flags & MATCHING_FLAG_HAS_SYMBOL) {
        put_symbol(d);
    }
}

static void dump_amend(const dump *d)
{
    const matching_command *c = d->command;
    put_target(d);
    put_price(d, "price", c->price_ticks);
    put_price(d, "stop_price", c->stop_price_ticks);
    put_quantity(d, c->flags & MATCHING_FLAG_OPEN_QUANTITY ? "open_quantity" : "quantity",
                 c->quantity_lots);
}

static void dump_addition(const dump *d)
{
    const matching_command *c = d->command;
    put_text(d, "symbol", c->symbol, sizeof c->symbol);
    put_number(d, "id", c->instrument_id);
    fprintf(d->out, ",\"instrument\":%u", c->instrument);
    put_mantissa(d, "tick_size", c->price_ticks);
    put_mantissa(d, "lot_size", c->quantity_lots);
    put_text(d, "sbe_char", &c->sbe_char, 1);
    put_word(d, "state", matching_state_name(c->state));
}

static void dump_limits(const dump *d)
{
    const matching_command *c = d->command;
    fprintf(d->out,
            ",\"max_orders\":%" PRId64 ",\"max_levels\":%" PRId64 ",\"max_traders\":%" PRId64
            ",\"retained_orders\":%" PRId64 ",\"max_instruments\":%" PRIu32,
            c->price_ticks, c->quantity_lots, c->display_lots, c->stop_price_ticks,
            c->instrument_id);
}

static void dump_members(const dump *d)
{
    const matching_command *c = d->command;
    switch (c->type) {
    case MATCHING_PLACE:
        dump_place(d);
        break;
    case MATCHING_CANCEL:
        put_target(d);
        put_word(d, "reason", matching_reason_name(c->reason));
        break;
    case MATCHING_AMEND:
        dump_amend(d);
        break;
    case MATCHING_CANCEL_ALL:
        put_trader(d);
        if (!(c->flags & MATCHING_FLAG_ALL_SYMBOLS)) {
            put_symbol(d);
        }
        put_word(d, "reason", matching_reason_name(c->reason));
        break;
    case MATCHING_SET_STATE:
        put_symbol(d);
        put_word(d, "state", matching_state_name(c->state));
        break;
    case MATCHING_ADD_INSTRUMENT:
        dump_addition(d);
        break;
    case MATCHING_SET_LIMITS:
        dump_limits(d);
        break;
    default:
        break;
    }
}

static void dump_command(dump *d, unsigned shard, const matching_command *c)
{
    char time[TOOL_TIME_SIZE];
    d->command = c;
    d->instrument =
        d->instruments[c->instrument].tick_size != 0 ? &d->instruments[c->instrument] : NULL;
    fprintf(d->out,
            "{\"shard\":%u,\"sequence\":%" PRIu64 ",\"time\":\"%s\",\"timestamp\":%" PRIu64
            ",\"type\":\"%s\"",
            shard, c->sequence, tool_time(time, c->time_ns), c->time_ns / 1000000, type_name(c));
    dump_members(d);
    fputs("}\n", d->out);
}

/* ---- The shard ------------------------------------------------------------------------------- */

static void learn(dump *d, const matching_command *c)
{
    matching_instrument *entry = &d->instruments[c->instrument];
    *entry = (matching_instrument){
        .index = c->instrument, .tick_size = c->price_ticks, .lot_size = c->quantity_lots};
    memcpy(entry->symbol, c->symbol, MATCHING_SYMBOL_MAX);
}

/* The instruments that were added before the first segment that is left. */
static int learn_from_snapshot(dump *d, tool *t, unsigned shard)
{
    books b;
    snapshot_head head;
    bool loaded;
    int failed = tool_load_snapshot(t, shard, UINT64_MAX, 1, &b, &head, &loaded);
    if (failed != 0 || !loaded) {
        return failed;
    }
    for (unsigned i = 0; i < b.instrument_end; i++) {
        if (b.instruments[i].symbol[0] != 0) {
            d->instruments[i] = b.instruments[i];
        }
    }
    books_fini(&b);
    return 0;
}

static int dump_all(dump *d, tool *t, unsigned shard, uint64_t first)
{
    uint64_t until = t->options->until != 0 ? t->options->until : UINT64_MAX;
    tool_journal j;
    matching_command command;
    journal_end end = JOURNAL_MORE;
    int code = tool_journal_open(&j, t, shard, first);
    if (code != 0) {
        return code;
    }
    while (j.next <= until && !ferror(d->out) &&
           (end = tool_journal_next(&j, &command)) == JOURNAL_MORE) {
        if (command.type == MATCHING_ADD_INSTRUMENT) {
            learn(d, &command);
        }
        dump_command(d, shard, &command);
    }
    code = tool_journal_end(&j, end);
    tool_journal_close(&j);
    return code;
}

int tool_dump(tool *t, unsigned shard)
{
    dump d = {.out = stdout,
              .instruments = calloc(MATCHING_INSTRUMENTS_MAX + 1, sizeof *d.instruments)};
    if (d.instruments == NULL) {
        return tool_tell(t, MATCHING_EXIT_RUN, shard, "no memory");
    }
    uint64_t first = tool_first_sequence(t, shard);
    char error[TOOL_TEXT_SIZE];
    int failed = snapshot_check_versions(&t->dir, shard, t->options->until, error, sizeof error);
    int code = failed != 0
                   ? tool_tell(t, failed == -EPROTO ? MATCHING_EXIT_USAGE : MATCHING_EXIT_RUN,
                               shard, "%s", error)
               : first > 1 ? learn_from_snapshot(&d, t, shard)
                           : 0;
    if (code == 0 && first > 0) {
        code = dump_all(&d, t, shard, first);
    }
    free(d.instruments);
    return code;
}
