/* Replays a recorded hour of a real market through the WebSocket door of the real program.
 *
 *     market_replay_test PROGRAM SCRIPT.xz
 *
 * Every OK run must fill exactly the listed makers in the listed order (`trade` messages, in
 * trade_id order, after their order_ack), and every C line is compared with what the server says:
 * this client follows the channel `book`, whose updates are made once a loop turn, and sends no
 * further command before the bests of the last C line are right. So each command that has a C line
 * of its own has a turn of its own, and its one book_update, or none, is checked against that line
 * exactly. Commands without a C line in between are sent in one go. From time to time, and at the
 * end, the whole of the depth is compared as well.
 *
 * Exit codes: 0 all is right, 77 skipped (no such file, or no xz), 1 anything else.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "market/orders.h"
#include "market/script.h"
#include "matching/decimal.h"
#include "support/server.h"
#include "support/ws_client.h"

#define SKIPPED 77
#define DEADLINE_MS 30000
#define WINDOW 256u               /* commands under way at most */
#define DEPTH_LEVELS 1000u        /* what a depth_snapshot holds of a side */
#define DEPTH_EVERY 20000u        /* lines */
#define PRICE_UNIT INT64_C(10000) /* mantissas of 10^-8 in 1/10000 dollar */

static const char CONFIG[] = "[engine]\n"
                             "shards = 1\n"
                             "max_orders = 65536\n"
                             "max_traders = 64\n"
                             "[symbol.STOCK]\n"
                             "id = 1\n"
                             "tick_size = 0.0001\n"
                             "lot_size = 1\n";

typedef struct expected_ack {
    size_t line;                       /* of the script, from 1: the message's id */
    known_order *order;                /* NULL: the IOC order */
    const char *status, *other_status; /* one of them */
    int64_t filled, remaining;
} expected_ack;

typedef struct replay {
    script script;
    known_orders orders;
    ws_client client;
    size_t line; /* the one that is being played, from 1 */
    expected_ack acks[WINDOW];
    size_t ack_begin, ack_end; /* count up; place modulo WINDOW */
    const script_fill *fills;  /* still to come, of the run whose ack has come */
    size_t fills_left;
    char taker_side;
    uint64_t taker_order_id, last_trade_id;
    script_best best;          /* as the server said last */
    const script_best *alone;  /* the only bests that an update may bring now; NULL: any */
    const script_best *wanted; /* the bests that are waited for */
    size_t runs, fill_count, bests, updates;
    struct json_object *snapshot; /* a depth_snapshot that was waited for */
    bool failed;
} replay;

/* Says what is wrong, once. Returns false. */
__attribute__((format(printf, 2, 3))) static bool wrong(replay *r, const char *format, ...)
{
    if (!r->failed) {
        va_list arguments;
        va_start(arguments, format);
        fprintf(stderr, "\nline %zu: ", r->line);
        vfprintf(stderr, format, arguments);
        fputc('\n', stderr);
        va_end(arguments);
    }
    r->failed = true;
    return false;
}

/* ---- Reading messages ----------------------------------------------------------------------- */

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;
    json_object_object_get_ex(object, name, &value);
    return value;
}

static const char *text_of(struct json_object *object, const char *name)
{
    const char *text = json_object_get_string(member(object, name));
    return text != NULL ? text : "";
}

static uint64_t number_of(struct json_object *object, const char *name)
{
    return json_object_get_uint64(member(object, name));
}

/* A decimal in units of unit * 10^-8, exactly; null is 0, anything else that does not fit -1. */
static int64_t units_of(struct json_object *value, int64_t unit)
{
    int64_t mantissa;
    const char *text = json_object_get_string(value);
    if (value == NULL) {
        return 0;
    }
    if (!matching_decimal_parse(text, strlen(text), &mantissa) || mantissa % unit != 0) {
        return -1;
    }
    return mantissa / unit;
}

static int64_t price_of(struct json_object *object, const char *name)
{
    return units_of(member(object, name), PRICE_UNIT);
}

static int64_t quantity_of(struct json_object *object, const char *name)
{
    return units_of(member(object, name), MATCHING_DECIMAL_ONE);
}

