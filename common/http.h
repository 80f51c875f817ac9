/* http: N threads, each with its own h2o loop, listener (SO_REUSEPORT), db connections and session cache;
 * nothing shared on the request path, no locks.
 *
 * A request finds its route in the table by method and path pattern, passes the route's checks (session), and
 * reaches its handler. Handlers run on the request's thread and never block. `struct req` outlives whichever
 * ends first, the client's connection or the query it waits for: answering a client that has left does
 * nothing. Errors have one shape,
 * {"errors":[{"message","field"?}]}, for every status from 400 up. */
#pragma once

#include "body.h"
#include "db.h"
#include "json.h"
#include "session.h"
#include "sql.h"

struct req;
typedef void req_handler(struct req *rq);

enum route_flags {
    ROUTE_SESSION = 1, /* 401 unless signed in; checked first of all */
};

/* Patterns are lower case; a segment {uuid} takes an id (anything else there: 404). Matching ignores letter
 * case and a trailing slash. A known path with another method answers 405 with Allow; HEAD is answered as GET
 * without the body. */
struct route {
    const char *method, *path;
    req_handler *handle;
    unsigned flags;
};

struct http_options {
    const char *service;
    const char *address; /* "127.0.0.1" */
    int port, threads;
    const struct route *routes; /* ends with a NULL method */
    void *state;                /* the service's own, for req_service */
    struct db_options db;       /* statements NULL: no database */
    struct session_keys *keys;
    bool secure_cookies;
    const char *trusted_proxies; /* comma-separated addresses or CIDR blocks */
};

struct http;
struct http *http_start(const struct http_options *options, struct why *w); /* listening when it returns */
int http_port(const struct http *http); /* which one it became, for port 0 */
bool http_ready(struct http *http, struct why *w);
/* Stops accepting, closes idle connections, lets what is in flight finish; what is not finished in time is
 * answered 503. */
void http_drain(struct http *http, int timeout_ms);
void http_free(struct http *http); /* ends the threads; req_resume must not be called any more */

/* --- reading a request --- */
const struct identity *req_user(
    struct req *rq); /* NULL when not signed in; checked on first use on routes without ROUTE_SESSION */
struct uuid req_path_uuid(const struct req *rq, int index);
bool req_header(const struct req *rq, const char *lower_name, struct str *out);
/* Percent-decoded, in the request's arena; the first of that name. May be any bytes: utf8_valid tells whether
 * it is text. */
bool req_query(struct req *rq, const char *name, struct str *out);
/* What part of a list is asked for: ?cursor= the last id of the page before, newest first, and ?limit=. */
enum { PAGE_DEFAULT = 20, PAGE_MAX = 100 };
struct req_page {
    struct uuid before; /* above every id on the first page */
    int size;
};
bool req_page(struct req *rq, struct req_page *out); /* false: answered 400 */
bool req_body(struct req *rq, const struct body_field *fields, void *out); /* false: answered 400 */
/* The Idempotency-Key header, in the request's arena; out->n is 0 without one. false: answered 400 (over 255 printable ASCII
 * characters, or empty). */
bool req_idempotency_key(struct req *rq, struct str *out);
struct str req_traceparent(const struct req *rq); /* ours: the caller's trace, a span of our own */
struct str req_client_address(struct req *rq);    /* the last hop that is not a trusted proxy */
struct str req_raw_body(const struct req *rq);

/* --- state that lives as long as the request --- */
void *req_alloc(struct req *rq, size_t size); /* zeroed */
struct arena *req_arena(struct req *rq);
void req_set_state(struct req *rq, void *state);
void *req_state(const struct req *rq);

/* --- asking the database --- */
typedef void req_done(struct req *rq, const struct rows *rows);
/* Joins the open batch of sql; done is called with this item's rows. On any failure the request is answered
 * here (503 with Retry-After when full or lost, 504 on a timeout, 500) and done is not called. NULL: answered
 * already. */
struct columns *req_join(struct req *rq, const struct sql *sql, req_done *done);

/* --- waiting for what is on its way --- */
enum { REQ_LATER_MS = 20 };
/* Runs then(rq) on this thread REQ_LATER_MS from now; not if the server gives the request up before. One at a
 * time. */
void req_later(struct req *rq, req_handler *then);

/* --- work on other threads --- */
void req_hold(struct req *rq); /* keep rq alive until req_resume */
/* From any thread: runs then(rq, arg) on the request's thread and gives the hold back. */
void req_resume(struct req *rq, void (*then)(struct req *rq, void *arg), void *arg);
/* The service's own pointer (struct service.state), for handlers. */
void *req_service(const struct req *rq);

/* --- answering, once --- */
struct json *req_json(struct req *rq); /* the writer of this request's answer */
void req_set_header(struct req *rq, const char *lower_name, struct str value); /* value is copied */
void req_set_cookie(struct req *rq, const char *name, struct str value,
                    int64_t max_age_s);     /* HttpOnly, SameSite=Lax, Secure; 0: clears */
void req_reply(struct req *rq, int status); /* with what req_json wrote, or no body */
void req_reply_raw(struct req *rq, int status, const char *content_type,
                   struct str body); /* body is copied */
void req_fail(struct req *rq, int status, const char *field_or_null, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void req_retry_after(struct req *rq, int status, int seconds, const char *message); /* 429, 503 */
