/* The bare echo that the doors are measured beside that speak WebSocket: libwebsockets on libev,
 * and nothing that is not needed to send every message back.
 *
 * Replies of a loop turn are framed by hand into one buffer a connection and sent by one raw write
 * when the turn ends, as the door does it. A message that begins with "!" is written, without the
 * mark, to all other connections at once: a frame made once, one send(2) each, nothing else.
 *
 * Messages may be text or binary, and have up to 64 KiB.
 *
 * ws_echo [PORT]: 0, or none, takes a free port. It says "listening echo 127.0.0.1:PORT".
 */
#include <ev.h>
#include <libwebsockets.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define SERVICE_BUFFER 65536
#define RECEIVE_BUFFER 16384
#define WRITE_LIMIT 65536
#define MESSAGE_MAX 65535u
#define HEAD_MAX 4u

typedef struct session {
    struct lws *wsi;
    size_t index; /* in `all` */
    struct session *next_dirty;
    bool is_dirty;
    unsigned char *out; /* frames to send */
    size_t out_length, out_room;
    unsigned char *parts; /* of a message that comes in parts; room for MESSAGE_MAX */
    size_t parts_length;
} session;

static session **all;
static size_t all_count, all_room;
static session *dirty;

static void *grown(void *memory, size_t size)
{
    memory = realloc(memory, size);
    if (memory == NULL) {
        fputs("ws_echo: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    return memory;
}

static size_t put_head(unsigned char *at, const session *s, size_t length)
{
    at[0] = lws_frame_is_binary(s->wsi) ? 0x82 : 0x81; /* as the one that is answered */
    if (length < 126) {
        at[1] = (unsigned char)length;
        return 2;
    }
    at[1] = 126;
    at[2] = (unsigned char)(length >> 8);
    at[3] = (unsigned char)length;
    return 4;
}

/* ---- Back ------------------------------------------------------------------------------------ */

static void queue(session *s, const unsigned char *data, size_t length)
{
    if (s->out_length + length + HEAD_MAX > s->out_room) {
        s->out_room = 2 * (s->out_length + length + HEAD_MAX);
        s->out = grown(s->out, LWS_PRE + s->out_room);
    }
    unsigned char *at = s->out + LWS_PRE + s->out_length;
    size_t head = put_head(at, s, length);
    memcpy(at + head, data, length);
    s->out_length += head + length;
    if (!s->is_dirty) {
        s->is_dirty = true;
        s->next_dirty = dirty;
        dirty = s;
    }
}

/* libwebsockets keeps what the socket does not take, and sends it before anything else. */
static int write_out(session *s)
{
    size_t length = s->out_length;
    if (length == 0) {
        return 0;
    }
    if (lws_partial_buffered(s->wsi)) {
        lws_callback_on_writable(s->wsi);
        return 0;
    }
    s->out_length = 0;
    return lws_write(s->wsi, s->out + LWS_PRE, length, LWS_WRITE_RAW) < 0 ? -1 : 0;
}

static void on_turn(struct ev_loop *loop, ev_prepare *watcher, int events)
{
    (void)loop;
    (void)watcher;
    (void)events;
    while (dirty != NULL) {
        session *s = dirty;
        dirty = s->next_dirty;
        s->is_dirty = false;
        if (write_out(s) != 0) {
            lws_set_timeout(s->wsi, PENDING_TIMEOUT_USER_REASON_BASE, LWS_TO_KILL_ASYNC);
        }
    }
}

/* To everybody but `from`. A connection that takes less than all of it would be left with half a
 * frame; that ends the program, since no figure of it would mean anything. */
static void broadcast(const session *from, const unsigned char *data, size_t length)
{
    unsigned char frame[MESSAGE_MAX + HEAD_MAX];
    size_t size = put_head(frame, from, length);
    memcpy(frame + size, data, length);
    size += length;
    for (size_t i = 0; i < all_count; i++) {
        if (all[i] != from &&
            send(lws_get_socket_fd(all[i]->wsi), frame, size, MSG_NOSIGNAL) != (ssize_t)size) {
            perror("ws_echo: send");
            exit(EXIT_FAILURE);
        }
    }
}

/* ---- In -------------------------------------------------------------------------------------- */

static int on_message(session *s, const unsigned char *data, size_t length)
{
    if (length > MESSAGE_MAX) {
        return -1;
    }
    if (length > 0 && data[0] == '!') {
        broadcast(s, data + 1, length - 1);
    } else {
        queue(s, data, length);
    }
    return 0;
}

static int on_part(session *s, const unsigned char *data, size_t length)
{
    if (s->parts_length == 0 && lws_is_final_fragment(s->wsi)) {
        return on_message(s, data, length);
    }
    if (s->parts_length + length > MESSAGE_MAX) {
        return -1;
    }
    if (s->parts == NULL) {
        s->parts = grown(NULL, MESSAGE_MAX);
    }
    memcpy(s->parts + s->parts_length, data, length);
    s->parts_length += length;
    if (!lws_is_final_fragment(s->wsi)) {
        return 0;
    }
    length = s->parts_length;
    s->parts_length = 0;
    return on_message(s, s->parts, length);
}

static void on_open(session *s, struct lws *wsi)
{
    memset(s, 0, sizeof *s);
    if (all_count == all_room) {
        all_room = all_room == 0 ? 1024 : 2 * all_room;
        all = grown(all, all_room * sizeof(session *));
    }
    s->wsi = wsi;
    s->index = all_count;
    all[all_count++] = s;
}

static void on_closed(session *s)
{
    all[s->index] = all[--all_count];
    all[s->index]->index = s->index;
    for (session **at = &dirty; *at != NULL; at = &(*at)->next_dirty) {
        if (*at == s) {
            *at = s->next_dirty;
            break;
        }
    }
    free(s->out);
    free(s->parts);
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in,
                    size_t length)
{
    switch (reason) {
    case LWS_CALLBACK_ESTABLISHED:
        on_open(user, wsi);
        return 0;
    case LWS_CALLBACK_CLOSED:
        on_closed(user);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        return on_part(user, in, length);
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return write_out(user);
    default:
        return 0;
    }
}

/* ---- The program ----------------------------------------------------------------------------- */

static void on_signal(struct ev_loop *loop, ev_signal *watcher, int events)
{
    (void)watcher;
    (void)events;
    ev_break(loop, EVBREAK_ALL);
}

static struct lws_context *start(struct ev_loop *loop, int port)
{
    static const struct lws_protocols protocols[] = {
        {"echo", on_event, sizeof(session), RECEIVE_BUFFER, 0, NULL, WRITE_LIMIT},
        {NULL, NULL, 0, 0, 0, NULL, 0},
    };
    void *loops[1] = {loop};
    struct lws_context_creation_info info = {
        .port = port,
        .iface = "127.0.0.1",
        .protocols = protocols,
        .options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS,
        .foreign_loops = loops,
        .pt_serv_buf_size = SERVICE_BUFFER,
        .vhost_name = "echo",
        .gid = (gid_t)-1,
        .uid = (uid_t)-1,
    };
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = lws_create_context(&info);
    struct lws_vhost *vhost = context == NULL ? NULL : lws_create_vhost(context, &info);
    if (vhost == NULL) {
        fprintf(stderr, "ws_echo: it cannot listen on port %d\n", port);
        exit(EXIT_FAILURE);
    }
    printf("listening echo 127.0.0.1:%d\nready\n", lws_get_vhost_listen_port(vhost));
    fflush(stdout);
    return context;
}

int main(int argc, char **argv)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    struct ev_loop *loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    ev_prepare turn;
    ev_signal terminated, interrupted;
    struct lws_context *context = start(loop, argc > 1 ? atoi(argv[1]) : 0);
    ev_prepare_init(&turn, on_turn);
    ev_prepare_start(loop, &turn);
    ev_signal_init(&terminated, on_signal, SIGTERM);
    ev_signal_start(loop, &terminated);
    ev_signal_init(&interrupted, on_signal, SIGINT);
    ev_signal_start(loop, &interrupted);
    ev_run(loop, 0);
    lws_context_destroy(context);
    ev_loop_destroy(loop);
    free(all);
    return EXIT_SUCCESS;
}
