#include "errors.h"

#include "h2o_compat.h"
#include "priv/http_bodies.h"
#include "priv/req_priv.h"

#include <ctype.h>
#include <sys/socket.h>
#include <unistd.h>

/* What h2o answers by itself while it reads a request (400, 413, 417) passes through this filter, since it is
 * bound to the fallback path; our own answers are not. Only a request that is no HTTP at all gets h2o's fixed
 * "400 Bad Request" text: that one it writes straight to the socket. */

/* --- messages as sentences --- */

/* What a field is called where its name alone would read badly. */
static const struct {
    const char *field, *words;
} called[] = {
    {"maxPrice", "The highest price"},
    {"perUser", "The number of places a person"},
    {"q", "The search"},
    {"startsAt", "The start"},
};

static void put(struct buf *out, const char *text) {
    buf_add(out, text, strlen(text));
}

/* ticketId: "Ticket id". The names of headers stay as they are. */
static void put_field(struct buf *out, const char *field) {
    for (size_t i = 0; i < sizeof called / sizeof *called; i++)
        if (strcmp(called[i].field, field) == 0) {
            put(out, called[i].words);
            return;
        }
    char before = 0;
    for (const char *p = field; *p != '\0'; before = *p++) {
        bool word_begins = isupper((unsigned char)*p) && islower((unsigned char)before);
        unsigned char c = (unsigned char)*p;
        if (word_begins) put(out, " ");
        buf_printf(out, "%c", p == field ? toupper(c) : word_begins ? tolower(c) : c);
    }
}

static bool begins_with_verb(const char *message) {
    static const char *const verbs[] = {"must ", "is ", "cannot "};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (strncmp(message, verbs[i], strlen(verbs[i])) == 0) return true;
    return false;
}

static void put_sentence(struct buf *out, const char *field, const char *message) {
    if (begins_with_verb(message)) {
        if (field != NULL)
            put_field(out, field);
        else
            put(out, "The body");
        put(out, " ");
    } else if (field != NULL && islower((unsigned char)*message)) {
        put_field(out, field);
        put(out, ": ");
    } else if (*message != '\0') {
        char first = (char)toupper((unsigned char)*message++);
        buf_add(out, &first, 1);
    }
    put(out, message);
}

/* --- the form of errors --- */

void errors_open(struct json *j) {
    json_open(j, '{');
    json_key(j, "errors");
    json_open(j, '[');
}

void errors_add(struct json *j, const char *field, const char *message) {
    json_open(j, '{');
    json_key(j, "message");
    struct buf sentence = {0};
    put_sentence(&sentence, field, message);
    json_text(j, buf_str(&sentence));
    buf_free(&sentence);
    if (field != NULL) {
        json_key(j, "field");
        json_text(j, str_of(field));
    }
    json_close(j, '}');
}

void errors_close(struct json *j) {
    json_close(j, ']');
    json_close(j, '}');
}

/* --- the same for browsers: they say that they take text/html, other clients don't --- */

static const char page_type[] = "text/html; charset=utf-8";

static bool takes_pages(const h2o_req_t *req) {
    ssize_t i = h2o_find_header_by_str(&req->headers, H2O_STRLIT("accept"), -1);
    if (i < 0) return false;
    h2o_iovec_t accept = req->headers.entries[i].value;
    return memmem(accept.base, accept.len, H2O_STRLIT("text/html")) != NULL;
}

static struct str accept_language(const h2o_req_t *req) {
    ssize_t i = h2o_find_header_by_str(&req->headers, H2O_STRLIT("accept-language"), -1);
    return i < 0 ? (struct str){0}
                 : (struct str){req->headers.entries[i].value.base, req->headers.entries[i].value.len};
}

const char *errors_write(struct json *j, h2o_req_t *req, int status, const char *field, const char *message) {
    const struct http_error_page *page =
        req == NULL ? NULL : http_thread_of(req->conn)->http->options.error_page;
    if (page != NULL && takes_pages(req)) {
        page->render(&j->out, status, accept_language(req));
        h2o_set_header_by_str(&req->pool, &req->res.headers, H2O_STRLIT("content-security-policy"), 1,
                              page->policy, strlen(page->policy), 1);
        return page_type;
    }
    errors_open(j);
    errors_add(j, field, message);
    errors_close(j);
    return "application/json";
}

/* In the request's pool; disposed of when h2o is about to close its socket, the answer written. */
struct spare_socket {
    struct http_thread *thread;
    int fd;
    bool is_tls;
};

static void on_answered(void *spare) {
    struct spare_socket *s = spare;
    if (s->fd >= 0) linger_begin(&s->thread->linger, s->fd, s->is_tls);
}

void errors_keep_socket(h2o_req_t *req) {
    struct spare_socket *s = h2o_mem_alloc_shared(&req->pool, sizeof *s, on_answered);
    s->thread = http_thread_of(req->conn);
    s->fd = dup(h2o_compat_socket_of(req));
    s->is_tls = h2o_compat_is_tls(req);
}

/* --- the filter --- */

const char *errors_too_large(const struct http_thread *t, const h2o_req_t *req) {
    return http_body_max(t, req) == HTTP_MAX_BODY ? "the request body is larger than 64 KiB"
                                                  : "the request body is larger than this route takes";
}

static const char *message_of(const h2o_req_t *req) {
    switch (req->res.status) {
    case 413:
        return errors_too_large(http_thread_of(req->conn), req);
    case 417:
        return "this expectation is not supported";
    default:
        return "malformed request";
    }
}

/* Returns the answer's body. */
static struct buf lead_back(h2o_req_t *req, struct buf location) {
    char *kept = h2o_compat_alloc(&req->pool, location.len);
    memcpy(kept, location.data, location.len);
    req->res.status = 303;
    req->res.reason = http_reason(303);
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_LOCATION, NULL, kept, location.len);
    buf_free(&location);
    return (struct buf){0};
}

static struct buf describe(h2o_req_t *req) {
    struct json j = {0};
    const char *type = errors_write(&j, req, req->res.status, NULL, message_of(req));
    h2o_add_header(&req->pool, &req->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, type, strlen(type));
    return j.out;
}

static void shape(h2o_filter_t *filter, h2o_req_t *req, h2o_ostream_t **slot) {
    (void)filter;
    struct http_thread *t = http_thread_of(req->conn);
    struct buf location = {0};
    req->res.headers.size = 0;
    bool leads = http_body_leads_back(t, req, req->res.status, &location);
    struct buf body = leads ? lead_back(req, location) : describe(req);
    h2o_ostream_t **next = h2o_compat_send_instead(req, slot, buf_str(&body));
    cors_add_headers(req);
    errors_keep_socket(req);
    http_stats_note(t, &(struct answer){.status = req->res.status, .bytes = body.len});
    buf_free(&body);
    h2o_setup_next_ostream(req, next);
}

void errors_filter(h2o_pathconf_t *path) {
    h2o_create_filter(path, sizeof(h2o_filter_t))->on_setup_ostream = shape;
}
