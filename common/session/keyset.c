#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"
#include "priv/session_priv.h"

enum { MAX_EXPONENT_BYTES = 4 }; /* 65537 is usual; a long one makes verifying slow */

size_t keyset_number(const EVP_PKEY *pkey, const char *name, char out[BASE64_LINE]) {
    BIGNUM *number = NULL;
    size_t length = 0;
    if (EVP_PKEY_get_bn_param(pkey, name, &number) && BN_num_bytes(number) <= SESSION_MAX_SIGNATURE) {
        uint8_t bytes[SESSION_MAX_SIGNATURE];
        length = base64_encode(bytes, (size_t)BN_bn2bin(number, bytes), out);
    }
    BN_free(number);
    return length;
}

enum status keyset_thumbprint(const EVP_PKEY *pkey, char kid[SESSION_KID_TEXT + 1], struct why *w) {
    if (!EVP_PKEY_is_a(pkey, "RSA")) return why(w, ST_INVALID, "not an RSA key");
    int bits = EVP_PKEY_get_bits(pkey);
    if (bits < SESSION_MIN_KEY_BITS || bits > SESSION_MAX_KEY_BITS)
        return why(w, ST_INVALID, "an RSA key of %d bits; %d to %d are taken", bits, SESSION_MIN_KEY_BITS,
                   SESSION_MAX_KEY_BITS);
    char n[BASE64_LINE], e[BASE64_LINE], text[2 * BASE64_LINE + 64];
    size_t n_length = keyset_number(pkey, OSSL_PKEY_PARAM_RSA_N, n),
           e_length = keyset_number(pkey, OSSL_PKEY_PARAM_RSA_E, e);
    if (n_length == 0 || e_length == 0) return why(w, ST_INVALID, "an RSA key without its numbers");
    int length = snprintf(text, sizeof text, "{\"e\":\"%.*s\",\"kty\":\"RSA\",\"n\":\"%.*s\"}", (int)e_length,
                          e, (int)n_length, n);
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned hashed = 0;
    if (!EVP_Digest(text, (size_t)length, hash, &hashed, EVP_sha256(), NULL))
        return why(w, ST_FAILED, "OpenSSL has no SHA-256");
    base64_encode(hash, hashed, kid);
    return ST_OK;
}

/* --- reading a JWKS --- */

static struct str text_member(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return (struct str){json_string_value(value), json_string_length(value)};
}

/* Absent, or exactly that text. */
static bool absent_or(const json_t *object, const char *name, struct str wanted) {
    return json_object_get(object, name) == NULL || str_eq(text_member(object, name), wanted);
}

static bool may_verify(const json_t *jwk) {
    const json_t *ops = json_object_get(jwk, "key_ops");
    if (ops == NULL) return true;
    size_t i;
    json_t *op;
    json_array_foreach(ops, i, op) {
        if (json_is_string(op) && strcmp(json_string_value(op), "verify") == 0) return true;
    }
    return false;
}

static BIGNUM *jwk_number(const json_t *jwk, const char *name, size_t max_bytes) {
    uint8_t bytes[SESSION_MAX_SIGNATURE];
    size_t n;
    if (!base64_decode(text_member(jwk, name), bytes, max_bytes, &n) || n == 0) return NULL;
    return BN_bin2bn(bytes, (int)n, NULL);
}

static EVP_PKEY *rsa_key(const BIGNUM *n, const BIGNUM *e) {
    EVP_PKEY *pkey = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    if (ctx != NULL && builder != NULL && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) &&
        OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) &&
        (params = OSSL_PARAM_BLD_to_param(builder)) != NULL && EVP_PKEY_fromdata_init(ctx) > 0 &&
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) <= 0)
        pkey = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

/* The key of one JWK, or NULL: not one that signs our sessions. */
static EVP_PKEY *jwk_key(const json_t *jwk, char kid[SESSION_KID_TEXT + 1]) {
    if (!str_eq(text_member(jwk, "kty"), STR("RSA")) || !absent_or(jwk, "use", STR("sig")) ||
        !absent_or(jwk, "alg", STR("RS256")) || !may_verify(jwk))
        return NULL;
    BIGNUM *n = jwk_number(jwk, "n", SESSION_MAX_SIGNATURE), *e = jwk_number(jwk, "e", MAX_EXPONENT_BYTES);
    EVP_PKEY *pkey = NULL;
    if (n != NULL && e != NULL && BN_is_odd(n) && BN_is_odd(e) && !BN_is_one(e)) pkey = rsa_key(n, e);
    BN_free(n);
    BN_free(e);
    /* The thumbprint is the kid. A key with another kid would never be found. */
    if (pkey != NULL &&
        (keyset_thumbprint(pkey, kid, NULL) != ST_OK || !absent_or(jwk, "kid", str_of(kid)))) {
        EVP_PKEY_free(pkey);
        pkey = NULL;
    }
    return pkey;
}

static void take_keys(struct keyset *set, const json_t *jwks) {
    size_t i;
    json_t *jwk;
    json_array_foreach(jwks, i, jwk) {
        if (set->n == SESSION_MAX_KEYS) return;
        struct session_key *key = &set->keys[set->n];
        key->pkey = jwk_key(jwk, key->kid);
        if (key->pkey == NULL) continue;
        if (keyset_find(set, str_of(key->kid)) >= 0)
            EVP_PKEY_free(key->pkey);
        else
            set->n++;
    }
}

struct keyset *keyset_parse(struct str jwks, struct why *w) {
    json_error_t error;
    json_t *root = json_loadb(jwks.p, jwks.n, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        why(w, ST_INVALID, "the key set is not JSON: %s", error.text);
        return NULL;
    }
    struct keyset *set = mem_alloc(sizeof *set);
    atomic_init(&set->refs, 1);
    take_keys(set, json_object_get(root, "keys"));
    json_decref(root);
    if (set->n == 0) {
        why(w, ST_INVALID, "no RSA signing key of %d to %d bits among \"keys\"", SESSION_MIN_KEY_BITS,
            SESSION_MAX_KEY_BITS);
        keyset_unref(set);
        return NULL;
    }
    return set;
}

/* --- a set --- */

struct keyset *keyset_ref(struct keyset *set) {
    if (set != NULL) atomic_fetch_add_explicit(&set->refs, 1, memory_order_relaxed);
    return set;
}

void keyset_unref(struct keyset *set) {
    if (set == NULL || atomic_fetch_sub_explicit(&set->refs, 1, memory_order_acq_rel) != 1) return;
    for (int i = 0; i < set->n; i++)
        EVP_PKEY_free(set->keys[i].pkey);
    free(set);
}

int keyset_find(const struct keyset *set, struct str kid) {
    for (int i = 0; i < set->n; i++) {
        if (str_eq(kid, str_of(set->keys[i].kid))) return i;
    }
    return -1;
}

bool keyset_same(const struct keyset *a, const struct keyset *b) {
    if (a == NULL || b == NULL || a->n != b->n) return a == b;
    for (int i = 0; i < a->n; i++) {
        if (strcmp(a->keys[i].kid, b->keys[i].kid) != 0) return false; /* the kid is a hash of the key */
    }
    return true;
}
