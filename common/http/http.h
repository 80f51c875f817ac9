/* http: N threads, each with its own h2o loop, listener (SO_REUSEPORT), db connections and session cache;
 * the threads share nothing while they handle requests, so there are no locks.
 *
 * A request finds its route in the table by method and path pattern, passes the route's checks (session), and
 * reaches its handler. Handlers run on the request's thread and never block. `struct req` lives until both
 * the client's connection and the query it waits for have ended; answering a client that has left does
 * nothing. Errors have one form,
 * {"errors":[{"message","field"?}]}, for every status from 400 up. */
#pragma once

#include "address.h"
#include "arena.h"
#include "body.h"
#include "buf.h"
#include "db.h"
#include "histogram.h"
#include "json.h"
#include "session.h"
#include "sql.h"

struct req;
struct tls;
typedef void req_handler(struct req *rq);

enum route_flags {
    ROUTE_SESSION = 1,    /* 401 unless signed in; checked first of all */
    ROUTE_LARGE_BODY = 2, /* takes http_options.large_body bytes, all others 64 KiB */
    ROUTE_MEASURED = 4,   /* counts in http_measure */
    ROUTE_VERIFIED = 8,   /* with ROUTE_SESSION: 403 to whose e-mail address is not verified */
};

/* Patterns are lower case; a segment {uuid} takes an id (anything else there: 404), a segment {text} whatever
 * no other route has there. Matching ignores letter case and a trailing slash. A known path with another
 * method answers 405 with Allow; HEAD is answered as GET without the body. */
struct route {
    const char *method, *path;
    req_handler *handle;
    unsigned flags;
};

/* Errors that no handler answered (405, 413, ...), for clients that ask for text/html: browsers. */
struct http_error_page {
    const char *policy; /* its Content-Security-Policy */
    /* On any of the threads. */
    void (*render)(struct buf *out, int status, struct str accept_language);
};

/* Where a page's form leads whose body was refused before its handler was called (401, 413, 503): writes the
 * Location of a 303. `first`: of the path's ids. false: the route is no form's. On any of the threads. */
typedef bool http_lead_back(struct buf *location, const struct route *route, const struct uuid *first,
                            int status);

