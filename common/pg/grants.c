#include "priv/grants.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "log.h"
#include "mem.h"
#include "pg.h"

/* Names as SQL has them. A login may act as another role (alter role ... set role): that one counts. */
static const char WHO[] = "select quote_ident(current_user), quote_ident(current_schema())";

/* $ROLE and $SCHEMA stand for themselves. Sequences are those of identity columns, too. */
static const char GIVE[] =
    "begin;"
    "grant usage on schema $SCHEMA to $ROLE;"
    "grant select, insert, update, delete on all tables in schema $SCHEMA to $ROLE;"
    "grant usage, select on all sequences in schema $SCHEMA to $ROLE;"
    "revoke insert, update, delete on $SCHEMA.migrations, $SCHEMA.functions from $ROLE;"
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

static void fill(struct buf *out, const char *text, const struct who *who) {
    while (*text != '\0') {
        size_t plain = strcspn(text, "$");
        buf_add(out, text, plain);
        text += plain;
        const char *name = strncmp(text, "$ROLE", 5) == 0 ? who->role : who->schema;
        if (*text == '\0') break;
        buf_add(out, name, strlen(name));
        text += name == who->role ? sizeof "$ROLE" - 1 : sizeof "$SCHEMA" - 1;
    }
    buf_add(out, "", 1);
}

static enum status give(PGconn *conn, const struct who *who, struct why *w) {
    struct buf text = {0};
    fill(&text, GIVE, who);
    enum status st = pg_exec(conn, w, (const char *)text.data);
    buf_free(&text);
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
