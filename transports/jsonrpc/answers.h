/* Results and failures to the text of JSON-RPC 2.0 responses. Pure; any thread. */
#ifndef MATCHING_JSONRPC_ANSWERS_H
#define MATCHING_JSONRPC_ANSWERS_H

#include "json_writer.h"
#include "matching/config.h"
#include "methods.h"

/* {"jsonrpc":"2.0","result":...,"id":...}. reply: one whose code is MATCHING_OK; NULL where the
 * answer needs no command. */
void jsonrpc_write_result(matching_writer *writer, const matching_core *core, matching_text id,
                          const jsonrpc_expected *expected, const matching_reply *reply);

/* The same for admin_snapshot: {"success":true,"snapshots":[{"shard":0,"sequence":7},...]}. */
void jsonrpc_write_snapshots(matching_writer *writer, matching_text id,
                             const matching_snapshot_result *results, size_t count);

/* The same for rpc.discover. */
void jsonrpc_write_document(matching_writer *writer, matching_text id,
                            const matching_config *config);

/* {"jsonrpc":"2.0","error":{"code","message","data":{"code",["field","order_id"]}},"id":...}.
 * An empty id is written as null. */
void jsonrpc_write_failure(matching_writer *writer, matching_text id,
                           const jsonrpc_failure *failure);

/* The answer to what is no request at all (JSONRPC_PARSE_ERROR, JSONRPC_INVALID_REQUEST). */
void jsonrpc_write_no_request(matching_writer *writer, int number, const char *why);

#endif
