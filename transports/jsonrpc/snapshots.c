/* admin_snapshot: calls that are answered once the snapshots which they asked for are on disk.
 *
 * The core tells nobody when it is through, so a timer asks it while somebody waits. The slots that
 * wait are in a list of the door, and counted in their exchange, which is not answered before they
 * are.
 *
 * Invariants: a slot of the list has an answer to be written; a notification and a client that has
 * gone are in no list; the timer runs exactly while the list is not empty.
 */
#include <stdio.h>
#include <string.h>

#include "answers.h"
#include "door.h"

#define LOOK_AGAIN_US 20000

static void look_again(jsonrpc_door *door)
{
    const struct timeval pause = {0, LOOK_AGAIN_US};
    event_add(door->snapshots_timer, &pause);
}

static void refuse(jsonrpc_slot *slot, int number, matching_code code, const char *message)
{
    jsonrpc_failure failure;
    jsonrpc_failure_set(&failure, number, code, "", message);
    jsonrpc_slot_fail(slot, &failure);
}

void jsonrpc_snapshot_begin(jsonrpc_slot *slot)
{
    jsonrpc_exchange *exchange = slot->exchange;
    jsonrpc_door *door = exchange->door;
    matching_code code = MATCHING_OK;
    if (exchange->late) {
        code = MATCHING_SHUTTING_DOWN;
    } else if (door->snapshots_waiting >= JSONRPC_SNAPSHOTS_MAX) {
        code = MATCHING_OVERLOADED;
    } else {
        code = matching_core_request_snapshot(door->transport->core, &slot->snapshot_ticket);
    }
    if (code != MATCHING_OK) {
        refuse(slot, JSONRPC_REFUSED, code,
               code == MATCHING_INVALID_PARAMETER
                   ? "there is no journal to take a snapshot of, the service was started with "
                     "--in-memory"
                   : NULL);
    } else if (!jsonrpc_slot_is_mute(slot)) {
        slot->next_waiting = door->snapshots;
        door->snapshots = slot;
        exchange->snapshots++;
        if (door->snapshots_waiting++ == 0) {
            look_again(door);
        }
    }
}

static void write_answer(jsonrpc_slot *slot, const matching_snapshot_result *results)
{
    unsigned count = matching_core_shard_count(slot->exchange->door->transport->core);
    for (unsigned i = 0; i < count; i++) {
        if (results[i].failed) {
            char message[160];
            snprintf(message, sizeof message,
                     "the snapshot of shard %u failed, the log says why; the one before it stands",
                     i);
            refuse(slot, JSONRPC_INTERNAL_ERROR, MATCHING_INTERNAL_ERROR, message);
            return;
        }
    }
    jsonrpc_write_snapshots(&slot->answer, slot->id, results, count);
    jsonrpc_slot_written(slot);
}

/* Takes the slot out of the list; the exchange may be gone after this. */
static void end_waiting(jsonrpc_slot **at)
{
    jsonrpc_slot *slot = *at;
    jsonrpc_door *door = slot->exchange->door;
    *at = slot->next_waiting;
    slot->next_waiting = NULL;
    if (--door->snapshots_waiting == 0) {
        event_del(door->snapshots_timer);
    }
    jsonrpc_slot_snapshot_ended(slot);
}

void jsonrpc_snapshots_look(evutil_socket_t unused, short what, void *argument)
{
    (void)unused;
    (void)what;
    jsonrpc_door *door = argument;
    matching_snapshot_result results[MATCHING_SHARDS_MAX];
    jsonrpc_slot **at = &door->snapshots;
    while (*at != NULL) {
        jsonrpc_slot *slot = *at;
        if (matching_core_snapshot_done(door->transport->core, slot->snapshot_ticket, results)) {
            write_answer(slot, results);
            end_waiting(at);
        } else {
            at = &slot->next_waiting;
        }
    }
    if (door->snapshots_waiting > 0) {
        look_again(door);
    }
}

void jsonrpc_snapshots_give_up(jsonrpc_door *door)
{
    while (door->snapshots != NULL) {
        refuse(door->snapshots, JSONRPC_REFUSED, MATCHING_SHUTTING_DOWN, NULL);
        end_waiting(&door->snapshots);
    }
}

void jsonrpc_snapshots_forget(const jsonrpc_exchange *exchange)
{
    jsonrpc_slot **at = &exchange->door->snapshots;
    while (*at != NULL) {
        if ((*at)->exchange == exchange) {
            end_waiting(at);
        } else {
            at = &(*at)->next_waiting;
        }
    }
}
