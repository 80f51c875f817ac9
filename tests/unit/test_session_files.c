/* Key sets, key files, and how both are written. */
#include "session_fixture.h"

/* --- keys --- */

static void test_the_thumbprint_of_rfc_7638(void **state) {
    (void)state;
    static const char jwks[] =
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7"
        "aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_F"
        "DW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2"
        "NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw\",\"e\":\"AQAB\",\"alg\":\"RS256\",\"kid\":"
        "\"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs\"}]}";
    struct keyset *set = keyset_parse(STR(jwks), NULL);
    assert_non_null(set);
    assert_string_equal(set->keys[0].kid, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    keyset_unref(set);
}

static void assert_no_keys(const char *jwks) {
    struct why w = {0};
    struct keyset *set = keyset_parse(str_of(jwks), &w);
    if (set != NULL) fail_msg("taken: %s", jwks);
    assert_true(w.text[0] != '\0');
}

static void test_key_sets_of_junk(void **state) {
    (void)state;
    static const char *const junk[] = {
        "",
        "{",
        "[]",
        "null",
        "{}",
        "{\"keys\":{}}",
        "{\"keys\":[]}",
        "{\"keys\":[1,null,[],{},\"x\"]}",
        "{\"keys\":[{\"kty\":\"RSA\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}",
        "{\"keys\":[{\"kty\":1,\"n\":2,\"e\":3}]}",
    };
    for (size_t i = 0; i < sizeof junk / sizeof *junk; i++)
        assert_no_keys(junk[i]);
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    char *members[] = {text(",\"use\":\"enc\""),        text(",\"alg\":\"RS512\""), text(",\"kid\":\"mine\""),
                       text(",\"key_ops\":[\"sign\"]"), text(",\"key_ops\":7"),     text(",\"use\":1")};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        char *jwk = jwk_of(key_a, members[i]), *jwks = text("{\"keys\":[%s]}", jwk);
        assert_no_keys(jwks);
        free(jwk);
        free(jwks);
        free(members[i]);
    }
    char *jwk = jwk_of(weak, ""), *jwks = text("{\"keys\":[%s]}", jwk);
    assert_no_keys(jwks);
    free(jwk);
    free(jwks);
    EVP_PKEY_free(weak);
}

static void test_good_keys_among_junk(void **state) {
    (void)state;
    char *a = jwk_of(key_a, ",\"use\":\"sig\",\"key_ops\":[\"verify\"],\"x\":[]"), *b = jwk_of(key_b, "");
    char *jwks = text(
        "{\"more\":1,\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\"},%s,{\"kty\":\"RSA\",\"n\":\"!\"},%s,%s]}",
        a, b, a);
    struct keyset *set = keyset_parse(str_of(jwks), NULL);
    assert_non_null(set);
    assert_int_equal(set->n, 2); /* the one that came twice, once */
    keyset_unref(set);
    free(a);
    free(b);
    free(jwks);
}

static void test_a_bounded_number_of_keys(void **state) {
    (void)state;
    struct buf jwks = {0};
    buf_add(&jwks, "{\"keys\":[", 9);
    for (int i = 0; i < SESSION_MAX_KEYS + 4; i++) {
        uint8_t n[256] = {0xc0, (uint8_t)i};
        n[255] = 1;
        char *number = base64_of(n, sizeof n),
             *jwk = text("%s{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"%s\"}", i == 0 ? "" : ",", number);
        buf_add(&jwks, jwk, strlen(jwk));
        free(number);
        free(jwk);
    }
    buf_add(&jwks, "]}", 2);
    struct keyset *set = keyset_parse(buf_str(&jwks), NULL);
    assert_non_null(set);
    assert_int_equal(set->n, SESSION_MAX_KEYS);
    keyset_unref(set);
    buf_free(&jwks);
}

static void assert_no_signer(const char *paths, const char *reason) {
    struct why w = {0};
    assert_null(session_signer_open(paths, &w));
    if (strstr(w.text, reason) == NULL) fail_msg("\"%s\" does not say \"%s\"", w.text, reason);
}

static void test_key_files_that_cannot_sign(void **state) {
    (void)state;
    EVP_PKEY *weak = EVP_RSA_gen(1024), *curve = EVP_EC_gen("P-256");
    char *files[] = {
        put_file("weak.pem", pem_of(weak, true, NULL)), put_file("curve.pem", pem_of(curve, true, NULL)),
        put_file("locked.pem", pem_of(key_a, true, "secret")), put_file("junk.pem", text("junk"))};
    assert_no_signer("", "no key file is named");
    assert_no_signer(" , ", "no key file is named");
    assert_no_signer("/nowhere/key.pem", "/nowhere/key.pem: No such file");
    assert_no_signer(path_b_public, "not a PEM private key");
    assert_no_signer(files[0], "an RSA key of 1024 bits");
    assert_no_signer(files[1], "not an RSA key");
    assert_no_signer(files[2], "without a pass phrase");
    assert_no_signer(files[3], "not a PEM private key");
    char *second_bad = text("%s,%s", path_a, files[3]);
    assert_no_signer(second_bad, "junk.pem");
    free(second_bad);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        remove_file(files[i]);
    EVP_PKEY_free(weak);
    EVP_PKEY_free(curve);
}

static void test_what_cannot_be_signed(void **state) {
    (void)state;
    struct session_signer *signer = open_signer(path_a);
    char long_email[SESSION_MAX_EMAIL + 1];
    memset(long_email, 'x', sizeof long_email);
    struct identity id = somebody(60);
    id.email = (struct str){NULL, 0};
    assert_null(session_sign(signer, &id));
    id.email = (struct str){long_email, sizeof long_email};
    assert_null(session_sign(signer, &id));
    id.email = STR("\xff@example.com");
    assert_null(session_sign(signer, &id));
    session_signer_free(signer);
}

/* --- base64url --- */

static void test_base64url(void **state) {
    (void)state;
    uint8_t bytes[64], back[64];
    char written[90];
    size_t n;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 37 + 11);
    for (size_t length = 0; length <= sizeof bytes; length++) {
        struct str s = {written, base64_encode(bytes, length, written)};
        assert_true(base64_decode(s, back, length, &n));
        assert_int_equal(n, length);
        assert_memory_equal(bytes, back, length);
        if (length > 0) assert_false(base64_decode(s, back, length - 1, &n));
    }
    assert_true(base64_decode(STR("-_-_"), back, sizeof back, &n));
    assert_memory_equal(back, "\xfb\xff\xbf", 3);
    static const char *const bad[] = {"A",    "AAAAA", "AB",     "AAB",      "AA==",    "AA=",    "A+AA",
                                      "A/AA", "AA A",  "AAAA\n", "\xc3\xa4", "AAA\xff", "AAA\xa0"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(base64_decode(str_of(bad[i]), back, sizeof back, &n));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_thumbprint_of_rfc_7638),
        cmocka_unit_test(test_key_sets_of_junk),
        cmocka_unit_test(test_good_keys_among_junk),
        cmocka_unit_test(test_a_bounded_number_of_keys),
        cmocka_unit_test(test_key_files_that_cannot_sign),
        cmocka_unit_test(test_what_cannot_be_signed),
        cmocka_unit_test(test_base64url),
    };
    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
