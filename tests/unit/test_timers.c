/* timers: what is known of each partition, and when it may fire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "expiration_metrics.h"
#include "timers.h"

static struct timers timers;
static int fired[8]; /* by the number of the order */

static struct uuid id_of(int n) {
    return (struct uuid){.b = {[0] = 1, [15] = (uint8_t)n}};
}

static void say(int partition, int64_t offset, int order, enum order_status status, int64_t due_ms) {
    const struct order_event event = {
        .id = id_of(order), .ticket_id = id_of(100 + order), .status = status, .expires_at = due_ms * 1000};
    timers_order(&timers, partition, offset, &event);
    timers_apply(&timers);
}

static struct log_mark mark_of(uint64_t epoch, uint64_t lsn) {
    return (struct log_mark){true, epoch, {lsn, 1}};
}

/* As a log does, once. False: it was passed, as it had been told. */
static bool say_of_log(int64_t offset, struct log_mark mark, int order, enum order_status status,
                       int64_t due_ms) {
    if (timers_told(&timers, 0, offset, &mark)) return false;
    say(0, offset, order, status, due_ms);
    timers_newest(&timers, 0, offset, &mark);
    return true;
}

static int64_t fire(void *now_ms, const struct wheel_timer *timer) {
    assert_int_equal(timer->ticket.b[15], 100 + timer->order.b[15]);
    fired[timer->order.b[15]]++;
    return *(int64_t *)now_ms + 1000;
}

static void fire_at(int64_t now_ms) {
    timers_fire(&timers, now_ms, 100, fire, &now_ms);
}

/* Not before a wheel's own, which is made a moment later. */
static int64_t a_moment_ms(void) {
    return clock_wall_us() / 1000 + 100;
}

static int64_t begin(int partition, int64_t position, int64_t end) {
    struct timers_partition *p = timers_of(&timers, partition);
    timers_begin(p, position);
    p->end = end;
    return timers_release(&timers);
}

static int set_up(void **state) {
    (void)state;
    memset(fired, 0, sizeof fired);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    timers_free(&timers);
    return 0;
}

static void nothing_fires_before_the_end_is_reached(void **state) {
    (void)state;
    int64_t now = a_moment_ms();
    assert_int_equal(begin(3, 10, 12), 2);
    say(3, 10, 1, ORDER_STATUS_CREATED, now - 5000);
    assert_int_equal(timers_release(&timers), 1);
    assert_true(timers_next_ms(&timers) == INT64_MAX);
    fire_at(now);
    assert_int_equal(fired[1], 0);
    say(3, 11, 2, ORDER_STATUS_CREATED, now - 5000);
    assert_int_equal(timers_release(&timers), 0);
    assert_true(timers_next_ms(&timers) <= now);
    fire_at(now);
    assert_int_equal(fired[1] + fired[2], 2);
    fire_at(now);
    assert_int_equal(fired[1] + fired[2], 2);
    fire_at(now + 1000);
    assert_int_equal(fired[1] + fired[2], 4);
}

static void one_partition_does_not_wait_for_another(void **state) {
    (void)state;
    int64_t now = a_moment_ms();
    begin(0, 0, 1);
    assert_int_equal(begin(1, 0, 5), 6);
    say(1, 0, 1, ORDER_STATUS_CREATED, now);
    say(0, 0, 2, ORDER_STATUS_AWAITING_PAYMENT, now);
    assert_int_equal(timers_release(&timers), 4);
    fire_at(now);
    assert_int_equal(fired[1], 0);
    assert_int_equal(fired[2], 1);
}

/* The offset to restart from is told by spans of 1024. */
static void what_is_over_does_not_fire_and_is_not_read_again(void **state) {
    (void)state;
    int64_t now = a_moment_ms();
    begin(0, 1000, 1000);
    const struct timers_partition *p = timers_of(&timers, 0);
    assert_int_equal(timers_safe(p), 1000);
    say(0, 1000, 1, ORDER_STATUS_CREATED, now);
    say(0, 3000, 2, ORDER_STATUS_CREATED, now);
    say(0, 6000, 3, ORDER_STATUS_CREATED, now);
    say(0, 6001, 1, ORDER_STATUS_AWAITING_PAYMENT, now);
    assert_int_equal(timers_safe(p), 1000);
    say(0, 6002, 1, ORDER_STATUS_COMPLETE, now);
    assert_in_range(timers_safe(p), 3000 - 1023, 3000);
    say(0, 6003, 2, ORDER_STATUS_CANCELLED, now);
    timers_passed(&timers, 0, 6004);
    assert_in_range(timers_safe(p), 6000 - 1023, 6000);
    fire_at(now);
    assert_int_equal(fired[1] + fired[2], 0);
    assert_int_equal(fired[3], 1);
    say(0, 6005, 3, ORDER_STATUS_CANCELLED, now);
    assert_int_equal(timers_safe(p), 6006);
}

