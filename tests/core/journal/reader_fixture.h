/* A journal of three segments, to be read. */
#ifndef MATCHING_TESTS_JOURNAL_READER_FIXTURE_H
#define MATCHING_TESTS_JOURNAL_READER_FIXTURE_H

#include "core/journal/workshop.h"

#define READER_SIZE ((size_t)16384) /* of a segment */

extern workshop shop;
extern image images[3];

/* Three segments on disk: commands 1..30, 31..60, 61..85. */
void three_segments(void);

/* Writes them once more, as they are in `images` now. */
void put_back(void);
void finish(void);

/* Its trouble has this text. */
bool mentions(const outcome *o, const char *text);

/* All of from..last was read as written. */
bool has_read(const outcome *o, uint64_t from, uint64_t last);

#endif
