#include "priv/db_priv.h"

#include <assert.h>

#include "clock.h"
#include "log.h"
#include "pg.h"
#include "priv/db_metrics.h"

enum { MAX_TRIES = 10 }; /* of a batch that serialization failures or deadlocks undo */

/* A plan is kept, and was made for tables as small as they were then: a read from end to end, or a sort of
 * all there is. ANALYZE has plans made anew, but autovacuum comes once a minute, and in the minute an on-sale
 * opens a table grows a thousandfold. Making a plan takes about 1 ms, so every few seconds costs nothing. */
enum { REPLAN_US = 5000000 };

/* --- out --- */

static bool forget_old_plans(struct lane *lane, int64_t now_us) {
    if (now_us < lane->replan_us) return true;
    lane->replan_us = now_us + REPLAN_US;
    return PQsendQueryParams(lane->conn, "discard plans", 0, NULL, NULL, NULL, NULL, 0) == 1;
}

static bool send_batch(struct lane *lane, struct batch *b) {
    const char *values[SQL_MAX_PARAMS];
    int lengths[SQL_MAX_PARAMS], formats[SQL_MAX_PARAMS];
    const struct sql *sql = b->statement->sql;
    assert(b->params.items == b->nwaiters); /* the last item has all of its parameters */
    sql_params_values(&b->params, values, lengths, formats);
    /* A Sync each, so that each is a transaction of its own. PQpipelineSync writes all of it out by one
     * send(). */
    return forget_old_plans(lane, b->sent_us) &&
           PQsendQueryPrepared(lane->conn, sql->name, sql->nparams, values, lengths, formats, 1) == 1 &&
           PQpipelineSync(lane->conn) == 1;
}

/* The server's own statement_timeout comes first, unless it or the network is gone. */
static void await_result(struct lane *lane) {
    lane_deadline(lane, lane->sent != NULL ? lane->db->options.statement_timeout_ms + GRACE_MS : 0);
}

static void send_or_lose(struct lane *lane, struct batch *b) {
    b->sent_us = clock_mono_us();
    b->tries++;
    lane->sent = b;
    await_result(lane);
    metric_add(M_DB_BATCHES, 1);
    metric_add(M_DB_ITEMS, b->nwaiters);
    if (!send_batch(lane, b)) lane_lost(lane, ST_LOST, PQerrorMessage(lane->conn));
}

/* Behind slow statements (a lock on a table) a queue could outlast its waiters' patience many times over. */
static bool waited_too_long(const struct lane *lane, const struct batch *b) {
    return clock_mono_us() - b->opened_us > (int64_t)lane->db->options.statement_timeout_ms * 1000;
}

/* One batch at a time. A second one on its way would save its round trip, but then each carries half as many
 * items, and what a statement and its commit cost by themselves is more. */
void lane_pump(struct lane *lane) {
    while (lane->state == LANE_READY && lane->sent == NULL && lane->waiting.first != NULL) {
        int64_t now = clock_mono_us(), due;
        struct batch *b = batches_take_due(&lane->waiting, now, &due);
        if (b == NULL) {
            lane_deadline(lane, (int)((due - now + 999) / 1000));
            break;
        }
        if (b->statement->open == b) b->statement->open = NULL;
        if (waited_too_long(lane, b)) {
            batch_answer(b, ST_TIMEOUT);
        } else {
            send_or_lose(lane, b);
        }
    }
    if (lane->state == LANE_READY) lane_want_write(lane);
}

/* --- in --- */

PGresult *lane_next_result(struct lane *lane) {
    /* libpq puts a NULL behind the results of each command; a second one in a row means that it expects no
     * more. */
    for (int nulls = 0; nulls < 2 && !PQisBusy(lane->conn); nulls++) {
        PGresult *r = PQgetResult(lane->conn);
        if (r != NULL) return r;
    }
    return NULL;
}

static const char *field(const struct batch *b, int code, const char *otherwise) {
    const char *text = PQresultErrorField(b->result, code);
    return text != NULL ? text : otherwise;
}

