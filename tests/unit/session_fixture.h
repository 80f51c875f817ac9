/* What the tests of sessions share: two keys and their files, signers and checkers of them, claims of
 * somebody. Each test file is a program of its own. */
#pragma once

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

static inline char *put_file(const char *name, char *content) {
    char *path = text("%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
    free(content);
    return path;
}

static inline int make_keys(void **state) {
    (void)state;
    assert_non_null(mkdtemp(dir));
    key_a = EVP_RSA_gen(2048);
    key_b = EVP_RSA_gen(2048);
    path_a = put_file("a.pem", pem_of(key_a, true, NULL));
    path_b = put_file("b.pem", pem_of(key_b, true, NULL));
    path_b_public = put_file("b.pub.pem", pem_of(key_b, false, NULL));
    return 0;
}

static inline void remove_file(char *path) {
    unlink(path);
    free(path);
}

static inline int remove_keys(void **state) {
    (void)state;
    remove_file(path_a);
    remove_file(path_b);
    remove_file(path_b_public);
    EVP_PKEY_free(key_a);
    EVP_PKEY_free(key_b);
    return rmdir(dir);
}

static inline struct session_signer *open_signer(const char *paths) {
    struct why w = {0};
    struct session_signer *signer = session_signer_open(paths, &w);
    if (signer == NULL) fail_msg("%s", w.text);
    return signer;
}

struct checker {
    struct session_keys *keys;
    struct session_cache *cache;
};

static inline struct checker checker_of(struct str jwks) {
    struct why w = {0};
    struct keyset *set = keyset_parse(jwks, &w);
    if (set == NULL) fail_msg("%s", w.text);
    struct checker c = {.keys = session_keys_fixed(set)};
    c.cache = session_cache_new(c.keys);
    return c;
}

static inline struct checker checker_of_keys(EVP_PKEY *a, EVP_PKEY *b) {
    char *jwks = jwks_of(a, b);
    struct checker c = checker_of(str_of(jwks));
    free(jwks);
    return c;
}

static inline void checker_free(struct checker *c) {
    session_cache_free(c->cache);
    session_keys_free(c->keys);
}

static inline void assert_refused(struct checker *c, struct str token, const char *reason) {
    struct identity id;
    struct why w = {0};
    assert_int_equal(session_verify(c->cache, token, &id, &w), ST_INVALID);
    assert_string_equal(w.text, reason);
}

static inline int64_t now_s(void) {
    return clock_wall_us() / 1000000;
}

static inline struct identity somebody(int64_t lives) {
    return (struct identity){.user = uuid_v7(),
                             .email = STR("ann@example.com"),
                             .issued_s = now_s(),
                             .expires_s = now_s() + lives};
}

#define SUB "01890a5d-ac96-774b-bcce-b302099a8057"

static inline char *claims_of(const char *iss, const char *aud, const char *sub, const char *email,
                              int64_t iat, int64_t exp) {
    return text("{\"iss\":%s,\"aud\":%s,\"sub\":%s,\"email\":%s,\"iat\":%ld,\"exp\":%ld}", iss, aud, sub,
                email, (long)iat, (long)exp);
}

static inline char *good_claims(void) {
    return claims_of("\"onsale\"", "\"onsale\"", "\"" SUB "\"", "\"ann@example.com\"", now_s(), now_s() + 60);
}

static inline char *header_of(EVP_PKEY *pkey, const char *more) {
    char *kid = kid_of(pkey), *header = text("{\"alg\":\"RS256\",\"kid\":\"%s\"%s}", kid, more);
    free(kid);
    return header;
}
