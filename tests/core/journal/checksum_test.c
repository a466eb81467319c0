/* CRC32C: the values of RFC 3720, and that all ways of computing it agree. */
#include "journal/checksum.h"

#include "support/cunit_main.h"

static void both_are(const void *bytes, size_t size, uint32_t expected)
{
    CU_ASSERT_EQUAL(checksum_crc32c(0, bytes, size), expected);
    CU_ASSERT_EQUAL(checksum_crc32c_tables(0, bytes, size), expected);
}

/* RFC 3720, appendix B.4, and the check value that catalogues of CRCs give. */
static void test_values_of_the_standard(void)
{
    uint8_t bytes[32];
    both_are("", 0, 0);
    both_are("123456789", 9, 0xE3069283);
    memset(bytes, 0, sizeof bytes);
    both_are(bytes, sizeof bytes, 0x8A9136AA);
    memset(bytes, 0xFF, sizeof bytes);
    both_are(bytes, sizeof bytes, 0x62A8AB43);
    for (unsigned i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)i;
    }
    both_are(bytes, sizeof bytes, 0x46DD794E);
}

static void test_any_length_and_place_in_one_piece_or_two(void)
{
    uint8_t bytes[300];
    uint32_t random = 20110620;
    for (unsigned i = 0; i < sizeof bytes; i++) {
        random = random * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(random >> 24);
    }
    for (size_t from = 0; from < 9; from++) {
        for (size_t size = 0; from + size <= sizeof bytes; size++) {
            uint32_t whole = checksum_crc32c(0, bytes + from, size);
            size_t half = size / 3;
            uint32_t first = checksum_crc32c(0, bytes + from, half);
            CU_ASSERT_EQUAL_FATAL(whole, checksum_crc32c_tables(0, bytes + from, size));
            CU_ASSERT_EQUAL_FATAL(whole, checksum_crc32c(first, bytes + from + half, size - half));
        }
    }
}

MATCHING_TESTS(MATCHING_TEST(test_values_of_the_standard),
               MATCHING_TEST(test_any_length_and_place_in_one_piece_or_two))
