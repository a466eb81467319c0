/* Sends trades in batches and an order to the binary port, and prints the answers.
 *
 *     sbe_client [HOST:PORT [TRADES [BATCH]]]        (127.0.0.1:9001 1000 100)
 *
 * Shows how messages are encoded by hand (docs/sbe.md has the fields), that a frame holds as many
 * as one likes, and how answers are told apart. A Heartbeat ends it: when that comes back, all
 * before it has been dealt with. A gateway (sbe_print and the others) refuses the order, the
 * service takes it.
 *
 * Exit code: 0 once the Heartbeat came back, 1 after any failure or 10 seconds.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ws_connection.h"

#define FRAME_MAX 32768
#define TRADE_SIZE 29
#define TIMEOUT_MS 10000
#define ONE INT64_C(100000000) /* decimals are whole numbers of 10^-8 */

enum { TRADE = 1, NEW_ORDER = 2, EXECUTION_REPORT = 5, REJECT = 6, HEARTBEAT = 9 };

/* ---- Bytes ----------------------------------------------------------------------------------- */

typedef struct frame {
    unsigned char data[FRAME_MAX];
    size_t length;
} frame;

/* Numbers are little endian, whatever this machine is. */
static void put(frame *f, unsigned bytes, uint64_t value)
{
    for (unsigned i = 0; i < bytes; i++) {
        f->data[f->length++] = (unsigned char)(value >> 8 * i);
    }
}

static uint64_t get(const unsigned char *at, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++) {
        value |= (uint64_t)at[i] << 8 * i;
    }
    return value;
}

static void put_header(frame *f, unsigned block_length, unsigned template_id)
{
    put(f, 2, block_length);
    put(f, 2, template_id);
    put(f, 2, 1); /* schema */
    put(f, 2, 0); /* its version */
}

static void put_trade(frame *f, uint64_t trade_id, char symbol, double price, uint32_t quantity)
{
    uint64_t bits;
    memcpy(&bits, &price, sizeof bits);
    put_header(f, 21, TRADE);
    put(f, 8, trade_id);
    put(f, 1, (unsigned char)symbol);
    put(f, 8, bits);
    put(f, 4, quantity);
}

/* A limit order that stays in the book, for the first instrument. */
static void put_order(frame *f, uint64_t client_order_id, const char *trader, int64_t price,
                      int64_t quantity)
{
    char trader_id[16] = "";
    size_t length = strlen(trader);
    memcpy(trader_id, trader, length < sizeof trader_id ? length : sizeof trader_id);
    put_header(f, 72, NEW_ORDER);
    put(f, 8, client_order_id);
    memcpy(f->data + f->length, trader_id, sizeof trader_id);
    f->length += sizeof trader_id;
    put(f, 4, 0); /* instrumentId */
    put(f, 4, 0); /* buy, limit, good till cancelled, no flags: a byte each */
    put(f, 8, (uint64_t)price);
    put(f, 8, (uint64_t)quantity);
    put(f, 8, (uint64_t)INT64_MIN); /* displayQuantity: null */
    put(f, 8, (uint64_t)INT64_MIN); /* stopPrice: null */
    put(f, 8, 0);                   /* expireTime */
}

static void put_heartbeat(frame *f, uint64_t timestamp)
{
    put_header(f, 8, HEARTBEAT);
    put(f, 8, timestamp);
}

/* ---- Conversation ---------------------------------------------------------------------------- */

static int send_frame(ws_connection *connection, frame *f)
{
    int result = ws_put_binary(connection, (const char *)f->data, f->length);
    f->length = 0;
    while (result == 0 && (result = ws_flush(connection)) == 0 && ws_pending(connection) > 0) {
        ws_wait(connection, 1, TIMEOUT_MS * INT64_C(1000000));
    }
    return result;
}

/* Prints the messages of a frame. 1: the Heartbeat is among them. -1: it makes no sense. */
static int read_frame(const unsigned char *at, size_t left)
{
    int result = 0;
    while (left >= 8 && left >= 8 + get(at, 2)) {
        size_t size = 8 + (size_t)get(at, 2);
        const unsigned char *block = at + 8;
        switch (get(at + 2, 2)) {
        case EXECUTION_REPORT:
            printf("order %" PRIu64 " has id %" PRIu64 ", status %" PRIu64 "\n", get(block, 8),
                   get(block + 8, 8), get(block + 20, 1));
            break;
        case REJECT:
            printf("order %" PRIu64 " was refused: %.16s\n", get(block, 8),
                   (const char *)block + 16);
            break;
        case HEARTBEAT:
            result = 1;
            break;
        default:
            break; /* the service's instruments: not of interest here */
        }
        at += size;
        left -= size;
    }
    return left == 0 ? result : -1;
}

static int await_heartbeat(ws_connection *connection)
{
    time_t deadline = time(NULL) + TIMEOUT_MS / 1000;
    const char *data;
    size_t length;
    while (time(NULL) <= deadline) {
        int result = ws_next(connection, &data, &length);
        if (result == 1) {
            result = read_frame((const unsigned char *)data, length);
            if (result != 0) {
                return result;
            }
            continue;
        }
        if (result != 0 || ws_fill(connection) != 0) {
            return -1;
        }
        ws_wait(connection, 1, INT64_C(100000000));
    }
    return -1;
}

static int talk(ws_connection *connection, unsigned long trades, unsigned long batch)
{
    static frame f;
    for (unsigned long id = 1; id <= trades; id++) {
        put_trade(&f, id, "BES"[id % 3], 50000 + (double)(id % 100) / 100, 1 + id % 10);
        if ((id % batch == 0 || id == trades) && send_frame(connection, &f) != 0) {
            return -1;
        }
    }
    printf("sent %lu trades in frames of %lu\n", trades, batch);
    put_order(&f, 1, "alice", 40000 * ONE, ONE / 2);
    if (send_frame(connection, &f) != 0) {
        return -1;
    }
    put_heartbeat(&f, 1);
    if (send_frame(connection, &f) != 0) {
        return -1;
    }
    return await_heartbeat(connection);
}

int main(int argc, char **argv)
{
    char host[64] = "127.0.0.1", port[8] = "9001";
    unsigned long trades = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    unsigned long batch = argc > 3 ? strtoul(argv[3], NULL, 10) : 100;
    if ((argc > 1 && sscanf(argv[1], "%63[^:]:%7s", host, port) != 2) || batch == 0 ||
        batch > FRAME_MAX / TRADE_SIZE) {
        fprintf(stderr, "usage: sbe_client [HOST:PORT [TRADES [BATCH]]]\n");
        return 2;
    }
    ws_connection connection = {.fd = -1};
    int result = ws_connect(&connection, host, port, "/", TIMEOUT_MS);
    if (result == 0) {
        result = talk(&connection, trades, batch);
    }
    if (result != 1) {
        fprintf(stderr, "sbe_client: %s\n",
                connection.error[0] != '\0' ? connection.error : "no answer that makes sense");
    }
    ws_close(&connection);
    return result == 1 ? 0 : 1;
}
