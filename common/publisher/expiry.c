#include "priv/expiry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "pg.h"
#include "priv/publisher_metrics.h"

/* A step deletes in about 10 ms, and holds no lock that anybody waits for. */
#define STEP_ROWS "5000"
enum { STEP_ROWS_N = 5000 };

/* How often to look: a tenth of the retention, between these. The longer one is also how old the lag metric
 * may be. */
static const int64_t OFTENEST_MS = 100, RAREST_MS = 10 * 1000;

/* Numbers are given in nearly the order of time, so the oldest are among the first; the primary key finds
 * them. */
static const char CHOOSE[] =
    "select array_agg(seq)::text, count(seq), (pg_current_wal_insert_lsn() - '0/0')::bigint"
    "  from (select seq, \"%s\" as at from \"%s\" order by seq limit " STEP_ROWS ") oldest"
    " where %" PRId64 " > 0 and at < now() - %" PRId64 " * interval '1 ms'";

static const char DELETE[] = "delete from \"%s\" where seq = any($1::bigint[])";

void expiry_init(struct expiry *e, PGconn *conn, const char *table, const char *time_column,
                 int64_t retention_ms) {
    *e = (struct expiry){
        .conn = conn, .table = table, .time_column = time_column, .retention_ms = retention_ms};
}

void expiry_free(struct expiry *e) {
    free(e->chosen);
    *e = (struct expiry){0};
}

static int64_t interval_us(const struct expiry *e) {
    int64_t ms = e->retention_ms / 10;
    if (ms < OFTENEST_MS) ms = e->retention_ms > 0 ? OFTENEST_MS : RAREST_MS;
    return 1000 * (ms < RAREST_MS ? ms : RAREST_MS);
}

static enum status ask(struct expiry *e, struct why *w) {
    char text[512];
    int sent;
    if (e->chosen == NULL) {
        snprintf(text, sizeof text, CHOOSE, e->time_column, e->table, e->retention_ms, e->retention_ms);
        sent = PQsendQuery(e->conn, text);
    } else {
        snprintf(text, sizeof text, DELETE, e->table);
        sent = PQsendQueryParams(e->conn, text, 1, NULL, (const char *const[]){e->chosen}, NULL, NULL, 0);
    }
    e->asked = sent == 1;
    return sent == 1 ? ST_OK : pg_status(e->conn, NULL, w);
}

static void on_chosen(struct expiry *e, const PGresult *res, uint64_t confirmed_lsn) {
    e->written_lsn = strtoull(PQgetvalue(res, 0, 2), NULL, 10);
    e->full = strtol(PQgetvalue(res, 0, 1), NULL, 10) == STEP_ROWS_N;
    if (!PQgetisnull(res, 0, 0)) e->chosen = mem_strdup(PQgetvalue(res, 0, 0));
    if (confirmed_lsn != 0) /* it may have moved on since the answer was given */
        metric_set(M_PUBLISHER_LAG,
                   e->written_lsn > confirmed_lsn ? (int64_t)(e->written_lsn - confirmed_lsn) : 0);
    e->due_us = clock_mono_us() + interval_us(e);
}

static void on_deleted(struct expiry *e, PGresult *res) {
    metric_add(M_EVENTS_EXPIRED, strtoll(PQcmdTuples(res), NULL, 10));
    free(e->chosen);
    e->chosen = NULL;
    if (e->full) e->due_us = 0; /* go on at once */
}

static enum status take_answer(struct expiry *e, uint64_t confirmed_lsn, struct why *w) {
    enum status st = ST_OK;
    for (PGresult *res; (res = PQgetResult(e->conn)) != NULL; PQclear(res)) {
        if (st == ST_OK) st = pg_status(e->conn, res, w);
        if (st != ST_OK) continue;
        if (e->chosen == NULL)
            on_chosen(e, res, confirmed_lsn);
        else
            on_deleted(e, res);
    }
    e->asked = false;
    return st;
}

enum status expiry_take(struct expiry *e, uint64_t confirmed_lsn, struct why *w) {
    return e->asked && !PQisBusy(e->conn) ? take_answer(e, confirmed_lsn, w) : ST_OK;
}

enum status expiry_ask(struct expiry *e, uint64_t confirmed_lsn, struct why *w) {
    if (e->asked) return ST_OK;
    bool ready = e->chosen == NULL ? clock_mono_us() >= e->due_us : confirmed_lsn >= e->written_lsn;
    return ready ? ask(e, w) : ST_OK;
}
