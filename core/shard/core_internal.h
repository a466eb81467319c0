/* What the files of core/shard know of each other. */
#ifndef MATCHING_CORE_INTERNAL_H
#define MATCHING_CORE_INTERNAL_H

#include <pthread.h>

#include "connections/registry.h"
#include "journal/data_dir.h"
#include "matching/core.h"
#include "matching/gateway.h"
#include "matching/port.h"
#include "shard/history_link.h"
#include "shard/shard.h"

#define PORTS_MAX 16

/* The instruments, configured ones and those added later, by index. Whoever adds takes the lock;
 * who looks up never does. An entry is written before it is listed and never again; listing it is
 * the release that a look-up acquires, by its cell or by its state. */
typedef struct instrument_table {
    matching_instrument *entries;
    _Atomic uint16_t *cells; /* open addressing by symbol: index + 1, 0 free */
    size_t cell_mask;
    /* matching_state, with INSTRUMENT_UNLISTED until it is listed; above STATE_BITS the sequence of
     * the command that set it, 0: it began so. */
    _Atomic uint64_t *states;
    _Atomic size_t end; /* one past the highest listed index */
    pthread_mutex_t lock;
    size_t taken; /* one past the highest index given away, listed or not; under the lock */
} instrument_table;

#define INSTRUMENT_UNLISTED 0x80u
#define STATE_BITS 8

struct matching_core {
    matching_core_options options;
    instrument_table instruments;
    matching_watch watch;        /* whose ORDER events are wanted */
    data_dir dir;                /* where options.data_dir is given */
    struct snapshots *snapshots; /* likewise: the worker */
    struct ahead *ahead;         /* NULL: nobody sees to memory ahead of its use */
    /* NULL: there is no store. Flushers and the snapshot worker run before it is attached. */
    _Atomic(const history_link *) history;
    shard *shards;
    unsigned shard_count;
    unsigned shard_bits;
    uint64_t ring_slots;
    matching_port *ports[PORTS_MAX];
    unsigned port_count;
    connection_registry connections; /* the doors' */
    bool started;
};

static inline matching_port *core_port(matching_core *core, unsigned number)
{
    return core->ports[number];
}

matching_core *port_core(matching_port *port);

/* What the port has counted; NULL: nothing. */
const struct port_metrics *port_metrics_of(const matching_port *port);

uint64_t core_power_of_two(uint64_t at_least);

/* For each two cores that this process may use one; at least one. */
unsigned core_default_shards(void);

/* instruments.c. init: an empty table; 0 or a negative errno, and fini also after that.
 * add_configured: lists those of the options; the reason in error. */
int instruments_init(matching_core *core);
int instruments_add_configured(matching_core *core, char *error, size_t error_size);
void instruments_fini(matching_core *core);

/* Lists one that a journal knows, at its index. False: that, its name, id or letter is another's,
 * or it belongs to another shard. Before the shards run. */
bool core_restore_instrument(matching_core *core, const matching_instrument *entry, uint8_t state);

/* The shard of a symbol (NUL-terminated or MATCHING_SYMBOL_MAX long), whether it exists or not. */
unsigned core_shard_of(const matching_core *core, const char *symbol);

/* Gives an ADD_INSTRUMENT its index, and an id where it brings none, and keeps symbol, id and
 * letter from others. Nobody finds the instrument yet. MATCHING_OK, or the code with *field and
 * nothing changed. Any thread. */
matching_code core_reserve_instrument(matching_core *core, matching_command *command,
                                      matching_field *field);

/* From now on look-ups find it. For a reserved one whose command is durable; again does nothing.
 * Any thread. */
void core_list_instrument(matching_core *core, uint16_t index);

/* A listed instrument has a new state, by a command that is durable. Ports tell it in any order:
 * the last command's stays. Any thread. */
void core_set_state(matching_core *core, uint16_t instrument, uint8_t state, uint64_t sequence);

/* Does this port listen to events? One that does not has no cursor in the broadcast rings. */
bool port_listens(const matching_port *port);

/* port.c: wakes the port if it sleeps. only_events: skip ports that do not listen to events. */
void port_notify(matching_port *port, bool only_events);
void port_destroy(matching_port *port);

/* Delivers what is ready, of every shard: each of them may wait for this reader. On the port's
 * thread, which is in shard_serve. */
void port_take(matching_port *port);

/* Gives the port its per-shard state once the shards are there. */
int port_attach(matching_port *port, unsigned number);

#endif
