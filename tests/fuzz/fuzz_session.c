/* Everything of a session that comes from outside: tokens, their parts, key sets. The first byte says which
 * of them follows.
 *
 * Beyond not crashing: no two texts mean the same bytes, and what was accepted once (out of the parser) is
 * accepted again (out of the cache). */
#include <stdlib.h>

#include "priv/session_priv.h"

/* The public half of a key made for this file; its private half signed the tokens of the corpus, good until
 * 2100. */
static const char jwks[] =
    "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\""
    "mQiniyJbFJa1rxPVL3BNBpPEfxYZhObCiywlFUtToUSZhkt43I0Ut7Ifp1t0sD53iviBTb5AOSHa-"
    "8KBpG9hmI9HREgTEz7bwFofM6N-2x5Y9O-qUc5ERVyb4ryW55U00LWviq-fnQuX_O0r8DROP27DuRMd89SUtd1nb_XJtbp7"
    "9GvCQIQDfN8jDLMaFDNV2r45KylCyIWErZ_41LoNpdt2Z-"
    "O1rxEOgk790NKY7rVscIQ3iNeUYyjYqoXDncgZ_yRdgQbBYCg4CCZV2aGs05fPwEwix2T-bwZ6lDFgwMeLM-"
    "PVJSQhJapsv9OHZs96dW7JCRVBEzxDbKvcQChUQw"
    "\"}]}";

enum { NOW = 1800000000 };

static struct session_keys *keys;
static struct session_cache *cache;
static struct keyset *set;

static void must(bool holds) {
    if (!holds) abort();
}

static void fuzz_token(struct str token) {
    struct identity first, again;
    if (session_verify(cache, token, &first, NULL) != ST_OK) return;
    struct uuid user = first.user;
    must(session_verify(cache, token, &again, NULL) == ST_OK && uuid_eq(&user, &again.user));
}

static void fuzz_base64(struct str text) {
    uint8_t bytes[SESSION_MAX_TOKEN];
    char back[BASE64_TEXT(SESSION_MAX_TOKEN)];
    size_t n;
    if (base64_decode(text, bytes, sizeof bytes, &n))
        must(str_eq(text, (struct str){back, base64_encode(bytes, n, back)}));
}

static void fuzz_claims(struct str json) {
    struct claims claims;
    if (claims_read(json, NOW, &claims, NULL) != ST_OK) return;
    must(claims.identity.expires_s > NOW);
    must(claims.identity.email.n > 0 && claims.identity.email.n <= SESSION_MAX_EMAIL);
}

static void fuzz_header(struct str json) {
    bool missing;
    must(claims_read_header(json, set, &missing, NULL) < set->n);
}

static void fuzz_keyset(struct str text) {
    struct keyset *parsed = keyset_parse(text, NULL);
    must(parsed == NULL || parsed->n > 0);
    keyset_unref(parsed);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    set = keyset_parse(STR(jwks), NULL);
    must(set != NULL);
    keys = session_keys_fixed(keyset_ref(set));
    cache = session_cache_new(keys);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static void (*const readers[])(struct str) = {fuzz_token, fuzz_base64, fuzz_claims, fuzz_header,
                                                  fuzz_keyset};
    if (size == 0) return 0;
    readers[data[0] % (sizeof readers / sizeof *readers)]((struct str){(const char *)data + 1, size - 1});
    return 0;
}
