/* A queue as a driver would bring it: one producer, one consumer, every report published alone. */
#ifndef MATCHING_BENCH_PLAIN_QUEUE_H
#define MATCHING_BENCH_PLAIN_QUEUE_H

#include "bench/yardstick.h"

extern const yardstick_transport plain_queue_transport;

#endif
