/* db_conn: one connection to Postgres on an h2o loop. It looks up the server, connects, prepares the
 * statements, and connects again, after a pause, when it is lost. It never blocks.
 *
 * While it is ready, the owner sends by libpq's calls on `pg`, flushes, and takes the results when `readable`
 * is called. When the connection breaks, either the owner finds out and calls db_conn_lose, or this file
 * finds out and calls `lost`. The callbacks are called while it is ready, from the loop or from
 * db_conn_check_deadline, and never from another call. All calls from the loop's thread. */
#pragma once

#ifndef DB_PRIV
#error "private to common/db"
#endif

#include "backoff.h"
#include "h2o_compat.h"
#include "priv/db_late.h"
#include "sql.h"

struct db_conn_options { /* all of it outlives the connection */
    const char *name;    /* for the log, and in the application's name */
    const char *url;
    const struct sql *const *statements; /* NULL-terminated; prepared on connecting */
    int statement_timeout_ms;
};

struct db_conn_events {
    void (*readable)(void *owner);             /* input has come: take the results */
    void (*due)(void *owner);                  /* the moment given to db_conn_wake_at has come */
    void (*lost)(void *owner, enum status st); /* ST_TIMEOUT: no result in time; otherwise ST_LOST */
};

enum db_conn_state {
    DB_CONN_CLOSED, /* for good */
    DB_CONN_DOWN,   /* until the pause is over */
    DB_CONN_RESOLVING,
    DB_CONN_CONNECTING,
    DB_CONN_PREPARING,
    DB_CONN_READY,
};

/* Sessions that did not answer in time and live on (db_late.h): at most so many, and then none besides on the
 * same server. */
enum { DB_CONN_LATE = 2 };

struct db_conn {
    enum db_conn_state state;
    PGconn *pg; /* in pipeline mode while ready */
    const struct db_conn_events *events;
    void *owner;
    struct db_conn_options options;
    h2o_loop_t *loop;
    char *host; /* the name to look up before connecting; NULL: none */
    struct db_resolve *lookup;
    struct db_late late[DB_CONN_LATE];
    bool asked_late;    /* the session being prepared was asked whether they are gone */
    h2o_socket_t *sock; /* over a duplicate of pg's descriptor, since h2o closes what it is given */
    int prepared;       /* results of the prepare pipeline so far */
    struct h2o_compat_timers timers; /* the one below; how long it lasts changes with what is waited for */
    h2o_compat_timer timer;          /* the one deadline */
    int64_t due_us;                  /* when it is really over: h2o's clock may jump */
    bool result_due;                 /* while ready: the deadline is a result's, not the owner's wake-up */
    bool was_ready;                  /* ever */
    struct backoff backoff;
    struct why said; /* the last reason that was logged */
};

void db_conn_open(struct db_conn *c, h2o_loop_t *loop, const struct db_conn_options *options,
                  const struct db_conn_events *events, void *owner); /* connects in the background */
void db_conn_close(struct db_conn *c);                               /* for good */

static inline bool db_conn_ready(const struct db_conn *c) {
    return c->state == DB_CONN_READY;
}

/* Sends what libpq holds, the rest when the socket takes more. False: it is broken. */
bool db_conn_flush(struct db_conn *c);
/* The next result that has come, or NULL: none yet, or it is broken (PQstatus tells). */
PGresult *db_conn_next_result(struct db_conn *c);
/* Drops the connection without a callback, and connects again after a pause. The reason may be pg's. */
void db_conn_lose(struct db_conn *c, const char *reason);

/* A ready connection has one deadline at most: each of these replaces the one before. */
void db_conn_expect_result(
    struct db_conn *c); /* if none comes, it is lost a second after the server's own limit */
void db_conn_wake_at(struct db_conn *c, int64_t at_us);
void db_conn_expect_nothing(struct db_conn *c);
/* Acts on a deadline that is over by the monotonic clock. To be called once a turn of the loop. */
void db_conn_check_deadline(struct db_conn *c);
