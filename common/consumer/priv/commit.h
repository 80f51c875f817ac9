/* commit: the transactions of the consumer, on its own connection. One owner thread; the calls block.
 *
 * All of a batch is sent in one pipeline with one Sync at its end: one round trip, one implicit transaction,
 * and an error undoes all of it. No call waits longer than COMMIT_WAIT_MS: a server that does not answer
 * counts as lost. */
#pragma once

#ifndef CONSUMER_PRIV
#error "private to common/consumer"
#endif

#include "pg.h"
#include "priv/batch.h"

enum {
    COMMIT_STATEMENT_MS =
        10000,              /* statement_timeout: these take milliseconds, unless something holds a lock */
    COMMIT_WAIT_MS = 15000, /* longer than that, so that the server's own error comes first */
};

/* Opens, and prepares the statements of the batch and the consumer's own. NULL: why. */
PGconn *commit_open(const char *url, const char *service, const struct batch *b, struct why *w);

/* Whether the server has not ended it, as far as that has come through. Between the calls below. */
bool commit_connected(PGconn *conn);

/* A move of positions, made by commit_put_position. */
void commit_positions_init(struct sql_params *c);
void commit_put_position(struct sql_params *c, const char *topic, int32_t partition, int64_t expected,
                         int64_t next);

/* Moves the positions and does what the batch says (b may be NULL). ST_OK: committed. ST_LOST: not known,
 * read the positions. ST_FENCED: they were not where expected. All others: nothing was changed. */
enum status commit_batch(PGconn *conn, struct sql_params *positions, struct batch *b, struct why *w);
/* The same; what a deadlock undid is tried again at once, a few times. ST_AGAIN: after a pause, perhaps. */
enum status commit_batch_tried(PGconn *conn, struct sql_params *positions, struct batch *b, struct why *w);

/* Reads the positions of n partitions into next; those never met are inserted, at 0. */
struct commit_place {
    const char *topic;
    int32_t partition;
    int64_t next;
};
enum status commit_places(PGconn *conn, struct commit_place *places, int n, struct why *w);
