/* How long is waited after failures in a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>

#include "backoff.h"
#include "clock.h"

enum { TRIES = 2000 }; /* so many that each half of a pause is seen with certainty, in effect */

/* Every pause lies between half and the whole, and both ends come up: chance has all of the second half. */
static void check_pause(int first_ms, int most_ms, int failures, int whole_ms) {
    int least = INT_MAX, most = 0;
    for (int i = 0; i < TRIES; i++) {
        int ms = backoff_ms(first_ms, most_ms, failures);
        if (ms < least) least = ms;
        if (ms > most) most = ms;
    }
    assert_in_range(least, whole_ms - whole_ms / 2, whole_ms);
    assert_in_range(most, whole_ms - whole_ms / 2, whole_ms);
    assert_in_range(least, 0, whole_ms * INT64_C(5) / 8);
    assert_in_range(most, whole_ms * INT64_C(7) / 8, whole_ms);
}

static void each_pause_is_between_half_and_the_whole(void **state) {
    (void)state;
    check_pause(100, 100, 0, 100);
    check_pause(64, 5000, 0, 64);
}

static void it_doubles_up_to_the_longest(void **state) {
    (void)state;
    const int wholes_ms[] = {50, 100, 200, 400, 800, 1600, 3200, 5000, 5000};
    for (int i = 0; i < (int)(sizeof wholes_ms / sizeof *wholes_ms); i++)
        check_pause(50, 5000, i, wholes_ms[i]);
    check_pause(50, 5000, 1000000, 5000);
    check_pause(50, INT_MAX, 1000, INT_MAX);
}

static void the_smallest_are_no_less(void **state) {
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        assert_int_equal(backoff_ms(1, 1, i), 1);
        assert_in_range(backoff_ms(3, 3, 0), 2, 3);
        assert_int_equal(backoff_ms(0, 0, i), 0);
    }
}

/* A pause counts from the failure. */
static void failures_count_until_one_goes_well(void **state) {
    (void)state;
    struct backoff b = {.first_ms = 1000, .most_ms = 3000};
    assert_true(backoff_over(&b));
    const int wholes_ms[] = {1000, 2000, 3000, 3000};
    for (int i = 0; i < (int)(sizeof wholes_ms / sizeof *wholes_ms); i++) {
        int64_t before_us = clock_mono_us();
        int ms = backoff_fail(&b);
        int64_t after_us = clock_mono_us();
        assert_int_equal(b.failures, i + 1);
        assert_in_range(ms, wholes_ms[i] / 2, wholes_ms[i]);
        assert_in_range(b.until_us - ms * INT64_C(1000), before_us, after_us);
    }
    backoff_reset(&b);
    assert_true(backoff_over(&b));
    assert_int_equal(b.failures, 0);
    assert_in_range(backoff_fail(&b), 500, 1000);
}

static void it_is_over_when_the_pause_is(void **state) {
    (void)state;
    struct backoff b = {.first_ms = 3600 * 1000, .most_ms = 3600 * 1000};
    backoff_fail(&b);
    assert_false(backoff_over(&b));
    b.until_us = clock_mono_us();
    assert_true(backoff_over(&b));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pause_is_between_half_and_the_whole),
        cmocka_unit_test(it_doubles_up_to_the_longest),
        cmocka_unit_test(the_smallest_are_no_less),
        cmocka_unit_test(failures_count_until_one_goes_well),
        cmocka_unit_test(it_is_over_when_the_pause_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
