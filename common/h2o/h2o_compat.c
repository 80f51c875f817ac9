#include "h2o_compat.h"

#include <assert.h>
#include <h2o/http1.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__
/* What h2o does not free: the caches of a thread that ends, and the struct of a queue. */
#if H2O_COMPAT_2_2
#define NOT_FREED_BY_2_3
#else
#define NOT_FREED_BY_2_3 "leak:buffer_get_recycle\nleak:h2o_vector__expand\n"
#endif
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:h2o_mem_alloc_recycle\nleak:h2o_multithread_create_queue\n" NOT_FREED_BY_2_3;
}
const char *__lsan_default_options(void);
const char *__lsan_default_options(void) {
    return "print_suppressions=0";
}
#endif

/* --- the same in all versions --- */

void h2o_compat_close_after_answers(h2o_context_t *ctx) {
    ctx->shutdown_requested = 1;
}

bool h2o_compat_answered_by(const h2o_req_t *req,
                            void (*proceed)(h2o_generator_t *generator, h2o_req_t *req)) {
    return req->_generator != NULL && req->_generator->proceed == proceed;
}

void h2o_compat_close_after(h2o_req_t *req) {
    req->http1_is_persistent = 0;
}

static void begin_configuration(h2o_globalconf_t *config, size_t body_max, uint64_t idle_ms) {
    h2o_config_init(config);
    config->server_name = h2o_iovec_init("", 0);
    config->max_request_entity_size = body_max;
    config->http1.req_timeout = idle_ms;
    config->http1.upgrade_to_http2 = 0;
}

/* Behind an ostream of ours: what it sends. */
static h2o_iovec_t instead(h2o_ostream_t *self, const h2o_req_t *req) {
    return h2o_iovec_init(self + 1, req->res.content_length);
}

static bool is_head(const h2o_req_t *req) {
    return h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
}

#if H2O_COMPAT_2_2
/* --- 2.2 --- */

void h2o_compat_timers_init(struct h2o_compat_timers *timers, h2o_loop_t *loop, uint64_t ms) {
    timers->loop = loop;
    h2o_timeout_init(loop, &timers->list, ms);
}

void h2o_compat_timers_set(struct h2o_compat_timers *timers, uint64_t ms) {
    timers->list.timeout = ms;
}

void h2o_compat_timers_dispose(struct h2o_compat_timers *timers) {
    h2o_timeout_dispose(timers->loop, &timers->list);
}

void h2o_compat_timer_start(struct h2o_compat_timers *timers, h2o_compat_timer *timer) {
    h2o_timeout_link(timers->loop, &timers->list, timer);
}

void h2o_compat_timer_stop(h2o_compat_timer *timer) {
    h2o_timeout_unlink(timer);
}

static void begin_anew(h2o_timeout_t *timeout, uint64_t now_ms) {
    for (h2o_linklist_t *l = timeout->_entries.next; l != &timeout->_entries; l = l->next) {
        h2o_timeout_entry_t *entry = H2O_STRUCT_FROM_MEMBER(h2o_timeout_entry_t, _link, l);
        if (entry->registered_at > now_ms) entry->registered_at = now_ms;
    }
}

static void follow_clock(h2o_loop_t *loop, uint64_t before_ms) {
    (void)before_ms;
    h2o_linklist_t *all = &loop->_timeouts;
    for (h2o_linklist_t *l = all->next; l != all; l = l->next)
        begin_anew(H2O_STRUCT_FROM_MEMBER(h2o_timeout_t, _link, l), h2o_now(loop));
}

void h2o_compat_configure(h2o_globalconf_t *config, size_t body_max, uint64_t idle_ms) {
    begin_configuration(config, body_max, idle_ms);
}

void *h2o_compat_alloc(h2o_mem_pool_t *pool, size_t size) {
    return h2o_mem_alloc_pool(pool, size);
}

