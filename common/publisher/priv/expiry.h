/* expiry: deletes events from the log when they are older than the retention, in small steps, on a connection
 * that it shares; it never blocks. One owner thread.
 *
 * No event is deleted before it is published. A step first chooses rows, by a query that also says how far
 * the WAL had been written, L, while it ran. A row that its snapshot shows was committed before, so its
 * commit record ends at or before L. When the publisher has confirmed L, all transactions up to there are
 * acknowledged by Kafka; only then are the chosen rows deleted, by their `seq`. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "status.h"

struct expiry {
    PGconn *conn;
    const char *table;
    const char *time_column;
    int64_t retention_ms;
    int64_t due_us; /* when to choose again, by the monotonic clock */
    bool asked;     /* an answer is on its way */
    bool full;      /* as many rows as a step takes: there may be more */
    char *chosen;   /* an array of the rows' numbers, or NULL */
    uint64_t written_lsn;
};

/* retention_ms 0: events are kept for ever. */
void expiry_init(struct expiry *e, PGconn *conn, const char *table, const char *time_column,
                 int64_t retention_ms);
void expiry_free(struct expiry *e);

/* Takes in the answer that has come (after PQconsumeInput). ST_OK, ST_LOST, ST_FAILED. */
enum status expiry_take(struct expiry *e, uint64_t confirmed_lsn, struct why *w);
/* Asks for what is next, if it is due or confirmed. The connection must be free. ST_OK, ST_LOST. */
enum status expiry_ask(struct expiry *e, uint64_t confirmed_lsn, struct why *w);
