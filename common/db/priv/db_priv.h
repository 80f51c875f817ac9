/* What the files behind db.h share, in reading order:
 *
 *     db.c          the public calls, and the answers to waiters
 *     db_batch.c    batches: items of one statement that travel together
 *     db_lane.c     a connection at work: batches out, results in, what an error means
 *     db_connect.c  a connection's life: connecting, preparing, deadlines, loss, back-off
 *     db_resolve.c  looking up the server's name without blocking
 *
 * A batch is in exactly one place: in its lane's `waiting` (where the open one of a statement grows), in its
 * lane's `sent`, in the db's `answered`, or spare. Functions of lanes only move batches to `answered`;
 * callbacks run in db_answer alone, which every entry from the loop ends with. So a callback may join and
 * flush as it likes: no list is being walked while it runs. */
#pragma once

#ifndef DB_PRIV
#error "private to common/db"
#endif

#include "db.h"

/* How much longer than the server's statement_timeout we wait for it to act. */
enum { GRACE_MS = 1000 };

struct waiter {
    db_done *done;
    void *ctx;
};

struct batch {
    struct batch *next;
    struct statement *statement;
    struct sql_params params;
    struct waiter *waiters; /* of columns' items; room for batch_items */
    int nwaiters;
    int tries;         /* times it was sent */
    int64_t opened_us; /* monotonic */
    int64_t sent_us;
    PGresult *result; /* the error, or else the rows */
    enum status answer;
};

struct batches {
    struct batch *first, *last; /* last: only while there is a first */
};

struct statement {
    const struct sql *sql;
    struct lane *lane;
    struct batch *open; /* the one that is being joined, in lane->waiting; or NULL */
    struct batch *spare;
    int nspare;
};

enum lane_state {
    LANE_CLOSED, /* for good */
    LANE_DOWN,   /* until the back-off is over */
    LANE_RESOLVING,
    LANE_CONNECTING,
    LANE_PREPARING,
    LANE_READY,
};

/* One connection. waiting and sent are empty unless it is ready. */
struct lane {
    struct db *db;
    const char *name;
    enum lane_state state;
    struct lookup *lookup;
    PGconn *conn;
    h2o_socket_t *sock;        /* over a duplicate of conn's descriptor, since h2o closes what it is given */
    struct batches waiting;    /* oldest first */
    struct batch *sent;        /* the one on its way, or NULL */
    int64_t replan_us;         /* when to have plans made anew */
    int prepared;              /* results of the prepare pipeline so far */
    h2o_timeout_t timeout;     /* of the one entry below; its duration changes with what is waited for */
    h2o_timeout_entry_t timer; /* the lane's one deadline */
    int64_t due_us;            /* when it is really over: h2o's clock may jump */
    int failures;              /* attempts to connect that failed since it was ready */
    bool was_ready;            /* ever */
    struct why reason;         /* of the last failure, logged once while it stays the same */
};

struct db {
    h2o_loop_t *loop;
    struct db_options options; /* url is ours */
    char *host;                /* the name to look up before connecting; NULL: none */
    struct statement *statements;
    int nstatements;
    struct lane lanes[2]; /* reads, writes */
    struct batches answered;
    bool answering;
    int pending;  /* items joined and not done */
    int reported; /* of these, counted in M_DB_WAITING */
};

/* --- db.c --- */
void db_answer(struct db *db); /* runs the callbacks of all that is answered */

/* --- db_batch.c --- */
void batches_append(struct batches *list, struct batch *b);
void batches_prepend(struct batches *list, struct batch *b);
struct batch *batches_take(struct batches *list); /* the first, or NULL */
/* The first that is not gathering (any more), or NULL: then *at_us is when one will be, INT64_MAX: there is
 * none. */
struct batch *batches_take_due(struct batches *list, int64_t now_us, int64_t *at_us);

/* The statement's new open batch, at the end of its lane's waiting. */
struct batch *batch_open(struct statement *s);
/* A batch of items [first, first+count) of b, in no list. */
struct batch *batch_part(const struct batch *b, int first, int count);
void batch_answer(struct batch *b, enum status st); /* moves it to `answered` */
void batch_release(struct batch *b);
void batch_destroy(struct batch *b);
/* Whether the rows keep to the contract: an `ordinal` first, ascending, within 1..items. */
bool batch_rows_valid(const struct batch *b, struct why *w);
/* The rows of item i, given those of the item before it ({0} rows before the first). */
void batch_rows_next(const struct batch *b, int item, struct rows *rows);

/* --- db_lane.c --- */
void lane_pump(struct lane *lane);    /* sends what may be sent */
void lane_collect(struct lane *lane); /* takes the results that have come */
/* The next result that has come, or NULL: none yet, or the connection broke (PQstatus tells). */
PGresult *lane_next_result(struct lane *lane);

/* --- db_connect.c --- */
void lane_open(struct lane *lane, struct db *db, const char *name);
void lane_close(struct lane *lane); /* what waits is answered ST_LOST */
/* Drops the connection: what was sent is answered `sent`, what was not ST_LOST; connects again after a while.
 */
void lane_lost(struct lane *lane, enum status sent, const char *reason);
void lane_deadline(struct lane *lane, int ms); /* 0: none; while it is ready and nothing is sent: to pump */
void lane_check_deadline(struct lane *lane);   /* by the monotonic clock; once a turn of the loop */
void lane_want_write(struct lane *lane);       /* flush again when the socket takes more */

/* --- db_resolve.c --- */
/* The host name in url that has to be looked up, to be freed; NULL: none (an address, a socket, a list that
 * libpq looks up). */
char *lookup_needed(const char *url);
/* Looks host up on a thread of its own, as getaddrinfo blocks. *fd turns readable when it is done. NULL: no
 * thread or file. */
struct lookup *lookup_start(const char *host, int *fd);
/* The addresses, and host as often, as libpq takes them: separated by commas. They live with the lookup. */
bool lookup_result(struct lookup *l, const char **hosts, const char **addresses, struct why *w);
void lookup_drop(struct lookup *l); /* at any time */
