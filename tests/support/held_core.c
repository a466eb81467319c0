/* The wrapped calls. The kept commands belong to the port's thread; only the count and the word to
 * let them go are shared. */
#include "support/held_core.h"

#include <assert.h>
#include <dirent.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "matching/port.h"

matching_code __real_matching_port_submit(matching_port *port, const matching_command *command);
bool __real_matching_port_poll(matching_port *port, unsigned budget);
matching_code __wrap_matching_port_submit(matching_port *port, const matching_command *command);
bool __wrap_matching_port_poll(matching_port *port, unsigned budget);
size_t __real_matching_port_in_flight(const matching_port *port);
size_t __wrap_matching_port_in_flight(const matching_port *port);

static matching_command *kept;
static size_t capacity;
static atomic_size_t count;
static atomic_size_t taken[UINT8_MAX + 1]; /* by type */
static atomic_bool is_holding;
static bool is_bulk_only;

static void hold(size_t most)
{
    kept = malloc(most * sizeof *kept);
    assert(kept != NULL);
    capacity = most;
    atomic_store(&count, 0);
    for (size_t type = 0; type <= UINT8_MAX; type++)
        atomic_store(&taken[type], 0);
    atomic_store(&is_holding, true);
}

void held_core_hold(size_t most)
{
    is_bulk_only = false;
    hold(most);
}

void held_core_hold_bulk(size_t most)
{
    is_bulk_only = true;
    hold(most);
}

size_t held_core_count(void)
{
    return atomic_load(&count);
}

size_t held_core_taken(unsigned type)
{
    return atomic_load(&taken[type]);
}

void held_core_let_go(void)
{
    atomic_store(&is_holding, false);
}

void held_core_fini(void)
{
    free(kept);
    kept = NULL;
    atomic_store(&count, 0);
    atomic_store(&is_holding, false);
}

matching_code __wrap_matching_port_submit(matching_port *port, const matching_command *command)
{
    size_t at = atomic_load(&count);
    if (!atomic_load(&is_holding) || (is_bulk_only && !matching_port_is_bulk(command))) {
        matching_code code = __real_matching_port_submit(port, command);
        atomic_fetch_add(&taken[command->type], code == MATCHING_OK);
        return code;
    }
    if (at == capacity)
        return MATCHING_OVERLOADED;
    kept[at] = *command;
    atomic_store(&count, at + 1);
    atomic_fetch_add(&taken[command->type], 1);
    return MATCHING_OK;
}

size_t __wrap_matching_port_in_flight(const matching_port *port)
{
    return __real_matching_port_in_flight(port) + atomic_load(&count);
}

bool __wrap_matching_port_poll(matching_port *port, unsigned budget)
{
    if (!atomic_load(&is_holding) && atomic_load(&count) > 0) {
        size_t most = atomic_exchange(&count, 0);
        for (size_t i = 0; i < most; i++)
            if (__real_matching_port_submit(port, &kept[i]) != MATCHING_OK)
                abort(); /* the test keeps more than its core takes */
        matching_port_flush(port);
    }
    return __real_matching_port_poll(port, budget);
}

size_t held_core_threads(void)
{
    size_t threads = 0;
    DIR *tasks = opendir("/proc/self/task");
    assert(tasks != NULL);
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;)
        threads += task->d_name[0] != '.';
    closedir(tasks);
    return threads;
}
