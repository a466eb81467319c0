/* Fields of SBE blocks: what a kind of field takes on the wire, and how it is read and written.
 *
 * Bytes are little endian and lie at any alignment, so every load and store is a memcpy, which
 * compilers make one instruction. Nothing here looks at lengths: who calls has a whole block.
 *
 * A kind is a word of the tables in sbe_messages.h: u8 u16 u32 u64 i64 f64 chr (one character)
 * text16 text32 (zero-padded, not NUL-terminated) pad2 pad3 pad4 pad7 pad8 (written as zeros, not
 * read). SBE 1.0, "Field encoding".
 */
#ifndef MATCHING_SBE_FIELDS_H
#define MATCHING_SBE_FIELDS_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t sbe_load_u16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return le16toh(value);
}

static inline uint32_t sbe_load_u32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static inline uint64_t sbe_load_u64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return le64toh(value);
}

static inline double sbe_load_f64(const uint8_t *at)
{
    uint64_t bits = sbe_load_u64(at);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline void sbe_store_u16(uint8_t *at, uint16_t value)
{
    value = htole16(value);
    memcpy(at, &value, sizeof value);
}

static inline void sbe_store_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static inline void sbe_store_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

static inline void sbe_store_f64(uint8_t *at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    sbe_store_u64(at, bits);
}

/* Bytes of a kind. */
enum {
    SBE_SIZE_u8 = 1,
    SBE_SIZE_u16 = 2,
    SBE_SIZE_u32 = 4,
    SBE_SIZE_u64 = 8,
    SBE_SIZE_i64 = 8,
    SBE_SIZE_f64 = 8,
    SBE_SIZE_chr = 1,
    SBE_SIZE_text16 = 16,
    SBE_SIZE_text32 = 32,
    SBE_SIZE_pad2 = 2,
    SBE_SIZE_pad3 = 3,
    SBE_SIZE_pad4 = 4,
    SBE_SIZE_pad7 = 7,
    SBE_SIZE_pad8 = 8
};

/* The member of a kind in a message's structure. */
#define SBE_MEMBER_u8(name) uint8_t name;
#define SBE_MEMBER_u16(name) uint16_t name;
#define SBE_MEMBER_u32(name) uint32_t name;
#define SBE_MEMBER_u64(name) uint64_t name;
#define SBE_MEMBER_i64(name) int64_t name;
#define SBE_MEMBER_f64(name) double name;
#define SBE_MEMBER_chr(name) char name;
#define SBE_MEMBER_text16(name) char name[16];
#define SBE_MEMBER_text32(name) char name[32];
#define SBE_MEMBER_pad2(name)
#define SBE_MEMBER_pad3(name)
#define SBE_MEMBER_pad4(name)
#define SBE_MEMBER_pad7(name)
#define SBE_MEMBER_pad8(name)

/* The function that reads one field of a block in place; a text's gives where it lies. */
#define SBE_VIEW_AS(type, function, load)                                                          \
    static inline type function(const uint8_t *block)                                              \
    {                                                                                              \
        return load;                                                                               \
    }
#define SBE_VIEW_u8(function, offset) SBE_VIEW_AS(uint8_t, function, block[offset])
#define SBE_VIEW_u16(function, offset) SBE_VIEW_AS(uint16_t, function, sbe_load_u16(block + offset))
#define SBE_VIEW_u32(function, offset) SBE_VIEW_AS(uint32_t, function, sbe_load_u32(block + offset))
#define SBE_VIEW_u64(function, offset) SBE_VIEW_AS(uint64_t, function, sbe_load_u64(block + offset))
#define SBE_VIEW_i64(function, offset)                                                             \
    SBE_VIEW_AS(int64_t, function, (int64_t)sbe_load_u64(block + offset))
#define SBE_VIEW_f64(function, offset) SBE_VIEW_AS(double, function, sbe_load_f64(block + offset))
#define SBE_VIEW_chr(function, offset) SBE_VIEW_AS(char, function, (char)block[offset])
#define SBE_VIEW_text16(function, offset)                                                          \
    SBE_VIEW_AS(const char *, function, (const char *)block + offset)
#define SBE_VIEW_text32(function, offset)                                                          \
    SBE_VIEW_AS(const char *, function, (const char *)block + offset)
#define SBE_VIEW_pad2(function, offset)
#define SBE_VIEW_pad3(function, offset)
#define SBE_VIEW_pad4(function, offset)
#define SBE_VIEW_pad7(function, offset)
#define SBE_VIEW_pad8(function, offset)

/* One statement: a field from the block into the structure. */
#define SBE_READ_u8(member, at) member = *(at);
#define SBE_READ_u16(member, at) member = sbe_load_u16(at);
#define SBE_READ_u32(member, at) member = sbe_load_u32(at);
#define SBE_READ_u64(member, at) member = sbe_load_u64(at);
#define SBE_READ_i64(member, at) member = (int64_t)sbe_load_u64(at);
#define SBE_READ_f64(member, at) member = sbe_load_f64(at);
#define SBE_READ_chr(member, at) member = (char)*(at);
#define SBE_READ_text16(member, at) memcpy(member, at, 16);
#define SBE_READ_text32(member, at) memcpy(member, at, 32);
#define SBE_READ_pad2(member, at)
#define SBE_READ_pad3(member, at)
#define SBE_READ_pad4(member, at)
#define SBE_READ_pad7(member, at)
#define SBE_READ_pad8(member, at)

/* One statement: a field from the structure into the block. */
#define SBE_WRITE_u8(member, at) *(at) = member;
#define SBE_WRITE_u16(member, at) sbe_store_u16(at, member);
#define SBE_WRITE_u32(member, at) sbe_store_u32(at, member);
#define SBE_WRITE_u64(member, at) sbe_store_u64(at, member);
#define SBE_WRITE_i64(member, at) sbe_store_u64(at, (uint64_t)member);
#define SBE_WRITE_f64(member, at) sbe_store_f64(at, member);
#define SBE_WRITE_chr(member, at) *(at) = (uint8_t)member;
#define SBE_WRITE_text16(member, at) memcpy(at, member, 16);
#define SBE_WRITE_text32(member, at) memcpy(at, member, 32);
#define SBE_WRITE_pad2(member, at) memset(at, 0, 2);
#define SBE_WRITE_pad3(member, at) memset(at, 0, 3);
#define SBE_WRITE_pad4(member, at) memset(at, 0, 4);
#define SBE_WRITE_pad7(member, at) memset(at, 0, 7);
#define SBE_WRITE_pad8(member, at) memset(at, 0, 8);

#endif
