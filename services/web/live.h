/* live: keeps pages up to date. GET /live is a stream of server-sent events about what a page shows.
 *
 *     the topics --> live_tap.c      reads them, a thread of its own
 *                      live_view.h   the last state of each ticket and order; the tap's
 *                    --> each HTTP thread, in batches
 *                          live_index.h   which of its streams show what
 *                          live.c         the streams
 *                          live_events.c  --> their clients
 *
 * A page says which versions it shows and from which place of the topics on it does not know what happened
 * (`since`: an offset for each partition, taken before the services were asked for what it shows). Its stream
 * begins with what is newer. If the tap does not know so far back, the stream tells the page to load again. A
 * client that connects again, to this instance or another, sends such a place as Last-Event-ID. So nothing is
 * missed, and nothing is kept for a client that has left.
 *
 * Threads share only a queue with a lock: what goes through it are counted references to live_items, which
 * never change. */
#pragma once

#include "http.h"

struct live_options {
    const char *brokers, *registry_url; /* texts outlive it */
    int threads;                        /* of HTTP */
    int streams;                        /* most of them at a time */
    int of_address, of_session;         /* and of one client; 0: any number */
    int items;                          /* tickets and orders kept in mind */
};

struct live;
/* NULL: a Kafka property is wrong, why says which. */
struct live *live_new(const struct live_options *options, struct why *w);
struct api;
void live_start(struct live *live, struct api *api, struct http *http);
/* Ends the tap. What belongs to the HTTP threads stays until the process ends: their last requests may still
 * use it. */
void live_stop(struct live *live);

req_handler show_live; /* GET /live */
/* Up to which place of the topics it knows what happened, in the request's arena; empty: not yet. */
struct str live_since(struct req *rq, const struct live *live);
