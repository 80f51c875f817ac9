/* db: batches and their rows, with a real Postgres. */
#include "db_fixture.h"

static const struct sql patient = {"test_patient", FX_GATED, 1, true, fx_int, .gather_ms = 10},
                        endless = {"test_endless", FX_GATED, 1, true, fx_int, .gather_ms = 1000000000};
static const struct sql *const statements[] = {&fx_echo, &fx_gated_read, &fx_gated_write,
                                               &patient, &endless,       NULL};

static void open_with(int queue_items, int batch_items) {
    struct db_options options = fx_options(statements);
    options.queue_items = queue_items;
    options.batch_items = batch_items;
    fx_open(&options);
}

static void one_turn_is_one_execution(void **state) {
    (void)state;
    struct item items[50] = {0};
    open_with(1000, 500);
    int64_t batches = metric_value(M_DB_BATCHES), carried = metric_value(M_DB_ITEMS);
    fx_add_all(&fx_echo, items, 50);
    assert_int_equal(db_in_flight(fx_db), 50);
    assert_int_equal(metric_value(M_DB_BATCHES), batches); /* not before the flush */
    fx_until(fx_answered == 50);
    fx_check_all(items, 50, ST_OK);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(items[i].rows, 1);
        assert_int_equal(items[i].got, i);
        assert_int_equal(items[i].batch, 50);
        assert_int_equal(items[i].order, i);
    }
    assert_int_equal(db_in_flight(fx_db), 0);
    assert_int_equal(metric_value(M_DB_BATCHES), batches + 1);
    assert_int_equal(metric_value(M_DB_ITEMS), carried + 50);
}

/* Items that come one by one while their connection is busy end up in one execution. */
static void the_next_batch_grows_while_one_is_in_flight(void **state) {
    (void)state;
    struct item items[100] = {0};
    open_with(1000, 500);
    fx_close_gate();
    fx_add_all(&fx_gated_write, items, 1);
    fx_until_at_gate(1);
    for (int i = 1; i < 100; i++) {
        items[i].n = i;
        assert_int_equal(fx_add(&fx_gated_write, &items[i]), ST_OK);
        db_flush(fx_db);
    }
    fx_open_gate();
    fx_until(fx_answered == 100);
    fx_check_all(items, 100, ST_OK);
    assert_int_equal(items[0].batch, 1);
    assert_int_equal(items[99].batch, 99);
    for (int i = 0; i < 100; i++)
        assert_int_equal(items[i].got, i);
}

/* What waits goes when a result comes, not at the next flush. */
static void a_result_sends_the_next_batch(void **state) {
    (void)state;
    struct item items[20] = {0};
    open_with(1000, 2);
    fx_close_gate();
    fx_add_all(&fx_gated_write, items, 20);
    db_flush(fx_db);
    fx_until_at_gate(1);
    fx_open_gate();
    fx_until_answered_without_flush(20);
    fx_check_all(items, 20, ST_OK);
}

static void an_execution_carries_at_most_batch_items(void **state) {
    (void)state;
    struct item items[250] = {0};
    open_with(1000, 100);
    fx_add_all(&fx_echo, items, 250);
    fx_until(fx_answered == 250);
    fx_check_all(items, 250, ST_OK);
    for (int i = 0; i < 250; i++) {
        assert_int_equal(items[i].batch, i < 200 ? 100 : 50);
        assert_int_equal(items[i].got, i);
    }
}

static void the_oldest_batch_of_a_connection_goes_first(void **state) {
    (void)state;
    struct item gated[2] = {0}, echo[3] = {0}, late = {.n = 9};
    open_with(1000, 500);
    fx_close_gate();
    for (int i = 0; i < 2; i++) { /* one that is on its way, and one that opens first */
        fx_add(&fx_gated_read, &gated[i]);
        db_flush(fx_db);
    }
    fx_add_all(&fx_echo, echo, 3);
    fx_add(&fx_gated_read, &late); /* to the second batch, so it goes before echo */
    fx_until_at_gate(1);
    fx_open_gate();
    fx_until(fx_answered == 6);
    assert_int_equal(late.batch, 2);
    assert_true(late.order < echo[0].order);
    assert_int_equal(echo[0].batch, 3);
}

