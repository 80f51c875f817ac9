#include "priv/req_priv.h"

#include <stdio.h>
#include <string.h>

#include "log.h"

static struct str trim(struct str s) {
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s.p++, s.n--;
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* The value of the first cookie of that name in a Cookie header. */
struct str req_cookie(struct str header, struct str name, bool *found) {
    while (header.n > 0) {
        const char *end = memchr(header.p, ';', header.n);
        size_t n = end == NULL ? header.n : (size_t)(end - header.p);
        struct str pair = trim((struct str){header.p, n});
        header.p += n + (end != NULL);
        header.n -= n + (end != NULL);
        const char *equals = pair.n == 0 ? NULL : memchr(pair.p, '=', pair.n);
        if (equals == NULL) continue;
        struct str key = trim((struct str){pair.p, (size_t)(equals - pair.p)});
        if (!str_eq(key, name)) continue;
        struct str value = trim((struct str){equals + 1, (size_t)(pair.p + pair.n - equals - 1)});
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"') value.p++, value.n -= 2;
        *found = true;
        return value;
    }
    return (struct str){0};
}

static bool is_secure(const h2o_req_t *req) {
    return http_thread_of(req->conn)->http->options.secure_cookies;
}

static bool find_cookie(const h2o_req_t *req, const char *name, struct str *out) {
    char full[REQ_COOKIE_NAME];
    struct str wanted = {
        full, (size_t)snprintf(full, sizeof full, "%s%s", req_cookie_prefix(is_secure(req)), name)};
    bool found = false;
    const h2o_headers_t *headers = &req->headers;
    for (ssize_t i = -1; !found && (i = h2o_find_header(headers, H2O_TOKEN_COOKIE, i)) >= 0;)
        *out = req_cookie((struct str){headers->entries[i].value.base, headers->entries[i].value.len}, wanted,
                          &found);
    return found;
}

bool req_get_cookie(const struct req *rq, const char *name, struct str *out) {
    return rq->h2o != NULL && find_cookie(rq->h2o, name, out);
}

/* --- whose page a browser sent this for --- */

static bool find_header(const h2o_req_t *req, const char *lower_name, struct str *out) {
    ssize_t i = h2o_find_header_by_str(&req->headers, lower_name, strlen(lower_name), -1);
    if (i >= 0) *out = (struct str){req->headers.entries[i].value.base, req->headers.entries[i].value.len};
    return i >= 0;
}

/* No Origin is as good as ours: programs send none, and browsers none when they only follow a link. */
static bool own_origin(const h2o_req_t *req) {
    struct str origin, host = {req->input.authority.base, req->input.authority.len};
    if (!find_header(req, "origin", &origin)) return true;
    bool https = origin.n > 8 && memcmp(origin.p, "https://", 8) == 0;
    size_t scheme = https ? 8 : 7;
    if (!https && (is_secure(req) || origin.n <= 7 || memcmp(origin.p, "http://", 7) != 0)) return false;
    return str_eq((struct str){origin.p + scheme, origin.n - scheme}, host);
}

static bool from_here(const h2o_req_t *req) {
    struct str site;
    return own_origin(req) &&
           (!find_header(req, "sec-fetch-site", &site) || str_eq(site, STR("same-origin")));
}

bool req_from_here(const struct req *rq) {
    return rq->h2o == NULL || from_here(rq->h2o);
}

/* Browsers send our cookie whoever made them ask, so it says nothing about what another site's page asks.
 * What only reads may come from elsewhere, as long as no script there can read the answer: so links work. */
static bool cookies_count(const h2o_req_t *req) {
    bool reads = h2o_memis(req->method.base, req->method.len, H2O_STRLIT("GET")) ||
                 h2o_memis(req->method.base, req->method.len, H2O_STRLIT("HEAD"));
    return reads ? own_origin(req) : from_here(req);
}

/* --- the session --- */

static bool find_bearer(const h2o_req_t *req, struct str *token) {
    ssize_t i = h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, -1);
    h2o_iovec_t value = i < 0 ? (h2o_iovec_t){0} : req->headers.entries[i].value;
    if (value.len <= 7 || !h2o_lcstris(value.base, 7, H2O_STRLIT("bearer "))) return false;
    *token = trim((struct str){value.base + 7, value.len - 7});
    return true;
}

bool req_by_cookie(const struct req *rq) {
    struct str token;
    return rq->h2o != NULL && !find_bearer(rq->h2o, &token) && find_cookie(rq->h2o, "session", &token);
}

/* Bearer comes first: it is sent on purpose, while a browser sends its cookie with every request. */
static bool find_token(const h2o_req_t *req, struct str *token) {
    return find_bearer(req, token) || (find_cookie(req, "session", token) && cookies_count(req));
}

bool req_get_token(const struct req *rq, struct str *out) {
    return rq->h2o != NULL && find_token(rq->h2o, out);
}

static bool verify(struct http_thread *t, const h2o_req_t *req, struct identity *out) {
    struct str token;
    if (req == NULL || t->sessions == NULL || !find_token(req, &token)) return false;
    struct why w;
    if (session_verify(t->sessions, token, out, &w) == ST_OK) return true;
    log_debug("http", "a session was refused: %s", w.text);
    return false;
}

bool req_signed_in(struct http_thread *t, const h2o_req_t *req, struct uuid *user) {
    struct identity identity;
    bool known = verify(t, req, &identity);
    if (known) *user = identity.user;
    return known;
}

const struct identity *req_user(struct req *rq) {
    if (rq->user_state == USER_UNCHECKED) {
        rq->user_state = verify(rq->thread, rq->h2o, &rq->user) ? USER_SIGNED_IN : USER_NONE;
        if (rq->user_state == USER_SIGNED_IN)
            rq->user.email =
                arena_str(&rq->arena, rq->user.email); /* the cache's lives until its next call */
    }
    return rq->user_state == USER_SIGNED_IN ? &rq->user : NULL;
}

bool req_was(struct req *rq, struct identity *out) {
    struct str token;
    struct why w;
    return rq->thread->sessions != NULL && req_get_token(rq, &token) &&
           session_was_ours(rq->thread->sessions, token, out, &w) == ST_OK;
}

bool req_still_signed_in(struct req *rq) {
    const struct identity *user = req_user(rq);
    return user != NULL && !session_has_ended(rq->thread->sessions, user);
}
