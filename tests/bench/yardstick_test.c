/* libmatching_yardstick.so, loaded as the public benchmark loads it: short sequences on an empty
 * book whose reports are written out here, and after each message the best prices and depths.
 *
 * Messages:  "b1 10@100" buy order 1, 10 lots at 100; "s1" sell; "b1! ..." immediate or cancel;
 *            "c1" cancel; "m1 5@101" modify to 5 open lots at 101.
 * Reports:   "A" order ack, "T3:10@100" trade with maker 3, "C@100" cancel ack, "M" modify ack, "R"
 *            cancel or modify reject. Acks of a message are expected with its own values.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bench/plain_queue.h"
#include "bench/reports.h"
#include "bench/simple_book.h"
#include "bench/yardstick_library.h"
#include "support/cunit_main.h"

#define REPORTS_MAX 16384u
#define STEPS_MAX 16

typedef struct step {
    const char *message, *reports;
} step;

typedef struct sequence {
    const char *what;
    step steps[STEPS_MAX];
} sequence;

/* ---- The sequences --------------------------------------------------------------------------- */

static const sequence queues[] = {
    {"the middle of a queue is cancelled, then a sweep",
     {{"b1 10@100", "A"},
      {"b2 10@100", "A"},
      {"b3 10@100", "A"},
      {"c2", "C@100"},
      {"s4! 30@100", "A T1:10@100 T3:10@100 C@100"}}},
    {"the head of a queue is cancelled, then a sweep",
     {{"s1 10@100", "A"},
      {"s2 20@100", "A"},
      {"s3 30@100", "A"},
      {"c1", "C@100"},
      {"b4! 50@100", "A T2:20@100 T3:30@100"}}},
    {"scattered members of a queue are cancelled, then a sweep",
     {{"b1 1@100", "A"},
      {"b2 2@100", "A"},
      {"b3 3@100", "A"},
      {"b4 4@100", "A"},
      {"b5 5@100", "A"},
      {"b6 6@100", "A"},
      {"b7 7@100", "A"},
      {"c2", "C@100"},
      {"c5", "C@100"},
      {"c7", "C@100"},
      {"s8! 14@100", "A T1:1@100 T3:3@100 T4:4@100 T6:6@100"}}},
    {"time decides within a price",
     {{"s1 10@100", "A"},
      {"s2 10@100", "A"},
      {"b3 10@100", "A T1:10@100"},
      {"b4 10@100", "A T2:10@100"}}},
    {"price comes before time among the bids, whatever the arrival",
     {{"b1 5@100", "A"},
      {"b2 5@102", "A"},
      {"b3 5@101", "A"},
      {"b4 5@102", "A"},
      {"s5 20@100", "A T2:5@102 T4:5@102 T3:5@101 T1:5@100"}}},
    {"price comes before time among the asks, whatever the arrival",
     {{"s1 5@102", "A"},
      {"s2 5@100", "A"},
      {"s3 5@101", "A"},
      {"s4 5@100", "A"},
      {"b5 20@102", "A T2:5@100 T4:5@100 T3:5@101 T1:5@102"}}},
    {"exact exhaustion leaves the next maker untouched",
     {{"s1 5@100", "A"},
      {"s2 5@100", "A"},
      {"b3! 5@100", "A T1:5@100"},
      {"c1", "R"},
      {"c2", "C@100"}}},
    {"repricing one of two at a level keeps the other",
     {{"b1 5@100", "A"},
      {"b2 6@100", "A"},
      {"m1 5@98", "M"},
      {"s3! 11@100", "A T2:6@100 C@100"},
      {"s4 5@98", "A T1:5@98"}}},
    {"an emptied level takes orders again",
     {{"b1 5@100", "A"},
      {"b2 5@99", "A"},
      {"c1", "C@100"},
      {"b3 7@100", "A"},
      {"s4! 12@99", "A T3:7@100 T2:5@99"}}},
    {"an emptied side takes orders again",
     {{"s1 5@100", "A"},
      {"c1", "C@100"},
      {"s2 6@105", "A"},
      {"b3 6@105", "A T2:6@105"},
      {"s4 7@95", "A"},
      {"b5! 7@95", "A T4:7@95"}}},
    {"the next best bid is right at once after a cancel of the best",
     {{"b1 5@100", "A"}, {"b2 6@97", "A"}, {"c1", "C@100"}, {"s3! 6@97", "A T2:6@97"}}},
    {"the next best ask is right at once after a cancel of the best",
     {{"s1 5@100", "A"}, {"s2 6@103", "A"}, {"c1", "C@100"}, {"b3! 6@103", "A T2:6@103"}}},
};

