/* http: requests that wait, for other threads and for the database, and what becomes of them when the server
 * drains. */
#include "http_fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "pg_test.h"
#include "priv/db_metrics.h"

static char url[512];
static PGconn *admin;

/* --- statements --- */

static const uint32_t ints[] = {23};
static const struct sql echo = {
    "echo", "select ordinal, n from unnest($1::int[]) with ordinality as r (n, ordinal) order by ordinal",
    1,      false,
    ints,   false,
    0};
static const struct sql gated = {
    "gated",
    "with gate as materialized (select pg_advisory_xact_lock_shared(7))"
    " select ordinal, n from gate, unnest($1::int[]) with ordinality as r (n, ordinal)"
    " order by ordinal",
    1,
    true,
    ints,
    false,
    0};
static const struct sql failing = {
    "failing",
    "select ordinal, 1 / n from unnest($1::int[]) with ordinality as r (n, ordinal) order by ordinal",
    1,
    false,
    ints,
    false,
    0};
static const struct sql *const statements[] = {&echo, &gated, &failing, NULL};

/* --- handlers --- */

static void say_rows(struct req *rq, const struct rows *rows) {
    struct json *j = req_json(rq);
    json_open(j, '[');
    for (int i = 0; i < rows->count; i++)
        json_int(j, row_int(rows, i, 1));
    json_close(j, ']');
    req_reply(rq, 200);
}

static void join(struct req *rq, const struct sql *sql, req_done *done) {
    struct str n = STR("1");
    req_query(rq, "n", &n);
    struct sql_params *item = req_exec(rq, sql, done);
    if (item != NULL) put_int(item, atoi(n.p));
}

static void ask_echo(struct req *rq) {
    join(rq, &echo, say_rows);
}

static void ask_gated(struct req *rq) {
    join(rq, &gated, say_rows);
}

static void ask_failing(struct req *rq) {
    join(rq, &failing, say_rows);
}

static void then_ask_again(struct req *rq, const struct rows *rows) {
    if (rows->count != 1) abort();
    join(rq, &echo, say_rows);
}

static void ask_in_turn(struct req *rq) {
    join(rq, &echo, then_ask_again);
}

static void count_done(struct req *rq, const struct rows *rows) {
    int *done = req_state(rq);
    if (++*done == 3) say_rows(rq, rows);
}

static void ask_three_at_once(struct req *rq) {
    req_set_state(rq, req_alloc(rq, sizeof(int)));
    for (int i = 0; i < 3; i++)
        join(rq, &echo, count_done);
}

static _Atomic int done_late;

static void count_late(struct req *rq, const struct rows *rows) {
    (void)rq;
    (void)rows;
    done_late++;
}

static void ask_good_and_bad(struct req *rq) {
    join(rq, &failing, say_rows);
    join(rq, &gated, count_late);
}

static void forget_after_all(struct req *rq, const struct rows *rows) {
    (void)rq;
    (void)rows;
}

static void ask_and_forget(struct req *rq) {
    join(rq, &echo, forget_after_all);
}

/* --- held requests: the test resumes them --- */

static struct req *_Atomic held;
static _Atomic int resumed;

static void hold(struct req *rq) {
    req_hold(rq);
    held = rq;
}

static void say_argument(struct req *rq, void *arg) {
    resumed++;
    json_text(req_json(rq), str_of(arg));
    req_reply(rq, 200);
}

static struct req *take_held(void) {
    hx_until(held != NULL);
    return atomic_exchange(&held, NULL);
}

static void *resume_soon(void *rq) {
    req_resume(rq, say_argument, "from a thread");
    return NULL;
}

static void work_elsewhere(struct req *rq) {
    pthread_t thread;
    req_hold(rq);
    pthread_create(&thread, NULL, resume_soon, rq);
    pthread_detach(thread);
}

static void say_hello(struct req *rq) {
    json_text(req_json(rq), STR("hello"));
    req_reply(rq, 200);
}

static const struct route routes[] = {
    {"GET", "/hello", say_hello, 0},
    {"GET", "/echo", ask_echo, 0},
    {"GET", "/gated", ask_gated, 0},
    {"GET", "/failing", ask_failing, 0},
    {"GET", "/in-turn", ask_in_turn, 0},
    {"GET", "/three", ask_three_at_once, 0},
    {"GET", "/good-bad", ask_good_and_bad, 0},
    {"GET", "/forget", ask_and_forget, 0},
    {"GET", "/hold", hold, 0},
    {"GET", "/elsewhere", work_elsewhere, 0},
    {0},
};

