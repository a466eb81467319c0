/* Reads a compressed file of recorded market data through the program xz. */
#ifndef MATCHING_TESTS_MARKET_XZ_H
#define MATCHING_TESTS_MARKET_XZ_H

#include <stdio.h>
#include <sys/types.h>

typedef enum xz_outcome { XZ_READ = 0, XZ_BROKEN, XZ_ABSENT } xz_outcome;

typedef struct xz_file {
    FILE *from; /* the plain text; NULL: it could not be opened */
    pid_t child;
} xz_file;

/* XZ_READ: *file is open. XZ_BROKEN: no memory or processes for it, said on stderr. */
xz_outcome xz_open(xz_file *file, const char *path);

/* After all was read. XZ_ABSENT: this machine has no xz. XZ_BROKEN: what was read is not the whole
 * file, said on stderr. */
xz_outcome xz_close(xz_file *file, const char *path);

#endif
