/* The table of instruments: look-ups by any thread without a lock, additions one at a time.
 *
 * Invariants: an index is given away once and its entry written before anybody can find it; a cell
 * is filled after its entry and never emptied, so a probe that meets a free cell has seen all;
 * symbols, ids and letters of all entries, listed or not, are unique.
 *
 * Two steps lie between an addition and its being found. The shard reserves, which decides whether
 * it is refused; the instrument is listed when its command is durable, by the first port that is
 * told. So whoever finds an instrument sends commands that its shard meets after the addition.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shard/core_internal.h"

/* FNV-1a with a seed, and a finaliser, for its low bits alone spread names badly. It says
 * which shard has a symbol, so it never changes. With this seed the default instruments get
 * different shards for every shard count that has room for that. */
#define SYMBOL_SEED 223u

static uint64_t symbol_hash(const char *symbol, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325u ^ SYMBOL_SEED;
    for (size_t i = 0; i < length; i++) {
        hash = (hash ^ (unsigned char)symbol[i]) * 0x100000001b3u;
    }
    hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash >> 29) * 0xBF58476D1CE4E5B9u;
    return hash ^ hash >> 32;
}

unsigned core_shard_of(const matching_core *core, const char *symbol)
{
    return (unsigned)(symbol_hash(symbol, strnlen(symbol, MATCHING_SYMBOL_MAX)) %
                      core->shard_count);
}

/* ---- Look-ups -------------------------------------------------------------------------------- */

/* Where the search for a symbol begins. Quicker than symbol_hash, which goes byte by byte: the ends
 * of the name, which may overlap, hold all of it. */
static uint64_t first_cell(const char *symbol, size_t length)
{
    uint64_t head = 0, tail = 0;
    if (length >= 8) {
        memcpy(&head, symbol, 8);
        memcpy(&tail, symbol + length - 8, 8);
    } else if (length >= 4) {
        memcpy(&head, symbol, 4);
        memcpy(&tail, symbol + length - 4, 4);
    } else if (length > 0) {
        head = (unsigned char)symbol[0];
        tail = (uint64_t)(unsigned char)symbol[length / 2] << 8 | (unsigned char)symbol[length - 1];
    }
    uint64_t hash = head * 0x9E3779B97F4A7C15u ^ (tail + length) * 0xBF58476D1CE4E5B9u;
    hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
}

const matching_instrument *matching_core_find_instrument(const matching_core *core,
                                                         const char *symbol, size_t length)
{
    const instrument_table *table = &core->instruments;
    if (length == 0 || length > MATCHING_SYMBOL_MAX) {
        return NULL;
    }
    for (size_t at = first_cell(symbol, length);; at++) {
        unsigned cell =
            atomic_load_explicit(&table->cells[at & table->cell_mask], memory_order_acquire);
        if (cell == 0) {
            return NULL;
        }
        const matching_instrument *found = &table->entries[cell - 1];
        if (memcmp(found->symbol, symbol, length) == 0 && found->symbol[length] == '\0') {
            return found;
        }
    }
}

size_t matching_core_instrument_count(const matching_core *core)
{
    return atomic_load_explicit(&core->instruments.end, memory_order_acquire);
}

/* The state with INSTRUMENT_UNLISTED; that alone beyond the table. */
static unsigned state_of(const matching_core *core, size_t index)
{
    return index < core->options.max_instruments
               ? (uint8_t)atomic_load_explicit(&core->instruments.states[index],
                                               memory_order_acquire)
               : INSTRUMENT_UNLISTED;
}

const matching_instrument *matching_core_instrument(const matching_core *core, size_t index)
{
    return state_of(core, index) < INSTRUMENT_UNLISTED ? &core->instruments.entries[index] : NULL;
}

matching_state matching_core_state(const matching_core *core, size_t index)
{
    unsigned state = state_of(core, index);
    return state < INSTRUMENT_UNLISTED ? (matching_state)state : MATCHING_HALTED;
}

size_t matching_core_instrument_limit(const matching_core *core)
{
    return core->options.max_instruments;
}