static int64_t sent(void) {
    return metric_value(M_DB_BATCHES);
}

static void what_may_gather_lets_others_go_first(void **state) {
    (void)state;
    struct item first[10] = {0}, other = {0}, last[10] = {0};
    open_with(1000, 20);
    int64_t before = sent();
    fx_add_all(&endless, first, 10);
    db_flush(fx_db);
    fx_add(&fx_gated_write, &other);
    fx_until(other.answers == 1);
    assert_int_equal(fx_answered, 1);
    fx_add_all(&endless, last, 10); /* it is full now */
    fx_until(fx_answered == 21);
    assert_int_equal(first[0].batch, 20);
    assert_int_equal(sent(), before + 2);
}

static void what_gathers_goes_when_its_time_is_over(void **state) {
    (void)state;
    struct item items[2] = {0};
    open_with(1000, 500);
    fx_add_all(&patient, items, 2);
    db_flush(fx_db);
    fx_until_answered_without_flush(2);
    assert_int_equal(items[0].batch, 2);
}

static void reads_do_not_wait_for_writes(void **state) {
    (void)state;
    struct item write = {0}, read = {.n = 5};
    open_with(1000, 500);
    fx_close_gate();
    fx_add(&fx_gated_write, &write);
    fx_until_at_gate(1);
    fx_add(&fx_echo, &read);
    fx_until(read.answers == 1);
    assert_int_equal(read.got, 5);
    assert_int_equal(write.answers, 0);
    fx_open_gate();
    fx_until(write.answers == 1);
}

static void a_full_queue_refuses(void **state) {
    (void)state;
    struct item items[10] = {0}, more = {0};
    open_with(10, 500);
    int64_t refused = metric_value(M_DB_REFUSED);
    fx_close_gate();
    fx_add_all(&fx_gated_write, items, 6);
    fx_add_all(&fx_gated_read, items + 6, 4); /* the bound is over both connections */
    assert_int_equal(fx_add(&fx_echo, &more), ST_FULL);
    fx_until_at_gate(2);
    assert_int_equal(fx_add(&fx_gated_write, &more), ST_FULL); /* on their way counts too */
    assert_int_equal(metric_value(M_DB_REFUSED), refused + 2);
    assert_int_equal(metric_value(M_DB_WAITING), 10);
    fx_open_gate();
    fx_until(fx_answered == 10);
    assert_int_equal(metric_value(M_DB_WAITING), 0);
    fx_check_all(items, 10, ST_OK);
    assert_int_equal(more.answers, 0);
    assert_int_equal(fx_add(&fx_echo, &more), ST_OK);
    fx_until(more.answers == 1);
}

/* --- adding from within an answer --- */

static struct item chained;
static int chain_left;
static bool adding;

static void chain(void *ctx, enum status st, const struct rows *rows) {
    assert_false(adding);
    fx_done(ctx, st, rows);
    if (chain_left-- == 0) return;
    struct item *item = ctx;
    assert_int_equal(item->got, item->n);
    item->n++;
    adding = true;
    struct sql_params *c = db_add(fx_db, &fx_echo, chain, item, &st);
    adding = false;
    assert_non_null(c);
    put_int(c, item->n);
    if (chain_left % 3 == 0) db_flush(fx_db);
}

static void an_answer_may_add_to_the_same_statement(void **state) {
    (void)state;
    enum status st;
    chained = (struct item){0};
    chain_left = 200;
    open_with(1, 500); /* the answered item has left the queue */
    put_int(db_add(fx_db, &fx_echo, chain, &chained, &st), 0);
    fx_until(chained.answers == 201);
    assert_int_equal(chained.n, 200);
}

/* --- rows --- */

static const struct sql series = {
    "test_series",
    "select ordinal, n, k from unnest($1::int[]) with ordinality as r (n, ordinal), generate_series(1, n) k"
    " order by ordinal, k",
    1,
    false,
    fx_int,
    false,
    0};
