/* See waiting_room.h. A small HTTP server that knows one answer.
 *
 * It keeps the rule of all doors: a foreign Host or Origin learns nothing.
 */
#define _GNU_SOURCE /* pthread_setname_np */
#include "waiting_room.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "doors.h"

#define TIMEOUT_S 5
#define HEAD_MAX 8192
#define BODY_MAX 65536
#define PARTS 1000 /* of which progress is told */

typedef struct entrance {
    waiting_room *room;
    const char *service; /* as the door calls itself */
    struct evhttp *http; /* NULL: it could not listen */
    matching_access access;
} entrance;

struct waiting_room {
    struct event_base *base;
    struct event *leaving;
    int leave; /* eventfd: the thread is to end */
    pthread_t thread;
    _Atomic unsigned shard, done; /* of PARTS */
    _Atomic(const char *) what;   /* NULL: nothing was told yet */
    entrance entrances[MATCHING_DOOR_COUNT];
};

static const char *const services[MATCHING_DOOR_COUNT] = {
    [MATCHING_DOOR_WEBSOCKET] = "websocket-matching-service",
    [MATCHING_DOOR_HTTP] = "matching-service",
    [MATCHING_DOOR_JSONRPC] = "jsonrpc-matching-service",
    [MATCHING_DOOR_SBE] = "sbe-matching-service",
    [MATCHING_DOOR_SOCKETIO] = "socketio-matching-service",
};

/* ---- Answers --------------------------------------------------------------------------------- */

static void write_progress(const entrance *at, struct evbuffer *body)
{
    const char *what = atomic_load(&at->room->what);
    unsigned done = atomic_load(&at->room->done);
    evbuffer_add_printf(body, "{\"status\":\"starting\",\"service\":\"%s\"", at->service);
    if (what != NULL) {
        evbuffer_add_printf(body, ",\"recovering\":{\"shard\":%u,\"what\":\"%s\",\"done\":%u.%03u}",
                            atomic_load(&at->room->shard), what, done / PARTS, done % PARTS);
    }
    evbuffer_add_printf(body, "}");
}

static void on_request(struct evhttp_request *request, void *context)
{
    const entrance *at = context;
    struct evkeyvalq *in = evhttp_request_get_input_headers(request);
    struct evkeyvalq *out = evhttp_request_get_output_headers(request);
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    struct evbuffer *body = evbuffer_new();
    int status = 503;
    if (body == NULL) {
        evhttp_send_error(request, 503, NULL);
        return;
    }
    if (matching_access_check(&at->access, evhttp_find_header(in, "Origin"),
                              evhttp_find_header(in, "Host")) == MATCHING_ACCESS_DENIED) {
        status = 403;
        evbuffer_add_printf(body, "{\"error\":\"this Origin or Host is not let in here\","
                                  "\"code\":\"UNAUTHORIZED\"}");
    } else if (path != NULL && strcmp(path, "/health") == 0) {
        write_progress(at, body);
    } else {
        evbuffer_add_printf(body, "{\"error\":\"the service is starting, try again shortly\","
                                  "\"code\":\"OVERLOADED\"}");
    }
    evhttp_add_header(out, "Content-Type", "application/json");
    evhttp_add_header(out, "Cache-Control", "no-store");
    evhttp_add_header(out, "Connection", "close");
    if (status == 503) {
        evhttp_add_header(out, "Retry-After", "1");
    }
    evhttp_send_reply(request, status, status == 503 ? "Service Unavailable" : "Forbidden", body);
    evbuffer_free(body);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static bool listen_at(entrance *at, waiting_room *room, const matching_config *config,
                      matching_door door)
{
    uint16_t port = matching_config_door_port(config, door);
    if (port == 0 || !matching_config_door_enabled(config, door)) {
        return false;
    }
    at->room = room;
    at->service = services[door];
    doors_access(&at->access, config, door);
    at->http = evhttp_new(room->base);
    if (at->http == NULL || evhttp_bind_socket(at->http, config->bind, port) != 0) {
        return false;
    }
    evhttp_set_timeout(at->http, TIMEOUT_S);
    evhttp_set_max_headers_size(at->http, HEAD_MAX);
    evhttp_set_max_body_size(at->http, BODY_MAX);
    evhttp_set_allowed_methods(at->http, UINT16_MAX);
    evhttp_set_gencb(at->http, on_request, at);
    return true;
}

static void on_leave(evutil_socket_t fd, short what, void *base)
{
    (void)fd;
    (void)what;
    event_base_loopbreak(base);
}

static void *run(void *context)
{
    waiting_room *room = context;
    event_base_dispatch(room->base);
    return NULL;
}

static void free_room(waiting_room *room)
{
    for (size_t i = 0; i < MATCHING_DOOR_COUNT; i++) {
        if (room->entrances[i].http != NULL) {
            evhttp_free(room->entrances[i].http);
        }
    }
    if (room->leaving != NULL) {
        event_free(room->leaving);
    }
    if (room->base != NULL) {
        event_base_free(room->base);
    }
    if (room->leave >= 0) {
        close(room->leave);
    }
    free(room);
}

static int start_thread(waiting_room *room)
{
    sigset_t all, before; /* signals are the main thread's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(&room->thread, NULL, run, room);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (code == 0) {
        (void)pthread_setname_np(room->thread, "waiting-room");
    }
    return code;
}

waiting_room *waiting_room_open(const matching_config *config)
{
    waiting_room *room = calloc(1, sizeof *room);
    if (room == NULL) {
        return NULL;
    }
    room->leave = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    room->base = event_base_new();
    bool listens = false;
    for (matching_door door = 0; room->base != NULL && door < MATCHING_DOOR_COUNT; door++) {
        listens = listen_at(&room->entrances[door], room, config, door) || listens;
    }
    room->leaving = listens && room->leave >= 0
                        ? event_new(room->base, room->leave, EV_READ, on_leave, room->base)
                        : NULL;
    if (room->leaving == NULL || event_add(room->leaving, NULL) != 0 || start_thread(room) != 0) {
        free_room(room);
        return NULL;
    }
    return room;
}

void waiting_room_tell(waiting_room *room, unsigned shard, const char *what, double fraction)
{
    if (room != NULL) {
        double done = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
        atomic_store(&room->shard, shard);
        atomic_store(&room->done, (unsigned)(done * PARTS));
        atomic_store(&room->what, what);
    }
}

void waiting_room_close(waiting_room *room)
{
    if (room == NULL) {
        return;
    }
    uint64_t one = 1;
    ssize_t written = write(room->leave, &one, sizeof one);
    (void)written; /* the counter cannot be full */
    pthread_join(room->thread, NULL);
    free_room(room);
}
