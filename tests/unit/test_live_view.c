/* live_view: what topics said last, and up to where and from where that is all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "live_stream.h"
#include "live_view.h"

enum { TICKETS, ORDERS };

static struct uuid id_of(int n) {
    struct uuid id = {{0x01, 0x90}};
    id.b[14] = (uint8_t)(n >> 8);
    id.b[15] = (uint8_t)n;
    return id;
}

static struct ticket_event ticket(int n, int version) {
    return (struct ticket_event){.type = version == 1 ? TICKET_CREATED : TICKET_UPDATED,
                                 .id = id_of(n),
                                 .version = version,
                                 .user_id = id_of(1000),
                                 .title = STR("A seat"),
                                 .price = 100 * version,
                                 .currency = STR("USD")};
}

static const struct live_item *say(struct live_view *v, int64_t offset, struct ticket_event e) {
    return live_view_ticket(v, TICKETS, 0, offset, &e);
}

static struct live_view *view_of(size_t most) {
    struct live_view *v = live_view_new(most);
    assert_int_equal(live_view_begin(v, TICKETS, 0, 5, false), 5);
    return v;
}

static void assert_place(const struct live_view *v, const char *wanted) {
    struct buf place = {0};
    live_view_place(v, &place);
    buf_add(&place, "", 1);
    assert_string_equal((char *)place.data, wanted);
    buf_free(&place);
}

static bool reaches(const struct live_view *v, const char *place) {
    return live_view_reaches(v, str_of(place));
}

static void test_the_newest_version_stays(void **state) {
    (void)state;
    struct live_view *v = view_of(10);
    struct uuid id = id_of(1);
    assert_non_null(say(v, 5, ticket(1, 2)));
    assert_null(say(v, 6, ticket(1, 1)));
    assert_null(say(v, 7, ticket(1, 2)));
    const struct live_item *item = live_view_find(v, &id);
    assert_int_equal(item->version, 2);
    assert_int_equal(item->price.minor, 200);
    assert_string_equal(item->price.currency, "USD");
    assert_true(str_eq(item->title, STR("A seat")));
    assert_int_equal(item->date, 0);
    assert_int_equal(item->venue.n + item->city.n, 0);
    assert_false(item->created);
    assert_place(v, "8");
    live_view_free(v);
}

static void test_when_and_where_a_ticket_is_for(void **state) {
    (void)state;
    struct live_view *v = view_of(10);
    struct ticket_event e = ticket(1, 2);
    e.has_date = e.has_city = true;
    e.date = STR("1970-01-02");
    e.city = STR("Bern");
    const struct live_item *item = say(v, 5, e);
    assert_int_equal(item->date, INT64_C(86400) * 1000000);
    assert_true(str_eq(item->title, STR("A seat")) && item->venue.n == 0 && str_eq(item->city, STR("Bern")));
    e.version = 3;
    e.date = STR("nonsense");
    assert_int_equal(say(v, 6, e)->date, 0);
    live_view_free(v);
}

static void test_an_item_outlives_what_comes_after_it(void **state) {
    (void)state;
    struct live_view *v = view_of(1);
    const struct live_item *item = live_item_ref(say(v, 5, ticket(1, 1)));
    assert_true(item->created);
    say(v, 6, ticket(1, 2));
    say(v, 7, ticket(2, 1)); /* 1 is forgotten */
    live_view_free(v);
    assert_int_equal(item->version, 1);
    live_item_unref(item);
}

static void test_what_is_forgotten_moves_the_horizon(void **state) {
    (void)state;
    struct live_view *v = view_of(3);
    for (int n = 1; n <= 3; n++)
        say(v, 4 + n, ticket(n, 1));
    assert_true(reaches(v, "5"));
    say(v, 8, ticket(1, 2)); /* 2 is the oldest now, said at 6 */
    say(v, 9, ticket(4, 1));
    struct uuid second = id_of(2), first = id_of(1);
    assert_null(live_view_find(v, &second));
    assert_non_null(live_view_find(v, &first));
    assert_int_equal(live_view_count(v), 3);
    assert_false(reaches(v, "6"));
    assert_true(reaches(v, "7"));
    live_view_free(v);
}

static void test_many_come_and_go(void **state) {
    (void)state;
    struct live_view *v = view_of(100);
    for (int i = 0; i < 20000; i++)
        say(v, 5 + i, ticket(rand() % 400, 1 + i));
    assert_int_equal(live_view_count(v), 100);
    int found = 0;
    for (int n = 0; n < 400; n++) {
        struct uuid id = id_of(n);
        found += live_view_find(v, &id) != NULL;
    }
    assert_int_equal(found, 100);
    live_view_free(v);
}

