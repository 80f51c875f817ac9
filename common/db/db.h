/* db: one HTTP thread's way to Postgres. Batched statements, never blocking.
 *
 * db_add gives a place in the open batch of a statement; the caller fills it with put_ calls. The thread's
 * loop calls db_flush once an iteration: what was joined during it goes out as one execution, unless one is
 * on its way: then it waits and grows, so under load one round trip and one commit carry hundreds of items,
 * and at low load nobody waits. Statements that write and those that only read go down two connections, so a
 * read never waits for a commit. A statement whose askers are in no hurry gathers items for a while
 * (sql.gather_ms), and others go before it.
 *
 * If a batch fails by the data of an item (a constraint, a cast), it is cut in halves and sent again until
 * the culprit stands alone: a neighbour's bad luck is never ours. Serialization failures and deadlocks are
 * sent again as they are. A lost connection ends every waiter with ST_LOST at once and reconnects with
 * back-off; what is joined meanwhile fails with ST_LOST, at once. A server that falls silent is given up a
 * second after it should have cut the statement off; what waits longer than a statement may take, because
 * others before it did, is answered ST_TIMEOUT unsent. All calls from the owning thread. */
#pragma once

#include <h2o.h>

#include "sql.h"

struct db;

struct db_options {
    const char *url;
    const struct sql *const *statements; /* NULL-terminated; prepared on connecting */
    int statement_timeout_ms;
    int queue_items; /* most items waiting or on their way; more are refused with ST_FULL */
    int batch_items; /* most items of one execution */
};

/* st is ST_OK (rows: this item's, count may be 0), ST_LOST, ST_TIMEOUT or ST_FAILED (rows is NULL). */
typedef void db_done(void *ctx, enum status st, const struct rows *rows);

struct db *db_open(const struct db_options *options, h2o_loop_t *loop); /* connects in the background */
void db_free(struct db *db); /* ends every waiter with ST_LOST; not from within an answer */

/* The open batch to put this item's values into, or NULL with *st = ST_FULL or ST_LOST. All parameters must
 * be put before the next db_add. done is called once, later, never from within db_add. */
struct sql_params *db_add(struct db *db, const struct sql *sql, db_done *done, void *ctx, enum status *st);
void db_flush(struct db *db);

bool db_ready(const struct db *db);    /* both connections up and prepared */
int db_in_flight(const struct db *db); /* items joined and not done */
