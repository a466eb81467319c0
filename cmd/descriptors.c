/* The limit of descriptors, for all doors together. */
#include "descriptors.h"

#include <sys/resource.h>

#include "matching/log.h"
#include "matching/options.h"

/* Of the rest of the program: journals, at most 256 files of the store, listening sockets. */
#define BESIDE 640u

void descriptors_raise(const matching_config *config)
{
    const struct {
        matching_door door;
        const char *name;
        uint32_t connections;
        unsigned sockets; /* of a connection, at most */
    } doors[] = {
        {MATCHING_DOOR_WEBSOCKET, "websocket", config->websocket.max_connections, 1},
        {MATCHING_DOOR_HTTP, "http", config->http.max_connections, 1},
        {MATCHING_DOOR_JSONRPC, "jsonrpc", config->jsonrpc.max_connections, 1},
        {MATCHING_DOOR_SBE, "sbe", config->sbe.max_connections, 1},
        /* One that polls has a second one for what it sends. */
        {MATCHING_DOOR_SOCKETIO, "socketio", config->socketio.max_connections, 2},
    };
    enum { COUNT = sizeof doors / sizeof doors[0] };
    struct rlimit limit;
    rlim_t wanted = BESIDE;
    for (unsigned i = 0; i < COUNT; i++) {
        rlim_t sockets = (rlim_t)doors[i].connections * doors[i].sockets;
        wanted += matching_config_door_enabled(config, doors[i].door) ? sockets : 0;
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    for (unsigned i = 0; i < COUNT; i++) {
        if (matching_config_door_enabled(config, doors[i].door) &&
            doors[i].connections + BESIDE > limit.rlim_cur) {
            matching_log(MATCHING_LOG_WARN, "process",
                         "[%s] max_connections is %u, but this process may have only %llu "
                         "descriptors (ulimit -Hn, LimitNOFILE): connections beyond that wait",
                         doors[i].name, (unsigned)doors[i].connections,
                         (unsigned long long)limit.rlim_cur);
        }
    }
}
