/* A recorded hour of a real market as commands, and what a correct engine answers.
 *
 * One line each: `A id side price quantity` rests an order · `R id n` reduces it by n · `X id`
 * cancels it · `I side limit quantity OK id:quantity@price ...` an IOC order that fills exactly
 * these makers in this order · `I ... EXEMPT ...` is not sent: those makers lose those amounts ·
 * `C bid quantity ask quantity` the best levels are these, 0 0: none. Prices are in 1/10000 dollar.
 */
#ifndef MATCHING_TESTS_MARKET_SCRIPT_H
#define MATCHING_TESTS_MARKET_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCRIPT_ID_SIZE 16 /* NUL included */

typedef struct script_fill {
    char id[SCRIPT_ID_SIZE];
    int64_t quantity, price;
} script_fill;

typedef struct script_best {
    int64_t bid, bid_quantity, ask, ask_quantity;
} script_best;

typedef struct script_line {
    char kind; /* A R X I C */
    char side; /* B S */
    bool exempt;
    char id[SCRIPT_ID_SIZE];
    int64_t price, quantity; /* R: by how much */
    script_best best;        /* C */
    size_t first_fill, fill_count;
} script_line;

typedef struct script {
    script_line *lines;
    size_t count, room;
    script_fill *fills;
    size_t fill_count, fill_room;
} script;

typedef enum script_outcome { SCRIPT_READ, SCRIPT_NO_XZ, SCRIPT_BROKEN } script_outcome;

/* Reads an xz-compressed script by the command `xz`. Complaints go to stderr. */
script_outcome script_read(script *s, const char *path);
void script_free(script *s);

#endif
