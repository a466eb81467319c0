/* The gateway for trades that the load sends them to: its handler adds up the quantities, in place,
 * and that is all.
 *
 * sbe_sink [PORT]: 0, or none, takes a free port. It says "listening sink 127.0.0.1:PORT".
 */
#include <matching/sbe_gateway.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static int on_trades(void *context, uint64_t connection, const void *data, size_t message_size,
                     size_t count)
{
    uint64_t *volume = context, sum = 0;
    const char *message = data;
    (void)connection;
    for (size_t i = 0; i < count; i++, message += message_size) {
        sum += matching_sbe_trade_quantity(message);
    }
    *volume += sum;
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t volume = 0;
    char error[256];
    int signal_number;
    sigset_t stops;
    const matching_sbe_gateway_options options = {.port = (uint16_t)(argc > 1 ? atoi(argv[1]) : 0)};
    const matching_sbe_handler handler = {.context = &volume, .on_trades = on_trades};
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, NULL);
    matching_sbe_gateway *gateway =
        matching_sbe_gateway_create(&options, &handler, error, sizeof error);
    if (gateway == NULL || matching_sbe_gateway_start(gateway, error, sizeof error) != 0) {
        fprintf(stderr, "sbe_sink: %s\n", error);
        matching_sbe_gateway_destroy(gateway);
        return EXIT_FAILURE;
    }
    printf("listening sink %s\nready\n", matching_sbe_gateway_address(gateway));
    fflush(stdout);
    sigwait(&stops, &signal_number);
    matching_sbe_gateway_stop(gateway);
    matching_sbe_gateway_destroy(gateway);
    printf("volume %" PRIu64 "\n", volume);
    return EXIT_SUCCESS;
}
