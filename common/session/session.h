/* session: who is asking. A JWT, RS256, in the cookie `session` or in `Authorization: Bearer`.
 *
 * One service signs (session_sign, by libjwt). All verify by the public keys of its JWKS, without looking a
 * user up. OpenSSL verifies, with the parsed key kept: libjwt 1.10 parses the PEM at each call, which is 12
 * times slower. Several keys may be valid at once; `kid` (the RFC 7638 thumbprint) says which. So keys can
 * rotate without signing anybody out.
 *
 * A session may end before it expires: by its id, or with all of its user's that have a lower version
 * (struct session_end). Each cache is told, and keeps that for as long as such a session could still be used.
 *
 * A `keyset` is immutable and reference-counted; `session_keys` holds the current one and renews it on a
 * thread of its own. A `session_cache` belongs to one HTTP thread. It keeps the tokens that the thread has
 * verified, so a token is verified once. */
#pragma once

#include "status.h"
#include "str.h"
#include "uuid.h"

struct identity {
    struct uuid user;
    struct str email;
    struct uuid session;         /* its own id; zeros: of before sessions had one */
    int32_t version;             /* of its user's sessions when it began; 0: the same */
    bool unverified;             /* nobody had shown then that the e-mail address is his */
    int64_t issued_s, expires_s; /* unix seconds */
};

enum { SESSION_MAX_TOKEN = 4096 };
#define SESSION_ISSUER   "onsale"
#define SESSION_AUDIENCE "onsale"

struct fetch_tls;
struct keyset;
struct session_keys;
struct session_cache;
struct session_signer;

/* Reads {"keys":[…]} (only RSA signing keys of at least 2048 bits are taken). NULL: why says it. */
struct keyset *keyset_parse(struct str jwks, struct why *w);
void keyset_unref(struct keyset *set);

/* Keys from a URL: fetched at once and every refresh_ms; when an unknown kid is seen also sooner, but at most
 * once a second. While they cannot be fetched the last set stays. Or the keys of a keyset, which is taken
 * over (the service that signs; tests). tls: where the URL is https; NULL: curl's own ways. Free the caches
 * before the keys. */
struct session_keys *session_keys_from_url(const char *url, int refresh_ms, const struct fetch_tls *tls);
struct session_keys *session_keys_fixed(struct keyset *set);
bool session_keys_ready(struct session_keys *keys, struct why *w);
void session_keys_free(struct session_keys *keys);

struct session_cache *session_cache_new(struct session_keys *keys);
void session_cache_free(struct session_cache *cache);
/* ST_OK, or ST_INVALID (for any reason; why says which, for the debug log only). out->email lives until the
 * next call. */
enum status session_verify(struct session_cache *cache, struct str token, struct identity *out,
                           struct why *w);

/* The same, whether the session is over or not: only that we signed it, for whom and when. out->email is
 * empty. */
enum status session_was_ours(struct session_cache *cache, struct str token, struct identity *out,
                             struct why *w);

/* What ended: the session of this id; or, of the user of this id, all sessions of versions below `version`.
 */
struct session_end {
    struct uuid id;
    int32_t version; /* of a session: SESSION_ENDED */
    int64_t until_s; /* by then they have expired */
};
enum { SESSION_ENDED = INT32_MAX };
void session_cache_end(struct session_cache *cache, const struct session_end *end);
/* Whether somebody whom the cache has verified is signed in no more. */
bool session_has_ended(const struct session_cache *cache, const struct identity *id);

/* The signer: a PEM private key that signs, and further PEM keys (private or public) that are still accepted.
 * paths is a list separated by commas, the first signs. */
struct session_signer *session_signer_open(const char *paths, struct why *w);
void session_signer_free(struct session_signer *signer);
/* The token for id, good from id->issued_s to id->expires_s; free() it. Thread-safe; takes about a
 * millisecond. NULL: the e-mail is empty, too long or not UTF-8. */
char *session_sign(struct session_signer *signer, const struct identity *id);
struct str session_jwks(const struct session_signer *signer); /* the JSON document, lives with the signer */
