#include <sys/wait.h>

#include "migrate.h"
#include "pg_test.h"

static char url[256];

static const struct migrate_file COMMON[] = {
    {"001_ground", "create table ground (id int primary key);"},
    {0},
};
static const struct migrate_file OWN[] = {
    {"010_things", "create table things (id int references ground); insert into ground values (1), (2);"},
    {"011_more", "insert into things values (1);"},
    {0},
};
static const struct migrate_file NONE[] = {{0}};

/* As a service with one set of common/ below its own. */
static enum status run_sets(const struct migrate_set *common, const struct migrate_set *own, struct why *w) {
    *w = (struct why){0};
    return migrate(url, NULL, (const struct migrate_set *const[]){common, own, NULL}, w);
}

static enum status run(const struct migrate_file *common, const struct migrate_file *own, struct why *w) {
    return run_sets(&(struct migrate_set){common, NONE}, &(struct migrate_set){own, NONE}, w);
}

static void run_ok(const struct migrate_set *common, const struct migrate_set *own) {
    struct why w;
    if (run_sets(common, own, &w) != ST_OK) fail_msg("%s", w.text);
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
    struct migrate_file own[] = {OWN[0], {0}, {0}};
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
    struct migrate_file own[] = {OWN[0], OWN[1], {"012_new", "create table never ()"}, {0}};
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
    struct migrate_file own[] = {OWN[0], {"011_bad", "insert into things values (2); select 1/0;"}, {0}};
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
    struct migrate_file own[] = {{"010_commits", "create table a (); commit; create table b ();"}, {0}};
    assert_int_equal(run(COMMON, own, &w), ST_FAILED);
    assert_non_null(strstr(w.text, "010_commits"));
}

/* Texts go through as they are: backslashes, quotes, any character. */
static void text_is_kept(void **state) {
    (void)state;
    struct why w;
    struct migrate_file own[] = {
        {"010_quotes", "create table q as select E'a\\\\b''c' as t, '\\x41' as u, 'ü€' as v;"}, {0}};
    for (int i = 0; i < 2; i++)
        if (run(NONE, own, &w) != ST_OK) fail_msg("%s", w.text);
}

/* Replicas that start together: every one succeeds, and each file ran once. */
static void many_at_once(void **state) {
    (void)state;
    enum { PROCESSES = 8 };
    pid_t children[PROCESSES];
    struct migrate_file own[41] = {{0}};
    for (int i = 0; i < 40; i++) {
        static char names[40][24], texts[40][96];
        snprintf(names[i], sizeof names[i], "%03d_step", 10 + i);
        snprintf(texts[i], sizeof texts[i], "insert into ground values (%d); create table t%d ();", i, i);
        own[i] = (struct migrate_file){names[i], texts[i]};
    }
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct why w;
            _exit(run(COMMON, own, &w) == ST_OK ? 0 : 1);
        }
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

/* --- functions --- */

/* A function of SQL that calls another one, whose name comes later. */
#define PRICE(body)                                                                                          \
    { "price", "create or replace function price(n int) returns int language sql as $$" body "$$" }
#define TAX(body)                                                                                            \
    { "tax", "create or replace function tax(n int) returns int language sql as $$" body "$$" }

static const struct migrate_set GROUND = {COMMON, NONE};
static const struct migrate_file FIRST_TEXTS[] = {PRICE("select n + tax(n)"), TAX("select n / 5"), {0}};
static const struct migrate_file SECOND_TEXTS[] = {PRICE("select n + tax(n)"), TAX("select n / 4"), {0}};
static const struct migrate_set FIRST = {OWN, FIRST_TEXTS}, SECOND = {OWN, SECOND_TEXTS};

static long long count(const char *text) {
    PGconn *conn = test_connect(url);
    long long n = test_count(conn, text);
    PQfinish(conn);
    return n;
}

/* When the transaction of the last migrate that applied it began; 0: never. */
static long long applied_at(const char *name) {
    char text[128];
    snprintf(
        text, sizeof text,
        "select coalesce(max(extract(epoch from applied_at) * 1000000), 0)::bigint from functions where name = '%s'",
        name);
    return count(text);
}

static void a_function_that_changed_is_replaced(void **state) {
    (void)state;
    run_ok(&GROUND, &FIRST);
    assert_int_equal(count("select price(100)"), 120);
    long long price_at = applied_at("price"), tax_at = applied_at("tax");
    run_ok(&GROUND, &SECOND);
    assert_int_equal(count("select price(100)"), 125);
    assert_int_equal(count("select count(*) from things"), 1);
    assert_true(applied_at("tax") > tax_at);
    assert_int_equal(applied_at("price"), price_at);
}

