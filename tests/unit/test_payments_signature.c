/* Whether a webhook is Stripe's. The signatures were made by Python's hmac. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "signature.h"

#define NOW 1700000000
/* hmac.new(b"whsec_one", b"1700000000.{\"id\":\"evt_1\"}", "sha256").hexdigest(), and the same by whsec_two
 */
#define ONE "401fbbceeb3818dc562ff77127ba1c62e47e24c9c6cde4d7a6eba85e32dbd058"
#define TWO "4fb9aa7e8a9678e685ef5c7eafa19ac1eb7c0564196cbe246ca08c2fd799eaf3"

static const char BODY[] = "{\"id\":\"evt_1\"}";

static bool accepts(const char *secrets, const char *header, const char *body, int64_t now) {
    struct signature_secrets s;
    assert_true(signature_secrets_parse(secrets, &s));
    return signature_check(&s, str_of(header), str_of(body), now) == NULL;
}

static void right_and_wrong(void **state) {
    (void)state;
    assert_true(accepts("whsec_one", "t=1700000000,v1=" ONE, BODY, NOW));
    assert_false(accepts("whsec_two", "t=1700000000,v1=" ONE, BODY, NOW));
    assert_false(accepts("whsec_one", "t=1700000000,v1=" TWO, BODY, NOW));
    assert_false(accepts("whsec_one", "t=1700000000,v1=" ONE, "{\"id\":\"evt_2\"}", NOW));
    assert_false(accepts("whsec_one", "t=1700000000,v1=" ONE, "{\"id\":\"evt_1\"} ", NOW));
    assert_false(accepts("whsec_one", "t=1700000001,v1=" ONE, BODY, NOW)); /* the time is signed, too */
    assert_false(accepts("whsec_one", "t=01700000000,v1=" ONE, BODY, NOW));
}

static void while_secrets_are_exchanged(void **state) {
    (void)state;
    assert_true(accepts("whsec_one,whsec_two", "t=1700000000,v1=" ONE, BODY, NOW)); /* ours are two */
    assert_true(accepts("whsec_two,whsec_one", "t=1700000000,v1=" ONE, BODY, NOW));
    assert_true(accepts("whsec_two", "t=1700000000,v1=" ONE ",v1=" TWO, BODY, NOW)); /* Stripe's are two */
    assert_true(accepts("whsec_one", "t=1700000000,v0=" TWO ",v1=" ONE, BODY, NOW));
    assert_false(accepts("whsec_one,whsec_two", "t=1700000000,v0=" ONE, BODY, NOW));
}

static void only_so_old(void **state) {
    (void)state;
    assert_true(accepts("whsec_one", "t=1700000000,v1=" ONE, BODY, NOW + 300));
    assert_false(accepts("whsec_one", "t=1700000000,v1=" ONE, BODY, NOW + 301));
    assert_true(accepts("whsec_one", "t=1700000000,v1=" ONE, BODY, NOW - 300)); /* our clock may be behind */
    assert_false(accepts("whsec_one", "t=1700000000,v1=" ONE, BODY, NOW - 301));
}

static void malformed(void **state) {
    (void)state;
    static const char *const headers[] = {"",
                                          ",",
                                          "t=",
                                          "t=1700000000",
                                          "v1=" ONE,
                                          "t=x,v1=" ONE,
                                          "t=-1700000000,v1=" ONE,
                                          "t=1700000000,t=1700000000,v1=" ONE,
                                          "t=1700000000,v1=",
                                          "t=1700000000,v1=" ONE "0",
                                          "t=1700000000,v1=zz",
                                          "t=9999999999999,v1=" ONE};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        assert_false(accepts("whsec_one", headers[i], BODY, NOW));
}

/* More than anybody reads, in front of the right one. */
static void very_many(void **state) {
    (void)state;
    char header[8192];
    int n = snprintf(header, sizeof header, "t=1700000000");
    for (int i = 0; i < 100; i++)
        n += snprintf(header + n, sizeof header - (size_t)n, ",v1=" TWO);
    snprintf(header + n, sizeof header - (size_t)n, ",v1=" ONE);
    assert_false(accepts("whsec_one", header, BODY, NOW));
}

static void secrets(void **state) {
    (void)state;
    struct signature_secrets s;
    static const char *const wrong[] = {"", ",", "a,", ",a", "a,,b", "a,b,c"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(signature_secrets_parse(wrong[i], &s));
    assert_true(signature_secrets_parse("a,bc", &s));
    assert_int_equal(s.count, 2);
    assert_true(str_eq(s.secrets[0], STR("a")) && str_eq(s.secrets[1], STR("bc")));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_and_wrong), cmocka_unit_test(while_secrets_are_exchanged),
        cmocka_unit_test(only_so_old),     cmocka_unit_test(malformed),
        cmocka_unit_test(very_many),       cmocka_unit_test(secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