static void send_instead(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *bufs, size_t count,
                         h2o_send_state_t state) {
    (void)bufs;
    (void)count;
    h2o_iovec_t body = instead(self, req);
    h2o_ostream_send_next(self, req, &body, is_head(req) ? 0 : 1, state);
}

static h2o_ostream_t *add_ostream(h2o_req_t *req, size_t size, h2o_ostream_t **slot) {
    return h2o_add_ostream(req, size, slot);
}

void h2o_compat_for_each_connection(h2o_context_t *ctx, h2o_compat_visit *visit, void *arg) {
    ctx->globalconf->http1.callbacks.foreach_request(ctx, visit, arg);
}

bool h2o_compat_no_connections(const h2o_context_t *ctx) {
    return ctx->http1._conns.next == &ctx->http1._conns;
}

static h2o_socket_t *socket_of(const h2o_req_t *req) {
    return req->conn->callbacks->get_socket(req->conn);
}

bool h2o_compat_is_read(const h2o_req_t *req) {
    return req->processed_at.at.tv_sec != 0;
}

/* With the head, which is small. */
size_t h2o_compat_received(const h2o_req_t *req) {
    return socket_of(req)->input->size;
}

static bool is_header(const char *line, size_t n, const char *name_and_colon, size_t name_n) {
    return n >= name_n && memcmp(line, name_and_colon, name_n) == 0;
}

static void note_line(struct h2o_compat_head *head, const char *line, size_t n) {
    switch (line[0]) {
    case 'h':
        head->hosts += is_header(line, n, H2O_STRLIT("host:"));
        break;
    case 'c':
        head->lengths += is_header(line, n, H2O_STRLIT("content-length:"));
        break;
    case 't':
        head->encodings += is_header(line, n, H2O_STRLIT("transfer-encoding:"));
        break;
    case ' ':
    case '\t':
        head->folded = true;
        break;
    default:
        break;
    }
}

/* The head is still in the connection's buffer, names in lower case. */
struct h2o_compat_head h2o_compat_read_head(const h2o_req_t *req) {
    const h2o_buffer_t *input = socket_of(req)->input;
    const char *p = input->bytes, *end = p + input->size;
    struct h2o_compat_head head = {0};
    while (p < end && (*p == '\r' || *p == '\n'))
        p++; /* an empty line before the request is allowed */
    for (bool first = true; p < end; first = false) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        if (newline == NULL || newline == p || (newline == p + 1 && *p == '\r')) break;
        if (!first) note_line(&head, p, (size_t)(newline - p));
        p = newline + 1;
    }
    head.size = (size_t)(p - input->bytes);
    return head;
}

void h2o_compat_handshake(h2o_socket_t *sock, SSL_CTX *ctx, h2o_socket_cb done) {
    h2o_socket_ssl_handshake(sock, ctx, NULL, done);
}

#else
/* --- later --- */

#include <picohttpparser.h>

void h2o_compat_timers_init(struct h2o_compat_timers *timers, h2o_loop_t *loop, uint64_t ms) {
    *timers = (struct h2o_compat_timers){loop, ms};
}

void h2o_compat_timers_set(struct h2o_compat_timers *timers, uint64_t ms) {
    timers->ms = ms;
}

void h2o_compat_timers_dispose(struct h2o_compat_timers *timers) {
    timers->loop = NULL;
}

void h2o_compat_timer_start(struct h2o_compat_timers *timers, h2o_compat_timer *timer) {
    h2o_timer_link(timers->loop, timers->ms, timer);
}

void h2o_compat_timer_stop(h2o_compat_timer *timer) {
    h2o_timer_unlink(timer);
}

/* The wheel does not turn until the clock is where it was. So there is a new one, and all timers move. One
 * that began in the very turn that saw the clock go back began by the new clock, and ends early. */