static bool take_ack(replay *r, struct json_object *message)
{
    if (r->ack_begin == r->ack_end) {
        return wrong(r, "an order_ack that nothing asked for");
    }
    const expected_ack *ack = &r->acks[r->ack_begin++ % WINDOW];
    const char *status = text_of(message, "status");
    if (number_of(message, "id") != ack->line || r->fills_left > 0) {
        return wrong(r, "the order_ack of line %" PRIu64 " came out of turn",
                     number_of(message, "id"));
    }
    if ((strcmp(status, ack->status) != 0 && strcmp(status, ack->other_status) != 0) ||
        quantity_of(message, "filled_quantity") != ack->filled ||
        quantity_of(message, "remaining_quantity") != ack->remaining) {
        return wrong(r,
                     "line %zu should be %s with %" PRId64 " filled and %" PRId64
                     " remaining, the server says %s",
                     ack->line, ack->status, ack->filled, ack->remaining,
                     json_object_to_json_string(message));
    }
    uint64_t order_id = number_of(message, "order_id");
    if (ack->order == NULL) {
        const script_line *line = &r->script.lines[ack->line - 1];
        r->fills = &r->script.fills[line->first_fill];
        r->fills_left = line->fill_count;
        r->taker_side = line->side;
        r->taker_order_id = order_id;
    } else if (ack->order->order_id == 0) {
        ack->order->order_id = order_id;
    } else if (ack->order->order_id != order_id) {
        return wrong(r, "line %zu was done to order %" PRIu64 " instead of %" PRIu64, ack->line,
                     order_id, ack->order->order_id);
    }
    return true;
}

static bool take_trade(replay *r, struct json_object *message)
{
    if (r->fills_left == 0) {
        return wrong(r, "a trade that the script does not have: %s",
                     json_object_to_json_string(message));
    }
    const script_fill *fill = r->fills++;
    r->fills_left--;
    bool buys = r->taker_side == 'B';
    uint64_t taker = number_of(message, buys ? "buy_order_id" : "sell_order_id");
    uint64_t maker = number_of(message, buys ? "sell_order_id" : "buy_order_id");
    known_order *order = orders_find(&r->orders, fill->id);
    if (order == NULL || maker != order->order_id || taker != r->taker_order_id ||
        quantity_of(message, "quantity") != fill->quantity ||
        price_of(message, "price") != fill->price ||
        number_of(message, "trade_id") != r->last_trade_id + 1 ||
        strcmp(text_of(message, "taker_side"), buys ? "buy" : "sell") != 0) {
        return wrong(r,
                     "trade %" PRIu64 " should fill %" PRId64 " at %" PRId64
                     "/10000 of order %s (%" PRIu64 " here), the server says %s",
                     r->last_trade_id + 1, fill->quantity, fill->price, fill->id,
                     order != NULL ? order->order_id : 0, json_object_to_json_string(message));
    }
    r->last_trade_id++;
    r->fill_count++;
    order->remaining -= fill->quantity;
    return true;
}

static bool same_best(const script_best *a, const script_best *b)
{
    return a->bid == b->bid && a->bid_quantity == b->bid_quantity && a->ask == b->ask &&
           a->ask_quantity == b->ask_quantity;
}

static bool wrong_best(replay *r, const script_best *expected)
{
    const script_best *best = &r->best;
    return wrong(r,
                 "the bests should be %" PRId64 " x %" PRId64 " / %" PRId64 " x %" PRId64
                 ", the server says %" PRId64 " x %" PRId64 " / %" PRId64 " x %" PRId64,
                 expected->bid, expected->bid_quantity, expected->ask, expected->ask_quantity,
                 best->bid, best->bid_quantity, best->ask, best->ask_quantity);
}

