#include "replication.h"

#include <endian.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "mem.h"
#include "pg.h"

struct replication {
    PGconn *conn;
    char *frame;        /* the bytes of the last frame, libpq's */
    uint64_t confirmed; /* the last LSN confirmed: it never goes back */
};

/* Simple queries work on a connection for logical replication. The server probes us as we probe it (see
 * pg.c), but for tcp_user_timeout: Linux also ends a connection whose reader just does not read for that
 * long, which is so while Kafka is away. */
static const char settings[] =
    "set wal_sender_timeout = '%ds'; set tcp_user_timeout = 0;"
    "set tcp_keepalives_idle = 2; set tcp_keepalives_interval = 1; set tcp_keepalives_count = 2";

static PGconn *connect_to(const char *url, const char *name) {
    char application[64], timeout_ms[16];
    snprintf(application, sizeof application, "onsale-%s", name);
    snprintf(timeout_ms, sizeof timeout_ms, "%d", REPLICATION_TIMEOUT_S * 1000);
    /* The URL overrides what comes before dbname. */
    const char *const keys[] = {
        "connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
        "dbname",          "replication",     "application_name",    "client_encoding",  NULL};
    const char *const values[] = {"5", "2", "1", "2", timeout_ms, url, "database", application, "UTF8", NULL};
    return PQconnectdbParams(keys, values, 1);
}

struct replication *replication_open(const char *url, const char *name, struct why *w) {
    PGconn *conn = connect_to(url, name);
    char text[sizeof settings + 16];
    snprintf(text, sizeof text, settings, REPLICATION_TIMEOUT_S);
    enum status st = PQstatus(conn) == CONNECTION_OK ? pg_exec(conn, w, text) : pg_status(conn, NULL, w);
    if (st != ST_OK || PQsetnonblocking(conn, 1) != 0) {
        PQfinish(conn);
        return NULL;
    }
    struct replication *r = mem_alloc(sizeof *r);
    r->conn = conn;
    return r;
}

void replication_close(struct replication *r) {
    if (r == NULL) return;
    PQfreemem(r->frame);
    PQfinish(r->conn);
    free(r);
}

enum status replication_create_slot(struct replication *r, const char *slot,
                                    char snapshot[REPLICATION_SNAPSHOT], struct why *w) {
    char text[160];
    snprintf(text, sizeof text, "CREATE_REPLICATION_SLOT \"%s\" LOGICAL pgoutput EXPORT_SNAPSHOT", slot);
    PGresult *res = PQexec(r->conn, text);
    enum status st = pg_status(r->conn, res, w);
    if (st == ST_OK) snprintf(snapshot, REPLICATION_SNAPSHOT, "%s", PQgetvalue(res, 0, 2));
    PQclear(res);
    return st;
}

static enum status status_of(PGconn *conn, const PGresult *res, struct why *w) {
    const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    enum status st = pg_status(conn, res, w);
    if (state != NULL && strcmp(state, "55006") == 0) return ST_AGAIN; /* active for another process */
    /* No such slot; or a publication that is missing from the catalog as of the WAL being read. */
    if (state != NULL && strcmp(state, "42704") == 0) return ST_NOT_FOUND;
    return st;
}

enum status replication_start(struct replication *r, const char *slot, const char *publication,
                              struct why *w) {
    char text[256];
    snprintf(
        text, sizeof text,
        "START_REPLICATION SLOT \"%s\" LOGICAL 0/0 (proto_version '1', publication_names '%s', binary 'true')",
        slot, publication);
    PGresult *res = PQexec(r->conn, text);
    enum status st = ST_OK;
    if (PQresultStatus(res) != PGRES_COPY_BOTH) st = status_of(r->conn, res, w);
    PQclear(res);
    return st;
}

int replication_socket(const struct replication *r) {
    return PQsocket(r->conn);
}

enum status replication_receive(struct replication *r, struct why *w) {
    return PQconsumeInput(r->conn) == 1 ? ST_OK : pg_status(r->conn, NULL, w);
}

/* The server has ended the stream: an error, or a shutdown. */
static enum status ended(struct replication *r, struct why *w) {
    PGresult *res = PQgetResult(r->conn);
    enum status st = PQresultStatus(res) == PGRES_FATAL_ERROR
                         ? status_of(r->conn, res, w)
                         : why(w, ST_LOST, "Postgres ended the replication stream");
    PQclear(res);
    return st;
}

enum status replication_next(struct replication *r, struct pgoutput_frame *out, struct why *w) {
    PQfreemem(r->frame);
    r->frame = NULL;
    int n = PQgetCopyData(r->conn, &r->frame, 1);
    if (n == 0) return ST_AGAIN;
    if (n < 0) return ended(r, w);
    return pgoutput_frame((const uint8_t *)r->frame, (size_t)n, out, w);
}

static void put_u64(uint8_t *to, uint64_t v) {
    v = htobe64(v);
    memcpy(to, &v, sizeof v);
}

enum status replication_confirm(struct replication *r, uint64_t lsn, struct why *w) {
    if (lsn > r->confirmed) r->confirmed = lsn;
    uint8_t update[1 + 4 * 8 + 1] = {'r'};
    put_u64(update + 1, r->confirmed);  /* written */
    put_u64(update + 9, r->confirmed);  /* flushed: what counts */
    put_u64(update + 17, r->confirmed); /* applied */
    put_u64(update + 25,
            (uint64_t)pgoutput_postgres_us(clock_wall_us())); /* pg_stat_replication.reply_time */
    /* An answer is not asked for: the socket's keepalives notice a dead peer. What the socket has no room for
     * now goes with the next update. */
    if (PQputCopyData(r->conn, (const char *)update, sizeof update) < 0 || PQflush(r->conn) < 0)
        return pg_status(r->conn, NULL, w);
    return ST_OK;
}

/* False: the time is over, or the connection is lost. The time is checked first, because the server may send
 * without end. */
static bool wait_for_input(struct replication *r, int64_t until_us) {
    return clock_ms_until(until_us) > 0 && clock_wait(PQsocket(r->conn), until_us) &&
           PQconsumeInput(r->conn) == 1;
}

/* What has not been read yet was not confirmed: the next reader gets it. */
static bool drop_rest(struct replication *r, int64_t until_us) {
    for (;;) {
        char *rest = NULL;
        int n = PQgetCopyData(r->conn, &rest, 1);
        PQfreemem(rest);
        if (n < 0) return true;
        if (n == 0 && !wait_for_input(r, until_us)) return false;
    }
}

void replication_end(struct replication *r, int timeout_ms) {
    int64_t until_us = clock_mono_us() + timeout_ms * 1000LL;
    if (replication_confirm(r, 0, NULL) != ST_OK || PQputCopyEnd(r->conn, NULL) < 0 || PQflush(r->conn) < 0)
        return;
    if (!drop_rest(r, until_us)) return;
    for (bool more = true; more;) { /* until the command has ended: the slot has been let go */
        if (PQisBusy(r->conn) && !wait_for_input(r, until_us)) return;
        if (PQisBusy(r->conn)) continue;
        PGresult *res = PQgetResult(r->conn);
        more = res != NULL;
        PQclear(res);
    }
}
