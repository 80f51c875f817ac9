/* Timers and turns of a loop, by whichever h2o this is built with. The rest is tested through common/http. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/time.h>

#include "clock.h"
#include "h2o_compat.h"

/* The clock that h2o's timers go by. */
static long clock_set_by_s;

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    int64_t us = clock_wall_us();
    *now = (struct timeval){.tv_sec = us / 1000000 + clock_set_by_s, .tv_usec = us % 1000000};
    return 0;
}

static h2o_loop_t *loop;
static struct h2o_compat_timers timers;

enum { SHORT_MS = 20 };

static int start(void **state) {
    (void)state;
    loop = h2o_evloop_create();
    h2o_compat_timers_init(&timers, loop, SHORT_MS);
    return 0;
}

static int stop(void **state) {
    (void)state;
    h2o_compat_timers_dispose(&timers);
    h2o_evloop_destroy(loop);
    clock_set_by_s = 0;
    return 0;
}

static int fired;

static void on_timer(h2o_compat_timer *timer) {
    assert_false(h2o_compat_timer_runs(timer));
    fired++;
}

static void turn_until_fired(void) {
    for (fired = 0; fired == 0;)
        h2o_compat_run(loop, 1000); /* longer than any timer here */
}

static void it_goes_off_once(void **state) {
    (void)state;
    h2o_compat_timer timer = {.cb = on_timer};
    assert_false(h2o_compat_timer_runs(&timer));
    h2o_compat_timer_start(&timers, &timer);
    assert_true(h2o_compat_timer_runs(&timer));
    turn_until_fired();
    h2o_compat_run(loop, SHORT_MS * 2);
    assert_int_equal(fired, 1);
}

static void one_that_is_stopped_does_not(void **state) {
    (void)state;
    h2o_compat_timer stopped = {.cb = on_timer}, other = {.cb = on_timer};
    h2o_compat_timer_start(&timers, &stopped);
    h2o_compat_timer_start(&timers, &other);
    h2o_compat_timer_stop(&stopped);
    assert_false(h2o_compat_timer_runs(&stopped));
    h2o_compat_timer_stop(&stopped); /* again: nothing */
    turn_until_fired();
    assert_int_equal(fired, 1);
}

/* It would wait for an hour. */
static void it_goes_off_in_its_time_when_the_clock_is_set_back(void **state) {
    (void)state;
    h2o_compat_timer timer = {.cb = on_timer}, later = {.cb = on_timer};
    h2o_compat_timer_start(&timers, &timer);
    clock_set_by_s = -3600;
    turn_until_fired();
    h2o_compat_timer_start(&timers, &later); /* by the new clock */
    turn_until_fired();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_goes_off_once, start, stop),
        cmocka_unit_test_setup_teardown(one_that_is_stopped_does_not, start, stop),
        cmocka_unit_test_setup_teardown(it_goes_off_in_its_time_when_the_clock_is_set_back, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
