#include "priv/db_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "clock.h"
#include "log.h"
#include "pg.h"
#include "priv/db_metrics.h"

/* For connecting and preparing together: a healthy server takes some 10 ms, one under recovery answers at
 * once. */
enum { CONNECT_MS = 5000 };
/* A restarted Postgres is back within a second, so the first tries come soon. */
enum { BACKOFF_MS = 50, BACKOFF_MAX_MS = 2000 };

static void connect_lane(struct lane *lane);

/* --- the lane's one deadline --- */

void lane_deadline(struct lane *lane, int ms) {
    h2o_timeout_unlink(&lane->timer);
    if (ms == 0) return;
    lane->timeout.timeout = (uint64_t)ms; /* its list holds this one entry, so its duration may change */
    lane->due_us = clock_mono_us() + (int64_t)ms * 1000;
    h2o_timeout_link(lane->db->loop, &lane->timeout, &lane->timer);
}

static void stalled(struct lane *lane) {
    if (lane->state == LANE_READY) {
        lane_lost(lane, ST_TIMEOUT, "Postgres stopped answering");
    } else {
        lane_lost(lane, ST_LOST, "Postgres did not answer in time while connecting");
    }
}

static void on_deadline(h2o_timeout_entry_t *entry) {
    struct lane *lane = H2O_STRUCT_FROM_MEMBER(struct lane, timer, entry);
    int64_t left_us = lane->due_us - clock_mono_us();
    if (left_us >= 2000) { /* the wall clock, which h2o goes by, was set forward */
        lane_deadline(lane, (int)(left_us / 1000));
        return;
    }
    if (lane->state == LANE_DOWN) {
        connect_lane(lane);
    } else if (lane->state == LANE_READY && lane->sent == NULL) {
        lane_pump(lane);
    } else {
        stalled(lane);
    }
    db_answer(lane->db);
}

void lane_check_deadline(struct lane *lane) {
    if (!h2o_timeout_is_linked(&lane->timer) || clock_mono_us() < lane->due_us) return;
    h2o_timeout_unlink(&lane->timer); /* the wall clock was set back, so h2o would let it wait */
    on_deadline(&lane->timer);
}

/* --- the socket --- */

static void close_socket(struct lane *lane) {
    if (lane->sock != NULL) h2o_socket_close(lane->sock);
    lane->sock = NULL;
}

static bool wrap_socket(struct lane *lane, int of) {
    close_socket(lane);
    int fd = fcntl(of, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return false;
    lane->sock = h2o_evloop_socket_create(lane->db->loop, fd, H2O_SOCKET_FLAG_DONT_READ);
    lane->sock->data = lane;
    return true;
}

static void on_writable(h2o_socket_t *sock, const char *err) {
    (void)err; /* libpq meets it too, and words it better */
    struct lane *lane = sock->data;
    lane_want_write(lane);
    db_answer(lane->db);
}

void lane_want_write(struct lane *lane) {
    int left = PQflush(lane->conn);
    if (left < 0) {
        lane_lost(lane, ST_LOST, PQerrorMessage(lane->conn));
    } else if (left > 0 && !h2o_socket_is_writing(lane->sock)) {
        h2o_socket_notify_write(lane->sock, on_writable);
    }
}

/* --- loss --- */

/* libpq's messages end in a newline, and may go on with hints in further lines. */
static struct why first_line(const char *message) {
    struct why w;
    why(&w, ST_LOST, "%.*s", (int)strcspn(message, "\n"), message);
    return w;
}

static void report(struct lane *lane, const char *message) {
    struct why reason = first_line(message);
    bool news = lane->state == LANE_READY || strcmp(reason.text, lane->reason.text) != 0;
    if (news) log_warn("db", "%s connection: %s; trying again", lane->name, reason.text);
    lane->reason = reason;
}

/* 50 ms doubling to 2 s; half of it is random, so that the threads and replicas of a service do not come back
 * in one wave. */
static int backoff(struct lane *lane) {
    int shift = lane->failures < 6 ? lane->failures : 6;
    int ms = BACKOFF_MS << shift;
    if (ms > BACKOFF_MAX_MS) ms = BACKOFF_MAX_MS;
    lane->failures++;
    unsigned random = 0;
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random) abort();
    return ms / 2 + (int)(random % (unsigned)(ms / 2 + 1));
}

