#include "migrate.h"

#include <stddef.h>
#include <string.h>

#include "log.h"
#include "pg.h"
#include "priv/functions.h"
#include "priv/grants.h"

/* Held by the session, because each file is a transaction of its own. The number is "onsale" in ASCII. */
static const char LOCK[] = "select pg_advisory_lock(x'6f6e73616c65'::bigint)";

static const char TABLE[] = "create table if not exists migrations ("
                            " name text primary key,"
                            " checksum text not null,"
                            " applied_at timestamptz not null default now())";

static const char APPLIED[] =
    "select checksum = encode(sha256(convert_to($2::text, 'UTF8')), 'hex') from migrations where name = $1::text";

static const char NOTE[] = "insert into migrations (name, checksum)"
                           " values ($1::text, encode(sha256(convert_to($2::text, 'UTF8')), 'hex'))";

static PGresult *with_file(PGconn *conn, const char *text, const struct migrate_file *m) {
    return PQexecParams(conn, text, 2, NULL, (const char *const[]){m->name, m->text}, NULL, NULL, 0);
}

/* ST_OK: applied before, as it is now. ST_NOT_FOUND: not yet. */
static enum status look_up(PGconn *conn, const struct migrate_file *m, struct why *w) {
    PGresult *res = with_file(conn, APPLIED, m);
    enum status st = pg_status(conn, res, w);
    if (st == ST_OK && PQntuples(res) == 0)
        st = ST_NOT_FOUND;
    else if (st == ST_OK && strcmp(PQgetvalue(res, 0, 0), "t") != 0)
        st = why(
            w, ST_FAILED,
            "migration %s was changed after it was applied here: restore the file, and put the change in a new one",
            m->name);
    PQclear(res);
    return st;
}

static enum status note(PGconn *conn, const struct migrate_file *m, struct why *w) {
    PGresult *res = with_file(conn, NOTE, m);
    enum status st = pg_status(conn, res, w);
    PQclear(res);
    return st;
}

static enum status apply(PGconn *conn, const struct migrate_file *m, struct why *w) {
    struct why cause = {0};
    enum status st = pg_exec(conn, &cause, "begin");
    if (st == ST_OK) st = pg_exec(conn, &cause, m->text);
    if (st == ST_OK && PQtransactionStatus(conn) != PQTRANS_INTRANS)
        st = why(&cause, ST_FAILED, "it ends the transaction it is run in; leave out begin and commit");
    if (st == ST_OK) st = note(conn, m, &cause);
    if (st == ST_OK) st = pg_exec(conn, &cause, "commit");
    if (st != ST_OK) return why(w, st, "migration %s: %.200s", m->name, cause.text);
    log_info("migrate", "applied %s", m->name);
    return ST_OK;
}

static enum status apply_missing(PGconn *conn, const struct migrate_file *m, struct why *w) {
    for (; m->name != NULL; m++) {
        enum status st = look_up(conn, m, w);
        if (st == ST_NOT_FOUND) st = apply(conn, m, w);
        if (st != ST_OK) return st;
    }
    return ST_OK;
}

enum status migrate(const char *url, const char *serving_url, const struct migrate_set *const sets[],
                    struct why *w) {
    PGconn *conn = pg_open(url, "migrate", 0, w);
    if (conn == NULL) return ST_LOST;
    enum status st = pg_exec(conn, w, LOCK);
    if (st == ST_OK) st = pg_exec(conn, w, TABLE);
    if (st == ST_OK) st = functions_prepare(conn, w);
    for (int i = 0; st == ST_OK && sets[i] != NULL; i++)
        st = apply_missing(conn, sets[i]->migrations, w);
    /* Before the functions: a process that runs calls a new one at once, which may use a new table. */
    if (st == ST_OK && serving_url != NULL) st = grants_give(conn, serving_url, w);
    if (st == ST_OK) st = functions_apply(conn, sets, w);
    PQfinish(conn); /* rolls back what is open, and gives the lock back */
    return st;
}
