/* The transaction of a batch, against a real Postgres. */
#include <sys/wait.h>

#include "clock.h"
#include "migrate.h"
#include "pg_test.h"
#include "priv/commit.h"

/* A thing counts how often it was touched, and remembers by what, in order. */
static const char TABLES[] =
    "create table things (id text primary key, log text not null, touched int not null);"
    "create table limits (id text primary key references things deferrable initially deferred)";

struct event {
    const char *id, *what;
};

static void bind(struct sql_params *item, const void *event, struct str traceparent) {
    const struct event *e = event;
    (void)traceparent;
    put_text(item, str_of(e->id));
    put_text(item, str_of(e->what));
}

static const uint32_t TEXTS[] = {25, 25};
static const struct sql TOUCH = {
    .name = "on_touch",
    .text = "insert into things as t (id, log, touched)"
            " select id, what, 1 from unnest($1::text[], $2::text[]) as e (id, what) order by id"
            " on conflict (id) do update set log = right(t.log || excluded.log, 100), touched = t.touched + 1"
            " returning repeat('x', 4000)", /* answers that nobody reads, to fill buffers with */
    .nparams = 2,
    .types = TEXTS,
};
static const struct sql LIMIT = {
    .name = "on_limit",
    .text = "insert into limits select id from unnest($1::text[], $2::text[]) as e (id, what)",
    .nparams = 2,
    .types = TEXTS,
};
static const struct topic TOPIC = {.name = "things"};
static const struct reaction REACTIONS[] = {{&TOPIC, 0, &TOUCH, bind}, {&TOPIC, 1, &LIMIT, bind}, {0}};

static const struct migrate_file TABLES_OF_THINGS[] = {{"010_things", TABLES}, {0}}, NONE[] = {{0}};
static const struct migrate_set THINGS = {TABLES_OF_THINGS, NONE};

enum { CAPACITY = 2000 };
static char url[256];
static PGconn *conn, *watcher;
static struct batch batch;
static struct sql_params positions;

static PGconn *open_it(void) {
    struct why w = {0};
    PGconn *c = commit_open(url, "test", &batch, &w);
    if (c == NULL) fail_msg("%s", w.text);
    return c;
}

static int setup(void **state) {
    (void)state;
    struct why w = {0};
    test_create_database("commit", url, sizeof url);
    if (migrate(url, NULL, (const struct migrate_set *const[]){&consumer_schema, &THINGS, NULL}, &w) != ST_OK)
        fail_msg("%s", w.text);
    batch_init(&batch, REACTIONS, CAPACITY);
    commit_positions_init(&positions);
    watcher = test_connect(url);
    conn = open_it();
    return 0;
}

static int teardown(void **state) {
    (void)state;
    batch_free(&batch);
    sql_params_free(&positions);
    PQfinish(conn);
    PQfinish(watcher);
    return 0;
}

static long long position(int partition) {
    char text[128];
    snprintf(text, sizeof text,
             "select next_offset from consumer_offsets where topic = 'things' and partition = %d", partition);
    return test_count(watcher, text);
}

static void read_places(int64_t expected0, int64_t expected1) {
    struct why w = {0};
    struct commit_place places[] = {{"things", 1, -1}, {"things", 0, -1}};
    enum status st = commit_places(conn, places, 2, &w);
    if (st != ST_OK) fail_msg("%s: %s", status_text(st), w.text);
    assert_int_equal(places[1].next, expected0);
    assert_int_equal(places[0].next, expected1);
}

static void begin(void) {
    batch_reset(&batch);
    sql_params_reset(&positions);
}

static void touch(const char *id, const char *what) {
    const struct event e = {id, what};
    batch_record(&batch, 0, 1);
    batch_effect(&batch, &REACTIONS[0], str_of(id), &e, (struct str){0});
}

static enum status send(struct why *w) {
    *w = (struct why){0};
    return commit_batch(conn, &positions, &batch, w);
}

static void must_send(void) {
    struct why w;
    enum status st = send(&w);
    if (st != ST_OK) fail_msg("%s: %s", status_text(st), w.text);
}

static void positions_and_effects(void **state) {
    (void)state;
    read_places(0, 0);
    begin();
    touch("a", "1");
    touch("b", "1");
    touch("a", "2");
    touch("a", "3");
    commit_put_position(&positions, "things", 0, 0, 3);
    commit_put_position(&positions, "things", 1, 0, 1);
    must_send();
    read_places(3, 1);
    assert_int_equal(
        test_count(watcher, "select count(*) from things where (id, log) in (('a', '123'), ('b', '1'))"), 2);
}

/* A statement that libpq does not take (here as it has no name; else for want of memory): no position moves.
 */