static void the_same_text_is_not_applied_again(void **state) {
    (void)state;
    run_ok(&GROUND, &FIRST);
    long long made = count("select xmin::text::bigint from pg_proc where proname = 'tax'");
    run_ok(&GROUND, &FIRST);
    assert_int_equal(count("select xmin::text::bigint from pg_proc where proname = 'tax'"), made);
}

/* A migration made it, as immutable text; from then on the file has the last word. */
static void a_function_of_a_migration_is_replaced(void **state) {
    (void)state;
    const struct migrate_file own[] = {
        {"010_price", "create function price(n int) returns int language sql as $$select 1$$"}, {0}};
    const struct migrate_file texts[] = {PRICE("select 2"), {0}};
    run_ok(&GROUND, &(struct migrate_set){own, texts});
    assert_int_equal(count("select price(100)"), 2);
}

/* Back to the version before, which knows neither the newer migration nor the newer function. */
static void an_older_set_puts_its_functions_back(void **state) {
    (void)state;
    const struct migrate_file own[] = {OWN[0], OWN[1], {"012_more", "create table newer ()"}, {0}};
    const struct migrate_file texts[] = {
        PRICE("select n + 1 + fee()"),
        SECOND_TEXTS[1],
        {"fee", "create or replace function fee() returns int language sql as $$select 3$$"},
        {0}};
    const struct migrate_set newer = {own, texts};
    run_ok(&GROUND, &FIRST);
    run_ok(&GROUND, &newer);
    assert_int_equal(count("select price(100)"), 104);
    run_ok(&GROUND, &FIRST);
    assert_int_equal(count("select price(100)"), 120);
    assert_int_equal(count("select fee()"), 3);
    run_ok(&GROUND, &newer);
    assert_int_equal(count("select price(100)"), 104);
}

/* It was taken out of the files, and dropped a release later: the first version still finds it missing. */
static void a_function_that_a_migration_dropped_comes_back(void **state) {
    (void)state;
    const struct migrate_file drops[] = {
        OWN[0], OWN[1], {"012_drop", "drop function price(int), tax(int)"}, {0}};
    run_ok(&GROUND, &FIRST);
    run_ok(&GROUND, &(struct migrate_set){drops, NONE});
    assert_int_equal(count("select count(*) from pg_proc where proname in ('price', 'tax')"), 0);
    run_ok(&GROUND, &FIRST);
    assert_int_equal(count("select price(100)"), 120);
}

static void a_broken_function_changes_nothing(void **state) {
    (void)state;
    static const struct {
        struct migrate_file file;
        const char *words[2];
    } broken[] = {
        {TAX("selekt 1"), {"functions/tax.sql", "selekt"}},
        {TAX("select * from nowhere"), {"functions/tax.sql", "nowhere"}},
        {{"tax",
          "create or replace function tax(n int) returns int language plpgsql as $$ begin retrn 1; end $$"},
         {"functions/tax.sql", "retrn"}},
        {{"tax", "create or replace function tax(n int) returns text language sql as $$select ''$$"},
         {"functions/tax.sql", "give the new one another name"}},
        {{"tax", "create or replace function tax(m int) returns int language sql as $$select 1$$"},
         {"functions/tax.sql", "give the new one another name"}},
    };
    run_ok(&GROUND, &FIRST);
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        const struct migrate_file texts[] = {PRICE("select -1"), broken[i].file, {0}};
        struct why w;
        assert_int_not_equal(run_sets(&GROUND, &(struct migrate_set){OWN, texts}, &w), ST_OK);
        for (int word = 0; word < 2; word++)
            if (strstr(w.text, broken[i].words[word]) == NULL) fail_msg("%s", w.text);
        assert_int_equal(count("select price(100)"), 120);
    }
    run_ok(&GROUND, &SECOND);
    assert_int_equal(count("select price(100)"), 125);
}

static void a_function_cannot_end_its_transaction(void **state) {
    (void)state;
    struct why w;
    const struct migrate_file texts[] = {{"tax", "commit"}, {0}};
    assert_int_equal(run_sets(&GROUND, &(struct migrate_set){OWN, texts}, &w), ST_FAILED);
    assert_non_null(strstr(w.text, "functions/tax.sql: it ends the transaction"));
}

/* Replicas of two versions that start together: what is there then is all of one of them. */
static void two_versions_at_once(void **state) {
    (void)state;
    enum { PROCESSES = 8 };
    static const struct migrate_file ones[] = {PRICE("select 1"), TAX("select 1"), {0}};
    static const struct migrate_file twos[] = {PRICE("select 2"), TAX("select 2"), {0}};
    const struct migrate_set versions[] = {{OWN, ones}, {OWN, twos}};
    pid_t children[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            struct why w;
            _exit(run_sets(&GROUND, &versions[i % 2], &w) == ST_OK ? 0 : 1);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        int how = -1;
        assert_int_equal(waitpid(children[i], &how, 0), children[i]);
        assert_int_equal(how, 0);
    }
    assert_int_equal(count("select price(0)"), count("select tax(0)"));
    assert_int_equal(count("select count(*) from functions"), 2);
}

