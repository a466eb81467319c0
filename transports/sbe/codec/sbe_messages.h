/* The messages of the SBE wire, both ways: one table each, and what is made of it.
 *
 * The contract is its section 9 and ../schema/matching-sbe.xml; the encoding is Simple Binary
 * Encoding 1.0. For a message `new_order` there are
 *
 *   sbe_new_order                    a structure of host values, without the padding
 *   sbe_new_order_price(block) ...   one function a field: reads it where it lies in the frame;
 *                                    of a text the place (16 or 32 bytes, zero-padded)
 *   sbe_new_order_read(block, &m)    all fields; unread ones cost nothing where it is inlined
 *   sbe_new_order_put(block, &m)     the block's bytes, padding zeroed
 *   sbe_new_order_write(out, room, &m)   header and block; bytes written, 0: more than room, and
 *                                    nothing was written
 *   SBE_NEW_ORDER, SBE_NEW_ORDER_BLOCK, SBE_NEW_ORDER_BYTES   template id; its length without and
 *                                    with the header
 *
 * A block may be longer than these know (sbe_frame.h sees to that it is not shorter), and lie at
 * any alignment. All functions: any thread, no allocation, nothing kept.
 *
 * Prices and quantities are int64 mantissas of 10^-8, SBE_NULL_I64 where there is none. Values are
 * as they were on the wire: nothing here judges them.
 */
#ifndef MATCHING_SBE_MESSAGES_H
#define MATCHING_SBE_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

#include "sbe_fields.h"

#define SBE_SCHEMA_ID 1
#define SBE_SCHEMA_VERSION 0
#define SBE_HEADER_BYTES 8           /* blockLength, templateId, schemaId, version: u16 each */
#define SBE_NULL_I64 INT64_MIN       /* the null of an int64 */
#define SBE_NULL_SIDE 255            /* TradeExact takerSide of an auction's trade */
#define SBE_QUANTITY_MAX 4294967294u /* of a Trade; the number above it is the null of a uint32 */
#define SBE_MESSAGE_BYTES_MAX 88     /* the longest message that is written, header included */

/* X(id, NAME, name, bytes of the block) */
#define SBE_TEMPLATE_TABLE(X)                                                                      \
    X(1, TRADE, trade, 21)                                                                         \
    X(2, NEW_ORDER, new_order, 72)                                                                 \
    X(3, CANCEL_ORDER, cancel_order, 24)                                                           \
    X(4, AMEND_ORDER, amend_order, 48)                                                             \
    X(5, EXECUTION_REPORT, execution_report, 80)                                                   \
    X(6, REJECT, reject, 32)                                                                       \
    X(7, BOOK_UPDATE, book_update, 48)                                                             \
    X(8, SUBSCRIBE, subscribe, 8)                                                                  \
    X(9, HEARTBEAT, heartbeat, 8)                                                                  \
    X(10, INSTRUMENT, instrument, 48)                                                              \
    X(11, TRADE_EXACT, trade_exact, 64)                                                            \
    X(12, LOGON, logon, 40)                                                                        \
    X(13, MASS_CANCEL, mass_cancel, 48)

#define SBE_TEMPLATE_MAX 13 /* ids are 1 ... this, without gaps */

/* The fields of each: X(message, kind, name, offset in the block) */
#define SBE_TRADE_FIELDS(X, message)                                                               \
    X(message, u64, trade_id, 0)                                                                   \
    X(message, chr, symbol, 8) /* the instrument's sbe_char */                                     \
    X(message, f64, price, 9)                                                                      \
    X(message, u32, quantity, 17) /* whole units, truncated, at most SBE_QUANTITY_MAX */

#define SBE_NEW_ORDER_FIELDS(X, message)                                                           \
    X(message, u64, client_order_id, 0) /* 0: none */                                              \
    X(message, text16, trader_id, 8)    /* all zero: the Logon's */                                \
    X(message, u32, instrument_id, 24)  /* 0: the first */                                         \
    X(message, u8, side, 28)            /* matching_side */                                        \
    X(message, u8, order_type, 29)      /* matching_order_type */                                  \
    X(message, u8, time_in_force, 30)   /* matching_time_in_force */                               \
    X(message, u8, flags, 31)           /* SBE_POST_ONLY, SBE_SELF_TRADE_SHIFT */                  \
    X(message, i64, price, 32)                                                                     \
    X(message, i64, quantity, 40)                                                                  \
    X(message, i64, display_quantity, 48)                                                          \
    X(message, i64, stop_price, 56)                                                                \
    X(message, u64, expire_time, 64) /* Unix ms; 0: none */

#define SBE_CANCEL_ORDER_FIELDS(X, message)                                                        \
    X(message, u64, client_order_id, 0) /* of the request */                                       \
    X(message, u64, order_id, 8)                                                                   \
    X(message, u32, instrument_id, 16) /* 0: not said */                                           \
    X(message, pad4, padding, 20)

