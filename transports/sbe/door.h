/* What the files of this door share: its state, its connections, how they are answered.
 *
 * Sockets, frames, queues and the loop are transports/wire's; what happens to a slow client stands
 * in its peer.h. What a message's bytes are is codec/'s.
 *
 * Thread: all of it belongs to the loop's thread while that runs.
 */
#ifndef MATCHING_SBE_DOOR_H
#define MATCHING_SBE_DOOR_H

#include "feeds.h"
#include "mass.h"
#include "owed.h"
#include "peer.h"
#include "pending.h"
#include "sbe.h"
#include "sbe_report.h"
#include "sbe_request.h"
#include "working.h"

typedef struct sbe_door {
    wire_server server; /* first: one leads to the other */
    wire_settings settings;
    const matching_sbe_handler *handler; /* NULL: nobody wants the trades */
    bool takes_trades_only;
    sbe_instruments instruments;
    sbe_pending_table pending;
    sbe_working_table working;
    sbe_mass_table masses; /* under way */
    sbe_feeds feeds;
} sbe_door;

struct sbe_connection {
    wire_peer peer;   /* first, likewise */
    unsigned faults;  /* errors in a row */
    bool has_ordered; /* an order is under way or has been entered: a Logon comes too late */
    size_t told;      /* instruments with indexes below it have been told */
    uint8_t trader_id_length;
    char trader_id[MATCHING_TRADER_MAX]; /* the Logon's; length 0: none */
    sbe_owed owed;
    sbe_working_list working;
    sbe_mass_queue masses;
    uint8_t *following; /* SBE_CHANNEL_*, by instrument index; NULL before the first Subscribe */
    sbe_subscription *subscriptions;
    size_t subscription_count, subscription_room;
    size_t stale_count;   /* subscriptions that wait for a fresh BookUpdate */
    size_t book_count;    /* subscriptions to books */
    uint8_t new_channels; /* SBE_CHANNEL_*: of instruments that will be added */
    uint8_t whole;        /* ... of those: it follows all instruments that there are */
    uint8_t *rest;        /* of a frame that was left half-way (wire_work): NULL, or on the heap */
    size_t rest_length;
    matching_span rest_span; /* the frame's: what is left is below it, though it has ended then */
    bool has_owed_all; /* the frame that is being carried out has had all books owed at once */
};

static inline sbe_door *sbe_door_of(const sbe_connection *connection)
{
    return (sbe_door *)connection->peer.server;
}

/* As the handler knows it. */
static inline uint64_t sbe_connection_number(const sbe_connection *connection)
{
    return (uint64_t)connection->peer.generation << 32 | connection->peer.slot;
}

/* messages.c, for the server: a whole binary message has come in, or a text; what such a binary one
 * is. */
void sbe_on_message(wire_peer *peer, const char *data, size_t length);
void sbe_on_text(wire_peer *peer);
void sbe_describe(wire_peer *peer, const char *data, size_t length, wire_message_facts *facts);

/* Goes on with a frame that was left half-way. True: there was one. */
bool sbe_go_on(sbe_connection *connection);

/* handler.c. Tells the handler, if there is one. Messages: Trades with their headers, alike in
 * these. */
void sbe_tell_open(const sbe_connection *connection);
void sbe_tell_closed(const sbe_connection *connection);
void sbe_tell_error(const sbe_connection *connection, int error, const char *text);
void sbe_tell_trades(const sbe_connection *connection, const uint8_t *messages,
                     size_t message_bytes, size_t count);

/* commands.c. A request (sbe_is_request) of the connection: MATCHING_OK if it will be answered, or
 * the code of its refusal with *error filled in. */
matching_code sbe_on_request(sbe_connection *connection, const sbe_message *message,
                             matching_error *error);
void sbe_on_reply(void *door, const matching_reply *reply);

/* changes.c. What becomes of orders: TRADE, CHANGE and ORDER events. */
void sbe_on_fills(sbe_door *door, unsigned shard, uint64_t position, const matching_event *event);
void sbe_on_change_event(sbe_door *door, unsigned shard, uint64_t position,
                         const matching_event *event);
void sbe_on_order_event(sbe_door *door, unsigned shard, uint64_t position,
                        const matching_event *event, const matching_order *order);

/* answers.c. A message that is answered at once, behind all that is owed before it. */
void sbe_answer_now(sbe_connection *connection, const uint8_t *message, size_t length);
void sbe_answer_heartbeat(sbe_connection *connection, uint64_t time_ns);
void sbe_refuse(sbe_connection *connection, uint16_t template_id, uint64_t client_order_id,
                const matching_error *error);

/* The answer of that number. Sends it and what waited for it, or keeps it. */
void sbe_answer(sbe_connection *connection, uint64_t number, const uint8_t *message, size_t length);

/* What becomes of an order later: not before the message of number *last about it, which it then
 * is itself. */
void sbe_report_later(sbe_connection *connection, uint64_t *last, const uint8_t *message,
                      size_t length);

/* Answers that have come wait for older ones: what they have set off must not be told before them.
 * Then trades of so many bytes each that stand back to back wait behind all that is owed. */
static inline bool sbe_answers_wait(const sbe_connection *connection)
{
    return connection->owed.stored > 0;
}
void sbe_tell_behind(sbe_connection *connection, const uint8_t *messages, size_t length,
                     size_t message_bytes);

/* Goes on with what is owed, as far as it is there. True: something was sent. */
bool sbe_release(sbe_connection *connection);

/* Reading stops while much is owed: to be called when that has changed. */
static inline void sbe_count_owed(sbe_connection *connection)
{
    connection->peer.in_flight = (unsigned)sbe_owed_count(&connection->owed);
    wire_adjust_reading(&connection->peer);
}

#endif