/* --- the server, with or without its database --- */

static void start(struct db_options db) {
    if (db.url == NULL) db.url = url;
    if (db.statements == NULL) db.statements = statements;
    if (db.statement_timeout_ms == 0) db.statement_timeout_ms = 20000;
    if (db.queue_items == 0) db.queue_items = 1000;
    if (db.batch_items == 0) db.batch_items = 100;
    hx_start((struct http_options){.routes = routes, .db = db});
}

static void start_ready(struct db_options db) {
    start(db);
    hx_until(http_ready(hx, NULL));
}

static void start_alone(void) {
    struct why w = {0};
    hx_start((struct http_options){.routes = routes});
    assert_true(http_ready(hx, &w));
}

static int stop(void **state) {
    (void)state;
    if (hx != NULL) hx_stop();
    if (admin != NULL) test_exec(admin, "select pg_advisory_unlock_all()");
    return 0;
}

static void until_at_gate(void) {
    hx_until(test_count(admin, "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and "
                               "datname = current_database()") > 0);
}

/* --- the database --- */

static void rows_come_back(void **state) {
    (void)state;
    start_ready((struct db_options){0});
    hx_expect(hx_get("/echo?n=42"), 200, "[42]");
    hx_expect(hx_get("/in-turn?n=5"), 200, "[5]");
    hx_expect(hx_get("/three?n=6"), 200, "[6]");
    hx_expect_error(hx_get("/forget"), 500, "Internal error");
    struct hx_conn *all[50];
    for (int i = 0; i < 50; i++) {
        char path[32];
        sprintf(path, "/echo?n=%d", i);
        all[i] = hx_begin(path);
    }
    for (int i = 0; i < 50; i++) {
        char wanted[16];
        sprintf(wanted, "[%d]", i);
        hx_expect(hx_receive(all[i], false), 200, wanted);
        hx_close(all[i]);
    }
}

static void failures_have_their_answers(void **state) {
    (void)state;
    start_ready((struct db_options){.statement_timeout_ms = 200});
    hx_expect(hx_get("/failing?n=1"), 200, "[1]");
    hx_expect_error(hx_get("/failing?n=0"), 500, "Internal error");
    test_exec(admin, "select pg_advisory_lock(7)");
    hx_expect_error(hx_get("/gated"), 504, "too long");
    test_exec(admin, "select pg_advisory_unlock(7)");
    hx_expect(hx_get("/gated?n=3"), 200, "[3]");
    done_late = 0;
    test_exec(admin, "select pg_advisory_lock(7)");
    hx_expect_error(hx_get("/good-bad?n=0"), 500, "Internal error");
    test_exec(admin, "select pg_advisory_unlock(7)");
    hx_expect(hx_get("/gated?n=4"), 200, "[4]");
    assert_int_equal(done_late, 0); /* it was answered when these rows came */
}

static void a_full_queue_sends_away(void **state) {
    (void)state;
    start_ready((struct db_options){.queue_items = 2});
    test_exec(admin, "select pg_advisory_lock(7)");
    struct hx_conn *first = hx_begin("/gated?n=1"), *second = hx_begin("/gated?n=2");
    hx_until(metric_value(M_DB_WAITING) == 2);
    struct hx_answer *a = hx_get("/gated?n=3");
    hx_expect_error(a, 503, "Too many");
    assert_string_equal(hx_header(a, "retry-after"), "1");
    test_exec(admin, "select pg_advisory_unlock(7)");
    hx_expect(hx_receive(first, false), 200, "[1]");
    hx_expect(hx_receive(second, false), 200, "[2]");
    hx_close(first);
    hx_close(second);
}

static void without_a_database_the_answer_comes_at_once(void **state) {
    (void)state;
    start((struct db_options){.url = "postgresql://127.0.0.1:1/none"});
    struct why w;
    assert_false(http_ready(hx, &w));
    assert_non_null(strstr(w.text, "database"));
    struct hx_answer *a = hx_get("/echo");
    hx_expect_error(a, 503, "away");
    assert_string_equal(hx_header(a, "retry-after"), "1");
    hx_expect(hx_get("/hello"), 200, "\"hello\"");
}