void core_set_state(matching_core *core, uint16_t instrument, uint8_t state, uint64_t sequence)
{
    _Atomic uint64_t *at = &core->instruments.states[instrument];
    uint64_t wanted = sequence << STATE_BITS | state;
    uint64_t now = atomic_load_explicit(at, memory_order_relaxed);
    while (now >> STATE_BITS < sequence &&
           !atomic_compare_exchange_weak_explicit(at, &now, wanted, memory_order_release,
                                                  memory_order_relaxed)) {
    }
}

/* ---- Additions ------------------------------------------------------------------------------- */

/* What of the entry is taken already; NONE: nothing. Additions are rare: it looks at all. */
static matching_field find_conflict(const instrument_table *table, const matching_instrument *entry)
{
    matching_field found = MATCHING_FIELD_NONE;
    for (size_t i = 0; i < table->taken; i++) {
        const matching_instrument *other = &table->entries[i];
        if (strcmp(other->symbol, entry->symbol) == 0) {
            return MATCHING_FIELD_SYMBOL;
        }
        if (other->id == entry->id) {
            found = MATCHING_FIELD_ID;
        } else if (entry->sbe_char != 0 && other->sbe_char == entry->sbe_char &&
                   found == MATCHING_FIELD_NONE) {
            found = MATCHING_FIELD_SBE_CHAR;
        }
    }
    return found;
}

/* One above the highest; where that is the highest that there can be, the lowest free one. */
static uint32_t next_id(const instrument_table *table)
{
    uint32_t highest = 0;
    for (size_t i = 0; i < table->taken; i++) {
        highest = table->entries[i].id > highest ? table->entries[i].id : highest;
    }
    if (highest < UINT32_MAX) {
        return highest + 1;
    }
    for (uint32_t id = 1;; id++) {
        const matching_instrument wanted = {.id = id};
        if (find_conflict(table, &wanted) == MATCHING_FIELD_NONE) {
            return id;
        }
    }
}

/* The lowest; one that a recovery left free is nobody's: no journal knows it. */
static size_t free_index(const instrument_table *table)
{
    size_t index = 0;
    while (index < table->taken && table->entries[index].symbol[0] != 0) {
        index++;
    }
    return index;
}

static matching_code reserve(matching_core *core, matching_instrument *entry, uint8_t state,
                             matching_field *field)
{
    instrument_table *table = &core->instruments;
    entry->id = entry->id != 0 ? entry->id : next_id(table);
    *field = find_conflict(table, entry);
    if (*field != MATCHING_FIELD_NONE) {
        return MATCHING_INVALID_PARAMETER;
    }
    size_t index = free_index(table);
    if (index == core->options.max_instruments) {
        return MATCHING_BOOK_FULL;
    }
    entry->index = (uint16_t)index;
    entry->shard = (uint8_t)core_shard_of(core, entry->symbol);
    table->entries[index] = *entry;
    atomic_store_explicit(&table->states[index], INSTRUMENT_UNLISTED | state, memory_order_relaxed);
    table->taken = index == table->taken ? index + 1 : table->taken;
    return MATCHING_OK;
}

matching_code core_reserve_instrument(matching_core *core, matching_command *command,
                                      matching_field *field)
{
    instrument_table *table = &core->instruments;
    matching_instrument entry = {.id = command->instrument_id,
                                 .sbe_char = command->sbe_char,
                                 .tick_size = command->price_ticks,
                                 .lot_size = command->quantity_lots};
    memcpy(entry.symbol, command->symbol, MATCHING_SYMBOL_MAX);
    pthread_mutex_lock(&table->lock);
    matching_code code = reserve(core, &entry, command->state, field);
    pthread_mutex_unlock(&table->lock);
    if (code == MATCHING_OK) {
        command->instrument = entry.index;
        command->instrument_id = entry.id;
    }
    return code;
}

