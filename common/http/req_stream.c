/* An answer that goes on. What is appended waits in one buffer while another is on its way to the client. */
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "h2o_compat.h"
#include "mem.h"
#include "priv/http_metrics.h"
#include "priv/req_priv.h"

enum {
    /* The kernel's part of what waits for a client. It would grow to 4 MiB by itself, each. */
    SOCKET_BUFFER = 16 * 1024,
    END_MS = 1000, /* for a client to take the end of its stream */
};

struct req_stream {
    h2o_generator_t generator;
    struct req *rq;
    struct buf waiting, sending;
    size_t limit;
    uint64_t busy_since_ms; /* on the loop's clock; 0: nothing is on its way */
    uint64_t ending_since_ms;
    bool over; /* the end is on its way, or the client was dropped */
};

static uint64_t now_ms(const struct req *rq) {
    return h2o_now(rq->thread->ctx.loop);
}

static int fd_of(const struct req *rq) {
    return h2o_compat_socket_of(rq->h2o);
}

static void send_waiting(struct req_stream *s) {
    struct buf taken = s->sending;
    s->sending = s->waiting;
    s->waiting = taken;
    s->busy_since_ms = now_ms(s->rq);
    s->over = s->over || s->ending_since_ms != 0;
    h2o_iovec_t bytes = {(char *)s->sending.data, s->sending.len};
    h2o_send(s->rq->h2o, &bytes, bytes.len > 0, s->over ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_IN_PROGRESS);
}

/* The client has taken what was sent. Buffers are given back: most streams are silent most of the time. */
static void on_taken(h2o_generator_t *generator, h2o_req_t *h2o) {
    (void)h2o;
    struct req_stream *s = H2O_STRUCT_FROM_MEMBER(struct req_stream, generator, generator);
    s->busy_since_ms = 0;
    buf_free(&s->sending);
    if (s->waiting.len > 0 || s->ending_since_ms != 0 || s->over) send_waiting(s);
}

bool req_is_stream(const h2o_req_t *h2o) {
    return h2o_compat_answered_by(h2o, on_taken);
}

static void begin(struct req *rq, const char *content_type) {
    h2o_req_t *h = rq->h2o;
    int size = SOCKET_BUFFER;
    setsockopt(fd_of(rq), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    req_add_headers(rq, content_type, 1);
    h->res.status = 200;
    h->res.reason = "OK";
    h->res.content_length = SIZE_MAX;
    h2o_compat_close_after(h); /* its socket has got small buffers */
    h2o_start_response(h, &rq->stream->generator);
}

bool req_stream(struct req *rq, const char *content_type, size_t limit) {
    if (rq->answered || rq->h2o == NULL) return false;
    req_note_answer(rq, 200, 0);
    struct req_stream *s = rq->stream = mem_alloc(sizeof *s);
    *s = (struct req_stream){.generator = {.proceed = on_taken}, .rq = rq, .limit = limit};
    begin(rq, content_type);
    bool head = h2o_memis(rq->h2o->method.base, rq->h2o->method.len, H2O_STRLIT("HEAD"));
    if (head || rq->thread->listener == NULL) req_stream_end(rq);
    return !s->over;
}

struct buf *req_stream_out(struct req *rq) {
    return &rq->stream->waiting;
}

static void drop(struct req_stream *s) {
    s->over = true;
    buf_free(&s->waiting);
    shutdown(fd_of(s->rq), SHUT_RDWR); /* what is on its way fails, and h2o closes */
}

static void drop_slow(struct req_stream *s) {
    metric_add(M_STREAMS_DROPPED, 1);
    drop(s);
}

bool req_stream_flush(struct req *rq) {
    struct req_stream *s = rq->stream;
    if (rq->h2o == NULL || s->over || s->ending_since_ms != 0) {
        buf_free(&s->waiting);
        return false;
    }
    if (s->busy_since_ms == 0 && s->waiting.len > 0)
        send_waiting(s);
    else if (s->waiting.len > s->limit)
        drop_slow(s);
    return !s->over;
}

void req_stream_end(struct req *rq) {
    struct req_stream *s = rq->stream;
    if (rq->h2o == NULL || s->over || s->ending_since_ms != 0) return;
    s->ending_since_ms = now_ms(rq);
    if (s->busy_since_ms == 0) send_waiting(s);
}

void req_stream_free(struct req *rq) {
    struct req_stream *s = rq->stream;
    if (s == NULL) return;
    buf_free(&s->waiting);
    buf_free(&s->sending);
    free(s);
}

/* --- all of a thread's --- */

/* h2o looks at a connection only when it writes to it. */
static bool has_left(const struct req *rq) {
    struct pollfd client = {.fd = fd_of(rq), .events = POLLRDHUP}; /* by TLS bytes may be before the end */
    return poll(&client, 1, 0) == 1;
}

/* Writes to a socket that is shut, so that h2o looks. */
static void bury(struct req_stream *s) {
    shutdown(fd_of(s->rq), SHUT_RDWR);
    if (s->busy_since_ms == 0) req_stream_end(s->rq);
}

static void look_after(struct req_stream *s) {
    if (!s->over && s->busy_since_ms != 0 && now_ms(s->rq) - s->busy_since_ms > HTTP_SLOW_MS)
        drop_slow(s);
    else if (!s->over && has_left(s->rq))
        bury(s);
}

static void end(struct req_stream *s) {
    req_stream_end(s->rq);
    if (s->ending_since_ms != 0 && now_ms(s->rq) - s->ending_since_ms > END_MS) drop(s);
}

static void for_each(struct http_thread *t, void (*visit)(struct req_stream *s)) {
    h2o_linklist_t *next;
    for (h2o_linklist_t *l = t->requests.next; l != &t->requests; l = next) {
        next = l->next;
        struct req *rq = H2O_STRUCT_FROM_MEMBER(struct req, link, l);
        if (rq->stream != NULL && rq->h2o != NULL) visit(rq->stream);
    }
}

void req_streams_look_after(struct http_thread *t) {
    for_each(t, look_after);
}

void req_streams_end(struct http_thread *t) {
    for_each(t, end);
}