static void a_lost_connection_ends_the_wait(void **state) {
    (void)state;
    start_ready((struct db_options){0});
    test_exec(admin, "select pg_advisory_lock(7)");
    struct hx_conn *c = hx_begin("/gated");
    until_at_gate();
    test_exec(
        admin,
        "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname = "
        "current_database()");
    hx_expect_error(hx_receive(c, false), 503, "away");
    hx_close(c);
    test_exec(admin, "select pg_advisory_unlock(7)");
    hx_until(hx_get("/gated?n=8")->status == 200); /* connected again */
    hx_until(http_ready(hx, NULL));
}

static void a_client_may_leave_while_its_query_runs(void **state) {
    (void)state;
    start_ready((struct db_options){0});
    test_exec(admin, "select pg_advisory_lock(7)");
    for (int i = 0; i < 20; i++) {
        struct hx_conn *c = hx_begin(i % 2 ? "/gated" : "/good-bad?n=1");
        if (i % 3 == 0)
            setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        until_at_gate();
        hx_close(c);
    }
    test_exec(admin, "select pg_advisory_unlock(7)");
    hx_expect(hx_get("/gated?n=9"), 200, "[9]");
}

/* --- other threads --- */

static void other_threads_may_answer(void **state) {
    (void)state;
    start_alone();
    struct hx_conn *c = hx_begin("/hold");
    req_resume(take_held(), say_argument, "later");
    hx_expect(hx_receive(c, false), 200, "\"later\"");
    for (int i = 0; i < 50; i++) {
        hx_send(c, "GET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\nGET /elsewhere HTTP/1.1\r\nHost: x\r\n\r\n");
        hx_expect(hx_receive(c, false), 200, "\"from a thread\"");
        hx_expect(hx_receive(c, false), 200, "\"from a thread\"");
    }
    hx_close(c);
}

static void a_held_request_outlives_its_client(void **state) {
    (void)state;
    start_alone();
    for (int i = 0; i < 10; i++) {
        struct hx_conn *c = hx_begin("/hold");
        struct req *rq = take_held();
        setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
        hx_close(c);
        resumed = 0;
        req_resume(rq, say_argument, "to nobody");
        hx_until(resumed == 1);
    }
    hx_expect(hx_get("/hello"), 200, "\"hello\"");
}

static void wait_for_a_minute(struct req *rq, void *arg) {
    (void)arg;
    req_after(rq, 60000, say_hello);
    resumed++;
}

/* What another thread had in hand comes back when the server has given the request up and is about to end:
 * nothing of it is left. */
static void who_has_been_given_up_waits_no_more(void **state) {
    (void)state;
    start_alone();
    struct hx_conn *c = hx_begin("/hold");
    struct req *rq = take_held();
    http_drain(hx, 50);
    hx_expect_error(hx_receive(c, false), 503, "Shutting down");
    resumed = 0;
    req_resume(rq, wait_for_a_minute, NULL);
    hx_until(resumed == 1);
    http_free(hx);
    hx = NULL;
    hx_close(c);
}

/* --- the end --- */

static void *drain(void *ms) {
    http_drain(hx, *(int *)ms);
    return NULL;
}

static bool refused(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)hx_port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool no = connect(fd, (struct sockaddr *)&to, sizeof to) != 0 && errno == ECONNREFUSED;
    close(fd);
    return no;
}

