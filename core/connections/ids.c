/* See ids.h. */
#include "ids.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

bool connection_ids_refill(connection_ids *ids)
{
    size_t got = 0;
    while (got < sizeof ids->random) {
        ssize_t more = getrandom(ids->random + got, sizeof ids->random - got, 0);
        if (more < 0 && errno != EINTR) {
            return false;
        }
        got += more > 0 ? (size_t)more : 0;
    }
    ids->left = CONNECTION_IDS_AT_ONCE;
    return true;
}

bool connection_ids_take(connection_ids *ids, uint64_t words[2])
{
    if (ids->left == 0 && !connection_ids_refill(ids)) {
        return false;
    }
    unsigned char *bytes = ids->random + (size_t)--ids->left * CONNECTION_ID_BYTES;
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
    memcpy(words, bytes, CONNECTION_ID_BYTES);
    return true;
}

void connection_id_print(char out[MATCHING_CONNECTION_ID_SIZE], const uint64_t words[2])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[CONNECTION_ID_BYTES];
    memcpy(bytes, words, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *out++ = '-';
        }
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}
