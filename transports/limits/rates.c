/* A cell rate (ITU-T I.371, the virtual scheduling algorithm): for each key the time at which it
 * would be idle if it kept to its rate. That one number says all that a bucket of tokens would.
 *
 * Invariants: a key stands in its set or nowhere; an entry whose time has passed is as good as
 * none. Keys are told apart by 64 bits of a keyed hash.
 */
#include "rates.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "peer_key.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define SETS 8192u /* a power of two */
#define WAYS 8u

typedef struct entry {
    uint64_t hash;
    uint64_t idle_ns; /* when it has used up nothing; 0 for a free entry */
} entry;

struct matching_rates {
    uint64_t secret[2];
    uint64_t interval_ns; /* one thing's share of a second */
    entry sets[SETS][WAYS];
};

matching_rates *matching_rates_create(uint32_t per_second)
{
    assert(per_second >= 1 && per_second <= 1000000);
    matching_rates *rates = calloc(1, sizeof *rates);
    if (rates != NULL) {
        matching_secret_make(rates->secret);
        rates->interval_ns = NS_PER_SECOND / per_second;
    }
    return rates;
}

void matching_rates_destroy(matching_rates *rates)
{
    free(rates);
}

/* The key's entry, or the one of its set that loses least by being given away. */
static entry *find(entry *set, uint64_t hash)
{
    entry *least = set;
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (set[i].idle_ns < least->idle_ns)
            least = &set[i];
    }
    *least = (entry){.hash = hash};
    return least;
}

bool matching_rates_take(matching_rates *rates, const void *key, size_t length, uint64_t now_ns)
{
    if (rates == NULL)
        return true;
    uint64_t hash = matching_secret_hash(rates->secret, key, length);
    entry *found = find(rates->sets[hash % SETS], hash);
    uint64_t idle_ns = found->idle_ns > now_ns ? found->idle_ns : now_ns;
    if (idle_ns - now_ns + rates->interval_ns > NS_PER_SECOND)
        return false;
    found->idle_ns = idle_ns + rates->interval_ns;
    return true;
}

bool matching_rates_take_trader(matching_rates *rates, const matching_command *command,
                                uint64_t now_ns)
{
    if (command->type == MATCHING_ADD_INSTRUMENT || command->trader_id[0] == '\0') {
        return true;
    }
    return matching_rates_take(rates, command->trader_id,
                               strnlen(command->trader_id, sizeof command->trader_id), now_ns);
}
