#include "priv/req_priv.h"

#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

/* Requests kept for use again by a thread: as many as a busy one has at a time, so that neither they nor
 * their buffers are allocated anew under load. Buffers over SPARE_BUFFER are given back. */
enum { MAX_SPARE = 256, SPARE_BUFFER = 16 * 1024 };

static void on_h2o_done(void *link) {
    struct req *rq = *(struct req **)link;
    rq->h2o = NULL;
    req_release(rq);
}

static struct req *take(struct http_thread *t) {
    struct req *rq = t->spare;
    if (rq == NULL) return mem_alloc(sizeof *rq);
    t->spare = rq->next;
    t->nspare--;
    struct buf used = rq->sent;
    *rq = (struct req){.json.out = used};
    return rq;
}

static struct req *start(struct http_thread *t, h2o_req_t *h2o) {
    struct req *rq = take(t);
    rq->h2o = h2o;
    rq->thread = t;
    rq->refs = 1;
    rq->started_us = clock_mono_us();
    *(struct req **)h2o_mem_alloc_shared(&h2o->pool, sizeof(struct req *), on_h2o_done) = rq;
    h2o_linklist_insert(&t->requests, &rq->link);
    http_count_in_flight(t, 1);
    req_trace_start(rq);
    return rq;
}

void req_release(struct req *rq) {
    if (--rq->refs > 0) return;
    struct http_thread *t = rq->thread;
    h2o_linklist_unlink(&rq->link);
    if (!rq->answered) http_count_in_flight(t, -1); /* it never will be */
    for (const struct req_end *e = rq->ends; e != NULL; e = e->next)
        e->end(e->arg);
    req_stream_free(rq);
    arena_free(&rq->arena);
    buf_free(&rq->json.out);
    rq->sent.len = 0;
    if (rq->sent.cap > SPARE_BUFFER) buf_free(&rq->sent);
    if (t->nspare == MAX_SPARE) {
        buf_free(&rq->sent);
        free(rq);
        return;
    }
    rq->next = t->spare;
    t->spare = rq;
    t->nspare++;
}

void req_free_spare(struct http_thread *t) {
    for (struct req *rq = t->spare, *next; rq != NULL; rq = next) {
        next = rq->next;
        buf_free(&rq->sent);
        free(rq);
    }
    t->spare = NULL;
    t->nspare = 0;
}

/* Whether a page of a listed origin asks what it may do at this path (CORS). Its browser goes by the answer
 * for ten minutes. */
static bool answered_preflight(struct req *rq) {
    struct str origin, method;
    if (!h2o_memis(rq->h2o->method.base, rq->h2o->method.len, H2O_STRLIT("OPTIONS"))) return false;
    if (!req_header(rq, "origin", &origin) || !cors_allows(&rq->thread->http->cors, origin)) return false;
    if (!req_header(rq, "access-control-request-method", &method)) return false;
    req_set_header(rq, "access-control-allow-methods", str_of(rq->match.allow));
    req_set_header(rq, "access-control-allow-headers",
                   STR("Authorization, Content-Type, Idempotency-Key, If-Match"));
    req_set_header(rq, "access-control-max-age", STR("600"));
    req_reply(rq, 204);
    return true;
}

static bool find_route(struct req *rq) {
    h2o_req_t *h = rq->h2o;
    route_find(rq->thread->http->routes, (struct str){h->method.base, h->method.len},
               (struct str){h->path_normalized.base, h->path_normalized.len}, &rq->match);
    if (rq->match.route != NULL) return true;
    if (rq->match.allow != NULL && answered_preflight(rq)) return false;
    if (rq->match.allow != NULL) {
        req_set_header(rq, "allow", str_of(rq->match.allow));
        req_fail(rq, 405, NULL, "this path has no such method");
    } else if (rq->thread->http->options.missing != NULL) {
        rq->thread->http->options.missing(rq);
        req_forgotten(rq);
    } else
        req_fail(rq, 404, NULL, "no such path");
    return false;
}

static bool let_in(struct req *rq) {
    unsigned flags = rq->match.route->flags;
    if ((flags & ROUTE_SESSION) == 0) return true;
    if (req_user(rq) == NULL)
        req_fail(rq, 401, NULL, "sign in first");
    else if ((flags & ROUTE_VERIFIED) != 0 && rq->user.unverified)
        req_refuse(rq, 403, "email_not_verified",
                   "Verify your e-mail address first, by the link in our letter");
    else
        return true;
    return false;
}

int req_handle(h2o_handler_t *handler, h2o_req_t *h2o) {
    (void)handler;
    struct req *rq = start(http_thread_of(h2o->conn), h2o);
    if (req_wellformed(rq) && find_route(rq) && let_in(rq)) {
        rq->match.route->handle(rq);
        req_forgotten(rq);
    }
    return 0;
}

void req_forgotten(struct req *rq) {
    if (rq->answered || rq->waits > 0) return;
    const struct route *route = rq->match.route;
    log_error("http", "%s %s gave no answer", route == NULL ? "a" : route->method,
              route == NULL ? "path without a route" : route->path);
    req_fail(rq, 500, NULL, "internal error");
}

void *req_alloc(struct req *rq, size_t size) {
    return arena_alloc(&rq->arena, size);
}

struct arena *req_arena(struct req *rq) {
    return &rq->arena;
}

void req_set_state(struct req *rq, void *state) {
    rq->state = state;
}

void *req_state(const struct req *rq) {
    return rq->state;
}

void req_at_end(struct req *rq, void (*end)(void *arg), void *arg) {
    struct req_end *e = arena_alloc(&rq->arena, sizeof *e);
    *e = (struct req_end){rq->ends, end, arg};
    rq->ends = e;
}

int req_thread(const struct req *rq) {
    return rq->thread->index;
}

void *req_service(const struct req *rq) {
    return rq->thread->http->options.state;
}