/* --- the role that serves --- */

/* As url, by another role, which is made. */
static void make_role(const char *role, const char *options, char *out, size_t size) {
    char text[256];
    PGconn *conn = test_connect(url);
    snprintf(text, sizeof text, "create role %s_%d %s", role, (int)getpid(), options);
    test_exec(conn, text);
    PQfinish(conn);
    snprintf(out, size, "postgresql://%s_%d%s", role, (int)getpid(), strchr(url, '@'));
}

static void refuse(PGconn *conn, const char *text) {
    PGresult *res = PQexec(conn, text);
    const char *code = PQresultErrorField(res, PG_DIAG_SQLSTATE);
    if (code == NULL || strcmp(code, "42501") != 0) /* insufficient_privilege */
        fail_msg("%s: %s", text, code != NULL ? PQerrorMessage(conn) : "was done");
    PQclear(res);
}

static void check_that_it_serves(const char *serving) {
    static const char *const beyond[] = {
        "create table mine (n int)",
        "create function mine() returns int language sql as 'select 1'",
        "create schema mine",
        "drop table things",
        "alter table things add n int",
        "alter table things disable trigger all",
        "create index on things (id)",
        "truncate things",
        "create publication mine for table things",
        "delete from migrations",
        "update functions set checksum = ''",
        "create role mine",
    };
    PGconn *conn = test_connect(serving);
    test_exec(conn, "insert into numbered (name) values ('a'); update things set id = 2; delete from things;"
                    "select price(1); select * from migrations");
    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
        refuse(conn, beyond[i]);
    PQfinish(conn);
}

static const struct migrate_file SERVED[] = {
    {"010_things", "create table things (id int);"
                   "create table numbered (n bigint generated always as identity, s serial, name text);"},
    {0}};
static const struct migrate_file SERVED_LATER[] = {{"011_more", "create table more (n int);"}, {0}};
static const struct migrate_file SERVED_BY[] = {
    {"price", "create or replace function price(n int) returns int language sql as 'select n'"}, {0}};

static void migrate_for(const char *serving, const struct migrate_file *files) {
    struct why w;
    const struct migrate_set *const sets[] = {&(struct migrate_set){files, SERVED_BY}, NULL};
    if (migrate(url, serving, sets, &w) != ST_OK) fail_msg("%s", w.text);
}

static void who_serves_reads_and_writes_and_no_more(void **state) {
    (void)state;
    char serving[256];
    make_role("serving", "login", serving, sizeof serving);
    migrate_for(serving, SERVED);
    check_that_it_serves(serving);
    migrate_for(serving, SERVED_LATER); /* what comes later, too */
    PGconn *conn = test_connect(serving);
    test_exec(conn, "insert into more values (1)");
    PQfinish(conn);
}

/* A login may act as another role: that one serves, and whoever acts as it next. */
static void the_role_that_a_login_acts_as_serves(void **state) {
    (void)state;
    char acting[256], text[256];
    int pid = (int)getpid();
    make_role("serves", "nologin", acting, sizeof acting);
    make_role("acting", "login", acting, sizeof acting);
    snprintf(text, sizeof text, "grant serves_%d to acting_%d; alter role acting_%d set role serves_%d", pid,
             pid, pid, pid);
    PGconn *conn = test_connect(url);
    test_exec(conn, text);
    PQfinish(conn);
    migrate_for(acting, SERVED);
    snprintf(text, sizeof text, "select has_table_privilege('serves_%d', 'things', 'insert')::int", pid);
    assert_int_equal(count(text), 1);
    check_that_it_serves(acting);
}

static void no_server(void **state) {
    (void)state;
    struct why w = {0};
    const struct migrate_set *const sets[] = {NULL};
    assert_int_equal(migrate("postgresql://u@127.0.0.1:1/x", NULL, sets, &w), ST_LOST);
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
        cmocka_unit_test_setup(a_function_that_changed_is_replaced, fresh),
        cmocka_unit_test_setup(the_same_text_is_not_applied_again, fresh),
        cmocka_unit_test_setup(a_function_of_a_migration_is_replaced, fresh),
        cmocka_unit_test_setup(an_older_set_puts_its_functions_back, fresh),
        cmocka_unit_test_setup(a_function_that_a_migration_dropped_comes_back, fresh),
        cmocka_unit_test_setup(a_broken_function_changes_nothing, fresh),
        cmocka_unit_test_setup(a_function_cannot_end_its_transaction, fresh),
        cmocka_unit_test_setup(two_versions_at_once, fresh),
        cmocka_unit_test_setup(who_serves_reads_and_writes_and_no_more, fresh),
        cmocka_unit_test_setup(the_role_that_a_login_acts_as_serves, fresh),
        cmocka_unit_test(no_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