static void what_goes_and_comes_back_is_still_known(void **state) {
    (void)state;
    int64_t now = a_moment_ms();
    begin(2, 0, 1);
    say(2, 0, 1, ORDER_STATUS_CREATED, now);
    timers_release(&timers);
    timers_hold(&timers);
    fire_at(now);
    assert_int_equal(fired[1], 0);
    timers_of(&timers, 2)->end = 2; /* it comes back, longer */
    assert_int_equal(timers_release(&timers), 1);
    say(2, 1, 2, ORDER_STATUS_CREATED, now);
    assert_int_equal(timers_release(&timers), 0);
    fire_at(now);
    assert_int_equal(fired[1] + fired[2], 2);
}

static bool is_one(void *arg, int32_t partition) {
    (void)arg;
    return partition == 1;
}

static void what_is_not_kept_is_forgotten(void **state) {
    (void)state;
    int64_t now = a_moment_ms();
    for (int i = 0; i < 3; i++) {
        begin(i, 0, 0);
        say(i, 0, i, ORDER_STATUS_CREATED, now);
    }
    timers_keep(&timers, is_one, NULL);
    timers_measure(&timers);
    assert_int_equal(metric_value(M_TIMERS), 1);
    assert_null(timers_of(&timers, 0)->wheel);
    fire_at(now);
    assert_int_equal(fired[0] + fired[2], 0);
    assert_int_equal(fired[1], 1);
}

static void many_of_one_partition_leave_others_their_turn(void **state) {
    (void)state;
    int64_t now = a_moment_ms();
    begin(0, 0, 0);
    begin(1, 0, 0);
    for (int i = 0; i < 5000; i++) {
        struct order_event event = {.status = ORDER_STATUS_CREATED, .expires_at = now * 1000};
        memcpy(event.id.b + 4, &i, sizeof i);
        event.ticket_id.b[15] = 100;
        timers_order(&timers, 0, i, &event);
        if (timers.nchanges == WHEEL_PREFETCH) timers_apply(&timers);
    }
    say(1, 0, 1, ORDER_STATUS_CREATED, now);
    timers_fire(&timers, now, 1000, fire, &now);
    assert_int_equal(fired[0], 256);
    assert_int_equal(fired[1], 1);
}

/* Of a publisher that was replaced: what it had sent comes late. */
static void what_was_told_before_sets_no_timer(void **state) {
    (void)state;
    int64_t now_ms = a_moment_ms();
    begin(0, 0, 0);
    const struct timers_partition *p = timers_of(&timers, 0);
    assert_true(say_of_log(0, mark_of(1, 10), 1, ORDER_STATUS_CREATED, now_ms));
    assert_true(say_of_log(1, mark_of(1, 20), 1, ORDER_STATUS_COMPLETE, now_ms));
    assert_int_equal(timers_safe(p), 2);
    assert_false(say_of_log(2, mark_of(1, 10), 1, ORDER_STATUS_CREATED, now_ms));
    fire_at(now_ms);
    assert_int_equal(fired[1], 0);
    assert_int_equal(timers_safe(p), 1); /* who begins there knows that it is old */
    assert_true(say_of_log(3, mark_of(1, 30), 2, ORDER_STATUS_CREATED, now_ms));
    assert_int_equal(timers_safe(p), 3);
    fire_at(now_ms);
    assert_int_equal(fired[2], 1);
}

/* A database that was restored tells all of its log again. */
static void another_epoch_is_another_log(void **state) {
    (void)state;
    int64_t now_ms = a_moment_ms();
    begin(0, 0, 0);
    assert_true(say_of_log(0, mark_of(1, 10), 1, ORDER_STATUS_CREATED, now_ms));
    assert_true(say_of_log(1, mark_of(2, 0), 1, ORDER_STATUS_CREATED, now_ms));
    assert_true(say_of_log(2, mark_of(2, 5), 1, ORDER_STATUS_CANCELLED, now_ms));
    assert_false(say_of_log(3, mark_of(1, 90), 1, ORDER_STATUS_CREATED, now_ms));
    assert_true(say_of_log(4, (struct log_mark){0}, 3, ORDER_STATUS_CREATED, now_ms)); /* of no log */
    fire_at(now_ms);
    assert_int_equal(fired[1], 0);
    assert_int_equal(fired[3], 1);
}

int main(void) {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(nothing_fires_before_the_end_is_reached),
        T(one_partition_does_not_wait_for_another),
        T(what_is_over_does_not_fire_and_is_not_read_again),
        T(what_goes_and_comes_back_is_still_known),
        T(what_is_not_kept_is_forgotten),
        T(many_of_one_partition_leave_others_their_turn),
        T(what_was_told_before_sets_no_timer),
        T(another_epoch_is_another_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