#define SBE_AMEND_ORDER_FIELDS(X, message)                                                         \
    X(message, u64, client_order_id, 0) /* of the request */                                       \
    X(message, u64, order_id, 8)                                                                   \
    X(message, u32, instrument_id, 16) /* 0: not said */                                           \
    X(message, pad4, padding, 20)                                                                  \
    X(message, i64, price, 24) /* these: null, unchanged */                                        \
    X(message, i64, quantity, 32)                                                                  \
    X(message, i64, stop_price, 40)

#define SBE_EXECUTION_REPORT_FIELDS(X, message)                                                    \
    X(message, u64, client_order_id, 0)                                                            \
    X(message, u64, order_id, 8)                                                                   \
    X(message, u32, instrument_id, 16)                                                             \
    X(message, u8, status, 20)                                                                     \
    X(message, u8, reason, 21)                                                                     \
    X(message, u8, side, 22)                                                                       \
    X(message, u8, exec_type, 23) /* sbe_exec_type */                                              \
    X(message, i64, price, 24)                                                                     \
    X(message, i64, last_quantity, 32)                                                             \
    X(message, i64, filled_quantity, 40)                                                           \
    X(message, i64, remaining_quantity, 48)                                                        \
    X(message, u64, timestamp, 56) /* Unix ns */                                                   \
    X(message, u64, trade_id, 64)  /* 0: none */                                                   \
    X(message, i64, last_price, 72)

#define SBE_REJECT_FIELDS(X, message)                                                              \
    X(message, u64, client_order_id, 0)                                                            \
    X(message, u16, template_id, 8) /* of what is refused */                                       \
    X(message, u16, code, 10)       /* matching_code */                                            \
    X(message, pad4, padding, 12)                                                                  \
    X(message, text16, text, 16)

#define SBE_BOOK_UPDATE_FIELDS(X, message)                                                         \
    X(message, u32, instrument_id, 0)                                                              \
    X(message, pad4, padding, 4)                                                                   \
    X(message, i64, best_bid, 8)                                                                   \
    X(message, i64, bid_quantity, 16)                                                              \
    X(message, i64, best_ask, 24)                                                                  \
    X(message, i64, ask_quantity, 32)                                                              \
    X(message, u64, sequence, 40)

#define SBE_SUBSCRIBE_FIELDS(X, message)                                                           \
    X(message, u32, instrument_id, 0) /* 0: all */                                                 \
    X(message, u8, channels, 4)       /* SBE_CHANNEL_* */                                          \
    X(message, u8, action, 5)         /* sbe_action */                                             \
    X(message, pad2, padding, 6)

#define SBE_HEARTBEAT_FIELDS(X, message) X(message, u64, timestamp, 0) /* Unix ns */

#define SBE_INSTRUMENT_FIELDS(X, message)                                                          \
    X(message, u32, id, 0)                                                                         \
    X(message, chr, sbe_char, 4) /* 0: none */                                                     \
    X(message, u8, state, 5)     /* matching_state */                                              \
    X(message, pad2, padding, 6)                                                                   \
    X(message, text16, symbol, 8)                                                                  \
    X(message, i64, tick_size, 24)                                                                 \
    X(message, i64, lot_size, 32)                                                                  \
    X(message, pad8, padding2, 40)

#define SBE_TRADE_EXACT_FIELDS(X, message)                                                         \
    X(message, u64, trade_id, 0)                                                                   \
    X(message, u32, instrument_id, 8)                                                              \
    X(message, u8, taker_side, 12) /* SBE_NULL_SIDE: none */                                       \
    X(message, pad3, padding, 13)                                                                  \
    X(message, i64, price, 16)                                                                     \
    X(message, i64, quantity, 24)                                                                  \
    X(message, u64, buy_order_id, 32)                                                              \
    X(message, u64, sell_order_id, 40)                                                             \
    X(message, u64, timestamp, 48) /* Unix ns */                                                   \
    X(message, pad8, padding2, 56)

#define SBE_LOGON_FIELDS(X, message)                                                               \
    X(message, text32, trader_id, 0)                                                               \
    X(message, u8, flags, 32) /* SBE_CANCEL_ON_DISCONNECT */                                       \
    X(message, pad7, padding, 33)

#define SBE_MASS_CANCEL_FIELDS(X, message)                                                         \
    X(message, u64, client_order_id, 0) /* of the request */                                       \
    X(message, text32, trader_id, 8)    /* all zero: the Logon's */                                \
    X(message, u32, instrument_id, 40)  /* 0: all */                                               \
    X(message, pad4, padding, 44)

