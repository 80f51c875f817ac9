#include "priv/http_thread.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "clock.h"
#include "log.h"
#include "priv/http_bodies.h"
#include "priv/req_priv.h"

enum {
    IDLE_WAIT_MS = 1000,      /* how long a thread without events sleeps: the sweep's step */
    DRAIN_WAIT_MS = 10,       /* the same while it drains: how late it notices its deadline */
    LAST_WRITES_MS = 200,     /* for the answers given at the very end */
    ACCEPTS_A_TURN = 64,      /* new connections taken before the others get their turn again */
    HANDSHAKES_END_MS = 1000, /* for those under way when the drain begins */
    FRESH_MS = 200,           /* from a handshake to the first request */
    KEPT_FILES = 128, /* that clients do not get: for connections to Postgres and Kafka that come back */
};

/* Descriptors are given out from the lowest on, so a high one means that there are few left. */
static bool leaves_enough(int fd) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) return true;
    rlim_t kept = files.rlim_cur / 4 < KEPT_FILES ? files.rlim_cur / 4 : KEPT_FILES;
    return (rlim_t)fd < files.rlim_cur - kept;
}

/* ST_AGAIN: nobody is waiting any more. ST_FULL: no more can be taken. */
static enum status accept_one(struct http_thread *t) {
    errno = 0;
    h2o_socket_t *sock = h2o_evloop_socket_accept(t->listener);
    if (sock == NULL)
        return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ? ST_FULL : ST_AGAIN;
    if (!leaves_enough(h2o_socket_get_fd(sock))) {
        h2o_socket_close(sock);
        return ST_FULL;
    }
    if (t->handshakes.tls == NULL)
        h2o_accept(&t->accept, sock);
    else
        handshake_begin(&t->handshakes, sock);
    return ST_OK;
}

/* When it is full it listens again with the next sweep: whoever waits would have the loop turn without an
 * end. */
static void on_connection(h2o_socket_t *listener, const char *err) {
    enum status st = err == NULL ? ST_OK : ST_AGAIN;
    for (int left = ACCEPTS_A_TURN; left > 0 && st == ST_OK; left--)
        st = accept_one(listener->data);
    if (st != ST_FULL) return;
    log_warn("http", "as many connections as there may be open files (ulimit -n): new ones wait");
    h2o_socket_read_stop(listener);
}

static void set_up(struct http_thread *t) {
    /* not in http_start, because h2o's sockets and buffers belong to the thread that makes them */
    struct http *http = t->http;
    h2o_context_init(&t->ctx, h2o_evloop_create(), &http->config);
    t->accept = (h2o_accept_ctx_t){.ctx = &t->ctx, .hosts = http->config.hosts};
    h2o_multithread_register_receiver(t->ctx.queue, &t->resumed, req_resumed);
    h2o_compat_timers_init(&t->later, t->ctx.loop, REQ_LATER_MS);
    linger_init(&t->linger, t->ctx.loop);
    handshake_init(&t->handshakes, http->options.tls, &t->accept);
    h2o_linklist_init_anchor(&t->requests);
    t->listener = h2o_evloop_socket_create(t->ctx.loop, t->listen_fd, H2O_SOCKET_FLAG_DONT_READ);
    t->listener->data = t;
    h2o_socket_read_start(t->listener, on_connection);
    if (http->options.keys != NULL) t->sessions = session_cache_new(http->options.keys);
    if (http->options.db.statements != NULL) t->db = db_open(&http->options.db, t->ctx.loop);
}

/* --- looking over all connections --- */

/* h2o has no way to close a connection between two requests, nor a limit on how slowly one arrives; but when
 * the socket's reading side is shut, it sees the end of the stream and closes. With SHUT_RD what has arrived
 * is still read and answered. */
static void hang_up(h2o_req_t *req, int how) {
    shutdown(h2o_compat_socket_of(req), how);
}

/* For how long what began goes on; 0 when it has not begun or has ended. */
static int64_t lasting_ms(const h2o_req_t *req, const struct timeval *begun, bool ended) {
    if (begun->tv_sec == 0 || ended) return 0;
    return (int64_t)h2o_now(req->conn->ctx->loop) - (begun->tv_sec * INT64_C(1000) + begun->tv_usec / 1000);
}

struct sweep {
    int connections;
    struct http_bodies bodies;
};

static int count_body(h2o_req_t *req, void *arg) {
    struct sweep *sweep = arg;
    sweep->bodies.count += h2o_compat_is_read(req) && http_body_is_large(req);
    return 0;
}

/* For how long an answer may be on its way. */
static int64_t may_send_ms(const h2o_req_t *req) {
    size_t n = req->res.content_length;
    if (n == SIZE_MAX || n <= HTTP_QUICK_ANSWER) return HTTP_SLOW_MS;
    return HTTP_SLOW_MS + (int64_t)(n - HTTP_QUICK_ANSWER) / HTTP_SLOWEST_BYTES_A_MS;
}

static int sweep_one(h2o_req_t *req, void *arg) {
    struct sweep *sweep = arg;
    bool some_large = http_thread_of(req->conn)->http->options.large_body > 0;
    int64_t may_read = some_large ? http_body_judge(&sweep->bodies, req) : HTTP_SLOW_MS;
    sweep->connections++;
    int64_t reading = lasting_ms(req, &req->timestamps.request_begin_at, h2o_compat_is_read(req));
    int64_t sending =
        lasting_ms(req, &req->timestamps.response_start_at, req->timestamps.response_end_at.tv_sec != 0);
    if (req_is_stream(req)) return 0;
    if (reading > may_read || sending > may_send_ms(req)) hang_up(req, SHUT_RDWR);
    return 0;
}

