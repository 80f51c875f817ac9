#include "priv/grants.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mem.h"
#include "pg.h"

/* A login may act as another role (alter role ... set role): that one counts. */
static const char WHO[] = "select current_user, current_schema()";

/* %1$I: to whom; %2$I: the schema. Sequences are those of identity columns, too. Functions are everybody's,
 * but for some that take this back (`revoke`), of which new ones are made after this. */
static const char GIVE[] = "begin;"
                           "grant usage on schema %2$I to %1$I;"
                           "grant select, insert, update, delete on all tables in schema %2$I to %1$I;"
                           "grant usage, select on all sequences in schema %2$I to %1$I;"
                           "grant execute on all functions in schema %2$I to %1$I;"
                           "alter default privileges in schema %2$I grant execute on functions to %1$I;"
                           "revoke insert, update, delete on %2$I.migrations, %2$I.functions from %1$I;"
                           "commit";

struct who {
    char *role, *schema;
};

static void who_free(struct who *who) {
    free(who->role);
    free(who->schema);
}

static enum status ask(PGconn *conn, struct who *who, struct why *w) {
    PGresult *res = PQexec(conn, WHO);
    enum status st = pg_status(conn, res, w);
    if (st == ST_OK)
        *who = (struct who){mem_strdup(PQgetvalue(res, 0, 0)), mem_strdup(PQgetvalue(res, 0, 1))};
    PQclear(res);
    return st;
}

static enum status ask_serving(const char *url, struct who *who, struct why *w) {
    PGconn *conn = pg_open(url, "migrate", 0, w);
    if (conn == NULL) return ST_LOST;
    enum status st = ask(conn, who, w);
    PQfinish(conn);
    return st;
}

static enum status give(PGconn *conn, const struct who *who, struct why *w) {
    const char *const values[] = {GIVE, who->role, who->schema};
    PGresult *res =
        PQexecParams(conn, "select format($1, $2::text, $3::text)", 3, NULL, values, NULL, NULL, 0);
    enum status st = pg_status(conn, res, w);
    if (st == ST_OK) st = pg_exec(conn, w, PQgetvalue(res, 0, 0));
    PQclear(res);
    if (st == ST_OK) log_info("migrate", "%s may read and write the tables, and nothing else", who->role);
    return st;
}

enum status grants_give(PGconn *conn, const char *serving_url, struct why *w) {
    struct who owner = {0}, serving = {0};
    enum status st = ask(conn, &owner, w);
    if (st == ST_OK) st = ask_serving(serving_url, &serving, w);
    if (st == ST_OK && strcmp(owner.role, serving.role) != 0)
        st = give(conn, &(struct who){serving.role, owner.schema}, w);
    who_free(&owner);
    who_free(&serving);
    return st;
}
