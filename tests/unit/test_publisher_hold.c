/* How long the slot was not confirmed, on a machine that slept meanwhile: the monotonic clock stands still
 * then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"
#include "priv/hold.h"

static int slept_s;

/* In place of libc's. */
int clock_gettime(clockid_t id, struct timespec *t) {
    int rc = (int)syscall(SYS_clock_gettime, id, t);
    if (id == CLOCK_BOOTTIME || id == CLOCK_REALTIME) t->tv_sec += slept_s;
    return rc;
}

static void a_sleep_of_the_machine_counts(void **state) {
    (void)state;
    struct why w;
    struct hold hold = {.told_us = clock_mono_us(), .told_boot_us = clock_boot_us()};
    assert_int_equal(hold_check_awake(&hold, &w), ST_OK);
    slept_s = 3600;
    assert_int_equal(hold_check_awake(&hold, &w), ST_LOST);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_sleep_of_the_machine_counts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
