/* See views.h. */
#include "views.h"

bool wire_view_wants_load(const wire_view *view)
{
    return view->depth != NULL && !view->is_loading && !view->has_failed &&
           matching_depth_view_needs_load(view->depth);
}

matching_code wire_read_market(wire_server *server, matching_action action, uint16_t instrument,
                               uint64_t tag)
{
    const matching_request request = {
        .action = action,
        .present =
            MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL) | MATCHING_FIELD_BIT(MATCHING_FIELD_LEVELS),
        .numbered = MATCHING_FIELD_BIT(MATCHING_FIELD_SYMBOL),
        .instrument = matching_core_instrument(server->core, instrument),
        .levels = MATCHING_VIEW_KEPT,
    };
    matching_command command;
    matching_error error;
    matching_code code = matching_gateway_prepare(server->core, &request, &command, &error);
    if (code != MATCHING_OK) {
        return code;
    }
    command.tag = tag;
    command.received_ns = server->now_ns;
    return matching_port_submit(server->port, &command);
}

wire_view_outcome wire_view_loaded(wire_view *view, const matching_reply *reply)
{
    view->is_loading = false;
    if (reply->code == MATCHING_INTERNAL_ERROR) {
        view->has_failed = true;
        return WIRE_VIEW_FAILED;
    }
    bool is_loaded = reply->code == MATCHING_OK && reply->depth != NULL &&
                     matching_depth_view_load(view->depth, reply->depth);
    return is_loaded ? WIRE_VIEW_LOADED : WIRE_VIEW_AGAIN;
}

static wire_shard_loads *loads_of(wire_loads *loads, const wire_server *server, size_t instrument)
{
    return &loads->shards[matching_core_instrument(server->core, instrument)->shard];
}

void wire_loads_want(wire_loads *loads, const wire_server *server, uint16_t instrument)
{
    loads_of(loads, server, instrument)->is_wanted = true;
}

static void submit_to_shard(wire_loads *loads, wire_shard_loads *shard, wire_server *server,
                            size_t count, const wire_loader *loader)
{
    for (size_t n = 0; n < count; n++) {
        size_t i = (shard->next + n) % count;
        wire_view *view = loader->wanted(server, i);
        if (view == NULL || loads_of(loads, server, i) != shard) {
            continue;
        }
        matching_code code = MATCHING_OVERLOADED;
        if (shard->under_way < WIRE_LOADS_AT_ONCE) {
            code = loader->read(server, (uint16_t)i);
        }
        if (code == MATCHING_OVERLOADED) {
            shard->next = i;
            return; /* the next turn tries again */
        }
        view->is_loading = code == MATCHING_OK;
        shard->under_way += code == MATCHING_OK;
    }
    shard->is_wanted = false;
}

void wire_loads_submit(wire_loads *loads, wire_server *server, size_t count,
                       const wire_loader *loader)
{
    for (unsigned s = 0; s < matching_core_shard_count(server->core); s++) {
        wire_shard_loads *shard = &loads->shards[s];
        if (shard->is_wanted && shard->under_way < WIRE_LOADS_AT_ONCE) {
            submit_to_shard(loads, shard, server, count, loader);
        }
    }
}

wire_view_outcome wire_loads_answered(wire_loads *loads, const wire_server *server, wire_view *view,
                                      uint16_t instrument, const matching_reply *reply)
{
    wire_shard_loads *shard = loads_of(loads, server, instrument);
    wire_view_outcome outcome = wire_view_loaded(view, reply);
    shard->under_way--;
    shard->is_wanted = shard->is_wanted || outcome == WIRE_VIEW_AGAIN;
    return outcome;
}

bool wire_view_move_best(wire_view *view)
{
    matching_view_best best, before = view->best;
    matching_depth_view_best(view->depth, &best);
    /* In an auction bids may reach asks: then neither best price is one at which somebody can
     * trade. */
    if (best.bid_ticks != 0 && best.ask_ticks != 0 && best.bid_ticks >= best.ask_ticks) {
        best = (matching_view_best){0};
    }
    view->best = best;
    return best.bid_ticks != before.bid_ticks || best.ask_ticks != before.ask_ticks ||
           best.bid_lots != before.bid_lots || best.ask_lots != before.ask_lots;
}
