/* marker: up to where the log is also at the synchronous standby. On a connection that it shares; it
 * blocks in marker_open and marker_look alone. One owner thread.
 *
 * The slot shows a commit as soon as it is on this server's disk, also one that still waits for the standby,
 * and one that does not wait at all (synchronous_commit=off). If the standby is promoted before it has them,
 * they are gone. Their events must not be on the topic then. So while synchronous_standby_names is not empty,
 * an event waits until a marker that was asked for after it was committed has come back. A marker is a
 * message in the log, in a transaction of its own that waits for the standby. Postgres decides whether the
 * standby has it, also where that takes a quorum. Each marker is good for all that was committed before it.
 *
 * A wait that was cancelled ends with a warning. Such a marker does not count, and is asked for again. The
 * setting is looked at once a second: what was committed in the first second after it was set may be
 * published before the standby has it. */
#pragma once

#ifndef PUBLISHER_PRIV
#error "private to common/publisher"
#endif

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "status.h"

struct marker {
    PGconn *conn;
    bool synchronous;    /* there is a standby to wait for */
    bool asked;          /* an answer is on its way: of a marker, or of a look at the setting */
    bool marking;        /* it is a marker's */
    bool doubtful;       /* a warning came with it */
    uint64_t sent, came; /* markers */
    uint64_t lsn;        /* of the last marker that came: what was committed before it is on the disks */
    int64_t asked_us;    /* when the one on its way was, by the monotonic clock */
    bool told;           /* that it takes long */
    int64_t due_us;      /* when to look at the setting again, or when to mark again after a warning */
};

/* conn is the caller's, and its notices are the marker's from now on. */
enum status marker_open(struct marker *m, PGconn *conn, struct why *w);
/* Looks at the setting now: before the first event, as it may have been set since. The connection must be
 * free. */
enum status marker_look(struct marker *m, struct why *w);

/* Whether the event of a transaction that committed at this LSN may be published. */
static inline bool marker_covers(const struct marker *m, uint64_t lsn) {
    return !m->synchronous || lsn < m->lsn;
}

/* Takes in the answer that has come (after PQconsumeInput). ST_OK, ST_LOST, ST_FAILED. */
enum status marker_take(struct marker *m, struct why *w);
/* Asks for a marker if one is wanted, or looks at the setting when that is due. The connection must be free.
 */
enum status marker_ask(struct marker *m, bool wanted, struct why *w);
