/* Tokens: what is taken and, mostly, what is not. */
#include "session_fixture.h"

/* --- what is taken --- */

static void test_a_signed_session_verifies(void **state) {
    (void)state;
    struct session_signer *signer = open_signer(path_a);
    struct checker c = checker_of(session_jwks(signer));
    struct identity in = somebody(60), out;
    in.unverified = true;
    char *token = session_sign(signer, &in);
    for (int i = 0; i < 3; i++) { /* from the second on out of the cache */
        assert_int_equal(session_verify(c.cache, str_of(token), &out, NULL), ST_OK);
        assert_true(out.unverified);
        assert_true(uuid_eq(&in.user, &out.user));
        assert_true(str_eq(in.email, out.email));
        assert_int_equal(in.issued_s, out.issued_s);
        assert_int_equal(in.expires_s, out.expires_s);
    }
    free(token);
    checker_free(&c);
    session_signer_free(signer);
}

static void test_a_token_made_elsewhere_verifies(void **state) {
    (void)state;
    struct checker c = checker_of_keys(key_a, NULL);
    struct identity out;
    char *header = header_of(key_a, ",\"typ\":\"JWT\""), *claims = good_claims();
    char *token = forge_rs256(key_a, header, claims);
    assert_int_equal(session_verify(c.cache, str_of(token), &out, NULL), ST_OK);
    free(token);
    free(header);
    free(claims);
    checker_free(&c);
}

static void test_two_keys_are_valid_at_once(void **state) {
    (void)state;
    char *new_first = text("%s, %s", path_b, path_a);
    struct session_signer *before = open_signer(path_a), *after = open_signer(new_first);
    struct checker c = checker_of(session_jwks(after));
    struct identity in = somebody(60), out;
    char *old_token = session_sign(before, &in), *new_token = session_sign(after, &in);
    assert_string_not_equal(old_token, new_token);
    assert_int_equal(session_verify(c.cache, str_of(old_token), &out, NULL), ST_OK);
    assert_int_equal(session_verify(c.cache, str_of(new_token), &out, NULL), ST_OK);
    assert_false(out.unverified); /* as nothing says otherwise */
    checker_free(&c);
    c = checker_of(session_jwks(before));
    assert_refused(&c, str_of(new_token), "its key is unknown");
    checker_free(&c);
    free(old_token);
    free(new_token);
    free(new_first);
    session_signer_free(before);
    session_signer_free(after);
}

static void test_a_public_key_is_enough_for_an_old_one(void **state) {
    (void)state;
    char *paths = text("%s,%s", path_a, path_b_public);
    struct session_signer *signer = open_signer(paths), *old = open_signer(path_b);
    struct checker c = checker_of(session_jwks(signer));
    struct identity in = somebody(60), out;
    char *token = session_sign(old, &in);
    assert_int_equal(session_verify(c.cache, str_of(token), &out, NULL), ST_OK);
    assert_null(strstr(session_jwks(signer).p, "\"d\"")); /* nothing private is told */
    free(token);
    free(paths);
    checker_free(&c);
    session_signer_free(signer);
    session_signer_free(old);
}

static void test_the_cache_stays_bounded_and_right(void **state) {
    (void)state;
    enum { TOKENS = 300 };
    struct session_signer *signer = open_signer(path_a);
    struct checker c = checker_of(session_jwks(signer));
    struct identity in[TOKENS], out;
    char *tokens[TOKENS];
    for (int i = 0; i < TOKENS; i++) {
        in[i] = somebody(60);
        tokens[i] = session_sign(signer, &in[i]);
    }
    for (int i = 0; i < 2 * TOKENS; i++) {
        assert_int_equal(session_verify(c.cache, str_of(tokens[i % TOKENS]), &out, NULL), ST_OK);
        assert_true(uuid_eq(&in[i % TOKENS].user, &out.user));
    }
    for (int i = 0; i < TOKENS; i++)
        free(tokens[i]);
    checker_free(&c);
    session_signer_free(signer);
}

/* --- what is not --- */

static void test_signatures_that_are_not_ours(void **state) {
    (void)state;
    struct checker c = checker_of_keys(key_a, NULL);
    char *header = header_of(key_a, ""), *claims = good_claims(), *kid = kid_of(key_a),
         *public_pem = pem_of(key_a, false, NULL);

    char *other_key = forge_rs256(key_b, header, claims);
    assert_refused(&c, str_of(other_key), "its signature is wrong");

    char *hs_header = text("{\"alg\":\"HS256\",\"kid\":\"%s\"}", kid);
    char *hs256 = forge_hs256(public_pem, hs_header, claims);
    assert_refused(&c, str_of(hs256), "its algorithm is not RS256");
    char *hs256_as_rs256 = forge_hs256(public_pem, header, claims);
    assert_refused(&c, str_of(hs256_as_rs256), "its signature is wrong");

    char *what = signed_text(header, claims), *empty = text("%s.", what), *short_one = text("%s.AAAA", what);
    assert_refused(&c, str_of(empty), "not three parts");
    assert_refused(&c, str_of(short_one), "its signature is wrong");

    const char *const none[] = {"none", "None", "NONE", "", "RS512", "PS256", "ES256", "rs256"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        char *none_header = text("{\"alg\":\"%s\",\"kid\":\"%s\"}", none[i], kid);
        char *token = forge_rs256(key_a, none_header, claims);
        assert_refused(&c, str_of(token), "its algorithm is not RS256");
        free(token);
        free(none_header);
    }
    char *all[] = {header, claims,         kid,  public_pem, other_key, hs_header,
                   hs256,  hs256_as_rs256, what, empty,      short_one};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(all[i]);
    checker_free(&c);
}