static bool take_book_update(replay *r, struct json_object *message)
{
    r->updates++;
    r->best = (script_best){price_of(message, "best_bid"), quantity_of(message, "bid_quantity"),
                            price_of(message, "best_ask"), quantity_of(message, "ask_quantity")};
    const script_best *best = &r->best;
    if (price_of(message, "spread") !=
        (best->bid != 0 && best->ask != 0 ? best->ask - best->bid : 0)) {
        return wrong(r, "the spread does not fit: %s", json_object_to_json_string(message));
    }
    return r->alone == NULL || same_best(&r->best, r->alone) || wrong_best(r, r->alone);
}

/* Waits for the next message and deals with it. */
static bool take_message(replay *r)
{
    const char *text;
    size_t length;
    if (!ws_client_receive(&r->client, &text, &length, DEADLINE_MS)) {
        return r->wanted != NULL ? wrong_best(r, r->wanted)
                                 : wrong(r, "no answer: %s", r->client.error);
    }
    struct json_object *message = json_tokener_parse(text);
    const char *type = text_of(message, "type");
    bool good;
    if (strcmp(type, "order_ack") == 0) {
        good = take_ack(r, message);
    } else if (strcmp(type, "trade") == 0) {
        good = take_trade(r, message);
    } else if (strcmp(type, "book_update") == 0) {
        good = take_book_update(r, message);
    } else if (strcmp(type, "depth_snapshot") == 0) {
        json_object_put(r->snapshot);
        r->snapshot = json_object_get(message);
        good = true;
    } else {
        good = strcmp(type, "subscribed") == 0 || strcmp(type, "unsubscribed") == 0 ||
               strcmp(type, "depth_update") == 0 || wrong(r, "the server says %s", text);
    }
    json_object_put(message);
    return good;
}

/* Until all is answered that was sent, trades included. */
static bool settle(replay *r)
{
    while (r->ack_begin != r->ack_end || r->fills_left > 0) {
        if (!take_message(r)) {
            return false;
        }
    }
    return true;
}

/* ---- Sending -------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void say(replay *r, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ws_client_send(&r->client, text, (size_t)length);
}

static bool expect(replay *r, expected_ack ack)
{
    while (r->ack_end - r->ack_begin >= WINDOW) {
        if (!take_message(r)) {
            return false;
        }
    }
    ack.line = r->line;
    ack.other_status = ack.other_status != NULL ? ack.other_status : ack.status;
    r->acks[r->ack_end++ % WINDOW] = ack;
    return true;
}

static const char *side_name(char side)
{
    return side == 'B' ? "buy" : "sell";
}

static bool add(replay *r, const script_line *line)
{
    char price[MATCHING_DECIMAL_TEXT];
    /* An id may come again once its order has ended; no ack may then still mean the old one. */
    if (orders_find(&r->orders, line->id) != NULL && !settle(r)) {
        return false;
    }
    known_order *order = orders_add(&r->orders, line->id);
    if (order == NULL) {
        return wrong(r, "the script uses the id of a working order");
    }
    order->side = line->side;
    order->price = line->price;
    order->total = order->remaining = line->quantity;
    matching_decimal_print(price, line->price * PRICE_UNIT);
    say(r,
        "{\"type\":\"limit_order\",\"id\":%zu,\"trader_id\":\"maker\",\"side\":\"%s\",\"price\":%s,"
        "\"quantity\":%" PRId64 ",\"client_order_id\":\"%s\"}",
        r->line, side_name(line->side), price, line->quantity, line->id);
    return expect(r, (expected_ack){.order = order, .status = "open", .remaining = line->quantity});
}

/* How a message names an order: by the server's id, or half of them by the client's own. */
static const char *name_of(const known_order *order, char out[80])
{
    if (order->order_id != 0 && order->id[strlen(order->id) - 1] % 2 != 0) {
        snprintf(out, 80, "\"order_id\":%" PRIu64, order->order_id);
    } else {
        snprintf(out, 80, "\"trader_id\":\"maker\",\"client_order_id\":\"%s\"", order->id);
    }
    return out;
}

static bool cancel(replay *r, known_order *order)
{
    char name[80];
    say(r, "{\"type\":\"cancel_order\",\"id\":%zu,%s}", r->line, name_of(order, name));
    int64_t remaining = order->remaining;
    order->remaining = 0;
    return expect(r, (expected_ack){.order = order,
                                    .status = "cancelled",
                                    .filled = order->total - remaining,
                                    .remaining = remaining});
}

