/* live: pages that stay true. GET /live is a stream of server-sent events about what a page shows.
 *
 *     the topics --> live_tap.c      reads them, a thread of its own
 *                      live_view.h   what they said last of each ticket and order; the tap's
 *                    --> each HTTP thread, in batches
 *                          live_index.h   which of its streams show what
 *                          live.c         the streams
 *                          live_events.c  --> their clients
 *
 * A page says which versions it shows and up to which place of the topics it is true (`since`: an offset a
 * partition, taken before the services were asked for what it shows). A stream begins with what is newer;
 * where the tap's memory does not reach back as far, it tells the page to be read again. It is the same for
 * one that comes back, to us or to another instance: its Last-Event-ID is such a place. So nothing is missed,
 * and nothing has to be kept for anybody.
 *
 * There is no lock between threads but the one of a queue: what is told are immutable live_items, counted
 * references to which are passed on. */
#pragma once

#include "http.h"

struct live_options {
    const char *brokers, *registry_url; /* texts outlive it */
    int threads;                        /* of HTTP */
    int streams;                        /* most of them at a time */
    int items;                          /* tickets and orders kept in mind */
};

struct live;
/* NULL: a Kafka property is wrong, why says which. */
struct live *live_new(const struct live_options *options, struct why *w);
void live_start(struct live *live, struct http *http);
/* Ends the tap. The threads' part stays until the process ends: their last requests may still be about. */
void live_stop(struct live *live);

req_handler show_live; /* GET /live */
/* Up to which place of the topics it knows what happened, in the request's arena; empty: not yet. */
struct str live_since(struct req *rq, const struct live *live);