static const struct sql unordered = {
    "test_unordered",
    "select ordinal, n, 0 from unnest($1::int[]) with ordinality as r (n, ordinal) order by ordinal desc",
    1,
    false,
    fx_int,
    false,
    0};
static const struct sql beyond = {
    "test_beyond",
    "select ordinal + n, n, 0 from unnest($1::int[]) with ordinality as r (n, ordinal) order by ordinal",
    1,
    false,
    fx_int,
    false,
    0};
static const struct sql without = {
    "test_without", "select null::bigint, 0, 0 from unnest($1::int[])", 1, false, fx_int, false, 0};

static void open_rows(void) {
    static const struct sql *const list[] = {&series, &unordered, &beyond, &without, &fx_echo, NULL};
    struct db_options options = fx_options(list);
    fx_open(&options);
}

static int series_sums[40];

static void sum_series(void *ctx, enum status st, const struct rows *rows) {
    int n = (int)(intptr_t)ctx;
    assert_int_equal(st, ST_OK);
    assert_int_equal(rows->count, n);
    for (int i = 0; i < n; i++) {
        assert_int_equal(row_int(rows, i, 1), n);
        series_sums[n] += (int)row_int(rows, i, 2);
    }
    fx_answered++;
}

static void an_item_gets_none_one_or_several_rows(void **state) {
    (void)state;
    open_rows();
    enum status st;
    for (int i = 0; i < 40; i++)
        put_int(db_add(fx_db, &series, sum_series, (void *)(intptr_t)i, &st), i);
    fx_until(fx_answered == 40);
    for (int i = 0; i < 40; i++)
        assert_int_equal(series_sums[i], i * (i + 1) / 2);
}

/* Better no answer than another item's, or a "not found" that is none. */
static void rows_out_of_order_fail_the_whole_batch(void **state) {
    (void)state;
    struct item items[3] = {0}, far[3] = {0}, none[2] = {0}, good = {.n = 3};
    open_rows();
    fx_add_all(&unordered, items, 3);
    fx_add_all(&beyond, far, 3);
    fx_add_all(&without, none, 2);
    fx_add(&fx_echo, &good);
    fx_until(fx_answered == 9);
    fx_check_all(items, 3, ST_FAILED);
    fx_check_all(far, 3, ST_FAILED);
    fx_check_all(none, 2, ST_FAILED);
    assert_int_equal(good.got, 3);
}

/* --- what is larger than any socket buffer --- */

static const uint32_t text_type[] = {25};
static const struct sql big = {
    "test_big",
    "select ordinal, t from unnest($1::text[]) with ordinality as r (t, ordinal) order by ordinal",
    1,
    false,
    text_type,
    false,
    0};

static struct str big_text;

static void big_done(void *ctx, enum status st, const struct rows *rows) {
    (void)ctx;
    assert_int_equal(st, ST_OK);
    assert_true(str_eq(row_text(rows, 0, 1), big_text));
    fx_answered++;
}

static void large_batches_go_in_pieces(void **state) {
    (void)state;
    static const struct sql *const list[] = {&big, &fx_echo, NULL};
    struct db_options options = fx_options(list);
    options.statement_timeout_ms = PATIENCE_MS; /* so much text takes its time on a busy machine */
    fx_open(&options);
    size_t n = 8 << 20;
    char *text = malloc(n);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i * 31 % 26);
    big_text = (struct str){text, n};
    enum status st;
    for (int i = 0; i < 4; i++)
        put_text(db_add(fx_db, &big, big_done, NULL, &st), big_text);
    struct item small = {.n = 1};
    fx_add(&fx_echo, &small);
    db_flush(fx_db);
    fx_until_answered_without_flush(5); /* the socket itself must ask for the rest */
    assert_int_equal(small.got, 1);
    free(text);
}

/* --- the session --- */

static const struct sql setting = {
    "test_setting",
    "select ordinal, current_setting(name) from unnest($1::text[]) with ordinality as r (name, ordinal) order by ordinal",
    1,
    false,
    text_type,
    false,
    0};