struct http_options {
    const char *service;
    const char *address; /* "127.0.0.1" */
    int port, threads;
    const struct route *routes; /* ends with a NULL method */
    req_handler *missing;       /* answers paths that no route has; NULL: 404 in the shape above */
    const struct http_error_page *error_page; /* NULL: browsers, too, get the shape above */
    size_t large_body;                        /* of routes with ROUTE_LARGE_BODY; 0: there are none */
    http_lead_back *lead_back;                /* may be NULL */
    bool compress;        /* answers with status 200 whose content type says that it pays */
    void *state;          /* the service's own, for req_service */
    struct db_options db; /* statements NULL: no database */
    struct session_keys *keys;
    bool secure_cookies;
    const char *trusted_proxies; /* comma-separated addresses or CIDR blocks */
    const char *cors_origins;    /* comma-separated; NULL or "": none */
    struct tls *tls;             /* outlives http; NULL: plain HTTP */
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
/* NULL when not signed in; checked on first use on routes without ROUTE_SESSION. A session in a cookie counts
 * for what our own pages send, and no page at all (req_from_here); what only reads may also come by a link.
 */
const struct identity *req_user(struct req *rq);
bool req_get_token(const struct req *rq, struct str *out); /* that this session came with, good or not */
/* Who was signed in by the token that came with it, though that session may be over: so this is from a device
 * of his. */
bool req_was(struct req *rq, struct identity *out);
struct uuid req_path_uuid(const struct req *rq, int index);
struct str req_path_text(
    struct req *rq, int index); /* of {text} segments, in the request's arena; only while the handler runs */
bool req_header(const struct req *rq, const char *lower_name, struct str *out);
/* The first of that name, which req_set_cookie set: with `__Host-` before it if cookies are secure. */
bool req_get_cookie(const struct req *rq, const char *name, struct str *out);
struct str req_host(const struct req *rq);   /* as the client named us, with the port if it did */
struct str req_target(const struct req *rq); /* path and query as they came; empty once the client has left */
/* Percent-decoded, in the request's arena; the first of that name. May be any bytes: utf8_valid tells whether
 * it is text. */
bool req_query(struct req *rq, const char *name, struct str *out);
/* What part of a list is asked for: ?cursor= the last id of the page before, newest first, and ?limit=. */
enum { PAGE_DEFAULT = 20, PAGE_MAX = 100 };
struct req_page {
    struct uuid before; /* above every id on the first page */
    int size;
};
bool req_page(struct req *rq, struct req_page *out);                       /* false: answered 400 */
bool req_body(struct req *rq, const struct body_field *fields, void *out); /* false: answered 400 */
/* The Idempotency-Key header, in the request's arena; out->n is 0 without one. false: answered 400 (over 255
 * printable ASCII characters, or empty). */
bool req_idempotency_key(struct req *rq, struct str *out);
struct str req_traceparent(const struct req *rq); /* ours: the caller's trace, a span of our own */
/* The last hop that is not a trusted proxy; false, or empty: the client has left. */
bool req_client(struct req *rq, struct address *out);
struct str req_client_address(struct req *rq);
struct str req_raw_body(const struct req *rq);
/* Whether this was sent by a page of this site, or by no page, as far as the browser says it. */
bool req_from_here(const struct req *rq);

/* --- state that lives as long as the request --- */
void *req_alloc(struct req *rq, size_t size); /* zeroed */
struct arena *req_arena(struct req *rq);
void req_set_state(struct req *rq, void *state);
void *req_state(const struct req *rq);
/* end(arg) is called on the request's thread when the request is over, however it ended. If there are
 * several, the last one comes first. */
void req_at_end(struct req *rq, void (*end)(void *arg), void *arg);

/* --- asking the database --- */
typedef void req_done(struct req *rq, const struct rows *rows);
/* Adds an item to the open batch of sql; done is called with the item's rows. On any failure the request is
 * answered here (503 with Retry-After when full or lost, 504 on a timeout, 500) and done is not called. NULL:
 * answered already. */
struct sql_params *req_exec(struct req *rq, const struct sql *sql, req_done *done);
void req_put_user(struct req *rq, struct sql_params *item); /* the id of who is signed in */
/* For audit: the session of who is signed in (null: it is of before they had ids), the address that he asks
 * from, and the /24 or /48 that it is in (both empty: the client has left). */
void req_put_asker(struct req *rq, struct sql_params *item);
void req_put_path_uuid(const struct req *rq, int index, struct sql_params *item);
/* The client's network: an IPv6 address's first 64 bits, or an IPv4 address and 16 bits of 0. So what differs
 * in the last 8 bits, or 16, is of one /56 or /48. Null for loopback and private addresses, which are no
 * clients of the Internet but a proxy, or a network of one's own. */
void req_put_network(struct req *rq, struct sql_params *item);

/* --- waiting for what is on its way --- */
enum { REQ_LATER_MS = 20 };
/* Calls then(rq) on this thread REQ_LATER_MS from now, unless the request is answered before, at the end of
 * the server. One at a time. */
void req_later(struct req *rq, req_handler *then);
/* The same while the request is younger than patience_ms; after that does nothing and returns false. */
bool req_later_within(struct req *rq, req_handler *then, int patience_ms);
/* For a statement that has to run again, because another transaction, which is about to end, decides its
 * result. That takes a round or two; after REQ_RIVALS_MS the answer is 503. */
enum { REQ_RIVALS_MS = 2000 };
void req_again(struct req *rq, req_handler *ask);
/* As req_later, after a time from 1 ms to a minute. */
void req_after(struct req *rq, int ms, req_handler *then);

/* --- work on other threads --- */
void req_hold(struct req *rq); /* keep rq alive until req_resume */
/* From any thread: runs then(rq, arg) on the request's thread and gives the hold back. */
void req_resume(struct req *rq, void (*then)(struct req *rq, void *arg), void *arg);
/* Whether the client has gone, or will send nothing more: looks at the connection. On the request's thread.
 */
bool req_left(const struct req *rq);
/* The service's own pointer (struct service.state), for handlers. */
void *req_service(const struct req *rq);

/* --- news from other threads for all of ours --- */
int http_threads(const struct http *http);
int req_thread(const struct req *rq); /* which of them a request is on, from 0 */
/* From any thread, as long as req_resume may be called: runs then(arg) on that thread of http's, in the order
 * of these calls and those of req_resume. */
void http_tell(struct http *http, int thread, void (*then)(void *arg), void *arg);

/* What has been answered since the start: of all requests, and of those of ROUTE_MEASURED with 2xx and with
 * 5xx; how long those with 2xx took; and how many requests are not answered yet. From any thread, without a
 * lock: the threads go on counting meanwhile. */
struct http_measure {
    int64_t answered, good, failed;
    struct histogram took;
    int waiting;
};
void http_measure(const struct http *http, struct http_measure *out);

/* From any thread, as http_tell: these sessions have ended, and whoever comes with one is signed in no more.
 */
void http_end_sessions(struct http *http, const struct session_end *ends, int count);
/* For what lasts: whether who is asking still is who he was (req_user). */
bool req_still_signed_in(struct req *rq);

/* --- answering, once --- */
struct json *req_json(struct req *rq); /* the writer of this request's answer */
void req_set_header(struct req *rq, const char *lower_name, struct str value); /* value is copied */
void req_set_cookie(struct req *rq, const char *name, struct str value,
                    int64_t max_age_s); /* HttpOnly, SameSite=Lax; if secure, Secure and __Host-. 0: clears */
/* That another page follows the one which ends with `last`: a Link to this route with that cursor, the same
 * limit, and `more` (what else the query says, "&…=…"). Returns the header's value. */
struct str req_link_next(struct req *rq, const struct req_page *page, struct uuid last, struct str more);
void req_reply(struct req *rq, int status); /* with what req_json wrote, or no body */
void req_reply_raw(struct req *rq, int status, const char *content_type,
                   struct str body); /* body is copied */
/* The same without a copy, for what is large: body stays as it is until the request is over (req_at_end). */
void req_reply_kept(struct req *rq, int status, const char *content_type, struct str body);
void req_fail(struct req *rq, int status, const char *field_or_null, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void req_retry_after(struct req *rq, int status, int seconds, const char *message); /* 429, 503 */
/* A refusal whose cause a program has to know: beside the errors it has a word as its `reason`. */
void req_refuse(struct req *rq, int status, const char *reason, const char *message);
/* The same, left open for further members; the caller closes it and replies. */
struct json *req_problem(struct req *rq, const char *reason, const char *message);
/* Begins a 200 that goes on until req_stream_end, until its client leaves, or until the drain, which ends it
 * in order. A client that does not keep up is dropped, not waited for: more than `limit` bytes wait for it,
 * or it takes none for HTTP_SLOW_MS. In each case req_at_end's functions are called. false: it has been
 * answered, or its client has left. */
bool req_stream(struct req *rq, const char *content_type, size_t limit);
struct buf *req_stream_out(struct req *rq); /* append to it what is to be sent next */
/* Sends it when the client has taken what came before. false: the client has left. */
bool req_stream_flush(struct req *rq);
void req_stream_end(struct req *rq);
/* Ends the connection without an answer, as if the network had failed. */
void req_hang_up(struct req *rq);
