/* What a client may send as a compressed message, and as an offer of compression: any bytes. The
 * first byte says how long a message may be. The same bytes are then a message of the server's own,
 * which has to come back from what is made of it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deflate.h"
#include "frames.h"

static void must(bool holds)
{
    if (!holds) {
        abort();
    }
}

/* Is it an agreement, whatever was offered? */
static void check_offers(const uint8_t *data, size_t size)
{
    static const char agreed[] = "permessage-deflate; server_no_context_takeover; "
                                 "client_no_context_takeover";
    char answer[WIRE_ANSWER_MAX];
    char *offers = malloc(size + 1);
    must(offers != NULL);
    memcpy(offers, data, size);
    offers[size] = '\0';
    memset(answer, 'x', sizeof answer);
    unsigned window_bits = wire_deflate_choose(offers, answer);
    must(memchr(answer, '\0', sizeof answer) != NULL);
    if (window_bits == 0) {
        must(answer[0] == '\0');
    } else {
        must(window_bits >= 8 && window_bits <= 15);
        must(strncmp(answer, agreed, sizeof agreed - 1) == 0);
    }
    free(offers);
}

static void check_inbound(wire_unpacker *unpacker, const uint8_t *data, size_t size, size_t most)
{
    uint8_t *payload = malloc(size + 1); /* at the end of its memory */
    size_t unpacked = 0;
    must(payload != NULL);
    memcpy(payload + 1, data, size);
    wire_unpacked result = wire_unpack(unpacker, payload + 1, size, most, &unpacked);
    must(result != WIRE_UNPACKED_NO_MEMORY);
    must(unpacker->room <= (most + 1 > 4096 ? most + 1 : 4096));
    if (result == WIRE_UNPACKED) {
        must(unpacked <= most);
        (void)wire_is_text(unpacker->out, unpacked);
    }
    free(payload);
}

static void check_outbound(wire_unpacker *unpacker, const uint8_t *data, size_t size)
{
    wire_packer packers[WIRE_PACKING_COUNT] = {{.is_ready = false}};
    size_t packed = 0, unpacked = 0;
    const unsigned char *gzip = wire_pack(&packers[WIRE_GZIP], WIRE_GZIP, data, size, &packed);
    must(gzip == NULL || packed < size);
    const unsigned char *bytes =
        wire_pack(&packers[WIRE_DEFLATE], WIRE_DEFLATE, data, size, &packed);
    if (bytes != NULL) {
        must(packed < size);
        must(wire_unpack(unpacker, bytes, packed, size, &unpacked) == WIRE_UNPACKED);
        must(unpacked == size && memcmp(unpacker->out, data, size) == 0);
    }
    wire_packer_fini(&packers[WIRE_DEFLATE]);
    wire_packer_fini(&packers[WIRE_GZIP]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    wire_unpacker small = {.is_ready = false}, large = {.is_ready = false};
    if (size < 2) {
        return 0;
    }
    check_offers(data + 1, size - 1);
    check_inbound(&small, data + 1, size - 1, (size_t)data[0] * 64);
    check_inbound(&small, data + 1, size - 1, (size_t)data[0] * 64); /* used again */
    check_outbound(&large, data + 1, size - 1);
    wire_unpacker_fini(&small);
    wire_unpacker_fini(&large);
    return 0;
}
