/* Second factors: codes of the clock as RFC 6238 has them, codes for a lost device, secrets that are sealed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <oath.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "factor.h"
#include "key_files.h"

static const uint8_t secret[TOTP_SECRET + 1] = "12345678901234567890";
static const struct uuid user = {{1, 2, 3, [15] = 4}}, other = {{1, 2, 3, [15] = 5}};
static char one[32], two[32], both[68];

static int set_up(void **state) {
    (void)state;
    write_file(one, ONE);
    write_file(two, TWO);
    snprintf(both, sizeof both, "%s,%s", two, one);
    return totp_start() ? 0 : 1;
}

static int tear_down(void **state) {
    (void)state;
    unlink(one);
    unlink(two);
    return 0;
}

/* --- codes of the clock --- */

/* RFC 6238, appendix B: the last six of eight digits. */
static const struct {
    int64_t at;
    const char *code;
} vectors[] = {{59, "287082"},         {1111111109, "081804"}, {1111111111, "050471"},
               {1234567890, "005924"}, {2000000000, "279037"}, {20000000000, "353130"}};

static void is_as_the_standard_has_it(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        assert_int_equal(totp_step(secret, str_of(vectors[i].code), vectors[i].at), vectors[i].at / 30);
}

static void a_step_beside_counts(void **state) {
    (void)state;
    int64_t step = 1234567890 / 30, first = step * 30, last = first + 29;
    for (int off = -3; off <= 3; off++) {
        int64_t wanted = off >= -1 && off <= 1 ? step : 0;
        assert_int_equal(totp_step(secret, STR("005924"), first + 30 * off), wanted);
        assert_int_equal(totp_step(secret, STR("005924"), last + 30 * off), wanted);
    }
}

static void nothing_else_is_a_code(void **state) {
    static const char *const not [] = {"",       "00592", "0059240", "005925",  "00592x",
                                       " 05924", "5924",  "+05924",  "005924 ", "0x5924"};
    (void)state;
    for (size_t i = 0; i < sizeof not / sizeof *not ; i++)
        assert_int_equal(totp_step(secret, str_of(not [i]), 1234567890), 0);
    assert_int_equal(totp_step(secret, (struct str){"0059\00024", 7}, 1234567890), 0);
}

static void an_app_can_read_it(void **state) {
    (void)state;
    char text[TOTP_TEXT];
    struct buf uri = {0};
    totp_text(secret, text);
    assert_string_equal(text, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    totp_uri(&uri, text, STR("a+b@example.com"));
    assert_true(str_eq(buf_str(&uri), STR("otpauth://totp/Onsale:a%2Bb%40example.com"
                                          "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Onsale")));
    buf_free(&uri);
}

/* --- codes for a lost device --- */

static void is_read_as_people_type_it(void **state) {
    (void)state;
    char code[RECOVERY_TEXT], shouted[RECOVERY_TEXT], next[RECOVERY_TEXT];
    uint8_t hash[RECOVERY_HASH], same[RECOVERY_HASH];
    recovery_make(code);
    assert_int_equal(strlen(code), RECOVERY_TEXT - 1);
    assert_true(recovery_hash(&user, str_of(code), hash));
    for (size_t i = 0; i < sizeof code; i++) {
        shouted[i] = (char)toupper((unsigned char)code[i]);
        if (code[i] == '-') shouted[i] = ' ';
    }
    assert_true(recovery_hash(&user, str_of(shouted), same));
    assert_memory_equal(hash, same, sizeof hash);
    assert_true(recovery_hash(&other, str_of(code), same));
    assert_memory_not_equal(hash, same, sizeof hash);
    recovery_make(next);
    assert_string_not_equal(code, next);
    assert_false(recovery_hash(&user, (struct str){code, RECOVERY_TEXT - 2}, hash));
    assert_false(recovery_hash(&user, STR("aaaa-aaaa-aaaa-aaaaa"), hash));
    assert_false(recovery_hash(&user, STR("aaaa-aaaa-aaaa-aaa1"), hash));
    assert_false(recovery_hash(&user, (struct str){"aaaa-aaaa-aaaa-aaa\0", 19}, hash));
}

/* --- secrets --- */

static void only_its_own_opens(void **state) {
    (void)state;
    struct admission_keys *mine = keys_of(one), *theirs = keys_of(two);
    uint8_t sealed[SEALED], again[SEALED], opened[TOTP_SECRET];
    struct str text = {(const char *)sealed, sizeof sealed};
    sealed_write(mine, &user, secret, sealed);
    sealed_write(mine, &user, secret, again);
    assert_memory_not_equal(sealed, again, sizeof sealed);
    assert_int_equal(sealed_read(mine, &user, text, opened), 0);
    assert_memory_equal(opened, secret, sizeof opened);
    assert_int_equal(sealed_read(theirs, &user, text, opened), -1);
    assert_int_equal(sealed_read(mine, &other, text, opened), -1);
    assert_int_equal(sealed_read(mine, &user, (struct str){text.p, text.n - 1}, opened), -1);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        assert_int_equal(sealed_read(mine, &user, text, opened), -1);
        sealed[i] ^= 1;
    }
    admission_keys_free(mine);
    admission_keys_free(theirs);
}

