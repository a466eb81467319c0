/* See inprocess.h. The client's copy of a reply's arrays is what outlives on_reply. */
#include "inprocess.h"

#include "matching/metrics.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct matching_inprocess {
    matching_core *core;
    matching_port *port;
    int wake_fd;
    matching_inprocess_listener listener;
    void *context;
    bool answered;
    matching_reply reply;
    matching_depth depth;
    matching_ticker ticker;
    void *copies[3]; /* trades or orders or candles or bids, ids, asks */
};

static void wake(void *context)
{
    matching_inprocess *client = context;
    uint64_t one = 1;
    ssize_t written = write(client->wake_fd, &one, sizeof one);
    (void)written; /* a full counter wakes too */
}

static void *keep(matching_inprocess *client, unsigned place, const void *from, size_t bytes)
{
    free(client->copies[place]);
    client->copies[place] = malloc(bytes + 1);
    if (client->copies[place] == NULL) {
        abort();
    }
    if (bytes > 0) {
        memcpy(client->copies[place], from, bytes);
    }
    return client->copies[place];
}

static void on_reply(void *context, const matching_reply *reply)
{
    matching_inprocess *client = context;
    matching_reply *own = &client->reply;
    *own = *reply;
    if (reply->trades != NULL) {
        own->trades = keep(client, 0, reply->trades, reply->trade_count * sizeof *reply->trades);
    }
    if (reply->orders != NULL) {
        own->orders = keep(client, 0, reply->orders, reply->order_count * sizeof *reply->orders);
    }
    if (reply->candles != NULL) {
        own->candles =
            keep(client, 0, reply->candles, reply->candle_count * sizeof *reply->candles);
    }
    if (reply->order_ids != NULL) {
        own->order_ids =
            keep(client, 1, reply->order_ids, reply->order_id_count * sizeof *reply->order_ids);
    }
    if (reply->depth != NULL) {
        const matching_depth *depth = reply->depth;
        client->depth = *depth;
        client->depth.bids = keep(client, 0, depth->bids, depth->bid_count * sizeof *depth->bids);
        client->depth.asks = keep(client, 2, depth->asks, depth->ask_count * sizeof *depth->asks);
        own->depth = &client->depth;
    }
    if (reply->ticker != NULL) {
        client->ticker = *reply->ticker;
        own->ticker = &client->ticker;
    }
    client->answered = true;
}

static void on_event(void *context, unsigned shard, uint64_t position, const matching_event *event,
                     const matching_order *order)
{
    matching_inprocess *client = context;
    (void)position;
    if (client->listener != NULL) {
        client->listener(client->context, shard, event, order);
    }
}

matching_inprocess *matching_inprocess_create(matching_core *core,
                                              matching_inprocess_listener listener, void *context)
{
    matching_inprocess *client = calloc(1, sizeof *client);
    if (client == NULL) {
        return NULL;
    }
    client->core = core;
    client->listener = listener;
    client->context = context;
    client->wake_fd = eventfd(0, EFD_CLOEXEC);
    const matching_port_handlers handlers = {
        .on_reply = on_reply, .on_event = listener != NULL ? on_event : NULL, .wake = wake};
    client->port = client->wake_fd < 0 ? NULL : matching_port_create(core, &handlers, client);
    if (client->port == NULL) {
        matching_inprocess_destroy(client);
        return NULL;
    }
    matching_port_name(client->port, "inprocess");
    if (listener != NULL) {
        matching_port_watch(client->port, NULL); /* as long as the core lives */
    }
    return client;
}

void matching_inprocess_destroy(matching_inprocess *client)
{
    for (size_t i = 0; i < sizeof client->copies / sizeof client->copies[0]; i++) {
        free(client->copies[i]);
    }
    if (client->wake_fd >= 0) {
        close(client->wake_fd);
    }
    free(client);
}

void matching_inprocess_poll(matching_inprocess *client)
{
    while (matching_port_poll(client->port, 0)) {
    }
}

matching_code matching_inprocess_call(matching_inprocess *client, const matching_request *request,
                                      const matching_reply **reply, matching_error *error)
{
    matching_command command;
    matching_code code = matching_gateway_prepare(client->core, request, &command, error);
    if (code != MATCHING_OK) {
        return code;
    }
    command.received_ns = matching_monotonic_ns();
    if (command.type == MATCHING_PLACE || command.type == MATCHING_AMEND) {
        command.flags |= MATCHING_FLAG_COLLECT;
    }
    client->answered = false;
    code = matching_port_submit(client->port, &command);
    if (code != MATCHING_OK) {
        matching_error_set(error, code, MATCHING_FIELD_NONE, NULL);
        return code;
    }
    matching_port_flush(client->port);
    for (;;) {
        matching_inprocess_poll(client);
        if (client->answered) {
            break;
        }
        if (matching_port_sleep(client->port)) {
            uint64_t count;
            ssize_t got = read(client->wake_fd, &count, sizeof count);
            (void)got; /* interrupted: look again */
        }
    }
    *reply = &client->reply;
    if (client->reply.code != MATCHING_OK) {
        matching_error_set(error, (matching_code)client->reply.code,
                           (matching_field)client->reply.field, NULL);
        error->order_id = client->reply.related_order_id;
    }
    return (matching_code)client->reply.code;
}
