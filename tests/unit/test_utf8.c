/* utf8: every code point is valid in its one encoding, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "utf8.h"

static size_t encode(uint32_t c, char *out) {
    if (c < 0x80) return out[0] = (char)c, 1;
    if (c < 0x800) return out[0] = (char)(0xc0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), 2;
    if (c < 0x10000)
        return out[0] = (char)(0xe0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 63)),
               out[2] = (char)(0x80 | (c & 63)), 3;
    out[0] = (char)(0xf0 | c >> 18), out[1] = (char)(0x80 | (c >> 12 & 63));
    out[2] = (char)(0x80 | (c >> 6 & 63)), out[3] = (char)(0x80 | (c & 63));
    return 4;
}

static void every_code_point(void **state) {
    (void)state;
    for (uint32_t c = 0; c < 0x110000 + 0x1000; c++) {
        char text[16] = "abcdefghijk";
        size_t n = encode(c, text + 3);
        bool valid = c != 0 && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
        assert_int_equal(utf8_valid((struct str){text, 3 + n}), valid);
        if (n > 1) assert_false(utf8_valid((struct str){text, 3 + n - 1})); /* cut off */
    }
}

/* All two-byte texts against the definition: two ASCII characters, or one of U+0080..U+07FF. */
static void every_pair_of_bytes(void **state) {
    (void)state;
    for (unsigned a = 0; a < 256; a++)
        for (unsigned b = 0; b < 256; b++) {
            char text[2] = {(char)a, (char)b};
            bool ascii = a >= 1 && a < 128 && b >= 1 && b < 128;
            bool two = a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf;
            assert_int_equal(utf8_valid((struct str){text, 2}), ascii || two);
        }
}

static void overlong_forms(void **state) {
    (void)state;
    static const char *const bad[] = {"\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xe0\x9f\xbf",
                                      "\xf0\x80\x80\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xff",
                                      "\xfe"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(utf8_valid(str_of(bad[i])));
    assert_true(utf8_valid((struct str){NULL, 0}));
}

/* NUL and high bytes at each place of the eight bytes that are looked at together. */
static void within_eight_bytes(void **state) {
    (void)state;
    for (int at = 0; at < 16; at++) {
        char text[17] = "\x01\x7fxxxxxxxxxxxxxx";
        assert_true(utf8_valid((struct str){text, 16}));
        text[at] = 0;
        assert_false(utf8_valid((struct str){text, 16}));
        text[at] = (char)0x80;
        assert_false(utf8_valid((struct str){text, 16}));
    }
}

static void lengths(void **state) {
    (void)state;
    assert_int_equal(utf8_length(str_of("")), 0);
    assert_int_equal(utf8_length(str_of("Käse 🎫")), 6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point), cmocka_unit_test(every_pair_of_bytes),
        cmocka_unit_test(overlong_forms),   cmocka_unit_test(within_eight_bytes),
        cmocka_unit_test(lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