/* Less of an order that stays. */
static bool reduce(replay *r, known_order *order, int64_t by)
{
    char name[80];
    order->total -= by;
    order->remaining -= by;
    say(r, "{\"type\":\"amend_order\",\"id\":%zu,%s,\"quantity\":%" PRId64 "}", r->line,
        name_of(order, name), order->total);
    return expect(r, (expected_ack){.order = order,
                                    .status = "open",
                                    .other_status = "partial",
                                    .filled = order->total - order->remaining,
                                    .remaining = order->remaining});
}

/* Fills that the market made otherwise: the makers lose those amounts. */
static bool exempt(replay *r, const script_line *line)
{
    for (size_t i = 0; i < line->fill_count; i++) {
        const script_fill *fill = &r->script.fills[line->first_fill + i];
        known_order *order = orders_find(&r->orders, fill->id);
        if (order == NULL || order->remaining < fill->quantity) {
            return wrong(r, "the script takes from an order what it does not have");
        }
        if (order->remaining == fill->quantity ? !cancel(r, order)
                                               : !reduce(r, order, fill->quantity)) {
            return false;
        }
    }
    return true;
}

static bool run(replay *r, const script_line *line)
{
    char price[MATCHING_DECIMAL_TEXT];
    int64_t filled = 0;
    if (!settle(r)) { /* the makers' order ids are needed */
        return false;
    }
    for (size_t i = 0; i < line->fill_count; i++) {
        filled += r->script.fills[line->first_fill + i].quantity;
    }
    matching_decimal_print(price, line->price * PRICE_UNIT);
    say(r,
        "{\"type\":\"limit_order\",\"id\":%zu,\"trader_id\":\"taker\",\"side\":\"%s\",\"price\":%s,"
        "\"quantity\":%" PRId64 ",\"time_in_force\":\"IOC\"}",
        r->line, side_name(line->side), price, line->quantity);
    r->runs++;
    return expect(r, (expected_ack){.status = filled == line->quantity ? "filled" : "cancelled",
                                    .filled = filled,
                                    .remaining = line->quantity - filled}) &&
           settle(r);
}

/* ---- Checking ------------------------------------------------------------------------------- */

static bool check_best(replay *r, const script_best *expected)
{
    if (!settle(r)) {
        return false;
    }
    r->wanted = expected;
    while (!same_best(&r->best, expected)) {
        if (!take_message(r)) {
            return false;
        }
    }
    r->wanted = NULL;
    r->bests++;
    return true;
}

static bool check_side(replay *r, const char *name, char side)
{
    size_t count;
    known_level *levels = orders_levels(&r->orders, side, DEPTH_LEVELS, &count);
    struct json_object *array = member(r->snapshot, name);
    bool good =
        json_object_is_type(array, json_type_array) && json_object_array_length(array) == count;
    for (size_t i = 0; good && i < count; i++) {
        struct json_object *level = json_object_array_get_idx(array, i);
        good = units_of(json_object_array_get_idx(level, 0), PRICE_UNIT) == levels[i].price &&
               units_of(json_object_array_get_idx(level, 1), MATCHING_DECIMAL_ONE) ==
                   levels[i].quantity;
        if (!good) {
            wrong(r, "%s[%zu] should be %" PRId64 " x %" PRId64 ", the server says %s", name, i,
                  levels[i].price, levels[i].quantity, json_object_to_json_string(level));
        }
    }
    free(levels);
    return good || wrong(r, "%s should have %zu levels, the server says %s", name, count,
                         json_object_to_json_string(array));
}

/* The whole depth, by a fresh snapshot. */
static bool check_depth(replay *r)
{
    if (!settle(r)) {
        return false;
    }
    json_object_put(r->snapshot);
    r->snapshot = NULL;
    say(r, "{\"type\":\"subscribe\",\"channels\":[\"depth\"]}");
    while (r->snapshot == NULL) {
        if (!take_message(r)) {
            return false;
        }
    }
    say(r, "{\"type\":\"unsubscribe\",\"channels\":[\"depth\"]}");
    return check_side(r, "bids", 'B') && check_side(r, "asks", 'S');
}

