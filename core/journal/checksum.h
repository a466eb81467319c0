/* CRC32C (Castagnoli, RFC 3720 appendix B.4): reflected, initial value and final xor 0xFFFFFFFF. */
#ifndef MATCHING_CHECKSUM_H
#define MATCHING_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from `crc`, the checksum of what came before; 0 at first. By the processor's instruction
 * where it has one, which is asked at run time, otherwise by tables. Any thread. */
uint32_t checksum_crc32c(uint32_t crc, const void *bytes, size_t size);

/* The tables' way, for tests. */
uint32_t checksum_crc32c_tables(uint32_t crc, const void *bytes, size_t size);

#endif
