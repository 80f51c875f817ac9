/* What is due in a room, and when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "control.h"
#include "stock.h"

#define SECOND INT64_C(1000000)
static const int64_t opens = 2000000 * SECOND, closes = 2001000 * SECOND;
static const struct control_settings settings = {
    .rate = 100, .time_ms = 600000, .ahead_ms = 3600000, .between_ms = 250};
static const uint8_t seed[SEED_BYTES] = {1};
static struct phase phase;
static struct room room;
static uint8_t hash[SEED_BYTES];

static int set_up(void **state) {
    (void)state;
    room = (struct room){0};
    phase = (struct phase){.opens_us = opens, .closes_us = closes};
    room_hash_seed(seed, hash);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    room_free(&room);
    return 0;
}

static void open_with(uint32_t people) {
    room_announce(&room, &(struct room_times){1, 1, opens, closes, opens}, hash);
    for (uint32_t i = 0; i < people; i++) {
        struct uuid id = {.b = {1}};
        memcpy(id.b + 8, &i, sizeof i);
        room_join(&room, 1, &id, 0);
    }
    room_open(&room, 1, seed, opens);
}

static struct control due_at(int64_t now_us) {
    return control_due(&room, &phase, -1, &settings, now_us);
}

static void a_room_comes_and_goes_with_its_phase(void **state) {
    (void)state;
    assert_int_equal(control_due(&room, NULL, -1, &settings, opens).kind, CONTROL_NOTHING);
    assert_int_equal(due_at(opens - 3601 * SECOND).kind, CONTROL_NOTHING);
    struct control due = due_at(opens - 3600 * SECOND);
    assert_int_equal(due.kind, CONTROL_ANNOUNCE);
    assert_int_equal(due.round, 1);
    room_announce(&room, &(struct room_times){1, 1, opens, closes, opens}, hash);
    assert_int_equal(due_at(opens - 1).kind, CONTROL_NOTHING);
    assert_int_equal(due_at(opens).kind, CONTROL_OPEN);
    assert_int_equal(control_due(&room, NULL, -1, &settings, opens).kind, CONTROL_CLOSE);
    room_open(&room, 1, seed, opens);
    assert_int_equal(due_at(opens + 5 * SECOND).kind, CONTROL_NOTHING); /* nobody is there */
    assert_int_equal(control_due(&room, NULL, -1, &settings, closes).kind, CONTROL_CLOSE);
    room_close(&room, 1, 1, closes);
    assert_int_equal(due_at(opens).round, 1); /* it has come back */
    room.closed_us = opens - ROOM_KEPT_US;
    assert_int_equal(due_at(opens).round, 2);
    room.closed_us = closes;
    phase.opens_us += SECOND;
    assert_int_equal(due_at(opens).round, 2);
}

static void other_times_are_announced_and_another_phase_is_another_round(void **state) {
    (void)state;
    room_announce(&room, &(struct room_times){1, 1, opens, closes, opens}, hash);
    phase.opens_us += SECOND;
    assert_int_equal(due_at(opens).kind, CONTROL_ANNOUNCE);
    assert_int_equal(due_at(opens).round, 1);
    room_announce(&room, &(struct room_times){1, 1, phase.opens_us, closes, opens}, hash);
    room_open(&room, 1, seed, phase.opens_us);
    phase.closes_us += SECOND; /* as it may of an open phase */
    assert_int_equal(due_at(opens + SECOND).kind, CONTROL_ANNOUNCE);
    assert_int_equal(due_at(opens + SECOND).closes_us, closes + SECOND);
    phase.opens_us = closes;
    assert_int_equal(due_at(closes).kind, CONTROL_CLOSE);
}

static void serve_at(int64_t now_us, uint32_t serving) {
    struct control due = due_at(now_us);
    assert_int_equal(due.kind, CONTROL_SERVE);
    assert_int_equal(due.serving, serving);
    assert_true(room_serve(&room, 1, due.serving, now_us, due.until_us));
}

/* Nothing is lost between turns, and no more than a second's worth comes at once. */
static void people_come_in_at_the_rate(void **state) {
    (void)state;
    open_with(1000);
    serve_at(opens + 10000, 100);
    assert_int_equal(due_at(opens + 200000).kind, CONTROL_NOTHING);
    serve_at(opens + 265000, 125);
    serve_at(opens + 525000, 151);
    serve_at(opens + SECOND, 199);
    serve_at(opens + 60 * SECOND, 299);
    assert_int_equal(room_turn_of(&room, 299)->until_us, opens + 660 * SECOND);
    serve_at(closes - SECOND, 399);
    assert_int_equal(room_turn_of(&room, 399)->until_us, closes);
}

/* Two replicas that write at nearly the same time: one of the two counts. */
static void a_second_writer_adds_nothing(void **state) {
    (void)state;
    open_with(1000);
    struct control one = due_at(opens + 10000), two = due_at(opens + 14000);
    assert_int_equal(one.serving, two.serving);
    assert_true(room_serve(&room, 1, one.serving, opens + 10000, one.until_us));
    assert_false(room_serve(&room, 1, two.serving, opens + 14000, two.until_us));
}

static void nobody_comes_in_for_whom_nothing_is_left(void **state) {
    (void)state;
    open_with(1000);
    struct control due = control_due(&room, &phase, 30, &settings, opens + SECOND);
    assert_int_equal(due.serving, 30);
    room_serve(&room, 1, 30, opens + SECOND, due.until_us);
    assert_int_equal(control_due(&room, &phase, 30, &settings, opens + 5 * SECOND).kind, CONTROL_NOTHING);
    assert_int_equal(control_due(&room, &phase, 35, &settings, opens + 5 * SECOND).serving, 35);
    /* Their time is over. */
    assert_int_equal(control_due(&room, &phase, 30, &settings, due.until_us).serving, 60);
}

