#include "priv/req_priv.h"

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

static bool find_cookie(const h2o_req_t *req, struct str name, struct str *out) {
    bool found = false;
    const h2o_headers_t *headers = &req->headers;
    for (ssize_t i = -1; !found && (i = h2o_find_header(headers, H2O_TOKEN_COOKIE, i)) >= 0;)
        *out = req_cookie((struct str){headers->entries[i].value.base, headers->entries[i].value.len}, name,
                          &found);
    return found;
}

bool req_get_cookie(const struct req *rq, const char *name, struct str *out) {
    return rq->h2o != NULL && find_cookie(rq->h2o, str_of(name), out);
}

/* Bearer comes first: it is sent on purpose, while a browser sends its cookie with every request. */
static bool find_token(const h2o_req_t *req, struct str *token) {
    ssize_t i = h2o_find_header(&req->headers, H2O_TOKEN_AUTHORIZATION, -1);
    h2o_iovec_t value = i < 0 ? (h2o_iovec_t){0} : req->headers.entries[i].value;
    if (value.len > 7 && h2o_lcstris(value.base, 7, H2O_STRLIT("bearer "))) {
        *token = trim((struct str){value.base + 7, value.len - 7});
        return true;
    }
    return find_cookie(req, STR("session"), token);
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
