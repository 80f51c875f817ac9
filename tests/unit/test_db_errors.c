/* db: what an error of the server means for the items of a batch, with a real Postgres. */
#include "db_fixture.h"

/* What is checked when the row is inserted, and what only when the transaction commits. */
static const char schema[] =
    "create table checked (n int primary key check (n % 1000 <> 13));"
    "create table deferred (n int primary key, parent int references deferred deferrable initially deferred);"
    "create table pair (id int primary key, n int not null);"
    "insert into pair values (1, 0), (2, 0);"
    "create sequence tries;"
    "create function fail_until(n int, code text) returns int language plpgsql as $$ begin"
    "  if nextval('tries') < n then raise exception 'not yet' using errcode = code; end if; return n; end $$";

#define FROM_ITEMS " from unnest($1::int[]) with ordinality as r (n, ordinal)"
#define BACK       " select ordinal, n, count(*) over ()" FROM_ITEMS " order by ordinal"

static const struct sql insert_checked = {"test_checked",
                                          "with ins as (insert into checked select n" FROM_ITEMS
                                          " returning 1)" BACK,
                                          1,
                                          true,
                                          fx_int,
                                          false,
                                          0};
/* A row refers to its own n, except that 13 refers to one that is not there: found out by the commit. */
static const struct sql insert_deferred = {
    "test_deferred",
    "with ins as (insert into deferred select n, case when n % 1000 = 13 then -1 else n end" FROM_ITEMS
    " returning 1)" BACK,
    1,
    true,
    fx_int,
    false,
    0};
static const struct sql divide = {"test_divide",
                                  "select ordinal, 1000 / n, count(*) over ()" FROM_ITEMS " order by ordinal",
                                  1,
                                  false,
                                  fx_int,
                                  false,
                                  0};
static const struct sql again = {"test_again",
                                 "select ordinal, fail_until(n, '40001'), count(*) over ()" FROM_ITEMS
                                 " order by ordinal",
                                 1,
                                 true,
                                 fx_int,
                                 false,
                                 0};
static const struct sql refuse = {"test_refuse",
                                  "select ordinal, fail_until(n, 'XX001'), count(*) over ()" FROM_ITEMS
                                  " order by ordinal",
                                  1,
                                  true,
                                  fx_int,
                                  false,
                                  0};
/* Locks row 2, waits for the gate, then locks row 1. */
static const struct sql swap = {
    "test_swap",
    "with two as materialized (select n from pair where id = 2 for update),"
    " gate as materialized (select pg_advisory_xact_lock_shared(" GATE ") from two),"
    " one as materialized (select p.n from pair p, gate where p.id = 1 for update of p)"
    " select ordinal, r.n + one.n, count(*) over () from one,"
    " unnest($1::int[]) with ordinality as r (n, ordinal) order by ordinal",
    1,
    true,
    fx_int,
    false,
    0};
static const struct sql count_pairs = {"test_pairs",
                                       "select r.ordinal, p.n, 0" FROM_ITEMS
                                       " join pair p on p.id = r.n order by ordinal",
                                       1,
                                       false,
                                       fx_int,
                                       false,
                                       0};

static const struct sql *const statements[] = {
    &fx_echo, &fx_gated_read, &fx_gated_write, &insert_checked, &insert_deferred,
    &divide,  &again,         &refuse,         &swap,           &count_pairs,
    NULL};

static int setup(void **state) {
    fx_group_setup(state);
    test_exec(fx_admin, schema);
    return 0;
}

static void open_db(int statement_timeout_ms) {
    struct db_options options = fx_options(statements);
    options.statement_timeout_ms = statement_timeout_ms;
    fx_open(&options);
}

/* --- the culprit alone --- */

/* Adds ns as one batch; those that are 13 (or 1013, ...) must fail, their neighbours must not. */
static void check_culprits(const struct sql *sql, const char *table, const int *ns, int count) {
    struct item *items = calloc((size_t)count, sizeof *items);
    char text[64];
    int good = 0;
    for (int i = 0; i < count; i++) {
        items[i].n = ns[i];
        assert_int_equal(fx_add(sql, &items[i]), ST_OK);
    }
    fx_until(fx_answered == count);
    fx_check_answered_once(items, count);
    for (int i = 0; i < count; i++) {
        bool culprit = ns[i] % 1000 == 13;
        assert_int_equal(items[i].st, culprit ? ST_FAILED : ST_OK);
        if (!culprit) assert_int_equal(items[i].got, ns[i]);
        good += !culprit;
    }
    snprintf(text, sizeof text, "select count(*) from %s", table);
    assert_int_equal(test_count(fx_admin, text), good);
    snprintf(text, sizeof text, "delete from %s", table);
    test_exec(fx_admin, text);
    free(items);
    fx_answered = 0;
}

