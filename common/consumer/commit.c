#include "priv/commit.h"

#include <poll.h>

#include "clock.h"
#include "priv/consumer_metrics.h"
#include "queries.h"

enum { DEADLOCK_TRIES = 3 };

/* When Postgres crashes, or its standby takes over, the last batches may be lost, effects and positions
 * together. Then their records are read from Kafka again. Nothing that stays can depend on them: a later
 * commit that waits for the disk has them on disk as well, and the publisher publishes only what is on disk,
 * here and at a synchronous standby. So it costs time alone, and waiting for the disk would be most of the
 * time of a small batch. */
#define NOT_AWAITING_THE_DISK ", set_config('synchronous_commit', 'off', false)"

static enum status prepare_all(PGconn *conn, const struct batch *b, struct why *w) {
    const struct sql *const own[] = {&sql_positions, &sql_advance, &sql_dead_letters, &sql_dead_letter_done};
    enum status st = ST_OK;
    for (size_t i = 0; st == ST_OK && i < sizeof own / sizeof *own; i++)
        st = pg_prepare(conn, own[i], w);
    for (int i = 0; st == ST_OK && i < b->nstatements; i++)
        st = pg_prepare(conn, b->statements[i].sql, w);
    return st;
}

PGconn *commit_open(const char *url, const char *service, const struct batch *b, struct why *w) {
    char name[64];
    snprintf(name, sizeof name, "%s-consumer", service);
    PGconn *conn = pg_open(url, name, COMMIT_STATEMENT_MS, w);
    if (conn == NULL) return NULL;
    if (pg_exec(conn, w, "select " PG_PLANNING NOT_AWAITING_THE_DISK) == ST_OK &&
        prepare_all(conn, b, w) == ST_OK) {
        /* Not blocking: a large pipeline could wait for the server to read while the server waits for us to.
         */
        if (PQsetnonblocking(conn, 1) == 0 && PQenterPipelineMode(conn) == 1) return conn;
        why(w, ST_FAILED, "cannot set up the connection: %s", PQerrorMessage(conn));
    }
    PQfinish(conn);
    return NULL;
}

/* Queues one statement. false: it was not queued, and the connection must not be used any more, because a
 * Sync would commit the ones before it. */
static bool send_statement(PGconn *conn, struct sql_params *c) {
    const char *values[SQL_MAX_PARAMS];
    int lengths[SQL_MAX_PARAMS], formats[SQL_MAX_PARAMS];
    sql_params_values(c, values, lengths, formats);
    return PQsendQueryPrepared(conn, c->sql->name, c->sql->nparams, values, lengths, formats, 1) == 1;
}

/* Until PQgetResult would not block. Answers are read before the rest is written: else each side could wait
 * for the other to read. */
static enum status await_result(PGconn *conn, int64_t until_us, struct why *w) {
    for (;;) {
        int unsent = PQflush(conn);
        if (unsent < 0) return pg_status(conn, NULL, w);
        if (!PQisBusy(conn)) return ST_OK;
        int left_ms = clock_ms_until(until_us);
        struct pollfd fd = {.fd = PQsocket(conn), .events = (short)(POLLIN | (unsent > 0 ? POLLOUT : 0))};
        /* An answer that is there counts, though we were paused for so long. */
        if (poll(&fd, 1, left_ms) == 0 && left_ms == 0)
            return why(w, ST_LOST, "Postgres did not answer for %d s", COMMIT_WAIT_MS / 1000);
        if (!PQconsumeInput(conn)) return pg_status(conn, NULL, w);
    }
}

/* Sends what is queued and reads to the pipeline's end. The first error counts: what follows it was not run.
 * rows (may be NULL) gets the first result that has any; the caller clears it. */
static enum status finish(PGconn *conn, PGresult **rows, struct why *w) {
    int64_t until_us = clock_mono_us() + COMMIT_WAIT_MS * INT64_C(1000);
    enum status st = ST_OK;
    if (PQpipelineSync(conn) != 1) return pg_status(conn, NULL, w);
    for (;;) {
        enum status waited = await_result(conn, until_us, st == ST_OK ? w : NULL);
        if (waited != ST_OK) return waited;
        PGresult *res = PQgetResult(conn);
        if (res == NULL) continue; /* between two statements */
        bool end = PQresultStatus(res) == PGRES_PIPELINE_SYNC;
        if (st == ST_OK) st = pg_status(conn, res, w);
        if (rows != NULL && *rows == NULL && PQresultStatus(res) == PGRES_TUPLES_OK)
            *rows = res;
        else
            PQclear(res);
        if (end) return st;
        if (PQstatus(conn) != CONNECTION_OK) return st == ST_OK ? ST_LOST : st;
    }
}

bool commit_connected(PGconn *conn) {
    struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};
    while (poll(&fd, 1, 0) > 0)
        if (!PQconsumeInput(conn)) return false;
    return true;
}

void commit_positions_init(struct sql_params *c) {
    sql_params_init(c, &sql_advance);
}

void commit_put_position(struct sql_params *c, const char *topic, int32_t partition, int64_t expected,
                         int64_t next) {
    put_text(c, str_of(topic));
    put_int(c, partition);
    put_int(c, expected);
    put_int(c, next);
}

enum status commit_batch(PGconn *conn, struct sql_params *positions, struct batch *b, struct why *w) {
    if (!send_statement(conn, positions)) return pg_status(conn, NULL, w);
    if (b != NULL) {
        struct sql_params *c;
        for (int run = 0, statement = 0; (c = batch_next(b, &run, &statement)) != NULL;)
            if (!send_statement(conn, c)) return pg_status(conn, NULL, w);
    }
    return finish(conn, NULL, w);
}

enum status commit_batch_tried(PGconn *conn, struct sql_params *positions, struct batch *b, struct why *w) {
    enum status st = commit_batch(conn, positions, b, w);
    for (int tries = 1; tries < DEADLOCK_TRIES && st == ST_AGAIN; tries++) {
        metric_add(M_CONSUMER_RETRIES, 1);
        st = commit_batch(conn, positions, b, w);
    }
    return st;
}

static enum status read_places(const PGresult *res, struct commit_place *places, int n, struct why *w) {
    struct rows r = {res, 0, PQntuples(res)};
    if (r.count != n) return why(w, ST_FAILED, "Postgres told %d positions of %d", r.count, n);
    for (int i = 0; i < n; i++)
        places[i].next = row_int(&r, i, 1);
    return ST_OK;
}

enum status commit_places(PGconn *conn, struct commit_place *places, int n, struct why *w) {
    if (n == 0) return ST_OK;
    struct sql_params c;
    sql_params_init(&c, &sql_positions);
    for (int i = 0; i < n; i++) {
        put_text(&c, str_of(places[i].topic));
        put_int(&c, places[i].partition);
    }
    PGresult *res = NULL;
    enum status st = send_statement(conn, &c) ? finish(conn, &res, w) : pg_status(conn, NULL, w);
    sql_params_free(&c);
    if (st == ST_OK) st = read_places(res, places, n, w);
    PQclear(res);
    return st;
}
