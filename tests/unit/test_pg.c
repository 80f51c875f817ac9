/* What Postgres says, as a status. */
#include "pg_test.h"

static enum status after(PGconn *conn, const char *text) {
    struct why w = {0};
    enum status st = pg_exec(conn, &w, text);
    if (st != ST_OK) assert_true(w.text[0] != '\0' && strchr(w.text, '\n') == NULL);
    return st;
}

static void errors_by_state(void **state) {
    (void)state;
    static const struct {
        const char *sqlstate;
        enum status st;
    } cases[] = {
        {"40001", ST_AGAIN},   {"40P01", ST_AGAIN},   {"ON001", ST_FENCED},  {"22001", ST_INVALID},
        {"23505", ST_INVALID}, {"57014", ST_TIMEOUT}, {"55P03", ST_TIMEOUT}, {"57P01", ST_LOST},
        {"08006", ST_LOST},    {"25006", ST_LOST},    {"42P01", ST_FAILED},  {"P0001", ST_FAILED},
        {"21000", ST_INVALID}, {"44000", ST_INVALID}, {"54000", ST_INVALID}, {"26000", ST_LOST},
        {"0A000", ST_LOST},
    };
    PGconn *conn = test_connect(test_cluster());
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[128];
        snprintf(text, sizeof text, "do $$ begin raise exception 'two\nlines' using errcode = '%s'; end $$",
                 cases[i].sqlstate);
        assert_int_equal(after(conn, text), cases[i].st);
    }
    assert_int_equal(after(conn, "select 1; select 2"), ST_OK);
    assert_int_equal(after(conn, ""), ST_OK);
    PQfinish(conn);
}

static void a_slow_statement_times_out(void **state) {
    (void)state;
    struct why w = {0};
    PGconn *conn = pg_open(test_cluster(), "test", 50, &w);
    assert_non_null(conn);
    assert_int_equal(after(conn, "select pg_sleep(30)"), ST_TIMEOUT);
    PQfinish(conn);
}

static void a_killed_session_is_lost(void **state) {
    (void)state;
    PGconn *conn = test_connect(test_cluster()), *other = test_connect(test_cluster());
    char text[64];
    snprintf(text, sizeof text, "select pg_terminate_backend(%d, 10000)", PQbackendPID(conn));
    test_exec(other, text);
    assert_int_equal(after(conn, "select 1"), ST_LOST);
    assert_int_equal(after(conn, "select 1"), ST_LOST);
    PQfinish(conn);
    PQfinish(other);
}

static void the_name_shows(void **state) {
    (void)state;
    PGconn *conn = test_connect(test_cluster());
    assert_int_equal(test_count(conn, "select count(*) from pg_stat_activity"
                                      " where pid = pg_backend_pid() and application_name = 'onsale-test'"),
                     1);
    PQfinish(conn);
}

static void no_server(void **state) {
    (void)state;
    struct why w = {0};
    assert_null(pg_open("postgresql://u:hush@127.0.0.1:1/x", "test", 0, &w));
    assert_non_null(strstr(w.text, "127.0.0.1"));
    assert_null(strchr(w.text, '\n'));
    assert_null(strstr(w.text, "hush"));
}

static void the_password_stays_secret(void **state) {
    (void)state;
    static const char *const broken[] = {"postgres:/u:hush@h/x", "postgresql://u:hush@[h/x",
                                         "postgresql://u:hush@h:99999999/x", "host=h password=hush nonsense",
                                         "postgresql://u:hush%zz@h/x"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        struct why w = {0};
        assert_null(pg_open(broken[i], "test", 0, &w));
        assert_true(w.text[0] != '\0');
        assert_null(strstr(w.text, "hush"));
    }
}

static void a_bad_statement_is_named(void **state) {
    (void)state;
    static const uint32_t types[] = {25};
    static const struct sql bad = {
        .name = "bad_one", .text = "select frob($1::text[])", .nparams = 1, .types = types};
    struct why w = {0};
    PGconn *conn = test_connect(test_cluster());
    assert_int_equal(pg_prepare(conn, &bad, &w), ST_FAILED);
    assert_non_null(strstr(w.text, "bad_one"));
    assert_non_null(strstr(w.text, "frob"));
    PQfinish(conn);
}

static void prepared_statements_run(void **state) {
    (void)state;
    static const uint32_t ints[] = {23};
    static const struct sql half = {
        "half", "select 100 / n from unnest($1::int[]) as r (n)", 1, false, ints, false, 0};
    static const struct sql bad = {"bad", "select nonsense", 1, false, ints, false, 0};
    struct why w = {0};
    assert_null(
        pg_open_prepared(test_cluster(), "test", 0, (const struct sql *const[]){&half, &bad, NULL}, &w));
    assert_non_null(strstr(w.text, "cannot prepare bad"));
    PGconn *conn = pg_open_prepared(test_cluster(), "test", 0, (const struct sql *const[]){&half, NULL}, &w);
    struct sql_params params;
    PGresult *res;
    sql_params_init(&params, &half);
    put_int(&params, 2);
    assert_int_equal(pg_run(conn, &params, &res, &w), ST_OK);
    assert_int_equal(row_int(&(struct rows){res, 0, 1}, 0, 0), 50);
    PQclear(res);
    sql_params_reset(&params);
    put_int(&params, 0);
    assert_int_equal(pg_run(conn, &params, &res, &w), ST_INVALID);
    assert_null(res);
    sql_params_free(&params);
    PQfinish(conn);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_by_state),
        cmocka_unit_test(a_slow_statement_times_out),
        cmocka_unit_test(a_killed_session_is_lost),
        cmocka_unit_test(the_name_shows),
        cmocka_unit_test(no_server),
        cmocka_unit_test(the_password_stays_secret),
        cmocka_unit_test(a_bad_statement_is_named),
        cmocka_unit_test(prepared_statements_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
