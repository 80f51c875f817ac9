/* Positions as texts: there and back, in order, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "log_position.h"

static void written_as_the_contract_says(void **state) {
    (void)state;
    char text[LOG_POSITION_TEXT];
    int n = log_position_format((struct log_position){0x194edc8, 3}, text);
    assert_true(str_eq((struct str){text, (size_t)n}, STR("000000000194edc8/00000003")));
    n = log_position_format((struct log_position){UINT64_MAX, 0x123456789}, text);
    assert_true(str_eq((struct str){text, (size_t)n}, STR("ffffffffffffffff/0000000123456789")));
}

static uint64_t any_number(void) {
    uint64_t v = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();
    return v >> (random() % 64);
}

static void there_and_back(void **state) {
    (void)state;
    srandom(3);
    for (int i = 0; i < 100000; i++) {
        struct log_position p = {any_number(), any_number()}, q = {0};
        char text[LOG_POSITION_TEXT];
        int n = log_position_format(p, text);
        assert_true(log_position_parse((struct str){text, (size_t)n}, &q));
        assert_true(p.lsn == q.lsn && p.ordinal == q.ordinal);
    }
}

static void later_is_greater(void **state) {
    (void)state;
    struct log_position a = {5, 9}, b = {6, 1}, c = {6, 2};
    assert_true(log_position_after(b, a) && log_position_after(c, b) && log_position_after(c, a));
    assert_false(log_position_after(a, b) || log_position_after(b, b));
}

static void what_is_none(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",     "/",     "1",   "1/",   "/1",   "1/2/3", "1 /2", " 1/2",
        "1/2 ", "0x1/2", "g/1", "+1/2", "1/-2", "1/2\n", "1//2", "11112222333344445/1"};
    struct log_position p;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (log_position_parse(str_of(texts[i]), &p)) fail_msg("%s", texts[i]);
    assert_true(log_position_parse(STR("A/b"), &p));
    assert_true(p.lsn == 10 && p.ordinal == 11);
    assert_false(log_position_parse((struct str){0}, &p));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_as_the_contract_says),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(later_is_greater),
        cmocka_unit_test(what_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