static const sequence takers[] = {
    {"immediate or cancel over several levels",
     {{"s1 10@102", "A"},
      {"s2 10@101", "A"},
      {"s3 10@100", "A"},
      {"b4! 25@102", "A T3:10@100 T2:10@101 T1:5@102"}}},
    {"immediate or cancel for the exact sum of several levels",
     {{"b1 10@100", "A"},
      {"b2 20@99", "A"},
      {"b3 30@98", "A"},
      {"s4! 60@98", "A T1:10@100 T2:20@99 T3:30@98"},
      {"c3", "R"}}},
    {"what an immediate order leaves over does not rest",
     {{"s1 10@100", "A"},
      {"b2! 25@100", "A T1:10@100 C@100"},
      {"s3! 15@100", "A C@100"},
      {"c2", "R"}}},
    {"an immediate order that meets nobody",
     {{"b1! 5@100", "A C@100"}, {"c1", "R"}, {"b1 5@100", "A"}, {"c1", "C@100"}}},
    {"what a limit order leaves over rests at its own limit and is the new best",
     {{"s1 10@100", "A"},
      {"s2 10@101", "A"},
      {"b3 25@102", "A T1:10@100 T2:10@101"},
      {"s4! 5@102", "A T3:5@102"}}},
    {"a limit order stops at its own limit",
     {{"b1 10@100", "A"},
      {"b2 10@98", "A"},
      {"s3 15@99", "A T1:10@100"},
      {"b4! 5@99", "A T3:5@99"},
      {"c2", "C@98"}}},
    {"a buyer trades at the seller's price", {{"s1 10@100", "A"}, {"b2! 10@107", "A T1:10@100"}}},
    {"a seller trades at the buyer's price", {{"b1 10@100", "A"}, {"s2! 10@93", "A T1:10@100"}}},
    {"a partly filled maker is cancelled",
     {{"s1 10@100", "A"}, {"b2 6@100", "A T1:6@100"}, {"c1", "C@100"}, {"b3! 4@100", "A C@100"}}},
    {"a partly filled maker is modified",
     {{"s1 10@100", "A"},
      {"b2 4@100", "A T1:4@100"},
      {"m1 6@103", "M"},
      {"b3! 7@103", "A T1:6@103 C@103"}}},
    {"a partly filled maker keeps the front across takers",
     {{"b1 10@100", "A"},
      {"b2 10@100", "A"},
      {"b3 10@100", "A"},
      {"s4! 4@100", "A T1:4@100"},
      {"s5! 9@100", "A T1:6@100 T2:3@100"},
      {"s6! 9@100", "A T2:7@100 T3:2@100"}}},
    {"a maker is drained to the last lot by several takers",
     {{"s1 20@100", "A"},
      {"b2! 8@100", "A T1:8@100"},
      {"b3! 12@100", "A T1:12@100"},
      {"b4! 5@100", "A C@100"}}},
    {"a price of 200,000",
     {{"s1 10@200000", "A"},
      {"b2 5@200000", "A T1:5@200000"},
      {"b3 5@199999", "A"},
      {"c1", "C@200000"},
      {"c3", "C@199999"}}},
};

static const sequence changes[] = {
    {"a modify onto the other side trades",
     {{"s1 10@100", "A"}, {"b2 10@99", "A"}, {"m2 10@100", "T1:10@100 M"}, {"c2", "R"}}},
    {"a buy modified through the spread trades at the maker's price",
     {{"s1 10@100", "A"},
      {"b2 4@90", "A"},
      {"m2 14@105", "T1:10@100 M"},
      {"s3! 4@105", "A T2:4@105"}}},
    {"a sell modified through the spread trades at the maker's price",
     {{"b1 10@200", "A"},
      {"s2 4@210", "A"},
      {"m2 14@195", "T1:10@200 M"},
      {"b3! 4@195", "A T2:4@195"}}},
    {"a modified order goes to the back, with its new quantity",
     {{"b1 10@100", "A"},
      {"b2 10@100", "A"},
      {"m1 11@100", "M"},
      {"s3! 21@100", "A T2:10@100 T1:11@100"}}},
    {"a modify of a partly filled order counts what shall be open",
     {{"b1 10@100", "A"},
      {"s2 9@100", "A T1:9@100"},
      {"m1 3@99", "M"},
      {"s3! 5@99", "A T1:3@99 C@99"}}},
    {"a filled order can be neither cancelled nor modified",
     {{"s1 10@100", "A"},
      {"b2 10@100", "A T1:10@100"},
      {"c1", "R"},
      {"m1 5@101", "R"},
      {"c2", "R"},
      {"m2 5@101", "R"}}},
    {"a cancelled order can be neither cancelled nor modified",
     {{"b1 10@100", "A"}, {"c1", "C@100"}, {"c1", "R"}, {"m1 5@101", "R"}}},
    {"an unknown id on an empty book", {{"c999", "R"}, {"m999 5@100", "R"}}},
    {"id 2,000,000 on an empty book", {{"c2000000", "R"}, {"m2000000 5@100", "R"}}},
    {"an id is free again after a cancel",
     {{"b1 10@100", "A"},
      {"c1", "C@100"},
      {"s1 10@200", "A"},
      {"b2! 10@200", "A T1:10@200"},
      {"b1 5@50", "A"},
      {"c1", "C@50"}}},
    {"an id is free again after a fill",
     {{"b1 10@100", "A"},
      {"s2 10@100", "A T1:10@100"},
      {"s1 10@200", "A"},
      {"s2 10@201", "A"},
      {"b3! 20@201", "A T1:10@200 T2:10@201"}}},
};

