/* How much one client's packets may set off before others are looked at: a door without a thread,
 * whose turns this test makes one by one.
 */
#define _GNU_SOURCE /* memmem */
#include <stdlib.h>
#include <string.h>

#include "door.h"

#include "../wire/lone_door.h"
#include "socketio.h"
#include "support/cunit_main.h"

#define INSTRUMENTS 256u
#define MESSAGES 1000u
#define TURNS_MAX 100000u
#define SEPARATOR "\x1e"

static lone_door lone;
static sio_door *door;

typedef struct client {
    sio_connection connection; /* the server's end */
    int fd;
    char *text; /* all that has come */
    size_t length, room;
} client;

static client flooder, honest;

static void packet(sio_client *session, const char *text)
{
    const eio_packet engine = {.type = EIO_MESSAGE, .data = {text, strlen(text)}};
    sio_on_packet(session, &engine);
}

static void open_client(client *c, uint32_t slot)
{
    memset(c, 0, sizeof *c);
    c->fd = lone_door_open(&lone, &c->connection.peer, slot);
    c->connection.client = sio_client_create(door, &c->connection.peer, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(c->connection.client);
    packet(c->connection.client, "0/ws/kline,");
}

static void close_client(client *c)
{
    lone_door_close(&lone, &c->connection.peer, c->fd);
    free(c->text);
}

static void begin(void)
{
    lone_door_prepare(&lone);
    lone.config.socketio.cors.enabled = false;
    lone.config.socketio.max_subscriptions_per_client = INSTRUMENTS;
    lone_door_begin(&lone, &matching_socketio_transport, INSTRUMENTS);
    door = (sio_door *)lone.server;
}

static void end(void)
{
    ev_timer_stop(door->server.loop, &door->round);
    ev_timer_stop(door->server.loop, &door->beat);
    lone_door_end(&lone);
}

static void turn(void)
{
    door->server.is_resumed = false;
    lone_door_turn(&lone);
}

/* All that is there. */
static void read_all(client *c)
{
    size_t got;
    do {
        if (c->room - c->length < 65536) {
            c->room += 1u << 20;
            c->text = realloc(c->text, c->room);
            CU_ASSERT_PTR_NOT_NULL_FATAL(c->text);
        }
        got = lone_read(&c->connection.peer, c->fd, c->text + c->length, c->room - 1 - c->length);
        for (size_t i = c->length; i < c->length + got;
             i++) { /* lengths of frames may be zero bytes */
            c->text[i] = c->text[i] == '\0' ? ' ' : c->text[i];
        }
        c->length += got;
        wire_flush(&c->connection.peer);
    } while (got > 0);
    c->text[c->length] = '\0';
}

static size_t count_of(const char *text, const char *word)
{
    size_t count = 0;
    for (const char *at = strstr(text, word); at != NULL; at = strstr(at + 1, word)) {
        count++;
    }
    return count;
}

static size_t heard(client *c, const char *word)
{
    read_all(c);
    return count_of(c->text, word);
}

/* ---- Over a WebSocket ------------------------------------------------------------------------ */

static void say(client *c, const char *text)
{
    door->server.handlers->on_message(&c->connection.peer, text, strlen(text));
}

/* What the socket would be read for: messages, as long as it is. Returns how many. */
static unsigned say_while_read(client *c, unsigned from, unsigned to)
{
    char text[128];
    unsigned n = from;
    while (n < to && !c->connection.peer.is_paused) {
        snprintf(text, sizeof text,
                 "42/ws/kline,[\"%s_kline\",{\"symbol\":\"S%u\",\"interval\":\"m1\"}]",
                 n / INSTRUMENTS % 2 == 0 ? "subscribe" : "unsubscribe", n % INSTRUMENTS);
        say(c, text);
        n++;
    }
    return n - from;
}

/* Nothing is forgotten, but in each turn no more is done than a share and the message that goes
 * beyond it; who asks for little is answered in the turn in which it asks. */
static void test_a_flood_waits_for_its_turns(void)
{
    const size_t most_at_once = WIRE_WORK_A_SHARE + SIO_MESSAGE_UNITS + INSTRUMENTS;
    unsigned said = 0, turns = 0;
    begin();
    open_client(&flooder, 0);
    open_client(&honest, 1);
    turn();
    while (said < MESSAGES && turns < TURNS_MAX) {
        unsigned now = say_while_read(&flooder, said, MESSAGES);
        CU_ASSERT_TRUE(now <= WIRE_WORK_A_SHARE / SIO_MESSAGE_UNITS + 1);
        CU_ASSERT_TRUE(flooder.connection.peer.share.work <= most_at_once);
        CU_ASSERT_EQUAL(flooder.connection.peer.is_paused, wire_is_spent(&flooder.connection.peer));
        said += now;
        if (turns == 10) {
            say(&honest, "42/ws/kline,[\"subscribe\",{\"topic\":\"price:S7\"}]");
        }
        turn();
        if (turns == 10) {
            CU_ASSERT_EQUAL(heard(&honest, "\"subscription_confirmed\""), 1);
        }
        turns++;
        read_all(&flooder);
    }
    CU_ASSERT_EQUAL(said, MESSAGES);
    CU_ASSERT_TRUE(turns >= MESSAGES * SIO_MESSAGE_UNITS / (WIRE_WORK_A_SHARE + most_at_once));
    turn();
    CU_ASSERT_EQUAL(heard(&flooder, "\"subscription_confirmed\"") +
                        heard(&flooder, "\"unsubscribe_confirmed\""),
                    MESSAGES);
    close_client(&flooder);
    close_client(&honest);
    end();
}

/* What it is owed comes a share at a time too, and all of it. */
static void test_what_is_owed_comes_in_turns(void)
{
    unsigned said = 0, turns = 0;
    begin();
    for (uint16_t i = 0; i < INSTRUMENTS; i++) { /* as if each had traded */
        door->markets[i].price_ticks = 100;
        door->markets[i].price_time_ns = 1;
    }
    open_client(&flooder, 0);
    while (said < INSTRUMENTS && turns++ < TURNS_MAX) {
        char text[128];
        snprintf(text, sizeof text, "42/ws/kline,[\"subscribe\",{\"topic\":\"price:S%u\"}]",
                 said++);
        say(&flooder, text);
        wire_work_turn(&door->server);
        wire_work_turn(&door->server);
        wire_work_turn(&door->server);
    }
    CU_ASSERT_EQUAL(flooder.connection.client->stale_count, INSTRUMENTS);
    for (turns = 0; flooder.connection.client->stale_count > 0 && turns < TURNS_MAX; turns++) {
        size_t before = flooder.connection.client->stale_count;
        wire_mark_dirty(&flooder.connection.peer);
        turn();
        read_all(&flooder);
        CU_ASSERT_TRUE(before - flooder.connection.client->stale_count < WIRE_WORK_A_SHARE);
    }
    CU_ASSERT_TRUE(turns > 1);
    CU_ASSERT_EQUAL(heard(&flooder, "\"price_update\""), INSTRUMENTS);
    close_client(&flooder);
    end();
}

/* ---- Over polling ---------------------------------------------------------------------------- */

static wire_exchange post;
static sio_client *poller;

static void open_poller(void)
{
    poller = sio_client_create(door, NULL, "127.0.0.1:1");
    CU_ASSERT_PTR_NOT_NULL_FATAL(poller);
    packet(poller, "0/ws/kline,");
    post = (wire_exchange){.server = &door->server, .method = WIRE_POST, .is_in_callback = true};
    CU_ASSERT_EQUAL(eio_session_post(&poller->session), EIO_DO_NOTHING);
    poller->post = &post;
    post.owner = poller;
}

/* So many packets, and one more at the end. */
static void post_body(unsigned count, const char *last)
{
    size_t room = 128 * (size_t)(count + 1);
    post.body = malloc(room);
    CU_ASSERT_PTR_NOT_NULL_FATAL(post.body);
    for (unsigned i = 0; i < count; i++) {
        post.body_length += (size_t)snprintf(
            post.body + post.body_length, room - post.body_length,
            "42/ws/kline,[\"%s_kline\",{\"symbol\":\"S%u\",\"interval\":\"m1\"}]" SEPARATOR,
            i / INSTRUMENTS % 2 == 0 ? "subscribe" : "unsubscribe", i % INSTRUMENTS);
    }
    post.body_length +=
        (size_t)snprintf(post.body + post.body_length, room - post.body_length, "%s", last);
    door->server.handlers->on_body(&post);
}

/* What the client would get by GETs. */
static size_t polled(const char *word)
{
    size_t count = 0;
    for (eio_text *text; (text = eio_session_next(&poller->session)) != NULL;) {
        char copy[1024];
        snprintf(copy, sizeof copy, "%.*s", (int)text->length, text->data);
        count += strstr(copy, word) != NULL;
        door->polled -= text->length;
        eio_text_release(text);
    }
    return count;
}

static bool is_answered(const char *text)
{
    return post.is_answered && memmem(post.out, post.out_length, text, strlen(text)) != NULL;
}

static void end_post(void)
{
    free(post.body);
    free(post.out);
}

/* The packets of a body are taken a share at a time; the POST is answered when the last one is. */
static void test_a_body_is_taken_in_turns(void)
{
    size_t confirmed = 0;
    unsigned turns = 0;
    begin();
    open_poller();
    post_body(MESSAGES, "42/ws/kline,[\"subscribe\",{\"topic\":\"token_events\"}]");
    CU_ASSERT_TRUE(poller->share.is_spent);
    for (; !post.is_answered && turns < TURNS_MAX; turns++) {
        size_t now = polled("_confirmed\"");
        CU_ASSERT_TRUE(now <= WIRE_WORK_A_SHARE / SIO_MESSAGE_UNITS + 1);
        confirmed += now;
        turn();
        /* Somebody waits to be paid for, or the loop goes on at once. */
        CU_ASSERT_TRUE(post.is_answered || poller->share.is_spent || door->server.is_resumed);
    }
    confirmed += polled("_confirmed\"");
    CU_ASSERT_EQUAL(confirmed, MESSAGES + 1);
    CU_ASSERT_TRUE(is_answered("\r\n\r\nok"));
    CU_ASSERT_TRUE(turns >= MESSAGES * SIO_MESSAGE_UNITS / WIRE_WORK_A_TURN);
    CU_ASSERT_EQUAL(poller->subscription_count,
                    MESSAGES % INSTRUMENTS == 0 ? 1 : INSTRUMENTS + 1 - MESSAGES % INSTRUMENTS);
    CU_ASSERT_EQUAL(eio_session_post(&poller->session), EIO_DO_NOTHING); /* the next may come */
    end_post();
    end();
}

/* What is bad behind the first share ends the session all the same. */
static void test_a_bad_end_of_a_body_is_seen(void)
{
    begin();
    open_poller();
    post_body(100, "x");
    CU_ASSERT_FALSE(post.is_answered);
    for (unsigned turns = 0; !post.is_answered && turns < TURNS_MAX; turns++) {
        CU_ASSERT_FALSE(poller->is_over);
        turn();
    }
    CU_ASSERT_TRUE(is_answered("400 Bad Request"));
    CU_ASSERT_EQUAL(door->client_count, 0);
    end_post();
    end();
}

/* A session that ends half-way through a body answers its POST; one whose POST breaks off goes
 * on. */
static void test_a_body_that_ends_half_way(void)
{
    begin();
    open_poller();
    post_body(100, "42/ws/kline,[\"subscribe\",{\"topic\":\"token_events\"}]");
    CU_ASSERT_TRUE(poller->share.is_spent && !post.is_answered);
    door->server.handlers->on_gone(&post);
    end_post();
    for (unsigned i = 0; i < 10; i++) {
        turn();
    }
    CU_ASSERT_FALSE(poller->is_over || poller->share.is_spent);
    CU_ASSERT_TRUE(poller->subscription_count > 0 && poller->subscription_count < 10);
    sio_client *first = poller;
    open_poller();
    post_body(100, "42/ws/kline,[\"subscribe\",{\"topic\":\"token_events\"}]");
    sio_client_close(poller, "1", WIRE_CLOSE_NONE, "");
    CU_ASSERT_TRUE(is_answered("Session ID unknown"));
    turn();
    CU_ASSERT_PTR_NULL(door->server.first_spent);
    CU_ASSERT_FALSE(first->is_over);
    end_post();
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_a_flood_waits_for_its_turns),
               MATCHING_TEST(test_what_is_owed_comes_in_turns),
               MATCHING_TEST(test_a_body_is_taken_in_turns),
               MATCHING_TEST(test_a_bad_end_of_a_body_is_seen),
               MATCHING_TEST(test_a_body_that_ends_half_way))