static void disconnect(struct lane *lane, enum status sent) {
    lane_deadline(lane, 0);
    close_socket(lane);
    if (lane->lookup != NULL) lookup_drop(lane->lookup);
    lane->lookup = NULL;
    PQfinish(lane->conn);
    lane->conn = NULL;
    if (lane->sent != NULL) batch_answer(lane->sent, sent);
    lane->sent = NULL;
    for (struct batch *b; (b = batches_take(&lane->waiting)) != NULL;)
        batch_answer(b, ST_LOST);
    struct db *db = lane->db;
    for (int i = 0; i < db->nstatements; i++)
        if (db->statements[i].lane == lane) db->statements[i].open = NULL;
}

void lane_lost(struct lane *lane, enum status sent, const char *reason) {
    report(lane, reason); /* before PQfinish: the reason may be the connection's */
    disconnect(lane, sent);
    lane->state = LANE_DOWN;
    lane_deadline(lane, backoff(lane));
}

/* --- at work --- */

static void lane_ready(struct lane *lane) {
    lane_deadline(lane, 0);
    lane->state = LANE_READY;
    if (lane->was_ready) {
        metric_add(M_DB_RECONNECTS, 1);
        log_info("db", "%s connection: back", lane->name);
    }
    lane->was_ready = true;
    lane->failures = 0;
    lane->reason.text[0] = '\0';
}

/* One TLS record can be larger than what PQconsumeInput takes at once, and the rest of it then makes no
 * socket readable. */
static bool read_input(PGconn *conn) {
    SSL *tls = PQsslStruct(conn, "OpenSSL");
    do {
        if (PQconsumeInput(conn) == 0) return false;
    } while (tls != NULL && SSL_pending(tls) > 0);
    return true;
}

static const char *name_of_prepared(const struct lane *lane, int index) {
    const struct db *db = lane->db;
    for (int i = 0; i < db->nstatements; i++)
        if (db->statements[i].lane == lane && --index == 0) return db->statements[i].sql->name;
    return "the session";
}

static void refused(struct lane *lane, const PGresult *r) {
    struct why cause, reason;
    pg_status(lane->conn, r, &cause);
    why(&reason, ST_FAILED, "cannot prepare %s: %.180s", name_of_prepared(lane, lane->prepared), cause.text);
    lane_lost(lane, ST_LOST, reason.text);
}

/* What the set_config call and the statements of the lane answer; the first error is the reason to give this
 * connection up: most likely the migrations are still to come, so it is tried again like any other. */
static void collect_prepared(struct lane *lane) {
    for (PGresult *r; lane->state == LANE_PREPARING && (r = lane_next_result(lane)) != NULL; PQclear(r)) {
        switch (PQresultStatus(r)) {
        case PGRES_TUPLES_OK:
        case PGRES_COMMAND_OK:
            lane->prepared++;
            break;
        case PGRES_PIPELINE_SYNC:
            lane_ready(lane);
            break;
        default:
            refused(lane, r);
        }
    }
    if (lane->state == LANE_PREPARING && PQstatus(lane->conn) == CONNECTION_BAD)
        lane_lost(lane, ST_LOST, PQerrorMessage(lane->conn));
}

static void on_readable(h2o_socket_t *sock, const char *err) {
    (void)err;
    struct lane *lane = sock->data;
    if (!read_input(lane->conn)) {
        lane_lost(lane, ST_LOST, PQerrorMessage(lane->conn));
    } else if (lane->state == LANE_PREPARING) {
        collect_prepared(lane);
    } else {
        lane_collect(lane);
    }
    if (lane->state == LANE_READY) lane_pump(lane);
    db_answer(lane->db);
}

/* --- connecting --- */

static bool send_prepare(struct lane *lane) {
    const struct db *db = lane->db;
    char settings[512];
    snprintf(settings, sizeof settings, "select set_config('statement_timeout', '%d', false), " PG_PLANNING,
             db->options.statement_timeout_ms);
    if (PQsendQueryParams(lane->conn, settings, 0, NULL, NULL, NULL, NULL, 0) == 0) return false;
    for (int i = 0; i < db->nstatements; i++) {
        const struct sql *sql = db->statements[i].sql;
        if (db->statements[i].lane != lane) continue;
        if (PQsendPrepare(lane->conn, sql->name, sql->text, 0, NULL) == 0) return false;
    }
    return PQpipelineSync(lane->conn) == 1;
}

