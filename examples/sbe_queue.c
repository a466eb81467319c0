/* Hands trades over to another thread, which may take its time: the gateway never waits for it.
 *
 *     sbe_queue [PORT]        (9001; 0: any free one)
 *
 * A handler keeps the gateway's thread waiting, and what it is given is gone when it returns. So
 * on_trades copies a run as it is, one memcpy, into a bounded queue, and a worker drains that in
 * batches of its own. What finds the queue full is an error, which is counted; what to do then
 * (drop, as here, or end it all) is the program's to decide. At Ctrl-C it prints what the worker
 * saw.
 */
#include <matching/sbe_gateway.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define QUEUE_SIZE (8u << 20) /* bytes */

/* Runs back to back, each with its size in front. Two halves: one is filled, one is drained. */
typedef struct run {
    size_t message_size, count;
} run;

typedef struct queue {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    char *filling, *draining; /* QUEUE_SIZE each */
    size_t length;            /* of what is in `filling` */
    bool is_closed;
    uint64_t dropped; /* trades */
} queue;

typedef struct totals {
    queue *from;
    uint64_t trades, volume;
} totals;

/* On the gateway's thread. */
static int on_trades(void *context, uint64_t connection, const void *data, size_t message_size,
                     size_t count)
{
    queue *q = context;
    const run head = {message_size, count};
    size_t bytes = message_size * count;
    int result = 0;
    (void)connection;
    pthread_mutex_lock(&q->lock);
    if (q->length + sizeof head + bytes > QUEUE_SIZE) {
        q->dropped += count;
        result = -EAGAIN; /* on_error would be told */
    } else {
        memcpy(q->filling + q->length, &head, sizeof head);
        memcpy(q->filling + q->length + sizeof head, data, bytes);
        q->length += sizeof head + bytes;
        pthread_cond_signal(&q->filled);
    }
    pthread_mutex_unlock(&q->lock);
    return result;
}

/* All that has gathered; false once the queue is closed and empty. */
static bool take(queue *q, const char **data, size_t *length)
{
    pthread_mutex_lock(&q->lock);
    while (q->length == 0 && !q->is_closed) {
        pthread_cond_wait(&q->filled, &q->lock);
    }
    char *full = q->filling;
    q->filling = q->draining;
    q->draining = full;
    *data = full;
    *length = q->length;
    q->length = 0;
    pthread_mutex_unlock(&q->lock);
    return *length > 0;
}

static void *work(void *context)
{
    totals *t = context;
    const char *at;
    size_t length;
    while (take(t->from, &at, &length)) {
        for (const char *end = at + length; at < end;) {
            run head;
            memcpy(&head, at, sizeof head);
            at += sizeof head;
            for (size_t i = 0; i < head.count; i++, at += head.message_size) {
                t->volume += matching_sbe_trade_quantity(at);
            }
            t->trades += head.count;
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const matching_sbe_gateway_options options = {.port =
                                                      (uint16_t)(argc > 1 ? atoi(argv[1]) : 9001)};
    queue q = {.lock = PTHREAD_MUTEX_INITIALIZER,
               .filled = PTHREAD_COND_INITIALIZER,
               .filling = malloc(QUEUE_SIZE),
               .draining = malloc(QUEUE_SIZE)};
    totals t = {.from = &q};
    const matching_sbe_handler handler = {.context = &q, .on_trades = on_trades};
    char error[256];
    int signal_number;
    pthread_t worker;
    sigset_t stops;
    sigemptyset(&stops);
    sigaddset(&stops, SIGINT);
    sigaddset(&stops, SIGTERM);
    sigprocmask(SIG_BLOCK, &stops, NULL); /* sigwait takes them */
    setvbuf(stdout, NULL, _IOLBF, 0);

    if (q.filling == NULL || q.draining == NULL || pthread_create(&worker, NULL, work, &t) != 0) {
        fprintf(stderr, "sbe_queue: out of memory\n");
        return 1;
    }
    matching_sbe_gateway *gateway =
        matching_sbe_gateway_create(&options, &handler, error, sizeof error);
    bool is_started =
        gateway != NULL && matching_sbe_gateway_start(gateway, error, sizeof error) == 0;
    if (is_started) {
        printf("listening %s\n", matching_sbe_gateway_address(gateway));
        sigwait(&stops, &signal_number);
    } else {
        fprintf(stderr, "sbe_queue: %s\n", error);
    }
    matching_sbe_gateway_destroy(gateway); /* from here on nothing comes in */
    pthread_mutex_lock(&q.lock);
    q.is_closed = true;
    pthread_cond_signal(&q.filled);
    pthread_mutex_unlock(&q.lock);
    pthread_join(worker, NULL);
    printf("worked off %" PRIu64 " trades, volume %" PRIu64 "; dropped %" PRIu64 "\n", t.trades,
           t.volume, q.dropped);
    free(q.filling);
    free(q.draining);
    return is_started ? 0 : 1;
}