/* The primary message alone: details quote rows, which are not ours to log. */
static void log_failure(const struct batch *b, const char *outcome) {
    log_error("db", "%s, %d items: %s: %s (SQLSTATE %s%s%s)", b->statement->sql->name, b->nwaiters, outcome,
              field(b, PG_DIAG_MESSAGE_PRIMARY, PQresultErrorMessage(b->result)),
              field(b, PG_DIAG_SQLSTATE, "none"),
              PQresultErrorField(b->result, PG_DIAG_CONSTRAINT_NAME) != NULL ? ", constraint " : "",
              field(b, PG_DIAG_CONSTRAINT_NAME, ""));
}

static void fail(struct batch *b, enum status st, const char *outcome) {
    log_failure(b, outcome);
    batch_answer(b, st);
}

/* Some item's data is at fault, and it spoils the others: halves, to go before all that waits, until it
 * stands alone. */
static void halve(struct lane *lane, struct batch *b) {
    int half = b->nwaiters / 2;
    batches_prepend(&lane->waiting, batch_part(b, half, b->nwaiters - half));
    batches_prepend(&lane->waiting, batch_part(b, 0, half));
    batch_release(b);
}

static void try_again(struct lane *lane, struct batch *b) {
    PQclear(b->result);
    b->result = NULL;
    batches_prepend(&lane->waiting, b);
}

static void answer_rows(struct batch *b) {
    struct why w;
    if (batch_rows_valid(b, &w)) {
        batch_answer(b, ST_OK);
        return;
    }
    log_error("db", "%s: %s", b->statement->sql->name, w.text);
    batch_answer(b, ST_FAILED);
}

/* A batch's transaction is over: what comes of it. */
static void settle(struct lane *lane, struct batch *b) {
    switch (pg_status(lane->conn, b->result, NULL)) {
    case ST_OK:
        answer_rows(b);
        break;
    case ST_AGAIN:
        if (b->tries < MAX_TRIES) {
            try_again(lane, b);
        } else {
            fail(b, ST_FAILED, "given up after many tries");
        }
        break;
    case ST_INVALID:
        if (b->nwaiters > 1) {
            halve(lane, b);
        } else {
            fail(b, ST_FAILED, "refused");
        }
        break;
    case ST_TIMEOUT:
        fail(b, ST_TIMEOUT, "took too long");
        break;
    case ST_LOST:
        batch_answer(b, ST_LOST);
        lane_lost(lane, ST_LOST, field(b, PG_DIAG_MESSAGE_PRIMARY, PQresultErrorMessage(b->result)));
        break;
    default:
        fail(b, ST_FAILED, "refused");
    }
}

/* Of several results the last one counts, but the first error stays. Rows are final only at the Sync: a
 * commit can fail after them (deferred constraints, serialization). */
static void keep_result(struct batch *b, PGresult *r) {
    if (b->result != NULL && PQresultStatus(b->result) == PGRES_FATAL_ERROR) {
        PQclear(r);
        return;
    }
    PQclear(b->result);
    b->result = r;
}

static void batch_over(struct lane *lane) {
    struct batch *b = lane->sent;
    lane->sent = NULL;
    await_result(lane);
    metric_observe_us(M_DB_BATCH_TIME, clock_mono_us() - b->sent_us);
    settle(lane, b);
}

/* The last words of a session, such as "terminating connection due to administrator command". */
static bool ends_session(const PGresult *r) {
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);
    return severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static void take_result(struct lane *lane, PGresult *r) {
    if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
        PQclear(r);
        batch_over(lane);
    } else if (ends_session(r)) {
        lane_lost(lane, ST_LOST, PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY));
        PQclear(r);
    } else {
        keep_result(lane->sent, r);
    }
}

void lane_collect(struct lane *lane) {
    PGresult *r; /* also with nothing in flight: what the server says by itself is parsed by this too */
    while (lane->state == LANE_READY && (r = lane_next_result(lane)) != NULL) {
        assert(lane->sent != NULL);
        take_result(lane, r);
    }
    if (lane->state == LANE_READY && PQstatus(lane->conn) == CONNECTION_BAD)
        lane_lost(lane, ST_LOST, PQerrorMessage(lane->conn));
}
