/* Mass cancels: an ExecutionReport for each order, then a Heartbeat.
 *
 * The reply has the orders' ids, ORDER events have the orders; either may come first. So the
 * reports of a trader's orders wait together while a mass cancel of that trader is under way. If
 * the connection that entered an order has one under way itself, that is what tells it, or, if
 * another connection's was quicker, a later report once all of them are through.
 *
 * Memory: some 120 bytes for each order that a mass cancel has ended, until it is told. Time: none
 * of these goes through all mass cancels, of which a connection may have a thousand and more.
 */
#ifndef MATCHING_SBE_MASS_H
#define MATCHING_SBE_MASS_H

#include "sbe_report.h"

#define SBE_MASS_BUCKETS 1024u /* of traders with mass cancels; a power of two */

typedef struct sbe_connection sbe_connection;
typedef struct sbe_door sbe_door;
typedef struct sbe_mass sbe_mass;

/* An order that a mass cancel has ended. */
typedef struct sbe_mass_report {
    sbe_execution_report
        report;           /* client_order_id: the order's own; until is_there: its id alone */
    sbe_mass *mass;       /* whose reply has listed it; NULL: none yet */
    uint32_t next;        /* in its bucket or the free ones; index + 1, 0: none */
    uint32_t slot, owner; /* of the connection that waits to be told; owner: generation, 0: none */
    bool is_there;        /* its event has come */
} sbe_mass_report;

/* What all mass cancels of a trader have in common. */
typedef struct sbe_mass_group {
    struct sbe_mass_group *next; /* in the door's bucket */
    char trader_id[MATCHING_TRADER_MAX + 1];
    sbe_mass *masses; /* all of them, the newest first */
    sbe_mass_report *reports;
    uint32_t room, used, first_free; /* first_free: index + 1 */
    uint32_t *buckets;               /* by order id, as many as there is room; index + 1 */
} sbe_mass_group;

/* The traders that have some. All zeros: none. */
typedef struct sbe_mass_table {
    sbe_mass_group *buckets[SBE_MASS_BUCKETS];
    size_t count;
} sbe_mass_table;

/* Those that a connection is owed. All zeros: none. */
typedef struct sbe_mass_queue {
    sbe_mass *oldest, *newest;
} sbe_mass_queue;

struct sbe_mass {
    sbe_mass *next, *previous; /* in the group's list */
    sbe_mass *newer, *older;   /* in the connection's queue */
    sbe_mass_group *group;
    sbe_connection *connection; /* NULL: it has ended, the reply is still to come */
    uint64_t number;            /* of the answer */
    uint64_t client_order_id;   /* the request's */
    bool has_reply, is_refused;
    uint8_t refusal[SBE_REJECT_BYTES]; /* in the place of reports and Heartbeat */
    uint64_t *order_ids;               /* of the reply, ascending */
    size_t id_count, found, sent;      /* found: those whose report is there or sent */
};

/* One that is about to be submitted, answered under the connection's next number; NULL: out of
 * memory. */
sbe_mass *sbe_mass_begin(sbe_door *door, sbe_connection *connection, uint64_t client_order_id,
                         const char *trader_id);

/* It was not submitted after all, or is through. Then all of them, when the door goes. */
void sbe_mass_forget(sbe_door *door, sbe_mass *mass);
void sbe_mass_fini(sbe_door *door);

void sbe_mass_answered(sbe_door *door, sbe_mass *mass, const matching_reply *reply);

/* An order was ended by a mass cancel; `owner` entered it, NULL: nobody here. True: the owner will
 * be told from here. */
bool sbe_mass_event(sbe_door *door, const sbe_connection *owner, const matching_event *event,
                    const matching_order *order);

/* It is the oldest that the connection is owed: sends what it can. True: all is sent, and it is
 * gone. */
bool sbe_mass_send(sbe_connection *connection);

/* The connection has ended. */
void sbe_mass_release(sbe_door *door, sbe_connection *connection);

/* Events were lost: those that still wait for some cannot be told; their connections end. */
void sbe_mass_lapped(sbe_door *door);

#endif