/* At every place in batches of up to nine, and several in one. */
static void check_everywhere(const struct sql *sql, const char *table) {
    for (int count = 1; count <= 9; count++) {
        for (int culprit = 0; culprit < count; culprit++) {
            int ns[9];
            for (int i = 0; i < count; i++)
                ns[i] = i == culprit ? 13 : 100 + i;
            check_culprits(sql, table, ns, count);
        }
    }
    const int several[] = {1013, 1, 2, 2013, 3, 4, 5, 6, 7, 3013, 4013};
    check_culprits(sql, table, several, 11);
    const int all[] = {13, 1013, 2013};
    check_culprits(sql, table, all, 3);
}

static void only_the_culprit_fails(void **state) {
    (void)state;
    open_db(5000);
    check_everywhere(&insert_checked, "checked");
}

static void only_the_culprit_of_a_failed_commit_fails(void **state) {
    (void)state;
    open_db(5000);
    check_everywhere(&insert_deferred, "deferred");
}

/* log2(512) halvings, each of two executions: not one an item. */
static void one_culprit_costs_few_executions(void **state) {
    (void)state;
    struct item items[500] = {0};
    open_db(5000);
    int64_t before = metric_value(M_DB_BATCHES);
    fx_add_all(&divide, items, 500); /* item 0 divides by zero */
    fx_until(fx_answered == 500);
    fx_check_all(items + 1, 499, ST_OK);
    assert_int_equal(items[0].st, ST_FAILED);
    assert_int_equal(items[499].got, 1000 / 499);
    assert_true(metric_value(M_DB_BATCHES) - before <= 1 + 2 * 9);
}

/* Two items that cannot both be: which one wins is open, but one does. */
static void of_two_alike_one_wins(void **state) {
    (void)state;
    struct item items[3] = {{.n = 7}, {.n = 8}, {.n = 7}};
    open_db(5000);
    for (int i = 0; i < 3; i++)
        fx_add(&insert_checked, &items[i]);
    fx_until(fx_answered == 3);
    fx_check_answered_once(items, 3);
    assert_int_equal(items[1].st, ST_OK);
    assert_true((items[0].st == ST_OK) != (items[2].st == ST_OK));
    assert_int_equal(test_count(fx_admin, "select count(*) from checked"), 2);
    test_exec(fx_admin, "delete from checked");
}

/* The next batch is on its way behind the one that fails. */
static void a_failed_batch_leaves_the_next_alone(void **state) {
    (void)state;
    struct item bad = {.n = 13}, good[2] = {{.n = 1}, {.n = 2}};
    open_db(5000);
    fx_add(&insert_checked, &bad);
    db_flush(fx_db);
    fx_add(&insert_checked, &good[0]);
    db_flush(fx_db);
    fx_add(&insert_checked, &good[1]);
    fx_until(fx_answered == 3);
    assert_int_equal(bad.st, ST_FAILED);
    fx_check_all(good, 2, ST_OK);
    assert_int_equal(test_count(fx_admin, "select count(*) from checked"), 2);
    test_exec(fx_admin, "delete from checked");
}

/* --- not the data's fault --- */

