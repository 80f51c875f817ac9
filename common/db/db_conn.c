#include "priv/db_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "pg.h"
#include "priv/db_input.h"
#include "priv/db_metrics.h"
#include "priv/db_resolve.h"

/* For connecting and preparing together: a healthy server takes some 10 ms, one under recovery answers at
 * once. */
enum { CONNECT_MS = 5000 };
/* A restarted Postgres is back within a second, so the first tries come soon. */
enum { BACKOFF_MS = 50, BACKOFF_MAX_MS = 2000 };
/* How much longer than the server's own statement_timeout to wait. The server ends the statement first,
 * unless it or the network is gone. */
enum { GRACE_MS = 1000 };

/* --- the timer and the socket --- */

static void set_deadline(struct db_conn *c, int64_t at_us) {
    h2o_compat_timer_stop(&c->timer);
    c->due_us = at_us;
    h2o_compat_timers_set(&c->timers, (uint64_t)clock_ms_until(at_us));
    h2o_compat_timer_start(&c->timers, &c->timer);
}

static void close_socket(struct db_conn *c) {
    if (c->sock != NULL) h2o_socket_close(c->sock);
    c->sock = NULL;
}

static bool wrap_socket(struct db_conn *c, int of) {
    close_socket(c);
    int fd = fcntl(of, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return false;
    c->sock = h2o_evloop_socket_create(c->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    c->sock->data = c;
    return true;
}

/* --- loss --- */

/* libpq's messages end in a newline, and may go on with hints in further lines. */
static struct why first_line(const char *message) {
    struct why w;
    why(&w, ST_LOST, "%.*s", (int)strcspn(message, "\n"), message);
    return w;
}

static void disconnect(struct db_conn *c) {
    h2o_compat_timer_stop(&c->timer);
    close_socket(c);
    if (c->lookup != NULL) db_resolve_drop(c->lookup);
    c->lookup = NULL;
    PQfinish(c->pg);
    c->pg = NULL;
}

static void say(struct db_conn *c, const char *reason) {
    struct why now = first_line(reason);
    if (log_news(&c->said, &now))
        log_warn("db", "%s connection: %s; trying again", c->options.name, now.text);
}

static void try_later(struct db_conn *c) {
    c->state = DB_CONN_DOWN;
    backoff_fail(&c->backoff);
    set_deadline(c, c->backoff.until_us);
}

void db_conn_lose(struct db_conn *c, const char *reason) {
    say(c, reason); /* before PQfinish, which may end the text */
    disconnect(c);
    try_later(c);
}

/* Found out in this file, so the owner has to be told. */
static void lost(struct db_conn *c, enum status st, const char *reason) {
    bool was_ready = db_conn_ready(c);
    db_conn_lose(c, reason);
    if (was_ready) c->events->lost(c->owner, st);
}

/* --- out and in --- */

static void on_writable(h2o_socket_t *sock, const char *err) {
    (void)err; /* libpq gets the same error, with a better text */
    struct db_conn *c = sock->data;
    if (!db_conn_flush(c)) lost(c, ST_LOST, PQerrorMessage(c->pg));
}

bool db_conn_flush(struct db_conn *c) {
    int left = PQflush(c->pg);
    if (left > 0 && !h2o_socket_is_writing(c->sock)) h2o_socket_notify_write(c->sock, on_writable);
    return left >= 0;
}

PGresult *db_conn_next_result(struct db_conn *c) {
    return db_input_next(c->pg);
}

/* --- late sessions --- */

static struct db_late *spare_place(struct db_conn *c) {
    for (int i = 0; i < DB_CONN_LATE; i++)
        if (c->late[i].pg == NULL) return &c->late[i];
    return NULL;
}

static void drop_late(struct db_conn *c) {
    for (int i = 0; i < DB_CONN_LATE; i++)
        db_late_drop(&c->late[i]);
}

/* When there are as many as may be, a connection is of use only if it leads to another server, such as a
 * standby that was promoted: asks whether they are gone. */
static int write_are_gone(const struct db_conn *c, char *text, size_t size) {
    return snprintf(text, size,
                    ", not exists (select from pg_stat_activity where pid in (%d, %d)"
                    " and application_name = current_setting('application_name'))",
                    PQbackendPID(c->late[0].pg), PQbackendPID(c->late[1].pg));
}
_Static_assert(DB_CONN_LATE == 2, "as many as are asked for");

/* The last column of the session's first result. */
static bool are_gone(struct db_conn *c, const PGresult *r) {
    if (spare_place(c) != NULL) return true;
    int last = PQnfields(r) - 1;
    if (!c->asked_late || PQgetvalue(r, 0, last)[0] != 't') return false;
    drop_late(c);
    return true;
}

/* --- preparing --- */

static bool send_prepare(struct db_conn *c) {
    char settings[768];
    int n = snprintf(settings, sizeof settings,
                     "select set_config('statement_timeout', '%d', false), " PG_PLANNING,
                     c->options.statement_timeout_ms);
    c->asked_late = spare_place(c) == NULL;
    if (c->asked_late) write_are_gone(c, settings + n, sizeof settings - (size_t)n);
    if (PQsendQueryParams(c->pg, settings, 0, NULL, NULL, NULL, NULL, 0) == 0) return false;
    for (const struct sql *const *s = c->options.statements; *s != NULL; s++)
        if (PQsendPrepare(c->pg, (*s)->name, (*s)->text, 0, NULL) == 0) return false;
    return PQpipelineSync(c->pg) == 1;
}

static const char *being_prepared(const struct db_conn *c) {
    for (int i = 0; c->options.statements[i] != NULL; i++)
        if (i + 1 == c->prepared) return c->options.statements[i]->name;
    return "the session";
}

static void refused(struct db_conn *c, const PGresult *r) {
    struct why cause, reason;
    pg_status(c->pg, r, &cause);
    why(&reason, ST_FAILED, "cannot prepare %s: %.180s", being_prepared(c), cause.text);
    db_conn_lose(c, reason.text);
}

static void become_ready(struct db_conn *c) {
    h2o_compat_timer_stop(&c->timer);
    c->state = DB_CONN_READY;
    if (c->was_ready) {
        metric_add(M_DB_RECONNECTS, 1);
        log_info("db", "%s connection: back", c->options.name);
    }
    c->was_ready = true;
    backoff_reset(&c->backoff);
    c->said.text[0] = '\0';
}

/* What the set_config call and the statements answer; the first error is the reason to give this
 * connection up: most likely the migrations have not run yet, so it is tried again as after any loss. */
static void collect_prepared(struct db_conn *c) {
    for (PGresult *r; c->state == DB_CONN_PREPARING && (r = db_conn_next_result(c)) != NULL; PQclear(r)) {
        switch (PQresultStatus(r)) {
        case PGRES_TUPLES_OK: /* of the settings */
            c->prepared++;
            if (!are_gone(c, r)) db_conn_lose(c, "as many sessions as may be wait for their commits");
            break;
        case PGRES_COMMAND_OK:
            c->prepared++;
            break;
        case PGRES_PIPELINE_SYNC:
            become_ready(c);
            break;
        default:
            refused(c, r);
        }
    }
    if (c->state == DB_CONN_PREPARING && PQstatus(c->pg) == CONNECTION_BAD)
        db_conn_lose(c, PQerrorMessage(c->pg));
}

static void on_readable(h2o_socket_t *sock, const char *err) {
    (void)err;
    struct db_conn *c = sock->data;
    if (!db_input(c->pg)) {
        lost(c, ST_LOST, PQerrorMessage(c->pg));
    } else if (c->state == DB_CONN_PREPARING) {
        collect_prepared(c);
    } else {
        c->events->readable(c->owner);
    }
}

/* --- connecting --- */

static void connected(struct db_conn *c) {
    c->state = DB_CONN_PREPARING;
    c->prepared = 0;
    if (PQsetnonblocking(c->pg, 1) != 0 || PQenterPipelineMode(c->pg) == 0 ||
        !wrap_socket(c, PQsocket(c->pg)) || !send_prepare(c) || !db_conn_flush(c)) {
        db_conn_lose(c, PQerrorMessage(c->pg));
        return;
    }
    h2o_socket_read_start(c->sock, on_readable);
}

static void on_connecting(h2o_socket_t *sock, const char *err);

/* libpq may have gone on to another socket since the last step (a second address, no TLS), even under the
 * same number: so each step wraps anew. */
static void await(struct db_conn *c, PostgresPollingStatusType what) {
    if (what == PGRES_POLLING_OK) {
        connected(c);
    } else if (what == PGRES_POLLING_FAILED || !wrap_socket(c, PQsocket(c->pg))) {
        db_conn_lose(c, PQerrorMessage(c->pg));
    } else if (what == PGRES_POLLING_READING) {
        h2o_socket_read_start(c->sock, on_connecting);
    } else {
        h2o_socket_notify_write(c->sock, on_connecting);
    }
}

static void on_connecting(h2o_socket_t *sock, const char *err) {
    (void)err;
    struct db_conn *c = sock->data;
    await(c, PQconnectPoll(c->pg));
}

/* A server's notice, such as the reason why it is about to close an idle connection. */
static void on_notice(void *arg, const char *message) {
    const struct db_conn *c = arg;
    log_info("db", "%s connection: %s", c->options.name, first_line(message).text);
}

/* hosts and addresses: of the URL's host name, looked up; NULL when there was nothing to look up. */
static void start_connecting(struct db_conn *c, const char *hosts, const char *addresses) {
    char application[64], user_timeout[16];
    snprintf(application, sizeof application, "onsale-%s-%s", program_invocation_short_name, c->options.name);
    snprintf(user_timeout, sizeof user_timeout, "%d", c->options.statement_timeout_ms + GRACE_MS);
    /* The URL overrides what comes before dbname. NULL values count as not given. */
    const char *const keys[] = {"application_name",
                                "keepalives_idle",
                                "keepalives_interval",
                                "keepalives_count",
                                "tcp_user_timeout",
                                "client_encoding",
                                "dbname",
                                "host",
                                "hostaddr",
                                NULL};
    const char *const values[] = {application,    "5",   "2",       "3", user_timeout, "UTF8",
                                  c->options.url, hosts, addresses, NULL};
    c->state = DB_CONN_CONNECTING;
    c->pg = PQconnectStartParams(keys, values, 1);
    if (c->pg == NULL) abort();
    PQsetNoticeProcessor(c->pg, on_notice, c);
    set_deadline(c, clock_mono_us() + CONNECT_MS * INT64_C(1000));
    await(c, PQstatus(c->pg) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING);
}

static void on_resolved(h2o_socket_t *sock, const char *err) {
    (void)err;
    struct db_conn *c = sock->data;
    struct db_resolve *lookup = c->lookup;
    const char *hosts, *addresses;
    struct why w;
    c->lookup = NULL;
    close_socket(c);
    if (db_resolve_result(lookup, &hosts, &addresses, &w)) {
        start_connecting(c, hosts, addresses);
    } else {
        db_conn_lose(c, w.text);
    }
    db_resolve_drop(lookup);
}

/* Without a deadline: getaddrinfo ends by itself, and another thread would not find out sooner. */
static void resolve(struct db_conn *c) {
    int fd;
    c->state = DB_CONN_RESOLVING;
    c->lookup = db_resolve_start(c->host, &fd);
    if (c->lookup == NULL || !wrap_socket(c, fd)) {
        db_conn_lose(c, "cannot look up its host: out of threads or files");
        return;
    }
    h2o_socket_read_start(c->sock, on_resolved);
}

static void begin(struct db_conn *c) {
    struct why w;
    if (!pg_url_valid(c->options.url, &w)) {
        db_conn_lose(c, w.text);
    } else if (c->host != NULL) {
        resolve(c);
    } else {
        start_connecting(c, NULL, NULL);
    }
}

/* --- the one deadline --- */

/* What was sent is with the server, and may still take effect: so the session is kept. Another one takes its
 * place, as one that stands still by itself is to hold up nobody. */
static void keep_late(struct db_conn *c) {
    say(c, "Postgres stopped answering");
    db_late_keep(spare_place(c), c->pg, c->sock);
    c->pg = NULL;
    c->sock = NULL;
    try_later(c);
    c->events->lost(c->owner, ST_TIMEOUT);
}

static void stalled(struct db_conn *c) {
    if (db_conn_ready(c) && PQflush(c->pg) == 0 && !h2o_socket_is_writing(c->sock)) {
        keep_late(c);
    } else if (db_conn_ready(c)) {
        lost(c, ST_TIMEOUT, "Postgres stopped answering");
    } else {
        db_conn_lose(c, "Postgres did not answer in time while connecting");
    }
}

static void on_deadline(h2o_compat_timer *entry) {
    struct db_conn *c = H2O_STRUCT_FROM_MEMBER(struct db_conn, timer, entry);
    /* h2o counts whole milliseconds of the wall clock. More than one left: that was set forward. */
    if (clock_ms_until(c->due_us) > 1) {
        set_deadline(c, c->due_us);
    } else if (c->state == DB_CONN_DOWN) {
        begin(c);
    } else if (db_conn_ready(c) && !c->result_due) {
        c->events->due(c->owner);
    } else {
        stalled(c);
    }
}

void db_conn_check_deadline(struct db_conn *c) {
    if (!h2o_compat_timer_runs(&c->timer) || clock_mono_us() < c->due_us) return;
    h2o_compat_timer_stop(&c->timer); /* the wall clock was set back, so h2o would let it wait */
    on_deadline(&c->timer);
}

void db_conn_expect_result(struct db_conn *c) {
    c->result_due = true;
    set_deadline(c, clock_mono_us() + (c->options.statement_timeout_ms + GRACE_MS) * INT64_C(1000));
}

void db_conn_wake_at(struct db_conn *c, int64_t at_us) {
    c->result_due = false;
    set_deadline(c, at_us);
}

void db_conn_expect_nothing(struct db_conn *c) {
    h2o_compat_timer_stop(&c->timer);
}

/* --- open and close --- */

void db_conn_open(struct db_conn *c, h2o_loop_t *loop, const struct db_conn_options *options,
                  const struct db_conn_events *events, void *owner) {
    *c = (struct db_conn){.loop = loop,
                          .options = *options,
                          .events = events,
                          .owner = owner,
                          .host = db_resolve_needed(options->url),
                          .timer = {.cb = on_deadline},
                          .backoff = {.first_ms = BACKOFF_MS, .most_ms = BACKOFF_MAX_MS}};
    h2o_compat_timers_init(&c->timers, loop, CONNECT_MS);
    begin(c);
}

void db_conn_close(struct db_conn *c) {
    disconnect(c);
    drop_late(c);
    c->state = DB_CONN_CLOSED;
    h2o_compat_timers_dispose(&c->timers);
    free(c->host);
}
