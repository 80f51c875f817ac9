#include "codes.h"

#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "pem.h"

enum { VERSION = 1, MOST_KEYS = 16 };

struct key {
    uint8_t id[CODE_KEY];
    uint8_t public[crypto_sign_PUBLICKEYBYTES];
};

struct codes {
    int n;
    struct key keys[MOST_KEYS];
    uint8_t secret[crypto_sign_SECRETKEYBYTES]; /* of the first */
    char *jwks;
};

/* --- keys --- */

static enum status take_key(void *arg, const struct pem_key *pem, struct why *w) {
    struct codes *codes = arg;
    if (codes->n == MOST_KEYS) return why(w, ST_INVALID, "more than %d keys", MOST_KEYS);
    struct key *key = &codes->keys[codes->n];
    size_t length = sizeof key->public;
    if (!EVP_PKEY_is_a(pem->pkey, "ED25519") ||
        EVP_PKEY_get_raw_public_key(pem->pkey, key->public, &length) <= 0)
        return why(w, ST_INVALID, "%s: not an Ed25519 key", pem->path);
    uint8_t digest[crypto_hash_sha256_BYTES], seed[crypto_sign_SEEDBYTES];
    crypto_hash_sha256(digest, key->public, sizeof key->public);
    memcpy(key->id, digest, CODE_KEY);
    codes->n++;
    if (!pem->first) return ST_OK;
    length = sizeof seed;
    EVP_PKEY_get_raw_private_key(pem->pkey, seed, &length);
    crypto_sign_seed_keypair(key->public, codes->secret, seed);
    sodium_memzero(seed, sizeof seed);
    return ST_OK;
}

static json_t *jwk_of(const struct key *key) {
    char kid[BASE64_TEXT(CODE_KEY)], x[BASE64_TEXT(sizeof key->public)];
    base64_encode(key->id, sizeof key->id, kid);
    base64_encode(key->public, sizeof key->public, x);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "kty", "OKP", "crv", "Ed25519", "use", "sig", "alg",
                     "EdDSA", "kid", kid, "x", x);
}

struct codes *codes_open(const char *paths, struct why *w) {
    struct codes *codes = mem_alloc(sizeof *codes);
    enum status st = sodium_init() < 0 ? why(w, ST_FAILED, "libsodium does not start")
                                       : pem_read_list(paths, MOST_KEYS, take_key, codes, w);
    if (st != ST_OK) {
        codes_free(codes);
        return NULL;
    }
    json_t *root = json_pack("{s:[]}", "keys");
    for (int i = 0; i < codes->n; i++)
        json_array_append_new(json_object_get(root, "keys"), jwk_of(&codes->keys[i]));
    codes->jwks = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return codes;
}

void codes_free(struct codes *codes) {
    if (codes == NULL) return;
    sodium_memzero(codes->secret, sizeof codes->secret);
    free(codes->jwks);
    free(codes);
}

struct str codes_keys(const struct codes *codes) {
    return str_of(codes->jwks);
}

/* --- writing --- */

void code_set_words(struct code *code, struct str words) {
    size_t n = words.n < CODE_WORDS ? words.n : CODE_WORDS;
    while (n < words.n && n > 0 && ((unsigned char)words.p[n] & 0xc0) == 0x80) /* within a character */
        n--;
    memcpy(code->words, words.p, n);
    code->words_length = n;
}

static uint8_t *put(uint8_t *to, const void *bytes, size_t n) {
    memcpy(to, bytes, n);
    return to + n;
}

size_t codes_sign(const struct codes *codes, const struct code *code, char out[CODE_TEXT]) {
    uint8_t bytes[CODE_MOST], *end = bytes;
    *end++ = VERSION;
    end = put(end, codes->keys[0].id, CODE_KEY);
    end = put(end, code->ticket.b, 16);
    end = put(end, code->show.b, 16);
    end = put(end, code->serial.b, 16);
    *end++ = (uint8_t)code->words_length;
    end = put(end, code->words, code->words_length);
    crypto_sign_detached(end, NULL, bytes, (size_t)(end - bytes), codes->secret);
    return base64_encode(bytes, (size_t)(end - bytes) + CODE_SIGNATURE, out);
}

/* --- reading --- */

static const struct key *find_key(const struct codes *codes, const uint8_t *id) {
    for (int i = 0; i < codes->n; i++)
        if (memcmp(codes->keys[i].id, id, CODE_KEY) == 0) return &codes->keys[i];
    return NULL;
}

enum code_fault codes_read(const struct codes *codes, struct str text, struct code *out) {
    uint8_t bytes[CODE_MOST];
    size_t n;
    if (!base64_decode(text, bytes, sizeof bytes, &n) || n < CODE_HEAD + CODE_SIGNATURE ||
        bytes[0] != VERSION || n != (size_t)CODE_HEAD + bytes[CODE_HEAD - 1] + CODE_SIGNATURE)
        return CODE_FORGED;
    const struct key *key = find_key(codes, bytes + 1);
    if (key == NULL) return CODE_UNKNOWN_KEY;
    n -= CODE_SIGNATURE;
    if (crypto_sign_verify_detached(bytes + n, bytes, n, key->public) != 0) return CODE_ALTERED;
    const uint8_t *ids = bytes + 1 + CODE_KEY;
    memcpy(out->ticket.b, ids, 16);
    memcpy(out->show.b, ids + 16, 16);
    memcpy(out->serial.b, ids + 32, 16);
    out->words_length = bytes[CODE_HEAD - 1];
    memcpy(out->words, bytes + CODE_HEAD, out->words_length);
    return CODE_GENUINE;
}