static void sweep(struct http_thread *t) {
    t->swept_ms = h2o_now(t->ctx.loop);
    struct sweep swept = {0};
    if (t->http->options.large_body > 0) h2o_compat_for_each_connection(&t->ctx, count_body, &swept);
    h2o_compat_for_each_connection(&t->ctx, sweep_one, &swept);
    http_bodies_refuse(&swept.bodies);
    atomic_store_explicit(&t->connections, swept.connections + t->handshakes.count, memory_order_relaxed);
    req_streams_look_after(t);
    if (t->listener != NULL && !h2o_socket_is_reading(t->listener))
        h2o_socket_read_start(t->listener, on_connection);
}

/* --- the end --- */

/* The first request comes a moment after the handshake, while without TLS it is there already. */
static bool is_fresh(const h2o_req_t *req) {
    return h2o_compat_is_tls(req) && lasting_ms(req, &req->conn->connected_at, false) < FRESH_MS;
}

static int close_idle(h2o_req_t *req, void *arg) {
    (void)arg;
    if (req->timestamps.request_begin_at.tv_sec == 0 && !is_fresh(req)) hang_up(req, SHUT_RD);
    return 0;
}

static int close_any(h2o_req_t *req, void *arg) {
    (void)arg;
    hang_up(req, SHUT_RDWR);
    return 0;
}

static void start_drain(struct http_thread *t) {
    while (accept_one(t) == ST_OK)
        continue; /* whoever is connected is still served */
    t->drains_ms = h2o_now(t->ctx.loop);
    h2o_socket_close(t->listener);
    t->listener = NULL;
    h2o_compat_close_after_answers(&t->ctx);
}

/* Answers what was not finished in time, and ends its waits. */
static void give_up_all(struct http_thread *t) {
    h2o_linklist_t *next;
    for (h2o_linklist_t *l = t->requests.next; l != &t->requests; l = next) {
        next = l->next;
        struct req *rq = H2O_STRUCT_FROM_MEMBER(struct req, link, l);
        req_retry_after(rq, 503, 1, "shutting down, try again");
        req_stop_waiting(rq);
    }
}

static void drain(struct http_thread *t) {
    if (t->drained) return;
    if (t->listener != NULL) start_drain(t);
    req_streams_end(t);
    h2o_compat_for_each_connection(&t->ctx, close_idle, NULL);
    if (h2o_now(t->ctx.loop) - t->drains_ms > HANDSHAKES_END_MS) handshake_end_all(&t->handshakes);
    bool idle =
        t->handshakes.count == 0 && h2o_compat_no_connections(&t->ctx) && h2o_linklist_is_empty(&t->requests);
    if (!idle && clock_mono_us() < atomic_load(&t->drain_until_us)) return;
    int late = atomic_load_explicit(&t->in_flight, memory_order_relaxed);
    if (late > 0) log_warn("http", "thread %d: %d requests were not finished in time", t->index, late);
    give_up_all(t);
    if (t->db != NULL) db_free(t->db); /* answers who waits for it */
    t->db = NULL;
    t->drained = true;
    pthread_mutex_lock(&t->http->lock);
    t->http->drained++;
    pthread_cond_signal(&t->http->drains);
    pthread_mutex_unlock(&t->http->lock);
}

static void turn(struct http_thread *t, int32_t wait_ms) {
    h2o_compat_run(t->ctx.loop, wait_ms);
    if (t->db != NULL) {
        db_flush(t->db);
        if (db_ready(t->db) != atomic_load_explicit(&t->db_ready, memory_order_relaxed))
            atomic_store(&t->db_ready, db_ready(t->db));
    }
    if (t->log.len > 0) log_lines(&t->log);
    if (h2o_now(t->ctx.loop) - t->swept_ms >= IDLE_WAIT_MS) sweep(t);
}

/* Gives the last answers time to leave, then closes what is left. */
static void tear_down(struct http_thread *t) {
    int64_t until_us = clock_mono_us() + LAST_WRITES_MS * INT64_C(1000);
    linger_end_all(&t->linger);
    handshake_end_all(&t->handshakes);
    h2o_compat_for_each_connection(&t->ctx, close_idle, NULL);
    while (!h2o_compat_no_connections(&t->ctx) && clock_mono_us() < until_us)
        turn(t, DRAIN_WAIT_MS);
    h2o_compat_for_each_connection(&t->ctx, close_any, NULL);
    turn(t, 0);
    turn(t, 0);
    session_cache_free(t->sessions);
    req_free_spare(t);
    buf_free(&t->log);
    linger_dispose(&t->linger);
    handshake_dispose(&t->handshakes);
    h2o_compat_timers_dispose(&t->later);
    for (int i = 0; i < REQ_AFTER_BITS; i++)
        if (t->after[i].loop != NULL) h2o_compat_timers_dispose(&t->after[i]);
    h2o_multithread_unregister_receiver(t->ctx.queue, &t->resumed);
    h2o_loop_t *loop = t->ctx.loop;
    h2o_context_dispose(&t->ctx);
    h2o_evloop_destroy(loop);
}

void *http_thread_main(void *thread) {
    struct http_thread *t = thread;
    set_up(t);
    if (t->db == NULL) atomic_store(&t->db_ready, true);
    pthread_barrier_wait(&t->http->started);
    while (!atomic_load(&t->ending)) {
        bool draining = atomic_load(&t->drain_until_us) != 0;
        turn(t, draining && !t->drained ? DRAIN_WAIT_MS : IDLE_WAIT_MS);
        if (draining) drain(t);
    }
    if (!t->drained) drain(t);
    tear_down(t);
    return NULL;
}
