/* get_history: pages of candles that are over, from the store, or from what the door keeps where
 * there is none.
 *
 * The store answers later, by a reply of the port, and the port has room for so many reads at a
 * time. Clients come to it by turns (turns.h), one page each; what one of them wants beyond that
 * waits in its list. One that does not read its answers is asked for no more until it has.
 *
 * Invariants: an entry of `asked` is in use exactly while its read is under way; the client may
 * have gone by then, so what is remembered of it is its session's id. A client is in `readers`
 * exactly while a page of it waits, it has few under way, and it reads what it is sent. While one
 * is in there a read of the port is under way, whose reply makes room.
 */
#include <stdlib.h>
#include <string.h>

#include "door.h"
#include "matching/history.h"

static matching_writer *begin_object(sio_door *door)
{
    matching_writer_clear(&door->object);
    return &door->object;
}

/* ---- Without a store ------------------------------------------------------------------------- */

/* The page of what the door has kept. Older candles that were let go of do not count as more:
 * nobody can have them, and who pages for as long as there are more would do so for ever. */
static sio_code write_kept(sio_door *door, uint16_t instrument, const sio_request *request,
                           sio_error *error)
{
    matching_writer *writer = begin_object(door);
    const matching_candle_feed *feed = door->candles;
    if (matching_candle_feed_has_failed(feed, instrument)) {
        return sio_error_set(error, SIO_NO_HISTORY, NULL, "the journal of this instrument failed");
    }
    if (matching_candle_feed_is_behind(feed, instrument)) {
        return sio_error_set(error, SIO_NO_HISTORY, NULL, "trades are being read, ask again soon");
    }
    uint64_t since_s = matching_candle_feed_kept_since_s(feed, instrument, request->interval);
    size_t kept = matching_candle_feed_kept(feed, instrument, request->interval);
    size_t first = kept > request->limit ? kept - request->limit : 0;
    bool has_more = first > 0;
    if (request->has_from) {
        if (request->from_s < since_s) {
            return sio_error_set(error, SIO_NO_HISTORY, "from",
                                 "candles of so long ago are not kept");
        }
        first = matching_candle_feed_find(feed, instrument, request->interval, request->from_s);
        has_more = kept - first > request->limit;
    }
    const matching_instrument *of = matching_core_instrument(door->server.core, instrument);
    sio_begin_history(writer, of->symbol, request->interval);
    for (size_t i = first; i < kept && i - first < request->limit; i++) {
        matching_write(writer, ",", i > first);
        matching_write_candle(writer, of,
                              matching_candle_feed_final(feed, instrument, request->interval, i));
    }
    sio_end_history(writer, has_more);
    return SIO_FINE;
}

/* ---- From the store -------------------------------------------------------------------------- */

static sio_asked *free_entry(sio_door *door)
{
    for (size_t i = 0; i < SIO_HISTORY_ASKED_MAX; i++) {
        if (door->asked[i].sid[0] == '\0') {
            return &door->asked[i];
        }
    }
    return NULL;
}

/* One more than wanted, since the running candle may be among the newest, and is none of these. */
static matching_code submit(sio_door *door, const sio_page *page, uint64_t tag)
{
    const char *name = matching_interval_name(page->interval);
    matching_request request = {
        .action = MATCHING_ACTION_GET_KLINES,
        .present =
            MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL) | MATCHING_FIELD_BIT(MATCHING_FIELD_INTERVAL),
        .numbered = MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL),
        .instrument = matching_core_instrument(door->server.core, page->instrument),
        .interval = {name, strlen(name)},
    };
    matching_command command;
    matching_error error;
    matching_code code = matching_gateway_prepare(door->server.core, &request, &command, &error);
    if (code != MATCHING_OK) {
        return code;
    }
    command.from_s = page->from_s;
    command.limit = page->limit + 1;
    command.tag = tag;
    command.received_ns = page->since_ns;
    return matching_port_submit(door->server.port, &command);
}

/* Not more than it takes: each answer may be large. */
static bool reads_well(const sio_client *client)
{
    const wire_limits *limits = &client->door->server.limits;
    return client->peer != NULL ? wire_outbox_length(&client->peer->outbox) <= limits->fresh
                                : client->session.bytes <= limits->fresh;
}

/* In or out of the line, as it stands. */
static void look_at(sio_client *client)
{
    if (client->first_page != NULL && client->pages_asked < SIO_HISTORY_ASKED_EACH &&
        reads_well(client)) {
        matching_turns_join(&client->door->readers, &client->turn);
    } else {
        matching_turns_leave(&client->door->readers, &client->turn);
    }
}

static void drop_first(sio_client *client)
{
    sio_page *page = client->first_page;
    client->first_page = page->next;
    client->pages_waiting--;
    free(page);
}

void sio_history_forget(sio_client *client)
{
    while (client->first_page != NULL) {
        drop_first(client);
    }
    matching_turns_leave(&client->door->readers, &client->turn);
}

void sio_history_drained(sio_client *client)
{
    if (client->first_page != NULL && !client->turn.is_waiting) {
        look_at(client);
        client->door->server.is_resumed |= client->turn.is_waiting;
    }
}

