/* Fuzz target: any bytes as what lies in the socket of the HTTP door.
 *
 * What must hold: no crash; a refusal is a whole one; more bytes change neither a refusal into
 * something else nor a good head; what is refused without a part of its first line is refused with
 * it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "screen.h"

static void must(bool holds)
{
    if (!holds)
        abort();
}

/* Of a copy of exactly the size, so that a sanitizer sees a read beyond it. */
static http_screening screen(const uint8_t *data, size_t size, bool is_whole)
{
    http_refusal refusal = {0};
    char *copy = malloc(size > 0 ? size : 1);
    must(copy != NULL);
    memcpy(copy, data, size);
    http_screening found = http_screen(copy, size, is_whole, &refusal);
    must((found == HTTP_HEAD_REFUSED) == (refusal.status >= 400 && refusal.status < 600));
    must(found != HTTP_HEAD_REFUSED || refusal.code != MATCHING_OK);
    free(copy);
    return found;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t cut = (size_t)(data[0] << 8 | data[1]) % (size - 1);
    data += 2;
    size -= 2;
    for (int is_whole = 0; is_whole < 2; is_whole++) {
        http_screening some = screen(data, cut, is_whole);
        http_screening all = screen(data, size, is_whole);
        must(some == HTTP_HEAD_UNFINISHED || some == all);
    }
    /* What may have been read is a part of the first line. */
    if (memchr(data, '\n', cut) == NULL &&
        screen(data + cut, size - cut, false) == HTTP_HEAD_REFUSED)
        must(screen(data, size, false) == HTTP_HEAD_REFUSED);
    return 0;
}