static void what_cannot_be_sent_is_not_passed_over(void **state) {
    (void)state;
    struct why w;
    struct sql nameless = TOUCH;
    nameless.name = NULL;
    read_places(0, 0);
    begin();
    touch("a", "1");
    commit_put_position(&positions, "things", 0, 0, 1);
    batch.statements[0].runs[0].sql = &nameless;
    assert_int_equal(send(&w), ST_FAILED);
    batch.statements[0].runs[0].sql = &TOUCH;
    PQfinish(conn);
    conn = open_it();
    read_places(0, 0);
    must_send();
    read_places(1, 0);
}

/* Positions that are not where we left them: nothing of the batch happened, and the connection goes on. */
static void fenced(void **state) {
    (void)state;
    struct why w;
    read_places(0, 0);
    test_exec(watcher, "update consumer_offsets set next_offset = 5 where partition = 1");
    begin();
    touch("a", "1");
    commit_put_position(&positions, "things", 0, 0, 3);
    commit_put_position(&positions, "things", 1, 0, 1);
    assert_int_equal(send(&w), ST_FENCED);
    assert_int_equal(test_count(watcher, "select count(*) from things"), 0);
    read_places(0, 5);
    begin();
    touch("a", "1");
    commit_put_position(&positions, "things", 1, 5, 6);
    must_send();
    assert_int_equal(test_count(watcher, "select count(*) from things"), 1);
}

/* A partition nobody has a position of cannot be moved. */
static void unknown_position_is_fenced(void **state) {
    (void)state;
    struct why w;
    begin();
    touch("a", "1");
    commit_put_position(&positions, "things", 7, 0, 3);
    assert_int_equal(send(&w), ST_FENCED);
    assert_int_equal(test_count(watcher, "select count(*) from things"), 0);
}

/* The last of many statements fails, or the commit itself: all is undone, the reason is the first one. */
static void an_error_undoes_all(void **state) {
    (void)state;
    struct why w;
    for (int at_commit = 0; at_commit < 2; at_commit++) {
        read_places(0, 0);
        begin();
        touch("a", "1");
        touch("a", "2");
        const struct event e = {at_commit ? "nobody" : "nul\xff", ""};
        batch_record(&batch, 0, 1);
        batch_effect(&batch, &REACTIONS[1], STR("other"), &e, (struct str){0});
        commit_put_position(&positions, "things", 0, 0, 3);
        assert_int_equal(send(&w), ST_INVALID);
        assert_non_null(strstr(w.text, at_commit ? "foreign key" : "encoding"));
        assert_int_equal(position(0), 0);
        assert_int_equal(test_count(watcher, "select count(*) from things"), 0);
    }
    begin();
    touch("a", "1");
    commit_put_position(&positions, "things", 0, 0, 1);
    must_send();
}

static void dead_letters_are_kept(void **state) {
    (void)state;
    const struct batch_dead_letter letters[] = {
        {.topic = "things", .partition = 0, .offset = 0, .key = {"k\0\xff", 3}, .value = {"\0v", 2}},
        {.topic = "things", .partition = 0, .offset = 1, .null_key = true, .null_value = true},
    };
    for (int again = 0; again < 2; again++) { /* the second time they are there already */
        read_places(0, 0);
        begin();
        touch("a", "1");
        for (int i = 0; i < 2; i++) {
            batch_record(&batch, 0, 1);
            batch_dead_letter(&batch, &letters[i], "it is no good");
        }
        commit_put_position(&positions, "things", 0, 0, 3);
        must_send();
        test_exec(watcher, "update consumer_offsets set next_offset = 0");
    }
    assert_int_equal(test_count(watcher, "select touched from things"), 2);
    assert_int_equal(
        test_count(watcher,
                   "select count(*) from dead_letters where reason = 'it is no good' and topic = 'things'"
                   " and ((\"offset\" = 0 and key = '\\x6b00ff' and value = '\\x0076')"
                   "   or (\"offset\" = 1 and key is null and value is null))"),
        2);
}

/* Far more than either side's buffers hold, in one pipeline, with answers as large: a single key makes a
 * statement a record. */
static void a_large_pipeline(void **state) {
    (void)state;
    static char what[8192];
    memset(what, 'x', sizeof what - 1);
    read_places(0, 0);
    begin();
    for (int i = 0; i < CAPACITY; i++)
        touch("a", i % 2 == 0 ? what : "y");
    assert_int_equal(batch.runs, CAPACITY);
    commit_put_position(&positions, "things", 0, 0, CAPACITY);
    must_send();
    assert_int_equal(test_count(watcher, "select touched from things"), CAPACITY);
    read_places(CAPACITY, 0);
}

static pid_t child_that_sends(void) {
    fflush(NULL);
    pid_t child = fork();
    if (child != 0) return child;
    struct why w;
    conn = commit_open(url, "test", &batch, &w);
    _exit(conn == NULL ? 100 : (int)send(&w));
}

