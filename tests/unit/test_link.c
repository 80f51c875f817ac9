/* Links of letters: a token that was made comes back, everything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "key_files.h"
#include "link.h"

static char one[32], two[32], both[68];
static const struct uuid letter = {{1, 2, 3, [15] = 4}};

static int set_up(void **state) {
    (void)state;
    write_file(one, ONE);
    write_file(two, TWO);
    snprintf(both, sizeof both, "%s,%s", two, one);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    unlink(one);
    unlink(two);
    return 0;
}

static void comes_back(void **state) {
    (void)state;
    struct admission_keys *keys = keys_of(one);
    struct uuid out = {0};
    char text[LINK_TEXT];
    assert_int_equal(link_write(keys, &letter, text), 64);
    assert_int_equal(strlen(text), 64);
    assert_true(link_read(keys, str_of(text), &out));
    assert_memory_equal(&out, &letter, sizeof out);
    admission_keys_free(keys);
}

static void every_letter_counts(void **state) {
    (void)state;
    struct admission_keys *keys = keys_of(one);
    struct uuid out;
    char text[LINK_TEXT];
    size_t n = link_write(keys, &letter, text);
    for (size_t i = 0; i < n; i++) {
        char was = text[i];
        text[i] = was == 'A' ? 'B' : 'A';
        assert_false(link_read(keys, str_of(text), &out));
        text[i] = was;
        assert_false(link_read(keys, (struct str){text, i}, &out));
    }
    assert_false(link_read(keys, STR(""), &out));
    assert_true(link_read(keys, str_of(text), &out));
    admission_keys_free(keys);
}

static void keys_rotate(void **state) {
    (void)state;
    struct admission_keys *old = keys_of(one), *rotating = keys_of(both), *new = keys_of(two);
    struct uuid out;
    char by_old[LINK_TEXT], by_new[LINK_TEXT];
    link_write(old, &letter, by_old);
    link_write(rotating, &letter, by_new);
    assert_string_not_equal(by_old, by_new);
    assert_true(link_read(rotating, str_of(by_old), &out) && link_read(rotating, str_of(by_new), &out));
    assert_false(link_read(new, str_of(by_old), &out) || link_read(old, str_of(by_new), &out));
    admission_keys_free(old);
    admission_keys_free(rotating);
    admission_keys_free(new);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),
        cmocka_unit_test(every_letter_counts),
        cmocka_unit_test(keys_rotate),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
