/* slot: the epoch of a service's event log and its replication slot, as SQL on one connection, which is the
 * caller's. Blocks; one owner thread. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "status.h"

#define PUBLICATION "onsale_events"

enum { SLOT_NAME = 64 }; /* Postgres's own limit */

struct slot_state {
    int64_t epoch; /* 0: never published */
    bool republished;
    int64_t since_ms;   /* unix time; by Postgres's clock */
    bool published;     /* the publication is there and holds the table */
    bool exists;        /* the slot of this epoch is there, with all the WAL it needs */
    bool active;        /* somebody reads it */
    bool same_timeline; /* of the WAL, as when the epoch began: the server was not promoted or recovered since
                         */
};

enum status slot_read(PGconn *conn, const char *service, const char *table, struct slot_state *out,
                      struct why *w);
/* What the slot will give is complete: all that the epoch did not publish yet. */
bool slot_usable(const struct slot_state *state);
void slot_name(const char *service, int64_t epoch, char out[SLOT_NAME]);

/* One replica at a time makes a new epoch. The lock is the session's: it ends with the connection. ST_AGAIN:
 * taken. */
enum status slot_lock(PGconn *conn, struct why *w);
enum status slot_unlock(PGconn *conn, struct why *w);

/* Under the lock: ends the readers of older slots, drops these, makes the publication, then commits the next
 * epoch, not republished. The slot itself is made after that (replication_create_slot): were it made before,
 * a crash between the two would leave a slot that skips what came before it. */
enum status slot_new_epoch(PGconn *conn, const char *service, const char *table, struct slot_state *out,
                           struct why *w);
enum status slot_mark_republished(PGconn *conn, int64_t epoch, struct why *w);
/* Drops slots of other epochs, which would keep WAL that is never read. */
enum status slot_drop_others(PGconn *conn, const char *service, int64_t epoch, struct why *w);
/* Ends what publishers that are gone left behind: their markers (marker.h) wait for a standby that is away,
 * and Postgres does not notice that nobody waits for them. For the slot's owner alone. */
enum status slot_end_waiters(PGconn *conn, struct why *w);