/* --- what is typed --- */

/* The code of now, as apps show it: in two halves. */
static struct str code_of(char digits[TOTP_DIGITS + 2]) {
    int64_t now_s = clock_wall_us() / 1000000;
    assert_int_equal(
        oath_totp_generate((const char *)secret, TOTP_SECRET, now_s, TOTP_STEP_S, 0, TOTP_DIGITS, digits),
        OATH_OK);
    memmove(digits + 4, digits + 3, 3);
    digits[3] = ' ';
    return (struct str){digits, TOTP_DIGITS + 1};
}

static void keys_rotate(void **state) {
    (void)state;
    struct admission_keys *before = keys_of(one), *now = keys_of(both);
    uint8_t sealed[SEALED], opened[TOTP_SECRET];
    char digits[TOTP_DIGITS + 2];
    sealed_write(before, &user, secret, sealed);
    struct factor f = {.keys = now, .user = user, .sealed = {(const char *)sealed, SEALED}, .on = true};
    f.typed = code_of(digits);
    assert_true(factor_check(&f));
    assert_int_equal(f.found, FACTOR_STEP);
    assert_true(f.old);
    assert_int_equal(sealed_read(now, &user, (struct str){(const char *)f.sealed_anew, SEALED}, opened), 0);
    assert_memory_equal(opened, secret, sizeof opened);
    admission_keys_free(before);
    admission_keys_free(now);
}

static void what_is_typed(void **state) {
    (void)state;
    struct admission_keys *keys = keys_of(one);
    uint8_t sealed[SEALED];
    sealed_write(keys, &user, secret, sealed);
    struct factor f = {.keys = keys, .user = user, .sealed = {(const char *)sealed, SEALED}};
    f.typed = STR("what nobody asked for");
    assert_true(factor_check(&f));
    assert_int_equal(f.found, FACTOR_NONE);
    f.on = true;
    assert_false(factor_check(&f));
    assert_int_equal(f.found, FACTOR_WRONG);
    f.typed = (struct str){0};
    assert_false(factor_check(&f));
    assert_int_equal(f.found, FACTOR_MISSING);
    f.typed = STR("abcd-efgh-ijkl-mnop");
    assert_true(factor_check(&f));
    assert_int_equal(f.found, FACTOR_RECOVERY);
    admission_keys_free(keys);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_as_the_standard_has_it),
        cmocka_unit_test(a_step_beside_counts),
        cmocka_unit_test(nothing_else_is_a_code),
        cmocka_unit_test(an_app_can_read_it),
        cmocka_unit_test(is_read_as_people_type_it),
        cmocka_unit_test(only_its_own_opens),
        cmocka_unit_test(keys_rotate),
        cmocka_unit_test(what_is_typed),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