/* ---- The whole ------------------------------------------------------------------------------ */

static bool play(replay *r, const script_line *line)
{
    known_order *order = NULL;
    if (line->kind == 'X' || line->kind == 'R') {
        order = orders_find(&r->orders, line->id);
        if (order == NULL) {
            return wrong(r, "the script names an order that it does not have");
        }
    }
    switch (line->kind) {
    case 'A':
        return add(r, line);
    case 'X':
        return cancel(r, order);
    case 'R':
        return reduce(r, order, line->quantity);
    case 'I':
        return line->exempt ? exempt(r, line) : run(r, line);
    default:
        return check_best(r, &line->best);
    }
}

static void show_progress(const replay *r)
{
    static const char bar[] = "########################################";
    size_t done = r->line * 100 / r->script.count;
    if (isatty(STDERR_FILENO)) {
        fprintf(stderr, "\r[%-40.*s] %3zu %%", (int)(done * 2 / 5), bar, done);
        if (done == 100) {
            fputc('\n', stderr);
        }
    }
}

static bool play_all(replay *r)
{
    const script *s = &r->script;
    for (size_t i = 0; i < s->count; i++) {
        const script_line *line = &s->lines[i];
        r->line = i + 1;
        /* Between two C lines just this command: what it does to the bests is known. */
        bool is_alone = line->kind != 'C' && !(line->exempt && line->fill_count > 1) && i > 0 &&
                        s->lines[i - 1].kind == 'C' && i + 1 < s->count &&
                        s->lines[i + 1].kind == 'C';
        if (line->kind != 'C') {
            r->alone = is_alone ? &s->lines[i + 1].best : NULL;
        }
        if (!play(r, line) || (i % DEPTH_EVERY == DEPTH_EVERY - 1 && !check_depth(r))) {
            return false;
        }
        if (i % 1000 == 0 || i + 1 == s->count) {
            show_progress(r);
        }
    }
    return check_depth(r);
}

static bool converse(replay *r, const server *s)
{
    const char *address = server_address(s, "websocket");
    if (address == NULL || !ws_client_connect(&r->client, address, "/ws", DEADLINE_MS)) {
        return wrong(r, "no connection: %s", r->client.error);
    }
    say(r, "{\"type\":\"subscribe\",\"channels\":[\"trades\",\"book\"]}");
    bool good = play_all(r);
    ws_client_close(&r->client);
    return good;
}

static double seconds_since(const struct timespec *start)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

int main(int argc, char **argv)
{
    static replay r;
    server s;
    struct timespec start;
    if (argc != 3) {
        fprintf(stderr, "usage: %s PROGRAM SCRIPT.xz\n", argv[0]);
        return EXIT_FAILURE;
    }
    if (access(argv[2], R_OK) != 0) {
        printf("skipped: there is no market data at %s (MATCHING_TEST_DATA names another folder)\n",
               argv[2]);
        return SKIPPED;
    }
    script_outcome outcome = script_read(&r.script, argv[2]);
    if (outcome != SCRIPT_READ) {
        script_free(&r.script);
        if (outcome == SCRIPT_NO_XZ) {
            printf("skipped: the command xz is not installed\n");
            return SKIPPED;
        }
        return EXIT_FAILURE;
    }
    orders_init(&r.orders, r.script.count);
    clock_gettime(CLOCK_MONOTONIC, &start);
    bool good = server_start(&s, argv[1], "websocket", CONFIG) && converse(&r, &s);
    int code = server_stop(&s);
    if (good && code != 0) {
        good = wrong(&r, "the program ended with %d", code);
    }
    printf("%zu of %zu lines in %.1f s: %zu runs with %zu fills, %zu bests (%zu book_updates)%s\n",
           r.line, r.script.count, seconds_since(&start), r.runs, r.fill_count, r.bests, r.updates,
           good ? ", all as in the market" : "");
    json_object_put(r.snapshot);
    orders_free(&r.orders);
    script_free(&r.script);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
