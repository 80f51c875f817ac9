/* Columns go to a real Postgres and come back through the row accessors: what was put is what arrives. */
#include <signal.h>
#include <sys/wait.h>

#include "pg_test.h"
#include "pg_time.h"

static const uint32_t ALL_TYPES[] = {25, 2950, 21, 23, 20, 16, 1184, 17};
static const struct sql ECHO = {
    .name = "echo",
    .text =
        "select ordinal, t, u, i2, i4, i8, b, at, bytes"
        "  from unnest($1::text[], $2::uuid[], $3::int2[], $4::int4[], $5::int8[], $6::bool[], $7::timestamptz[],"
        "              $8::bytea[]) with ordinality as x (t, u, i2, i4, i8, b, at, bytes, ordinal) order by ordinal",
    .nparams = 8,
    .types = ALL_TYPES,
};

static const uint32_t TEXT_ONLY[] = {25};
static const struct sql ONE = {.name = "one", .text = "select 1", .nparams = 1, .types = TEXT_ONLY};

struct item {
    char text[300];
    size_t text_n;
    struct uuid id;
    int64_t i2, i4, i8, at;
    bool b, nothing; /* nothing: every column null */
};

static uint32_t seed = 12345;

static uint32_t any(uint32_t below) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
}

static struct item any_item(void) {
    struct item it = {.id = uuid_v7(), .b = any(2), .nothing = any(5) == 0, .text_n = any(300)};
    for (size_t i = 0; i < it.text_n; i++)
        it.text[i] = (char)('a' + any(26));
    it.i2 = (int64_t)any(65536) - 32768;
    it.i4 = (int32_t)(any(1 << 24) << 8 | any(256));
    it.i8 = (int64_t)((uint64_t)any(1 << 24) << 40 | any(1 << 24));
    it.at = (int64_t)any(1 << 24) * 100000007 - 500000000;
    return it;
}

static void put_item(struct sql_params *c, const struct item *it) {
    if (it->nothing) {
        for (int i = 0; i < ECHO.nparams; i++)
            put_null(c);
        return;
    }
    put_text(c, (struct str){it->text, it->text_n});
    put_uuid(c, &it->id);
    put_int(c, it->i2);
    put_int(c, it->i4);
    put_int(c, it->i8);
    put_bool(c, it->b);
    put_time(c, it->at);
    put_bytes(c, (struct str){it->text, it->text_n});
}

static PGresult *run(PGconn *conn, struct sql_params *c) {
    PGresult *res;
    struct why w = {0};
    if (pg_run(conn, c, &res, &w) != ST_OK) fail_msg("%s", w.text);
    return res;
}

static void check_item(const struct rows *r, int row, const struct item *it, int ordinal) {
    assert_int_equal(row_int(r, row, 0), ordinal);
    if (it->nothing) {
        for (int column = 1; column <= 8; column++)
            assert_true(row_null(r, row, column));
        return;
    }
    for (int column = 1; column <= 8; column++)
        assert_false(row_null(r, row, column));
    struct uuid id = row_uuid(r, row, 2);
    assert_true(str_eq(row_text(r, row, 1), (struct str){it->text, it->text_n}));
    assert_true(uuid_eq(&id, &it->id));
    assert_int_equal(row_int(r, row, 3), it->i2);
    assert_int_equal(row_int(r, row, 4), it->i4);
    assert_int_equal(row_int(r, row, 5), it->i8);
    assert_int_equal(row_bool(r, row, 6), it->b);
    assert_int_equal(row_time(r, row, 7), it->at);
    assert_true(str_eq(row_text(r, row, 8), (struct str){it->text, it->text_n}));
}

static PGconn *prepared(void) {
    struct why w = {0};
    PGconn *conn = test_connect(test_cluster());
    if (pg_prepare(conn, &ECHO, &w) != ST_OK) fail_msg("%s", w.text);
    return conn;
}

