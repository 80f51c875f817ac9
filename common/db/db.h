/* db: one HTTP thread's connections to Postgres. Statements are sent in batches, and no call blocks.
 *
 * db_add gives a place in the open batch of a statement; the caller fills it with put_ calls. The thread's
 * loop calls db_flush once an iteration: what was added during it is sent as one execution. While one is on
 * its way on the same connection, the batch waits and grows. So under load one round trip and one commit
 * carry hundreds of items, and at low load nobody waits. Statements that write and those that only read use
 * two connections, so a read never waits for a commit. A statement may gather items for a while
 * (sql.gather_ms); others then go before it.
 *
 * If a batch fails because of the data of an item (a constraint, a cast), it is halved and sent again until
 * that item stands alone: the other items succeed. After a serialization failure or a deadlock the batch is
 * sent again as it is. When a connection is lost, all that waits for it ends with ST_LOST at once, and so
 * does what is added before it is back; it connects again after pauses that grow. A connection whose
 * server does not answer is lost one second after the statement's timeout. An item that waits longer than
 * that timeout behind slow statements ends with ST_TIMEOUT, unsent. All calls from the owning thread. */
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
int db_in_flight(const struct db *db); /* items added and not done */
