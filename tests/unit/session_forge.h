/* session_forge: keys and tokens for the session tests, made by OpenSSL alone. Whatever returns a char *
 * gives it away: free(). */
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "mem.h"
#include "priv/session_priv.h"

__attribute__((format(printf, 1, 2))) static inline char *text(const char *fmt, ...) {
    char *out = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&out, fmt, ap) < 0) abort();
    va_end(ap);
    return out;
}

static inline char *kid_of(EVP_PKEY *pkey) {
    char *kid = mem_alloc(SESSION_KID_TEXT + 1);
    if (keyset_thumbprint(pkey, kid, NULL) != ST_OK) abort();
    return kid;
}

static inline char *pem_of(EVP_PKEY *pkey, bool private, const char *pass_phrase) {
    BIO *bio = BIO_new(BIO_s_mem());
    if (private)
        PEM_write_bio_PrivateKey(bio, pkey, pass_phrase == NULL ? NULL : EVP_aes_128_cbc(), NULL, 0, NULL,
                                 (void *)pass_phrase);
    else
        PEM_write_bio_PUBKEY(bio, pkey);
    char *bytes;
    long n = BIO_get_mem_data(bio, &bytes);
    char *pem = text("%.*s", (int)n, bytes);
    BIO_free(bio);
    return pem;
}

/* {"kty":"RSA","n":…,"e":… MORE}; more starts with a comma, or is empty. */
static inline char *jwk_of(EVP_PKEY *pkey, const char *more) {
    char n[BASE64_LINE], e[BASE64_LINE];
    size_t n_length = keyset_number(pkey, "n", n), e_length = keyset_number(pkey, "e", e);
    return text("{\"kty\":\"RSA\",\"n\":\"%.*s\",\"e\":\"%.*s\"%s}", (int)n_length, n, (int)e_length, e,
                more);
}

static inline char *jwks_of(EVP_PKEY *a, EVP_PKEY *b) {
    char *first = jwk_of(a, ""), *second = b == NULL ? NULL : jwk_of(b, "");
    char *jwks = text("{\"keys\":[%s%s%s]}", first, b == NULL ? "" : ",", b == NULL ? "" : second);
    free(first);
    free(second);
    return jwks;
}

static inline char *base64_of(const void *bytes, size_t n) {
    char *out = mem_alloc(n / 3 * 4 + 5);
    base64_encode(bytes, n, out);
    return out;
}

/* "header.claims" */
static inline char *signed_text(const char *header, const char *claims) {
    char *h = base64_of(header, strlen(header)), *c = base64_of(claims, strlen(claims));
    char *out = text("%s.%s", h, c);
    free(h);
    free(c);
    return out;
}

static inline char *join_signature(char *what, const uint8_t *signature, size_t n) {
    char *s = base64_of(signature, n), *token = text("%s.%s", what, s);
    free(s);
    free(what);
    return token;
}

/* Header and claims as they are given, signed with RS256. */
static inline char *forge_rs256(EVP_PKEY *pkey, const char *header, const char *claims) {
    char *what = signed_text(header, claims);
    uint8_t signature[SESSION_MAX_SIGNATURE];
    size_t n = sizeof signature;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) != 1 ||
        EVP_DigestSign(ctx, signature, &n, (uint8_t *)what, strlen(what)) != 1)
        abort();
    EVP_MD_CTX_free(ctx);
    return join_signature(what, signature, n);
}

static inline char *forge_hs256(const char *secret, const char *header, const char *claims) {
    char *what = signed_text(header, claims);
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    HMAC(EVP_sha256(), secret, (int)strlen(secret), (uint8_t *)what, strlen(what), signature, &n);
    return join_signature(what, signature, n);
}
