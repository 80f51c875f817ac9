/* db: connections that are lost, never come up, or fall silent; with a Postgres cluster of its own to be
 * restarted and stopped. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <netinet/in.h>

#include "db_fixture.h"
#include "log.h"

/* --- the cluster: tools/with-postgres, held until its input ends --- */

static struct {
    pid_t pid;
    int input;
    char url[256], data[256], bin[256];
} cluster;

static void run_with_postgres(int input, int output) {
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execl(WITH_POSTGRES, WITH_POSTGRES, "sh", "-c",
          "echo $ONSALE_TEST_DATABASE_URL $ONSALE_TEST_POSTGRES_DATA $ONSALE_TEST_POSTGRES_BIN; exec cat",
          NULL);
    _exit(127);
}

/* What with-postgres says on the command line, for a later start without it. */
static void keep_settings(void) {
    char text[512];
    snprintf(text, sizeof text, "alter system set port = %s", PQport(fx_admin));
    test_exec(fx_admin, text);
    snprintf(text, sizeof text, "alter system set unix_socket_directories = '%s/..'", cluster.data);
    test_exec(fx_admin, text);
}

static int start_cluster(void **state) {
    (void)state;
    int input[2], output[2];
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) return -1;
    cluster.pid = fork();
    if (cluster.pid == 0) run_with_postgres(input[0], output[1]);
    close(input[0]);
    close(output[1]);
    cluster.input = input[1];
    FILE *said = fdopen(output[0], "r");
    int got = fscanf(said, "%255s %255s %255s", cluster.url, cluster.data, cluster.bin);
    fclose(said);
    if (got != 3) return -1;
    setenv("ONSALE_TEST_DATABASE_URL", cluster.url, 1);
    fx_group_setup(state);
    keep_settings();
    return 0;
}

static int stop_cluster(void **state) {
    fx_group_teardown(state);
    close(cluster.input);
    int status;
    return waitpid(cluster.pid, &status, 0) == cluster.pid && status == 0 ? 0 : -1;
}

/* pg_ctl, as the user that the cluster runs as. */
static void control(const char *what) {
    char command[1024];
    snprintf(command, sizeof command, "%s %s/pg_ctl -D %s -w -l %s/../log %s >/dev/null 2>&1",
             geteuid() == 0 ? "runuser -u postgres --" : "", cluster.bin, cluster.data, cluster.data, what);
    if (system(command) != 0) fail_msg("pg_ctl %s failed", what);
}

static void admin_again(void) {
    PQfinish(fx_admin);
    fx_admin = test_connect(fx_url);
}

/* The server process behind a connection of ours. */
static pid_t backend(const char *which) {
    char text[256];
    snprintf(text, sizeof text,
             "select pid from pg_stat_activity where datname = current_database()"
             " and application_name = 'onsale-test_db_loss-%s'",
             which);
    return (pid_t)test_count(fx_admin, text);
}

static void terminate(const char *which) {
    char text[128];
    snprintf(text, sizeof text, "select pg_terminate_backend(%d)", (int)backend(which));
    assert_int_equal(test_count(fx_admin, text), 0); /* "t" */
}

/* --- what the log says --- */

static int saved_stdout = -1;
static FILE *log_file;

static void catch_log(void) {
    fflush(stdout);
    log_file = tmpfile();
    saved_stdout = dup(STDOUT_FILENO);
    dup2(fileno(log_file), STDOUT_FILENO);
}

static void release_log(void) {
    if (saved_stdout < 0) return;
    fflush(stdout);
    dup2(saved_stdout, STDOUT_FILENO);
    close(saved_stdout);
    fclose(log_file);
    saved_stdout = -1;
}

