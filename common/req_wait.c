#include "http_impl.h"

#include <stdlib.h>

#include "log.h"

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
    struct join *join = ctx;
    struct req *rq = join->rq;
    req_done *done = join->done;
    join->done = NULL;
    rq->waits--;
    if (!rq->answered) { /* otherwise another join of it failed */
        if (st == ST_OK) {
            done(rq, rows);
            req_forgotten(rq);
        } else
            fail_by_status(rq, st);
    }
    req_release(rq);
}

struct columns *req_join(struct req *rq, const struct sql *sql, req_done *done) {
    struct join *join = rq->join.done == NULL ? &rq->join : arena_alloc(&rq->arena, sizeof *join);
    enum status st = ST_LOST;
    struct db *db = rq->thread->db;
    struct columns *item = db == NULL ? NULL : db_join(db, sql, on_rows, join, &st);
    if (item == NULL) {
        fail_by_status(rq, st);
        return NULL;
    }
    *join = (struct join){rq, done};
    rq->refs++;
    rq->waits++;
    return item;
}

/* --- for a while --- */

static void on_later(h2o_timeout_entry_t *entry) {
    struct req *rq = H2O_STRUCT_FROM_MEMBER(struct req, later, entry);
    rq->waits--;
    if (!rq->answered) {
        rq->then(rq);
        req_forgotten(rq);
    }
    req_release(rq);
}

void req_later(struct req *rq, req_handler *then) {
    rq->then = then;
    rq->later.cb = on_later;
    rq->refs++;
    rq->waits++;
    h2o_timeout_link(rq->thread->ctx.loop, &rq->thread->later, &rq->later);
}

void req_stop_waiting(struct req *rq) {
    if (!h2o_timeout_is_linked(&rq->later)) return;
    h2o_timeout_unlink(&rq->later);
    rq->waits--;
    req_release(rq);
}

/* --- for other threads --- */

struct resumption {
    h2o_multithread_message_t message;
    struct req *rq;
    void (*then)(struct req *rq, void *arg);
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

void req_resumed(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages) {
    (void)receiver;
    while (!h2o_linklist_is_empty(messages)) {
        struct resumption *r = H2O_STRUCT_FROM_MEMBER(struct resumption, message.link, messages->next);
        h2o_linklist_unlink(&r->message.link);
        r->rq->waits--;
        r->then(r->rq, r->arg);
        req_forgotten(r->rq);
        req_release(r->rq);
        free(r);
    }
}