/* The sequence counts executions: it is not rolled back. */
static void a_serialization_failure_is_tried_again(void **state) {
    (void)state;
    struct item items[5] = {0};
    open_db(5000);
    test_exec(fx_admin, "select setval('tries', 1, false)");
    for (int i = 0; i < 5; i++) {
        items[i].n = 4;
        fx_add(&again, &items[i]);
    }
    fx_until(fx_answered == 5);
    fx_check_all(items, 5, ST_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(items[i].batch, 5); /* as it was, not in pieces */
}

static void tries_are_bounded(void **state) {
    (void)state;
    struct item items[2] = {{.n = 1000}, {.n = 1000}}, next = {.n = 1};
    open_db(5000);
    test_exec(fx_admin, "select setval('tries', 1, false)");
    fx_add(&again, &items[0]);
    fx_add(&again, &items[1]);
    fx_until(fx_answered == 2);
    fx_check_all(items, 2, ST_FAILED);
    long tries = (long)test_count(fx_admin, "select last_value from tries");
    assert_in_range(tries, 3, 50);
    fx_add(&again, &next);
    fx_until(next.answers == 1);
    assert_int_equal(next.st, ST_OK);
}

/* A real deadlock: the batch holds row 2, another session holds row 1 and waits for row 2; then the batch
 * asks for row 1. Its backend looks for deadlocks long before the other's, so the batch is the one that is
 * undone. */
static void a_deadlock_is_tried_again(void **state) {
    (void)state;
    struct item items[3] = {0};
    PGconn *other = test_connect(fx_url);
    test_exec(fx_admin,
              "do $$ begin execute format('alter role current_user in database %I set deadlock_timeout = %L',"
              " current_database(), '20ms'); end $$");
    open_db(5000);
    test_exec(other, "set deadlock_timeout = '60s'; begin; update pair set n = n + 1 where id = 1");
    fx_close_gate();
    fx_add_all(&swap, items, 3);
    fx_until_at_gate(1);
    int64_t before = metric_value(M_DB_BATCHES);
    assert_int_equal(PQsendQuery(other, "update pair set n = n + 1 where id = 2"), 1);
    fx_until(test_count(fx_admin, "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
                                  " and query like 'update pair%' and datname = current_database()") == 1);
    fx_open_gate();
    while (PQisBusy(other)) { /* granted only once the batch is undone */
        fx_turn();
        PQconsumeInput(other);
    }
    PQclear(PQgetResult(other));
    assert_null(PQgetResult(other));
    assert_int_equal(fx_answered, 0);
    test_exec(other, "commit");
    fx_until(fx_answered == 3);
    fx_check_all(items, 3, ST_OK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(items[i].got, i + 1);                           /* after the other's commit */
    assert_in_range(metric_value(M_DB_BATCHES), before + 1, before + 9); /* it may be undone more than once */
    PQfinish(other);
}

/* What is nobody's data is not cut in halves: it would fail as often as there are items. */
static void an_error_of_the_server_fails_the_batch_at_once(void **state) {
    (void)state;
    struct item items[50] = {0}, next = {.n = 1};
    open_db(5000);
    int64_t before = metric_value(M_DB_BATCHES);
    test_exec(fx_admin, "select setval('tries', 1, false)");
    for (int i = 0; i < 50; i++) {
        items[i].n = 2;
        fx_add(&refuse, &items[i]);
    }
    fx_until(fx_answered == 50);
    fx_check_all(items, 50, ST_FAILED);
    assert_int_equal(metric_value(M_DB_BATCHES), before + 1);
    fx_add(&refuse, &next);
    fx_until(next.answers == 1);
    assert_int_equal(next.st, ST_OK);
}

/* --- time --- */

static void a_statement_that_takes_too_long_times_out(void **state) {
    (void)state;
    struct item items[3] = {0}, next = {.n = 4};
    open_db(200);
    fx_close_gate();
    int64_t reconnects = metric_value(M_DB_RECONNECTS);
    fx_add_all(&fx_gated_write, items, 3);
    fx_until(fx_answered == 3);
    fx_check_all(items, 3, ST_TIMEOUT);
    fx_open_gate();
    assert_true(db_ready(fx_db));
    fx_add(&fx_gated_write, &next);
    fx_until(next.answers == 1);
    assert_int_equal(next.st, ST_OK);
    assert_int_equal(metric_value(M_DB_RECONNECTS), reconnects);
}

static int depth;

/* However many batches are answered at once, no answer comes within another. */
static void flushing(void *ctx, enum status st, const struct rows *rows) {
    assert_int_equal(depth++, 0);
    fx_done(ctx, st, rows);
    db_flush(fx_db);
    depth--;
}

/* Each execution takes its full time to fail: without a bound the last of many would wait for all before it.
 */
static void what_waits_too_long_times_out_unsent(void **state) {
    (void)state;
    enum { COUNT = 60 };
    struct item items[COUNT] = {0};
    struct db_options options = fx_options(statements);
    options.statement_timeout_ms = 300;
    options.batch_items = 1;
    fx_open(&options);
    fx_close_gate();
    int64_t begin = clock_mono_us(), before = metric_value(M_DB_BATCHES);
    for (int i = 0; i < COUNT; i++) {
        enum status st;
        put_int(db_add(fx_db, &fx_gated_write, flushing, &items[i], &st), i);
    }
    fx_until(fx_answered == COUNT);
    fx_check_all(items, COUNT, ST_TIMEOUT);
    assert_in_range(clock_mono_us() - begin, 300000, 300000 * COUNT / 4);
    assert_in_range(metric_value(M_DB_BATCHES) - before, 1, COUNT / 4);
    fx_open_gate();
}

/* --- the schema changes under us --- */

static void a_changed_column_type_is_healed_by_connecting_again(void **state) {
    (void)state;
    struct item item = {.n = 1}, next = {.n = 2};
    open_db(5000);
    fx_add(&count_pairs, &item);
    fx_until(item.answers == 1);
    assert_int_equal(item.st, ST_OK);
    test_exec(fx_admin, "alter table pair alter n type bigint");
    item = (struct item){.n = 1};
    fx_add(&count_pairs, &item);
    fx_until(item.answers == 1);
    assert_int_equal(item.st, ST_LOST); /* "cached plan must not change result type" */
    fx_until(db_ready(fx_db));
    fx_add(&count_pairs, &next);
    fx_until(next.answers == 1);
    assert_int_equal(next.st, ST_OK);
    test_exec(fx_admin, "alter table pair alter n type int");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        TEST(only_the_culprit_fails),
        TEST(only_the_culprit_of_a_failed_commit_fails),
        TEST(one_culprit_costs_few_executions),
        TEST(of_two_alike_one_wins),
        TEST(a_failed_batch_leaves_the_next_alone),
        TEST(a_serialization_failure_is_tried_again),
        TEST(tries_are_bounded),
        TEST(a_deadlock_is_tried_again),
        TEST(an_error_of_the_server_fails_the_batch_at_once),
        TEST(a_statement_that_takes_too_long_times_out),
        TEST(what_waits_too_long_times_out_unsent),
        TEST(a_changed_column_type_is_healed_by_connecting_again),
    };
    return cmocka_run_group_tests(tests, setup, fx_group_teardown);
}
