/* CRC32C by the processor's instruction (x86-64 with SSE 4.2), or eight bytes a step by tables. */
#include "journal/checksum.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82F63B78u /* 0x1EDC6F41 with its bits in reverse */

/* tables[k][b]: what the byte b does to a checksum k bytes later. Filled once. */
static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
        }
        tables[0][byte] = crc;
    }
    for (unsigned k = 1; k < 8; k++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            uint32_t crc = tables[k - 1][byte];
            tables[k][byte] = crc >> 8 ^ tables[0][crc & 0xFF];
        }
    }
}

uint32_t checksum_crc32c_tables(uint32_t crc, const void *bytes, size_t size)
{
    pthread_once(&tables_once, fill_tables);
    const uint8_t *at = bytes;
    crc = ~crc;
    for (; size >= 8; size -= 8, at += 8) {
        crc ^= at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
        crc = tables[7][crc & 0xFF] ^ tables[6][crc >> 8 & 0xFF] ^ tables[5][crc >> 16 & 0xFF] ^
              tables[4][crc >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
              tables[0][at[7]];
    }
    for (; size > 0; size--, at++) {
        crc = crc >> 8 ^ tables[0][(crc ^ *at) & 0xFF];
    }
    return ~crc;
}

#if defined(__x86_64__)

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const void *bytes,
                                                                 size_t size)
{
    const uint8_t *at = bytes;
    uint64_t wide = ~crc;
    for (; size >= 8; size -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    for (; size > 0; size--, at++) {
        crc = __builtin_ia32_crc32qi(crc, *at);
    }
    return ~crc;
}

uint32_t checksum_crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return __builtin_cpu_supports("sse4.2") ? by_instruction(crc, bytes, size)
                                            : checksum_crc32c_tables(crc, bytes, size);
}

#else

uint32_t checksum_crc32c(uint32_t crc, const void *bytes, size_t size)
{
    return checksum_crc32c_tables(crc, bytes, size);
}

#endif
