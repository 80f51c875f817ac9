#include "page.h"
#include "routes.h"
#include "static.h"

/* Whether a comma-separated header names a word, whatever comes behind it. "gzip;q=0" is nothing that
 * browsers say. */
static bool names(struct req *rq, const char *header, struct str word) {
    struct str value;
    return req_header(rq, header, &value) && memmem(value.p, value.n, word.p, word.n) != NULL;
}

void send_missing(struct req *rq) {
    visit_begin(rq);
    page_missing(rq, 404, TEXT_MISSING_NOT_FOUND, TEXT_MISSING_NOTHING_HERE);
}

void go_to_page(struct req *rq) {
    struct str path = visit_begin(rq)->page.path;
    page_go(rq, "%.*s", (int)path.n, path.p);
}

void go_to_account(struct req *rq) {
    visit_begin(rq);
    page_go(rq, "/account");
}

static void send_bytes(struct req *rq, const struct static_file *file, struct str cache) {
    req_set_header(rq, "cache-control", cache);
    req_set_header(rq, "etag", file->etag);
    if (file->gzip.n > 0) req_set_header(rq, "vary", STR("accept-encoding"));
    if (names(rq, "if-none-match", file->etag)) {
        req_reply(rq, 304);
        return;
    }
    bool packed = file->gzip.n > 0 && names(rq, "accept-encoding", STR("gzip"));
    if (packed) req_set_header(rq, "content-encoding", STR("gzip"));
    req_reply_raw(rq, 200, file->content_type, packed ? file->gzip : file->bytes);
}

/* Where programs look for it by themselves, and where the manifest says it is. */
void send_icon(struct req *rq) {
    static const struct str before = STR("/static/icon.");
    for (size_t i = 0; i < static_count; i++)
        if (memcmp(static_files[i].path.p, before.p, before.n) == 0) {
            send_bytes(rq, &static_files[i], STR("public, max-age=86400"));
            return;
        }
    send_missing(rq);
}

#define TEXT_PAGE(name)                                                                                      \
    void show_##name(struct req *rq) {                                                                       \
        struct visit *visit = visit_begin(rq);                                                               \
        name##_render(page_begin(rq), &(struct name##_view){.page = visit->page});                           \
        page_end(rq);                                                                                        \
    }
TEXT_PAGE(help)
TEXT_PAGE(terms)
TEXT_PAGE(privacy)

/* A name tells its content, so whoever has it need never ask again. */
void send_file(struct req *rq) {
    struct str target = req_target(rq);
    const char *query = memchr(target.p, '?', target.n);
    if (query != NULL) target.n = (size_t)(query - target.p);
    const struct static_file *file = static_find(target);
    if (file == NULL) {
        send_missing(rq);
        return;
    }
    req_set_header(rq, "cross-origin-resource-policy", STR("same-origin"));
    send_bytes(rq, file, STR("public, max-age=31536000, immutable"));
}

/* The same for everybody: no visit begins. */
void show_docs(struct req *rq) {
    page_headers(rq);
    send_bytes(rq, &document_files[DOCUMENT_PAGE], STR("no-cache"));
}

void send_openapi(struct req *rq) {
    send_bytes(rq, &document_files[DOCUMENT_OPENAPI], STR("no-cache"));
}
