#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "presale.h"

static const struct uuid salt = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};

static void a_code_follows_from_salt_key_and_number(void **state) {
    (void)state;
    char code[PRESALE_TEXT], again[PRESALE_TEXT];
    struct uuid other = salt;
    other.b[15]++;
    presale_make(&salt, STR("a key"), 1, code);
    presale_make(&salt, STR("a key"), 1, again);
    assert_memory_equal(code, again, PRESALE_TEXT);
    presale_make(&salt, STR("a key"), 257, again);
    assert_memory_not_equal(code, again, PRESALE_TEXT);
    presale_make(&salt, STR("another key"), 1, again);
    assert_memory_not_equal(code, again, PRESALE_TEXT);
    presale_make(&other, STR("a key"), 1, again);
    assert_memory_not_equal(code, again, PRESALE_TEXT);
    for (int i = 0; i < PRESALE_TEXT; i++)
        assert_true(i % 5 == 4 ? code[i] == '-' : code[i] != '-');
}

static void it_is_read_as_people_write_it(void **state) {
    (void)state;
    struct uuid hash, same;
    assert_true(presale_hash(STR("01AB-CDEF-GHJK-MNPQ"), &hash));
    static const char *const same_code[] = {"01abcdefghjkmnpq", " oIab cdef-ghjk mnpq ",
                                            "OlAB--CDEFGHJKMNPQ-"};
    for (size_t i = 0; i < sizeof same_code / sizeof *same_code; i++) {
        assert_true(presale_hash(str_of(same_code[i]), &same));
        assert_true(uuid_eq(&hash, &same));
    }
    assert_true(presale_hash(STR("01AB-CDEF-GHJK-MNPR"), &same));
    assert_false(uuid_eq(&hash, &same));
}

static void what_is_no_code(void **state) {
    (void)state;
    struct uuid hash;
    static const char *const no_code[] = {"",
                                          "-",
                                          "01AB-CDEF-GHJK-MNP",
                                          "01AB-CDEF-GHJK-MNPQ-R",
                                          "01AB-CDEF-GHJK-MNPU",
                                          "01AB-CDEF-GHJK-MNP*",
                                          "01AB_CDEF-GHJK-MNPQ",
                                          "01AB-CDEF-GHJK-MNP\xc3\xa9"};
    for (size_t i = 0; i < sizeof no_code / sizeof *no_code; i++)
        assert_false(presale_hash(str_of(no_code[i]), &hash));
    assert_false(presale_hash((struct str){"01AB-CDEF-GHJK-MNP\0", 19}, &hash));
    assert_false(presale_hash((struct str){0}, &hash));
}

static void what_is_kept_is_no_code(void **state) {
    (void)state;
    struct uuid a = presale_key_hash(STR("a")), b = presale_key_hash(STR("b")),
                again = presale_key_hash(STR("a"));
    assert_false(uuid_eq(&a, &b));
    assert_true(uuid_eq(&a, &again));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_follows_from_salt_key_and_number),
        cmocka_unit_test(it_is_read_as_people_write_it),
        cmocka_unit_test(what_is_no_code),
        cmocka_unit_test(what_is_kept_is_no_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
