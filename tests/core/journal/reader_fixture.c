/* See reader_fixture.h. */
#include "core/journal/reader_fixture.h"

#include <stdio.h>
#include <string.h>

workshop shop;
image images[3];

bool mentions(const outcome *o, const char *text)
{
    if (strstr(o->trouble, text) != NULL) {
        return true;
    }
    printf("\n    \"%s\" lacks \"%s\" ", o->trouble, text);
    return false;
}

bool has_read(const outcome *o, uint64_t from, uint64_t last)
{
    return o->count == last + 1 - from && (o->count == 0 || o->first == from) && o->as_written &&
           o->position.last_sequence == last;
}

void three_segments(void)
{
    uint32_t previous = 0;
    uint64_t first = 1;
    workshop_begin(&shop, 1);
    for (unsigned i = 0; i < 3; i++) {
        image_begin(&images[i], 0, 1, first, previous, READER_SIZE);
        for (unsigned batch = 0; batch < 5; batch++) {
            image_batch(&images[i], i == 2 ? 5 : 6);
        }
        workshop_put_image(&shop, &images[i]);
        previous = images[i].checksum;
        first = images[i].last_sequence + 1;
    }
}

void put_back(void)
{
    for (unsigned i = 0; i < 3; i++) {
        workshop_put_image(&shop, &images[i]);
    }
}

void finish(void)
{
    for (unsigned i = 0; i < 3; i++) {
        image_free(&images[i]);
    }
    workshop_end(&shop);
}