/* How often words are in what was logged since catch_log. */
static int logged(const char *words) {
    char text[1 << 16];
    ssize_t n = pread(fileno(log_file), text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    int times = 0;
    for (const char *p = text; (p = strstr(p, words)) != NULL; p++)
        times++;
    return times;
}

static int teardown(void **state) {
    release_log();
    return fx_teardown(state);
}

static const struct sql *const statements[] = {&fx_echo, &fx_gated_read, &fx_gated_write, NULL};

static void open_with(int statement_timeout_ms, int batch_items) {
    struct db_options options = fx_options(statements);
    options.statement_timeout_ms = statement_timeout_ms;
    options.batch_items = batch_items;
    fx_open(&options);
}

static void check_works(void) {
    struct item read = {.n = 8}, write = {.n = 9};
    fx_until(db_ready(fx_db));
    fx_add(&fx_echo, &read);
    fx_add(&fx_gated_write, &write);
    fx_until(read.answers == 1 && write.answers == 1);
    assert_int_equal(read.got, 8);
    assert_int_equal(write.got, 9);
}

/* --- losing a connection --- */

static void a_killed_backend_answers_every_waiter_once(void **state) {
    (void)state;
    struct item writes[40] = {0}, reads[5] = {0}, late = {0};
    open_with(5000, 10);
    fx_close_gate();
    fx_add_all(&fx_gated_write, writes, 40); /* some on their way, some waiting */
    fx_add_all(&fx_gated_read, reads, 5);
    fx_until_at_gate(2);
    int64_t reconnects = metric_value(M_DB_RECONNECTS);
    catch_log();
    terminate("write");
    fx_until(fx_answered == 40);
    assert_int_equal(logged("write connection: terminating connection due to administrator command"), 1);
    fx_check_all(writes, 40, ST_LOST);
    assert_false(db_ready(fx_db));
    assert_int_equal(fx_add(&fx_gated_write, &late), ST_LOST);
    assert_int_equal(db_in_flight(fx_db), 5); /* the other connection is none the wiser */
    fx_open_gate();
    fx_until(fx_answered == 45);
    fx_check_all(reads, 5, ST_OK);
    check_works();
    assert_int_equal(late.answers, 0);
    fx_check_answered_once(writes, 40);
    assert_int_equal(metric_value(M_DB_RECONNECTS), reconnects + 1);
}

static void an_idle_connection_that_is_lost_comes_back(void **state) {
    (void)state;
    open_with(5000, 10);
    terminate("read");
    fx_until(!db_ready(fx_db));
    check_works();
}

static void check_restart(const char *how) {
    struct item items[20] = {0};
    open_with(5000, 5);
    fx_close_gate();
    fx_add_all(&fx_gated_write, items, 20);
    fx_until_at_gate(1);
    control(how);
    fx_until(fx_answered == 20);
    fx_check_all(items, 20, ST_LOST);
    admin_again();
    check_works();
}

static void a_restarted_server_is_found_again(void **state) {
    (void)state;
    check_restart("-m fast restart");
}

static void a_crashed_server_is_found_again(void **state) {
    (void)state;
    check_restart("-m immediate restart");
}

/* Nobody listens for a while: adding fails at once, tries get rarer, the log is not flooded. */
static void a_stopped_server_is_waited_for(void **state) {
    (void)state;
    struct item late = {0};
    open_with(5000, 10);
    catch_log();
    control("-m fast stop");
    fx_until(!db_ready(fx_db));
    fx_until(logged("onnection refused") == 2); /* each connection says it once */
    int64_t end = clock_mono_us() + 3000000;
    while (clock_mono_us() < end) {
        assert_int_equal(fx_add(&fx_echo, &late), ST_LOST);
        fx_turn();
    }
    assert_int_equal(logged("onnection refused"), 2);
    control("start");
    int64_t begin = clock_mono_us();
    fx_until(db_ready(fx_db));
    assert_in_range(clock_mono_us() - begin, 0, 2500000); /* 2 s is the longest pause */
    admin_again();
    check_works();
    assert_int_equal(late.answers, 0);
    terminate("read"); /* and the pauses are short again */
    fx_until(!db_ready(fx_db));
    begin = clock_mono_us();
    fx_until(db_ready(fx_db));
    assert_in_range(clock_mono_us() - begin, 0, 700000);
}

/* --- silence --- */

/* The server process is there and says nothing: as when the network is gone. */
static void a_silent_backend_is_given_up(void **state) {
    (void)state;
    struct item items[30] = {0};
    open_with(300, 5);
    pid_t pid = backend("write");
    assert_int_equal(kill(pid, SIGSTOP), 0);
    int64_t begin = clock_mono_us();
    fx_add_all(&fx_gated_write, items, 30);
    fx_until(fx_answered == 30);
    int64_t took = clock_mono_us() - begin;
    kill(pid, SIGCONT);
    fx_check_answered_once(items, 30);
    assert_in_range(took, 1200000, 2500000);   /* statement_timeout + 1 s */
    assert_int_equal(items[0].st, ST_TIMEOUT); /* what was sent may have happened */
    assert_int_equal(items[29].st, ST_LOST);   /* what was not, did not */
    check_works();
}

static const struct sql commits = {
    "test_commits",
    "select ordinal, n, (pg_logical_emit_message(true, 'test', '') - '0/0')::int8"
    " from unnest($1::int[]) with ordinality as r (n, ordinal) order by ordinal",
    1,
    true,
    fx_int,
    false,
    0};

static void set_standby(const char *name) {
    char text[128];
    snprintf(text, sizeof text, "alter system set synchronous_standby_names = '%s'", name);
    test_exec(fx_admin, text);
    test_exec(fx_admin, "select pg_reload_conf()");
}

static int64_t sessions(const char *condition) {
    char text[256];
    snprintf(text, sizeof text,
             "select count(*) from pg_stat_activity where datname = current_database()"
             " and application_name = 'onsale-test_db_loss-write' %s",
             condition);
    return test_count(fx_admin, text);
}

static enum status commit(struct item *item) {
    *item = (struct item){0};
    fx_until(fx_add(&commits, item) == ST_OK);
    fx_until(item->answers == 1);
    return item->st;
}

/* No timeout of Postgres ends a commit that waits for the standby. */
static void a_standby_that_is_away_takes_two_sessions_at_most(void **state) {
    (void)state;
    static const struct sql *const list[] = {&fx_echo, &commits, NULL};
    struct item items[2] = {0}, late = {0};
    struct db_options options = fx_options(list);
    options.statement_timeout_ms = 100;
    fx_open(&options);
    catch_log();
    set_standby("nobody");
    while (commit(&items[0]) == ST_OK) /* Postgres takes up a setting when it comes to it */
        ;
    for (int i = 0; i < 2; i++) {
        if (i > 0) commit(&items[i]);
        assert_int_equal(items[i].st, ST_TIMEOUT);
        assert_int_equal(sessions("and wait_event = 'SyncRep'"), i + 1);
    }
    int64_t end = clock_mono_us() + 3000000;
    while (clock_mono_us() < end) {
        assert_int_equal(fx_add(&commits, &late), ST_LOST);
        fx_turn();
    }
    assert_int_equal(sessions("and wait_event = 'SyncRep'"), 2);
    assert_true(sessions("") <= 3); /* one that asks whether they are gone */
    assert_int_equal(logged("as many sessions as may be wait for their commits"), 1);
    set_standby("");
    while (commit(&late) == ST_TIMEOUT)
        ;
    assert_int_equal(late.st, ST_OK);
    fx_until(sessions("") == 1);
}

/* h2o's timers go by the wall clock: what somebody sets that to must not put off what is due. */
static atomic_llong clock_set_by_s;

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    int64_t us = clock_wall_us();
    *now = (struct timeval){.tv_sec = us / 1000000 + clock_set_by_s, .tv_usec = us % 1000000};
    return 0;
}

