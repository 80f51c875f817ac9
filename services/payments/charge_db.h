/* charge_db: the charge worker's connection to Postgres, which is made anew after it was lost. One owner
 * thread. */
#pragma once

#include "backoff.h"
#include "pg.h"

struct charge_db {
    char *url;
    PGconn *conn; /* NULL: none now */
    struct backoff retry;
    struct why said; /* the error that was logged last */
};

void charge_db_init(struct charge_db *db, const char *url);
void charge_db_free(struct charge_db *db);
/* A statement of payments_background. ST_OK: *res is the caller's. */
enum status charge_db_run(struct charge_db *db, struct sql_params *params, PGresult **res, struct why *w);
/* Logs an error, once and not at each try. */
void charge_db_trouble(struct charge_db *db, const char *what, const struct why *w);