static void follow_clock(h2o_loop_t *loop, uint64_t before_ms) {
    enum { WHEELS = 3 }; /* as h2o makes it */
    uint64_t back_ms = before_ms - h2o_now(loop);
    h2o_linklist_t timers;
    h2o_linklist_init_anchor(&timers);
    h2o_timerwheel_get_expired(loop->_timeouts, UINT64_MAX, &timers);
    h2o_timerwheel_destroy(loop->_timeouts);
    loop->_timeouts = h2o_timerwheel_create(WHEELS, h2o_now(loop));
    while (!h2o_linklist_is_empty(&timers)) {
        h2o_timer_t *timer = H2O_STRUCT_FROM_MEMBER(h2o_timer_t, _link, timers.next);
        h2o_linklist_unlink(&timer->_link);
        h2o_timerwheel_link_abs(loop->_timeouts, timer, timer->expire_at - back_ms);
    }
}

void h2o_compat_configure(h2o_globalconf_t *config, size_t body_max, uint64_t idle_ms) {
    begin_configuration(config, body_max, idle_ms);
    /* From one write or read to the next, so also while an answer that goes on has nothing to say. */
    config->http1.req_io_timeout = 60 * 60 * 1000;
}

void *h2o_compat_alloc(h2o_mem_pool_t *pool, size_t size) {
    return h2o_mem_alloc_pool_aligned(pool, _Alignof(max_align_t), size);
}

static void send_instead(h2o_ostream_t *self, h2o_req_t *req, h2o_sendvec_t *bufs, size_t count,
                         h2o_send_state_t state) {
    (void)bufs;
    (void)count;
    h2o_iovec_t body = instead(self, req);
    h2o_sendvec_t vec;
    h2o_sendvec_init_raw(&vec, body.base, body.len);
    h2o_ostream_send_next(self, req, &vec, is_head(req) ? 0 : 1, state);
}

static h2o_ostream_t *add_ostream(h2o_req_t *req, size_t size, h2o_ostream_t **slot) {
    return h2o_add_ostream(req, _Alignof(h2o_ostream_t), size, slot);
}

void h2o_compat_for_each_connection(h2o_context_t *ctx, h2o_compat_visit *visit, void *arg) {
    h2o_linklist_t *lists[] = {&ctx->_conns.active, &ctx->_conns.idle, &ctx->_conns.shutdown};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        for (h2o_linklist_t *l = lists[i]->next, *next; l != lists[i]; l = next) {
            next = l->next;
            h2o_conn_t *conn = H2O_STRUCT_FROM_MEMBER(h2o_conn_t, _conns, l);
            if (conn->callbacks->foreach_request(conn, visit, arg) != 0) return;
        }
}

bool h2o_compat_no_connections(const h2o_context_t *ctx) {
    return ctx->_conns.num_conns.idle + ctx->_conns.num_conns.active + ctx->_conns.num_conns.shutdown == 0;
}

/* How h2o's struct of an HTTP/1 connection begins. */
struct http1_conn {
    h2o_conn_t super;
    h2o_socket_t *sock;
};

static h2o_socket_t *socket_of(const h2o_req_t *req) {
    h2o_socket_t *sock = ((struct http1_conn *)req->conn)->sock;
    assert(sock->data == req->conn);
    return sock;
}

bool h2o_compat_is_read(const h2o_req_t *req) {
    return req->process_called;
}

size_t h2o_compat_received(const h2o_req_t *req) {
    return req->req_body_bytes_received;
}

static void note_header(struct h2o_compat_head *head, const char *name, size_t n) {
    head->hosts += h2o_lcstris(name, n, H2O_STRLIT("host"));
    head->lengths += h2o_lcstris(name, n, H2O_STRLIT("content-length"));
    head->encodings += h2o_lcstris(name, n, H2O_STRLIT("transfer-encoding"));
}

/* What h2o says of a request: nothing, for it speaks of proxies and scripts alone. So its place for that
 * holds the head. */