static void a_drain_finishes_what_is_in_flight(void **state) {
    (void)state;
    start_ready((struct db_options){0});
    test_exec(admin, "select pg_advisory_lock(7)");
    struct hx_conn *idle = hx_begin("/hello"), *fresh = hx_connect(), *at_gate = hx_begin("/gated?n=1"),
                   *kept = hx_begin("/hold"), *half = hx_connect();
    hx_expect(hx_receive(idle, false), 200, "\"hello\"");
    hx_send(half, "GET /hello HT");
    until_at_gate();
    struct req *rq = take_held();
    pthread_t drainer;
    pthread_create(&drainer, NULL, drain, &(int){20000});
    assert_true(hx_closed(idle)); /* at once, with the others still at work */
    assert_true(hx_closed(fresh));
    hx_until(refused());
    test_exec(admin, "select pg_advisory_unlock(7)");
    req_resume(rq, say_argument, "in time");
    hx_send(half, "TP/1.1\r\nHost: x\r\n\r\n");
    struct hx_conn *last[] = {at_gate, kept, half};
    static const char *const wanted[] = {"[1]", "\"in time\"", "\"hello\""};
    for (int i = 0; i < 3; i++) {
        struct hx_answer *a = hx_receive(last[i], false);
        hx_expect(a, 200, wanted[i]);
        assert_string_equal(hx_header(a, "connection"), "close");
        assert_true(hx_closed(last[i]));
    }
    int64_t begun = clock_mono_us();
    pthread_join(drainer, NULL);
    assert_in_range(clock_mono_us() - begun, 0, 5000000); /* it does not wait for its time to pass */
    for (int i = 0; i < 3; i++)
        hx_close(last[i]);
    hx_close(idle);
    hx_close(fresh);
}

static void a_drain_ends_in_time(void **state) {
    (void)state;
    start_ready((struct db_options){0});
    test_exec(admin, "select pg_advisory_lock(7)");
    struct hx_conn *at_gate = hx_begin("/gated"), *kept = hx_begin("/hold"), *half = hx_connect();
    hx_send(half, "GET /hello HT");
    until_at_gate();
    struct req *rq = take_held();
    int64_t begun = clock_mono_us();
    http_drain(hx, 300);
    assert_in_range(clock_mono_us() - begun, 290000, 3000000);
    hx_expect_error(hx_receive(at_gate, false), 503, "Shutting down");
    hx_expect_error(hx_receive(kept, false), 503, "Shutting down");
    resumed = 0;
    req_resume(rq, say_argument, "too late"); /* allowed until http_free */
    hx_until(resumed == 1);
    http_free(hx);
    hx = NULL;
    assert_true(hx_closed(half));
    hx_close(half);
    hx_close(at_gate);
    hx_close(kept);
}

static void two_servers_cannot_have_one_port(void **state) {
    (void)state;
    start_alone();
    int fd = socket(AF_INET, SOCK_STREAM, 0); /* a listener that does not share */
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    assert_return_code(bind(fd, (struct sockaddr *)&at, sizeof at), errno);
    assert_return_code(listen(fd, 1), errno);
    getsockname(fd, (struct sockaddr *)&at, &n);
    struct why w;
    struct http_options options = {
        .service = "t", .address = "127.0.0.1", .port = ntohs(at.sin_port), .threads = 2, .routes = routes};
    assert_null(http_start(&options, &w));
    char wanted[128];
    snprintf(wanted, sizeof wanted, "cannot listen on 127.0.0.1 port %d: Address already in use",
             options.port);
    assert_memory_equal(w.text, wanted, strlen(wanted));
    options.port = hx_port; /* nor with another server of ours */
    options.threads = 1;
    assert_null(http_start(&options, &w));
    options.address = "localhost";
    assert_null(http_start(&options, &w));
    assert_non_null(strstr(w.text, "not an IP address"));
    close(fd);
}

static int set_up(void **state) {
    (void)state;
    test_create_database("http", url, sizeof url);
    admin = test_connect(url);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    PQfinish(admin);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(rows_come_back, stop),
        cmocka_unit_test_teardown(failures_have_their_answers, stop),
        cmocka_unit_test_teardown(a_full_queue_sends_away, stop),
        cmocka_unit_test_teardown(without_a_database_the_answer_comes_at_once, stop),
        cmocka_unit_test_teardown(a_lost_connection_ends_the_wait, stop),
        cmocka_unit_test_teardown(a_client_may_leave_while_its_query_runs, stop),
        cmocka_unit_test_teardown(other_threads_may_answer, stop),
        cmocka_unit_test_teardown(a_held_request_outlives_its_client, stop),
        cmocka_unit_test_teardown(who_has_been_given_up_waits_no_more, stop),
        cmocka_unit_test_teardown(a_drain_finishes_what_is_in_flight, stop),
        cmocka_unit_test_teardown(a_drain_ends_in_time, stop),
        cmocka_unit_test_teardown(two_servers_cannot_have_one_port, stop),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