static void what_is_put_arrives(void **state) {
    (void)state;
    PGconn *conn = prepared();
    struct sql_params c;
    sql_params_init(&c, &ECHO);
    for (int round = 0; round < 20; round++) {
        struct item items[50];
        int n = 1 + (int)any(50);
        sql_params_reset(&c);
        for (int i = 0; i < n; i++) {
            items[i] = any_item();
            put_item(&c, &items[i]);
        }
        assert_int_equal(c.items, n);
        PGresult *res = run(conn, &c);
        struct rows r = {res, 0, PQntuples(res)};
        assert_int_equal(r.count, n);
        for (int i = 0; i < n; i++)
            check_item(&r, i, &items[i], i + 1);
        PQclear(res);
    }
    sql_params_free(&c);
    PQfinish(conn);
}

/* Any cut of a batch, put together again, is the batch. */
static void copies_make_the_whole(void **state) {
    (void)state;
    PGconn *conn = prepared();
    struct sql_params all, copy;
    sql_params_init(&all, &ECHO);
    sql_params_init(&copy, &ECHO);
    for (int round = 0; round < 20; round++) {
        struct item items[40];
        sql_params_reset(&all);
        sql_params_reset(&copy);
        for (int i = 0; i < 40; i++) {
            items[i] = any_item();
            put_item(&all, &items[i]);
        }
        int first = (int)any(40), last = first + 1 + (int)any(40u - (uint32_t)first);
        for (int at = first; at < last;) {
            int count = (int)any((uint32_t)(last - at) + 1);
            sql_params_copy(&copy, &all, at, count);
            at += count;
        }
        PGresult *res = run(conn, &copy);
        struct rows r = {res, 0, PQntuples(res)};
        assert_int_equal(r.count, last - first);
        for (int i = first; i < last; i++)
            check_item(&r, i - first, &items[i], i - first + 1);
        PQclear(res);
    }
    sql_params_free(&all);
    sql_params_free(&copy);
    PQfinish(conn);
}

static void rows_are_a_window(void **state) {
    (void)state;
    PGconn *conn = prepared();
    struct sql_params c;
    sql_params_init(&c, &ECHO);
    struct item items[10];
    for (int i = 0; i < 10; i++) {
        items[i] = any_item();
        put_item(&c, &items[i]);
    }
    PGresult *res = run(conn, &c);
    struct rows r = {res, 4, 3};
    for (int i = 0; i < 3; i++)
        check_item(&r, i, &items[4 + i], 5 + i);
    PQclear(res);
    sql_params_free(&c);
    PQfinish(conn);
}

/* Postgres 15 does not look at the flag; the format has it all the same, and a copy sets it only where it
 * holds. */
static void nulls_are_announced(void **state) {
    (void)state;
    struct sql_params c, copy;
    sql_params_init(&c, &ONE);
    sql_params_init(&copy, &ONE);
    put_text(&c, STR("a"));
    assert_int_equal(c.arrays[0].data[7], 0);
    put_null(&c);
    put_text(&c, STR("b"));
    assert_int_equal(c.arrays[0].data[7], 1);
    sql_params_copy(&copy, &c, 2, 1);
    assert_int_equal(copy.arrays[0].data[7], 0);
    sql_params_copy(&copy, &c, 1, 1);
    assert_int_equal(copy.arrays[0].data[7], 1);
    sql_params_reset(&c);
    assert_int_equal(c.arrays[0].data[7], 0);
    sql_params_free(&c);
    sql_params_free(&copy);
}

/* Times beyond what can be counted from 2000 end up at the infinities, on both ways. */
static void endless_times(void **state) {
    (void)state;
    PGconn *conn = test_connect(test_cluster());
    PGresult *res = PQexecParams(conn, "select 'infinity'::timestamptz, '-infinity'::timestamptz", 0, NULL,
                                 NULL, NULL, NULL, 1);
    struct rows r = {res, 0, 1};
    assert_int_equal(row_time(&r, 0, 0), INT64_MAX);
    assert_true(row_time(&r, 0, 1) < INT64_MIN + 2 * POSTGRES_EPOCH_US);
    PQclear(res);
    PQfinish(conn);
}