static void say_nothing(void *head, h2o_iovec_t prefix, h2o_iovec_t message) {
    (void)head;
    (void)prefix;
    (void)message;
}

/* h2o drops the head before it hands on a request with a body. So its parser is called through here (the
 * linker sees to that, cmake/h2o.cmake), which keeps what matters. */
int __real_phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                             const char **path, size_t *path_len, int *minor_version,
                             struct phr_header *headers, size_t *num_headers, size_t last_len);
int __wrap_phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                             const char **path, size_t *path_len, int *minor_version,
                             struct phr_header *headers, size_t *num_headers, size_t last_len);
int __wrap_phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                             const char **path, size_t *path_len, int *minor_version,
                             struct phr_header *headers, size_t *num_headers, size_t last_len) {
    int size = __real_phr_parse_request(buf, len, method, method_len, path, path_len, minor_version, headers,
                                        num_headers, last_len);
    if (size <= 0) return size;
    h2o_req_t *req = H2O_STRUCT_FROM_MEMBER(h2o_req_t, input.method.base, method);
    struct h2o_compat_head *head = h2o_compat_alloc(&req->pool, sizeof *head);
    *head = (struct h2o_compat_head){.size = (size_t)size};
    size_t kept = 0;
    for (size_t i = 0; i < *num_headers; i++) {
        head->folded = head->folded || headers[i].name == NULL;
        if (headers[i].name == NULL) continue; /* h2o would refuse it in its own words */
        note_header(head, headers[i].name, headers[i].name_len);
        headers[kept++] = headers[i];
    }
    *num_headers = kept;
    if (**path != '/')
        *path = "*", *path_len = 1; /* of an absolute target h2o would take the path: 2.2 does not */
    req->error_log_delegate.cb = say_nothing;
    req->error_log_delegate.data = head;
    return size;
}

struct h2o_compat_head h2o_compat_read_head(const h2o_req_t *req) {
    assert(req->error_log_delegate.cb == say_nothing);
    return *(const struct h2o_compat_head *)req->error_log_delegate.data;
}

void h2o_compat_handshake(h2o_socket_t *sock, SSL_CTX *ctx, h2o_socket_cb done) {
    h2o_socket_ssl_handshake(sock, ctx, NULL, h2o_iovec_init(NULL, 0), done);
}
#endif

/* --- by the calls above --- */

bool h2o_compat_timer_runs(const h2o_compat_timer *timer) {
    return timer->_link.next != NULL;
}

void h2o_compat_run(h2o_loop_t *loop, int32_t wait_ms) {
    uint64_t before_ms = h2o_now(loop);
    h2o_evloop_run(loop, wait_ms);
    if (h2o_now(loop) < before_ms) follow_clock(loop, before_ms);
}

void h2o_compat_gzip(h2o_pathconf_t *path, size_t min_size, int quality) {
    h2o_compress_args_t args = {.min_size = min_size, .gzip = {quality}, .brotli = {-1}};
#if !H2O_COMPAT_2_2
    args.zstd.quality = -1;
#endif
    h2o_compress_register(path, &args);
}

h2o_ostream_t **h2o_compat_send_instead(h2o_req_t *req, h2o_ostream_t **slot, struct str body) {
    h2o_ostream_t *out = add_ostream(req, sizeof *out + body.n, slot);
    out->do_send = send_instead;
    if (body.n > 0) memcpy(out + 1, body.p, body.n);
    req->res.content_length = body.n;
    return &out->next;
}

int h2o_compat_socket_of(const h2o_req_t *req) {
    return h2o_socket_get_fd(socket_of(req));
}

bool h2o_compat_is_tls(const h2o_req_t *req) {
    return socket_of(req)->ssl != NULL;
}

void h2o_compat_close_reading(h2o_req_t *req) {
    h2o_socket_t *sock = socket_of(req);
    if (sock->_cb.read != NULL) sock->_cb.read(sock, "ended by the server");
}