static void a_clock_that_is_set_back_puts_nothing_off(void **state) {
    (void)state;
    struct item item = {0};
    open_with(300, 5);
    pid_t pid = backend("write");
    assert_int_equal(kill(pid, SIGSTOP), 0);
    fx_add(&fx_gated_write, &item);
    fx_turn(); /* it is sent, its deadline set */
    clock_set_by_s = -3600;
    fx_until(item.answers == 1);
    kill(pid, SIGCONT);
    assert_int_equal(item.st, ST_TIMEOUT);
    fx_turn(); /* waits to connect again */
    clock_set_by_s = -7200;
    check_works();
    clock_set_by_s = 0;
}

static const struct sql keep = {
    "test_keep",
    "select ordinal, length(t), 0 from unnest($1::text[]) with ordinality as r (t, ordinal) order by ordinal",
    1,
    true,
    (const uint32_t[]){25},
    false,
    0};

/* More than fits into any socket buffer waits in memory, not in the loop. */
static void a_backend_that_reads_nothing_does_not_hold_up_the_loop(void **state) {
    (void)state;
    static const struct sql *const list[] = {&fx_echo, &keep, NULL};
    struct item large = {0}, read = {.n = 6};
    struct db_options options = fx_options(list);
    options.statement_timeout_ms = PATIENCE_MS; /* so much text takes its time on a busy machine */
    fx_open(&options);
    size_t n = 64 << 20;
    char *text = malloc(n);
    memset(text, 'x', n);
    pid_t pid = backend("write");
    assert_int_equal(kill(pid, SIGSTOP), 0);
    alarm(PATIENCE_MS / 1000); /* a loop that stands still cannot tell */
    enum status st;
    put_text(db_add(fx_db, &keep, fx_done, &large, &st), (struct str){text, n});
    fx_add(&fx_echo, &read);
    fx_until(read.answers == 1);
    alarm(0);
    assert_int_equal(large.answers, 0);
    kill(pid, SIGCONT);
    fx_until_answered_without_flush(2); /* the socket itself must ask for the rest */
    assert_int_equal(large.got, n);
    free(text);
}