/* ---- Reading them ---------------------------------------------------------------------------- */

static yardstick_message read_message(const char *text, uint64_t number)
{
    yardstick_message m = {.type = text[0] == 'c'   ? YARDSTICK_CANCEL
                                   : text[0] == 'm' ? YARDSTICK_MODIFY
                                                    : YARDSTICK_NEW};
    char *end;
    uint64_t order = strtoull(text + 1, &end, 10);
    bool immediate = *end == '!';
    end += immediate;
    uint32_t lots = (uint32_t)strtoul(end, &end, 10);
    int64_t price = *end == '@' ? strtoll(end + 1, NULL, 10) : 0;
    m.cancel = (yardstick_cancel){.order_id = order, .sequence = number};
    if (m.type == YARDSTICK_NEW) {
        m.enter.price_ticks = price;
        m.enter.quantity_lots = lots;
        m.enter.side = text[0] == 's';
        m.enter.immediate = immediate;
    } else if (m.type == YARDSTICK_MODIFY) {
        m.modify.price_ticks = price;
        m.modify.quantity_lots = lots;
    }
    return m;
}

/* side: the order's. */
static size_t read_reports(const char *text, const yardstick_message *m, uint8_t side,
                           yardstick_report *out)
{
    static const uint8_t rejects[] = {YARDSTICK_CANCEL_ACK, YARDSTICK_CANCEL_REJECT,
                                      YARDSTICK_MODIFY_REJECT};
    size_t count = 0;
    for (const char *at = text; *at != 0; at += strcspn(at, " "), at += *at == ' ') {
        yardstick_report r = {
            .sequence = m->cancel.sequence, .order_id = m->cancel.order_id, .side = side};
        char *end;
        if (*at == 'T') {
            r.type = YARDSTICK_TRADE;
            r.maker_id = strtoull(at + 1, &end, 10);
            r.taker_id = r.order_id;
            r.quantity_lots = (uint32_t)strtoul(end + 1, &end, 10);
            r.price_ticks = strtoll(end + 1, NULL, 10);
        } else if (*at == 'C') {
            r.type = YARDSTICK_CANCEL_ACK;
            r.price_ticks = strtoll(at + 2, NULL, 10);
        } else if (*at == 'R') {
            r.type = rejects[m->type];
        } else {
            r.type = *at == 'A' ? YARDSTICK_ORDER_ACK : YARDSTICK_MODIFY_ACK;
            r.price_ticks = *at == 'A' ? m->enter.price_ticks : m->modify.price_ticks;
            r.quantity_lots = *at == 'A' ? m->enter.quantity_lots : m->modify.quantity_lots;
        }
        out[count++] = r;
    }
    return count;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

typedef struct gathered {
    yardstick_report reports[REPORTS_MAX];
    size_t count;
} gathered;

static gathered got, expected, book_said;
static yardstick_library engine;
static simple_book *book;

static void gather(void *context, const yardstick_report *report)
{
    gathered *g = context;
    CU_ASSERT_FATAL(g->count < REPORTS_MAX);
    g->reports[g->count++] = *report;
}

static int push(void *handle, const yardstick_report *report)
{
    gather(handle, report);
    return 1;
}

static void flush(void *handle)
{
    (void)handle;
}

static const yardstick_transport gathering = {.push = push, .flush = flush};

static void load(void)
{
    const char *missing = yardstick_library_load(YARDSTICK, &engine);
    if (missing != NULL) {
        fprintf(stderr, "%s\n", missing);
    }
    CU_ASSERT_PTR_NULL_FATAL(missing);
}

static void begin(void)
{
    load();
    book = simple_book_create();
    CU_ASSERT_PTR_NOT_NULL_FATAL(book);
    engine.init(7, &gathering, &got);
    CU_ASSERT_EQUAL(engine.best_bid(), INT64_MIN);
    CU_ASSERT_EQUAL(engine.best_ask(), INT64_MAX);
}

static void end(void)
{
    engine.shutdown();
    yardstick_library_unload(&engine);
    simple_book_destroy(book);
}

static bool equal(gathered *left, gathered *right)
{
    reports_normalise(left->reports, left->count);
    reports_normalise(right->reports, right->count);
    bool same = left->count == right->count;
    for (size_t i = 0; same && i < left->count; i++) {
        same = reports_equal(&left->reports[i], &right->reports[i]);
    }
    return same;
}

static bool same_depths(void)
{
    int64_t bid = simple_book_best_bid(book), ask = simple_book_best_ask(book);
    bool same = engine.best_bid() == bid && engine.best_ask() == ask;
    for (int64_t price = 90; same && price <= 210; price++) {
        same = engine.depth_at(price, 0) == simple_book_depth_at(book, price, 0) &&
               engine.depth_at(price, 1) == simple_book_depth_at(book, price, 1);
    }
    return same && engine.depth_at(200000, 1) == simple_book_depth_at(book, 200000, 1);
}

/* One message to both; what came is in `got` and `book_said`. */
static void deliver(const yardstick_message *message)
{
    got.count = book_said.count = 0;
    yardstick_library_deliver(&engine, message);
    simple_book_apply(book, message, gather, &book_said);
}

static void play(const sequence *s)
{
    uint8_t sides[16] = {0}; /* by id; larger ids never rest here */
    begin();
    for (size_t i = 0; i < STEPS_MAX && s->steps[i].message != NULL; i++) {
        yardstick_message message = read_message(s->steps[i].message, 100 + i);
        uint64_t order = message.cancel.order_id;
        if (message.type == YARDSTICK_NEW) {
            sides[order] = message.enter.side;
        } else if (message.type == YARDSTICK_MODIFY && order < 16) {
            message.modify.side = sides[order];
        }
        deliver(&message);
        expected.count = read_reports(s->steps[i].reports, &message, order < 16 ? sides[order] : 0,
                                      expected.reports);
        bool same = equal(&got, &expected) && equal(&book_said, &expected) && same_depths();
        if (!same) {
            fprintf(stderr, "%s: \"%s\" is not answered by \"%s\"\n", s->what, s->steps[i].message,
                    s->steps[i].reports);
        }
        CU_ASSERT(same);
    }
    end();
}

static void test_queues(void)
{
    for (size_t i = 0; i < sizeof queues / sizeof queues[0]; i++) {
        play(&queues[i]);
    }
}

static void test_takers(void)
{
    for (size_t i = 0; i < sizeof takers / sizeof takers[0]; i++) {
        play(&takers[i]);
    }
}

static void test_changes(void)
{
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        play(&changes[i]);
    }
}

