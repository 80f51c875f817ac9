#include "spend.h"

#include <stdio.h>
#include <stdlib.h>

#include "fetch.h"
#include "mem.h"

enum { CONNECTIONS = 64, CONNECT_MS = 1000, ANSWER_MS = 3000, MAX_ANSWER = 64 * 1024, MAX_HEADERS = 4 };

struct spend {
    const char *url;
    struct fetch *fetch;
};

struct spend *spend_start(const char *orders_url, const struct fetch_tls *tls) {
    struct spend *s = mem_alloc(sizeof *s);
    s->url = orders_url;
    s->fetch = fetch_start(&(struct fetch_options){
        .connections = CONNECTIONS, .connect_timeout_ms = CONNECT_MS, .max_answer = MAX_ANSWER, .tls = *tls});
    return s;
}

void spend_free(struct spend *s) {
    fetch_free(s->fetch);
    free(s);
}

/* --- one call: made on the request's thread, filled on the fetch thread, read on the request's again --- */

struct call {
    struct req *rq;
    req_handler *then;
    int code;
    struct buf body;
};

static void forget(void *call) {
    struct call *c = call;
    buf_free(&c->body);
}

/* On the request's thread. */
static void on_resumed(struct req *rq, void *call) {
    struct call *c = call;
    if (c->code == 204)
        c->then(rq);
    else if (c->code >= 400 && c->code < 500)
        req_reply_raw(rq, c->code, "application/json", buf_str(&c->body));
    else
        req_retry_after(rq, 503, 1, "The code can't be spent right now, try again");
}

/* On the fetch thread. */
static void on_fetched(void *call, const struct fetch_answer *answer) {
    struct call *c = call;
    c->code = answer->st == ST_OK ? answer->code : 0;
    buf_add(&c->body, answer->body.p, answer->body.n);
    req_resume(c->rq, on_resumed, c);
}

/* --- asking: in the name of whoever asks us --- */

struct headers {
    const char *lines[MAX_HEADERS + 1];
    int count;
};

static void add_header(struct req *rq, struct headers *h, const char *name, struct str value) {
    size_t size = strlen(name) + value.n + 1;
    char *line = req_alloc(rq, size);
    snprintf(line, size, "%s%.*s", name, (int)value.n, value.p);
    h->lines[h->count++] = line;
}

static void add_headers(struct req *rq, struct headers *h) {
    struct str value;
    if (req_get_token(rq, &value)) add_header(rq, h, "Authorization: Bearer ", value);
    add_header(rq, h, "X-Forwarded-For: ", req_client_address(rq));
    add_header(rq, h, "traceparent: ", req_traceparent(rq));
    add_header(rq, h, "Content-Type: ", STR("application/json"));
}

static void add_url(struct buf *url, const struct spend *s, struct uuid show) {
    char id[UUID_TEXT];
    uuid_format(&show, id);
    buf_printf(url, "%s/api/shows/%.*s/codes/spend", s->url, UUID_TEXT, id);
    buf_add(url, "", 1);
}

void spend_code(struct req *rq, struct spend *s, struct str code, req_handler *then) {
    struct call *c = req_alloc(rq, sizeof *c);
    struct headers headers = {0};
    struct buf url = {0};
    struct json body = {0};
    *c = (struct call){.rq = rq, .then = then};
    req_at_end(rq, forget, c);
    add_headers(rq, &headers);
    add_url(&url, s, req_path_uuid(rq, 0));
    json_open(&body, '{');
    json_put_text(&body, "code", code);
    json_close(&body, '}');
    req_hold(rq);
    fetch_submit(s->fetch,
                 &(struct fetch_request){.method = "POST",
                                         .url = (const char *)url.data,
                                         .headers = headers.lines,
                                         .body = buf_str(&body.out),
                                         .timeout_ms = ANSWER_MS},
                 on_fetched, c);
    buf_free(&url);
    buf_free(&body.out);
}
