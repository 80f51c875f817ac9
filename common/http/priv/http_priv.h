/* What the files of http and req share with each other, and nobody else.
 *
 * http.c         starting and ending: configuration, listeners, threads
 * http_thread.c  the life of one thread: its loop, its slow connections, its drain
 * http_error.c   h2o's own errors, put into our shape
 * http_stats.c   counters by route, and their text for /metrics
 * http_log.c     the request line
 * route.c        finding the route
 * req.c          the life of a request: from h2o's handler to its release
 * req_check.c    refusing what is malformed
 * req_read.c     headers, query, body
 * req_user.c     who is asking
 * req_address.c  where from (proxies.c: who may say so)
 * req_trace.c    traceparent
 * req_reply.c    the answer
 * req_stream.c   an answer that goes on
 * req_wait.c     waiting: for the database, for other threads */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

#include <h2o.h>
#include <pthread.h>
#include <stdatomic.h>

#include "http.h"
#include "http_error.h"
#include "http_listen.h"
#include "metrics.h"
#include "priv/route.h"
#include "proxies.h"
#include "trace.h"

enum {
    HTTP_MAX_BODY = 64 * 1024,
    HTTP_MAX_HEAD = 32 * 1024,
    /* Longer than the 60 to 75 s for which proxies keep connections: the side that reuses them should be the
       one that closes. */
    HTTP_IDLE_MS = 90 * 1000,
    HTTP_SLOW_MS = 10 * 1000, /* from a request's first byte to its last, and the same for its answer */
    REQ_AFTER_BITS = 16,
};

/* --- http_stats.c: each thread its own, written by it, read by the scrape --- */
struct route_stats {
    struct histogram duration;
    _Atomic int64_t answers[6]; /* by the first digit of the status */
};
struct answer {                /* what is noted of each */
    const struct route *route; /* NULL: none matched */
    struct str trace;
    int status;
    size_t bytes;
    int64_t us;
    bool gone; /* the client left before */
};
struct http_thread;
void http_note(struct http_thread *t, const struct answer *a);
void stats_write(struct buf *out, void *http);

/* --- http_log.c --- */
struct log_parts; /* the constant parts of a line, made once a route */
struct log_parts *log_parts_new(const char *service, const struct route *routes);
void log_parts_free(struct log_parts *parts);
void log_answer(struct buf *b, const struct log_parts *parts, int route_index, const struct answer *a);

/* --- the whole --- */
struct http {
    struct http_options options;
    struct proxies proxies;
    h2o_globalconf_t config;
    struct route_tree *routes;
    int nroutes; /* index nroutes stands for requests without a route */
    struct log_parts *log_parts;
    struct http_thread *threads;
    int nthreads;
    pthread_barrier_t started;
    pthread_mutex_t lock; /* of drained */
    pthread_cond_t drains;
    int drained;
};

struct http_thread {
    struct http *http;
    int index;
    pthread_t id;
    int listen_fd;
    h2o_context_t ctx;
    h2o_socket_t *listener; /* NULL once it drains */
    h2o_accept_ctx_t accept;
    h2o_multithread_receiver_t resumed; /* by req_resume, and to wake the thread */
    uint64_t now, swept_at;             /* on the loop's clock: the last turn, the last sweep */
    h2o_timeout_t linger_limit;
    h2o_linklist_t lingering;
    h2o_timeout_t later;                 /* of requests that wait by req_later */
    h2o_timeout_t after[REQ_AFTER_BITS]; /* by req_after: 1, 2, 4 ... ms; made when first used */
    struct db *db;
    struct session_cache *sessions;
    h2o_linklist_t requests; /* that live */
    struct req *spare;       /* to use again */
    int nspare;
    struct buf log;
    struct route_stats *stats;
    bool drained;
    _Atomic bool db_ready, ending;
    _Atomic int64_t drain_until_us; /* 0: not draining. Monotonic. */
    _Atomic int in_flight;          /* requests not answered */
    _Atomic int connections;        /* as of the last sweep */
};

static inline struct http_thread *http_thread_of(const h2o_conn_t *conn) {
    return H2O_STRUCT_FROM_MEMBER(struct http_thread, ctx, conn->ctx);
}

void *http_thread_main(void *thread);

static inline void http_count_in_flight(struct http_thread *t, int change) {
    int now = atomic_load_explicit(&t->in_flight, memory_order_relaxed); /* only its own thread writes it */
    atomic_store_explicit(&t->in_flight, now + change, memory_order_relaxed);
}

/* --- http_error.c --- */
/* One error: in this shape, or as the service's page if `req` (NULL: it left) wants one. Returns its content
 * type. */
const char *errors_write(struct json *j, h2o_req_t *req, int status, const char *field, const char *message);
void http_shape_errors(h2o_pathconf_t *path);
void http_stop_lingering(struct http_thread *t);

/* --- a request --- */
struct join { /* a request's place in a batch */
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
    struct join join;          /* the first; more are taken from the arena */
    h2o_timeout_entry_t later; /* linked while it waits */
    int later_ms;              /* and for so long again */
    req_handler *then;
    void (*end)(void *arg); /* may be NULL */
    void *end_arg;
    int64_t started_us;
    char traceparent[TRACE_TEXT];
};

int req_handle(h2o_handler_t *handler, h2o_req_t *h2o);
void req_release(struct req *rq);
void req_free_spare(struct http_thread *t);
void req_give_up_all(struct http_thread *t); /* answers 503 */
void req_forgotten(struct req *rq);          /* answers 500 if nobody is left who could answer */
bool req_wellformed(struct req *rq);         /* false: answered */
void req_trace_start(struct req *rq);
void req_note_answer(struct req *rq, int status, size_t bytes); /* it is answered: counted and logged */
void req_add_headers(struct req *rq, const char *content_type, size_t bytes); /* that every answer carries */
void req_stop_waiting(struct req *rq); /* ends what req_later began; may release rq */
void req_resumed(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages);
/* --- req_stream.c --- */
bool req_is_stream(const h2o_req_t *h2o);
void req_streams_look_after(struct http_thread *t); /* drops who does not read, notices who has left */
void req_streams_end(struct http_thread *t);        /* all of them, more firmly each time */
void req_stream_free(struct req *rq);

struct str req_cookie(struct str header, struct str name, bool *found);