#define MANY 5000u

static void rest_many(void)
{
    for (uint64_t id = 1; id <= MANY; id++) {
        yardstick_message ask = {
            .type = YARDSTICK_NEW,
            .enter = {.order_id = id, .price_ticks = 100, .quantity_lots = 1, .side = 1}};
        deliver(&ask);
        CU_ASSERT_EQUAL(got.count, 1);
    }
}

static const yardstick_message sweep = {.type = YARDSTICK_NEW,
                                        .enter = {.order_id = MANY + 1,
                                                  .sequence = 1,
                                                  .price_ticks = 100,
                                                  .quantity_lots = MANY + 1,
                                                  .immediate = 1}};

static void test_five_thousand_makers_are_swept_by_one_order(void)
{
    begin();
    rest_many();
    deliver(&sweep);
    CU_ASSERT_EQUAL(got.count, MANY + 2);
    CU_ASSERT_EQUAL(got.reports[0].type, YARDSTICK_ORDER_ACK);
    for (uint64_t id = 1; id <= MANY; id++) {
        CU_ASSERT_EQUAL(got.reports[id].maker_id, id);
    }
    CU_ASSERT(equal(&got, &book_said));
    CU_ASSERT(same_depths());
    end();
}

/* A reader that is far slower than the engine: nothing is lost, nothing is out of order. */
typedef struct reader {
    const yardstick_transport *transport;
    void *queue;
    size_t wanted;
} reader;