static void refuse(sio_client *client, const sio_page *page, const char *message)
{
    const sio_packet packet = {.has_id = page->has_id, .id = page->id};
    sio_error error;
    sio_error_set(&error, SIO_NO_HISTORY, NULL, message);
    sio_answer_error(client, &error, "get_history", &packet);
}

/* Asks for the next page of the first in the line, who then is the last. False: there is no
 * room. */
static bool serve_first(sio_door *door, uint64_t now_ns)
{
    sio_client *client = (void *)((char *)door->readers.first - offsetof(sio_client, turn));
    sio_asked *asked = free_entry(door);
    sio_page page = *client->first_page;
    matching_code code = MATCHING_OVERLOADED;
    if (now_ns - page.since_ns < MATCHING_TURN_WAIT_NS) {
        if (asked != NULL) {
            code = submit(door, &page, SIO_HISTORY_TAGS | (uint64_t)(asked - door->asked));
        }
        if (code == MATCHING_OVERLOADED && matching_port_in_flight(door->server.port) > 0) {
            return false;
        }
    }
    drop_first(client);
    matching_turns_leave(&door->readers, &client->turn);
    if (code == MATCHING_OK) {
        asked->page = page;
        memcpy(asked->sid, client->sid, sizeof asked->sid);
        client->pages_asked++;
    } else {
        refuse(client, &page, matching_code_text(code));
    }
    look_at(client);
    return true;
}

void sio_history_turn(sio_door *door)
{
    if (door->readers.first == NULL) {
        return;
    }
    uint64_t now_ns = matching_monotonic_ns();
    while (door->readers.first != NULL && serve_first(door, now_ns)) {
    }
}

/* Puts it behind what the client wants already. False: that is enough, or there is no memory. */
static bool add_page(sio_client *client, uint16_t instrument, const sio_request *request,
                     const sio_packet *packet)
{
    sio_page *page = client->pages_waiting < SIO_HISTORY_WAITING_MAX ? malloc(sizeof *page) : NULL;
    if (page == NULL) {
        return false;
    }
    *page = (sio_page){.instrument = instrument,
                       .interval = request->interval,
                       .limit = request->limit,
                       .has_from = request->has_from,
                       .has_id = packet->has_id,
                       .id = packet->id,
                       .since_ns = matching_monotonic_ns(),
                       .joins = client->joins};
    /* Zero would mean the newest, and no candle began before 1. */
    page->from_s = !request->has_from ? 0 : request->from_s == 0 ? 1 : request->from_s;
    *(client->first_page == NULL ? &client->first_page : &client->last_page->next) = page;
    client->last_page = page;
    client->pages_waiting++;
    return true;
}

sio_code sio_history(sio_client *client, uint16_t instrument, const sio_request *request,
                     const sio_packet *packet, sio_error *error)
{
    sio_door *door = client->door;
    if (!matching_core_has_history(door->server.core)) {
        sio_code code = write_kept(door, instrument, request, error);
        if (code == SIO_FINE) {
            sio_answer(client, "history_data", packet);
        }
        return code;
    }
    if (!add_page(client, instrument, request, packet)) {
        return sio_error_set(error, SIO_NO_HISTORY, NULL,
                             "too many requests of this client wait, ask again when some have been "
                             "answered");
    }
    look_at(client);
    sio_history_turn(door);
    return SIO_FINE;
}

/* Final candles, `limit` of them at most: the running one is left out, which can only be the
 * last. */
static void write_stored(sio_door *door, const sio_page *page, const matching_reply *reply)
{
    const matching_instrument *of = matching_core_instrument(door->server.core, page->instrument);
    size_t first = 0, end = reply->candle_count;
    if (end > 0 && !reply->candles[end - 1].is_final) {
        end--;
    }
    bool has_more = reply->candles_more || end > page->limit;
    if (end > page->limit && page->has_from) {
        end = page->limit;
    } else if (end > page->limit) {
        first = end - page->limit;
    }
    matching_writer *writer = begin_object(door);
    sio_begin_history(writer, of->symbol, page->interval);
    for (size_t i = first; i < end; i++) {
        matching_write(writer, ",", i > first);
        matching_write_candle(writer, of, &reply->candles[i]);
    }
    sio_end_history(writer, has_more);
}

void sio_history_answered(sio_door *door, const matching_reply *reply)
{
    sio_asked asked = door->asked[reply->tag - SIO_HISTORY_TAGS];
    door->asked[reply->tag - SIO_HISTORY_TAGS].sid[0] = '\0';
    sio_client *client = sio_client_find(door, asked.sid);
    if (client == NULL || client->is_over) {
        return;
    }
    client->pages_asked--;
    /* Who left since, and came back, knows nothing of what it asked for before. */
    bool is_wanted = client->is_connected && client->joins == asked.page.joins;
    if (is_wanted && reply->code == MATCHING_OK) {
        const sio_packet packet = {.has_id = asked.page.has_id, .id = asked.page.id};
        write_stored(door, &asked.page, reply);
        sio_answer(client, "history_data", &packet);
    } else if (is_wanted) {
        matching_error error;
        matching_reply_error(reply, &error);
        refuse(client, &asked.page, error.message);
    }
    if (!client->is_over) {
        look_at(client);
    }
}
