/* Counts what each client sends, and says so when it leaves: trades, and the volume of each symbol.
 *
 *     sbe_stats [PORT]        (9001; 0: any free one)
 *
 * Shows on_trades: a run of trades is read where it was received, without a copy. Until Ctrl-C.
 */
#include <matching/sbe_gateway.h>

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define CLIENTS_MAX 1024 /* the gateway takes no more than that unless it is told to */

typedef struct client {
    bool is_used;
    uint64_t connection, trades, errors;
    uint64_t volume[256]; /* by symbol */
} client;

static client *find(client *clients, uint64_t connection)
{
    size_t i = 0;
    while (!clients[i].is_used || clients[i].connection != connection) {
        i++; /* it is there: on_connect came first */
    }
    return &clients[i];
}

static void on_connect(void *context, uint64_t connection)
{
    client *free_one = context;
    while (free_one->is_used) {
        free_one++;
    }
    *free_one = (client){.is_used = true, .connection = connection};
}

static int on_trades(void *context, uint64_t connection, const void *data, size_t message_size,
                     size_t count)
{
    client *c = find(context, connection);
    const char *message = data;
    for (size_t i = 0; i < count; i++, message += message_size) {
        unsigned char symbol = (unsigned char)matching_sbe_trade_symbol(message);
        c->volume[symbol] += matching_sbe_trade_quantity(message);
    }
    c->trades += count;
    return 0;
}

static void on_error(void *context, uint64_t connection, int error, const char *text)
{
    (void)error;
    (void)text;
    find(context, connection)->errors++;
}

static void on_disconnect(void *context, uint64_t connection)
{
    client *c = find(context, connection);
    printf("%" PRIu64 " sent %" PRIu64 " trades, %" PRIu64 " errors;", connection, c->trades,
           c->errors);
    for (unsigned symbol = 0; symbol < 256; symbol++) {
        if (c->volume[symbol] > 0) {
            printf(" %c %" PRIu64, (int)symbol, c->volume[symbol]);
        }
    }
    printf("\n");
    c->is_used = false;
}

int main(int argc, char **argv)
{
    static client clients[CLIENTS_MAX];
    const matching_sbe_gateway_options options = {.port =
                                                      (uint16_t)(argc > 1 ? atoi(argv[1]) : 9001)};
    const matching_sbe_handler handler = {.context = clients,
                                          .on_trades = on_trades,
                                          .on_connect = on_connect,
                                          .on_disconnect = on_disconnect,
                                          .on_error = on_error};
    char error[256];
    int signal_number;
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, NULL); /* sigwait takes them */
    setvbuf(stdout, NULL, _IOLBF, 0);

    matching_sbe_gateway *gateway =
        matching_sbe_gateway_create(&options, &handler, error, sizeof error);
    if (gateway == NULL || matching_sbe_gateway_start(gateway, error, sizeof error) != 0) {
        fprintf(stderr, "sbe_stats: %s\n", error);
        matching_sbe_gateway_destroy(gateway);
        return 1;
    }
    printf("listening %s\n", matching_sbe_gateway_address(gateway));
    sigwait(&stops, &signal_number);
    matching_sbe_gateway_stop(gateway);
    matching_sbe_gateway_destroy(gateway);
    return 0;
}
