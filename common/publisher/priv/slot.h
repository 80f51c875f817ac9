/* slot: the epoch of a service's event logs and their replication slot, as SQL on a connection that is the
 * caller's: that of the role that serves, but for what ends and drops slots, which takes the role that
 * replicates (`replicating`; both may be one). Blocks; one owner thread.
 *
 * The publication says which tables the slot shows, as it was when each row was written: it shows no row from
 * before its table was added, and all from then on. A new epoch begins with all tables of this version of the
 * service. A version with one more adds it later, to the epoch that is there (slot_add_table). */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "publisher.h"
#include "status.h"

#define PUBLICATION "onsale_events"

enum { SLOT_NAME = 64 }; /* Postgres's own limit */

struct slot_state {
    int64_t epoch; /* 0: never published */
    bool republished;
    int64_t since_ms;   /* unix time; by Postgres's clock */
    bool published;     /* the publication is there and holds at least one of the tables */
    bool exists;        /* the slot of this epoch is there, with all the WAL it needs */
    bool active;        /* somebody reads it */
    bool same_timeline; /* of the WAL, as when the epoch began: the server was not promoted or recovered since
                         */
};

enum status slot_read(PGconn *conn, const char *service, const struct publisher_log *logs,
                      struct slot_state *out, struct why *w);
/* What the slot will give is complete: all that the epoch did not publish yet. */
bool slot_usable(const struct slot_state *state);
void slot_name(const char *service, int64_t epoch, char out[SLOT_NAME]);

/* One replica at a time makes a new epoch. The lock is the session's: it ends with the connection. ST_AGAIN:
 * taken. */
enum status slot_lock(PGconn *conn, struct why *w);
enum status slot_unlock(PGconn *conn, struct why *w);

/* Under the lock, before the next epoch: ends the readers of older slots, and drops these. */
enum status slot_drop_all(PGconn *replicating, const char *service, struct why *w);
/* Under the lock: has the publication hold these tables and no other, then commits the next epoch, not
 * republished. The slot itself is made after that (replication_create_slot): were it made before, a crash
 * between the two would leave a slot that skips what came before it. */
enum status slot_new_epoch(PGconn *conn, const char *service, const struct publisher_log *logs,
                           struct slot_state *out, struct why *w);
enum status slot_mark_republished(PGconn *conn, int64_t epoch, struct why *w);

enum status slot_has_table(PGconn *conn, const char *table, bool *has, struct why *w);
/* Adds a table of which the epoch has published nothing. For the slot's owner alone: another one, of a
 * version that does not know the table, would pass over its rows.
 *
 * The slot will never show the rows that the table has by now. So the transaction that adds it also writes
 * these anew, as they are: the slot shows them as rows of that transaction, in the order of seq, as a new
 * epoch would. The lock keeps others from writing meanwhile, and waits for those who have: every row is
 * either one that is written anew, or of a statement that came after. All of it takes place, or nothing. */
enum status slot_add_table(PGconn *conn, const char *table, struct why *w);

/* Drops slots of other epochs, which would keep WAL that is never read. */
enum status slot_drop_others(PGconn *replicating, const char *service, int64_t epoch, struct why *w);
/* Ends what publishers that are gone left behind: their markers (marker.h) wait for a standby that is away,
 * and Postgres does not notice that nobody waits for them. For the slot's owner alone. */
enum status slot_end_waiters(PGconn *conn, struct why *w);
