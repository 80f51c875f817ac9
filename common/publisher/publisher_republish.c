#include "priv/publisher_republish.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "pg.h"
#include "priv/publisher_metrics.h"

/* Rows a round trip: about a megabyte. */
#define FETCH_ROWS "2000"

/* How long to wait for Kafka before looking whether to stop. */
enum { WAIT_MS = 500 };

struct republish {
    const struct publisher_state *state;
    PGconn *sql;
    struct emit *emit;
};

static enum status wait_for_kafka(struct republish *r, struct why *w) {
    if (publisher_state_out_of_time(r->state)) return ST_STOPPED;
    clock_wait(producer_fd(&r->emit->producer), clock_mono_us() + WAIT_MS * INT64_C(1000));
    return producer_poll(&r->emit->producer, w);
}

static enum status publish_row(struct republish *r, int log, const PGresult *res, int row, struct why *w) {
    struct pgoutput_value values[PGOUTPUT_MAX_COLUMNS];
    int n = PQnfields(res);
    for (int i = 0; i < n; i++) {
        values[i] = (struct pgoutput_value){.bytes = (const uint8_t *)PQgetvalue(res, row, i),
                                            .n = PQgetisnull(res, row, i) ? -1 : PQgetlength(res, row, i)};
    }
    enum status full = emit_row(r->emit, log, values, n), st = ST_OK;
    for (; full == ST_FULL && st == ST_OK; full = emit_push(r->emit))
        st = wait_for_kafka(r, w);
    return st;
}

/* The next rows; *rows is how many. */
static enum status publish_some(struct republish *r, int log, int *rows, struct why *w) {
    PGresult *res = PQexecParams(r->sql, "fetch " FETCH_ROWS " from log", 0, NULL, NULL, NULL, NULL, 1);
    enum status st = pg_status(r->sql, res, w);
    *rows = st == ST_OK ? PQntuples(res) : 0;
    for (int i = 0; i < *rows && st == ST_OK; i++)
        st = publish_row(r, log, res, i, w);
    metric_add(M_REPUBLISHED, *rows);
    if (st == ST_OK) st = producer_poll(&r->emit->producer, w);
    PQclear(res);
    return st;
}

static enum status begin(struct republish *r, const char *snapshot, struct why *w) {
    char text[256];
    snprintf(text, sizeof text,
             "begin isolation level repeatable read read only; set transaction snapshot '%s';"
             "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0",
             snapshot);
    return pg_exec(r->sql, w, text);
}

static enum status publish_log(struct republish *r, int log, int64_t *count, struct why *w) {
    char text[160];
    /* seq is given to a row while the row it tells of is locked: in order for each key, which is what counts.
     */
    snprintf(text, sizeof text, "declare log no scroll cursor for select * from \"%s\" order by seq",
             r->emit->logs[log].table);
    enum status st = pg_exec(r->sql, w, text);
    for (int rows = 1; rows > 0 && st == ST_OK;) {
        st = publish_some(r, log, &rows, w);
        *count += rows;
    }
    return st == ST_OK ? pg_exec(r->sql, w, "close log") : st;
}

enum status publisher_republish(const struct publisher_state *state, PGconn *sql, const char *snapshot,
                                struct emit *emit, int64_t *count, struct why *w) {
    struct republish r = {state, sql, emit};
    enum status st = begin(&r, snapshot, w);
    if (st != ST_OK) return st;
    emit_begin(emit, 0, 0);
    for (int log = 0; log < emit->nlogs && st == ST_OK; log++)
        st = publish_log(&r, log, count, w);
    emit_commit(emit, 0);
    while (emit->producer.acks.unacked > 0 && st == ST_OK)
        st = wait_for_kafka(&r, w);
    return st == ST_OK ? pg_exec(sql, w, "commit") : st;
}
