/* Tokens: what is taken and, mostly, what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "buf.h"
#include "clock.h"
#include "mem.h"
#include "session_forge.h"

static EVP_PKEY *key_a, *key_b;
static char *path_a, *path_b, *path_b_public; /* in dir */
static char dir[] = "/tmp/test_session.XXXXXX";

/* --- what most tests need --- */

static char *put_file(const char *name, char *content) {
    char *path = text("%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    free(content);
    return path;
}

static int make_keys(void **state) {
    (void)state;
    assert_non_null(mkdtemp(dir));
    key_a = EVP_RSA_gen(2048);
    key_b = EVP_RSA_gen(2048);
    path_a = put_file("a.pem", pem_of(key_a, true, NULL));
    path_b = put_file("b.pem", pem_of(key_b, true, NULL));
    path_b_public = put_file("b.pub.pem", pem_of(key_b, false, NULL));
    return 0;
}

static void remove_file(char *path) {
    unlink(path);
    free(path);
}

static int remove_keys(void **state) {
    (void)state;
    remove_file(path_a);
    remove_file(path_b);
    remove_file(path_b_public);
    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
    return rmdir(dir);
}

static struct session_signer *open_signer(const char *paths) {
    struct why w = {0};
    struct session_signer *signer = session_signer_open(paths, &w);
    if (signer == NULL) fail_msg("%s", w.text);
    return signer;
}

struct checker {
    struct session_keys *keys;
    struct session_cache *cache;
};

static struct checker checker_of(struct str jwks) {
    struct why w = {0};
    struct keyset *set = keyset_parse(jwks, &w);
    if (set == NULL) fail_msg("%s", w.text);
    struct checker c = {.keys = session_keys_fixed(set)};
    c.cache = session_cache_new(c.keys);
    return c;
}

static struct checker checker_of_keys(EVP_PKEY *a, EVP_PKEY *b) {
    char *jwks = jwks_of(a, b);
    struct checker c = checker_of(str_of(jwks));
    free(jwks);
    return c;
}

static void checker_free(struct checker *c) {
    session_cache_free(c->cache);
    session_keys_free(c->keys);
}

static void assert_refused(struct checker *c, struct str token, const char *reason) {
    struct identity id;
    struct why w = {0};
    assert_int_equal(session_verify(c->cache, token, &id, &w), ST_INVALID);
    assert_string_equal(w.text, reason);
}

static int64_t now_s(void) {
    return clock_wall_us() / 1000000;
}

static struct identity somebody(int64_t lives) {
    return (struct identity){.user = uuid_v7(),
                             .email = STR("ann@example.com"),
                             .issued_s = now_s(),
                             .expires_s = now_s() + lives};
}

#define SUB "01890a5d-ac96-774b-bcce-b302099a8057"

static char *claims_of(const char *iss, const char *aud, const char *sub, const char *email, int64_t iat,
                       int64_t exp) {
    return text("{\"iss\":%s,\"aud\":%s,\"sub\":%s,\"email\":%s,\"iat\":%ld,\"exp\":%ld}", iss, aud, sub,
                email, (long)iat, (long)exp);
}

static char *good_claims(void) {
    return claims_of("\"onsale\"", "\"onsale\"", "\"" SUB "\"", "\"ann@example.com\"", now_s(), now_s() + 60);
}

static char *header_of(EVP_PKEY *pkey, const char *more) {
    char *kid = kid_of(pkey), *header = text("{\"alg\":\"RS256\",\"kid\":\"%s\"%s}", kid, more);
    free(kid);
    return header;
}

/* --- what is taken --- */

static void test_a_signed_session_verifies(void **state) {
    (void)state;
    struct session_signer *signer = open_signer(path_a);
    struct checker c = checker_of(session_jwks(signer));
    struct identity in = somebody(60), out;
    char *token = session_sign(signer, &in);
    for (int i = 0; i < 3; i++) { /* from the second on out of the cache */
        assert_int_equal(session_verify(c.cache, str_of(token), &out, NULL), ST_OK);
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
