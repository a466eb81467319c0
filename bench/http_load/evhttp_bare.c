/* The bare handler that the JSON-RPC door is measured beside: evhttp of libevent on one thread, and
 * nothing but a constant for every request.
 *
 * evhttp_bare [BYTES]: the size of that constant (128). It says "listening jsonrpc 127.0.0.1:PORT".
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#define HEAD_MAX 16384
#define BODY_MAX 65536

static struct {
    char *data;
    size_t length;
    char digits[24];
} body;

static void on_request(struct evhttp_request *request, void *unused)
{
    (void)unused;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    struct evbuffer *content = evbuffer_new();
    if (content == NULL ||
        evbuffer_add_reference(content, body.data, body.length, NULL, NULL) != 0) {
        fputs("evhttp_bare: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    evhttp_add_header(headers, "Content-Type", "application/json");
    evhttp_add_header(headers, "Content-Length", body.digits);
    evhttp_send_reply(request, HTTP_OK, "OK", content);
    evbuffer_free(content);
}

static unsigned port_of(struct evhttp_bound_socket *bound)
{
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &size) != 0) {
        perror("evhttp_bare: getsockname");
        exit(EXIT_FAILURE);
    }
    return ntohs(address.sin_port);
}

int main(int argc, char **argv)
{
    body.length = argc > 1 ? (size_t)strtoul(argv[1], NULL, 10) : 128;
    body.data = malloc(body.length);
    struct event_config *options = event_config_new();
    if (body.data == NULL || options == NULL) {
        fputs("evhttp_bare: out of memory\n", stderr);
        return EXIT_FAILURE;
    }
    memset(body.data, 'x', body.length);
    snprintf(body.digits, sizeof body.digits, "%zu", body.length);
    /* As the door has it. */
    event_config_set_flag(options, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST);
    struct event_base *base = event_base_new_with_config(options);
    struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;
    struct evhttp_bound_socket *bound =
        http != NULL ? evhttp_bind_socket_with_handle(http, "127.0.0.1", 0) : NULL;
    if (bound == NULL) {
        fputs("evhttp_bare: it cannot listen\n", stderr);
        return EXIT_FAILURE;
    }
    evhttp_set_allowed_methods(http, EVHTTP_REQ_POST | EVHTTP_REQ_GET);
    evhttp_set_max_headers_size(http, HEAD_MAX);
    evhttp_set_max_body_size(http, BODY_MAX);
    evhttp_set_gencb(http, on_request, NULL);
    printf("listening jsonrpc 127.0.0.1:%u\nready\n", port_of(bound));
    fflush(stdout);
    event_base_dispatch(base);
    evhttp_free(http);
    event_base_free(base);
    event_config_free(options);
    free(body.data);
    return EXIT_SUCCESS;
}
