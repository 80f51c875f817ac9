/* http_thread: the threads of a server and what each has to itself. Reading order of the folder:
 *
 * http.c         starting and ending: configuration, listeners, threads
 * http_thread.c  one thread: its loop, its slow connections, its drain
 * http_bodies.c  which requests may have a large body; http_large.c, how many at a time
 * http_listen.c  sockets and limits; linger.c, closing so that an answer arrives
 * tls.c          certificates; handshake.c, connections that are about to be HTTP's
 * errors.c       h2o's own errors, put into our form
 * http_stats.c   counters by route, and their text for /metrics; http_log.c, the request line
 * route.c        finding the route
 * req.c          the life of a request: from h2o's handler to its release
 * req_check.c    refusing what is malformed
 * req_read.c     headers, query, body
 * req_user.c     who is asking
 * req_address.c  the client's address (proxies.c: whose X-Forwarded-For is believed)
 * req_trace.c    traceparent
 * req_reply.c    the answer
 * req_cors.c     what it lets pages of other origins do (cors.c: of which)
 * req_stream.c   an answer that goes on
 * req_wait.c     waiting: for the database, for other threads */
#pragma once

#ifndef HTTP_PRIV
#error "private to common/http"
#endif

#include <h2o.h>
#include <pthread.h>
#include <stdatomic.h>

#include "buf.h"
#include "cors.h"
#include "h2o_compat.h"
#include "http.h"
#include "priv/handshake.h"
#include "priv/http_limits.h"
#include "priv/http_stats.h"
#include "priv/linger.h"
#include "priv/route.h"
#include "proxies.h"

enum { REQ_AFTER_BITS = 16 };

struct req;

struct http {
    struct http_options options;
    struct proxies proxies;
    struct cors cors;
    h2o_globalconf_t config;
    struct route_tree *routes;
    int nroutes; /* index nroutes stands for requests without a route */
    struct http_log_parts *log_parts;
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
    uint64_t swept_ms;                  /* on the loop's clock: the last sweep */
    uint64_t drains_ms;                 /* likewise: since when it drains */
    struct handshake_list handshakes;
    struct linger_list linger;
    struct h2o_compat_timers later;                 /* of requests that wait by req_later */
    struct h2o_compat_timers after[REQ_AFTER_BITS]; /* by req_after: 1, 2, 4 ... ms; made when first used */
    struct db *db;
    struct session_cache *sessions;
    h2o_linklist_t requests; /* that live */
    struct req *spare;       /* to use again */
    int nspare;
    struct buf log;
    struct route_stats *stats;
    struct histogram measured; /* of ROUTE_MEASURED with 2xx */
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
const char *http_reason(int status); /* http_reason.c: the words behind it in a status line */

static inline void http_count_in_flight(struct http_thread *t, int change) {
    int now = atomic_load_explicit(&t->in_flight, memory_order_relaxed); /* only its own thread writes it */
    atomic_store_explicit(&t->in_flight, now + change, memory_order_relaxed);
}
