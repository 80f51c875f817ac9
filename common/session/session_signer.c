#include <jansson.h>
#include <jwt.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#include "mem.h"
#include "priv/session_priv.h"

enum { MAX_PEM = 64 * 1024 };

struct session_signer {
    char *pem; /* the key that signs, as libjwt wants it */
    int pem_length;
    char kid[SESSION_KID_TEXT + 1];
    char *jwks;
};

/* --- reading keys --- */

static enum status read_pem(const char *path, char *pem, int *length, struct why *w) {
    FILE *file = fopen(path, "re");
    if (file == NULL) return why(w, ST_NOT_FOUND, "%s: %m", path);
    size_t n = fread(pem, 1, MAX_PEM, file);
    bool whole = !ferror(file) && n < MAX_PEM;
    fclose(file);
    if (!whole) return why(w, ST_INVALID, "%s cannot be read or is no key", path);
    pem[n] = '\0';
    *length = (int)n;
    return ST_OK;
}

/* Without this OpenSSL asks for a key's pass phrase on the terminal. */
static int no_pass_phrase(char *out, int cap, int writing, void *arg) {
    (void)out, (void)cap, (void)writing, (void)arg;
    return -1;
}

static EVP_PKEY *private_key(const char *pem, int length) {
    BIO *bio = BIO_new_mem_buf(pem, length);
    EVP_PKEY *pkey = PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
    BIO_free(bio);
    return pkey;
}

static EVP_PKEY *public_key(const char *pem, int length) {
    BIO *bio = BIO_new_mem_buf(pem, length);
    EVP_PKEY *pkey = PEM_read_bio_PUBKEY(bio, NULL, no_pass_phrase, NULL);
    BIO_free(bio);
    return pkey;
}

static json_t *jwk_of(const EVP_PKEY *pkey, const char *kid) {
    char n[BASE64_LINE], e[BASE64_LINE];
    size_t n_length = keyset_number(pkey, OSSL_PKEY_PARAM_RSA_N, n),
           e_length = keyset_number(pkey, OSSL_PKEY_PARAM_RSA_E, e);
    return json_pack("{s:s, s:s, s:s, s:s, s:s%, s:s%}", "kty", "RSA", "use", "sig", "alg", "RS256", "kid",
                     kid, "n", n, n_length, "e", e, e_length);
}

/* Reads one key file; the first of a list signs. */
static enum status add_key(struct session_signer *signer, const char *path, bool first, json_t *jwks,
                           struct why *w) {
    char pem[MAX_PEM + 1], kid[SESSION_KID_TEXT + 1];
    int length = 0;
    struct why reason;
    enum status st = read_pem(path, pem, &length, w);
    if (st != ST_OK) return st;
    EVP_PKEY *pkey = private_key(pem, length);
    if (pkey == NULL && !first) pkey = public_key(pem, length);
    if (pkey == NULL)
        st = why(w, ST_INVALID, "%s: not a PEM %s key without a pass phrase", path,
                 first ? "private" : "private or public");
    else if ((st = keyset_thumbprint(pkey, kid, &reason)) != ST_OK)
        why(w, st, "%s: %s", path, reason.text);
    else {
        json_array_append_new(jwks, jwk_of(pkey, kid));
        if (first) {
            memcpy(signer->kid, kid, sizeof kid);
            signer->pem = mem_strdup(pem);
            signer->pem_length = length;
        }
    }
    EVP_PKEY_free(pkey);
    OPENSSL_cleanse(pem, sizeof pem);
    return st;
}

static enum status add_keys(struct session_signer *signer, const char *paths, json_t *jwks, struct why *w) {
    char *list = mem_strdup(paths), *rest = list, *path;
    enum status st = ST_OK;
    while (st == ST_OK && (path = strsep(&rest, ",")) != NULL) {
        path += strspn(path, " ");
        if (*path != '\0') st = add_key(signer, path, json_array_size(jwks) == 0, jwks, w);
    }
    if (st == ST_OK && json_array_size(jwks) == 0) st = why(w, ST_INVALID, "no key file is named");
    if (st == ST_OK && json_array_size(jwks) > SESSION_MAX_KEYS)
        st = why(w, ST_INVALID, "more than %d keys", SESSION_MAX_KEYS);
    free(list);
    return st;
}

struct session_signer *session_signer_open(const char *paths, struct why *w) {
    struct session_signer *signer = mem_alloc(sizeof *signer);
    json_t *root = json_pack("{s:[]}", "keys");
    enum status st = add_keys(signer, paths, json_object_get(root, "keys"), w);
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
    char sub[UUID_TEXT + 1] = {0}, email[SESSION_MAX_EMAIL + 1];
    uuid_format(&id->user, sub);
    if (id->email.n == 0 || id->email.n > SESSION_MAX_EMAIL) return false;
    snprintf(email, sizeof email, "%.*s", (int)id->email.n, id->email.p);
    return jwt_add_grant(jwt, "iss", SESSION_ISSUER) == 0 &&
           jwt_add_grant(jwt, "aud", SESSION_AUDIENCE) == 0 && jwt_add_grant(jwt, "sub", sub) == 0 &&
           jwt_add_grant(jwt, "email", email) == 0 && jwt_add_grant_int(jwt, "iat", id->issued_s) == 0 &&
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
