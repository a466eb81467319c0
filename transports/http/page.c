/* The page's text. Static but for the address, which is ours and needs no escaping. */
#include "page.h"

#include <string.h>

static const char HEAD[] =
    "<!doctype html>\n"
    "<html lang=\"en\">\n"
    "<head>\n"
    "<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<title>matching</title>\n"
    "<style>\n"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem}\n"
    "pre{background:#8882;padding:.75rem;overflow-x:auto}\n"
    "td{padding:.15rem 1rem .15rem 0;vertical-align:top}\n"
    ":root{color-scheme:light dark}\n"
    "</style>\n"
    "</head>\n"
    "<body>\n"
    "<h1>matching</h1>\n"
    "<p>An order-matching service. This is its HTTP REST door; it speaks JSON.</p>\n"
    "<h2>Try it</h2>\n"
    "<pre>curl -s http://";

static const char AFTER_FIRST_ADDRESS[] =
    "/api/orders \\\n"
    "  -H 'Content-Type: application/json' \\\n"
    "  -d '{\"trader_id\":\"alice\",\"side\":\"buy\",\"price\":50000,\"quantity\":0.1}'\n"
    "\n"
    "curl -s 'http://";

static const char TAIL[] =
    "/api/market/depth?symbol=BTCUSDT'</pre>\n"
    "<h2>Calls</h2>\n"
    "<table>\n"
    "<tr><td><code>POST /api/orders</code></td><td>enter an order</td></tr>\n"
    "<tr><td><code>GET /api/orders/{id}</code></td><td>one order</td></tr>\n"
    "<tr><td><code>GET /api/orders</code></td>"
    "<td>orders, by trader_id, symbol, status, client_order_id, after, limit</td></tr>\n"
    "<tr><td><code>PATCH /api/orders/{id}</code></td><td>amend price, quantity or "
    "stop_price</td></tr>\n"
    "<tr><td><code>DELETE /api/orders/{id}</code></td><td>cancel</td></tr>\n"
    "<tr><td><code>POST /api/orders/cancel</code></td>"
    "<td>cancel, by order_id or by trader_id and client_order_id</td></tr>\n"
    "<tr><td><code>DELETE /api/orders?trader_id=</code></td>"
    "<td>cancel all of a trader, optionally of one symbol</td></tr>\n"
    "<tr><td><a href=\"/api/market/depth\"><code>GET /api/market/depth</code></a></td>"
    "<td>the book, by symbol, levels</td></tr>\n"
    "<tr><td><a href=\"/api/market/trades\"><code>GET /api/market/trades</code></a></td>"
    "<td>trades, by symbol, limit, from_id, before_id</td></tr>\n"
    "<tr><td><a href=\"/api/market/klines?interval=m1\"><code>GET "
    "/api/market/klines</code></a></td>"
    "<td>candles, by symbol, interval, from, to, limit</td></tr>\n"
    "<tr><td><a href=\"/api/market/ticker\"><code>GET /api/market/ticker</code></a></td>"
    "<td>the last 24 hours, by symbol</td></tr>\n"
    "<tr><td><a href=\"/api/symbols\"><code>GET /api/symbols</code></a></td>"
    "<td>the instruments</td></tr>\n"
    "<tr><td><code>POST /api/symbols</code></td>"
    "<td>add an instrument (administration)</td></tr>\n"
    "<tr><td><code>PATCH /api/symbols/{symbol}</code></td>"
    "<td>halt, open an auction or resume (administration)</td></tr>\n"
    "<tr><td><a href=\"/api/ws/connections\"><code>GET /api/ws/connections</code></a></td>"
    "<td>who is connected (administration), by after, limit</td></tr>\n"
    "<tr><td><a href=\"/api/ws/metrics\"><code>GET /api/ws/metrics</code></a></td>"
    "<td>how busy the connections are</td></tr>\n"
    "<tr><td><a href=\"/metrics\"><code>GET /metrics</code></a></td>"
    "<td>all that is counted, for Prometheus</td></tr>\n"
    "<tr><td><a href=\"/api/admin/latency\"><code>GET /api/admin/latency</code></a></td>"
    "<td>how long orders take (administration)</td></tr>\n"
    "<tr><td><a href=\"/openapi.json\"><code>GET /openapi.json</code></a></td>"
    "<td>all of this for machines, OpenAPI 3.1</td></tr>\n"
    "<tr><td><a href=\"/api/time\"><code>GET /api/time</code></a></td><td>the clock</td></tr>\n"
    "<tr><td><a href=\"/health\"><code>GET /health</code></a></td><td>is it up</td></tr>\n"
    "</table>\n"
    "</body>\n"
    "</html>\n";

void http_page_write(matching_writer *writer, const char *address)
{
    matching_write(writer, HEAD, sizeof HEAD - 1);
    matching_write(writer, address, strlen(address));
    matching_write(writer, AFTER_FIRST_ADDRESS, sizeof AFTER_FIRST_ADDRESS - 1);
    matching_write(writer, address, strlen(address));
    matching_write(writer, TAIL, sizeof TAIL - 1);
}
