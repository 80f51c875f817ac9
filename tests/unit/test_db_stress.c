/* db: thousands of random items against a model. Whatever fails around it, each is answered exactly once,
 * with its own rows, and what was told agrees with what the table holds. */
#include "db_fixture.h"

enum { WORKS = 30000, KILLS = 12 };

enum kind { READ_ROWS, INSERT, INSERT_FLAKY, KINDS };

struct work {
    enum kind kind;
    int n;
    char text[24];
    bool added;
    int answers;
    enum status st;
};

static struct work works[WORKS];
static unsigned long long seed;
static int answers;

static unsigned draw(unsigned below) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return (unsigned)(seed >> 33) % below;
}

static const uint32_t types[] = {23, 25};

#define FROM_ITEMS " from unnest($1::int[], $2::text[]) with ordinality as r (n, t, ordinal)"

/* n % 4 rows an item. */
static const struct sql read_rows = {"test_read",
                                     "select ordinal, n, t, k" FROM_ITEMS
                                     ", generate_series(1, n % 4) k order by ordinal, k",
                                     2,
                                     false,
                                     types,
                                     false,
                                     0};
/* Every 40th breaks a constraint. */
static const struct sql insert = {"test_insert",
                                  "with ins as (insert into ledger select n, t" FROM_ITEMS
                                  " returning n) select r.ordinal, r.n, r.t, 1 from ins join"
                                  " (select *" FROM_ITEMS ") r using (n) order by ordinal",
                                  2,
                                  true,
                                  types,
                                  false,
                                  0};
/* The same, and one execution in eight fails to serialize. */
static const struct sql insert_flaky = {"test_flaky",
                                        "with ins as (insert into ledger select n, flaky(t)" FROM_ITEMS
                                        " returning n) select r.ordinal, r.n, r.t, 1 from ins"
                                        " join (select *" FROM_ITEMS ") r using (n) order by ordinal",
                                        2,
                                        true,
                                        types,
                                        false,
                                        0};

static const struct sql *const statements[] = {&read_rows, &insert, &insert_flaky, NULL};
static const struct sql *const by_kind[KINDS] = {&read_rows, &insert, &insert_flaky};

static bool culprit(const struct work *w) {
    return w->kind != READ_ROWS && w->n % 40 == 7;
}

static void check_rows(const struct work *w, const struct rows *rows) {
    int want = w->kind == READ_ROWS ? w->n % 4 : 1;
    assert_int_equal(rows->count, want);
    for (int i = 0; i < want; i++) {
        assert_int_equal(row_int(rows, i, 1), w->n);
        assert_true(str_eq(row_text(rows, i, 2), str_of(w->text)));
        assert_int_equal(row_int(rows, i, 3), i + 1);
    }
}

static void done(void *ctx, enum status st, const struct rows *rows);

static int next_work;

/* Adds the next one; it is drawn whether it is added or not. False: refused, or there is no more. */
static bool add_next(void) {
    if (next_work == WORKS) return false;
    struct work *w = &works[next_work];
    *w = (struct work){.kind = draw(KINDS), .n = next_work++};
    snprintf(w->text, sizeof w->text, "%d-%u", w->n, draw(1000000));
    enum status st;
    struct sql_params *c = db_add(fx_db, by_kind[w->kind], done, w, &st);
    w->added = c != NULL;
    if (c == NULL) {
        assert_true(st == ST_LOST || st == ST_FULL);
        if (st == ST_FULL) next_work--; /* later */
        return false;
    }
    put_int(c, w->n);
    put_text(c, str_of(w->text));
    return true;
}

static void done(void *ctx, enum status st, const struct rows *rows) {
    struct work *w = ctx;
    w->answers++;
    w->st = st;
    answers++;
    if (st == ST_OK) {
        assert_false(culprit(w));
        check_rows(w, rows);
    } else {
        assert_true(st == ST_LOST || (st == ST_FAILED && culprit(w)));
    }
    if (draw(4) == 0) add_next();
    if (draw(50) == 0) db_flush(fx_db);
}

static void kill_a_connection(void) {
    char text[256];
    snprintf(text, sizeof text,
             "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()"
             " and application_name like 'onsale-test_db%%-%s'",
             draw(2) == 0 ? "write" : "read");
    test_exec(fx_admin, text);
}

static void check_ledger(void) {
    PGresult *r = PQexec(fx_admin, "select n, t from ledger");
    assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
    char(*found)[24] = calloc(WORKS, sizeof *found);
    for (int i = 0; i < PQntuples(r); i++)
        snprintf(found[atoi(PQgetvalue(r, i, 0))], sizeof *found, "%s", PQgetvalue(r, i, 1));
    PQclear(r);
    for (int i = 0; i < WORKS; i++) {
        const struct work *w = &works[i];
        if (w->kind == READ_ROWS) continue;
        bool there = found[i][0] != '\0';
        if (there) assert_string_equal(found[i], w->text);
        if (!w->added || w->st == ST_FAILED) assert_false(there);
        if (w->added && w->st == ST_OK) assert_true(there);
    }
    free(found);
}

static void every_item_is_answered_once_with_its_own(void **state) {
    (void)state;
    const char *given = getenv("DB_STRESS_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : (unsigned long long)clock_wall_us();
    print_message("DB_STRESS_SEED=%llu\n", seed);
    test_exec(
        fx_admin,
        "create table ledger (n int primary key check (n % 40 <> 7), t text not null);"
        "create function flaky(t text) returns text language plpgsql volatile as $$ begin"
        "  if right(t, 1) = '3' and random() < 0.03 then raise exception 'no' using errcode = '40001'; end if;"
        "  return t; end $$");
    struct db_options options = fx_options(statements);
    options.queue_items = 300;
    options.batch_items = 40;
    fx_open(&options);
    for (int kills = 0; next_work < WORKS;) {
        fx_until(db_ready(fx_db));
        for (unsigned i = draw(60); i > 0; i--)
            add_next();
        if (draw(3) > 0) fx_turn();
        if (kills < KILLS && next_work > (kills + 1) * (WORKS / (KILLS + 1))) {
            kills++;
            db_flush(fx_db); /* so that something is on its way */
            kill_a_connection();
        }
    }
    fx_until(db_in_flight(fx_db) == 0);
    int added = 0, ok = 0;
    for (int i = 0; i < WORKS; i++) {
        assert_int_equal(works[i].answers, works[i].added);
        added += works[i].added;
        ok += works[i].added && works[i].st == ST_OK;
    }
    assert_int_equal(answers, added);
    assert_in_range(ok, WORKS / 2, WORKS); /* it was not all refused */
    assert_int_equal(metric_value(M_DB_WAITING), 0);
    check_ledger();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_item_is_answered_once_with_its_own, fx_setup, fx_teardown),
    };
    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
