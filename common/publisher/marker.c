#include "priv/marker.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "pg.h"
#include "priv/publisher_metrics.h"

static const int64_t LOOK_US = 1000 * 1000;
/* Whoever cancels the waits may do it again. */
static const int64_t DOUBTFUL_US = 100 * 1000;

#define SETTING "current_setting('synchronous_standby_names') <> ''"

/* An id of a transaction alone would not do: without anything written a commit waits for nobody. */
static const char MARK[] = "select (pg_logical_emit_message(true, 'onsale', '') - '0/0')::bigint, " SETTING;
static const char LOOK[] = "select 0, " SETTING;

/* Longer than any standby that is there takes. */
static const int64_t LONG_US = 5 * 1000 * 1000;

static void on_notice(void *arg, const PGresult *notice) {
    struct marker *m = arg;
    const char *severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    const char *text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    log_debug("publisher", "%s", text != NULL ? text : "a notice without a text");
    if (m->marking && severity != NULL && strcmp(severity, "WARNING") == 0) m->doubtful = true;
}

static void take_row(struct marker *m, const PGresult *res) {
    bool was = m->synchronous;
    m->synchronous = PQgetvalue(res, 0, 1)[0] == 't';
    if (m->synchronous != was)
        log_info("publisher", m->synchronous ? "events wait for the synchronous standby from now on"
                                             : "there is no synchronous standby that events wait for");
    m->due_us = clock_mono_us() + LOOK_US;
    if (!m->marking) return;
    if (m->doubtful) {
        log_warn("publisher", "the wait for the synchronous standby was cancelled: events wait for it still");
        m->due_us = clock_mono_us() + DOUBTFUL_US;
        return;
    }
    m->came = m->sent;
    m->lsn = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
}

static enum status take_all(struct marker *m, struct why *w) {
    PGresult *row = NULL;
    enum status st = ST_OK;
    for (PGresult *res; (res = PQgetResult(m->conn)) != NULL;) {
        if (st == ST_OK) st = pg_status(m->conn, res, w);
        PQclear(row);
        row = res;
    }
    if (st == ST_OK) take_row(m, row); /* after the end of the command: a warning may come last */
    PQclear(row);
    if (m->told) log_info("publisher", "the synchronous standby answers again");
    m->asked = m->marking = m->doubtful = m->told = false;
    metric_set(M_PUBLISHER_AWAITS, 0);
    return st;
}

static enum status send(struct marker *m, bool marking, struct why *w) {
    if (PQsendQuery(m->conn, marking ? MARK : LOOK) != 1) return pg_status(m->conn, NULL, w);
    m->asked = true;
    m->marking = marking;
    m->asked_us = clock_mono_us();
    if (marking) m->sent++;
    return ST_OK;
}

enum status marker_open(struct marker *m, PGconn *conn, struct why *w) {
    *m = (struct marker){.conn = conn};
    PQsetNoticeReceiver(conn, on_notice, m);
    return pg_exec(conn, w, "set synchronous_commit = on");
}

enum status marker_look(struct marker *m, struct why *w) {
    enum status st = send(m, false, w);
    return st == ST_OK ? take_all(m, w) : st;
}

static void say_how_long(struct marker *m) {
    int64_t us = clock_mono_us() - m->asked_us;
    metric_set(M_PUBLISHER_AWAITS, us / 1000000);
    if (us < LONG_US || m->told) return;
    log_warn("publisher", "events wait for the synchronous standby, which does not answer");
    m->told = true;
}

enum status marker_take(struct marker *m, struct why *w) {
    if (!m->asked) return ST_OK;
    if (!PQisBusy(m->conn)) return take_all(m, w);
    if (m->marking && m->synchronous) say_how_long(m);
    return ST_OK;
}

enum status marker_ask(struct marker *m, bool wanted, struct why *w) {
    if (m->asked) return ST_OK;
    bool due = clock_mono_us() >= m->due_us;
    bool again = m->came < m->sent; /* the last one was doubtful */
    if (wanted && (due || !again)) return send(m, true, w);
    return due ? send(m, false, w) : ST_OK;
}
