#include "priv/db_pipeline.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "mem.h"
#include "pg.h"
#include "priv/db_metrics.h"

enum { MAX_TRIES = 10 }; /* of a batch that serialization failures or deadlocks undo */

/* A plan is kept, and was made for tables as small as they were then: a read from end to end, or a sort of
 * all there is. ANALYZE has plans made anew, but autovacuum comes once a minute, and in the minute an on-sale
 * opens a table grows a thousandfold. Making a plan takes about 1 ms, so every few seconds costs nothing. */
enum { REPLAN_US = 5000000 };

/* --- answers --- */

static void answer(struct db_pipeline *p, struct db_batch *b, enum status st) {
    b->answer = st;
    db_batch_append(p->answered, b);
}

/* The connection is gone: what was sent is answered `sent`, what was not ST_LOST. */
static void end_batches(struct db_pipeline *p, enum status sent) {
    if (p->sent != NULL) answer(p, p->sent, sent);
    p->sent = NULL;
    for (struct db_batch *b; (b = db_batch_take(&p->waiting)) != NULL;)
        answer(p, b, ST_LOST);
    for (int i = 0; i < p->nstatements; i++)
        p->statements[i].open = NULL;
}

static void lose(struct db_pipeline *p, const char *reason) {
    db_conn_lose(&p->conn, reason);
    end_batches(p, ST_LOST);
}

/* --- out --- */

static bool forget_old_plans(struct db_pipeline *p, int64_t now_us) {
    if (now_us < p->replan_us) return true;
    p->replan_us = now_us + REPLAN_US;
    return PQsendQueryParams(p->conn.pg, "discard plans", 0, NULL, NULL, NULL, NULL, 0) == 1;
}

static bool send_batch(struct db_pipeline *p, struct db_batch *b) {
    const char *values[SQL_MAX_PARAMS];
    int lengths[SQL_MAX_PARAMS], formats[SQL_MAX_PARAMS];
    const struct sql *sql = b->statement->sql;
    assert(b->params.items == b->nwaiters); /* the last item has all of its parameters */
    sql_params_values(&b->params, values, lengths, formats);
    /* A Sync each, so that each is a transaction of its own. PQpipelineSync writes all of it out by one
     * send(). */
    return forget_old_plans(p, b->sent_us) &&
           PQsendQueryPrepared(p->conn.pg, sql->name, sql->nparams, values, lengths, formats, 1) == 1 &&
           PQpipelineSync(p->conn.pg) == 1;
}

static void send_or_lose(struct db_pipeline *p, struct db_batch *b) {
    b->sent_us = clock_mono_us();
    b->tries++;
    p->sent = b;
    db_conn_expect_result(&p->conn);
    metric_add(M_DB_BATCHES, 1);
    metric_add(M_DB_ITEMS, b->nwaiters);
    if (!send_batch(p, b)) lose(p, PQerrorMessage(p->conn.pg));
}

/* Behind slow statements (a lock on a table) items could wait many times as long as their requests do. */
static bool waited_too_long(const struct db_pipeline *p, const struct db_batch *b) {
    return clock_mono_us() - b->opened_us > (int64_t)p->conn.options.statement_timeout_ms * 1000;
}

/* One batch at a time. A second one on its way would save its round trip, but then each carries half as many
 * items, and what a statement and its commit cost by themselves is more. */
static void pump(struct db_pipeline *p) {
    while (db_pipeline_ready(p) && p->sent == NULL && p->waiting.first != NULL) {
        int64_t now_us = clock_mono_us(), due_us;
        struct db_batch *b = db_batch_take_due(&p->waiting, now_us, &due_us);
        if (b == NULL) {
            db_conn_wake_at(&p->conn, due_us);
            break;
        }
        if (b->statement->open == b) b->statement->open = NULL;
        if (waited_too_long(p, b)) {
            answer(p, b, ST_TIMEOUT);
        } else {
            send_or_lose(p, b);
        }
    }
    if (db_pipeline_ready(p) && !db_conn_flush(&p->conn)) lose(p, PQerrorMessage(p->conn.pg));
}

/* --- in --- */

static const char *field(const struct db_batch *b, int code, const char *otherwise) {
    const char *text = PQresultErrorField(b->result, code);
    return text != NULL ? text : otherwise;
}

/* The primary message alone: details quote rows, which are not ours to log. */
static void log_failure(const struct db_batch *b, const char *outcome) {
    log_error("db", "%s, %d items: %s: %s (SQLSTATE %s%s%s)", b->statement->sql->name, b->nwaiters, outcome,
              field(b, PG_DIAG_MESSAGE_PRIMARY, PQresultErrorMessage(b->result)),
              field(b, PG_DIAG_SQLSTATE, "none"),
              PQresultErrorField(b->result, PG_DIAG_CONSTRAINT_NAME) != NULL ? ", constraint " : "",
              field(b, PG_DIAG_CONSTRAINT_NAME, ""));
}

static void fail(struct db_pipeline *p, struct db_batch *b, enum status st, const char *outcome) {
    log_failure(b, outcome);
    answer(p, b, st);
}

/* The data of an item made the whole batch fail. Halves it, and puts the halves before all that waits, until
 * the item stands alone. */
static void halve(struct db_pipeline *p, struct db_batch *b) {
    int half = b->nwaiters / 2;
    db_batch_prepend(&p->waiting, db_batch_part(b, half, b->nwaiters - half));
    db_batch_prepend(&p->waiting, db_batch_part(b, 0, half));
    db_batch_release(b);
}