/* Expects the child that runs f to abort: these are bugs of the caller, stopped where they are made. */
static void assert_aborts(void (*f)(void)) {
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(2);
        signal(SIGABRT, SIG_DFL);
        f();
        _exit(0);
    }
    int how = 0;
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT);
}

static void put_wrong(void (*put_one)(struct sql_params *c), uint32_t type) {
    const struct sql sql = {.name = "wrong", .text = "", .nparams = 1, .types = &type};
    struct sql_params c;
    sql_params_init(&c, &sql);
    put_one(&c);
}

static void one_text(struct sql_params *c) {
    put_text(c, STR("x"));
}

static void one_int(struct sql_params *c) {
    put_int(c, 1);
}

static void one_bool(struct sql_params *c) {
    put_bool(c, true);
}

static void one_time(struct sql_params *c) {
    put_time(c, 1);
}

static void one_uuid(struct sql_params *c) {
    struct uuid id = uuid_v7();
    put_uuid(c, &id);
}

static void one_bytes(struct sql_params *c) {
    put_bytes(c, STR("x"));
}

static void text_as_uuid(void) {
    put_wrong(one_text, 2950);
}

static void int_as_text(void) {
    put_wrong(one_int, 25);
}

static void bool_as_int(void) {
    put_wrong(one_bool, 23);
}

static void time_as_int(void) {
    put_wrong(one_time, 20);
}

static void uuid_as_text(void) {
    put_wrong(one_uuid, 25);
}

static void bytes_as_text(void) {
    put_wrong(one_bytes, 25);
}

static void put_too_wide(void) {
    static const uint32_t int4[] = {23};
    static const struct sql narrow = {.name = "narrow", .text = "", .nparams = 1, .types = int4};
    struct sql_params c;
    sql_params_init(&c, &narrow);
    put_int(&c, INT64_C(1) << 31);
}

static void send_half_an_item(void) {
    struct sql_params c;
    const char *values[SQL_MAX_PARAMS];
    int lengths[SQL_MAX_PARAMS], formats[SQL_MAX_PARAMS];
    sql_params_init(&c, &ECHO);
    put_text(&c, STR("only the first"));
    sql_params_values(&c, values, lengths, formats);
}

static void copy_beyond_the_end(void) {
    struct sql_params a, b;
    sql_params_init(&a, &ONE);
    sql_params_init(&b, &ONE);
    put_text(&a, STR("x"));
    sql_params_copy(&b, &a, 0, 2);
}

static void read_text_as_uuid(void) {
    PGconn *conn = test_connect(test_cluster());
    PGresult *res = PQexecParams(conn, "select 'abc'::text", 0, NULL, NULL, NULL, NULL, 1);
    struct rows r = {res, 0, 1};
    row_uuid(&r, 0, 0);
}

static void read_text_format(void) {
    PGconn *conn = test_connect(test_cluster());
    PGresult *res = PQexec(conn, "select 12345678");
    struct rows r = {res, 0, 1};
    row_int(&r, 0, 0);
}

static void read_a_null(void) {
    PGconn *conn = test_connect(test_cluster());
    PGresult *res = PQexecParams(conn, "select null::text", 0, NULL, NULL, NULL, NULL, 1);
    struct rows r = {res, 0, 1};
    row_text(&r, 0, 0);
}

static void callers_bugs_abort(void **state) {
    (void)state;
    void (*const bugs[])(void) = {
        text_as_uuid,        int_as_text,       bool_as_int,      time_as_int,
        uuid_as_text,        bytes_as_text,     put_too_wide,     send_half_an_item,
        copy_beyond_the_end, read_text_as_uuid, read_text_format, read_a_null,
    };
    for (size_t i = 0; i < sizeof bugs / sizeof *bugs; i++)
        assert_aborts(bugs[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_arrives), cmocka_unit_test(copies_make_the_whole),
        cmocka_unit_test(rows_are_a_window),   cmocka_unit_test(endless_times),
        cmocka_unit_test(nulls_are_announced), cmocka_unit_test(callers_bugs_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
