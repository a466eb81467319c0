/* GET /api/events/status: how far the shards are, what doors have counted, and the store. */
#ifndef MATCHING_HTTP_STATUS_H
#define MATCHING_HTTP_STATUS_H

#include "json_writer.h"
#include "matching/counters.h"

/* {"shards":[{"shard","commands","events"}],"sbe":{"trades","volume":{symbol: units},
 * ["unlisted_volume"]},"store":null without one, else {"state","shards":[{"shard","state",
 * "stored","safe","lag","time",["why"]}]}}. counters NULL: as if nothing had been counted. Any
 * thread. */
void http_status_write(matching_writer *writer, const matching_core *core,
                       const matching_counters *counters);

#endif
