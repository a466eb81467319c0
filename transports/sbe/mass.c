/* Invariants: a group has every mass cancel of its trader that waits for its reply or is owed to a
 * connection that is there, and lives as long as it has one; a connection's queue has those that it
 * is owed, in the order of their numbers; one without a connection has nothing but its reply to
 * wait for. A report that is not free is in the bucket of its order; while its mass cancel has not
 * sent it, it leads to that.
 */
#include "mass.h"

#include <stdlib.h>
#include <string.h>

#include "door.h"

#define FIRST_ROOM 16u

/* ---- The reports of a trader ----------------------------------------------------------------- */

static uint32_t *bucket_of(const sbe_mass_group *group, uint64_t order_id)
{
    uint64_t hash = order_id * UINT64_C(0x9e3779b97f4a7c15) >> 32;
    return &group->buckets[hash & (group->room - 1)];
}

static sbe_mass_report *find_report(const sbe_mass_group *group, uint64_t order_id)
{
    uint32_t at = group->room == 0 ? 0 : *bucket_of(group, order_id);
    while (at != 0 && group->reports[at - 1].report.order_id != order_id) {
        at = group->reports[at - 1].next;
    }
    return at == 0 ? NULL : &group->reports[at - 1];
}

static bool grow(sbe_mass_group *group)
{
    uint32_t room = group->room == 0 ? FIRST_ROOM : 2 * group->room;
    uint32_t *buckets = calloc(room, sizeof *buckets);
    sbe_mass_report *reports =
        buckets == NULL ? NULL : realloc(group->reports, room * sizeof *reports);
    if (reports == NULL) {
        free(buckets);
        return false;
    }
    free(group->buckets);
    group->reports = reports;
    group->buckets = buckets;
    group->room = room;
    for (uint32_t i = 0; i < group->used; i++) { /* none is free when it grows */
        uint32_t *bucket = bucket_of(group, reports[i].report.order_id);
        reports[i].next = *bucket;
        *bucket = i + 1;
    }
    return true;
}

static sbe_mass_report *add_report(sbe_mass_group *group, uint64_t order_id)
{
    uint32_t index = group->first_free;
    if (index == 0 && group->used == group->room && !grow(group)) {
        return NULL;
    }
    if (index != 0) {
        group->first_free = group->reports[index - 1].next;
    } else {
        index = ++group->used;
    }
    uint32_t *bucket = bucket_of(group, order_id);
    group->reports[index - 1] = (sbe_mass_report){.next = *bucket};
    *bucket = index;
    group->reports[index - 1].report.order_id = order_id;
    return &group->reports[index - 1];
}

static sbe_mass_report *find_or_add(sbe_mass_group *group, uint64_t order_id)
{
    sbe_mass_report *report = find_report(group, order_id);
    return report != NULL ? report : add_report(group, order_id);
}

static void remove_report(sbe_mass_group *group, sbe_mass_report *report)
{
    uint32_t index = (uint32_t)(report - group->reports) + 1;
    uint32_t *link = bucket_of(group, report->report.order_id);
    while (*link != index) {
        link = &group->reports[*link - 1].next;
    }
    *link = report->next;
    report->report.order_id = 0;
    report->owner = 0;
    report->next = group->first_free;
    group->first_free = index;
}

/* ---- The group ------------------------------------------------------------------------------- */

static sbe_mass_group **group_bucket(sbe_door *door, const char *trader_id)
{
    uint64_t hash = 0;
    for (; *trader_id != '\0'; trader_id++) {
        hash = (hash ^ (unsigned char)*trader_id) * UINT64_C(0x9e3779b97f4a7c15);
    }
    return &door->masses.buckets[hash >> 32 & (SBE_MASS_BUCKETS - 1)];
}

static sbe_mass_group *find_group(sbe_door *door, const char *trader_id)
{
    sbe_mass_group *group = *group_bucket(door, trader_id);
    while (group != NULL && strcmp(group->trader_id, trader_id) != 0) {
        group = group->next;
    }
    return group;
}

/* The trader's, perhaps a new one. NULL: out of memory. */
static sbe_mass_group *use_group(sbe_door *door, const char *trader_id)
{
    char name[MATCHING_TRADER_MAX + 1] = {0};
    memcpy(name, trader_id, MATCHING_TRADER_MAX);
    sbe_mass_group *group = find_group(door, name);
    if (group == NULL) {
        group = calloc(1, sizeof *group);
        if (group == NULL) {
            return NULL;
        }
        memcpy(group->trader_id, name, sizeof name);
        sbe_mass_group **bucket = group_bucket(door, name);
        group->next = *bucket;
        *bucket = group;
        door->masses.count++;
    }
    return group;
}

