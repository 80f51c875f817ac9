/* Areas: their minutes are the sums of their tickets' windows, also when these are read back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "partitions.h"

enum { TICKETS = 40, AREAS = 3, MINUTES = 5, KEEP = 1000, BEGIN = 29000000 };

static struct partitions ps;
static struct partition *p;
static struct sums said[AREAS][MINUTES], model[AREAS][MINUTES];
static int rows;
static bool final[AREAS][MINUTES];

static struct uuid ticket_id(int n) {
    struct uuid id = {{1, [12] = (uint8_t)(1 + n % AREAS), [15] = (uint8_t)n}};
    return id;
}

static const struct uuid show = {{7}};

static int setup(void **state) {
    (void)state;
    memset(said, 0, sizeof said);
    memset(model, 0, sizeof model);
    memset(final, 0, sizeof final);
    partitions_begin(&ps, 1, KEEP);
    p = &ps.all[0];
    return 0;
}

static int teardown(void **state) {
    (void)state;
    partitions_free(&ps);
    return 0;
}

static struct order_event event_of(int ticket, int order, enum order_event_type type, int minute) {
    return (struct order_event){.type = type,
                                .id = {{(uint8_t)order, (uint8_t)(order >> 8), 9}},
                                .ticket_id = ticket_id(ticket),
                                .version = type == ORDER_CREATED ? 1 : 2,
                                .occurred_at = (INT64_C(60) * (BEGIN + minute) + 1) * 1000000,
                                .price = 100 + ticket,
                                .currency = STR("EUR"),
                                .has_show_id = true,
                                .show_id = show};
}

static enum count_result tell(const struct order_event *e) {
    return partition_count(p, e, p->position, e->occurred_at / 1000);
}

static void happen(int ticket, int order, enum order_event_type type, int minute) {
    const struct order_event e = event_of(ticket, order, type, minute);
    struct sums *m = &model[ticket % AREAS][minute];
    m->placed += type == ORDER_CREATED;
    m->sold += type == ORDER_COMPLETED;
    m->cancelled += type == ORDER_CANCELLED;
    m->revenue += type == ORDER_COMPLETED ? e.price : 0;
    tell(&e);
    assert_int_equal(tell(&e), COUNT_KNOWN);
}

static void take(void *arg, const struct area *area, const struct area_minute *m) {
    (void)arg;
    const struct show_sales_event row = partition_area_row(p, area, m);
    int a = row.area_id.b[12] - 1, minute = (int)(row.minute / 60000000) - BEGIN;
    assert_true(uuid_eq(&row.show_id, &show));
    assert_int_equal(row.area_id.b[15], 0);
    assert_int_equal(row.version, row.placed + row.sold + row.returned);
    said[a][minute] = (struct sums){row.placed, row.sold, row.returned, row.expired, row.revenue};
    final[a][minute] = row.final;
    rows++;
}

static void take_changes(void) {
    rows = 0;
    areas_take_changes(p->areas, take, NULL);
}

static void much_happens(void) {
    srand(1); /* NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time */
    for (int order = 0; order < 300; order++) {
        int ticket = rand() % TICKETS, minute = rand() % MINUTES; /* NOLINT(cert-msc30-c,cert-msc50-cpp) */
        happen(ticket, order, ORDER_CREATED, minute);
        happen(ticket, order, order % 3 == 0 ? ORDER_COMPLETED : ORDER_CANCELLED, MINUTES - 1);
        if (order % 50 == 0) take_changes();
    }
    take_changes();
}

static void minutes_are_the_sums_of_windows(void **state) {
    (void)state;
    much_happens();
    assert_memory_equal(said, model, sizeof model);
    take_changes();
    assert_int_equal(rows, 0);
}

static void a_ticket_of_no_show_is_of_no_area(void **state) {
    (void)state;
    struct order_event e = event_of(1, 1, ORDER_CREATED, 0);
    e.has_show_id = false;
    assert_int_equal(tell(&e), COUNT_NEW);
    take_changes();
    assert_int_equal(rows, 0);
}

/* As of what a version before counted, which did not keep the show. */
static void what_was_counted_without_its_show_is_added_when_it_is_told(void **state) {
    (void)state;
    struct order_event e = event_of(1, 1, ORDER_CREATED, 0);
    e.has_show_id = false;
    tell(&e);
    happen(1, 2, ORDER_CREATED, 2);
    happen(1, 2, ORDER_CANCELLED, 2);
    model[1][0].placed = 1;
    take_changes();
    assert_int_equal(rows, 2);
    assert_memory_equal(said, model, sizeof model);
}

static void closing_says_all_minutes_once_more(void **state) {
    (void)state;
    much_happens();
    memset(said, 0, sizeof said);
    partition_promise(p,
                      &(struct watermark_event){.occurred_at = (INT64_C(60) * (BEGIN + 3) + 59) * 1000000});
    assert_true(partition_has_final(p));
    partition_close(p);
    take_changes();
    assert_int_equal(rows, 3 * AREAS);
    for (int a = 0; a < AREAS; a++)
        for (int m = 0; m < MINUTES; m++) {
            assert_int_equal(final[a][m], m < 3);
            if (m < 3) assert_memory_equal(&said[a][m], &model[a][m], sizeof said[a][m]);
        }
}

/* --- read back --- */

struct copy {
    struct partition *to;
    struct buf scratch, value;
};

static void copy_ticket(void *arg, const struct ticket *t) {
    struct copy *c = arg;
    for (uint32_t i = 0; i < t->nwindows; i++) {
        uint8_t key[STATE_KEY_MOST];
        struct state_record r;
        struct why w;
        size_t n = state_window_key(key, t, &t->windows[i]);
        state_window_value(&c->value, t, &t->windows[i]);
        assert_int_equal(state_read((struct str){(char *)key, n}, buf_str(&c->value), &c->scratch, &r, &w),
                         ST_OK);
        for (int twice = 0; twice < 2; twice++)
            windows_put(c->to->windows, &r.ticket, &r.window);
    }
}

static void they_are_made_again_of_what_is_read_back(void **state) {
    (void)state;
    much_happens();
    struct partitions before = ps;
    ps = (struct partitions){0};
    partitions_begin(&ps, 1, KEEP);
    p = &ps.all[0];
    struct copy c = {.to = p};
    windows_each(before.all[0].windows, copy_ticket, &c);
    partition_add_up(p);
    take_changes();
    assert_int_equal(rows, 0);
    for (int a = 0; a < AREAS; a++)
        for (int m = 0; m < MINUTES; m++)
            happen(a, 1000 + m, ORDER_CREATED, m);
    take_changes();
    assert_memory_equal(said, model, sizeof model);
    buf_free(&c.scratch);
    buf_free(&c.value);
    partitions_free(&before);
}

static void minutes_of_long_ago_are_let_go_of(void **state) {
    (void)state;
    much_happens();
    areas_forget(p->areas, BEGIN + 3);
    areas_close(p->areas, 0, UINT32_MAX);
    take_changes();
    assert_int_equal(rows, 2 * AREAS);
    happen(0, 2000, ORDER_CREATED, 4);
    take_changes();
    assert_memory_equal(&said[0][4], &model[0][4], sizeof said[0][4]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(minutes_are_the_sums_of_windows, setup, teardown),
        cmocka_unit_test_setup_teardown(a_ticket_of_no_show_is_of_no_area, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_counted_without_its_show_is_added_when_it_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(closing_says_all_minutes_once_more, setup, teardown),
        cmocka_unit_test_setup_teardown(they_are_made_again_of_what_is_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(minutes_of_long_ago_are_let_go_of, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
