/* Marks: what was told before is known by them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "log_mark.h"

static struct log_mark mark(uint64_t epoch, uint64_t lsn, uint64_t ordinal) {
    return (struct log_mark){true, epoch, {lsn, ordinal}};
}

static bool is_old(struct log_mark m, struct log_mark newest) {
    return log_mark_is_old(&m, &newest);
}

static void only_what_comes_later_in_the_log_is_new(void **state) {
    (void)state;
    assert_false(is_old(mark(1, 10, 2), mark(1, 10, 1)));
    assert_false(is_old(mark(1, 11, 1), mark(1, 10, 9)));
    assert_true(is_old(mark(1, 10, 1), mark(1, 10, 1)));
    assert_true(is_old(mark(1, 10, 1), mark(1, 10, 2)));
    assert_true(is_old(mark(1, 9, 9), mark(1, 10, 1)));
}

static void a_higher_epoch_begins_anew(void **state) {
    (void)state;
    assert_false(is_old(mark(2, 0, 1), mark(1, 99, 1)));
    assert_true(is_old(mark(1, 99, 1), mark(2, 0, 1)));
}

static void without_a_mark_nothing_is_old(void **state) {
    (void)state;
    assert_false(is_old((struct log_mark){0}, mark(1, 10, 1)));
    assert_false(is_old(mark(1, 10, 1), (struct log_mark){0}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_comes_later_in_the_log_is_new),
        cmocka_unit_test(a_higher_epoch_begins_anew),
        cmocka_unit_test(without_a_mark_nothing_is_old),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
