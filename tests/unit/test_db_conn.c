/* db_conn: the life of a connection by itself. Its owner here sends by libpq and knows no batches. */
#include "pg_test.h"

#include "clock.h"
#include "priv/db_conn.h"
#include "priv/db_metrics.h"

enum { PATIENCE_MS = 20000 };

static char url[512];
static PGconn *admin;
static h2o_loop_t *loop;
static struct db_conn conn;

/* What the owner was called with. */
static int readables, dues, losses;
static enum status lost_as;
static int64_t due_at_us; /* when it was */
static char got[64];      /* the last value that came */
static int syncs;

static void on_readable(void *owner) {
    assert_ptr_equal(owner, &conn);
    readables++;
    for (PGresult *r; (r = db_conn_next_result(&conn)) != NULL; PQclear(r)) {
        if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) syncs++;
        if (PQresultStatus(r) == PGRES_TUPLES_OK) snprintf(got, sizeof got, "%s", PQgetvalue(r, 0, 0));
    }
    if (PQstatus(conn.pg) == CONNECTION_BAD) db_conn_lose(&conn, PQerrorMessage(conn.pg));
}

static void on_due(void *owner) {
    assert_ptr_equal(owner, &conn);
    dues++;
    due_at_us = clock_mono_us();
}

static void on_lost(void *owner, enum status st) {
    assert_ptr_equal(owner, &conn);
    assert_false(db_conn_ready(&conn)); /* it is down already */
    losses++;
    lost_as = st;
}

static const struct db_conn_events events = {.readable = on_readable, .due = on_due, .lost = on_lost};

#define until(condition)                                                                                     \
    do {                                                                                                     \
        int64_t limit = clock_mono_us() + PATIENCE_MS * INT64_C(1000);                                       \
        while (!(condition)) {                                                                               \
            if (clock_mono_us() > limit) fail_msg("waited in vain for %s", #condition);                      \
            h2o_compat_run(loop, 10);                                                                        \
            db_conn_check_deadline(&conn);                                                                   \
        }                                                                                                    \
    } while (0)

static const struct sql upper = {
    "test_upper", "select upper($1::text)", 1, false, (const uint32_t[]){25}, false, 0};
static const struct sql *const statements[] = {&upper, NULL};

static void send_upper(const char *text) {
    const char *const values[] = {text};
    assert_int_equal(PQsendQueryPrepared(conn.pg, upper.name, 1, values, NULL, NULL, 0), 1);
    assert_int_equal(PQpipelineSync(conn.pg), 1);
    assert_true(db_conn_flush(&conn));
}

static void check_works(const char *text, const char *answer) {
    int before = syncs;
    until(db_conn_ready(&conn));
    send_upper(text);
    until(syncs == before + 1);
    assert_string_equal(got, answer);
}

/* --- tests --- */

static void its_owner_sends_and_is_told_of_input(void **state) {
    (void)state;
    assert_int_equal(readables, 0); /* preparing is not its owner's business */
    check_works("first", "FIRST");
    check_works("second", "SECOND");
    assert_int_equal(losses, 0);
}

static void its_owner_is_woken_once_at_the_moment_it_gave(void **state) {
    (void)state;
    int64_t at_us = clock_mono_us() + 30000;
    db_conn_wake_at(&conn, clock_mono_us() + 3600 * INT64_C(1000000));
    db_conn_wake_at(&conn, at_us); /* in place of the other */
    until(dues == 1);
    assert_true(due_at_us >= at_us - 1000); /* h2o counts whole milliseconds */
    check_works("still here", "STILL HERE");
    assert_int_equal(dues, 1);
    assert_int_equal(losses, 0);
}

static void a_moment_that_is_over_is_due_at_once(void **state) {
    (void)state;
    db_conn_wake_at(&conn, clock_mono_us() - 1);
    until(dues == 1);
}

static void a_result_that_does_not_come_is_a_loss_by_time(void **state) {
    (void)state;
    int64_t reconnects = metric_value(M_DB_RECONNECTS);
    db_conn_expect_result(&conn);
    until(losses == 1);
    assert_int_equal(lost_as, ST_TIMEOUT);
    check_works("again", "AGAIN");
    assert_int_equal(metric_value(M_DB_RECONNECTS), reconnects + 1);
    assert_int_equal(dues, 0);
}

static void what_is_no_longer_expected_is_no_loss(void **state) {
    (void)state;
    db_conn_expect_result(&conn);
    db_conn_expect_nothing(&conn);
    assert_false(h2o_compat_timer_runs(&conn.timer));
}

#define SERVERS_OF_OURS                                                                                      \
    "from pg_stat_activity where datname = current_database() and application_name like 'onsale-%-alone'"

static void a_server_that_hangs_up_ends_it(void **state) {
    (void)state;
    /* That of the test before may still have to notice that it is alone. */
    until(test_count(admin, "select count(*) " SERVERS_OF_OURS) == 1);
    assert_int_equal(test_count(admin, "select count(pg_terminate_backend(pid)) " SERVERS_OF_OURS), 1);
    until(!db_conn_ready(&conn)); /* whoever noticed */
    check_works("back", "BACK");
}

static void an_owner_that_ends_it_is_not_called_for_that(void **state) {
    (void)state;
    int64_t reconnects = metric_value(M_DB_RECONNECTS);
    db_conn_lose(&conn, "the test says so");
    assert_false(db_conn_ready(&conn));
    assert_int_equal(conn.backoff.failures, 1);
    check_works("back", "BACK");
    assert_int_equal(losses, 0);
    assert_int_equal(conn.backoff.failures, 0);
    assert_int_equal(metric_value(M_DB_RECONNECTS), reconnects + 1);
}

/* --- set-up --- */

static int group_setup(void **state) {
    (void)state;
    test_create_database("db_conn", url, sizeof url);
    admin = test_connect(url);
    loop = h2o_evloop_create();
    return 0;
}

static int group_teardown(void **state) {
    (void)state;
    h2o_evloop_destroy(loop);
    PQfinish(admin);
    return 0;
}

static int setup(void **state) {
    (void)state;
    readables = dues = losses = syncs = 0;
    const struct db_conn_options options = {
        .name = "alone", .url = url, .statements = statements, .statement_timeout_ms = 200};
    db_conn_open(&conn, loop, &options, &events, &conn);
    until(db_conn_ready(&conn));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    db_conn_close(&conn);
    assert_false(db_conn_ready(&conn));
    h2o_compat_run(loop, 0); /* which frees the closed sockets */
    return 0;
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(its_owner_sends_and_is_told_of_input),
        TEST(its_owner_is_woken_once_at_the_moment_it_gave),
        TEST(a_moment_that_is_over_is_due_at_once),
        TEST(a_result_that_does_not_come_is_a_loss_by_time),
        TEST(what_is_no_longer_expected_is_no_loss),
        TEST(a_server_that_hangs_up_ends_it),
        TEST(an_owner_that_ends_it_is_not_called_for_that),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
