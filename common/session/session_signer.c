#include <jansson.h>
#include <jwt.h>
#include <openssl/core_names.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"
#include "pem.h"
#include "priv/session_priv.h"

struct session_signer {
    char *pem; /* the key that signs, as libjwt wants it */
    int pem_length;
    char kid[SESSION_KID_TEXT + 1];
    char *jwks;
};

/* --- reading keys --- */

static json_t *jwk_of(const EVP_PKEY *pkey, const char *kid) {
    char n[BASE64_LINE], e[BASE64_LINE];
    size_t n_length = keyset_number(pkey, OSSL_PKEY_PARAM_RSA_N, n),
           e_length = keyset_number(pkey, OSSL_PKEY_PARAM_RSA_E, e);
    return json_pack("{s:s, s:s, s:s, s:s, s:s%, s:s%}", "kty", "RSA", "use", "sig", "alg", "RS256", "kid",
                     kid, "n", n, n_length, "e", e, e_length);
}

struct reading {
    struct session_signer *signer;
    json_t *jwks;
};

/* One key file; the first of a list signs. */
static enum status add_key(void *arg, const struct pem_key *key, struct why *w) {
    struct reading *r = arg;
    char kid[SESSION_KID_TEXT + 1];
    struct why reason;
    enum status st = keyset_thumbprint(key->pkey, kid, &reason);
    if (st != ST_OK) return why(w, st, "%s: %s", key->path, reason.text);
    json_array_append_new(r->jwks, jwk_of(key->pkey, kid));
    if (key->first) {
        memcpy(r->signer->kid, kid, sizeof kid);
        r->signer->pem = mem_strdup(key->text);
        r->signer->pem_length = key->length;
    }
    return ST_OK;
}

struct session_signer *session_signer_open(const char *paths, struct why *w) {
    struct session_signer *signer = mem_alloc(sizeof *signer);
    json_t *root = json_pack("{s:[]}", "keys");
    struct reading reading = {signer, json_object_get(root, "keys")};
    enum status st = pem_read_list(paths, SESSION_MAX_KEYS, add_key, &reading, w);
    if (st == ST_OK) signer->jwks = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    if (st == ST_OK) return signer;
    session_signer_free(signer);
    return NULL;
}

void session_signer_free(struct session_signer *signer) {
    if (signer == NULL) return;
    if (signer->pem != NULL) OPENSSL_cleanse(signer->pem, (size_t)signer->pem_length);
    free(signer->pem);
    free(signer->jwks);
    free(signer);
}

struct str session_jwks(const struct session_signer *signer) {
    return str_of(signer->jwks);
}

/* --- signing --- */

static bool add_claims(jwt_t *jwt, const struct identity *id) {
    char sub[UUID_TEXT + 1] = {0}, sid[UUID_TEXT + 1] = {0}, email[SESSION_MAX_EMAIL + 1];
    uuid_format(&id->user, sub);
    uuid_format(&id->session, sid);
    if (id->email.n == 0 || id->email.n > SESSION_MAX_EMAIL) return false;
    snprintf(email, sizeof email, "%.*s", (int)id->email.n, id->email.p);
    return jwt_add_grant(jwt, "iss", SESSION_ISSUER) == 0 &&
           jwt_add_grant(jwt, "aud", SESSION_AUDIENCE) == 0 && jwt_add_grant(jwt, "sub", sub) == 0 &&
           jwt_add_grant(jwt, "email", email) == 0 &&
           (id->version == 0 ||
            (jwt_add_grant(jwt, "sid", sid) == 0 && jwt_add_grant_int(jwt, "ver", id->version) == 0)) &&
           (!id->unverified || jwt_add_grant_bool(jwt, "email_verified", 0) == 0) &&
           jwt_add_grant_int(jwt, "iat", id->issued_s) == 0 &&
           jwt_add_grant_int(jwt, "exp", id->expires_s) == 0;
}

char *session_sign(struct session_signer *signer, const struct identity *id) {
    jwt_t *jwt = NULL;
    char *token = NULL;
    if (jwt_new(&jwt) == 0 && add_claims(jwt, id) && jwt_add_header(jwt, "kid", signer->kid) == 0 &&
        jwt_set_alg(jwt, JWT_ALG_RS256, (unsigned char *)signer->pem, signer->pem_length) == 0)
        token = jwt_encode_str(jwt);
    jwt_free(jwt);
    return token;
}
