#include "priv/slot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "log.h"
#include "pg.h"

/* "onsale/p" in ASCII. */
#define LOCK_KEY "x'6f6e73616c652f70'::bigint"

#define TIMELINE "left(pg_walfile_name(pg_current_wal_lsn()), 8)"

static const char STATE[] =
    "select e.epoch, e.republished, (extract(epoch from e.since) * 1000)::bigint,"
    "       exists (select from pg_publication_tables where pubname = '" PUBLICATION "'"
    "                and tablename = any($2::text[])),"
    "       s.slot_name is not null and s.wal_status is distinct from 'lost', coalesce(s.active, false),"
    "       e.timeline = " TIMELINE "  from publisher_epoch e left join pg_replication_slots s"
    "    on s.slot_name = format('onsale_%s_%s', $1::text, e.epoch) and s.database = current_database()";

/* Slots belong to the whole cluster: those of the same service in another database are not ours. */
#define OUR_SLOTS                                                                                            \
    " from pg_replication_slots where database = current_database()"                                         \
    "  and slot_name ~ ('^onsale_' || $1::text || '_[0-9]+$')"

static const char END_READERS[] =
    "select pg_terminate_backend(active_pid, 5000)" OUR_SLOTS " and active_pid is not null";

static const char END_WAITERS[] =
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
    "   and usename = current_user and application_name = 'onsale-publisher' and wait_event = 'SyncRep'"
    "   and pid <> pg_backend_pid()";

static const char DROP_OTHERS[] =
    "select pg_drop_replication_slot(slot_name)" OUR_SLOTS
    " and active_pid is null and slot_name <> format('onsale_%s_%s', $1::text, $2::text)";

/* Never a number that was used before, see migrations/002_publisher.sql. */
static const char NEXT_EPOCH[] =
    "update publisher_epoch set republished = false, since = now(), timeline = " TIMELINE ","
    "       epoch = greatest(epoch + 1, (extract(epoch from clock_timestamp()) * 1000)::bigint)";

static const char REPUBLISHED[] = "update publisher_epoch set republished = true where epoch = $1::bigint";

static enum status run(PGconn *conn, const char *text, int n, const char *const values[], PGresult **rows,
                       struct why *w) {
    PGresult *res = PQexecParams(conn, text, n, NULL, values, NULL, NULL, 0);
    enum status st = pg_status(conn, res, w);
    if (st == ST_OK && rows != NULL) {
        *rows = res;
        return ST_OK;
    }
    PQclear(res);
    return st;
}

static bool is_true(const PGresult *res, int column) {
    return PQgetvalue(res, 0, column)[0] == 't';
}

/* The names of the tables, as an array of texts. */
static char *list_tables(const struct publisher_log *logs) {
    struct buf text = {0};
    for (int i = 0; logs[i].table != NULL; i++)
        buf_printf(&text, "%s\"%s\"", i == 0 ? "{" : ",", logs[i].table);
    buf_add(&text, "}", sizeof "}");
    return (char *)text.data;
}

enum status slot_read(PGconn *conn, const char *service, const struct publisher_log *logs,
                      struct slot_state *out, struct why *w) {
    PGresult *res;
    char *tables = list_tables(logs);
    enum status st = run(conn, STATE, 2, (const char *const[]){service, tables}, &res, w);
    free(tables);
    if (st != ST_OK) return st;
    if (PQntuples(res) != 1) {
        PQclear(res);
        return why(w, ST_FAILED, "publisher_epoch has no row: run the migrations");
    }
    *out = (struct slot_state){
        .epoch = strtoll(PQgetvalue(res, 0, 0), NULL, 10),
        .republished = is_true(res, 1),
        .since_ms = strtoll(PQgetvalue(res, 0, 2), NULL, 10),
        .published = is_true(res, 3),
        .exists = is_true(res, 4),
        .active = is_true(res, 5),
        .same_timeline = is_true(res, 6),
    };
    PQclear(res);
    return ST_OK;
}

bool slot_usable(const struct slot_state *state) {
    /* While the tables were out of the publication, rows went by that the slot will never show. On another
     * timeline, which began before positions that the topic has, new events would take these. */
    return state->exists && state->republished && state->published && state->same_timeline;
}

