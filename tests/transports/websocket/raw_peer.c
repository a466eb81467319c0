/* See raw_peer.h. */
#include "raw_peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int peer_open(void)
{
    ws_client client;
    connect_with(&client, "");
    return client.fd; /* nothing else is in it yet */
}

void peer_put(int fd, const void *bytes, size_t length, size_t step)
{
    for (size_t from = 0; from < length; from += step) {
        size_t count = length - from < step ? length - from : step;
        CU_ASSERT_EQUAL(send(fd, (const char *)bytes + from, count, MSG_NOSIGNAL), (ssize_t)count);
    }
}

size_t peer_frame(unsigned char *out, unsigned first, const void *payload, size_t length)
{
    static const unsigned char key[4] = {0x9d, 0x03, 0xf1, 0x7e};
    size_t size = 2, bytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
    out[0] = (unsigned char)first;
    out[1] = (unsigned char)(0x80 | (bytes == 0 ? length : bytes == 2 ? 126 : 127));
    for (size_t i = bytes; i-- > 0;) {
        out[size++] = (unsigned char)((uint64_t)length >> (8 * i));
    }
    memcpy(out + size, key, sizeof key);
    size += sizeof key;
    for (size_t i = 0; i < length; i++) {
        out[size + i] = ((const unsigned char *)payload)[i] ^ key[i % 4];
    }
    return size + length;
}

void peer_send(int fd, unsigned first, const void *payload, size_t length)
{
    unsigned char *frame = malloc(length + 14);
    CU_ASSERT_PTR_NOT_NULL_FATAL(frame);
    size_t size = peer_frame(frame, first, payload, length);
    peer_put(fd, frame, size, size);
    free(frame);
}

static bool take(int fd, void *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        ssize_t got = recv(fd, (char *)bytes + at, length - at, 0);
        if (got <= 0) {
            if (got < 0) {
                printf("receiving: %s\n", strerror(errno));
            }
            CU_ASSERT_EQUAL(got, 0);
            CU_ASSERT_EQUAL(at, 0);
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

bool peer_receive_any(int fd, peer_received *frame)
{
    unsigned char head[10];
    *frame = (peer_received){.length = 0};
    if (!take(fd, head, 2)) {
        return false;
    }
    CU_ASSERT_EQUAL(head[1] & 0x80, 0);
    frame->first = head[0];
    frame->length = head[1];
    size_t bytes = head[1] == 126 ? 2 : head[1] == 127 ? 8 : 0;
    if (bytes > 0) {
        frame->length = 0;
        CU_ASSERT_TRUE_FATAL(take(fd, head, bytes));
        for (size_t i = 0; i < bytes; i++) {
            frame->length = frame->length << 8 | head[i];
        }
    }
    CU_ASSERT_TRUE(bytes == 0 || frame->length >= (bytes == 2 ? 126 : 65536));
    CU_ASSERT_TRUE_FATAL(frame->length < sizeof frame->payload);
    return frame->length == 0 || take(fd, frame->payload, frame->length);
}

bool peer_receive(int fd, peer_received *frame)
{
    bool received = peer_receive_any(fd, frame);
    CU_ASSERT_EQUAL(frame->first & 0x70, 0);
    return received;
}

void peer_expect(int fd, unsigned first, const void *payload, size_t length)
{
    static peer_received frame;
    CU_ASSERT_TRUE_FATAL(peer_receive(fd, &frame));
    CU_ASSERT_EQUAL(frame.first, first);
    CU_ASSERT_EQUAL_FATAL(frame.length, length);
    CU_ASSERT_EQUAL(memcmp(frame.payload, payload, length), 0);
}

void peer_expect_text(int fd, const char *begin)
{
    static peer_received frame;
    CU_ASSERT_TRUE_FATAL(peer_receive(fd, &frame));
    CU_ASSERT_EQUAL(frame.first, FIN | TEXT);
    if (strncmp((const char *)frame.payload, begin, strlen(begin)) != 0) {
        printf("got %s instead of %s\n", frame.payload, begin);
        CU_FAIL("another message");
    }
}

void peer_expect_end(int fd, unsigned code)
{
    static peer_received frame;
    CU_ASSERT_TRUE_FATAL(peer_receive(fd, &frame));
    CU_ASSERT_EQUAL(frame.first, FIN | CLOSE);
    CU_ASSERT_TRUE(frame.length <= 125 && frame.length != 1);
    unsigned got = frame.length >= 2 ? (unsigned)frame.payload[0] << 8 | frame.payload[1] : 0;
    if (got != code) {
        printf("closed with %u %s instead of %u\n", got, frame.payload + 2, code);
        CU_FAIL("another code");
    }
    CU_ASSERT_FALSE(peer_receive(fd, &frame));
    close(fd);
}
