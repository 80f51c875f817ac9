/* db_pipeline: sends batches over one connection, in libpq's pipeline mode, takes the results, and decides
 * what an error means for the items.
 *
 * The parts of db, each of which calls and includes only what stands below it:
 *
 *     db.c                    the public calls, and the answers to waiters
 *      └─ db_pipeline.c       sends batches over a connection
 *          ├─ db_conn.c       a connection: connecting, preparing, deadlines, loss, back-off
 *          │   ├─ db_resolve.c    looking up the server's name without blocking
 *          │   └─ db_late.c       a session that did not answer in time
 *          └─ db_batch.c      items of one statement that travel together
 *
 * Calls upwards are callbacks: db_conn_events, db_pipeline_answered, db_done. (priv/db_metrics.h, the
 * table of metrics, and priv/db_input.h are for all of them.)
 *
 * A batch is in exactly one place: in its pipeline's `waiting` (where the open one of a statement grows), in
 * its pipeline's `sent`, in the db's `answered`, or spare. A pipeline only moves batches to `answered`. db.c
 * takes them from there and calls the waiters, at the end of every entry from the loop: so a waiter may add
 * and flush as it likes, as no list is being walked while it runs. All calls from the loop's thread. */
#pragma once

#ifndef DB_PRIV
#error "private to common/db"
#endif

#include "priv/db_batch.h"
#include "priv/db_conn.h"

/* The end of an event of the loop: there may be batches in `answered`. */
typedef void db_pipeline_answered(void *owner);

/* waiting and sent are empty unless the connection is ready. */
struct db_pipeline {
    struct db_conn conn;
    struct db_statement *statements; /* those that go down this connection */
    int nstatements;
    const struct sql **prepared;  /* the same, for conn */
    struct db_batch_list waiting; /* oldest first */
    struct db_batch *sent;        /* the one on its way, or NULL */
    int64_t replan_us;            /* when to have plans made anew */
    /* Set by the owner before db_pipeline_open: where answered batches go, and whom to call then. */
    struct db_batch_list *answered;
    db_pipeline_answered *on_answered;
    void *owner;
};

/* Of the statements that write, or of those that only read. options->url outlives the pipeline. */
void db_pipeline_open(struct db_pipeline *p, h2o_loop_t *loop, const struct db_options *options, bool writes);
void db_pipeline_close(struct db_pipeline *p); /* what waits is answered ST_LOST, without a callback */
void db_pipeline_free(struct db_pipeline *p);  /* when all that was answered has been released */

static inline bool db_pipeline_ready(const struct db_pipeline *p) {
    return db_conn_ready(&p->conn);
}

/* A new open batch of the statement, the last to be sent. Only while ready. */
struct db_batch *db_pipeline_begin(struct db_pipeline *p, struct db_statement *s);
/* Sends what may be sent, after acting on a deadline that is over. Once a turn of the loop. */
void db_pipeline_flush(struct db_pipeline *p);
