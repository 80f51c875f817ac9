#include "priv/functions.h"

#include <stddef.h>
#include <string.h>

#include "buf.h"
#include "log.h"
#include "pg.h"

static const char TABLE[] = "create table if not exists functions ("
                            " name text primary key,"
                            " checksum text not null,"
                            " applied_at timestamptz not null default now())";

static const char SAME[] = "select from functions where name = $1::text"
                           " and checksum = encode(sha256(convert_to($2::text, 'UTF8')), 'hex')";

static const char NOTE[] =
    "insert into functions (name, checksum)"
    " values ($1::text, encode(sha256(convert_to($2::text, 'UTF8')), 'hex'))"
    " on conflict (name) do update set checksum = excluded.checksum, applied_at = now()";

/* The function itself stays in the database. But a migration may drop it later. So its row goes: an older
 * version that has the file makes it again, instead of taking it for applied. */
static const char FORGET_OTHERS[] = "delete from functions where name <> all ($1::text[])";

static enum status with_file(PGconn *conn, const char *text, const struct migrate_file *f, int *rows,
                             struct why *w) {
    PGresult *res = PQexecParams(conn, text, 2, NULL, (const char *const[]){f->name, f->text}, NULL, NULL, 0);
    enum status st = pg_status(conn, res, w);
    *rows = PQntuples(res);
    PQclear(res);
    return st;
}

/* Postgres refuses to change the result or the names of the arguments, with a hint that names DROP FUNCTION.
 */
static bool is_other_signature(const PGresult *res) {
    const char *hint = PQresultErrorField(res, PG_DIAG_MESSAGE_HINT);
    return hint != NULL && strstr(hint, "DROP FUNCTION") != NULL;
}

static enum status run(PGconn *conn, const struct migrate_file *f, struct why *w) {
    PGresult *res = PQexec(conn, f->text);
    struct why cause = {0};
    enum status st = pg_status(conn, res, &cause);
    if (st == ST_OK && PQtransactionStatus(conn) != PQTRANS_INTRANS)
        st = why(&cause, ST_FAILED, "it ends the transaction it is run in; leave out begin and commit");
    if (st != ST_OK)
        why(w, st, "functions/%s.sql: %.120s%s", f->name, cause.text,
            is_other_signature(res) ? "; the version before calls it: give the new one another name" : "");
    PQclear(res);
    return st;
}

/* Runs the files that changed. Unless applied is NULL it also writes their rows, and their names into
 * *applied. */
static enum status run_changed(PGconn *conn, const struct migrate_set *const sets[], struct buf *applied,
                               struct why *w) {
    enum status st = ST_OK;
    for (; *sets != NULL; sets++)
        for (const struct migrate_file *f = (*sets)->functions; f->name != NULL; f++) {
            int rows;
            if ((st = with_file(conn, SAME, f, &rows, w)) != ST_OK) return st;
            if (rows > 0) continue;
            if ((st = run(conn, f, w)) != ST_OK) return st;
            if (applied == NULL) continue;
            if ((st = with_file(conn, NOTE, f, &rows, w)) != ST_OK) return st;
            buf_printf(applied, " %s", f->name);
        }
    return st;
}

static enum status forget_others(PGconn *conn, const struct migrate_set *const sets[], struct why *w) {
    struct buf names = {0};
    buf_printf(&names, "{");
    for (; *sets != NULL; sets++)
        for (const struct migrate_file *f = (*sets)->functions; f->name != NULL; f++)
            buf_printf(&names, "%s\"%s\"", names.len > 1 ? "," : "", f->name);
    buf_add(&names, "}", sizeof "}");
    PGresult *res = PQexecParams(conn, FORGET_OTHERS, 1, NULL,
                                 (const char *const[]){(const char *)names.data}, NULL, NULL, 0);
    enum status st = pg_status(conn, res, w);
    PQclear(res);
    buf_free(&names);
    return st;
}

/* Twice. First without checking the bodies, because a function may call one that comes later. Then with the
 * check, when all are there. */
static enum status replace(PGconn *conn, const struct migrate_set *const sets[], struct buf *applied,
                           struct why *w) {
    enum status st = pg_exec(conn, w, "set local check_function_bodies = off");
    if (st == ST_OK) st = run_changed(conn, sets, NULL, w);
    if (st == ST_OK) st = pg_exec(conn, w, "set local check_function_bodies = on");
    if (st == ST_OK) st = run_changed(conn, sets, applied, w);
    if (st == ST_OK) st = forget_others(conn, sets, w);
    return st;
}

enum status functions_prepare(PGconn *conn, struct why *w) {
    return pg_exec(conn, w, TABLE);
}

enum status functions_apply(PGconn *conn, const struct migrate_set *const sets[], struct why *w) {
    struct buf applied = {0};
    enum status st = pg_exec(conn, w, "begin");
    if (st == ST_OK) st = replace(conn, sets, &applied, w);
    if (st == ST_OK) st = pg_exec(conn, w, "commit");
    if (st == ST_OK && applied.len > 0)
        log_info("migrate", "applied functions:%.*s", (int)applied.len, (const char *)applied.data);
    buf_free(&applied);
    return st;
}
