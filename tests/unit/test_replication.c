/* A slot read from a real Postgres: what the snapshot shows and what the stream does, who may read, what
 * stays confirmed. */
#include "pg_test.h"

#include <poll.h>

#include "clock.h"
#include "replication.h"

enum { PATIENCE_MS = 20000 };

static char url[256];
static PGconn *conn;
static char slot[64];

static int setup(void **state) {
    (void)state;
    static int n;
    test_create_database("repl", url, sizeof url);
    conn = test_connect(url);
    test_exec(
        conn,
        "create table things (n int); create publication pub for table things with (publish = 'insert')");
    snprintf(slot, sizeof slot, "test_repl_%d_%d", (int)getpid(), n++);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    char text[400];
    snprintf(text, sizeof text,
             "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = '%s';"
             "select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '%s'",
             slot, slot);
    test_exec(conn, text);
    PQfinish(conn);
    return 0;
}

static struct replication *open_one(void) {
    struct why w = {0};
    struct replication *r = replication_open(url, "test", &w);
    if (r == NULL) fail_msg("%s", w.text);
    return r;
}

static void must(enum status st, const struct why *w) {
    if (st != ST_OK) fail_msg("%s: %s", status_text(st), w->text);
}

static struct replication *open_with_slot(char snapshot[REPLICATION_SNAPSHOT]) {
    struct why w = {0};
    struct replication *r = open_one();
    must(replication_create_slot(r, slot, snapshot, &w), &w);
    return r;
}

static struct replication *open_streaming(void) {
    char snapshot[REPLICATION_SNAPSHOT];
    struct why w = {0};
    struct replication *r = open_with_slot(snapshot);
    must(replication_start(r, slot, "pub", &w), &w);
    return r;
}

/* The next frame, waiting for it. */
static enum status next(struct replication *r, struct pgoutput_frame *f, struct why *w) {
    int64_t limit = clock_mono_us() + PATIENCE_MS * 1000LL;
    for (;;) {
        enum status st = replication_next(r, f, w);
        if (st != ST_AGAIN) return st;
        if (clock_mono_us() > limit) fail_msg("no frame came");
        struct pollfd fd = {replication_socket(r), POLLIN, 0};
        poll(&fd, 1, 100);
        st = replication_receive(r, w);
        if (st != ST_OK) return st;
    }
}

static struct pgoutput_message next_message(struct replication *r, enum pgoutput_kind kind) {
    struct pgoutput_message m;
    struct pgoutput_frame f;
    struct why w = {0};
    do
        must(next(r, &f, &w), &w);
    while (f.kind == FRAME_KEEPALIVE);
    must(pgoutput_read(f.message, f.n, &m, &w), &w);
    assert_int_equal(m.kind, kind);
    return m;
}

static uint64_t lsn(const char *of) {
    char text[256];
    snprintf(text, sizeof text, "select (%s - '0/0')::bigint", of);
    return (uint64_t)test_count(conn, text);
}

static uint64_t confirmed(void) {
    char text[256];
    snprintf(text, sizeof text,
             "select (confirmed_flush_lsn - '0/0')::bigint from pg_replication_slots where slot_name = '%s'",
             slot);
    return (uint64_t)test_count(conn, text);
}

static bool active(void) {
    char text[256];
    snprintf(text, sizeof text, "select active::int from pg_replication_slots where slot_name = '%s'", slot);
    return test_count(conn, text) == 1;
}

static void the_snapshot_and_the_stream_meet(void **state) {
    (void)state;
    test_exec(conn, "insert into things values (1)");
    char snapshot[REPLICATION_SNAPSHOT], text[160];
    struct why w = {0};
    struct replication *r = open_with_slot(snapshot);
    test_exec(conn, "insert into things values (2)");
    snprintf(text, sizeof text, "begin isolation level repeatable read; set transaction snapshot '%s'",
             snapshot);
    test_exec(conn, text);
    assert_int_equal(test_count(conn, "select count(*) from things"), 1);
    test_exec(conn, "commit");

    must(replication_start(r, slot, "pub", &w), &w);
    struct pgoutput_message begin = next_message(r, PGOUTPUT_BEGIN);
    assert_true(begin.committed_us > clock_wall_us() - 60 * 1000000LL &&
                begin.committed_us <= clock_wall_us());
    assert_string_equal(next_message(r, PGOUTPUT_RELATION).name, "things");
    struct pgoutput_message insert = next_message(r, PGOUTPUT_INSERT);
    assert_int_equal(insert.ncolumns, 1);
    assert_int_equal(insert.values[0].n, 4);
    assert_int_equal(pgoutput_u32(insert.values[0].bytes), 2);
    struct pgoutput_message commit = next_message(r, PGOUTPUT_COMMIT);
    assert_true(commit.lsn > begin.lsn && commit.lsn <= lsn("pg_current_wal_insert_lsn()"));
    replication_close(r);
}