static void test_a_place_is_reached_between_horizon_and_position(void **state) {
    (void)state;
    struct live_view *v = view_of(10);
    live_view_begin(v, ORDERS, 1, 7, false);
    live_view_begin(v, ORDERS, 0, 6, false); /* by topic and partition, whatever the order of their coming */
    live_view_passed(v, TICKETS, 0, 9);
    assert_place(v, "10.6.7");
    assert_true(reaches(v, "10.6.7"));
    assert_true(reaches(v, "5.6.7"));
    static const char *const not [] = {"",         "10",     "10.6",   "4.6.7",
                                       "10.5.7",   "10.6.6", "11.6.7", "10.6.8",
                                       "10.6.7.1",

                                       ".10.6.7",  "10..7",

                                       "-10.6.7",  "x",      "10,6,7", "10.6.99999999999999999999"};
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        if (reaches(v, not [i])) fail_msg("reaches \"%s\"", not [i]);
    live_view_free(v);
    v = live_view_new(1);
    assert_false(reaches(v, ""));
    live_view_free(v);
}

/* A place of many partitions is longer than one might think: clients come back with all of it. */
static void test_a_tick_names_the_whole_place(void **state) {
    (void)state;
    struct live_view *v = live_view_new(10);
    struct buf place = {0}, tick = {0}, wanted = {0};
    for (int p = 0; p < 48; p++)
        live_view_begin(v, TICKETS, p, 1000000000000 + p, false);
    live_view_place(v, &place);
    assert_true(place.len > 48 * 13);
    live_tick(&tick, buf_str(&place), 1234);
    buf_add(&wanted, "event: tick\nid: ", 16);
    buf_add(&wanted, place.data, place.len);
    buf_add(&wanted, "\ndata: 1234\n\n", 13);
    assert_int_equal(tick.len, wanted.len);
    assert_memory_equal(tick.data, wanted.data, wanted.len);
    buf_free(&place);
    buf_free(&tick);
    buf_free(&wanted);
    live_view_free(v);
}

static void test_a_partition_goes_on_unless_it_is_gone(void **state) {
    (void)state;
    struct live_view *v = view_of(10);
    say(v, 8, ticket(1, 1));
    assert_int_equal(live_view_begin(v, TICKETS, 0, 100, false), 9);
    assert_true(reaches(v, "5"));
    assert_int_equal(live_view_begin(v, TICKETS, 0, 2, true), 2);
    assert_false(reaches(v, "5"));
    assert_true(reaches(v, "2"));
    live_view_free(v);
}

static void test_a_new_partition_moves_the_others_along(void **state) {
    (void)state;
    struct live_view *v = live_view_new(1);
    live_view_begin(v, TICKETS, 1, 0, false);
    struct ticket_event e = ticket(1, 1);
    live_view_ticket(v, TICKETS, 1, 3, &e);
    live_view_begin(v, TICKETS, 0, 50, false);
    e = ticket(2, 1);
    live_view_ticket(v, TICKETS, 1, 4, &e); /* forgets 1: of partition 1, not of 0 */
    assert_true(reaches(v, "50.4"));
    assert_false(reaches(v, "50.3"));
    live_view_free(v);
}

static void test_whose_order_holds_a_ticket(void **state) {
    (void)state;
    struct live_view *v = view_of(10);
    live_view_begin(v, ORDERS, 0, 0, false);
    struct ticket_event e = ticket(1, 2);
    e.has_order_id = true;
    e.order_id = id_of(77);
    struct uuid nobody = {0}, buyer = id_of(500);
    assert_true(uuid_eq(&say(v, 5, e)->holder, &nobody));
    struct order_event o = {
        .type = ORDER_CREATED, .id = id_of(77), .ticket_id = id_of(1), .version = 1, .user_id = buyer};
    const struct live_item *order = live_view_order(v, ORDERS, 0, 0, &o);
    assert_int_equal(order->kind, LIVE_ORDER);
    assert_true(uuid_eq(&order->owner, &buyer) && uuid_eq(&order->ticket, &o.ticket_id));
    e.version = 3;
    assert_true(uuid_eq(&say(v, 6, e)->holder, &buyer));
    assert_null(live_view_order(v, ORDERS, 0, 1, &o));
    assert_null(live_view_ticket(v, TICKETS, 9, 1, &e)); /* of no partition of ours */
    live_view_free(v);
}

static void test_new_places_of_shows_are_passed_over(void **state) {
    (void)state;
    struct live_view *v = view_of(10);
    struct ticket_event seat = ticket(1, 1);
    seat.has_show_id = true;
    assert_null(say(v, 5, seat));
    assert_int_equal(live_view_count(v), 0);
    assert_place(v, "6");
    seat.type = TICKET_UPDATED;
    seat.version = 2;
    assert_non_null(say(v, 6, seat));
    live_view_free(v);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_version_stays),
        cmocka_unit_test(test_when_and_where_a_ticket_is_for),
        cmocka_unit_test(test_an_item_outlives_what_comes_after_it),
        cmocka_unit_test(test_what_is_forgotten_moves_the_horizon),
        cmocka_unit_test(test_many_come_and_go),
        cmocka_unit_test(test_a_place_is_reached_between_horizon_and_position),
        cmocka_unit_test(test_a_tick_names_the_whole_place),
        cmocka_unit_test(test_a_partition_goes_on_unless_it_is_gone),
        cmocka_unit_test(test_a_new_partition_moves_the_others_along),
        cmocka_unit_test(test_whose_order_holds_a_ticket),
        cmocka_unit_test(test_new_places_of_shows_are_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
