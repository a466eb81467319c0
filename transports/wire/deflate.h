/* Compression: permessage-deflate (RFC 7692) both ways, and gzip (RFC 1952) outbound.
 *
 * Every message is compressed by itself: both sides forget what went before
 * (server_no_context_takeover and client_no_context_takeover are part of every agreement). So a
 * message for many is compressed once, and a connection keeps no memory for it: there is one packer
 * and one unpacker for a server.
 *
 * Pure: no socket. Memory comes with the first message and stays. Any thread, one at a time for
 * each object.
 */
#ifndef MATCHING_WIRE_DEFLATE_H
#define MATCHING_WIRE_DEFLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <zlib.h>

#define WIRE_WINDOW_BITS                                                                           \
    12u /* of what is sent: messages are short, and many repeat themselves within 4 KiB */
#define WIRE_ANSWER_MAX 160u /* bytes of an answer to an offer, with its NUL */

/* ---- The agreement (section 7.1) ------------------------------------------------------------- */

/* What a client offers in Sec-WebSocket-Extensions: the first offer that can be taken, as the
 * header's value in the answer. Returns the window that the client has for what is sent to it, in
 * bits (8 to 15), or 0: nothing that it offers is spoken here. */
unsigned wire_deflate_choose(const char *offers, char answer[WIRE_ANSWER_MAX]);

/* A client with such a window can read a message of so many bytes, compressed. */
static inline bool wire_deflate_reaches(unsigned window_bits, size_t length)
{
    return window_bits >= WIRE_WINDOW_BITS || length <= (size_t)1 << window_bits;
}

/* ---- Messages -------------------------------------------------------------------------------- */

typedef enum wire_packing {
    WIRE_DEFLATE = 0, /* without the four bytes at the end that section 7.2.1 leaves out */
    WIRE_GZIP = 1,
    WIRE_PACKING_COUNT = 2,
    WIRE_PLAIN = WIRE_PACKING_COUNT
} wire_packing;

/* All zeros: not used yet. */
typedef struct wire_packer {
    z_stream stream;
    bool is_ready;
    unsigned char *out;
    size_t room;
} wire_packer;

/* The message, compressed, valid until the next call. NULL: it does not get smaller, or memory is
 * out. */
const unsigned char *wire_pack(wire_packer *packer, wire_packing how, const void *message,
                               size_t length, size_t *packed);
void wire_packer_fini(wire_packer *packer);

/* All zeros: not used yet. */
typedef struct wire_unpacker {
    z_stream stream;
    bool is_ready;
    unsigned char *out;
    size_t room;
} wire_unpacker;

typedef enum wire_unpacked {
    WIRE_UNPACKED = 0,
    WIRE_UNPACKED_TOO_LARGE, /* more than `most` bytes; no more than that was made */
    WIRE_UNPACKED_BROKEN,
    WIRE_UNPACKED_NO_MEMORY
} wire_unpacked;

/* A client's message (section 7.2.2), whole: into unpacker->out, valid until the next call. */
wire_unpacked wire_unpack(wire_unpacker *unpacker, const void *payload, size_t length, size_t most,
                          size_t *unpacked);
void wire_unpacker_fini(wire_unpacker *unpacker);

/* The most bytes that a compressed message may have, so that one of `most` bytes which does not get
 * smaller is taken whatever made it. */
static inline size_t wire_packed_most(size_t most)
{
    return most + most / 8 + 64;
}

#endif
