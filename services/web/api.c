#include "api.h"

#include <stdio.h>
#include <stdlib.h>

#include "demand.h"
#include "fetch.h"
#include "mem.h"
#include "texts.h"

enum { CONNECT_MS = 1000, MAX_ANSWER = 1024 * 1024, MAX_HEADERS = 9, MAX_LINE = SESSION_MAX_TOKEN + 64 };

struct api {
    struct api_options options;
    struct fetch *fetch;
};

struct api *api_start(const struct api_options *options) {
    struct api *api = mem_alloc(sizeof *api);
    api->options = *options;
    api->fetch = fetch_start(&(struct fetch_options){.connections = options->connections,
                                                     .connect_timeout_ms = CONNECT_MS,
                                                     .max_answer = MAX_ANSWER,
                                                     .tls = options->tls});
    return api;
}

void api_free(struct api *api) {
    fetch_free(api->fetch);
    free(api);
}

/* --- one call: made on the request's thread, filled on the fetch thread, read on the request's again --- */

struct api_call {
    struct req *rq;
    api_then *then;
    enum language language;
    int code;
    struct buf body, link, cookie;
    struct api_answer answer;
};

/* At the request's end: handlers keep what they got until then. */
static void forget(void *call) {
    struct api_call *c = call;
    json_decref((json_t *)c->answer.body);
    buf_free(&c->body);
    buf_free(&c->link);
    buf_free(&c->cookie);
    free(c);
}

/* What is behind `before` in s, up to one of `ends`. */
static struct str between(struct str s, const char *before, const char *ends) {
    const char *at = s.n == 0 ? NULL : memmem(s.p, s.n, before, strlen(before));
    if (at == NULL) return (struct str){0};
    at += strlen(before);
    size_t n = 0;
    while (at + n < s.p + s.n && strchr(ends, at[n]) == NULL)
        n++;
    return (struct str){at, n};
}

static void read_session(struct api_answer *answer, struct str cookie) {
    if (cookie.n > 7 && memcmp(cookie.p, "__Host-", 7) == 0)
        cookie = (struct str){cookie.p + 7, cookie.n - 7};
    if (cookie.n < 8 || memcmp(cookie.p, "session=", 8) != 0) return;
    answer->session = between(cookie, "session=", ";");
    struct str age = between(cookie, "Max-Age=", ";");
    for (size_t i = 0; i < age.n && i < 10 && age.p[i] >= '0' && age.p[i] <= '9'; i++)
        answer->session_s = answer->session_s * 10 + (age.p[i] - '0');
    answer->signed_out = answer->session_s == 0;
}

/* On the request's thread. */
static void on_resumed(struct req *rq, void *arg) {
    struct api_call *c = arg;
    language_use(c->language);
    c->answer.arena = req_arena(rq);
    c->answer.code = c->code;
    c->answer.away = c->code == 0 || c->code >= 500;
    if (c->body.len > 0)
        c->answer.body = json_loadb((char *)c->body.data, c->body.len, JSON_REJECT_DUPLICATES, NULL);
    c->answer.cursor = between(buf_str(&c->link), "cursor=", "&>");
    read_session(&c->answer, buf_str(&c->cookie));
    c->then(rq, &c->answer);
}

static void keep(struct buf *out, const char *text) {
    if (text != NULL) buf_add(out, text, strlen(text));
}

/* On the fetch thread. */
static void on_fetched(void *ctx, const struct fetch_answer *answer) {
    struct api_call *c = ctx;
    c->code = answer->st == ST_OK ? answer->code : 0;
    buf_add(&c->body, answer->body.p, answer->body.n);
    keep(&c->link, fetch_header(answer, "Link"));
    keep(&c->cookie, fetch_header(answer, "Set-Cookie"));
    req_resume(c->rq, on_resumed, c);
}

/* --- asking --- */

struct headers {
    const char *lines[MAX_HEADERS + 1];
    int count;
};

static void add_header(struct req *rq, struct headers *h, const char *name, struct str value) {
    if (value.n == 0 || value.n > MAX_LINE) return;
    char *line = req_alloc(rq, strlen(name) + value.n + 1);
    sprintf(line, "%s%.*s", name, (int)value.n, value.p);
    h->lines[h->count++] = line;
}

static void add_headers(struct req *rq, const struct api_ask *ask, struct headers *h) {
    char text[32];
    struct str agent;
    if (ask->session.n <= SESSION_MAX_TOKEN) add_header(rq, h, "Authorization: Bearer ", ask->session);
    add_header(rq, h, "X-Forwarded-For: ", req_client_address(rq));
    if (req_header(rq, "user-agent", &agent)) add_header(rq, h, "User-Agent: ", agent);
    add_header(rq, h, "traceparent: ", req_traceparent(rq));
    add_header(rq, h, "Accept-Language: ", language_form()->tag);
    add_header(rq, h, DEMAND_PAGE_HEADER ": ", STR("1"));
    add_header(rq, h, "Idempotency-Key: ", ask->key);
    if (ask->body.n > 0) add_header(rq, h, "Content-Type: ", STR("application/json"));
    int n = snprintf(text, sizeof text, "\"%lld\"", (long long)ask->version);
    if (ask->version > 0) add_header(rq, h, "If-Match: ", (struct str){text, (size_t)n});
}

void api_ask(struct req *rq, struct api *api, const struct api_ask *ask) {
    struct api_call *c = mem_alloc(sizeof *c);
    *c = (struct api_call){.rq = rq, .then = ask->then, .language = ask->language};
    req_at_end(rq, forget, c);
    const char *base = api->options.urls[ask->part];
    req_hold(rq);
    if (*base == '\0') {
        req_resume(rq, on_resumed, c);
        return;
    }
    struct headers headers = {0};
    add_headers(rq, ask, &headers);
    struct buf url = {0};
    buf_printf(&url, "%s%.*s", base, (int)ask->path.n, ask->path.p);
    buf_add(&url, "", 1);
    bool reads = strcmp(ask->method, "GET") == 0;
    fetch_submit(api->fetch,
                 &(struct fetch_request){.method = ask->method,
                                         .url = (const char *)url.data,
                                         .headers = headers.lines,
                                         .body = ask->body,
                                         .timeout_ms = api->options.timeout_ms * (reads ? 1 : API_PATIENCE)},
                 on_fetched, c);
    buf_free(&url);
}

void api_read(struct api *api, enum api_part part, const char *path, int delay_ms, int timeout_ms,
              fetch_done *done, void *ctx) {
    struct buf url = {0};
    buf_printf(&url, "%s%s", api->options.urls[part], path);
    buf_add(&url, "", 1);
    fetch_submit(
        api->fetch,
        &(struct fetch_request){
            .method = "GET", .url = (const char *)url.data, .timeout_ms = timeout_ms, .delay_ms = delay_ms},
        done, ctx);
    buf_free(&url);
}

struct str api_said(const struct api_answer *answer, const char *field) {
    size_t i;
    json_t *error;
    json_array_foreach(json_object_get(answer->body, "errors"), i, error) {
        const char *about = json_string_value(json_object_get(error, "field"));
        bool wanted = field == NULL ? about == NULL : about != NULL && strcmp(about, field) == 0;
        if (wanted) return str_of(json_string_value(json_object_get(error, "message")));
    }
    return (struct str){0};
}

struct str api_error(const struct api_answer *answer, const char *field) {
    return text_of_api(answer->arena, api_said(answer, field));
}
