#include "charge_db.h"

#include <stdlib.h>

#include "log.h"
#include "mem.h"
#include "queries.h"

enum {
    STATEMENT_MS = 5000,
    FIRST_RETRY_MS = 200, /* after the database was lost */
    LAST_RETRY_MS = 2000,
};

enum status charge_db_run(struct charge_db *db, struct sql_params *params, PGresult **res, struct why *w) {
    if (db->conn != NULL && PQstatus(db->conn) != CONNECTION_OK) {
        PQfinish(db->conn);
        db->conn = NULL;
    }
    if (db->conn == NULL)
        db->conn = pg_open_prepared(db->url, "payments-charge-worker", STATEMENT_MS, payments_background, w);
    enum status st = db->conn == NULL ? ST_LOST : pg_run(db->conn, params, res, w);
    if (st == ST_OK) {
        backoff_reset(&db->retry);
        db->said = (struct why){0};
    }
    return st;
}

void charge_db_trouble(struct charge_db *db, const char *what, const struct why *w) {
    if (log_news(&db->said, w)) log_warn("charge_worker", "%s: %s", what, w->text);
}

void charge_db_init(struct charge_db *db, const char *url) {
    *db = (struct charge_db){.url = mem_strdup(url),
                             .retry = {.first_ms = FIRST_RETRY_MS, .most_ms = LAST_RETRY_MS}};
}

void charge_db_free(struct charge_db *db) {
    PQfinish(db->conn);
    free(db->url);
}