void slot_name(const char *service, int64_t epoch, char out[SLOT_NAME]) {
    snprintf(out, SLOT_NAME, "onsale_%s_%" PRId64, service, epoch);
}

enum status slot_lock(PGconn *conn, struct why *w) {
    PGresult *res;
    enum status st = run(conn, "select pg_try_advisory_lock(" LOCK_KEY ")", 0, NULL, &res, w);
    if (st != ST_OK) return st;
    bool taken = is_true(res, 0);
    PQclear(res);
    return taken ? ST_OK : why(w, ST_AGAIN, "another replica is making a new epoch");
}

enum status slot_unlock(PGconn *conn, struct why *w) {
    return pg_exec(conn, w, "select pg_advisory_unlock(" LOCK_KEY ")");
}

/* *is: whether the query, about a name, says so. */
static enum status ask(PGconn *conn, const char *text, const char *name, bool *is, struct why *w) {
    PGresult *res;
    enum status st = run(conn, text, 1, (const char *const[]){name}, &res, w);
    if (st != ST_OK) return st;
    *is = is_true(res, 0);
    PQclear(res);
    return ST_OK;
}

/* By functions of the tables' owner, who alone may change the publication. */
static enum status publish_tables(PGconn *conn, const struct publisher_log *logs, struct why *w) {
    char *tables = list_tables(logs);
    enum status st =
        run(conn, "select publish_tables($1::text[])", 1, (const char *const[]){tables}, NULL, w);
    free(tables);
    return st;
}

enum status slot_has_table(PGconn *conn, const char *table, bool *has, struct why *w) {
    return ask(conn,
               "select exists (select from pg_publication_tables where pubname = '" PUBLICATION
               "' and tablename = $1)",
               table, has, w);
}

/* Writers have the lock for a statement or a few, and the slot is ours for seconds without a sign of life
 * (hold.h). The commit waits for this server's disk alone: if a standby that lacks it is promoted, a new
 * epoch begins anyway. */
static const char ADD_TABLE[] = "begin; set local lock_timeout = '1s'; set local synchronous_commit = local;"
                                "lock table \"%s\" in share row exclusive mode;"
                                "select publish_table('%s');"
                                "with old as (delete from \"%s\" returning *)"
                                " insert into \"%s\" overriding system value select * from old order by seq;"
                                "commit";

enum status slot_add_table(PGconn *conn, const char *table, struct why *w) {
    char text[768];
    snprintf(text, sizeof text, ADD_TABLE, table, table, table, table);
    return pg_exec(conn, w, text);
}

enum status slot_drop_others(PGconn *replicating, const char *service, int64_t epoch, struct why *w) {
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, epoch);
    PGresult *res;
    enum status st = run(replicating, DROP_OTHERS, 2, (const char *const[]){service, number}, &res, w);
    if (st != ST_OK) return st;
    if (PQntuples(res) > 0) log_warn("publisher", "dropped %d slots of former epochs", PQntuples(res));
    PQclear(res);
    return ST_OK;
}

enum status slot_drop_all(PGconn *replicating, const char *service, struct why *w) {
    enum status st = run(replicating, END_READERS, 1, (const char *const[]){service}, NULL, w);
    return st == ST_OK ? slot_drop_others(replicating, service, 0, w) : st;
}

enum status slot_new_epoch(PGconn *conn, const char *service, const struct publisher_log *logs,
                           struct slot_state *out, struct why *w) {
    enum status st = publish_tables(conn, logs, w);
    if (st == ST_OK) st = pg_exec(conn, w, NEXT_EPOCH);
    if (st == ST_OK) st = slot_read(conn, service, logs, out, w);
    return st;
}

enum status slot_mark_republished(PGconn *conn, int64_t epoch, struct why *w) {
    char number[24];
    snprintf(number, sizeof number, "%" PRId64, epoch);
    return run(conn, REPUBLISHED, 1, (const char *const[]){number}, NULL, w);
}

enum status slot_end_waiters(PGconn *conn, struct why *w) {
    return pg_exec(conn, w, END_WAITERS);
}
