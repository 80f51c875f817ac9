/* Old events go, but none before it is confirmed, and none that the chosen moment did not see. */
#include "pg_test.h"

#include <poll.h>

#include "clock.h"
#include "priv/expiry.h"

enum { PATIENCE_MS = 20000, HOUR_MS = 3600 * 1000 };

static char url[256];
static PGconn *conn, *shared;
static struct expiry expiry;

static int setup(void **state) {
    (void)state;
    test_create_database("expiry", url, sizeof url);
    conn = test_connect(url);
    shared = test_connect(url);
    test_exec(
        conn,
        "create table log (seq bigint generated always as identity primary key, occurred_at timestamptz)");
    expiry_init(&expiry, shared, "log", "occurred_at", HOUR_MS);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    expiry_free(&expiry);
    PQfinish(shared);
    PQfinish(conn);
    return 0;
}

static void insert_old(int n) {
    char text[160];
    snprintf(text, sizeof text,
             "insert into log (occurred_at) select now() - interval '2 hours' from generate_series(1, %d)",
             n);
    test_exec(conn, text);
}

static long long rows(void) {
    return test_count(conn, "select count(*) from log");
}

static enum status advance(uint64_t confirmed, struct why *w) {
    enum status st = expiry_take(&expiry, confirmed, w);
    return st == ST_OK ? expiry_ask(&expiry, confirmed, w) : st;
}

/* A turn of the publisher's loop, and what was asked answered. */
static void step(uint64_t confirmed) {
    struct why w = {0};
    if (advance(confirmed, &w) != ST_OK) fail_msg("%s", w.text);
    int64_t limit = clock_mono_us() + PATIENCE_MS * 1000LL;
    while (expiry.asked) {
        struct pollfd fd = {PQsocket(shared), POLLIN, 0};
        poll(&fd, 1, 100);
        if (PQconsumeInput(shared) != 1 || clock_mono_us() > limit) fail_msg("%s", PQerrorMessage(shared));
        if (PQisBusy(shared)) continue;
        if (advance(confirmed, &w) != ST_OK) fail_msg("%s", w.text);
        break;
    }
}

static void choose(void) {
    expiry.due_us = 0;
    step(0);
    assert_non_null(expiry.chosen);
}

static void not_before_it_is_confirmed(void **state) {
    (void)state;
    insert_old(10);
    uint64_t written = (uint64_t)test_count(conn, "select (pg_current_wal_insert_lsn() - '0/0')::bigint");
    choose();
    assert_true(expiry.written_lsn >= written);
    expiry.due_us = 0;
    for (int i = 0; i < 5; i++)
        step(expiry.written_lsn - 1);
    assert_int_equal(rows(), 10);
    step(expiry.written_lsn);
    assert_int_equal(rows(), 0);
}

static void the_young_stay(void **state) {
    (void)state;
    insert_old(3);
    test_exec(conn, "insert into log (occurred_at) values (now()), (now() - interval '59 minutes')");
    insert_old(3);
    choose();
    step(UINT64_MAX);
    assert_int_equal(rows(), 2);
}

/* Its number is among the chosen ones, its commit after the moment of choosing. */
static void what_was_not_seen_stays(void **state) {
    (void)state;
    PGconn *slow = test_connect(url);
    test_exec(slow, "begin; insert into log (occurred_at) values (now() - interval '2 hours')");
    insert_old(3);
    choose();
    test_exec(slow, "commit");
    step(UINT64_MAX);
    assert_int_equal(rows(), 1);
    choose();
    step(UINT64_MAX);
    assert_int_equal(rows(), 0);
    PQfinish(slow);
}

static void in_steps_without_a_pause(void **state) {
    (void)state;
    insert_old(12000);
    long long before = rows();
    for (int i = 0; i < 6 && rows() > 0; i++) {
        long long now = rows();
        assert_true(now == before || before - now <= 5000);
        before = now;
        step(UINT64_MAX);
    }
    assert_int_equal(rows(), 0);
}

static void kept_for_ever(void **state) {
    (void)state;
    insert_old(3);
    expiry_free(&expiry);
    expiry_init(&expiry, shared, "log", "occurred_at", 0);
    for (int i = 0; i < 4; i++) {
        expiry.due_us = 0;
        step(UINT64_MAX);
    }
    assert_int_equal(rows(), 3);
}

static void errors_come_out(void **state) {
    (void)state;
    struct why w = {0};
    test_exec(conn, "drop table log");
    assert_int_equal(advance(0, &w), ST_OK);
    enum status st = ST_OK;
    for (int64_t limit = clock_mono_us() + PATIENCE_MS * 1000LL; st == ST_OK && clock_mono_us() < limit;) {
        PQconsumeInput(shared);
        st = advance(0, &w);
    }
    assert_int_equal(st, ST_FAILED);
    assert_non_null(strstr(w.text, "log"));
}

#define WITH_LOG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_LOG(not_before_it_is_confirmed), WITH_LOG(the_young_stay), WITH_LOG(what_was_not_seen_stays),
        WITH_LOG(in_steps_without_a_pause),   WITH_LOG(kept_for_ever),  WITH_LOG(errors_come_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
