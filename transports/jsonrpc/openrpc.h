/* rpc.discover: the OpenRPC document of all methods of this door, made from its own table. */
#ifndef MATCHING_JSONRPC_OPENRPC_H
#define MATCHING_JSONRPC_OPENRPC_H

#include "json_writer.h"
#include "matching/config.h"

/* config: whose limits it tells; NULL: without them. Any thread. */
void jsonrpc_openrpc_write(matching_writer *writer, const matching_config *config);

#endif
