/* session_priv: what the files of this folder share: keys, the sessions that a thread has verified, claims.
 */
#pragma once

#ifndef SESSION_PRIV
#error "private to common/session"
#endif

#include <openssl/evp.h>
#include <stdatomic.h>

#include "base64.h"
#include "session.h"

enum {
    SESSION_MAX_KEYS = 16, /* two while keys rotate; a deployment may have more */
    SESSION_MIN_KEY_BITS = 2048,
    SESSION_MAX_KEY_BITS = 8192, /* verifying with a longer one would take over a millisecond */
    SESSION_MAX_SIGNATURE = SESSION_MAX_KEY_BITS / 8,
    SESSION_MAX_EMAIL = 254,
    SESSION_KID_TEXT = 43,     /* base64url of a SHA-256 */
    SESSION_CLOCK_SKEW_S = 30, /* how far the signer's clock may be ahead of ours */
};

enum { BASE64_LINE = BASE64_TEXT(SESSION_MAX_SIGNATURE) };

/* --- keys --- */
struct session_key {
    EVP_PKEY *pkey;
    char kid[SESSION_KID_TEXT + 1];
};

struct keyset {
    atomic_int refs;
    int n;
    struct session_key keys[SESSION_MAX_KEYS];
};

struct keyset *keyset_ref(struct keyset *set);
int keyset_find(const struct keyset *set, struct str kid); /* the index, or -1 */
bool keyset_same(const struct keyset *a, const struct keyset *b);

/* The RFC 7638 thumbprint of an RSA key of an acceptable size; ST_INVALID otherwise. */
enum status keyset_thumbprint(const EVP_PKEY *pkey, char kid[SESSION_KID_TEXT + 1], struct why *w);
/* A number of the key ("n", "e") as JWK writes it. Returns the length; 0 without one. */
size_t keyset_number(const EVP_PKEY *pkey, const char *name, char out[BASE64_LINE]);

/* --- what a cache asks of the current keys --- */
uint64_t session_keys_version(const struct session_keys *keys); /* one atomic read */
struct keyset *session_keys_take(struct session_keys *keys,
                                 uint64_t *version); /* a reference; NULL: none yet */
void session_keys_missing(
    struct session_keys *keys); /* a token names a key that is not in the set; never blocks */

/* --- kept.c: the sessions that a thread has verified, by the digest of their tokens --- */

/* Half of the token's SHA-256. To pass for a session that is kept, a token needs the same digest: 2^128
 * tries, less a few bits. */
struct session_digest {
    uint64_t a, b;
};
struct session_kept;
struct session_kept *kept_new(void);
void kept_free(struct session_kept *kept);
/* NULL: not kept. Lives until the next call that changes something. */
const struct identity *kept_find(struct session_kept *kept, const struct session_digest *digest);
/* Adds one that is not kept yet; it may replace one that was not used for long. */
const struct identity *kept_add(struct session_kept *kept, const struct session_digest *digest,
                                const struct identity *id);
void kept_drop(struct session_kept *kept, const struct session_digest *digest);
void kept_drop_all(struct session_kept *kept);
size_t kept_places(const struct session_kept *kept);

/* --- ended.c: which sessions ended before they expired --- */
struct session_ended;
struct session_ended *ended_new(void);
void ended_free(struct session_ended *ended);
void ended_add(struct session_ended *ended, const struct session_end *end, int64_t now_s);
bool ended_has(const struct session_ended *ended, const struct identity *id);
size_t ended_places(const struct session_ended *ended);

/* --- the claims of a token whose signature is good --- */
struct claims {
    struct identity identity; /* email points to the array below */
    char email[SESSION_MAX_EMAIL];
};
enum { CLAIMS_ANY_TIME = -1 }; /* as now_s: not compared */
enum status claims_read(struct str json, int64_t now_s, struct claims *out, struct why *w);
/* The index of the key that a token's header names, or -1: not a header of ours. *missing tells that only the
 * key is unknown. */
int claims_read_header(struct str json, const struct keyset *set, bool *missing, struct why *w);
