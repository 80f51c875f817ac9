#include <sys/wait.h>

#include "migrate.h"
#include "pg_test.h"

static char url[256];

static const struct migration COMMON[] = {
    {"001_ground", "create table ground (id int primary key);"},
    {0},
};
static const struct migration OWN[] = {
    {"010_things", "create table things (id int references ground); insert into ground values (1), (2);"},
    {"011_more", "insert into things values (1);"},
    {0},
};
static const struct migration NONE[] = {{0}};

static enum status run(const struct migration *common, const struct migration *own, struct why *w) {
    *w = (struct why){0};
    return migrate(url, common, own, w);
}

static int fresh(void **state) {
    (void)state;
    test_create_database("migrate", url, sizeof url);
    return 0;
}

static void each_once_in_order(void **state) {
    (void)state;
    struct why w;
    for (int i = 0; i < 3; i++)
        if (run(COMMON, OWN, &w) != ST_OK) fail_msg("%s", w.text);
    PGconn *conn = test_connect(url);
    assert_int_equal(test_count(conn, "select count(*) from things"), 1);
    assert_int_equal(test_count(conn, "select count(*) from migrations"), 3);
    assert_int_equal(
        test_count(conn, "select count(*) from (select name, lag(name) over (order by applied_at) as before"
                         " from migrations) x where name < before"),
        0);
    PQfinish(conn);
}

static void a_new_file_is_added(void **state) {
    (void)state;
    struct why w;
    struct migration own[] = {OWN[0], {0}, {0}};
    assert_int_equal(run(COMMON, own, &w), ST_OK);
    assert_int_equal(run(COMMON, OWN, &w), ST_OK);
    /* Back to an older version of the service: what it does not know of is left alone. */
    assert_int_equal(run(COMMON, own, &w), ST_OK);
    PGconn *conn = test_connect(url);
    assert_int_equal(test_count(conn, "select count(*) from migrations"), 3);
    PQfinish(conn);
}

static void a_changed_file_is_refused(void **state) {
    (void)state;
    struct why w;
    struct migration own[] = {OWN[0], OWN[1], {"012_new", "create table never ()"}, {0}};
    assert_int_equal(run(COMMON, OWN, &w), ST_OK);
    own[1].text = "insert into things values (2);";
    assert_int_equal(run(COMMON, own, &w), ST_FAILED);
    assert_non_null(strstr(w.text, "011_more"));
    assert_non_null(strstr(w.text, "changed"));
    PGconn *conn = test_connect(url);
    assert_int_equal(test_count(conn, "select count(*) from pg_class where relname = 'never'"), 0);
    assert_int_equal(test_count(conn, "select count(*) from things"), 1);
    PQfinish(conn);
}

static void a_failing_file_leaves_nothing(void **state) {
    (void)state;
    struct why w;
    struct migration own[] = {OWN[0], {"011_bad", "insert into things values (2); select 1/0;"}, {0}};
    assert_int_equal(run(COMMON, own, &w), ST_INVALID);
    assert_non_null(strstr(w.text, "011_bad"));
    assert_non_null(strstr(w.text, "division by zero"));
    PGconn *conn = test_connect(url);
    assert_int_equal(test_count(conn, "select count(*) from things"), 0);
    assert_int_equal(test_count(conn, "select count(*) from migrations"), 2);
    PQfinish(conn);
    own[1].text = "insert into things values (2);";
    assert_int_equal(run(COMMON, own, &w), ST_OK);
}

static void a_file_cannot_end_its_transaction(void **state) {
    (void)state;
    struct why w;
    struct migration own[] = {{"010_commits", "create table a (); commit; create table b ();"}, {0}};
    assert_int_equal(run(COMMON, own, &w), ST_FAILED);
    assert_non_null(strstr(w.text, "010_commits"));
}

/* Texts go through as they are: backslashes, quotes, any character. */
static void text_is_kept(void **state) {
    (void)state;
    struct why w;
    struct migration own[] = {
        {"010_quotes", "create table q as select E'a\\\\b''c' as t, '\\x41' as u, 'ü€' as v;"}, {0}};
    for (int i = 0; i < 2; i++)
        if (run(NONE, own, &w) != ST_OK) fail_msg("%s", w.text);
}

/* Replicas that start together: every one succeeds, and each file ran once. */
static void many_at_once(void **state) {
    (void)state;
    enum { PROCESSES = 8 };
    pid_t children[PROCESSES];
    struct migration own[41] = {{0}};
    for (int i = 0; i < 40; i++) {
        static char names[40][24], texts[40][96];
        snprintf(names[i], sizeof names[i], "%03d_step", 10 + i);
        snprintf(texts[i], sizeof texts[i], "insert into ground values (%d); create table t%d ();", i, i);
        own[i] = (struct migration){names[i], texts[i]};
    }
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) _exit(migrate(url, COMMON, own, NULL) == ST_OK ? 0 : 1);
    }
    for (int i = 0; i < PROCESSES; i++) {
        int how = -1;
        assert_int_equal(waitpid(children[i], &how, 0), children[i]);
        assert_int_equal(how, 0);
    }
    PGconn *conn = test_connect(url);
    assert_int_equal(test_count(conn, "select count(*) from ground"), 40);
    assert_int_equal(test_count(conn, "select count(*) from migrations"), 41);
    PQfinish(conn);
}

static void no_server(void **state) {
    (void)state;
    struct why w = {0};
    assert_int_equal(migrate("postgresql://u@127.0.0.1:1/x", COMMON, OWN, &w), ST_LOST);
    assert_true(w.text[0] != '\0');
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_once_in_order, fresh),
        cmocka_unit_test_setup(a_new_file_is_added, fresh),
        cmocka_unit_test_setup(a_changed_file_is_refused, fresh),
        cmocka_unit_test_setup(a_failing_file_leaves_nothing, fresh),
        cmocka_unit_test_setup(a_file_cannot_end_its_transaction, fresh),
        cmocka_unit_test_setup(text_is_kept, fresh),
        cmocka_unit_test_setup(many_at_once, fresh),
        cmocka_unit_test(no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
