/* api: makes requests to the services' APIs for a visitor, over HTTP as any client does.
 *
 * api_ask never blocks: the request is held meanwhile, and `then` is called on its thread. The visitor's
 * session, address, browser and trace are sent along. An answer is valid as long as the request. Nothing is
 * tried again. A service that does not answer in time, or answers 5xx, is `away`: pages say so, and show the
 * rest.
 */
#pragma once

#include <jansson.h>

#include "fetch.h"
#include "http.h"
#include "language.h"

enum api_part { API_USERS, API_TICKETS, API_ORDERS, API_PAYMENTS, API_WAITING, API_PARTS };

struct api_options {
    const char *urls[API_PARTS]; /* without a slash at the end; "": there is no such service */
    struct fetch_tls tls;
    int connections;
    int timeout_ms; /* for a read; what changes something may take API_PATIENCE times as long */
};
enum { API_PATIENCE = 5 };

struct api;
struct api *api_start(const struct api_options *options);
void api_free(struct api *api); /* calls that still wait end as `away` */

struct api_answer {
    int code;            /* of HTTP; 0: none */
    bool away;           /* no answer, or one that says "not now" (5xx) */
    const json_t *body;  /* NULL: none, or no JSON */
    struct arena *arena; /* of the request */
    struct str cursor;   /* of the next page, empty without one */
    struct str session;  /* a new one; `signed_out` instead: it is over */
    int64_t session_s;   /* how long it lives */
    bool signed_out;
};

typedef void api_then(struct req *rq, const struct api_answer *answer);

struct api_ask {
    enum api_part part;
    const char *method;
    struct str path;    /* with the query, already encoded */
    struct str body;    /* JSON; empty: none */
    struct str key;     /* Idempotency-Key; empty: none */
    int64_t version;    /* If-Match; 0: none */
    struct str session; /* the cookie of whoever asks; empty: none */
    api_then *then;
    enum language language; /* of the thread, when `then` is called */
};

/* Reads for no request, after delay_ms: what everybody may see. `done` is called on the fetch thread. */
void api_read(struct api *api, enum api_part part, const char *path, int delay_ms, int timeout_ms,
              fetch_done *done, void *ctx);

void api_ask(struct req *rq, struct api *api, const struct api_ask *ask);

/* What an answer from 400 up says of a field, or of no field (NULL), in the thread's language. Empty:
 * nothing.
 */
struct str api_error(const struct api_answer *answer, const char *field);
struct str api_said(const struct api_answer *answer, const char *field); /* the same as the service says it */
