/* What a process of orders says of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "load.h"

#define SECOND INT64_C(1000000)

static struct http_measure measure(int answered, int good, int failed, int waiting) {
    return (struct http_measure){.answered = answered, .good = good, .failed = failed, .waiting = waiting};
}

static void each_says_what_came_since_the_one_before(void **state) {
    (void)state;
    struct load load = {.instance = {.b = {1}}};
    struct http_measure now = measure(10, 5, 2, 3);
    for (int i = 0; i < 5; i++)
        histogram_observe_us(&now.took, 1500);
    struct load_event first = load_since(&load, &now, 7 * SECOND);
    assert_true(uuid_eq(&first.instance, &load.instance));
    assert_int_equal(first.answered, 10);
    assert_int_equal(first.placed, 5);
    assert_int_equal(first.refused, 2);
    assert_int_equal(first.waiting, 3);
    assert_int_equal(first.period_ms, 1000);
    assert_true(first.has_p99_us && first.p99_us > 1000 && first.p99_us <= 2000);

    now.answered = 14;
    now.good = 6;
    now.waiting = 0;
    histogram_observe_us(&now.took, 150 * 1000);
    struct load_event second = load_since(&load, &now, 7 * SECOND + SECOND / 2);
    assert_int_equal(second.answered, 4);
    assert_int_equal(second.placed, 1);
    assert_int_equal(second.refused, 0);
    assert_int_equal(second.waiting, 0);
    assert_int_equal(second.period_ms, 500);
    assert_true(second.p99_us > 100 * 1000 && second.p99_us <= 200 * 1000);

    struct load_event third = load_since(&load, &now, 9 * SECOND);
    assert_int_equal(third.answered, 0);
    assert_false(third.has_p99_us);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_says_what_came_since_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