void core_list_instrument(matching_core *core, uint16_t index)
{
    instrument_table *table = &core->instruments;
    const matching_instrument *entry = &table->entries[index];
    pthread_mutex_lock(&table->lock);
    uint64_t state = atomic_load_explicit(&table->states[index], memory_order_relaxed);
    if (state & INSTRUMENT_UNLISTED) {
        size_t at = first_cell(entry->symbol, strlen(entry->symbol)) & table->cell_mask;
        while (atomic_load_explicit(&table->cells[at], memory_order_relaxed) != 0) {
            at = (at + 1) & table->cell_mask;
        }
        atomic_store_explicit(&table->states[index], state & ~(uint64_t)INSTRUMENT_UNLISTED,
                              memory_order_release);
        atomic_store_explicit(&table->cells[at], (uint16_t)(index + 1), memory_order_release);
        if (index >= atomic_load_explicit(&table->end, memory_order_relaxed)) {
            atomic_store_explicit(&table->end, index + 1u, memory_order_release);
        }
    }
    pthread_mutex_unlock(&table->lock);
}

/* ---- At the start ---------------------------------------------------------------------------- */

static int add_configured(matching_core *core, size_t i, char *error, size_t error_size)
{
    const matching_instrument_options *from = &core->options.instruments[i];
    size_t length = strnlen(from->symbol, sizeof from->symbol);
    matching_instrument entry = {.id = from->id,
                                 .sbe_char = from->sbe_char,
                                 .tick_size = from->tick_size,
                                 .lot_size = from->lot_size};
    matching_field field = MATCHING_FIELD_NONE;
    bool good =
        length > 0 && length <= MATCHING_SYMBOL_MAX && from->tick_size > 0 && from->lot_size > 0;
    if (good) {
        memcpy(entry.symbol, from->symbol, length);
        good = reserve(core, &entry, MATCHING_TRADING, &field) == MATCHING_OK;
    }
    if (!good) {
        snprintf(error, error_size, "instrument %zu (%.16s) has a bad or repeated name, %s", i + 1,
                 from->symbol, "id, letter or size");
        return -EINVAL;
    }
    core_list_instrument(core, entry.index);
    return 0;
}

int instruments_add_configured(matching_core *core, char *error, size_t error_size)
{
    int failed = 0;
    for (size_t i = 0; failed == 0 && i < core->options.instrument_count; i++) {
        failed = add_configured(core, i, error, error_size);
    }
    return failed;
}

/* Indexes may be missing between others: an addition whose shard lost it before it was durable. */
bool core_restore_instrument(matching_core *core, const matching_instrument *entry, uint8_t state)
{
    instrument_table *table = &core->instruments;
    if (entry->index >= core->options.max_instruments ||
        table->entries[entry->index].symbol[0] != 0 ||
        find_conflict(table, entry) != MATCHING_FIELD_NONE ||
        core_shard_of(core, entry->symbol) != entry->shard) {
        return false;
    }
    table->entries[entry->index] = *entry;
    atomic_store_explicit(&table->states[entry->index], INSTRUMENT_UNLISTED | state,
                          memory_order_relaxed);
    table->taken = entry->index >= table->taken ? entry->index + 1u : table->taken;
    core_list_instrument(core, entry->index);
    return true;
}

int instruments_init(matching_core *core)
{
    instrument_table *table = &core->instruments;
    size_t limit = core->options.max_instruments;
    pthread_mutex_init(&table->lock, NULL);
    table->cell_mask = (size_t)core_power_of_two(2 * limit + 1) - 1;
    table->entries = calloc(limit, sizeof *table->entries);
    table->cells = calloc(table->cell_mask + 1, sizeof *table->cells);
    table->states = calloc(limit, sizeof *table->states);
    if (table->entries == NULL || table->cells == NULL || table->states == NULL) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < limit; i++) {
        atomic_init(&table->states[i], INSTRUMENT_UNLISTED);
    }
    return 0;
}

void instruments_fini(matching_core *core)
{
    instrument_table *table = &core->instruments;
    free(table->entries);
    free((void *)table->cells);
    free((void *)table->states);
    pthread_mutex_destroy(&table->lock);
}
