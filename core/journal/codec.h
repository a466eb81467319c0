/* Commands to journal records and back. Pure functions; any thread. */
#ifndef MATCHING_JOURNAL_CODEC_H
#define MATCHING_JOURNAL_CODEC_H

#include <stdbool.h>
#include <stddef.h>

#include "journal/format.h"
#include "matching/command.h"

/* Writes the command (with its sequence and time) as a COMMAND record whose checksum and previous
 * are 0. Returns its length, at most JOURNAL_RECORD_MAX; out is 8-byte aligned and has room for
 * that. Padding is written too. */
size_t journal_encode(const matching_command *command, void *out);

/* The reverse, for a COMMAND record whose checksum is right: fields that the journal does not keep
 * are 0. NULL, or what is wrong with it (static string): then *command is undefined. Every byte is
 * looked at: one that encode would not have written is wrong. */
const char *journal_decode(const journal_record *record, matching_command *command);

/* Links a record into the chain: sets `previous`, then `checksum`, which it returns. */
uint32_t journal_seal(journal_record *record, uint32_t previous);

/* Is its checksum right? `length` bytes are readable and length is plausible. */
bool journal_record_is_whole(const journal_record *record);

/* A claim, unsealed. */
void journal_make_claim(journal_record *record, uint64_t durable_sequence, uint64_t now_ns);

/* The header of a segment, sealed, JOURNAL_RECORDS_AT bytes. */
void journal_make_header(void *page, unsigned shard, unsigned shard_count, uint64_t first_sequence,
                         uint32_t previous, uint64_t size_bytes, uint64_t now_ns);

#endif
