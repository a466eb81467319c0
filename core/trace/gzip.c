/* See gzip.h. Spans look much alike, so that the quickest way makes them some tenth of their size
 * already; a better one takes time from whoever needs the processor.
 */
#include "trace/gzip.h"

#include <limits.h>
#include <stdlib.h>

#define GZIP_WINDOW_BITS (15 + 16) /* zlib's way to ask for gzip's frame */
#define MEMORY_LEVEL 8             /* zlib's usual one */

static bool begin(gzip_body *out)
{
    if (out->is_ready) {
        return deflateReset(&out->stream) == Z_OK;
    }
    out->is_ready = deflateInit2(&out->stream, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW_BITS,
                                 MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK;
    return out->is_ready;
}

static bool make_room(gzip_body *out, size_t length)
{
    size_t wanted = deflateBound(&out->stream, length);
    if (wanted <= out->capacity) {
        return true;
    }
    unsigned char *bytes = realloc(out->bytes, wanted);
    if (bytes == NULL) {
        return false;
    }
    out->bytes = bytes;
    out->capacity = wanted;
    return true;
}

bool gzip_make(gzip_body *out, const char *body, size_t length)
{
    out->length = 0;
    if (length > UINT_MAX / 2 || !begin(out) || !make_room(out, length)) {
        return false;
    }
    z_stream *stream = &out->stream;
    stream->next_in = (unsigned char *)body; /* it only reads */
    stream->avail_in = (uInt)length;
    stream->next_out = out->bytes;
    stream->avail_out = out->capacity < UINT_MAX ? (uInt)out->capacity : UINT_MAX;
    if (deflate(stream, Z_FINISH) != Z_STREAM_END) {
        return false;
    }
    out->length = (size_t)(stream->next_out - out->bytes);
    return true;
}

void gzip_free(gzip_body *out)
{
    if (out->is_ready) {
        (void)deflateEnd(&out->stream);
    }
    free(out->bytes);
    *out = (gzip_body){.is_ready = false};
}
