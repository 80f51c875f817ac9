/* Admissions: what is signed comes back, everything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "admission.h"
#include "key_files.h"

struct files {
    char one[32], two[32], both[68];
};

static int set_up(void **state) {
    static struct files files;
    write_file(files.one, ONE "\n");
    write_file(files.two, TWO);
    snprintf(files.both, sizeof files.both, "%s, %s", files.two, files.one);
    *state = &files;
    return 0;
}

static int tear_down(void **state) {
    const struct files *files = *state;
    unlink(files->one);
    unlink(files->two);
    return 0;
}

static const struct admission somebody = {
    .show.b = {1, 2}, .user.b = {3, [15] = 4}, .place = 1000000, .until_us = INT64_C(1764360000123) * 1000};

static void comes_back(void **state) {
    const struct files *files = *state;
    struct admission_keys *keys = keys_of(files->one);
    struct admission out;
    char text[ADMISSION_TEXT];
    size_t n = admission_sign(keys, &somebody, text);
    assert_int_equal(n, 108);
    assert_true(admission_read(keys, (struct str){text, n}, &out));
    assert_true(uuid_eq(&out.show, &somebody.show) && uuid_eq(&out.user, &somebody.user));
    assert_int_equal(out.place, somebody.place);
    assert_int_equal(out.until_us, somebody.until_us);
    admission_keys_free(keys);
}

/* As anybody else would compute it: by this, programs in other languages can be checked. */
static void is_as_documented(void **state) {
    const struct files *files = *state;
    struct admission_keys *keys = keys_of(files->one);
    char text[ADMISSION_TEXT];
    admission_sign(keys, &somebody, text);
    assert_string_equal(text, "AWMNzSkBAgAAAAAAAAAAAAAAAAAAAwAAAAAAAAAAAAAAAAAABAAPQkAAAAGa"
                              "zA0Se2jT3hnn5cWABvNYk2gmrg0z2aqbuDrgRq6EdehrPZmS");
    admission_keys_free(keys);
}

/* For one purchase of so many places. */
static void a_number_comes_back(void **state) {
    const struct files *files = *state;
    struct admission_keys *keys = keys_of(files->one);
    struct admission out, bound = somebody;
    char text[ADMISSION_TEXT];
    bound.most = 8;
    size_t n = admission_sign(keys, &bound, text);
    assert_int_equal(n, 110);
    assert_true(admission_read(keys, (struct str){text, n}, &out));
    assert_int_equal(out.most, 8);
    assert_int_equal(out.until_us, somebody.until_us);
    n = admission_sign(keys, &somebody, text);
    assert_true(admission_read(keys, (struct str){text, n}, &out));
    assert_int_equal(out.most, 0);
    admission_keys_free(keys);
}

static void every_byte_counts_of(const struct files *files, int most) {
    struct admission_keys *keys = keys_of(files->one);
    struct admission out, given = somebody;
    char text[ADMISSION_TEXT], other[BASE64_TEXT(128)];
    uint8_t bytes[128];
    given.most = most;
    size_t n, length = admission_sign(keys, &given, text);
    assert_true(base64_decode((struct str){text, length}, bytes, sizeof bytes, &n));
    for (size_t i = 0; i < n; i++) {
        bytes[i] ^= 1;
        size_t m = base64_encode(bytes, n, other);
        assert_false(admission_read(keys, (struct str){other, m}, &out));
        bytes[i] ^= 1;
    }
    for (size_t i = 0; i < sizeof bytes; i++) { /* too short and too long */
        if (i == n) continue;
        size_t m = base64_encode(bytes, i, other);
        assert_false(admission_read(keys, (struct str){other, m}, &out));
    }
    admission_keys_free(keys);
}

static void every_byte_counts(void **state) {
    every_byte_counts_of(*state, 0);
    every_byte_counts_of(*state, 2);
}

static void keys_rotate(void **state) {
    const struct files *files = *state;
    struct admission_keys *one = keys_of(files->one), *two = keys_of(files->two),
                          *both = keys_of(files->both);
    struct admission out;
    char by_one[ADMISSION_TEXT], by_both[ADMISSION_TEXT];
    struct str old = {by_one, admission_sign(one, &somebody, by_one)};
    struct str new = {by_both, admission_sign(both, &somebody, by_both)};
    assert_int_equal(admission_keys_count(both), 2);
    assert_true(admission_read(both, old, &out));
    assert_true(admission_read(both, new, &out));
    assert_true(admission_read(two, new, &out)); /* the first of a list signs */
    assert_false(admission_read(two, old, &out));
    admission_keys_free(one);
    admission_keys_free(two);
    admission_keys_free(both);
}

static void secrets_are_of_one_key(void **state) {
    const struct files *files = *state;
    struct admission_keys *one = keys_of(files->one), *both = keys_of(files->both);
    uint8_t a[ADMISSION_MAC], b[ADMISSION_MAC];
    admission_secret(one, 0, (const uint8_t *)"seed", 4, a);
    admission_secret(both, 1, (const uint8_t *)"seed", 4, b);
    assert_memory_equal(a, b, sizeof a);
    admission_secret(both, 0, (const uint8_t *)"seed", 4, b);
    assert_memory_not_equal(a, b, sizeof a);
    admission_keys_free(one);
    admission_keys_free(both);
}

static void key_files(void **state) {
    (void)state;
    char word[32], short_one[32], long_one[32];
    write_file(word, "no key, but of the same length as one that is, so that all is read");
    write_file(short_one, "00112233445566778899aabbccddeeff");
    write_file(long_one, ONE ONE ONE);
    const char *const wrong[] = {"", ",", word, short_one, long_one, "/tmp/there-is-none"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct why w;
        assert_null(admission_keys_open(wrong[i], &w));
    }
    unlink(word);
    unlink(short_one);
    unlink(long_one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back),          cmocka_unit_test(is_as_documented),
        cmocka_unit_test(a_number_comes_back), cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(keys_rotate),         cmocka_unit_test(secrets_are_of_one_key),
        cmocka_unit_test(key_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
