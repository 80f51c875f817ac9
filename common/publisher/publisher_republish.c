#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "metrics.h"
#include "pg.h"
#include "priv/publisher_priv.h"

/* Rows a round trip: about a megabyte. */
#define FETCH_ROWS "2000"

/* How long to wait for Kafka before looking whether to stop. */
enum { WAIT_MS = 500 };

static enum status wait_for_kafka(struct session *s) {
    if (publisher_out_of_time(s->p)) return ST_STOPPED;
    struct pollfd fd = {producer_fd(&s->producer), POLLIN, 0};
    poll(&fd, 1, WAIT_MS);
    producer_poll(&s->producer);
    return ST_OK;
}

static enum status publish_row(struct session *s, const PGresult *res, int row) {
    struct pgoutput_value values[PGOUTPUT_MAX_COLUMNS];
    int n = PQnfields(res);
    for (int i = 0; i < n; i++) {
        values[i] = (struct pgoutput_value){.bytes = (const uint8_t *)PQgetvalue(res, row, i),
                                            .n = PQgetisnull(res, row, i) ? -1 : PQgetlength(res, row, i)};
    }
    enum status full = session_publish(s, values, n), st = ST_OK;
    for (; full == ST_FULL && st == ST_OK; full = producer_push(&s->producer))
        st = wait_for_kafka(s);
    return st;
}

/* The next rows; *rows is how many. */
static enum status publish_some(struct session *s, int *rows, struct why *w) {
    PGresult *res = PQexecParams(s->sql, "fetch " FETCH_ROWS " from log", 0, NULL, NULL, NULL, NULL, 1);
    enum status st = pg_status(s->sql, res, w);
    *rows = st == ST_OK ? PQntuples(res) : 0;
    for (int i = 0; i < *rows && st == ST_OK; i++)
        st = publish_row(s, res, i);
    metric_add(M_REPUBLISHED, *rows);
    producer_poll(&s->producer);
    PQclear(res);
    return st;
}

static enum status open_log(struct session *s, const char *snapshot, struct why *w) {
    char text[512];
    /* seq is given to a row while the row it tells of is locked: in order for each key, which is what counts.
     */
    snprintf(
        text, sizeof text,
        "begin isolation level repeatable read read only; set transaction snapshot '%s';"
        "set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0; declare log no scroll cursor for select * from \"%s\" order by seq",
        snapshot, s->p->options.table);
    return pg_exec(s->sql, w, text);
}

enum status session_republish(struct session *s, const char *snapshot, int64_t *count, struct why *w) {
    enum status st = open_log(s, snapshot, w);
    if (st != ST_OK) return st;
    s->position = (struct log_position){0};
    acks_begin(&s->producer.acks, 0);
    for (int rows = 1; rows > 0 && st == ST_OK;) {
        st = publish_some(s, &rows, w);
        *count += rows;
    }
    acks_commit(&s->producer.acks, 0);
    while (s->producer.acks.unacked > 0 && st == ST_OK)
        st = wait_for_kafka(s);
    return st == ST_OK ? pg_exec(s->sql, w, "commit") : st;
}
