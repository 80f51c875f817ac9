#include "priv/req_priv.h"

#include <ctype.h>

#include "errors.h"
#include "form.h"
#include "percent.h"

struct uuid req_path_uuid(const struct req *rq, int index) {
    return rq->match.uuids[index];
}

struct str req_path_text(struct req *rq, int index) {
    return arena_str(&rq->arena, rq->match.texts[index]);
}

static struct str str_of_iovec(h2o_iovec_t v) {
    return (struct str){v.base, v.len};
}

/* The next header of that name behind the index, or -1. */
static ssize_t header_index(const struct req *rq, const char *lower_name, ssize_t after) {
    return h2o_find_header_by_str(&rq->h2o->headers, lower_name, strlen(lower_name), after);
}

struct str req_host(const struct req *rq) {
    return rq->h2o == NULL ? (struct str){0} : str_of_iovec(rq->h2o->input.authority);
}

struct str req_target(const struct req *rq) {
    return rq->h2o == NULL ? (struct str){0} : str_of_iovec(rq->h2o->path);
}

bool req_header(const struct req *rq, const char *lower_name, struct str *out) {
    if (rq->h2o == NULL) return false;
    ssize_t i = header_index(rq, lower_name, -1);
    if (i >= 0) *out = str_of_iovec(rq->h2o->headers.entries[i].value);
    return i >= 0;
}

bool req_query(struct req *rq, const char *name, struct str *out) {
    if (rq->h2o == NULL || rq->h2o->query_at == SIZE_MAX) return false;
    struct str path = str_of_iovec(rq->h2o->path);
    struct str query = {path.p + rq->h2o->query_at + 1, path.n - rq->h2o->query_at - 1};
    for (struct form_field f; form_next(&query, &f);) {
        if (!str_eq(percent_decode(&rq->arena, f.key), str_of(name))) continue;
        *out = percent_decode(&rq->arena, f.value);
        return true;
    }
    return false;
}

static bool page_size(struct str s, int *out) {
    int v = 0;
    if (s.n < 1 || s.n > 3) return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!isdigit((unsigned char)s.p[i])) return false;
        v = v * 10 + (s.p[i] - '0');
    }
    *out = v;
    return v >= 1 && v <= PAGE_MAX;
}

bool req_page(struct req *rq, struct req_page *out) {
    struct str v;
    out->size = PAGE_DEFAULT;
    memset(out->before.b, 0xff, sizeof out->before.b);
    if (req_query(rq, "cursor", &v) && !uuid_parse(v, &out->before)) {
        req_fail(rq, 400, "cursor", "must be one that a page before gave");
        return false;
    }
    if (req_query(rq, "limit", &v) && !page_size(v, &out->size)) {
        req_fail(rq, 400, "limit", "must be a number from 1 to %d", PAGE_MAX);
        return false;
    }
    return true;
}

struct str req_raw_body(const struct req *rq) {
    return rq->h2o == NULL ? (struct str){0} : str_of_iovec(rq->h2o->entity);
}

/* application/json with any parameters. Nothing said is taken as JSON too, but not a body from whoever comes
 * by a cookie: that is what a page of another site can send without being asked what it may (CORS). */
static bool is_json(const struct req *rq) {
    struct str type;
    if (!req_header(rq, "content-type", &type)) return req_raw_body(rq).n == 0 || !req_by_cookie(rq);
    const char *parameters = type.n == 0 ? NULL : memchr(type.p, ';', type.n);
    struct str essence = {type.p, parameters == NULL ? type.n : (size_t)(parameters - type.p)};
    while (essence.n > 0 && isspace((unsigned char)essence.p[essence.n - 1]))
        essence.n--;
    return h2o_lcstris(essence.p, essence.n, H2O_STRLIT("application/json"));
}

bool req_body(struct req *rq, const struct body_field *fields, void *out) {
    if (!is_json(rq)) {
        req_fail(rq, 400, NULL, "the Content-Type must be application/json");
        return false;
    }
    struct body_error errors[BODY_MAX_ERRORS];
    int n = body_read(req_raw_body(rq), fields, out, &rq->arena, errors);
    if (n == 0) return true;
    struct json *j = req_json(rq);
    errors_open(j);
    for (int i = 0; i < n; i++)
        errors_add(j, errors[i].field, errors[i].message);
    errors_close(j);
    req_reply(rq, 400);
    return false;
}

bool req_idempotency_key(struct req *rq, struct str *out) {
    *out = (struct str){0};
    struct str key;
    if (!req_header(rq, "idempotency-key", &key)) return true;
    bool once = header_index(rq, "idempotency-key", header_index(rq, "idempotency-key", -1)) < 0;
    bool ok = once && key.n >= 1 && key.n <= 255;
    for (size_t i = 0; ok && i < key.n; i++)
        ok = key.p[i] > 0x20 && key.p[i] < 0x7f;
    if (ok)
        *out =
            arena_str(&rq->arena, key); /* h2o's own goes with the client, who may leave before the answer */
    else
        req_fail(rq, 400, "Idempotency-Key",
                 "must be one key of 1 to 255 printable ASCII characters without spaces");
    return ok;
}
