#include "session.h"

#include <openssl/rsa.h>
#include <stdlib.h>

#include "clock.h"
#include "mem.h"
#include "priv/session_priv.h"

enum { MIN_TOKEN = 32 };

struct session_cache {
    struct session_keys *keys;
    uint64_t version; /* of `set` */
    struct keyset *set;
    EVP_PKEY_CTX *verifiers[SESSION_MAX_KEYS]; /* one a key of the set, ready to verify: no look-up or lock
                                                  inside OpenSSL */
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
    struct session_kept *kept;
    struct session_ended *ended;
};

/* --- following the keys --- */

static EVP_PKEY_CTX *new_verifier(EVP_PKEY *pkey) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    if (ctx == NULL || EVP_PKEY_verify_init(ctx) <= 0 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) <= 0 ||
        EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) <= 0)
        abort(); /* out of memory: keyset_parse took only keys that can do this */
    return ctx;
}

static void leave_set(struct session_cache *cache) {
    for (int i = 0; cache->set != NULL && i < cache->set->n; i++) {
        EVP_PKEY_CTX_free(cache->verifiers[i]);
        cache->verifiers[i] = NULL;
    }
    keyset_unref(cache->set);
    cache->set = NULL;
}

/* Sessions of a key that is gone are not valid any more, so a new set empties the cache. */
static void follow_keys(struct session_cache *cache) {
    if (session_keys_version(cache->keys) == cache->version) return;
    leave_set(cache);
    kept_drop_all(cache->kept);
    cache->set = session_keys_take(cache->keys, &cache->version);
    for (int i = 0; cache->set != NULL && i < cache->set->n; i++)
        cache->verifiers[i] = new_verifier(cache->set->keys[i].pkey);
}

struct session_cache *session_cache_new(struct session_keys *keys) {
    struct session_cache *cache = mem_alloc(sizeof *cache);
    cache->keys = keys;
    cache->kept = kept_new();
    cache->ended = ended_new();
    cache->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    cache->digest = EVP_MD_CTX_new();
    if (cache->sha256 == NULL || cache->digest == NULL) abort();
    return cache;
}

void session_cache_free(struct session_cache *cache) {
    if (cache == NULL) return;
    leave_set(cache);
    kept_free(cache->kept);
    ended_free(cache->ended);
    EVP_MD_CTX_free(cache->digest);
    EVP_MD_free(cache->sha256);
    free(cache);
}

/* --- verifying --- */

struct parts {
    struct str header, claims, signature, signed_text; /* signed_text is "header.claims" */
};

static bool split(struct str token, struct parts *out) {
    const char *end = token.p + token.n;
    const char *first = memchr(token.p, '.', token.n);
    const char *second = first == NULL ? NULL : memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL) return false;
    out->header = (struct str){token.p, (size_t)(first - token.p)};
    out->claims = (struct str){first + 1, (size_t)(second - first - 1)};
    out->signature = (struct str){second + 1, (size_t)(end - second - 1)};
    out->signed_text = (struct str){token.p, (size_t)(second - token.p)};
    return out->header.n > 0 && out->claims.n > 0 && out->signature.n > 0;
}

static bool sha256(struct session_cache *cache, struct str text, uint8_t hash[EVP_MAX_MD_SIZE], unsigned *n) {
    return EVP_DigestInit_ex2(cache->digest, cache->sha256, NULL) &&
           EVP_DigestUpdate(cache->digest, text.p, text.n) && EVP_DigestFinal_ex(cache->digest, hash, n);
}

static bool signature_good(struct session_cache *cache, int key, struct str text, const uint8_t *signature,
                           size_t n) {
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned hashed = 0;
    return sha256(cache, text, hash, &hashed) &&
           EVP_PKEY_verify(cache->verifiers[key], signature, n, hash, hashed) == 1;
}

static struct session_digest digest_of(struct session_cache *cache, struct str token) {
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned n;
    struct session_digest digest;
    if (!sha256(cache, token, hash, &n)) abort(); /* nothing in it can fail */
    memcpy(&digest, hash, sizeof digest);
    return digest;
}

static enum status verify(struct session_cache *cache, struct str token, int64_t now_s, struct claims *out,
                          struct why *w) {
    struct parts parts;
    uint8_t json[SESSION_MAX_TOKEN], signature[SESSION_MAX_SIGNATURE];
    size_t n;
    if (!split(token, &parts)) return why(w, ST_INVALID, "not three parts");
    if (!base64_decode(parts.header, json, sizeof json, &n))
        return why(w, ST_INVALID, "its header is not base64url");
    bool missing;
    int key = claims_read_header((struct str){(char *)json, n}, cache->set, &missing, w);
    if (missing) session_keys_missing(cache->keys);
    if (key < 0) return ST_INVALID;
    if (!base64_decode(parts.signature, signature, sizeof signature, &n))
        return why(w, ST_INVALID, "its signature is not base64url");
    if (!signature_good(cache, key, parts.signed_text, signature, n))
        return why(w, ST_INVALID, "its signature is wrong");
    if (!base64_decode(parts.claims, json, sizeof json, &n))
        return why(w, ST_INVALID, "its claims are not base64url");
    return claims_read((struct str){(char *)json, n}, now_s, out, w);
}

enum status session_verify(struct session_cache *cache, struct str token, struct identity *out,
                           struct why *w) {
    if (token.n < MIN_TOKEN || token.n > SESSION_MAX_TOKEN)
        return why(w, ST_INVALID, "a token of %zu bytes", token.n);
    follow_keys(cache);
    int64_t now_s = clock_wall_us() / 1000000;
    struct session_digest digest = digest_of(cache, token);
    const struct identity *id = kept_find(cache->kept, &digest);
    if (id != NULL && id->expires_s <= now_s) {
        kept_drop(cache->kept, &digest);
        return why(w, ST_INVALID, "it has expired");
    }
    if (id == NULL) {
        struct claims claims;
        enum status st = verify(cache, token, now_s, &claims, w);
        if (st != ST_OK) return st;
        id = kept_add(cache->kept, &digest, &claims.identity);
    }
    if (ended_has(cache->ended, id)) return why(w, ST_INVALID, "it has been ended");
    *out = *id;
    return ST_OK;
}

enum status session_was_ours(struct session_cache *cache, struct str token, struct identity *out,
                             struct why *w) {
    struct claims claims;
    if (token.n < MIN_TOKEN || token.n > SESSION_MAX_TOKEN)
        return why(w, ST_INVALID, "a token of %zu bytes", token.n);
    follow_keys(cache);
    enum status st = verify(cache, token, CLAIMS_ANY_TIME, &claims, w);
    if (st != ST_OK) return st;
    *out = claims.identity;
    out->email = (struct str){0};
    return ST_OK;
}

void session_cache_end(struct session_cache *cache, const struct session_end *end) {
    ended_add(cache->ended, end, clock_wall_us() / 1000000);
}

bool session_has_ended(const struct session_cache *cache, const struct identity *id) {
    return id->expires_s <= clock_wall_us() / 1000000 || ended_has(cache->ended, id);
}
