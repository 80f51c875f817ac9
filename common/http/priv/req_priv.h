/* req_priv: a request, as the files req*.c and errors.c have it. All of it on the request's thread, but for
 * req_hold and req_resume. */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

#include "arena.h"
#include "buf.h"
#include "priv/http_thread.h"
#include "trace.h"

struct req_end {
    struct req_end *next;
    void (*end)(void *arg);
    void *arg;
};

struct exec { /* a request's place in a batch */
    struct req *rq;
    req_done *done; /* NULL: not in use */
};

struct req {
    h2o_req_t *h2o; /* NULL once the client's side is over */
    struct http_thread *thread;
    h2o_linklist_t link;
    struct req *next; /* among the spare */
    int refs;         /* h2o's, and one for each wait */
    int waits;        /* for the database, or held for another thread */
    bool answered;
    enum { USER_UNCHECKED, USER_NONE, USER_SIGNED_IN } user_state;
    struct route_match match;
    struct identity user;
    struct arena arena;
    struct json json;
    struct req_stream *stream; /* an answer that goes on; NULL: none */
    struct buf sent; /* the answer's body: apart, so that nothing can touch it while it is on its way */
    void *state;
    struct exec exec;       /* the first; more are taken from the arena */
    h2o_compat_timer later; /* runs while it waits */
    int later_ms;           /* and for so long again */
    req_handler *then;
    struct req_end *ends; /* what to call then, the last one asked for first */
    int64_t started_us;
    char traceparent[TRACE_TEXT];
};

int req_handle(h2o_handler_t *handler, h2o_req_t *h2o);
void req_release(struct req *rq);
void req_free_spare(struct http_thread *t);
void req_forgotten(struct req *rq);  /* answers 500 if nothing is left that could answer it */
bool req_wellformed(struct req *rq); /* false: answered */
void req_trace_start(struct req *rq);
void req_note_answer(struct req *rq, int status, size_t bytes); /* it is answered: counted and logged */
void req_add_headers(struct req *rq, const char *content_type, size_t bytes); /* that every answer carries */
void req_stop_waiting(struct req *rq); /* ends what req_later began; may release rq */
void req_resumed(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages);
/* --- req_stream.c --- */
bool req_is_stream(const h2o_req_t *h2o);
void req_streams_look_after(
    struct http_thread *t); /* drops clients that do not read, notices those that have left */
void req_streams_end(struct http_thread *t); /* all of them, more firmly each time */
void req_stream_free(struct req *rq);

/* --- req_cors.c --- */
void cors_add_headers(h2o_req_t *h2o); /* those that every answer carries; none while CORS is off */

/* --- errors.c --- */
/* Writes one error: in our form, or as the service's page if `req` asks for one (NULL: its client has left).
 * Returns the content type. */
const char *errors_write(struct json *j, h2o_req_t *req, int status, const char *field, const char *message);
const char *errors_too_large(const struct http_thread *t, const h2o_req_t *req); /* what a 413 says */
/* When h2o closes its socket, what still arrives is thrown away for a while, so that the answer is not lost.
 */
void errors_keep_socket(h2o_req_t *req);
void errors_filter(h2o_pathconf_t *path); /* puts h2o's own errors into this form */

/* Whose session a request has that may still be arriving. */
bool req_signed_in(struct http_thread *t, const h2o_req_t *req, struct uuid *user);
struct str req_cookie(struct str header, struct str name, bool *found);
bool req_by_cookie(const struct req *rq); /* whether it has a session in a cookie, and none as Bearer */
/* What the names of our cookies begin with. Browsers take one with this prefix over https only, from the host
 * itself and for all its paths: so no page of another name of the domain, nor one without TLS, can set it. */
enum { REQ_COOKIE_NAME = 64 };
static inline const char *req_cookie_prefix(bool secure) {
    return secure ? "__Host-" : "";
}
