#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zone.h"

#define HOUR INT64_C(3600)
#define US   INT64_C(1000000)

static void test_offsets(void **state) {
    static const struct {
        struct str zone;
        int64_t unix_s, seconds;
    } cases[] = {
        {STR("UTC"), 1795257571, 0},
        {STR("Europe/Zurich"), 1795257571, HOUR},     /* 21 November 2026 */
        {STR("Europe/Zurich"), 1811851200, 2 * HOUR}, /* 1 June 2027 */
        {STR("Europe/Zurich"), 2066904000, 2 * HOUR}, /* 1 July 2035 */
        {STR("America/New_York"), 1795257571, -5 * HOUR},
        {STR("Asia/Kolkata"), 1795257571, 5 * HOUR + 1800},
        {STR("Etc/GMT+3"), 1795257571, -3 * HOUR},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t seconds = -1;
        assert_true(zone_offset(cases[i].zone, cases[i].unix_s * US, &seconds));
        assert_int_equal(seconds, cases[i].seconds);
    }
}

static void test_no_zones(void **state) {
    static const struct str names[] = {STR(""),
                                       STR("Europe"),
                                       STR("Nowhere/Such"),
                                       STR("../zoneinfo/UTC"),
                                       STR("/etc/passwd"),
                                       STR("Europe/Zur\0ich"),
                                       STR("zone.tab")};
    int64_t seconds;
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_false(zone_offset(names[i], 0, &seconds));
    assert_true(zone_offset(STR("UTC"), 0, &seconds));
}

static void test_moments(void **state) {
    int64_t us = 0;
    (void)state;
    assert_true(zone_moment(STR("Europe/Zurich"), INT64_C(1811851200) * US, &us));
    assert_int_equal(us, (INT64_C(1811851200) - 2 * HOUR) * US);
    /* 28 March 2027: at 2:00 clocks go to 3:00; 1:30 is before, 3:30 behind. */
    int64_t day = INT64_C(1806192000);
    assert_true(zone_moment(STR("Europe/Zurich"), (day + HOUR + 1800) * US, &us));
    assert_int_equal(us, (day + 1800) * US);
    assert_true(zone_moment(STR("Europe/Zurich"), (day + 3 * HOUR + 1800) * US, &us));
    assert_int_equal(us, (day + HOUR + 1800) * US);
    assert_false(zone_moment(STR("Nowhere"), 0, &us));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_offsets),
        cmocka_unit_test(test_no_zones),
        cmocka_unit_test(test_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
