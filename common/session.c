#include "session.h"

#include <openssl/rsa.h>
#include <stdlib.h>

#include "clock.h"
#include "session_impl.h"

/* 4096 sessions a thread, some 900 bytes each when full; in sets of eight, so that a look-up is at most eight
 * compares of a hash. */
enum { WAYS = 8, SETS = 512, MIN_TOKEN = 32 };

struct entry {
    uint64_t hash;
    char *text; /* the token, then the e-mail; NULL: free */
    size_t token_length;
    uint64_t used; /* when, in calls */
    struct identity identity;
};

struct session_cache {
    struct session_keys *keys;
    uint64_t version; /* of `set` */
    struct keyset *set;
    EVP_PKEY_CTX *verifiers[SESSION_MAX_KEYS]; /* one a key of the set, ready to verify: no look-up or lock
                                                  inside OpenSSL */
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
    uint64_t calls;
    struct entry entries[SETS][WAYS];
};

/* --- the table of verified tokens --- */

/* The token ends in its signature, which is as good as random: 12 of its bytes, less the spare bits, make the
 * hash. Only verified tokens are kept, so nobody can crowd a set at will. */
static uint64_t hash_of(struct str token) {
    uint64_t a, b;
    memcpy(&a, token.p + token.n - 17, 8);
    memcpy(&b, token.p + token.n - 9, 8);
    return (a ^ b * 0x9e3779b97f4a7c15U) * 0xff51afd7ed558ccdU;
}

static struct entry *entries_of(struct session_cache *cache, uint64_t hash) {
    return cache->entries[hash >> 32 & (SETS - 1)];
}

/* memcmp's time tells how far a guess agrees with a kept token; but a guess is compared only when the hash of
 * its last 16 characters agrees, 96 bits of a signature that nobody can predict. So there is nothing to feel
 * one's way along. */
static struct entry *find(struct session_cache *cache, struct str token, uint64_t hash) {
    struct entry *set = entries_of(cache, hash);
    for (int i = 0; i < WAYS; i++) {
        struct entry *e = &set[i];
        if (e->text != NULL && e->hash == hash && str_eq((struct str){e->text, e->token_length}, token))
            return e;
    }
    return NULL;
}

static void drop(struct entry *e) {
    free(e->text);
    *e = (struct entry){0};
}

/* Over the one of the set that was not used for longest (free ones never were). */
static struct entry *keep(struct session_cache *cache, struct str token, uint64_t hash,
                          const struct identity *id) {
    struct entry *set = entries_of(cache, hash), *place = set;
    for (int i = 1; i < WAYS; i++) {
        if (set[i].used < place->used) place = &set[i];
    }
    drop(place);
    place->text = mem_alloc(token.n + id->email.n);
    memcpy(place->text, token.p, token.n);
    memcpy(place->text + token.n, id->email.p, id->email.n);
    place->hash = hash;
    place->token_length = token.n;
    place->identity = *id;
    place->identity.email.p = place->text + token.n;
    return place;
}

static void drop_all(struct session_cache *cache) {
    for (int i = 0; i < SETS * WAYS; i++)
        drop(&cache->entries[i / WAYS][i % WAYS]);
}

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

/* A key that has gone takes its sessions with it, so the cache starts afresh with a new set. */
static void follow_keys(struct session_cache *cache) {
    if (session_keys_version(cache->keys) == cache->version) return;
    leave_set(cache);
    drop_all(cache);
    cache->set = session_keys_take(cache->keys, &cache->version);
    for (int i = 0; cache->set != NULL && i < cache->set->n; i++)
        cache->verifiers[i] = new_verifier(cache->set->keys[i].pkey);
}

struct session_cache *session_cache_new(struct session_keys *keys) {
    struct session_cache *cache = mem_alloc(sizeof *cache);
    cache->keys = keys;
    cache->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    cache->digest = EVP_MD_CTX_new();
    if (cache->sha256 == NULL || cache->digest == NULL) abort();
    return cache;
}

void session_cache_free(struct session_cache *cache) {
    if (cache == NULL) return;
    leave_set(cache);
    drop_all(cache);
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

static bool signature_good(struct session_cache *cache, int key, struct str text, const uint8_t *signature,
                           size_t n) {
    uint8_t hash[EVP_MAX_MD_SIZE];
    unsigned hashed = 0;
    return EVP_DigestInit_ex2(cache->digest, cache->sha256, NULL) &&
           EVP_DigestUpdate(cache->digest, text.p, text.n) &&
           EVP_DigestFinal_ex(cache->digest, hash, &hashed) &&
           EVP_PKEY_verify(cache->verifiers[key], signature, n, hash, hashed) == 1;
}

static enum status verify(struct session_cache *cache, struct str token, int64_t now, struct claims *out,
                          struct why *w) {
    struct parts parts;
    uint8_t json[SESSION_MAX_TOKEN], signature[SESSION_MAX_SIGNATURE];
    size_t n;
    if (!split(token, &parts)) return why(w, ST_INVALID, "not three parts");
    if (!base64url_decode(parts.header, json, sizeof json, &n))
        return why(w, ST_INVALID, "its header is not base64url");
    bool missing;
    int key = header_read((struct str){(char *)json, n}, cache->set, &missing, w);
    if (missing) session_keys_missing(cache->keys);
    if (key < 0) return ST_INVALID;
    if (!base64url_decode(parts.signature, signature, sizeof signature, &n))
        return why(w, ST_INVALID, "its signature is not base64url");
    if (!signature_good(cache, key, parts.signed_text, signature, n))
        return why(w, ST_INVALID, "its signature is wrong");
    if (!base64url_decode(parts.claims, json, sizeof json, &n))
        return why(w, ST_INVALID, "its claims are not base64url");
    return claims_read((struct str){(char *)json, n}, now, out, w);
}

enum status session_verify(struct session_cache *cache, struct str token, struct identity *out,
                           struct why *w) {
    if (token.n < MIN_TOKEN || token.n > SESSION_MAX_TOKEN)
        return why(w, ST_INVALID, "a token of %zu bytes", token.n);
    follow_keys(cache);
    int64_t now = clock_wall_us() / 1000000;
    uint64_t hash = hash_of(token);
    struct entry *e = find(cache, token, hash);
    if (e != NULL && e->identity.expires_at <= now) {
        drop(e);
        return why(w, ST_INVALID, "it has expired");
    }
    if (e == NULL) {
        struct claims claims;
        enum status st = verify(cache, token, now, &claims, w);
        if (st != ST_OK) return st;
        e = keep(cache, token, hash, &claims.identity);
    }
    e->used = ++cache->calls;
    *out = e->identity;
    return ST_OK;
}
