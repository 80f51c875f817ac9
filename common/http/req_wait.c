#include "priv/req_priv.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "mem.h"

/* --- for the database --- */

static void fail_by_status(struct req *rq, enum status st) {
    switch (st) {
    case ST_FULL:
        req_retry_after(rq, 503, 1, "too many requests are waiting, try again");
        break;
    case ST_LOST:
        req_retry_after(rq, 503, 1, "the database is away, try again");
        break;
    case ST_TIMEOUT:
        req_fail(rq, 504, NULL, "the database took too long");
        break;
    default:
        req_fail(rq, 500, NULL, "internal error");
        break;
    }
}

static void on_rows(void *ctx, enum status st, const struct rows *rows) {
    struct exec *exec = ctx;
    struct req *rq = exec->rq;
    req_done *done = exec->done;
    exec->done = NULL;
    rq->waits--;
    if (!rq->answered) { /* otherwise another of its statements failed */
        if (st == ST_OK) {
            done(rq, rows);
            req_forgotten(rq);
        } else
            fail_by_status(rq, st);
    }
    req_release(rq);
}

struct sql_params *req_exec(struct req *rq, const struct sql *sql, req_done *done) {
    struct exec *exec = rq->exec.done == NULL ? &rq->exec : arena_alloc(&rq->arena, sizeof *exec);
    enum status st = ST_LOST;
    struct db *db = rq->thread->db;
    struct sql_params *item = db == NULL ? NULL : db_add(db, sql, on_rows, exec, &st);
    if (item == NULL) {
        fail_by_status(rq, st);
        return NULL;
    }
    *exec = (struct exec){rq, done};
    rq->refs++;
    rq->waits++;
    return item;
}

void req_put_user(struct req *rq, struct sql_params *item) {
    put_uuid(item, &req_user(rq)->user);
}

void req_put_path_uuid(const struct req *rq, int index, struct sql_params *item) {
    struct uuid id = req_path_uuid(rq, index);
    put_uuid(item, &id);
}

/* --- for a while --- */

/* The timers of a list have one duration, so any time is waited for in steps, one a bit of it. */
static void wait_a_step(struct req *rq) {
    int bit = __builtin_ctz((unsigned)rq->later_ms);
    struct h2o_compat_timers *timers = &rq->thread->after[bit];
    if (timers->loop == NULL) h2o_compat_timers_init(timers, rq->thread->ctx.loop, UINT64_C(1) << bit);
    rq->later_ms &= rq->later_ms - 1;
    h2o_compat_timer_start(timers, &rq->later);
}

static void on_later(h2o_compat_timer *entry) {
    struct req *rq = H2O_STRUCT_FROM_MEMBER(struct req, later, entry);
    if (rq->later_ms > 0) {
        wait_a_step(rq);
        return;
    }
    rq->waits--;
    if (!rq->answered) {
        rq->then(rq);
        req_forgotten(rq);
    }
    req_release(rq);
}

/* false: it was answered at the end of the server, and its thread may be about to end. */
static bool will_wait(struct req *rq, req_handler *then) {
    if (rq->answered) return false;
    rq->then = then;
    rq->later.cb = on_later;
    rq->refs++;
    rq->waits++;
    return true;
}

void req_later(struct req *rq, req_handler *then) {
    if (!will_wait(rq, then)) return;
    h2o_compat_timer_start(&rq->thread->later, &rq->later);
}

bool req_later_within(struct req *rq, req_handler *then, int patience_ms) {
    if (clock_mono_us() - rq->started_us >= patience_ms * INT64_C(1000)) return false;
    req_later(rq, then);
    return true;
}

void req_again(struct req *rq, req_handler *ask) {
    if (!req_later_within(rq, ask, REQ_RIVALS_MS))
        req_retry_after(rq, 503, 1, "Too many rival requests, try again");
}

void req_after(struct req *rq, int ms, req_handler *then) {
    assert(ms > 0 && ms < 1 << REQ_AFTER_BITS);
    if (!will_wait(rq, then)) return;
    rq->later_ms = ms;
    wait_a_step(rq);
}

void req_stop_waiting(struct req *rq) {
    if (!h2o_compat_timer_runs(&rq->later)) return;
    h2o_compat_timer_stop(&rq->later);
    rq->waits--;
    req_release(rq);
}

/* h2o does not read from a connection whose request is being handled, so it does not see its end. */
bool req_left(const struct req *rq) {
    if (rq->h2o == NULL || rq->answered) return true;
    struct pollfd client = {.fd = h2o_compat_socket_of(rq->h2o), .events = POLLRDHUP};
    return poll(&client, 1, 0) == 1;
}

/* --- for other threads --- */

struct resumption {
    h2o_multithread_message_t message;
    struct req *rq;
    void (*then)(struct req *rq, void *arg);
    void (*tell)(void *arg); /* in its place, when it is about no request */
    void *arg;
};

void req_hold(struct req *rq) {
    rq->refs++;
    rq->waits++;
}

void req_resume(struct req *rq, void (*then)(struct req *rq, void *arg), void *arg) {
    struct resumption *r = mem_alloc(sizeof *r);
    *r = (struct resumption){.rq = rq, .then = then, .arg = arg};
    h2o_multithread_send_message(&rq->thread->resumed, &r->message);
}

void http_tell(struct http *http, int thread, void (*then)(void *arg), void *arg) {
    struct resumption *r = mem_alloc(sizeof *r);
    *r = (struct resumption){.tell = then, .arg = arg};
    h2o_multithread_send_message(&http->threads[thread].resumed, &r->message);
}

static void go_on(const struct resumption *r) {
    r->rq->waits--;
    r->then(r->rq, r->arg);
    req_forgotten(r->rq);
    req_release(r->rq);
}

void req_resumed(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages) {
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        struct resumption *r = H2O_STRUCT_FROM_MEMBER(struct resumption, message.link, messages->next);
        h2o_linklist_unlink(&r->message.link);
        assert(messages->next !=
               &r->message.link); /* clang's analyzer does not see it, and takes the next for this one */
        if (r->tell != NULL)
            r->tell(r->arg);
        else
            go_on(r);
        free(r);
    }
}