static int end_of(pid_t child) {
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFEXITED(how));
    return WEXITSTATUS(how);
}

/* Other tests use the server, too. */
#define OF_OURS_WAIT "from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
static const char WHO_WAITS[] = "select count(*) " OF_OURS_WAIT;

static void await_count(const char *query, long long least) {
    int64_t limit = clock_mono_us() + 20 * 1000000LL;
    while (test_count(watcher, query) < least)
        assert_true(clock_mono_us() < limit);
}

/* Two that believe to own the partition: whoever is second does nothing, even when both are under way at
 * once. */
static void one_of_two_wins(void **state) {
    (void)state;
    read_places(0, 0);
    begin();
    touch("a", "1");
    commit_put_position(&positions, "things", 0, 0, 1);
    for (int round = 0; round < 10; round++) {
        test_exec(watcher, "update consumer_offsets set next_offset = 0");
        /* Both wait for this row when it is let go. */
        PGconn *gate = test_connect(url);
        test_exec(gate, "begin; select from consumer_offsets for update");
        pid_t first = child_that_sends(), second = child_that_sends();
        await_count(WHO_WAITS, 2);
        test_exec(gate, "commit");
        PQfinish(gate);
        int ends = end_of(first) * 100 + end_of(second);
        assert_true(ends == ST_FENCED || ends == ST_FENCED * 100);
        assert_int_equal(test_count(watcher, "select touched from things"), round + 1);
    }
}

static void a_killed_connection_is_lost(void **state) {
    (void)state;
    struct why w;
    char text[64];
    read_places(0, 0);
    snprintf(text, sizeof text, "select pg_terminate_backend(%d, 10000)", PQbackendPID(conn));
    test_exec(watcher, text);
    begin();
    touch("a", "1");
    commit_put_position(&positions, "things", 0, 0, 1);
    assert_int_equal(send(&w), ST_LOST);
    assert_true(w.text[0] != '\0');
    PQfinish(conn);
    conn = open_it();
    read_places(0, 0);
}

/* Killed while a statement of the pipeline is being run. */
static void killed_half_way(void **state) {
    (void)state;
    read_places(0, 0);
    begin();
    touch("a", "1");
    commit_put_position(&positions, "things", 0, 0, 1);
    PGconn *gate = test_connect(url);
    test_exec(gate, "begin; insert into things values ('a', '', 0)");
    pid_t child = child_that_sends();
    await_count("select count(pg_terminate_backend(pid)) " OF_OURS_WAIT, 1);
    assert_int_equal(end_of(child), ST_LOST);
    PQfinish(gate);
    read_places(0, 0);
    assert_int_equal(test_count(watcher, "select count(*) from things"), 0);
}

/* The other one holds b and wants a; ours holds a and wants b, and looks once, a second later, whether that
 * is a deadlock. How ours ends. */
static int end_in_a_deadlock(void) {
    PGconn *other = test_connect(url);
    test_exec(other,
              "set deadlock_timeout = '1h'; begin; update things set touched = touched where id = 'b'");
    pid_t child = child_that_sends();
    await_count(WHO_WAITS, 1);
    test_exec(other, "update things set touched = touched where id = 'a'");
    int end = end_of(child);
    test_exec(other, "commit");
    PQfinish(other);
    return end;
}

static void a_deadlock_can_be_sent_again(void **state) {
    (void)state;
    struct why w;
    read_places(0, 0);
    test_exec(watcher, "insert into things values ('a', '', 0), ('b', '', 0)");
    begin();
    touch("a", "1");
    touch("a", "2"); /* b comes in the same run as a's first, so the order a, b needs a second run for b */
    touch("b", "1");
    touch("b", "2");
    commit_put_position(&positions, "things", 0, 0, 4);
    int end = ST_OK, tries = 10; /* where the machine is slow the other comes after that look */
    while (end != ST_AGAIN && tries-- > 0)
        end = end_in_a_deadlock();
    assert_int_equal(end, ST_AGAIN);
    assert_int_equal(send(&w), ST_OK);
    assert_int_equal(test_count(watcher, "select sum(touched) from things"), 4);
}

static void a_missing_table_is_said(void **state) {
    (void)state;
    struct why w = {0};
    char other[256];
    test_create_database("empty", other, sizeof other);
    assert_null(commit_open(other, "test", &batch, &w));
    assert_non_null(strstr(w.text, "consumer_offsets"));
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(positions_and_effects),
        T(what_cannot_be_sent_is_not_passed_over),
        T(fenced),
        T(unknown_position_is_fenced),
        T(an_error_undoes_all),
        T(dead_letters_are_kept),
        T(a_large_pipeline),
        T(one_of_two_wins),
        T(a_killed_connection_is_lost),
        T(killed_half_way),
        T(a_deadlock_can_be_sent_again),
        T(a_missing_table_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