/* What was kept for those who entered the orders, and that no answer has told them. */
static void tell_owners(sbe_door *door, const sbe_mass_group *group)
{
    uint8_t message[SBE_MESSAGE_BYTES_MAX];
    for (uint32_t i = 0; i < group->used; i++) {
        const sbe_mass_report *from = &group->reports[i];
        sbe_connection *owner =
            from->owner == 0
                ? NULL
                : (sbe_connection *)wire_peer_find(&door->server, from->slot, from->owner);
        if (owner != NULL) {
            uint64_t behind_all = owner->owed.tail - 1;
            size_t length = sbe_execution_report_write(message, sizeof message, &from->report);
            sbe_report_later(owner, &behind_all, message, length);
        }
    }
}

static void end_group(sbe_door *door, sbe_mass_group *group)
{
    sbe_mass_group **at = group_bucket(door, group->trader_id);
    while (*at != group) {
        at = &(*at)->next;
    }
    *at = group->next;
    door->masses.count--;
    tell_owners(door, group);
    free(group->reports);
    free(group->buckets);
    free(group);
}

/* ---- The mass cancels ------------------------------------------------------------------------ */

static void link_mass(sbe_mass *mass)
{
    sbe_mass_group *group = mass->group;
    sbe_mass_queue *queue = &mass->connection->masses;
    mass->next = group->masses;
    if (mass->next != NULL) {
        mass->next->previous = mass;
    }
    group->masses = mass;
    mass->older = queue->newest;
    *(mass->older != NULL ? &mass->older->newer : &queue->oldest) = mass;
    queue->newest = mass;
}

static void leave_group(const sbe_mass *mass)
{
    *(mass->previous != NULL ? &mass->previous->next : &mass->group->masses) = mass->next;
    if (mass->next != NULL) {
        mass->next->previous = mass->previous;
    }
}

static void leave_connection(sbe_mass *mass)
{
    sbe_mass_queue *queue = &mass->connection->masses;
    *(mass->older != NULL ? &mass->older->newer : &queue->oldest) = mass->newer;
    *(mass->newer != NULL ? &mass->newer->older : &queue->newest) = mass->older;
    mass->newer = mass->older = NULL;
    mass->connection = NULL;
}

/* Nobody waits for these any more. */
static void let_go_of_reports(const sbe_mass *mass)
{
    for (size_t i = mass->sent; i < mass->id_count; i++) {
        sbe_mass_report *report = find_report(mass->group, mass->order_ids[i]);
        if (report != NULL && !report->is_there) {
            remove_report(mass->group, report);
        } else if (report != NULL) {
            report->mass = NULL;
        }
    }
}

sbe_mass *sbe_mass_begin(sbe_door *door, sbe_connection *connection, uint64_t client_order_id,
                         const char *trader_id)
{
    sbe_mass *mass = calloc(1, sizeof *mass);
    sbe_mass_group *group = mass == NULL ? NULL : use_group(door, trader_id);
    if (group == NULL) {
        free(mass);
        return NULL;
    }
    mass->group = group;
    mass->connection = connection;
    mass->number = connection->owed.tail;
    mass->client_order_id = client_order_id;
    link_mass(mass);
    return mass;
}

void sbe_mass_forget(sbe_door *door, sbe_mass *mass)
{
    sbe_mass_group *group = mass->group;
    let_go_of_reports(mass);
    leave_group(mass);
    if (mass->connection != NULL) {
        leave_connection(mass);
    }
    free(mass->order_ids);
    free(mass);
    if (group->masses == NULL) {
        end_group(door, group);
    }
}

void sbe_mass_fini(sbe_door *door)
{
    for (size_t i = 0; i < SBE_MASS_BUCKETS; i++) {
        while (door->masses.buckets[i] != NULL) {
            sbe_mass_forget(door, door->masses.buckets[i]->masses);
        }
    }
}

static bool is_complete(const sbe_mass *mass)
{
    return mass->has_reply && mass->found == mass->id_count;
}

static bool is_under_way(const sbe_mass *mass)
{
    return mass->connection != NULL && !is_complete(mass);
}

static void out_of_memory(sbe_connection *connection)
{
    wire_end(&connection->peer, LWS_CLOSE_STATUS_UNEXPECTED_CONDITION, "out of memory",
             WIRE_CLOSE_GRACE_MS);
}

/* The ids, and how many of them have been reported already. False: out of memory. */
static bool take_ids(sbe_mass *mass, const matching_reply *reply)
{
    size_t size = reply->order_id_count * sizeof *mass->order_ids;
    if (size == 0) {
        return true;
    }
    mass->order_ids = malloc(size);
    if (mass->order_ids == NULL) {
        return false;
    }
    memcpy(mass->order_ids, reply->order_ids, size);
    mass->id_count = reply->order_id_count;
    for (size_t i = 0; i < mass->id_count; i++) {
        sbe_mass_report *report = find_or_add(mass->group, mass->order_ids[i]);
        if (report == NULL) {
            return false;
        }
        report->mass = mass;
        mass->found += report->is_there;
    }
    return true;
}

