#include "passkey.h"

#include <endian.h>
#include <fido.h>
#include <fido/eddsa.h>
#include <fido/es256.h>
#include <fido/rs256.h>
#include <jansson.h>
#include <sodium.h>
#include <stdlib.h>

#include "clock.h"
#include "mem.h"

enum { HASH = crypto_hash_sha256_BYTES, FLAGS_AT = HASH, PRESENT = 1, KNOWN = 4, DATA_LEAST = HASH + 5 };

/* --- the site --- */

/* A browser takes plain HTTP of this machine alone. */
static bool is_origin(struct str origin, size_t *host_at) {
    *host_at = strncmp(origin.p, "https://", 8) == 0            ? 8
               : strncmp(origin.p, "http://localhost", 16) == 0 ? 7
                                                                : 0;
    return *host_at > 0 && origin.n > *host_at && strpbrk(origin.p + *host_at, "/ \"\\") == NULL;
}

enum status passkey_site_open(struct passkey_site *site, const char *origin,
                              const struct admission_keys *keys, struct why *w) {
    size_t at = 0;
    *site = (struct passkey_site){.origin = origin, .keys = keys};
    if (*origin == '\0') return ST_OK;
    if (!is_origin(str_of(origin), &at))
        return why(w, ST_INVALID, "PASSKEY_ORIGIN must be https://HOST, without a slash at its end");
    fido_init(0);
    char *host = mem_strdup(origin + at);
    host[strcspn(host, ":")] = '\0';
    site->host = host;
    return ST_OK;
}

void passkey_site_close(struct passkey_site *site) {
    free((char *)site->host);
    *site = (struct passkey_site){0};
}

/* --- challenges --- */

/* The text before it keeps it apart from what else these keys make. */
static void make_mac(const struct passkey_site *site, int key, const uint8_t *signed_part,
                     uint8_t mac[ADMISSION_MAC]) {
    static const char about[] = "onsale: challenge of a passkey";
    uint8_t text[sizeof about + CHALLENGE - ADMISSION_MAC];
    memcpy(text, about, sizeof about);
    memcpy(text + sizeof about, signed_part, CHALLENGE - ADMISSION_MAC);
    admission_secret(site->keys, key, text, sizeof text, mac);
}

void challenge_write(const struct passkey_site *site, char out[CHALLENGE_TEXT]) {
    uint8_t challenge[CHALLENGE];
    uint64_t until_ms = htobe64((uint64_t)(clock_wall_us() / 1000 + CHALLENGE_MS));
    memcpy(challenge, &until_ms, sizeof until_ms);
    randombytes_buf(challenge + sizeof until_ms, CHALLENGE_NONCE);
    make_mac(site, 0, challenge, challenge + CHALLENGE - ADMISSION_MAC);
    base64_encode(challenge, sizeof challenge, out);
}

static bool is_ours(const struct passkey_site *site, const uint8_t challenge[CHALLENGE]) {
    uint8_t mac[ADMISSION_MAC];
    for (int key = 0; key < admission_keys_count(site->keys); key++) {
        make_mac(site, key, challenge, mac);
        if (sodium_memcmp(mac, challenge + CHALLENGE - ADMISSION_MAC, sizeof mac) == 0) return true;
    }
    return false;
}

static bool challenge_read(const struct passkey_site *site, struct str text, uint8_t nonce[CHALLENGE_NONCE]) {
    uint8_t challenge[CHALLENGE];
    uint64_t until_ms;
    size_t n;
    if (!base64_decode(text, challenge, sizeof challenge, &n) || n != sizeof challenge) return false;
    memcpy(&until_ms, challenge, sizeof until_ms);
    memcpy(nonce, challenge + sizeof until_ms, CHALLENGE_NONCE);
    return is_ours(site, challenge) && (int64_t)be64toh(until_ms) > clock_wall_us() / 1000;
}

/* --- the browser's part --- */

static struct str member(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? (struct str){json_string_value(value), json_string_length(value)}
                                 : (struct str){0};
}

static bool client_data_fits(const struct passkey_site *site, struct str text, struct str type,
                             uint8_t nonce[CHALLENGE_NONCE]) {
    json_t *data = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
    bool fits = str_eq(member(data, "type"), type) && str_eq(member(data, "origin"), str_of(site->origin)) &&
                !json_is_true(json_object_get(data, "crossOrigin")) &&
                challenge_read(site, member(data, "challenge"), nonce);
    json_decref(data);
    return fits;
}

static const unsigned char *bytes(struct str s) {
    return (const unsigned char *)s.p;
}

/* --- what an authenticator says --- */

/* libcbor takes memory for as many items as a map claims to have, before it has seen one. So no claim may go
 * beyond the end. What has no length (indefinite) no authenticator sends. */
static bool claims_fit(const unsigned char *p, size_t n) {
    while (n > 0) {
        int major = *p >> 5, more = *p & 31;
        size_t size = 1 + (more < 24 ? 0 : (size_t)1 << (more - 24));
        if (more > 27 || size > n) return false;
        uint64_t value = more < 24 ? (uint64_t)more : 0;
        for (size_t i = 1; i < size; i++)
            value = value << 8 | p[i];
        bool text = major == 2 || major == 3, items = major == 4 || major == 5;
        if ((text || items) && value > n - size) return false;
        if (text) size += value;
        p += size, n -= size;
    }
    return true;
}

