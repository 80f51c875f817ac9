/* What the tests of db share: a database of their own in the cluster, a loop, a db on it, and items that note
 * their answers. */
#pragma once

#include "pg_test.h"

#include "clock.h"
#include "db.h"
#include "h2o_compat.h"
#include "priv/db_metrics.h"

/* Nothing here takes this long; what waits longer has failed. */
enum { PATIENCE_MS = 60000 }; /* on a machine with no time for us */

/* Locked by an admin, it keeps statements that take it shared from going on. */
#define GATE "7"

static char fx_url[512]; /* of the test's own database */
static PGconn *fx_admin;
static h2o_loop_t *fx_loop;
static struct db *fx_db;

/* --- the loop --- */

static inline void fx_turn(void) {
    h2o_compat_run(fx_loop, 10);
    db_flush(fx_db);
}

/* Turns the loop, with a flush in each turn as http does, until the condition holds. */
#define fx_until(condition)                                                                                  \
    do {                                                                                                     \
        int64_t fx_limit = clock_mono_us() + PATIENCE_MS * 1000LL;                                           \
        while (!(condition)) {                                                                               \
            if (clock_mono_us() > fx_limit) fail_msg("waited in vain for %s", #condition);                   \
            fx_turn();                                                                                       \
        }                                                                                                    \
    } while (0)

static inline struct db_options fx_options(const struct sql *const *statements) {
    return (struct db_options){.url = fx_url,
                               .statements = statements,
                               .statement_timeout_ms = 5000,
                               .queue_items = 100000,
                               .batch_items = 500};
}

static inline void fx_open(const struct db_options *options) {
    fx_db = db_open(options, fx_loop);
    fx_until(db_ready(fx_db));
}

static inline void fx_close(void) {
    if (fx_db != NULL) db_free(fx_db);
    fx_db = NULL;
    h2o_compat_run(fx_loop, 0); /* which frees the closed sockets */
}

/* --- items --- */

struct item {
    int n;       /* what it sends */
    int answers; /* must end as 1 */
    enum status st;
    int rows;
    int64_t got;   /* column 1 of its first row */
    int64_t batch; /* column 2: of how many items the execution was */
    int order;     /* its place among all answers of the test */
};

static int fx_answered;

static inline void fx_done(void *ctx, enum status st, const struct rows *rows) {
    struct item *item = ctx;
    item->answers++;
    item->st = st;
    item->order = fx_answered++;
    assert_int_equal(st == ST_OK, rows != NULL);
    if (rows == NULL) return;
    item->rows = rows->count;
    if (rows->count == 0) return;
    item->got = row_int(rows, 0, 1);
    item->batch = row_int(rows, 0, 2);
}

/* Adds an item whose statement takes one int. */
static inline enum status fx_add(const struct sql *sql, struct item *item) {
    enum status st;
    struct sql_params *c = db_add(fx_db, sql, fx_done, item, &st);
    assert_int_equal(c == NULL, st != ST_OK);
    if (c != NULL) put_int(c, item->n);
    return st;
}

static inline void fx_add_all(const struct sql *sql, struct item *items, int count) {
    for (int i = 0; i < count; i++) {
        items[i].n = i;
        assert_int_equal(fx_add(sql, &items[i]), ST_OK);
    }
}

static inline void fx_check_answered_once(const struct item *items, int count) {
    for (int i = 0; i < count; i++)
        if (items[i].answers != 1) fail_msg("item %d was answered %d times", i, items[i].answers);
}

static inline void fx_check_all(const struct item *items, int count, enum status st) {
    fx_check_answered_once(items, count);
    for (int i = 0; i < count; i++)
        if (items[i].st != st) fail_msg("item %d: %s, not %s", i, status_text(items[i].st), status_text(st));
}

/* Turns the loop alone until so many items in all are answered. */
static inline void fx_until_answered_without_flush(int answers) {
    int64_t limit = clock_mono_us() + PATIENCE_MS * 1000LL;
    while (fx_answered < answers && clock_mono_us() < limit)
        h2o_compat_run(fx_loop, 10);
    assert_int_equal(fx_answered, answers);
}

/* --- statements --- */

static const uint32_t fx_int[] = {23};

/* $1 back, and the number of items that the execution carried. */
static const struct sql fx_echo = {
    "test_echo",
    "select ordinal, n, count(*) over () from unnest($1::int[]) with ordinality as r (n, ordinal) order by ordinal",
    1,
    false,
    fx_int,
    false,
    0};

/* The same, waiting for the gate; once as a read, once as a write. */
#define FX_GATED                                                                                             \
    "with gate as materialized (select pg_advisory_xact_lock_shared(" GATE "))"                              \
    " select ordinal, n, count(*) over () from gate, unnest($1::int[]) with ordinality as r (n, ordinal)"    \
    " order by ordinal"
static const struct sql fx_gated_read = {"test_gated_read", FX_GATED, 1, false, fx_int, false, 0};
static const struct sql fx_gated_write = {"test_gated_write", FX_GATED, 1, true, fx_int, false, 0};

static inline void fx_close_gate(void) {
    test_exec(fx_admin, "select pg_advisory_lock(" GATE ")");
}

static inline void fx_open_gate(void) {
    test_exec(fx_admin, "select pg_advisory_unlock(" GATE ")");
}

/* Turns the loop until so many sessions of this database stand at the gate. */
static inline void fx_until_at_gate(int sessions) {
    fx_until(test_count(fx_admin,
                        "select count(*) from pg_locks where locktype = 'advisory' and not granted"
                        " and database = (select oid from pg_database where datname = current_database())") ==
             sessions);
}

/* --- the database --- */

static inline int fx_group_setup(void **state) {
    (void)state;
    test_create_database("db", fx_url, sizeof fx_url);
    fx_admin = test_connect(fx_url);
    fx_loop = h2o_evloop_create();
    return 0;
}

static inline int fx_group_teardown(void **state) {
    (void)state;
    h2o_evloop_destroy(fx_loop);
    PQfinish(fx_admin);
    return 0;
}

static inline int fx_setup(void **state) {
    (void)state;
    fx_answered = 0;
    return 0;
}

static inline int fx_teardown(void **state) {
    (void)state;
    fx_close();
    PQreset(fx_admin); /* gives up its locks, whatever the test did */
    return 0;
}
