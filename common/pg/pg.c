#include "pg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

/* libpq ends its messages with a line end and may use several lines; a log line is one. */
static void one_line(char *text) {
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == '\n')
        text[--n] = '\0';
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\n') *p = ' ';
}

static enum status say(struct why *w, enum status st, const char *message) {
    why(w, st, "%s", message);
    if (w != NULL) one_line(w->text);
    return st;
}

/* libpq quotes what it cannot parse, and that may hold the password: so it is parsed first, and not quoted.
 */
bool pg_url_valid(const char *url, struct why *w) {
    PQconninfoOption *parts = PQconninfoParse(url, NULL);
    if (parts == NULL) {
        why(w, ST_FAILED,
            "the database URL is malformed; expected postgresql://user:password@host:port/database");
        return false;
    }
    PQconninfoFree(parts);
    return true;
}

/* By default libpq writes notices to stderr. */
static void notice(void *arg, const char *message) {
    (void)arg;
    log_debug("pg", "%.*s", (int)strcspn(message, "\n"), message);
}

static PGconn *connect_to(const char *url, const char *name) {
    char application[64];
    snprintf(application, sizeof application, "onsale-%s", name);
    /* The URL overrides what comes before dbname. A peer that vanished is noticed after 5 + 3×2 s of
     * silence, or after 10 s with something unacknowledged. */
    const char *const keys[] = {"connect_timeout",  "keepalives_idle",  "keepalives_interval",
                                "keepalives_count", "tcp_user_timeout", "dbname",
                                "application_name", "client_encoding",  NULL};
    const char *const values[] = {"5", "5", "2", "3", "10000", url, application, "UTF8", NULL};
    return PQconnectdbParams(keys, values, 1);
}

PGconn *pg_open(const char *url, const char *name, int statement_timeout_ms, struct why *w) {
    if (!pg_url_valid(url, w)) return NULL;
    PGconn *conn = connect_to(url, name);
    if (PQstatus(conn) != CONNECTION_OK) {
        say(w, ST_LOST, PQerrorMessage(conn));
        PQfinish(conn);
        return NULL;
    }
    PQsetNoticeProcessor(conn, notice, NULL);
    char text[64];
    snprintf(text, sizeof text, "set statement_timeout = %d", statement_timeout_ms);
    if (pg_exec(conn, w, text) != ST_OK) {
        PQfinish(conn);
        return NULL;
    }
    return conn;
}

enum status pg_prepare(PGconn *conn, const struct sql *sql, struct why *w) {
    /* The casts in the text say the types. */
    PGresult *res = PQprepare(conn, sql->name, sql->text, 0, NULL);
    struct why cause = {0};
    enum status st = pg_status(conn, res, &cause);
    PQclear(res);
    if (st != ST_OK) why(w, st, "cannot prepare %s: %.200s", sql->name, cause.text);
    return st;
}

PGconn *pg_open_prepared(const char *url, const char *name, int statement_timeout_ms,
                         const struct sql *const statements[], struct why *w) {
    PGconn *conn = pg_open(url, name, statement_timeout_ms, w);
    if (conn == NULL) return NULL;
    enum status st = pg_exec(conn, w, "select " PG_PLANNING);
    for (; st == ST_OK && *statements != NULL; statements++)
        st = pg_prepare(conn, *statements, w);
    if (st == ST_OK) return conn;
    PQfinish(conn);
    return NULL;
}

enum status pg_run(PGconn *conn, struct sql_params *params, PGresult **res, struct why *w) {
    const char *values[SQL_MAX_PARAMS];
    int lengths[SQL_MAX_PARAMS], formats[SQL_MAX_PARAMS];
    sql_params_values(params, values, lengths, formats);
    *res = PQexecPrepared(conn, params->sql->name, params->sql->nparams, values, lengths, formats, 1);
    enum status st = pg_status(conn, *res, w);
    if (st == ST_OK) return ST_OK;
    PQclear(*res);
    *res = NULL;
    return st;
}

enum status pg_exec(PGconn *conn, struct why *w, const char *text) {
    PGresult *res = PQexec(conn, text);
    enum status st = pg_status(conn, res, w);
    PQclear(res);
    return st;
}

static bool of_class(const char *state, const char *class) {
    return strncmp(state, class, 2) == 0;
}

/* The data's fault: a bad value, a broken constraint, a row touched twice by one statement, a check option, a
 * limit (such as the longest text an index takes). */
static bool data_fault(const char *state) {
    return of_class(state, "22") || of_class(state, "23") || of_class(state, "21") || of_class(state, "44") ||
           of_class(state, "54");
}

static enum status status_of(const char *state) {
    if (strcmp(state, "ON001") == 0) return ST_FENCED;
    if (strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0) return ST_AGAIN;
    if (strcmp(state, "57014") == 0 || strcmp(state, "55P03") == 0) return ST_TIMEOUT; /* statement, lock */
    if (of_class(state, "08") || strncmp(state, "57P", 3) == 0) return ST_LOST;
    /* Read-only: this server is a standby now. A new connection finds the primary. */
    if (strcmp(state, "25006") == 0) return ST_LOST;
    /* A prepared statement is gone, or its rows have other types after a migration. A new connection prepares
     * again. */
    if (strcmp(state, "26000") == 0 || strcmp(state, "0A000") == 0) return ST_LOST;
    if (data_fault(state)) return ST_INVALID;
    return ST_FAILED;
}

enum status pg_status(PGconn *conn, const PGresult *res, struct why *w) {
    ExecStatusType end = PQresultStatus(res);
    if (end != PGRES_FATAL_ERROR && end != PGRES_BAD_RESPONSE && end != PGRES_PIPELINE_ABORTED) return ST_OK;
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    if (PQstatus(conn) != CONNECTION_OK)
        return say(w, ST_LOST, res != NULL ? PQresultErrorMessage(res) : PQerrorMessage(conn));
    if (end == PGRES_PIPELINE_ABORTED) return why(w, ST_FAILED, "not run: a statement before it failed");
    if (state == NULL) return say(w, ST_FAILED, PQerrorMessage(conn));
    return say(w, status_of(state), PQresultErrorMessage(res));
}