static bool is_sound(struct str authenticator, size_t cbor_at) {
    return authenticator.n >= cbor_at &&
           claims_fit(bytes(authenticator) + cbor_at, authenticator.n - cbor_at);
}

/* --- a new one --- */

/* Behind the counter the maker's number, the length of the id and the id; then its key, as COSE has it. */
static size_t key_at(struct str authenticator) {
    enum { LENGTH_AT = DATA_LEAST + 16 };
    const unsigned char *p = bytes(authenticator);
    return authenticator.n < LENGTH_AT + 2 ? SIZE_MAX
                                           : LENGTH_AT + 2 + (size_t)(p[LENGTH_AT] << 8 | p[LENGTH_AT + 1]);
}

static bool is_of_site(const struct passkey_site *site, struct str authenticator) {
    uint8_t hash[HASH];
    if (authenticator.n < DATA_LEAST) return false;
    crypto_hash_sha256(hash, (const uint8_t *)site->host, strlen(site->host));
    int flags = bytes(authenticator)[FLAGS_AT];
    return memcmp(hash, authenticator.p, HASH) == 0 && (flags & PRESENT) != 0 && (flags & KNOWN) != 0;
}

static struct str copy(struct arena *arena, const unsigned char *p, size_t n) {
    return arena_str(arena, (struct str){(const char *)p, n});
}

static bool read_credential(struct str authenticator, int algorithm, struct arena *arena,
                            struct passkey *out) {
    fido_cred_t *cred = fido_cred_new();
    if (cred == NULL) abort(); /* out of memory */
    bool read = fido_cred_set_type(cred, algorithm) == FIDO_OK &&
                fido_cred_set_authdata_raw(cred, bytes(authenticator), authenticator.n) == FIDO_OK;
    if (read)
        *out = (struct passkey){.credential = copy(arena, fido_cred_id_ptr(cred), fido_cred_id_len(cred)),
                                .algorithm = algorithm,
                                .key = copy(arena, fido_cred_pubkey_ptr(cred), fido_cred_pubkey_len(cred)),
                                .count = fido_cred_sigcount(cred)};
    fido_cred_free(&cred);
    return read && out->credential.n > 0 && out->credential.n <= PASSKEY_ID && out->key.n > 0;
}

static const int algorithms[] = {COSE_ES256, COSE_EDDSA, COSE_RS256};
enum { ALGORITHMS = sizeof algorithms / sizeof *algorithms };

/* What an authenticator says of its maker is not asked for, so nothing of it is signed. */
const char *passkey_made(const struct passkey_site *site, const struct passkey_said *said,
                         struct arena *arena, struct passkey *out) {
    uint8_t nonce[CHALLENGE_NONCE];
    if (!client_data_fits(site, said->client_data, STR("webauthn.create"), nonce) ||
        !is_of_site(site, said->authenticator))
        return "is not of this site, or came too late; try again";
    bool sound = is_sound(said->authenticator, key_at(said->authenticator));
    for (int i = 0; i < ALGORITHMS && sound; i++)
        if (read_credential(said->authenticator, algorithms[i], arena, out)) return NULL;
    return "is of a kind that is not known here";
}

/* --- one that signs --- */

/* As fido_assert_verify wants it; NULL: the bytes are no such key. */
static void *open_key(const struct passkey *known) {
    void *key = known->algorithm == COSE_ES256   ? (void *)es256_pk_new()
                : known->algorithm == COSE_EDDSA ? (void *)eddsa_pk_new()
                                                 : (void *)rs256_pk_new();
    int st = known->algorithm == COSE_ES256   ? es256_pk_from_ptr(key, known->key.p, known->key.n)
             : known->algorithm == COSE_EDDSA ? eddsa_pk_from_ptr(key, known->key.p, known->key.n)
                                              : rs256_pk_from_ptr(key, known->key.p, known->key.n);
    if (st == FIDO_OK) return key;
    free(key);
    return NULL;
}

static bool verify(const struct passkey_site *site, const struct passkey_said *said,
                   const struct passkey *known, fido_assert_t *claim) {
    if (fido_assert_set_count(claim, 1) != FIDO_OK || fido_assert_set_rp(claim, site->host) != FIDO_OK ||
        fido_assert_set_up(claim, FIDO_OPT_TRUE) != FIDO_OK ||
        fido_assert_set_uv(claim, FIDO_OPT_TRUE) != FIDO_OK ||
        fido_assert_set_clientdata(claim, bytes(said->client_data), said->client_data.n) != FIDO_OK ||
        fido_assert_set_authdata_raw(claim, 0, bytes(said->authenticator), said->authenticator.n) !=
            FIDO_OK ||
        fido_assert_set_sig(claim, 0, bytes(said->signature), said->signature.n) != FIDO_OK)
        return false;
    void *key = open_key(known);
    bool right = key != NULL && fido_assert_verify(claim, 0, known->algorithm, key) == FIDO_OK;
    free(key);
    return right;
}

bool passkey_signed(const struct passkey_site *site, const struct passkey_said *said,
                    const struct passkey *known, int64_t *count, uint8_t nonce[CHALLENGE_NONCE]) {
    if (!client_data_fits(site, said->client_data, STR("webauthn.get"), nonce) ||
        !is_sound(said->authenticator, DATA_LEAST))
        return false;
    fido_assert_t *claim = fido_assert_new();
    if (claim == NULL) abort(); /* out of memory */
    bool right = verify(site, said, known, claim);
    *count = right ? fido_assert_sigcount(claim, 0) : 0;
    fido_assert_free(&claim);
    return right;
}