static void test_headers_that_are_not_ours(void **state) {
    (void)state;
    struct checker c = checker_of_keys(key_a, NULL);
    char *kid_a = kid_of(key_a), *kid_b = kid_of(key_b), *claims = good_claims(), *jwk_b = jwk_of(key_b, "");
    const struct {
        char *header;
        const char *reason;
    } cases[] = {
        {text("[]"), "its header is not a JSON object"},
        {text("{"), "its header is not a JSON object"},
        {text("{\"alg\":\"RS256\",\"alg\":\"RS256\",\"kid\":\"%s\"}", kid_a),
         "its header is not a JSON object"},
        {text("{\"kid\":\"%s\"}", kid_a), "its algorithm is not RS256"},
        {text("{\"alg\":[\"RS256\"],\"kid\":\"%s\"}", kid_a), "its algorithm is not RS256"},
        {text("{\"alg\":\"RS256\"}"), "its header names no key"},
        {text("{\"alg\":\"RS256\",\"kid\":1}"), "its header names no key"},
        {text("{\"alg\":\"RS256\",\"kid\":\"\"}"), "its key is unknown"},
        {text("{\"alg\":\"RS256\",\"kid\":\"%s\"}", kid_b), "its key is unknown"},
        {text("{\"alg\":\"RS256\",\"kid\":\"%s\",\"jwk\":%s}", kid_b, jwk_b), "its key is unknown"},
        {text("{\"alg\":\"RS256\",\"kid\":\"%s\",\"jwk\":%s}", kid_a, jwk_b), "its signature is wrong"},
        {text("{\"alg\":\"RS256\",\"kid\":\"%s\",\"crit\":[\"exp\"]}", kid_a),
         "its header has critical extensions"},
        {text("{\"alg\":\"RS256\",\"kid\":\"%s\",\"typ\":\"at+jwt\"}", kid_a), "its type is not JWT"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *token = forge_rs256(key_b, cases[i].header, claims);
        assert_refused(&c, str_of(token), cases[i].reason);
        free(token);
        free(cases[i].header);
    }
    free(kid_a);
    free(kid_b);
    free(claims);
    free(jwk_b);
    checker_free(&c);
}

static void test_claims_that_are_not_ours(void **state) {
    (void)state;
    struct checker c = checker_of_keys(key_a, NULL);
    int64_t t = now_s();
    const char *const us = "\"onsale\"", *const sub = "\"" SUB "\"", *const email = "\"a@b.c\"";
    char long_email[SESSION_MAX_EMAIL + 4] = {0};
    memset(memset(long_email, 'x', SESSION_MAX_EMAIL + 3), '"', 1);
    long_email[SESSION_MAX_EMAIL + 2] = '"';
    const struct {
        char *claims;
        const char *reason;
    } cases[] = {
        {text("3"), "its claims are not a JSON object"},
        {text("{}"), "no number exp"},
        {text("{\"exp\":\"%ld\"}", (long)t + 60), "no number exp"},
        {text("{\"exp\":%ld.5}", (long)t + 60), "no number exp"},
        {text("{\"exp\":%ld}", (long)t + 60), "no number iat"},
        {text("{\"exp\":%ld,\"iat\":1,\"nbf\":\"1\"}", (long)t + 60), "its nbf is not a number"},
        {text("{\"exp\":%ld,\"iat\":1,\"nbf\":%ld}", (long)t + 600, (long)t + 300), "it is not valid yet"},
        {text("{\"exp\":%ld,\"exp\":%ld,\"iat\":1}", (long)t + 60, (long)t + 60),
         "its claims are not a JSON object"},
        {claims_of(us, us, sub, email, t - 60, t), "it has expired"},
        {claims_of(us, us, sub, email, t - 60, -1), "it has expired"},
        {claims_of(us, us, sub, email, t + 300, t + 600), "it was issued in the future"},
        {claims_of("\"evil\"", us, sub, email, t, t + 60), "its iss is not onsale"},
        {claims_of("[\"onsale\"]", us, sub, email, t, t + 60), "its iss is not onsale"},
        {claims_of(us, "\"other\"", sub, email, t, t + 60), "its aud is not onsale"},
        {claims_of(us, "null", sub, email, t, t + 60), "its aud is not onsale"},
        {claims_of(us, us, "\"root\"", email, t, t + 60), "its sub is not an id"},
        {claims_of(us, us, "7", email, t, t + 60), "its sub is not an id"},
        {claims_of(us, us, sub, "null", t, t + 60), "no email of 1 to 254 bytes"},
        {claims_of(us, us, sub, "\"\"", t, t + 60), "no email of 1 to 254 bytes"},
        {claims_of(us, us, sub, long_email, t, t + 60), "no email of 1 to 254 bytes"},
        {claims_of(us, us, sub, "\"\\u0000\"", t, t + 60), "its claims are not a JSON object"},
        {claims_of(us, us, sub, "\"\xff\"", t, t + 60), "its claims are not a JSON object"},
    };
    char *header = header_of(key_a, "");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *token = forge_rs256(key_a, header, cases[i].claims);
        assert_refused(&c, str_of(token), cases[i].reason);
        free(token);
        free(cases[i].claims);
    }
    free(header);
    checker_free(&c);
}