static const struct sql prepared = {
    "test_prepared",
    "select ordinal, n, (select count(*) from pg_prepared_statements) from unnest($1::int[]) with ordinality as r (n, ordinal)"
    " order by ordinal",
    1,
    false,
    fx_int,
    false,
    0};

/* Each connection prepares its own. */
static void statements_are_prepared_where_they_run(void **state) {
    (void)state;
    static const struct sql *const list[] = {&prepared, &fx_gated_write, &fx_echo, NULL};
    struct item item = {0};
    struct db_options options = fx_options(list);
    fx_open(&options);
    fx_add_all(&prepared, &item, 1);
    fx_until(item.answers == 1);
    assert_int_equal(item.batch, 2);
}

static void check_setting(void *ctx, enum status st, const struct rows *rows) {
    assert_int_equal(st, ST_OK);
    struct str want = str_of(ctx), got = row_text(rows, 0, 1);
    if (!str_eq(want, got)) fail_msg("%.*s instead of %s", (int)got.n, got.p, want.p);
    fx_answered++;
}

static void sessions_are_set_up(void **state) {
    (void)state;
    static const struct sql *const list[] = {&setting, NULL};
    static const char *const settings[][2] = {{"statement_timeout", "4321ms"},
                                              {"jit", "off"},
                                              {"plan_cache_mode", "force_generic_plan"},
                                              {"enable_seqscan", "off"},
                                              {"application_name", "onsale-test_db-read"},
                                              {"client_encoding", "UTF8"}};
    struct db_options options = fx_options(list);
    options.statement_timeout_ms = 4321;
    fx_open(&options);
    enum status st;
    for (int i = 0; i < 6; i++)
        put_text(db_add(fx_db, &setting, check_setting, (void *)settings[i][1], &st), str_of(settings[i][0]));
    fx_until(fx_answered == 6);
}

/* A function that claims to be immutable is called when the plan is made, so its answer tells one plan from
 * the next. */
static const struct sql stamped = {
    "test_stamped",
    "select ordinal, plan_number(), n from unnest($1::int[]) with ordinality as r (n, ordinal) order by ordinal",
    1,
    false,
    fx_int,
    false,
    0};

static int64_t plan_number(void) {
    struct item item = {0};
    fx_add_all(&stamped, &item, 1);
    fx_until(item.answers == 1);
    assert_int_equal(item.st, ST_OK);
    return item.got;
}

/* Neither made for each batch, nor kept while tables grow. */
static void plans_are_kept_for_seconds(void **state) {
    (void)state;
    static const struct sql *const list[] = {&stamped, NULL};
    struct db_options options = fx_options(list);
    test_exec(
        fx_admin,
        "create sequence plans; create function plan_number() returns bigint immutable language plpgsql as"
        " $$ begin return nextval('plans'); end $$");
    fx_open(&options);
    plan_number();
    int64_t begin = clock_mono_us(), first = plan_number();
    for (int i = 0; i < 100; i++)
        assert_int_equal(plan_number(), first);
    fx_until(plan_number() != first);
    assert_in_range(clock_mono_us() - begin, 1000000, 6000000);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)
    const struct CMUnitTest tests[] = {
        TEST(one_turn_is_one_execution),
        TEST(the_next_batch_grows_while_one_is_in_flight),
        TEST(a_result_sends_the_next_batch),
        TEST(an_execution_carries_at_most_batch_items),
        TEST(the_oldest_batch_of_a_connection_goes_first),
        TEST(what_may_gather_lets_others_go_first),
        TEST(what_gathers_goes_when_its_time_is_over),
        TEST(reads_do_not_wait_for_writes),
        TEST(a_full_queue_refuses),
        TEST(an_answer_may_add_to_the_same_statement),
        TEST(an_item_gets_none_one_or_several_rows),
        TEST(rows_out_of_order_fail_the_whole_batch),
        TEST(large_batches_go_in_pieces),
        TEST(statements_are_prepared_where_they_run),
        TEST(sessions_are_set_up),
        TEST(plans_are_kept_for_seconds),
    };
    return cmocka_run_group_tests(tests, fx_group_setup, fx_group_teardown);
}