static void the_pace_is_that_of_the_last_minute(void **state) {
    (void)state;
    open_with(1000);
    assert_true(control_pace(&room, &settings, opens + SECOND) == 100);
    room_serve(&room, 1, 10, opens + SECOND, closes);
    assert_true(control_pace(&room, &settings, opens + 10 * SECOND) == 1);
    room_serve(&room, 1, 130, opens + 100 * SECOND, closes);
    assert_true(control_pace(&room, &settings, opens + 121 * SECOND) == 1);
}

/* --- what is left --- */

static struct uuid ticket_of(const struct uuid *area, uint32_t number) {
    struct uuid id = *area;
    id.b[13] = (uint8_t)(number >> 16);
    id.b[14] = (uint8_t)(number >> 8);
    id.b[15] = (uint8_t)number;
    return id;
}

static void places_that_are_taken_are_not_left(void **state) {
    (void)state;
    struct stock stock = {0};
    struct uuid show = {.b = {1}}, other = {.b = {2}}, area = {.b = {3}}, second = {.b = {4}};
    assert_int_equal(stock_left(&stock, &show, 0, NULL, 0), -1);
    struct uuid first_ticket = ticket_of(&area, 0), last_ticket = ticket_of(&area, 0xffffff);
    stock_order(&stock, &first_ticket, &show, true); /* before it is known how many there are */
    stock_area(&stock, &area, &show, 100, false);
    assert_int_equal(stock_left(&stock, &show, 0, NULL, 0), 99);
    stock_order(&stock, &first_ticket, &show, true);
    stock_order(&stock, &last_ticket, &show, true);
    assert_int_equal(stock_left(&stock, &show, 0, NULL, 0), 98);
    stock_order(&stock, &first_ticket, &show, false);
    stock_order(&stock, &first_ticket, &show, false);
    assert_int_equal(stock_left(&stock, &show, 0, NULL, 0), 99);
    stock_area(&stock, &second, &show, 10, false);
    assert_int_equal(stock_left(&stock, &show, 0, NULL, 0), 109);
    assert_int_equal(stock_left(&stock, &show, 0, &second, 1), 10);
    assert_int_equal(stock_left(&stock, &other, 0, NULL, 0), -1);
    stock_area(&stock, &second, &show, 10, true);
    assert_int_equal(stock_left(&stock, &show, 0, NULL, 0), 99);
    assert_int_equal(stock_left(&stock, &show, 0, &second, 1), 0);
    stock_free(&stock);
}

/* Which would be for good. */
static void a_show_is_not_sold_out_before_its_stock_is_read(void **state) {
    (void)state;
    struct stock stock = {0};
    struct uuid show = {.b = {1}}, area = {.b = {3}}, second = {.b = {4}}, ticket = ticket_of(&area, 0);
    stock_area(&stock, &area, &show, 1, false);
    stock_order(&stock, &ticket, &show, true);
    assert_int_equal(stock_left(&stock, &show, 0, NULL, 0),
                     0); /* an old event does not say how many it has */
    assert_int_equal(stock_left(&stock, &show, 3, NULL, 0), -1);
    assert_int_equal(stock_left(&stock, &show, 3, &area, 1), -1);
    stock_area(&stock, &second, &show, 1, false);
    assert_int_equal(stock_left(&stock, &show, 3, NULL, 0), -1);
    stock_area(&stock, &second, &show, 2, true);
    assert_int_equal(stock_left(&stock, &show, 3, NULL, 0), 0);
    stock_free(&stock);
}

static void phases_with_a_queue_are_read(void **state) {
    (void)state;
    struct phases p = {0};
    phases_read(&p, STR("[{\"name\":\"a\",\"opensAt\":\"2030-01-01T00:00:00.000Z\",\"closesAt\":"
                        "\"2030-01-02T00:00:00.000Z\",\"perUser\":2,\"queue\":false,\"codes\":false},"
                        "{\"name\":\"b\",\"opensAt\":\"2030-01-03T00:00:00.000Z\",\"closesAt\":"
                        "\"2030-01-04T00:00:00.000Z\",\"perUser\":2,\"queue\":true,\"codes\":false,"
                        "\"areas\":[\"0198c2a4-6b50-7c3e-9a51-3f6b2c000000\"]},"
                        "{\"opensAt\":\"never\",\"queue\":true}]"));
    assert_int_equal(p.count, 1);
    assert_int_equal(p.items[0].nareas, 1);
    int64_t day_us = 86400 * SECOND, third_us = INT64_C(1893628800) * SECOND;
    assert_int_equal(p.items[0].opens_us, third_us);
    assert_ptr_equal(phases_next(&p, 0), &p.items[0]);
    assert_ptr_equal(phases_next(&p, third_us + day_us - 1), &p.items[0]);
    assert_null(phases_next(&p, third_us + day_us));
    assert_null(phases_after(&p, &p.items[0]));
    assert_null(phases_after(&p, NULL));
    static const char *const none[] = {"", "null", "{}", "[1]", "[{}]", "[{\"queue\":true}]"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        phases_read(&p, str_of(none[i]));
        assert_int_equal(p.count, 0);
    }
    phases_free(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_room_comes_and_goes_with_its_phase, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_times_are_announced_and_another_phase_is_another_round, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(people_come_in_at_the_rate, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_writer_adds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(nobody_comes_in_for_whom_nothing_is_left, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_pace_is_that_of_the_last_minute, set_up, tear_down),
        cmocka_unit_test(places_that_are_taken_are_not_left),
        cmocka_unit_test(a_show_is_not_sold_out_before_its_stock_is_read),
        cmocka_unit_test(phases_with_a_queue_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