void sbe_mass_answered(sbe_door *door, sbe_mass *mass, const matching_reply *reply)
{
    sbe_connection *connection = mass->connection;
    if (connection == NULL) {
        sbe_mass_forget(door, mass);
        return;
    }
    mass->has_reply = true;
    if (reply->code != MATCHING_OK) {
        matching_connection_failed(door->server.table, connection->peer.entry);
        sbe_reject reject;
        matching_error error;
        matching_reply_error(reply, &error);
        sbe_report_refusal(&reject, SBE_MASS_CANCEL, mass->client_order_id, &error);
        sbe_reject_write(mass->refusal, sizeof mass->refusal, &reject);
        mass->is_refused = true;
    } else if (!take_ids(mass, reply)) {
        out_of_memory(connection);
        return;
    }
    sbe_release(connection);
}

/* Will one of its own mass cancels tell the owner? */
static bool has_own(const sbe_mass_group *group, const sbe_connection *owner,
                    const sbe_mass_report *report)
{
    if (owner == NULL || (report->mass != NULL && report->mass->connection == owner)) {
        return owner != NULL;
    }
    for (const sbe_mass *mass = owner->masses.oldest; mass != NULL; mass = mass->newer) {
        if (mass->group == group && is_under_way(mass)) {
            return true;
        }
    }
    return false;
}

bool sbe_mass_event(sbe_door *door, const sbe_connection *owner, const matching_event *event,
                    const matching_order *order)
{
    sbe_mass_group *group = door->masses.count == 0 ? NULL : find_group(door, order->trader_id);
    if (group == NULL) {
        return false;
    }
    sbe_mass_report *kept = find_or_add(group, order->order_id);
    if (kept == NULL) {
        for (const sbe_mass *mass = group->masses; mass != NULL; mass = mass->next) {
            if (is_under_way(mass)) {
                out_of_memory(mass->connection);
            }
        }
        return false;
    }
    bool is_own = has_own(group, owner, kept);
    sbe_report_order(&kept->report, matching_core_instrument(door->server.core, order->instrument),
                     order, SBE_EXEC_CANCELLED, sbe_client_order_id(order->client_order_id),
                     event->time_ns);
    kept->is_there = true;
    if (is_own) {
        kept->slot = owner->peer.slot;
        kept->owner = owner->peer.generation;
    }
    if (kept->mass != NULL && ++kept->mass->found == kept->mass->id_count) {
        wire_mark_dirty(&kept->mass->connection->peer); /* the turn's end sends it */
    }
    return is_own;
}

static void send_report(sbe_connection *connection, const sbe_mass *mass, uint64_t order_id)
{
    uint8_t message[SBE_MESSAGE_BYTES_MAX];
    sbe_mass_report *kept = find_report(mass->group, order_id);
    sbe_execution_report report = kept->report;
    report.client_order_id = mass->client_order_id;
    size_t length = sbe_execution_report_write(message, sizeof message, &report);
    if (kept->owner == 0 ||
        (kept->owner == connection->peer.generation && kept->slot == connection->peer.slot)) {
        remove_report(mass->group, kept);
    } else {
        kept->mass = NULL;
    }
    wire_join_reply(&connection->peer, message, length);
}

bool sbe_mass_send(sbe_connection *connection)
{
    sbe_door *door = sbe_door_of(connection);
    sbe_mass *mass = connection->masses.oldest;
    if (mass == NULL || mass->number != connection->owed.head || !is_complete(mass)) {
        return false;
    }
    for (; mass->sent < mass->id_count; mass->sent++) {
        if (wire_outbox_length(&connection->peer.outbox) > door->server.limits.replies) {
            return false; /* goes on once that has drained */
        }
        send_report(connection, mass, mass->order_ids[mass->sent]);
    }
    if (mass->is_refused) {
        wire_join_reply(&connection->peer, mass->refusal, sizeof mass->refusal);
    } else {
        uint8_t message[SBE_HEARTBEAT_BYTES];
        sbe_heartbeat beat = {.timestamp = matching_unix_ns()};
        sbe_heartbeat_write(message, sizeof message, &beat);
        wire_join_reply(&connection->peer, message, sizeof message);
    }
    sbe_mass_forget(door, mass);
    return true;
}

void sbe_mass_release(sbe_door *door, sbe_connection *connection)
{
    while (connection->masses.oldest != NULL) {
        sbe_mass *mass = connection->masses.oldest;
        leave_connection(mass);
        if (mass->has_reply) {
            sbe_mass_forget(door, mass);
        }
    }
}

void sbe_mass_lapped(sbe_door *door)
{
    for (size_t i = 0; i < SBE_MASS_BUCKETS; i++) {
        const sbe_mass_group *group = door->masses.buckets[i];
        for (; group != NULL; group = group->next) {
            for (const sbe_mass *mass = group->masses; mass != NULL; mass = mass->next) {
                if (is_under_way(mass)) {
                    wire_end(&mass->connection->peer, LWS_CLOSE_STATUS_POLICY_VIOLATION,
                             "events were lost", WIRE_CLOSE_GRACE_MS);
                }
            }
        }
    }
}