static void try_again(struct db_pipeline *p, struct db_batch *b) {
    PQclear(b->result);
    b->result = NULL;
    db_batch_prepend(&p->waiting, b);
}

static void answer_rows(struct db_pipeline *p, struct db_batch *b) {
    struct why w;
    if (db_batch_rows_valid(b, &w)) {
        answer(p, b, ST_OK);
        return;
    }
    log_error("db", "%s: %s", b->statement->sql->name, w.text);
    answer(p, b, ST_FAILED);
}

/* The transaction of a batch has ended: decides what its items get. */
static void settle(struct db_pipeline *p, struct db_batch *b) {
    switch (pg_status(p->conn.pg, b->result, NULL)) {
    case ST_OK:
        answer_rows(p, b);
        break;
    case ST_AGAIN:
        if (b->tries < MAX_TRIES) {
            try_again(p, b);
        } else {
            fail(p, b, ST_FAILED, "given up after many tries");
        }
        break;
    case ST_INVALID:
        if (b->nwaiters > 1) {
            halve(p, b);
        } else {
            fail(p, b, ST_FAILED, "refused");
        }
        break;
    case ST_TIMEOUT:
        fail(p, b, ST_TIMEOUT, "took too long");
        break;
    case ST_LOST:
        answer(p, b, ST_LOST);
        lose(p, field(b, PG_DIAG_MESSAGE_PRIMARY, PQresultErrorMessage(b->result)));
        break;
    default:
        fail(p, b, ST_FAILED, "refused");
    }
}

/* Of several results the last one counts, but the first error stays. Rows are final only at the Sync: a
 * commit can fail after them (deferred constraints, serialization). */
static void keep_result(struct db_batch *b, PGresult *r) {
    if (b->result != NULL && PQresultStatus(b->result) == PGRES_FATAL_ERROR) {
        PQclear(r);
        return;
    }
    PQclear(b->result);
    b->result = r;
}

static void batch_over(struct db_pipeline *p) {
    struct db_batch *b = p->sent;
    p->sent = NULL;
    db_conn_expect_nothing(&p->conn);
    metric_observe_us(M_DB_BATCH_TIME, clock_mono_us() - b->sent_us);
    settle(p, b);
}

/* The error that ends a session, such as "terminating connection due to administrator command". */
static bool ends_session(const PGresult *r) {
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static void take_result(struct db_pipeline *p, PGresult *r) {
    if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
        PQclear(r);
        batch_over(p);
    } else if (ends_session(r)) {
        lose(p, PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
        PQclear(r);
    } else {
        keep_result(p->sent, r);
    }
}

static void collect(struct db_pipeline *p) {
    PGresult *r; /* also with nothing sent: this parses the server's own messages, too */
    while (db_pipeline_ready(p) && (r = db_conn_next_result(&p->conn)) != NULL) {
        assert(p->sent != NULL);
        take_result(p, r);
    }
    if (db_pipeline_ready(p) && PQstatus(p->conn.pg) == CONNECTION_BAD) lose(p, PQerrorMessage(p->conn.pg));
}

/* --- what the connection calls --- */

static void on_readable(void *owner) {
    struct db_pipeline *p = owner;
    collect(p);
    pump(p);
    p->on_answered(p->owner);
}

static void on_due(void *owner) {
    struct db_pipeline *p = owner;
    pump(p);
    p->on_answered(p->owner);
}

static void on_lost(void *owner, enum status sent) {
    struct db_pipeline *p = owner;
    end_batches(p, sent);
    p->on_answered(p->owner);
}

static const struct db_conn_events events = {.readable = on_readable, .due = on_due, .lost = on_lost};

/* --- what the owner calls --- */

void db_pipeline_open(struct db_pipeline *p, h2o_loop_t *loop, const struct db_options *options,
                      bool writes) {
    int all = 0;
    while (options->statements[all] != NULL)
        all++;
    p->statements = mem_alloc((size_t)all * sizeof *p->statements);
    p->prepared = mem_alloc((size_t)(all + 1) * sizeof(*p->prepared));
    for (int i = 0; i < all; i++) {
        const struct sql *sql = options->statements[i];
        if (sql->writes != writes) continue;
        p->prepared[p->nstatements] = sql;
        p->statements[p->nstatements++] =
            (struct db_statement){.sql = sql, .batch_items = options->batch_items};
    }
    const struct db_conn_options conn = {.name = writes ? "write" : "read",
                                         .url = options->url,
                                         .statements = p->prepared,
                                         .statement_timeout_ms = options->statement_timeout_ms};
    db_conn_open(&p->conn, loop, &conn, &events, p);
}

void db_pipeline_close(struct db_pipeline *p) {
    db_conn_close(&p->conn);
    end_batches(p, ST_LOST);
}

void db_pipeline_free(struct db_pipeline *p) {
    for (int i = 0; i < p->nstatements; i++)
        db_batch_free_spare(&p->statements[i]);
    free(p->statements);
    free(p->prepared);
}

struct db_batch *db_pipeline_begin(struct db_pipeline *p, struct db_statement *s) {
    struct db_batch *b = db_batch_open(s);
    db_batch_append(&p->waiting, b);
    return b;
}

void db_pipeline_flush(struct db_pipeline *p) {
    db_conn_check_deadline(&p->conn);
    pump(p);
}