static void connected(struct lane *lane) {
    lane->state = LANE_PREPARING;
    lane->prepared = 0;
    if (PQsetnonblocking(lane->conn, 1) != 0 || PQenterPipelineMode(lane->conn) == 0 ||
        !wrap_socket(lane, PQsocket(lane->conn)) || !send_prepare(lane)) {
        lane_lost(lane, ST_LOST, PQerrorMessage(lane->conn));
        return;
    }
    h2o_socket_read_start(lane->sock, on_readable);
    lane_want_write(lane);
}

static void on_connecting(h2o_socket_t *sock, const char *err);

/* libpq may have gone on to another socket since the last step (a second address, no TLS), even under the
 * same number: so each step wraps anew. */
static void await(struct lane *lane, PostgresPollingStatusType what) {
    if (what == PGRES_POLLING_OK) {
        connected(lane);
    } else if (what == PGRES_POLLING_FAILED || !wrap_socket(lane, PQsocket(lane->conn))) {
        lane_lost(lane, ST_LOST, PQerrorMessage(lane->conn));
    } else if (what == PGRES_POLLING_READING) {
        h2o_socket_read_start(lane->sock, on_connecting);
    } else {
        h2o_socket_notify_write(lane->sock, on_connecting);
    }
}

static void on_connecting(h2o_socket_t *sock, const char *err) {
    (void)err;
    struct lane *lane = sock->data;
    await(lane, PQconnectPoll(lane->conn));
    db_answer(lane->db);
}

/* A server's notice, such as the reason why it is about to close an idle connection. */
static void on_notice(void *arg, const char *message) {
    const struct lane *lane = arg;
    log_info("db", "%s connection: %s", lane->name, first_line(message).text);
}

/* hosts and addresses: of the URL's host name, looked up; NULL when there was nothing to look up. */
static void start_connecting(struct lane *lane, const char *hosts, const char *addresses) {
    char application[64], user_timeout[16];
    snprintf(application, sizeof application, "onsale-%s-%s", program_invocation_short_name, lane->name);
    snprintf(user_timeout, sizeof user_timeout, "%d", lane->db->options.statement_timeout_ms + GRACE_MS);
    /* What stands before dbname, the URL may say otherwise. NULL values count as not given. */
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
    const char *const values[] = {application,           "5",   "2",       "3", user_timeout, "UTF8",
                                  lane->db->options.url, hosts, addresses, NULL};
    lane->state = LANE_CONNECTING;
    lane->conn = PQconnectStartParams(keys, values, 1);
    if (lane->conn == NULL) abort();
    PQsetNoticeProcessor(lane->conn, on_notice, lane);
    lane_deadline(lane, CONNECT_MS);
    await(lane, PQstatus(lane->conn) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING);
}

static void on_resolved(h2o_socket_t *sock, const char *err) {
    (void)err;
    struct lane *lane = sock->data;
    struct lookup *lookup = lane->lookup;
    const char *hosts, *addresses;
    struct why w;
    lane->lookup = NULL;
    close_socket(lane);
    if (lookup_result(lookup, &hosts, &addresses, &w)) {
        start_connecting(lane, hosts, addresses);
    } else {
        lane_lost(lane, ST_LOST, w.text);
    }
    lookup_drop(lookup);
    db_answer(lane->db);
}

/* Without a deadline: getaddrinfo ends by itself, and another thread would not find out sooner. */
static void resolve(struct lane *lane) {
    int fd;
    lane->state = LANE_RESOLVING;
    lane->lookup = lookup_start(lane->db->host, &fd);
    if (lane->lookup == NULL || !wrap_socket(lane, fd)) {
        lane_lost(lane, ST_LOST, "cannot look up its host: out of threads or files");
        return;
    }
    h2o_socket_read_start(lane->sock, on_resolved);
}

static void connect_lane(struct lane *lane) {
    struct why w;
    if (!pg_url_valid(lane->db->options.url, &w)) {
        lane_lost(lane, ST_LOST, w.text);
    } else if (lane->db->host != NULL) {
        resolve(lane);
    } else {
        start_connecting(lane, NULL, NULL);
    }
}

void lane_open(struct lane *lane, struct db *db, const char *name) {
    *lane = (struct lane){.db = db, .name = name};
    lane->timer.cb = on_deadline;
    h2o_timeout_init(db->loop, &lane->timeout, CONNECT_MS);
    connect_lane(lane);
}

void lane_close(struct lane *lane) {
    disconnect(lane, ST_LOST);
    lane->state = LANE_CLOSED;
    h2o_timeout_dispose(lane->db->loop, &lane->timeout);
}
