/* The page at `/`: what this is and how to talk to it, for a person with a browser. */
#ifndef MATCHING_HTTP_PAGE_H
#define MATCHING_HTTP_PAGE_H

#include "json_writer.h"

/* HTML without anything from elsewhere. address: "127.0.0.1:8080". Any thread. */
void http_page_write(matching_writer *writer, const char *address);

#endif
