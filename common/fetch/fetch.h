/* fetch: outgoing HTTP(S) for all threads of a process, over libcurl, on a thread of its own.
 *
 * fetch_submit never blocks. Requests beyond `connections` wait in order; connections are kept and used
 * again. Every request ends by one call of `done`, on the fetch thread; `done` must not block, and may submit
 * again. A redirect is an answer like any other. A request is sent once, with one exception: on a kept
 * connection that the server had just closed, libcurl sends it again. The server may have acted on the first
 * one, so a request that changes something needs a key by which the server recognizes the second. For a
 * thread that may wait there is fetch_blocking. */
#pragma once

#include <stdbool.h>

#include "status.h"
#include "str.h"

struct fetch;

struct fetch_request {
    const char *method;         /* "GET", "POST" ... */
    const char *url;            /* http or https */
    const char *const *headers; /* "Name: value", ended by a NULL; may be NULL */
    struct str body;            /* empty: none */
    int timeout_ms;             /* from when it is due to the last byte of the answer */
    int delay_ms;               /* due this much later; fetch_blocking ignores it */
};

struct fetch_answer {
    enum status st;  /* ST_OK: an answer came, of whatever code; ST_TIMEOUT; ST_LOST: no connection, or it
                        broke; ST_INVALID: not a request that can be sent; ST_STOPPED: fetch_free was called */
    int code;        /* of HTTP; 0 without an answer */
    struct str body; /* ends with a NUL that is not counted */
    const char *why; /* in curl's words, when st is not ST_OK */
    void *easy;      /* for fetch_header */
};

/* The answer lives during the call. */
typedef void fetch_done(void *ctx, const struct fetch_answer *answer);

/* Files of PEM, for https. They are read for each new connection, so they may change. NULL or "": curl's. */
struct fetch_tls {
    const char *ca;         /* whose certificates servers must have */
    const char *cert, *key; /* what we show of ourselves */
};

struct fetch_options {
    int connections;        /* most requests on their way at a time */
    int connect_timeout_ms; /* of one attempt to connect, TLS included */
    size_t max_answer;      /* bytes of a body; a longer one ends with ST_LOST */
    bool no_reuse;          /* each request over a connection of its own, which is closed after it */
    struct fetch_tls tls;   /* the texts outlive the client */
};

struct fetch *fetch_start(const struct fetch_options *options);
/* From any thread. Everything in the request is copied. */
void fetch_submit(struct fetch *f, const struct fetch_request *request, fetch_done *done, void *ctx);
/* The first header of that name, or NULL. */
const char *fetch_header(const struct fetch_answer *answer, const char *name);
int fetch_in_flight(const struct fetch *f); /* submitted and not done */
/* Ends all requests with ST_STOPPED, also those that `done` submits meanwhile, then the thread. Not from
 * within `done`. Other threads must not submit any more. */
void fetch_free(struct fetch *f);