/* Every prefix, and every single character changed, of a good token: each is refused. */
static void test_damaged_tokens(void **state) {
    (void)state;
    struct session_signer *signer = open_signer(path_a);
    struct checker c = checker_of(session_jwks(signer));
    struct identity in = somebody(60), out;
    char *token = session_sign(signer, &in);
    size_t n = strlen(token);
    for (size_t i = 0; i < n; i++) {
        char *prefix = mem_alloc(i + 1); /* of its very size, for ASan */
        memcpy(prefix, token, i);
        assert_int_equal(session_verify(c.cache, (struct str){prefix, i}, &out, NULL), ST_INVALID);
        free(prefix);
    }
    for (int kept = 0; kept < 2; kept++) { /* before and after the cache has the good one */
        for (size_t i = 0; i < n; i++) {
            char was = token[i];
            for (const char *put = "A_.= \x01\xff"; *put != '\0'; put++) {
                token[i] = *put;
                if (*put != was)
                    assert_int_equal(session_verify(c.cache, str_of(token), &out, NULL), ST_INVALID);
            }
            token[i] = was;
        }
        assert_int_equal(session_verify(c.cache, str_of(token), &out, NULL), ST_OK);
    }
    free(token);
    checker_free(&c);
    session_signer_free(signer);
}

/* The last character of a 256-byte signature carries two bits; its four spare ones must not make four tokens
 * of one. */
static void test_one_spelling_a_token(void **state) {
    (void)state;
    struct session_signer *signer = open_signer(path_a);
    struct checker c = checker_of(session_jwks(signer));
    struct identity in = somebody(60);
    char *token = session_sign(signer, &in), *padded = text("%s==", token), *more = text("%s.", token);
    assert_refused(&c, str_of(padded), "its signature is not base64url");
    assert_refused(&c, str_of(more), "not three parts");
    token[strlen(token) - 1]++; /* A, Q, g or w: the next letter means the same bytes */
    assert_refused(&c, str_of(token), "its signature is not base64url");
    free(token);
    free(padded);
    free(more);
    checker_free(&c);
    session_signer_free(signer);
}

static void test_sizes(void **state) {
    (void)state;
    struct checker c = checker_of_keys(key_a, NULL);
    char huge[SESSION_MAX_TOKEN + 1];
    memset(huge, 'A', sizeof huge);
    assert_refused(&c, (struct str){huge, sizeof huge}, "a token of 4097 bytes");
    assert_refused(&c, (struct str){huge, SESSION_MAX_TOKEN}, "not three parts");
    assert_refused(&c, (struct str){NULL, 0}, "a token of 0 bytes");
    huge[2000] = huge[3000] = '.';
    assert_refused(&c, (struct str){huge, SESSION_MAX_TOKEN}, "its header is not a JSON object");
    memset(huge, '.', sizeof huge);
    assert_refused(&c, (struct str){huge, SESSION_MAX_TOKEN}, "not three parts");
    checker_free(&c);
}

static void test_a_kept_session_still_expires(void **state) {
    (void)state;
    struct session_signer *signer = open_signer(path_a);
    struct checker c = checker_of(session_jwks(signer));
    struct identity in = somebody(2), out;
    char *token = session_sign(signer, &in);
    assert_int_equal(session_verify(c.cache, str_of(token), &out, NULL), ST_OK);
    while (now_s() < in.expires_s)
        assert_true(now_s() >= in.expires_s - 2);
    assert_refused(&c, str_of(token), "it has expired");
    free(token);
    checker_free(&c);
    session_signer_free(signer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signed_session_verifies),
        cmocka_unit_test(test_a_token_made_elsewhere_verifies),
        cmocka_unit_test(test_two_keys_are_valid_at_once),
        cmocka_unit_test(test_a_public_key_is_enough_for_an_old_one),
        cmocka_unit_test(test_the_cache_stays_bounded_and_right),
        cmocka_unit_test(test_signatures_that_are_not_ours),
        cmocka_unit_test(test_headers_that_are_not_ours),
        cmocka_unit_test(test_claims_that_are_not_ours),
        cmocka_unit_test(test_damaged_tokens),
        cmocka_unit_test(test_one_spelling_a_token),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_a_kept_session_still_expires),
    };
    return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
