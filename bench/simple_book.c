/* See simple_book.h. Plain rather than fast; not for use outside tests and benchmarks. */
#include "bench/simple_book.h"

#include <stdbool.h>
#include <stdlib.h>

typedef struct simple_order {
    uint32_t previous, next; /* ids; 0: none */
    uint32_t price_ticks;
    uint32_t lots; /* 0: does not rest */
    uint8_t side;
} simple_order;

typedef struct simple_level {
    uint32_t first, last; /* ids, oldest first; 0: none */
} simple_level;

struct simple_book {
    simple_order orders[SIMPLE_ID_MAX + 1];
    simple_level levels[2][SIMPLE_PRICES];
    int64_t best[2]; /* no order is better; exact where the side has one */
    uint32_t live;
};

enum { BUY = 0, SELL = 1 };

simple_book *simple_book_create(void)
{
    simple_book *book = calloc(1, sizeof *book);
    if (book != NULL) {
        book->best[BUY] = 0;
        book->best[SELL] = SIMPLE_PRICES;
    }
    return book;
}

void simple_book_destroy(simple_book *book)
{
    free(book);
}

/* Walks to the best price that has an order; over the end: there is none. */
static void find_best(simple_book *book, unsigned side)
{
    while (book->best[side] > 0 && book->best[side] < SIMPLE_PRICES &&
           book->levels[side][book->best[side]].first == 0) {
        book->best[side] += side == BUY ? -1 : 1;
    }
}

static void rest(simple_book *book, uint32_t id, unsigned side, int64_t price, uint32_t lots)
{
    simple_level *level = &book->levels[side][price];
    book->orders[id] = (simple_order){.previous = level->last,
                                      .price_ticks = (uint32_t)price,
                                      .lots = lots,
                                      .side = (uint8_t)side};
    if (level->last != 0) {
        book->orders[level->last].next = id;
    } else {
        level->first = id;
    }
    level->last = id;
    if (side == BUY ? price > book->best[BUY] : price < book->best[SELL]) {
        book->best[side] = price;
    }
    book->live++;
}

static void take_out(simple_book *book, uint32_t id)
{
    simple_order *order = &book->orders[id];
    simple_level *level = &book->levels[order->side][order->price_ticks];
    if (order->previous != 0) {
        book->orders[order->previous].next = order->next;
    } else {
        level->first = order->next;
    }
    if (order->next != 0) {
        book->orders[order->next].previous = order->previous;
    } else {
        level->last = order->previous;
    }
    order->lots = 0;
    book->live--;
    find_best(book, order->side);
}

/* Trades of an order that comes in; returns what is left of it. */
static uint32_t match(simple_book *book, yardstick_report trade, unsigned side, int64_t limit,
                      uint32_t lots, simple_report report, void *context)
{
    unsigned other = !side;
    trade.type = YARDSTICK_TRADE;
    trade.taker_id = trade.order_id;
    while (lots > 0 && book->best[other] > 0 && book->best[other] < SIMPLE_PRICES &&
           (side == BUY ? book->best[SELL] <= limit : book->best[BUY] >= limit)) {
        uint32_t id = book->levels[other][book->best[other]].first;
        simple_order *maker = &book->orders[id];
        trade.maker_id = id;
        trade.price_ticks = maker->price_ticks;
        trade.quantity_lots = maker->lots < lots ? maker->lots : lots;
        lots -= trade.quantity_lots;
        report(context, &trade);
        if (maker->lots == trade.quantity_lots) {
            take_out(book, id);
        } else {
            maker->lots -= trade.quantity_lots;
        }
    }
    return lots;
}

static void apply_new(simple_book *book, const yardstick_new *message, simple_report report,
                      void *context)
{
    yardstick_report out = {.type = YARDSTICK_ORDER_ACK,
                            .side = message->side,
                            .sequence = message->sequence,
                            .order_id = message->order_id,
                            .price_ticks = message->price_ticks,
                            .quantity_lots = message->quantity_lots};
    report(context, &out);
    uint32_t left = match(book, out, message->side, message->price_ticks, message->quantity_lots,
                          report, context);
    if (left > 0 && message->immediate) {
        out.type = YARDSTICK_CANCEL_ACK;
        out.quantity_lots = left;
        report(context, &out);
    } else if (left > 0) {
        rest(book, (uint32_t)message->order_id, message->side, message->price_ticks, left);
    }
}

static bool is_live(const simple_book *book, uint64_t id)
{
    return id >= 1 && id <= SIMPLE_ID_MAX && book->orders[id].lots > 0;
}

static void apply_cancel(simple_book *book, const yardstick_cancel *message, simple_report report,
                         void *context)
{
    yardstick_report out = {.type = YARDSTICK_CANCEL_REJECT,
                            .sequence = message->sequence,
                            .order_id = message->order_id};
    if (is_live(book, message->order_id)) {
        const simple_order *order = &book->orders[message->order_id];
        out.type = YARDSTICK_CANCEL_ACK;
        out.side = order->side;
        out.price_ticks = order->price_ticks;
        out.quantity_lots = order->lots;
        take_out(book, (uint32_t)message->order_id);
    }
    report(context, &out);
}

static void apply_modify(simple_book *book, const yardstick_modify *message, simple_report report,
                         void *context)
{
    yardstick_report out = {.type = YARDSTICK_MODIFY_REJECT,
                            .sequence = message->sequence,
                            .order_id = message->order_id};
    if (is_live(book, message->order_id)) {
        uint32_t id = (uint32_t)message->order_id;
        unsigned side = book->orders[id].side;
        take_out(book, id);
        uint32_t left =
            match(book, out, side, message->price_ticks, message->quantity_lots, report, context);
        if (left > 0) {
            rest(book, id, side, message->price_ticks, left);
        }
        out.type = YARDSTICK_MODIFY_ACK;
        out.side = (uint8_t)side;
        out.price_ticks = message->price_ticks;
        out.quantity_lots = message->quantity_lots;
    }
    report(context, &out);
}

void simple_book_apply(simple_book *book, const yardstick_message *message, simple_report report,
                       void *context)
{
    if (message->type == YARDSTICK_NEW) {
        apply_new(book, &message->enter, report, context);
    } else if (message->type == YARDSTICK_CANCEL) {
        apply_cancel(book, &message->cancel, report, context);
    } else {
        apply_modify(book, &message->modify, report, context);
    }
}

int64_t simple_book_best_bid(const simple_book *book)
{
    return book->best[BUY] > 0 ? book->best[BUY] : INT64_MIN;
}

int64_t simple_book_best_ask(const simple_book *book)
{
    return book->best[SELL] < SIMPLE_PRICES ? book->best[SELL] : INT64_MAX;
}

uint64_t simple_book_depth_at(const simple_book *book, int64_t price_ticks, uint8_t side)
{
    uint64_t lots = 0;
    if (price_ticks > 0 && price_ticks < SIMPLE_PRICES && side <= SELL) {
        for (uint32_t id = book->levels[side][price_ticks].first; id != 0;
             id = book->orders[id].next) {
            lots += book->orders[id].lots;
        }
    }
    return lots;
}

uint32_t simple_book_live(const simple_book *book)
{
    return book->live;
}
