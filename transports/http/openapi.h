/* GET /openapi.json: OpenAPI 3.1 of all calls of this door, made from its own table of calls. */
#ifndef MATCHING_HTTP_OPENAPI_H
#define MATCHING_HTTP_OPENAPI_H

#include "routes.h"

/* With the configured limits where the service knows its configuration. Any thread. */
void http_openapi_write(matching_writer *writer, const http_service *service);

#endif
