#include "priv/req_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "clock.h"
#include "errors.h"
#include "h2o_compat.h"

#define HSTS "max-age=31536000" /* browsers use https alone for a year */

struct json *req_json(struct req *rq) {
    return &rq->json;
}

static void start_over(struct req *rq) {
    rq->json.out.len = 0;
    rq->json.comma = false;
}

/* With a line end in a value a client could add headers. */
static char *clean_copy(h2o_mem_pool_t *pool, struct str value) {
    char *copy = h2o_compat_alloc(pool, value.n);
    for (size_t i = 0; i < value.n; i++) {
        unsigned char c = (unsigned char)value.p[i];
        copy[i] = (char)(c < 0x20 || c == 0x7f ? ' ' : c);
    }
    return copy;
}

void req_set_header(struct req *rq, const char *lower_name, struct str value) {
    if (rq->h2o == NULL || rq->answered) return;
    h2o_mem_pool_t *pool = &rq->h2o->pool;
    h2o_set_header_by_str(pool, &rq->h2o->res.headers, lower_name, strlen(lower_name), 1,
                          clean_copy(pool, value), value.n, 1);
}

struct str req_link_next(struct req *rq, const struct req_page *page, struct uuid last, struct str more) {
    struct buf link = {0};
    char cursor[UUID_TEXT];
    uuid_format(&last, cursor);
    buf_printf(&link, "<%s?cursor=%.*s&limit=%d%.*s>; rel=\"next\"", rq->match.route->path, UUID_TEXT, cursor,
               page->size, (int)more.n, more.p);
    struct str kept = arena_str(&rq->arena, buf_str(&link));
    buf_free(&link);
    req_set_header(rq, "link", kept);
    return kept;
}

void req_set_cookie(struct req *rq, const char *name, struct str value, int64_t max_age_s) {
    if (rq->h2o == NULL || rq->answered) return;
    struct buf b = {0};
    bool secure = rq->thread->http->options.secure_cookies;
    buf_printf(&b, "%s%s=", req_cookie_prefix(secure), name);
    if (max_age_s > 0) buf_add(&b, value.p, value.n);
    buf_printf(&b, "; Path=/; HttpOnly; SameSite=Lax; Max-Age=%lld%s",
               (long long)(max_age_s > 0 ? max_age_s : 0), secure ? "; Secure" : "");
    h2o_mem_pool_t *pool = &rq->h2o->pool;
    h2o_add_header(pool, &rq->h2o->res.headers, H2O_TOKEN_SET_COOKIE, NULL, clean_copy(pool, buf_str(&b)),
                   b.len);
    buf_free(&b);
}

static void push_header(h2o_headers_t *headers, const h2o_iovec_t *name, const char *value, size_t n) {
    headers->entries[headers->size++] =
        (h2o_header_t){.name = (h2o_iovec_t *)name, .value = {(char *)value, n}};
}

/* What every answer carries. Values stay where they are: the request outlives its answer. */
void req_add_headers(struct req *rq, const char *content_type, size_t bytes) {
    static const h2o_iovec_t trace = {H2O_STRLIT("traceparent")},
                             options = {H2O_STRLIT("x-content-type-options")};
    h2o_headers_t *headers = &rq->h2o->res.headers;
    h2o_vector_reserve(&rq->h2o->pool, headers, headers->size + 5);
    if (bytes > 0 && h2o_find_header(headers, H2O_TOKEN_CONTENT_TYPE, -1) < 0)
        push_header(headers, &H2O_TOKEN_CONTENT_TYPE->buf, content_type, strlen(content_type));
    if (h2o_find_header(headers, H2O_TOKEN_CACHE_CONTROL, -1) < 0)
        push_header(headers, &H2O_TOKEN_CACHE_CONTROL->buf, H2O_STRLIT("no-store"));
    push_header(headers, &options, H2O_STRLIT("nosniff"));
    push_header(headers, &trace, rq->traceparent, sizeof rq->traceparent);
    if (rq->thread->http->options.secure_cookies)
        push_header(headers, &H2O_TOKEN_STRICT_TRANSPORT_SECURITY->buf, H2O_STRLIT(HSTS));
    cors_add_headers(rq->h2o);
}

