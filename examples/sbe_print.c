/* Prints every trade that clients send, and what they do wrong.
 *
 *     sbe_print [PORT]        (9001; 0: any free one)
 *
 * The shortest use of the gateway: a handler whose on_trade gets one decoded trade at a time. Until
 * Ctrl-C.
 */
#include <matching/sbe_gateway.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* All of these run on the gateway's thread. */
static void on_connect(void *context, uint64_t connection)
{
    (void)context;
    printf("%" PRIu64 " connected\n", connection);
}

static int on_trade(void *context, uint64_t connection, const matching_sbe_trade *trade)
{
    (void)context;
    printf("%" PRIu64 " trade %" PRIu64 " %c %.10g x %" PRIu32 "\n", connection, trade->trade_id,
           trade->symbol, trade->price, trade->quantity);
    return 0;
}

static void on_error(void *context, uint64_t connection, int error, const char *text)
{
    (void)context;
    (void)error;
    printf("%" PRIu64 " error: %s\n", connection, text);
}

static void on_disconnect(void *context, uint64_t connection)
{
    (void)context;
    printf("%" PRIu64 " disconnected\n", connection);
}

int main(int argc, char **argv)
{
    const matching_sbe_gateway_options options = {.port =
                                                      (uint16_t)(argc > 1 ? atoi(argv[1]) : 9001)};
    const matching_sbe_handler handler = {.on_trade = on_trade,
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
        fprintf(stderr, "sbe_print: %s\n", error);
        matching_sbe_gateway_destroy(gateway);
        return 1;
    }
    printf("listening %s\n", matching_sbe_gateway_address(gateway));
    sigwait(&stops, &signal_number);
    matching_sbe_gateway_stop(gateway);
    matching_sbe_gateway_destroy(gateway);
    return 0;
}
