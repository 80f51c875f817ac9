#include "priv/watermark.h"

#include <stdlib.h>

#include "clock.h"
#include "pg.h"
#include "priv/publisher_metrics.h"

/* The end of the log last, as it is asked for a row that is there by then. Sessions that stream the log show
 * the time of their command. Where sessions do not show what they do, the oldest may be any: 0. */
static const char LOOK[] =
    "select (extract(epoch from clock_timestamp()) * 1000000)::bigint,"
    "       case when current_setting('track_activities')::boolean then oldest else 0 end,"
    "       (pg_current_wal_insert_lsn() - '0/0')::bigint"
    "  from (select (extract(epoch from min(xact_start)) * 1000000)::bigint as oldest from pg_stat_activity"
    "         where datname = current_database() and usename = current_user and backend_type = 'client backend'"
    "           and xact_start is not null and pid <> pg_backend_pid()) open";

void watermark_init(struct watermark *m, PGconn *conn, int64_t interval_us) {
    *m = (struct watermark){.conn = conn, .interval_us = interval_us};
}

static void measure(const struct watermark *m) {
    int64_t now_us = m->looked_us + clock_mono_us() - m->looked_mono_us;
    metric_set(M_WATERMARK_AGE, (now_us - (m->told_us != 0 ? m->told_us : m->since_us)) / 1000000);
}

static void on_look(struct watermark *m, const PGresult *res) {
    int64_t now_us = strtoll(PQgetvalue(res, 0, 0), NULL, 10);
    int64_t before_us = m->looked_us;
    if (!PQgetisnull(res, 0, 1)) {
        int64_t oldest_us = strtoll(PQgetvalue(res, 0, 1), NULL, 10);
        if (oldest_us < before_us) before_us = oldest_us;
    }
    m->looked_us = now_us;
    m->looked_mono_us = clock_mono_us();
    if (m->since_us == 0) m->since_us = now_us;
    measure(m);
    if (before_us <= m->told_us) return;
    m->next_us = before_us;
    m->lsn = strtoull(PQgetvalue(res, 0, 2), NULL, 10);
}

enum status watermark_take(struct watermark *m, struct why *w) {
    if (!m->asked || PQisBusy(m->conn)) return ST_OK;
    enum status st = ST_OK;
    for (PGresult *res; (res = PQgetResult(m->conn)) != NULL; PQclear(res)) {
        if (st == ST_OK) st = pg_status(m->conn, res, w);
        if (st == ST_OK) on_look(m, res);
    }
    m->asked = false;
    return st;
}

enum status watermark_ask(struct watermark *m, struct why *w) {
    if (m->asked || m->next_us != 0 || clock_mono_us() < m->due_us) return ST_OK;
    if (PQsendQuery(m->conn, LOOK) != 1) return pg_status(m->conn, NULL, w);
    m->asked = true;
    m->due_us = clock_mono_us() + m->interval_us;
    return ST_OK;
}

bool watermark_reached(struct watermark *m, uint64_t confirmed_lsn) {
    if (m->next_us == 0 || confirmed_lsn < m->lsn) return false;
    m->told_us = m->next_us;
    m->next_us = 0;
    return true;
}

bool watermark_stuck(struct watermark *m) {
    if (m->next_us == 0 || clock_mono_us() < m->due_us) return false;
    m->due_us = clock_mono_us() + m->interval_us;
    measure(m);
    return true;
}