static const struct sql slow = {
    "test_slow",
    "select ordinal, n, count(*) over () from (select pg_sleep(0.02)) s, unnest($1::int[]) with ordinality as r (n, ordinal)",
    1,
    false,
    fx_int,
    false,
    0};

static bool keep_busy;

static void add_another(void *ctx, enum status st, const struct rows *rows) {
    fx_done(ctx, st, rows);
    assert_int_equal(st, ST_OK);
    if (keep_busy) put_int(db_add(fx_db, &slow, add_another, ctx, &st), 0);
}

/* The deadline is of each batch, not of the time since the connection had nothing to do; and an idle one has
 * none. */
static void busy_or_idle_is_not_silent(void **state) {
    (void)state;
    static const struct sql *const list[] = {&slow, NULL};
    struct item items[6] = {0};
    struct db_options options = fx_options(list);
    options.statement_timeout_ms = 2000; /* a statement takes 20 ms, on a busy machine more */
    options.batch_items = 1;             /* so there is always one on its way when another one is answered */
    fx_open(&options);
    int64_t reconnects = metric_value(M_DB_RECONNECTS), begin = clock_mono_us();
    enum status st;
    keep_busy = true;
    for (int i = 0; i < 6; i++)
        put_int(db_add(fx_db, &slow, add_another, &items[i], &st), 0);
    fx_until(clock_mono_us() - begin > 3500000);
    keep_busy = false;
    fx_until(db_in_flight(fx_db) == 0);
    fx_until(clock_mono_us() - begin > 7000000); /* nor is the time to connect, 5 s, still running */
    assert_true(db_ready(fx_db));
    assert_int_equal(metric_value(M_DB_RECONNECTS), reconnects);
}

static int listen_silently(char *url, size_t size) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(fd, 5), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
    snprintf(url, size, "postgresql://onsale@127.0.0.1:%d/x", ntohs(address.sin_port));
    return fd;
}

static void a_server_that_never_answers_is_tried_again(void **state) {
    (void)state;
    char url[128];
    int fd = listen_silently(url, sizeof url);
    struct db_options options = fx_options(statements);
    options.url = url;
    catch_log();
    fx_db = db_open(&options, fx_loop);
    fx_until(logged("did not answer") == 2);
    struct item item = {0};
    assert_int_equal(fx_add(&fx_echo, &item), ST_LOST);
    close(fd);
    fx_until(logged("onnection refused") == 2); /* it has tried again */
}

/* --- not ready --- */

static const struct sql missing = {
    "test_missing",
    "select ordinal, n, 0 from unnest($1::int[]) with ordinality as r (n, ordinal) join later using (n)"
    " order by ordinal",
    1,
    false,
    fx_int,
    false,
    0};

static void missing_migrations_are_waited_for(void **state) {
    (void)state;
    static const struct sql *const list[] = {&fx_echo, &missing, NULL};
    struct db_options options = fx_options(list);
    catch_log();
    fx_db = db_open(&options, fx_loop);
    fx_until(logged("cannot prepare test_missing: ERROR:  relation \\\"later\\\" does not exist") == 1);
    assert_false(db_ready(fx_db));
    struct item item = {.n = 3};
    assert_int_equal(fx_add(&fx_echo, &item), ST_LOST);
    test_exec(fx_admin, "create table later as select 3 as n");
    fx_until(db_ready(fx_db));
    assert_int_equal(fx_add(&missing, &item), ST_OK);
    fx_until(item.answers == 1);
    assert_int_equal(item.got, 3);
    test_exec(fx_admin, "drop table later");
}

static void a_malformed_url_is_not_quoted(void **state) {
    (void)state;
    struct db_options options = fx_options(statements);
    options.url = "postgresql://u:hush@[h/x";
    catch_log();
    fx_db = db_open(&options, fx_loop);
    fx_until(logged("malformed") == 2);
    assert_int_equal(logged("hush"), 0);
    assert_false(db_ready(fx_db));
}