static void send_answer(struct req *rq, int status, const char *content_type, struct str bytes) {
    static h2o_generator_t generator;
    h2o_req_t *h = rq->h2o;
    h2o_iovec_t body = {(char *)bytes.p, bytes.n};
    req_add_headers(rq, content_type, body.len);
    h->res.status = status;
    h->res.reason = http_reason(status);
    h->res.content_length = status == 204 || status == 304 ? SIZE_MAX : body.len;
    if (rq->thread->listener == NULL) h2o_compat_close_after(h); /* draining */
    bool head = h2o_memis(h->method.base, h->method.len, H2O_STRLIT("HEAD"));
    h2o_start_response(h, &generator);
    h2o_send(h, &body, head || body.len == 0 ? 0 : 1, H2O_SEND_STATE_FINAL);
}

void req_note_answer(struct req *rq, int status, size_t bytes) {
    struct http_thread *t = rq->thread;
    rq->answered = true;
    http_count_in_flight(t, -1);
    struct answer note = {.route = rq->match.route,
                          .trace = {rq->traceparent + 3, 32},
                          .status = status,
                          .bytes = bytes,
                          .us = clock_mono_us() - rq->started_us,
                          .gone = rq->h2o == NULL};
    http_stats_note(t, &note);
}

static void answer(struct req *rq, int status, const char *content_type) {
    if (rq->answered) return;
    rq->sent = rq->json.out;
    rq->json = (struct json){0};
    req_note_answer(rq, status, rq->sent.len);
    if (rq->h2o != NULL) send_answer(rq, status, content_type, buf_str(&rq->sent));
}

void req_reply(struct req *rq, int status) {
    answer(rq, status, "application/json");
}

void req_reply_raw(struct req *rq, int status, const char *content_type, struct str body) {
    if (rq->answered) return;
    start_over(rq);
    buf_add(&rq->json.out, body.p, body.n);
    struct str type = arena_str(&rq->arena, str_of(content_type)); /* sent later than the caller may live */
    answer(rq, status, type.p);
}

void req_reply_kept(struct req *rq, int status, const char *content_type, struct str body) {
    if (rq->answered) return;
    req_note_answer(rq, status, body.n);
    struct str type = arena_str(&rq->arena, str_of(content_type));
    if (rq->h2o != NULL) send_answer(rq, status, type.p, body);
}

void req_fail(struct req *rq, int status, const char *field_or_null, const char *fmt, ...) {
    if (rq->answered) return;
    char message[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    start_over(rq);
    const char *type = errors_write(&rq->json, rq->h2o, status, field_or_null, message);
    if (status == 401) req_set_header(rq, "www-authenticate", STR("Bearer")); /* RFC 9110 wants it on each */
    answer(rq, status, type);
}

struct json *req_problem(struct req *rq, const char *reason, const char *message) {
    struct json *out = req_json(rq);
    errors_open(out);
    errors_add(out, NULL, message);
    json_close(out, ']');
    json_put_text(out, "reason", str_of(reason));
    return out;
}

void req_refuse(struct req *rq, int status, const char *reason, const char *message) {
    json_close(req_problem(rq, reason, message), '}');
    req_reply(rq, status);
}

void req_retry_after(struct req *rq, int status, int seconds, const char *message) {
    char text[16];
    int n = snprintf(text, sizeof text, "%d", seconds);
    req_set_header(rq, "retry-after", (struct str){text, (size_t)n});
    req_fail(rq, status, NULL, "%s", message);
}

/* h2o looks at a connection again when it writes to it: so an answer is written, to a socket that is shut. */
void req_hang_up(struct req *rq) {
    if (rq->answered) return;
    if (rq->h2o != NULL) shutdown(h2o_compat_socket_of(rq->h2o), SHUT_RDWR);
    start_over(rq);
    answer(rq, 499, "text/plain"); /* what it counts and logs as: nginx's for a closed connection */
}
