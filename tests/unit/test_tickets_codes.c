/* The codes of tickets: what is signed, what is refused, and why. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codes.h"
#include "write_file.h"

/* openssl genpkey -algorithm ed25519 */
#define ONE                                                                                                  \
    "-----BEGIN PRIVATE KEY-----\n"                                                                          \
    "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"                                     \
    "-----END PRIVATE KEY-----\n"
#define TWO                                                                                                  \
    "-----BEGIN PRIVATE KEY-----\n"                                                                          \
    "MC4CAQAwBQYDK2VwBCIEIB8eHRwbGhkYFxYVFBMSERAPDg0MCwoJCAcGBQQDAgEA\n"                                     \
    "-----END PRIVATE KEY-----\n"

struct files {
    char one[32], two[32], both[68];
};

static int set_up(void **state) {
    static struct files files;
    write_file(files.one, ONE);
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

static struct codes *codes_of(const char *paths) {
    struct why w;
    struct codes *codes = codes_open(paths, &w);
    if (codes == NULL) fail_msg("%s", w.text);
    return codes;
}

static struct code some_code(const char *words) {
    struct code code = {.ticket.b = {1, 2}, .show.b = {3}, .serial.b = {4}};
    code_set_words(&code, str_of(words));
    return code;
}

static void comes_back(void **state) {
    const struct files *files = *state;
    struct codes *codes = codes_of(files->one);
    static const char *const words[] = {"", "Stalls, row A, seat 12", "Käse \xf0\x9f\x8e\x9f"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct code in = some_code(words[i]), out;
        char text[CODE_TEXT];
        size_t n = codes_sign(codes, &in, text);
        assert_int_equal(codes_read(codes, (struct str){text, n}, &out), CODE_GENUINE);
        assert_true(uuid_eq(&in.ticket, &out.ticket) && uuid_eq(&in.show, &out.show) &&
                    uuid_eq(&in.serial, &out.serial));
        assert_true(str_eq((struct str){out.words, out.words_length}, str_of(words[i])));
    }
    codes_free(codes);
}

/* As long as there is room, and never half a character. */
static void long_words(void **state) {
    const struct files *files = *state;
    struct codes *codes = codes_of(files->one);
    char long_text[50 * 3 + 1] = "";
    for (size_t i = 0; i < 50; i++)
        memcpy(long_text + 3 * i, "\xe2\x82\xac", 3);
    struct code in = some_code(long_text), out;
    assert_int_equal(in.words_length, 78);
    char text[CODE_TEXT];
    size_t n = codes_sign(codes, &in, text);
    assert_true(n < CODE_TEXT);
    assert_int_equal(codes_read(codes, (struct str){text, n}, &out), CODE_GENUINE);
    codes_free(codes);
}

/* Whatever byte is another one, the code is good no more. */
static void every_byte_counts(void **state) {
    const struct files *files = *state;
    struct codes *codes = codes_of(files->one);
    struct code in = some_code("Stalls"), out;
    char text[CODE_TEXT];
    uint8_t bytes[CODE_MOST];
    size_t n, length = codes_sign(codes, &in, text);
    assert_true(base64_decode((struct str){text, length}, bytes, sizeof bytes, &n));
    for (size_t i = 0; i < n; i++) {
        bytes[i] ^= 1;
        char other[CODE_TEXT];
        size_t m = base64_encode(bytes, n, other);
        enum code_fault expected = i == 0 || i == CODE_HEAD - 1 ? CODE_FORGED
                                   : i <= CODE_KEY              ? CODE_UNKNOWN_KEY
                                                                : CODE_ALTERED;
        assert_int_equal(codes_read(codes, (struct str){other, m}, &out), expected);
        bytes[i] ^= 1;
    }
    codes_free(codes);
}

/* Whatever is missing or too much, and other ways to write the same bytes. */
static void no_codes(void **state) {
    const struct files *files = *state;
    struct codes *codes = codes_of(files->one);
    struct code in = some_code("Stalls"), out;
    char text[CODE_TEXT + 8];
    size_t n = codes_sign(codes, &in, text);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(codes_read(codes, (struct str){text, i}, &out), CODE_FORGED);
    static const char *const tails[] = {"=", "A", "AAAA", " "};
    for (size_t i = 0; i < sizeof tails / sizeof *tails; i++) {
        snprintf(text + n, sizeof text - n, "%s", tails[i]);
        assert_int_equal(codes_read(codes, str_of(text), &out), CODE_FORGED);
    }
    codes_free(codes);
}

static void keys_rotate(void **state) {
    const struct files *files = *state;
    struct codes *one = codes_of(files->one), *two = codes_of(files->two), *both = codes_of(files->both);
    struct code in = some_code("Stalls"), out;
    char by_one[CODE_TEXT], by_both[CODE_TEXT];
    struct str old = {by_one, codes_sign(one, &in, by_one)}, new = {by_both, codes_sign(both, &in, by_both)};
    assert_int_equal(codes_read(both, old, &out), CODE_GENUINE);
    assert_int_equal(codes_read(both, new, &out), CODE_GENUINE);
    assert_int_equal(codes_read(two, new, &out), CODE_GENUINE); /* the first of a list signs */
    assert_int_equal(codes_read(two, old, &out), CODE_UNKNOWN_KEY);
    assert_non_null(strstr(codes_keys(one).p, "\"crv\":\"Ed25519\""));
    codes_free(one);
    codes_free(two);
    codes_free(both);
}

static void key_files(void **state) {
    (void)state;
    char text[32], public[32];
    write_file(text, "no key");
    write_file(public, "-----BEGIN PUBLIC KEY-----\n"
                       "MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=\n"
                       "-----END PUBLIC KEY-----\n");
    const char *const wrong[] = {"", ",", text, "/tmp/there-is-none", public};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct why w;
        assert_null(codes_open(wrong[i], &w));
    }
    unlink(text);
    unlink(public);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back), cmocka_unit_test(long_words),  cmocka_unit_test(every_byte_counts),
        cmocka_unit_test(no_codes),   cmocka_unit_test(keys_rotate), cmocka_unit_test(key_files),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