/* --- the end --- */

static struct db *being_freed;

static void add_while_freed(void *ctx, enum status st, const struct rows *rows) {
    fx_done(ctx, st, rows);
    assert_null(db_add(being_freed, &fx_echo, fx_done, ctx, &st));
    assert_int_equal(st, ST_LOST);
}

static void free_answers_every_waiter(void **state) {
    (void)state;
    struct item items[30] = {0};
    enum status st;
    open_with(5000, 10);
    fx_close_gate();
    for (int i = 0; i < 30; i++) {
        if (i == 25) fx_until_at_gate(1); /* the last five were never flushed */
        put_int(db_add(fx_db, &fx_gated_write, add_while_freed, &items[i], &st), i);
    }
    being_freed = fx_db;
    fx_db = NULL;
    db_free(being_freed);
    fx_check_all(items, 30, ST_LOST);
    assert_int_equal(metric_value(M_DB_WAITING), 0);
    for (int i = 0; i < 10; i++)
        h2o_compat_run(fx_loop, 1); /* nothing is left on the loop */
}

static void free_at_any_moment_of_connecting(void **state) {
    (void)state;
    struct db_options options = fx_options(statements);
    for (int turns = 0; turns < 12; turns++) {
        struct db *db = db_open(&options, fx_loop);
        for (int i = 0; i < turns; i++)
            h2o_compat_run(fx_loop, 1);
        db_free(db);
    }
    fx_open(&options);
    check_works();
}

/* --- TLS --- */

static void tls_carries_large_rows(void **state) {
    (void)state;
    static const struct sql wide = {
        "test_wide",
        "select ordinal, length(repeat('x', n)), n, repeat('x', n) from unnest($1::int[]) with ordinality as r (n, ordinal)"
        " order by ordinal",
        1,
        false,
        fx_int,
        false,
        0};
    static const struct sql *const list[] = {&wide, NULL};
    char command[2048], url[600];
    snprintf(
        command, sizeof command,
        "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -days 2 -keyout server.key -out server.crt"
        " 2>/dev/null && chmod 600 server.key && chown --reference=. server.key server.crt",
        cluster.data);
    assert_int_equal(system(command), 0);
    test_exec(fx_admin, "alter system set ssl = on");
    test_exec(fx_admin, "select pg_reload_conf()");
    snprintf(url, sizeof url, "%s?sslmode=require", fx_url);
    struct db_options options = fx_options(list);
    options.url = url;
    fx_db = db_open(&options, fx_loop);
    fx_until(db_ready(fx_db));
    assert_int_equal(test_count(fx_admin, "select count(*) from pg_stat_ssl join pg_stat_activity using (pid)"
                                          " where ssl and application_name like 'onsale-test_db_loss-%'"),
                     2);
    struct item items[40] = {0};
    for (int i = 0; i < 40; i++) {
        items[i].n = 1000 * i * i;
        assert_int_equal(fx_add(&wide, &items[i]), ST_OK);
    }
    fx_until(fx_answered == 40);
    fx_check_all(items, 40, ST_OK);
    for (int i = 0; i < 40; i++)
        assert_int_equal(items[i].got, 1000 * i * i);
    terminate("read");
    fx_until(!db_ready(fx_db));
    fx_until(db_ready(fx_db));
    test_exec(fx_admin, "alter system reset ssl");
    test_exec(fx_admin, "select pg_reload_conf()");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, fx_setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_killed_backend_answers_every_waiter_once),
        TEST(an_idle_connection_that_is_lost_comes_back),
        TEST(a_restarted_server_is_found_again),
        TEST(a_crashed_server_is_found_again),
        TEST(a_stopped_server_is_waited_for),
        TEST(a_silent_backend_is_given_up),
        TEST(a_standby_that_is_away_takes_two_sessions_at_most),
        TEST(a_clock_that_is_set_back_puts_nothing_off),
        TEST(a_backend_that_reads_nothing_does_not_hold_up_the_loop),
        TEST(busy_or_idle_is_not_silent),
        TEST(a_server_that_never_answers_is_tried_again),
        TEST(missing_migrations_are_waited_for),
        TEST(a_malformed_url_is_not_quoted),
        TEST(free_answers_every_waiter),
        TEST(free_at_any_moment_of_connecting),
        TEST(tls_carries_large_rows),
    };
    return cmocka_run_group_tests(tests, start_cluster, stop_cluster);
}
