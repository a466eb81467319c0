/* See yardstick_library.h. */
#include "bench/yardstick_library.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t at; /* of the member that points to it */
    int optional;
} functions[] = {
    {"engine_init", offsetof(yardstick_library, init), 0},
    {"engine_shutdown", offsetof(yardstick_library, shutdown), 0},
    {"engine_on_new_order", offsetof(yardstick_library, on_new_order), 0},
    {"engine_on_cancel", offsetof(yardstick_library, on_cancel), 0},
    {"engine_on_modify", offsetof(yardstick_library, on_modify), 0},
    {"engine_flush", offsetof(yardstick_library, flush), 0},
    {"engine_query_best_bid", offsetof(yardstick_library, best_bid), 0},
    {"engine_query_best_ask", offsetof(yardstick_library, best_ask), 0},
    {"engine_query_depth_at", offsetof(yardstick_library, depth_at), 0},
    {"engine_get_transport", offsetof(yardstick_library, get_transport), 1},
    {"engine_on_batch", offsetof(yardstick_library, on_batch), 1},
};

const char *yardstick_library_load(const char *path, yardstick_library *library)
{
    static char text[300];
    memset(library, 0, sizeof *library);
    library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library->handle == NULL) {
        snprintf(text, sizeof text, "%s", dlerror());
        return text;
    }
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *function = dlsym(library->handle, functions[i].name);
        if (function == NULL && !functions[i].optional) {
            snprintf(text, sizeof text, "%s has no %s", path, functions[i].name);
            yardstick_library_unload(library);
            return text;
        }
        /* POSIX lets a data pointer hold a function; ISO C has no cast for it. */
        memcpy((char *)library + functions[i].at, &function, sizeof function);
    }
    return NULL;
}

void yardstick_library_unload(yardstick_library *library)
{
    dlclose(library->handle);
    library->handle = NULL;
}
