/* The test client. Not a general one: it knows Content-Length and nothing else. */
#define _GNU_SOURCE /* memmem, strcasestr */
#include "client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

bool client_connect(client *self, const char *address)
{
    char host[64];
    unsigned port = 0;
    struct sockaddr_in to = {.sin_family = AF_INET};
    struct timeval deadline = {.tv_sec = CLIENT_DEADLINE_S};
    int one = 1;
    self->length = 0;
    self->fd = -1;
    if (sscanf(address, "%63[^:]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &to.sin_addr) != 1)
        return false;
    to.sin_port = htons((uint16_t)port);
    self->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->fd < 0)
        return false;
    setsockopt(self->fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof deadline);
    setsockopt(self->fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof deadline);
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(self->fd, (struct sockaddr *)&to, sizeof to) != 0) {
        client_close(self);
        return false;
    }
    return true;
}

void client_close(client *self)
{
    if (self->fd >= 0)
        close(self->fd);
    self->fd = -1;
}

void client_reset(client *self)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (self->fd >= 0)
        setsockopt(self->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    client_close(self);
}

bool client_send(client *self, const char *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(self->fd, data, length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        data += sent;
        length -= (size_t)sent;
    }
    return true;
}

bool client_send_text(client *self, const char *text)
{
    return client_send(self, text, strlen(text));
}

/* More bytes. False: the end, an error, or the deadline. */
static bool receive(client *self)
{
    ssize_t got;
    if (self->length == sizeof self->data)
        return false;
    do
        got = recv(self->fd, self->data + self->length, sizeof self->data - self->length, 0);
    while (got < 0 && errno == EINTR);
    if (got > 0)
        self->length += (size_t)got;
    return got > 0;
}

static void consume(client *self, size_t length)
{
    memmove(self->data, self->data + length, self->length - length);
    self->length -= length;
}

static bool copy_text(char *to, size_t size, const char *from, size_t length)
{
    if (length >= size)
        return false;
    memcpy(to, from, length);
    to[length] = '\0';
    return true;
}

bool client_read(client *self, client_answer *answer, bool is_head)
{
    const char *end;
    answer->status = 0;
    answer->head[0] = answer->body[0] = '\0';
    while ((end = memmem(self->data, self->length, "\r\n\r\n", 4)) == NULL)
        if (!receive(self))
            return false;
    size_t head = (size_t)(end - self->data) + 4;
    if (!copy_text(answer->head, sizeof answer->head, self->data, head))
        return false;
    const char *line = strcasestr(answer->head, "\r\nContent-Length:");
    size_t length = line != NULL && !is_head ? strtoul(line + 17, NULL, 10) : 0;
    while (self->length < head + length)
        if (!receive(self))
            return false;
    if (!copy_text(answer->body, sizeof answer->body, self->data + head, length))
        return false;
    consume(self, head + length);
    return sscanf(answer->head, "HTTP/1.1 %u", &answer->status) == 1;
}

unsigned client_ask(client *self, client_answer *answer, const char *method, const char *target,
                    const char *json)
{
    char text[8192];
    int length;
    if (json != NULL)
        length = snprintf(text, sizeof text,
                          "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                          "Content-Length: %zu\r\n\r\n%s",
                          method, target, strlen(json), json);
    else
        length = snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: localhost\r\n\r\n", method,
                          target);
    answer->status = 0;
    if (client_send(self, text, (size_t)length))
        client_read(self, answer, strcmp(method, "HEAD") == 0);
    return answer->status;
}

bool client_sees_end(client *self)
{
    ssize_t got;
    do
        got = recv(self->fd, self->data, sizeof self->data, 0);
    while (got > 0 || (got < 0 && errno == EINTR));
    return got == 0 || errno == ECONNRESET;
}

bool client_answer_has(const client_answer *answer, const char *in_head, const char *in_body)
{
    bool has = (in_head == NULL || strstr(answer->head, in_head) != NULL) &&
               (in_body == NULL || strstr(answer->body, in_body) != NULL);
    if (!has)
        printf("\n    wanted %s %s\n    in %s%s\n", in_head != NULL ? in_head : "",
               in_body != NULL ? in_body : "", answer->head, answer->body);
    return has;
}