static void *read_slowly(void *argument)
{
    reader *r = argument;
    while (got.count < r->wanted) {
        got.count += r->transport->drain(r->queue, &got.reports[got.count], 3);
    }
    return NULL;
}

static void sweep_through(const yardstick_transport *transport)
{
    reader r = {.transport = transport, .queue = transport->create(33), .wanted = 2 * MANY + 2};
    pthread_t thread;
    CU_ASSERT_PTR_NOT_NULL_FATAL(r.queue);
    got.count = book_said.count = 0;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, read_slowly, &r), 0);
    engine.init(7, transport, r.queue);
    for (uint64_t id = 1; id <= MANY; id++) {
        yardstick_new ask = {.order_id = id, .price_ticks = 100, .quantity_lots = 1, .side = 1};
        engine.on_new_order(&ask);
    }
    engine.on_batch(&sweep, 1);
    engine.flush();
    pthread_join(thread, NULL);
    CU_ASSERT_EQUAL(got.count, 2 * MANY + 2);
    for (uint64_t id = 1; id <= MANY; id++) {
        CU_ASSERT_EQUAL(got.reports[id - 1].order_id, id);
        CU_ASSERT_EQUAL(got.reports[MANY + id].maker_id, id);
    }
    transport->destroy(r.queue);
    engine.shutdown();
}

static void test_a_full_queue_makes_the_engine_wait(void)
{
    load();
    sweep_through(engine.get_transport());
    sweep_through(&plain_queue_transport);
    yardstick_library_unload(&engine);
}

static void test_any_id_will_do(void)
{
    static const uint64_t ids[] = {0, 1, UINT32_MAX, 1ull << 32, 1ull << 63, UINT64_MAX};
    begin();
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
            yardstick_new bid = {.order_id = ids[i], .price_ticks = 100, .quantity_lots = 2};
            got.count = 0;
            engine.on_new_order(&bid);
            CU_ASSERT_EQUAL(got.count, 1);
        }
        CU_ASSERT_EQUAL(engine.depth_at(100, 0), 12);
        for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
            yardstick_cancel cancel = {.order_id = ids[i]};
            got.count = 0;
            engine.on_cancel(&cancel);
            engine.on_cancel(&cancel);
            CU_ASSERT_EQUAL(got.count, 2);
            CU_ASSERT_EQUAL(got.reports[0].type, YARDSTICK_CANCEL_ACK);
            CU_ASSERT_EQUAL(got.reports[1].type, YARDSTICK_CANCEL_REJECT);
            CU_ASSERT_EQUAL(got.reports[1].order_id, ids[i]);
        }
    }
    CU_ASSERT_EQUAL(engine.best_bid(), INT64_MIN);
    end();
}

static void test_values_that_no_order_can_have(void)
{
    static const struct {
        int64_t price_ticks;
        uint32_t lots;
        uint8_t side;
    } wrong[] = {{0, 1, 0}, {-5, 1, 0}, {INT64_MAX, 1, 0}, {100, 0, 0}, {100, 1, 2}};
    begin();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        yardstick_new bid = {.order_id = 1,
                             .price_ticks = wrong[i].price_ticks,
                             .quantity_lots = wrong[i].lots,
                             .side = wrong[i].side};
        got.count = 0;
        engine.on_new_order(&bid);
        CU_ASSERT_EQUAL(got.count, 1);
        CU_ASSERT_EQUAL(got.reports[0].type, YARDSTICK_CANCEL_ACK);
    }
    yardstick_new bid = {.order_id = 1, .price_ticks = 100, .quantity_lots = 2};
    yardstick_modify modify = {.order_id = 1, .price_ticks = 100, .quantity_lots = 0};
    got.count = 0;
    engine.on_new_order(&bid);
    engine.on_new_order(&bid); /* the id is in use: it cannot rest */
    engine.on_modify(&modify);
    CU_ASSERT_EQUAL(got.count, 4);
    CU_ASSERT_EQUAL(got.reports[2].type, YARDSTICK_CANCEL_ACK);
    CU_ASSERT_EQUAL(got.reports[3].type, YARDSTICK_MODIFY_REJECT);
    CU_ASSERT_EQUAL(engine.depth_at(100, 0), 2);
    end();
}

MATCHING_TESTS(MATCHING_TEST(test_queues), MATCHING_TEST(test_takers), MATCHING_TEST(test_changes),
               MATCHING_TEST(test_five_thousand_makers_are_swept_by_one_order),
               MATCHING_TEST(test_a_full_queue_makes_the_engine_wait),
               MATCHING_TEST(test_any_id_will_do),
               MATCHING_TEST(test_values_that_no_order_can_have))
