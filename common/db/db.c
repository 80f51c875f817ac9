#include "priv/db_priv.h"

#include <assert.h>
#include <stdlib.h>

#include "priv/db_metrics.h"

METRICS_DEFINE(db_metrics, DB_METRICS);

struct db *db_open(const struct db_options *options, h2o_loop_t *loop) {
    struct db *db = mem_alloc(sizeof *db);
    metrics_register(db_metrics);
    db->loop = loop;
    db->options = *options;
    db->options.url = mem_strdup(options->url);
    db->host = lookup_needed(options->url);
    while (options->statements[db->nstatements] != NULL)
        db->nstatements++;
    db->statements = mem_alloc((size_t)db->nstatements * sizeof *db->statements);
    for (int i = 0; i < db->nstatements; i++) {
        const struct sql *sql = options->statements[i];
        db->statements[i] = (struct statement){.sql = sql, .lane = &db->lanes[sql->writes]};
    }
    lane_open(&db->lanes[false], db, "read");
    lane_open(&db->lanes[true], db, "write");
    return db;
}

/* Keeps M_DB_WAITING, which all threads share, up to date by the difference since the last time. */
static void report_pending(struct db *db) {
    if (db->pending == db->reported) return;
    metric_add(M_DB_WAITING, db->pending - db->reported);
    db->reported = db->pending;
}

void db_free(struct db *db) {
    assert(!db->answering);
    lane_close(&db->lanes[false]);
    lane_close(&db->lanes[true]);
    db_answer(db);
    for (int i = 0; i < db->nstatements; i++) {
        struct batch *next;
        for (struct batch *b = db->statements[i].spare; b != NULL; b = next) {
            next = b->next;
            batch_destroy(b);
        }
    }
    free(db->statements);
    free((char *)db->options.url);
    free(db->host);
    free(db);
}

static struct statement *find(struct db *db, const struct sql *sql) {
    for (int i = 0; i < db->nstatements; i++)
        if (db->statements[i].sql == sql) return &db->statements[i];
    assert(false && "a statement that is not in db_options.statements");
    abort();
}

static struct sql_params *refuse(enum status *st, enum status because) {
    metric_add(M_DB_REFUSED, 1);
    *st = because;
    return NULL;
}

struct sql_params *db_add(struct db *db, const struct sql *sql, db_done *done, void *ctx, enum status *st) {
    struct statement *s = find(db, sql);
    if (s->lane->state != LANE_READY) return refuse(st, ST_LOST);
    if (db->pending >= db->options.queue_items) return refuse(st, ST_FULL);
    struct batch *b = s->open;
    if (b == NULL || b->nwaiters == db->options.batch_items) b = batch_open(s);
    assert(b->params.items == b->nwaiters && b->params.next == 0); /* the last item is complete */
    b->waiters[b->nwaiters++] = (struct waiter){done, ctx};
    db->pending++;
    *st = ST_OK;
    return &b->params;
}

void db_flush(struct db *db) {
    lane_check_deadline(&db->lanes[true]);
    lane_check_deadline(&db->lanes[false]);
    lane_pump(&db->lanes[true]); /* first: it waits for the disk while the other is served */
    lane_pump(&db->lanes[false]);
    db_answer(db);
}

static void answer_batch(struct db *db, struct batch *b) {
    struct rows rows = {0};
    for (int i = 0; i < b->nwaiters; i++) {
        struct waiter w = b->waiters[i];
        if (b->answer == ST_OK) batch_rows_next(b, i, &rows);
        db->pending--; /* before the call: it may join again */
        w.done(w.ctx, b->answer, b->answer == ST_OK ? &rows : NULL);
    }
}

void db_answer(struct db *db) {
    if (db->answering) return; /* called by a callback: the loop below goes on with what it added */
    db->answering = true;
    for (struct batch *b; (b = batches_take(&db->answered)) != NULL; batch_release(b))
        answer_batch(db, b);
    db->answering = false;
    report_pending(db);
}

bool db_ready(const struct db *db) {
    return db->lanes[false].state == LANE_READY && db->lanes[true].state == LANE_READY;
}

int db_in_flight(const struct db *db) {
    return db->pending;
}
