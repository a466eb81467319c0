/* See script.h. A line that is not understood in full breaks the whole. */
#define _GNU_SOURCE
#include "market/script.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "market/xz.h"

static void *grown(void *array, size_t count, size_t *room, size_t element)
{
    if (count < *room) {
        return array;
    }
    *room = *room * 2 + 1024;
    array = realloc(array, *room * element);
    if (array == NULL) {
        abort();
    }
    return array;
}

/* " id:quantity@price" as often as it comes. */
static bool read_fills(script *s, script_line *line, const char *text)
{
    line->first_fill = s->fill_count;
    while (*text != '\0') {
        s->fills = grown(s->fills, s->fill_count, &s->fill_room, sizeof *s->fills);
        script_fill *fill = &s->fills[s->fill_count];
        int used = 0;
        if (sscanf(text, " %15[a-z0-9]:%" SCNd64 "@%" SCNd64 "%n", fill->id, &fill->quantity,
                   &fill->price, &used) != 3) {
            return false;
        }
        text += used;
        s->fill_count++;
        line->fill_count++;
    }
    return line->fill_count > 0;
}

static bool read_ioc(script *s, script_line *line, const char *text)
{
    char word[8];
    int used = 0;
    if (sscanf(text, "I %c %" SCNd64 " %" SCNd64 " %7[A-Z]%n", &line->side, &line->price,
               &line->quantity, word, &used) != 4) {
        return false;
    }
    line->exempt = strcmp(word, "EXEMPT") == 0;
    return (line->exempt || strcmp(word, "OK") == 0) && read_fills(s, line, text + used);
}

static bool read_line(script *s, script_line *line, const char *text)
{
    char rest;
    script_best *best = &line->best;
    line->kind = text[0];
    switch (text[0]) {
    case 'A':
        return sscanf(text, "A %15[a-z0-9] %c %" SCNd64 " %" SCNd64 "%c", line->id, &line->side,
                      &line->price, &line->quantity, &rest) == 4;
    case 'R':
        return sscanf(text, "R %15[a-z0-9] %" SCNd64 "%c", line->id, &line->quantity, &rest) == 2;
    case 'X':
        return sscanf(text, "X %15[a-z0-9]%c", line->id, &rest) == 1;
    case 'I':
        return read_ioc(s, line, text);
    case 'C':
        return sscanf(text, "C %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 "%c", &best->bid,
                      &best->bid_quantity, &best->ask, &best->ask_quantity, &rest) == 4;
    default:
        return false;
    }
}

static script_outcome read_all(script *s, FILE *from)
{
    char *text = NULL;
    size_t size = 0;
    ssize_t length;
    script_outcome outcome = SCRIPT_READ;
    while (outcome == SCRIPT_READ && (length = getline(&text, &size, from)) > 0) {
        if (text[length - 1] == '\n') {
            text[length - 1] = '\0';
        }
        s->lines = grown(s->lines, s->count, &s->room, sizeof *s->lines);
        s->lines[s->count] = (script_line){0};
        if (!read_line(s, &s->lines[s->count], text)) {
            fprintf(stderr, "line %zu is not understood: %s\n", s->count + 1, text);
            outcome = SCRIPT_BROKEN;
        }
        s->count++;
    }
    free(text);
    return outcome;
}

script_outcome script_read(script *s, const char *path)
{
    xz_file file;
    memset(s, 0, sizeof *s);
    if (xz_open(&file, path) != XZ_READ) {
        return SCRIPT_BROKEN;
    }
    script_outcome outcome = read_all(s, file.from);
    switch (xz_close(&file, path)) {
    case XZ_ABSENT:
        return SCRIPT_NO_XZ;
    case XZ_BROKEN:
        return SCRIPT_BROKEN;
    default:
        return s->count > 0 ? outcome : SCRIPT_BROKEN;
    }
}

void script_free(script *s)
{
    free(s->lines);
    free(s->fills);
    memset(s, 0, sizeof *s);
}