static void one_reader_a_slot(void **state) {
    (void)state;
    struct why w = {0};
    struct replication *first = open_streaming(), *second = open_one();
    assert_int_equal(replication_start(second, slot, "pub", &w), ST_AGAIN);
    replication_end(first, PATIENCE_MS);
    assert_false(active()); /* at once, before the connection is closed */
    must(replication_start(second, slot, "pub", &w), &w);
    replication_close(first);
    replication_close(second);
}

static void a_slot_that_is_not_there(void **state) {
    (void)state;
    struct why w = {0};
    struct replication *r = open_one();
    assert_int_equal(replication_start(r, "no_such_slot", "pub", &w), ST_NOT_FOUND);
    replication_close(r);
}

static void a_publication_that_was_not_there(void **state) {
    (void)state;
    struct why w = {0};
    struct pgoutput_frame f;
    char snapshot[REPLICATION_SNAPSHOT];
    struct replication *r = open_with_slot(snapshot);
    test_exec(conn, "insert into things values (1)");
    must(replication_start(r, slot, "late", &w), &w);
    enum status st;
    do
        st = next(r, &f, &w);
    while (st == ST_OK);
    assert_int_equal(st, ST_NOT_FOUND);
    replication_close(r);
}

static void what_is_confirmed_stays(void **state) {
    (void)state;
    struct why w = {0};
    struct replication *r = open_streaming();
    test_exec(conn, "insert into things values (1)");
    next_message(r, PGOUTPUT_BEGIN);
    next_message(r, PGOUTPUT_RELATION);
    next_message(r, PGOUTPUT_INSERT);
    struct pgoutput_message commit = next_message(r, PGOUTPUT_COMMIT);
    test_exec(conn, "insert into things values (2)");
    must(replication_confirm(r, commit.lsn, &w), &w);
    must(replication_confirm(r, 0, &w), &w); /* nothing new */
    must(replication_confirm(r, commit.lsn - 1, &w), &w);
    replication_end(r, PATIENCE_MS); /* drops what is on its way */
    assert_int_equal(confirmed(), commit.lsn);
    replication_close(r);

    r = open_one();
    must(replication_start(r, slot, "pub", &w), &w);
    next_message(r, PGOUTPUT_BEGIN);
    next_message(r, PGOUTPUT_RELATION);
    struct pgoutput_message insert = next_message(r, PGOUTPUT_INSERT);
    assert_int_equal(pgoutput_u32(insert.values[0].bytes), 2);
    replication_close(r);
}

static void an_idle_server_says_how_far_it_is(void **state) {
    (void)state;
    struct why w = {0};
    struct pgoutput_frame f;
    struct replication *r = open_streaming();
    test_exec(conn, "create table others (n int); insert into others values (1)"); /* not published */
    uint64_t end = lsn("pg_current_wal_flush_lsn()");
    do
        must(next(r, &f, &w), &w);
    while (f.kind != FRAME_KEEPALIVE || f.wal_end < end);
    replication_close(r);
}

static void a_lost_connection(void **state) {
    (void)state;
    struct why w = {0};
    struct pgoutput_frame f;
    struct replication *r = open_streaming();
    char text[160];
    snprintf(text, sizeof text,
             "select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where slot_name = '%s'",
             slot);
    test_exec(conn, text);
    enum status st;
    do
        st = next(r, &f, &w);
    while (st == ST_OK);
    assert_int_equal(st, ST_LOST);
    assert_true(w.text[0] != 0);
    replication_close(r);
}

static void nobody_there(void **state) {
    (void)state;
    struct why w = {0};
    assert_null(replication_open("postgresql://onsale:secret@127.0.0.1:1/none", "test", &w));
    assert_true(w.text[0] != 0 && strstr(w.text, "secret") == NULL);
}

#define WITH_SLOT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_SLOT(the_snapshot_and_the_stream_meet),
        WITH_SLOT(one_reader_a_slot),
        WITH_SLOT(a_slot_that_is_not_there),
        WITH_SLOT(a_publication_that_was_not_there),
        WITH_SLOT(what_is_confirmed_stays),
        WITH_SLOT(an_idle_server_says_how_far_it_is),
        WITH_SLOT(a_lost_connection),
        cmocka_unit_test(nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
