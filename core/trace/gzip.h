/* A request's body as gzip, for OTEL_EXPORTER_OTLP_COMPRESSION. One thread for each gzip_body. */
#ifndef MATCHING_TRACE_GZIP_H
#define MATCHING_TRACE_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

/* All zeros: nothing yet. What it holds is kept for the next body. */
typedef struct gzip_body {
    z_stream stream;
    bool is_ready;
    unsigned char *bytes; /* heap; see gzip_free */
    size_t length, capacity;
} gzip_body;

/* bytes and length are the whole of it as one member. False: no memory. */
bool gzip_make(gzip_body *out, const char *body, size_t length);

/* Its memory; it is as at the beginning then. */
void gzip_free(gzip_body *out);

#endif