/* NewOrder flags */
#define SBE_POST_ONLY 1u
#define SBE_SELF_TRADE_SHIFT 1 /* two bits: matching_self_trade */
#define SBE_SELF_TRADE_MASK 3u
#define SBE_ORDER_FLAGS (SBE_POST_ONLY | SBE_SELF_TRADE_MASK << SBE_SELF_TRADE_SHIFT)
/* Logon flags */
#define SBE_CANCEL_ON_DISCONNECT 1u
#define SBE_LOGON_FLAGS SBE_CANCEL_ON_DISCONNECT
/* Subscribe channels */
#define SBE_CHANNEL_TRADES 1u       /* as Trade */
#define SBE_CHANNEL_BOOK 2u         /* as BookUpdate */
#define SBE_CHANNEL_TRADES_EXACT 4u /* as TradeExact */

typedef enum sbe_action { SBE_ACTION_SUBSCRIBE = 0, SBE_ACTION_UNSUBSCRIBE = 1 } sbe_action;

typedef enum sbe_exec_type {
    SBE_EXEC_NEW = 0,
    SBE_EXEC_TRADE = 1,
    SBE_EXEC_CANCELLED = 2,
    SBE_EXEC_AMENDED = 3,
    SBE_EXEC_TRIGGERED = 4
} sbe_exec_type;

typedef enum sbe_template {
#define SBE_DEFINE(id, NAME, name, bytes) SBE_##NAME = id,
    SBE_TEMPLATE_TABLE(SBE_DEFINE)
#undef SBE_DEFINE
} sbe_template;

enum {
#define SBE_DEFINE(id, NAME, name, bytes)                                                          \
    SBE_##NAME##_BLOCK = bytes, SBE_##NAME##_BYTES = SBE_HEADER_BYTES + bytes,
    SBE_TEMPLATE_TABLE(SBE_DEFINE)
#undef SBE_DEFINE
};

static inline void sbe_put_header(uint8_t *out, uint16_t template_id, uint16_t block_length)
{
    sbe_store_u16(out, block_length);
    sbe_store_u16(out + 2, template_id);
    sbe_store_u16(out + 4, SBE_SCHEMA_ID);
    sbe_store_u16(out + 6, SBE_SCHEMA_VERSION);
}

/* Each message: its structure; its layout, which has no use but to check the table; functions. */
#define SBE_STRUCT_MEMBER(message, kind, name, offset) SBE_MEMBER_##kind(name)
#define SBE_LAYOUT_MEMBER(message, kind, name, offset) uint8_t name[SBE_SIZE_##kind];
#define SBE_ASSERT_OFFSET(message, kind, name, offset)                                             \
    _Static_assert(offsetof(message##_layout, name) == (offset), #message "." #name);
#define SBE_VIEW(message, kind, name, offset) SBE_VIEW_##kind(message##_##name, offset)
#define SBE_READ_FIELD(message, kind, name, offset) SBE_READ_##kind(values->name, block + (offset))
#define SBE_WRITE_FIELD(message, kind, name, offset)                                               \
    SBE_WRITE_##kind(values->name, block + (offset))

#define SBE_DEFINE(id, NAME, name, bytes)                                                          \
    typedef struct sbe_##name {                                                                    \
        SBE_##NAME##_FIELDS(SBE_STRUCT_MEMBER, sbe_##name)                                         \
    } sbe_##name;                                                                                  \
    typedef struct sbe_##name##_layout {                                                           \
        SBE_##NAME##_FIELDS(SBE_LAYOUT_MEMBER, sbe_##name)                                         \
    } sbe_##name##_layout;                                                                         \
    SBE_##NAME##_FIELDS(SBE_ASSERT_OFFSET, sbe_##name) _Static_assert(                             \
        sizeof(sbe_##name##_layout) == (bytes), "the block of " #name);                            \
    _Static_assert(SBE_##NAME##_BYTES <= SBE_MESSAGE_BYTES_MAX, "the longest message");            \
    _Static_assert((id) <= SBE_TEMPLATE_MAX, "the highest template");                              \
    SBE_##NAME##_FIELDS(SBE_VIEW, sbe_##name) static inline void sbe_##name##_read(                \
        const uint8_t *block, sbe_##name *values)                                                  \
    {                                                                                              \
        SBE_##NAME##_FIELDS(SBE_READ_FIELD, sbe_##name)                                            \
    }                                                                                              \
    static inline void sbe_##name##_put(uint8_t *block, const sbe_##name *values)                  \
    {                                                                                              \
        SBE_##NAME##_FIELDS(SBE_WRITE_FIELD, sbe_##name)                                           \
    }                                                                                              \
    static inline size_t sbe_##name##_write(uint8_t *out, size_t room, const sbe_##name *values)   \
    {                                                                                              \
        if (room < SBE_##NAME##_BYTES) {                                                           \
            return 0;                                                                              \
        }                                                                                          \
        sbe_put_header(out, SBE_##NAME, SBE_##NAME##_BLOCK);                                       \
        sbe_##name##_put(out + SBE_HEADER_BYTES, values);                                          \
        return SBE_##NAME##_BYTES;                                                                 \
    }
SBE_TEMPLATE_TABLE(SBE_DEFINE)
#undef SBE_DEFINE

#endif
