/* Who is connected at the other doors, and how busy they are: two answers of the REST door.
 *
 * Thread: any; they look at the core's registry, and at the process in /proc.
 */
#ifndef MATCHING_HTTP_MONITOR_H
#define MATCHING_HTTP_MONITOR_H

#include "answer.h"
#include "matching/core.h"
#include "matching/gateway.h"

/* GET /api/ws/connections: one page of them, behind the request's `after`, at most `limit` of them;
 * INVALID_PARAMETER for one that is out of range. */
void http_monitor_connections(const matching_core *core, const matching_request *request,
                              http_answer *answer);

/* GET /metrics: everything there is, for Prometheus. */
void http_monitor_prometheus(const matching_core *core, http_answer *answer);

/* GET /api/admin/latency: how long orders take from stage to stage. */
void http_monitor_latency(const matching_core *core, http_answer *answer);

/* GET /api/ws/metrics. */
void http_monitor_metrics(const matching_core *core, http_answer *answer);

#endif
