/* get_history: pages of candles that are over, from the store, or from what the door keeps where
 * there is none.
 *
 * The store answers later, by a reply of the port; the client may have gone by then, so what is
 * remembered of it is its session's id. Invariant: an entry of `asked` is in use exactly while its
 * read is under way.
 */
#include <string.h>

#include "door.h"
#include "matching/history.h"

static matching_writer *begin_object(sio_door *door)
{
    matching_writer_clear(&door->object);
    return &door->object;
}

/* ---- Without a store ------------------------------------------------------------------------- */

/* The page of what the door has kept. Older candles that were let go of do not count as more: nobody
 * can have them, and who pages for as long as there are more would do so for ever. */
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
static matching_code submit(sio_door *door, const sio_asked *asked, uint64_t from_s)
{
    const char *name = matching_interval_name(asked->interval);
    matching_request request = {
        .action = MATCHING_ACTION_GET_KLINES,
        .present =
            MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL) | MATCHING_FIELD_BIT(MATCHING_FIELD_INTERVAL),
        .numbered = MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL),
        .instrument = matching_core_instrument(door->server.core, asked->instrument),
        .interval = {name, strlen(name)},
    };
    matching_command command;
    matching_error error;
    matching_code code = matching_gateway_prepare(door->server.core, &request, &command, &error);
    if (code != MATCHING_OK) {
        return code;
    }
    command.from_s = from_s;
    command.limit = asked->limit + 1;
    command.tag = SIO_HISTORY_TAGS | (uint64_t)(asked - door->asked);
    command.received_ns = matching_monotonic_ns();
    return matching_port_submit(door->server.port, &command);
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
    sio_asked *asked = free_entry(door);
    matching_code code = MATCHING_OVERLOADED;
    if (asked != NULL) {
        *asked = (sio_asked){.instrument = instrument,
                             .interval = request->interval,
                             .limit = request->limit,
                             .has_from = request->has_from,
                             .has_id = packet->has_id,
                             .id = packet->id};
        /* Zero would mean the newest, and no candle began before 1. */
        uint64_t from_s = !request->has_from ? 0 : request->from_s == 0 ? 1 : request->from_s;
        code = submit(door, asked, from_s);
    }
    if (code != MATCHING_OK) {
        return sio_error_set(error, SIO_NO_HISTORY, NULL, matching_code_text(code));
    }
    memcpy(asked->sid, client->sid, sizeof asked->sid);
    return SIO_FINE;
}

/* Final candles, `limit` of them at most: the running one is left out, which can only be the
 * last. */
static void write_stored(sio_door *door, const sio_asked *asked, const matching_reply *reply)
{
    const matching_instrument *of = matching_core_instrument(door->server.core, asked->instrument);
    size_t first = 0, end = reply->candle_count;
    if (end > 0 && !reply->candles[end - 1].is_final) {
        end--;
    }
    bool has_more = reply->candles_more || end > asked->limit;
    if (end > asked->limit && asked->has_from) {
        end = asked->limit;
    } else if (end > asked->limit) {
        first = end - asked->limit;
    }
    matching_writer *writer = begin_object(door);
    sio_begin_history(writer, of->symbol, asked->interval);
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
    if (client == NULL || client->is_over || !client->is_connected) {
        return;
    }
    const sio_packet packet = {.has_id = asked.has_id, .id = asked.id};
    if (reply->code == MATCHING_OK) {
        write_stored(door, &asked, reply);
        sio_answer(client, "history_data", &packet);
        return;
    }
    sio_error error;
    matching_error refused;
    matching_reply_error(reply, &refused);
    sio_error_set(&error, SIO_NO_HISTORY, NULL, refused.message);
    sio_answer_error(client, &error, "get_history", &packet);
}
