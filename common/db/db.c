#include "db.h"

#include <assert.h>
#include <stdlib.h>

#include "mem.h"
#include "priv/db_metrics.h"
#include "priv/db_pipeline.h"

struct db {
    struct db_pipeline pipelines[2]; /* by sql.writes */
    struct db_batch_list answered;
    bool answering;
    char *url;
    int queue_items;
    int pending;  /* items added and not done */
    int reported; /* of these, counted in M_DB_WAITING */
};

/* --- answers --- */

/* Keeps M_DB_WAITING, which all threads share, up to date by the difference since the last time. */
static void report_pending(struct db *db) {
    if (db->pending == db->reported) return;
    metric_add(M_DB_WAITING, db->pending - db->reported);
    db->reported = db->pending;
}

static void answer_batch(struct db *db, struct db_batch *b) {
    struct rows rows = {0};
    for (int i = 0; i < b->nwaiters; i++) {
        struct db_waiter w = b->waiters[i];
        if (b->answer == ST_OK) db_batch_rows_next(b, i, &rows);
        db->pending--; /* before the call: it may add again */
        w.done(w.ctx, b->answer, b->answer == ST_OK ? &rows : NULL);
    }
}

/* Calls the waiters of all answered batches. */
static void answer_waiters(void *owner) {
    struct db *db = owner;
    if (db->answering) return; /* called by a waiter: the loop below goes on with what it added */
    db->answering = true;
    for (struct db_batch *b; (b = db_batch_take(&db->answered)) != NULL; db_batch_release(b))
        answer_batch(db, b);
    db->answering = false;
    report_pending(db);
}

/* --- the public calls --- */

struct db *db_open(const struct db_options *options, h2o_loop_t *loop) {
    struct db *db = mem_alloc(sizeof *db);
    metrics_register(db_metrics);
    struct db_options own = *options;
    own.url = db->url = mem_strdup(options->url);
    db->queue_items = options->queue_items;
    for (int writes = 0; writes < 2; writes++) {
        struct db_pipeline *p = &db->pipelines[writes];
        p->answered = &db->answered;
        p->on_answered = answer_waiters;
        p->owner = db;
        db_pipeline_open(p, loop, &own, writes);
    }
    return db;
}

void db_free(struct db *db) {
    assert(!db->answering);
    for (int i = 0; i < 2; i++)
        db_pipeline_close(&db->pipelines[i]);
    answer_waiters(db);
    for (int i = 0; i < 2; i++)
        db_pipeline_free(&db->pipelines[i]);
    free(db->url);
    free(db);
}

static struct db_statement *find(struct db_pipeline *p, const struct sql *sql) {
    for (int i = 0; i < p->nstatements; i++)
        if (p->statements[i].sql == sql) return &p->statements[i];
    assert(false && "a statement that is not in db_options.statements");
    abort();
}

static struct sql_params *refuse(enum status *st, enum status because) {
    metric_add(M_DB_REFUSED, 1);
    *st = because;
    return NULL;
}

struct sql_params *db_add(struct db *db, const struct sql *sql, db_done *done, void *ctx, enum status *st) {
    struct db_pipeline *p = &db->pipelines[sql->writes];
    struct db_statement *s = find(p, sql);
    if (!db_pipeline_ready(p)) return refuse(st, ST_LOST);
    if (db->pending >= db->queue_items) return refuse(st, ST_FULL);
    struct db_batch *b = s->open;
    if (b == NULL || b->nwaiters == s->batch_items) b = db_pipeline_begin(p, s);
    assert(b->params.items == b->nwaiters && b->params.next == 0); /* the last item is complete */
    b->waiters[b->nwaiters++] = (struct db_waiter){done, ctx};
    db->pending++;
    *st = ST_OK;
    return &b->params;
}

void db_flush(struct db *db) {
    db_pipeline_flush(&db->pipelines[true]); /* first: it waits for the disk, meanwhile the other one works */
    db_pipeline_flush(&db->pipelines[false]);
    answer_waiters(db);
}

bool db_ready(const struct db *db) {
    return db_pipeline_ready(&db->pipelines[false]) && db_pipeline_ready(&db->pipelines[true]);
}

int db_in_flight(const struct db *db) {
    return db->pending;
}
