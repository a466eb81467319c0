/* The bytes of a data directory: what journal segments consist of. docs/journal.md tells it in
 * words; golden files pin it. Numbers are little-endian, records are 8-byte aligned.
 *
 *   DIR/MANIFEST                            text, see data_dir.h
 *   DIR/BEGUN                               text, likewise: each shard has commands
 *   DIR/LOCK                                held (flock) while a process writes here
 *   DIR/shard-00/<sequence, 20 digits>.journal    a segment, named by its first command
 *   DIR/shard-00/<sequence, 20 digits>.snapshot   the state after that command
 *   DIR/shard-00/spare                      the next segment, zero-filled, not yet in use
 *   DIR/shard-00/<any>.tmp                  unfinished; deleted by the next start
 *
 * A segment is a header of one page, then records back to back, then zeros to the end of the file,
 * whose size never changes. A record with length 0 stands where the records end.
 *
 * The chain: each record tells the checksum of the one before it, across segments, so nothing can
 * be missing, moved or left over. The claims: each write begins with a CLAIM record that tells up
 * to which sequence everything was on disk before it. A bad record at or below any claim that
 * follows it is damage; above all of them it is a torn tail. A segment is begun only when the one
 * before it is whole and on disk: a bad record in any but the last segment is damage.
 */
#ifndef MATCHING_JOURNAL_FORMAT_H
#define MATCHING_JOURNAL_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "matching/order.h"

#define JOURNAL_MAGIC "MTCHJRNL"
#define JOURNAL_VERSION 1u
#define JOURNAL_RULES 1u /* of the engine: raised whenever the same commands come out differently */
#define JOURNAL_RECORDS_AT 4096u /* where the first record of a segment begins */
#define JOURNAL_ALIGN 8u
#define JOURNAL_SIZE_MAX ((uint64_t)1 << 32) /* of a segment, as the settings have it */

/* The first bytes of a segment; zeros follow up to JOURNAL_RECORDS_AT. */
typedef struct journal_header {
    char magic[8]; /* JOURNAL_MAGIC, no NUL */
    uint32_t version;
    uint32_t checksum; /* CRC32C of the first JOURNAL_RECORDS_AT bytes with this field 0 */
    uint32_t rules;
    uint32_t shard;
    uint32_t shard_count;
    uint32_t previous; /* checksum of the last record of the segment before; 0: there is none */
    uint64_t first_sequence; /* of its first command, as in its name */
    uint64_t created_ns;     /* Unix time */
    uint64_t size_bytes;     /* of the file */
    uint64_t reserved;
} journal_header;

_Static_assert(sizeof(journal_header) == 64, "the format is pinned");
_Static_assert(offsetof(journal_header, checksum) == 12, "the format is pinned");
_Static_assert(offsetof(journal_header, first_sequence) == 32, "the format is pinned");

typedef enum journal_kind {
    JOURNAL_COMMAND = 1, /* a journal_command follows */
    JOURNAL_CLAIM = 2    /* `sequence` was on disk when this was written; nothing follows */
} journal_kind;

typedef struct journal_record {
    uint32_t length;   /* of the whole record, this head included; a multiple of JOURNAL_ALIGN */
    uint32_t checksum; /* CRC32C of the whole record with this field 0 */
    uint32_t previous; /* checksum of the record before it; of the first: as in the header */
    uint16_t kind;     /* journal_kind */
    uint16_t reserved; /* 0 */
    uint64_t sequence; /* COMMAND: its own, one above the last; CLAIM: see above */
    uint64_t time_ns;  /* Unix time; COMMAND: its own, never going back; CLAIM: when written */
} journal_record;

_Static_assert(sizeof(journal_record) == 32, "the format is pinned");

/* Which optional numbers follow a journal_command, in this order, 8 bytes each. One that is 0 is
 * left out. */
enum {
    JOURNAL_HAS_DISPLAY = 1, /* int64_t display_lots */
    JOURNAL_HAS_STOP = 2,    /* int64_t stop_price_ticks */
    JOURNAL_HAS_EXPIRE = 4,  /* uint64_t expire_time_ms */
    JOURNAL_HAS_ID = 8       /* uint64_t instrument_id */
};

/* A command (matching/command.h), in so far as it can change an outcome: flags without COLLECT and
 * BRIEF; no tag, payload, time of reception or hint. Then the optional numbers, then trader_id (or
 * symbol), then client_order_id, then zeros up to JOURNAL_ALIGN. */
typedef struct journal_command {
    uint64_t order_id;
    int64_t price_ticks;
    int64_t quantity_lots;
    uint16_t instrument;
    uint8_t type;
    uint8_t side;
    uint8_t order_type;
    uint8_t time_in_force;
    uint8_t flags;
    uint8_t self_trade;
    uint8_t reason;
    uint8_t state;
    char sbe_char;
    uint8_t has;           /* JOURNAL_HAS_* */
    uint8_t trader_length; /* at most MATCHING_TRADER_MAX */
    uint8_t client_length; /* at most 40 */
    uint16_t reserved;     /* 0 */
} journal_command;

_Static_assert(sizeof(journal_command) == 40, "the format is pinned");

#define JOURNAL_RECORD_MAX                                                                         \
    (sizeof(journal_record) + sizeof(journal_command) + 4 * 8 + MATCHING_TRADER_MAX + 40)
_Static_assert(JOURNAL_RECORD_MAX % JOURNAL_ALIGN == 0, "so no padding comes on top");

#endif
