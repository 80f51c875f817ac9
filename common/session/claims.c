#include <jansson.h>

#include "priv/session_priv.h"

/* jansson refuses NUL in strings and invalid UTF-8 by itself. */
static json_t *object_of(struct str json) {
    json_t *root = json_loadb(json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
    if (root != NULL && !json_is_object(root)) {
        json_decref(root);
        root = NULL;
    }
    return root;
}

static bool says(const json_t *root, const char *name, const char *wanted) {
    const json_t *value = json_object_get(root, name);
    return json_is_string(value) && strcmp(json_string_value(value), wanted) == 0;
}

/* Only these members are read. A key inside the token (jwk, jku, x5c ...) is ignored. */
int claims_read_header(struct str json, const struct keyset *set, bool *missing, struct why *w) {
    json_t *root = object_of(json);
    int found = -1;
    *missing = false;
    if (root == NULL)
        why(w, ST_INVALID, "its header is not a JSON object");
    else if (!says(root, "alg", "RS256"))
        why(w, ST_INVALID, "its algorithm is not RS256");
    else if (json_object_get(root, "crit") != NULL)
        why(w, ST_INVALID, "its header has critical extensions");
    else if (json_object_get(root, "typ") != NULL && !says(root, "typ", "JWT"))
        why(w, ST_INVALID, "its type is not JWT");
    else if (!json_is_string(json_object_get(root, "kid")))
        why(w, ST_INVALID, "its header names no key");
    else {
        const json_t *kid = json_object_get(root, "kid");
        found = set == NULL ? -1
                            : keyset_find(set, (struct str){json_string_value(kid), json_string_length(kid)});
        *missing = found < 0;
        if (*missing) why(w, ST_INVALID, "its key is unknown");
    }
    json_decref(root);
    return found;
}

static bool whole(const json_t *root, const char *name, int64_t *out) {
    const json_t *value = json_object_get(root, name);
    *out = json_integer_value(value);
    return json_is_integer(value);
}

static enum status check_times(const json_t *root, int64_t now_s, struct identity *out, struct why *w) {
    int64_t not_before = now_s;
    if (!whole(root, "exp", &out->expires_s)) return why(w, ST_INVALID, "no number exp");
    if (!whole(root, "iat", &out->issued_s)) return why(w, ST_INVALID, "no number iat");
    if (json_object_get(root, "nbf") != NULL && !whole(root, "nbf", &not_before))
        return why(w, ST_INVALID, "its nbf is not a number");
    if (out->expires_s <= now_s) return why(w, ST_INVALID, "it has expired");
    if (out->issued_s > now_s + SESSION_CLOCK_SKEW_S)
        return why(w, ST_INVALID, "it was issued in the future");
    if (not_before > now_s + SESSION_CLOCK_SKEW_S) return why(w, ST_INVALID, "it is not valid yet");
    return ST_OK;
}

/* Both or neither: sessions of before had none. */
static bool read_session(const json_t *root, struct identity *out) {
    const json_t *sid = json_object_get(root, "sid");
    int64_t version = 0;
    out->session = (struct uuid){0};
    out->version = 0;
    if (sid == NULL && json_object_get(root, "ver") == NULL) return true;
    bool good = uuid_parse((struct str){json_string_value(sid), json_string_length(sid)}, &out->session) &&
                whole(root, "ver", &version) && version > 0 && version < SESSION_ENDED;
    out->version = (int32_t)version;
    return good;
}

static enum status check_claims(const json_t *root, int64_t now_s, struct claims *out, struct why *w) {
    enum status st = check_times(root, now_s, &out->identity, w);
    if (st != ST_OK) return st;
    if (!says(root, "iss", SESSION_ISSUER)) return why(w, ST_INVALID, "its iss is not " SESSION_ISSUER);
    if (!says(root, "aud", SESSION_AUDIENCE)) return why(w, ST_INVALID, "its aud is not " SESSION_AUDIENCE);
    const json_t *sub = json_object_get(root, "sub"), *email = json_object_get(root, "email");
    if (!uuid_parse((struct str){json_string_value(sub), json_string_length(sub)}, &out->identity.user))
        return why(w, ST_INVALID, "its sub is not an id");
    if (!read_session(root, &out->identity)) return why(w, ST_INVALID, "its sid or ver is none of ours");
    size_t n = json_string_length(email);
    if (n == 0 || n > sizeof out->email)
        return why(w, ST_INVALID, "no email of 1 to %d bytes", SESSION_MAX_EMAIL);
    out->identity.unverified = json_is_false(json_object_get(root, "email_verified"));
    memcpy(out->email, json_string_value(email), n);
    out->identity.email = (struct str){out->email, n};
    return ST_OK;
}

enum status claims_read(struct str json, int64_t now_s, struct claims *out, struct why *w) {
    json_t *root = object_of(json);
    if (root == NULL) return why(w, ST_INVALID, "its claims are not a JSON object");
    enum status st = check_claims(root, now_s, out, w);
    json_decref(root);
    return st;
}
