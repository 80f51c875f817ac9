#include "visit.h"

#include <ctype.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "base64.h"
#include "buf.h"
#include "clock.h"
#include "live.h"

enum {
    TOKEN = 16,      /* bytes of a form's cookie, of the digest and of its mask */
    FORM_DAYS = 365, /* how long the form's cookie lives */
    TEXT = BASE64_TEXT(2 * TOKEN),
};

/* --- the start --- */

struct visit *visit_of(struct req *rq) {
    return req_state(rq);
}

/* Where a form that was sent stands: /orders/1 for /orders/1/pay. */
static struct str page_of_target(struct str path) {
    static const char *const actions[] = {"/buy",    "/withdraw", "/pay",     "/confirm",
                                          "/cancel", "/email",    "/password"};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        size_t n = strlen(actions[i]);
        if (path.n > n && memcmp(path.p + path.n - n, actions[i], n) == 0) path.n -= n;
    }
    return path;
}

static struct str notice_of(struct req *rq) {
    static const struct {
        struct str done, words;
    } notices[] = {
        {{"listed", 6}, {"Your ticket is on sale.", 23}},
        {{"saved", 5}, {"Your changes are saved.", 23}},
        {{"withdrawn", 9}, {"Your ticket is withdrawn.", 25}},
        {{"email", 5}, {"Your e-mail is changed.", 23}},
        {{"password", 8}, {"Your password is changed.", 25}},
        {{"out", 3}, {"You are signed out.", 19}},
    };
    struct str done;
    for (size_t i = 0; req_query(rq, "done", &done) && i < sizeof notices / sizeof *notices; i++)
        if (str_eq(done, notices[i].done)) return notices[i].words;
    return (struct str){0};
}

/* --- forms: whose they are --- */

/* Which only we and this browser know: the form's cookie; once signed in, the session too. */
static void digest(const struct visit *visit, struct str cookie, unsigned char out[TOKEN]) {
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, TOKEN);
    crypto_generichash_update(&state, (const unsigned char *)&cookie.n, sizeof cookie.n);
    crypto_generichash_update(&state, (const unsigned char *)cookie.p, cookie.n);
    crypto_generichash_update(&state, (const unsigned char *)visit->session.p, visit->session.n);
    crypto_generichash_final(&state, out, TOKEN);
}

static struct str form_cookie(struct req *rq, bool make) {
    struct str cookie;
    if (req_get_cookie(rq, "form", &cookie) && cookie.n >= TOKEN && cookie.n < TEXT)
        return arena_str(req_arena(rq), cookie);
    if (!make) return (struct str){0};
    unsigned char bytes[TOKEN];
    randombytes_buf(bytes, sizeof bytes);
    char *text = req_alloc(rq, TEXT);
    base64_encode(bytes, sizeof bytes, text);
    req_set_cookie(rq, "form", str_of(text), INT64_C(86400) * FORM_DAYS);
    return str_of(text);
}

static struct str new_token(struct req *rq, const struct visit *visit) {
    unsigned char bytes[2 * TOKEN], wanted[TOKEN];
    digest(visit, form_cookie(rq, true), wanted);
    randombytes_buf(bytes, TOKEN);
    for (int i = 0; i < TOKEN; i++)
        bytes[TOKEN + i] = bytes[i] ^ wanted[i];
    char *text = req_alloc(rq, TEXT);
    base64_encode(bytes, sizeof bytes, text);
    return str_of(text);
}

static bool token_fits(struct req *rq, const struct visit *visit, struct str token) {
    unsigned char bytes[2 * TOKEN], wanted[TOKEN];
    struct str cookie = form_cookie(rq, false);
    size_t n = 0;
    if (cookie.n == 0 || !base64_decode(token, bytes, sizeof bytes, &n) || n != sizeof bytes) return false;
    digest(visit, cookie, wanted);
    for (int i = 0; i < TOKEN; i++)
        bytes[TOKEN + i] ^= bytes[i];
    return sodium_memcmp(bytes + TOKEN, wanted, TOKEN) == 0;
}

/* As far as the browser says it. */
static bool from_here(struct req *rq) {
    struct str site, origin;
    if (req_header(rq, "sec-fetch-site", &site) && !str_eq(site, STR("same-origin"))) return false;
    if (!req_header(rq, "origin", &origin)) return true;
    const char *behind = origin.n == 0 ? NULL : memmem(origin.p, origin.n, "://", 3);
    if (behind == NULL) return false;
    size_t skip = (size_t)(behind - origin.p) + 3;
    return str_eq((struct str){origin.p + skip, origin.n - skip}, req_host(rq));
}

struct visit *visit_begin(struct req *rq) {
    const struct web *web = req_service(rq);
    struct visit *visit = req_alloc(rq, sizeof *visit);
    req_set_state(rq, visit);
    if (req_get_cookie(rq, "session", &visit->session))
        visit->session = arena_str(req_arena(rq), visit->session);
    visit->user = req_user(rq);
    struct str target = req_target(rq);
    visit->page = (struct page_view){
        .now = clock_wall_us(),
        .email = visit->user == NULL ? (struct str){0} : visit->user->email,
        .notice = notice_of(rq),
        .since = live_since(rq, web->live),
        .path = html_own_path(target) ? arena_str(req_arena(rq), page_of_target(target)) : STR("/"),
    };
    visit->page.csrf = new_token(rq, visit);
    return visit;
}

bool visit_signed_in(struct req *rq) {
    struct visit *visit = visit_of(rq);
    if (visit->user != NULL) return true;
    struct buf next = {0};
    percent_encode(&next, visit->page.path);
    page_go(rq, "/signin?first=%s&next=%.*s", visit->session.n > 0 ? "again" : "yes", (int)next.len,
            (char *)next.data);
    buf_free(&next);
    return false;
}

bool visit_form(struct req *rq) {
    struct visit *visit = visit_of(rq);
    if (form_read(req_raw_body(rq), &visit->form, req_arena(rq)) != NULL) {
        page_missing(rq, 400, "That was no form of ours", "It could not be read. Go back and try again.");
        return false;
    }
    if (from_here(rq) && token_fits(rq, visit, visit_field(rq, "csrf"))) return true;
    page_missing(
        rq, 403, "Send that again, please",
        "The form was not sent from a page of ours, or from one that is out of date: you may have signed in or out since. "
        "Nothing was done. Go back, load the page again, and repeat it.");
    return false;
}

bool visit_own_form(struct req *rq) {
    return visit_signed_in(rq) && visit_form(rq);
}

struct str visit_field(struct req *rq, const char *name) {
    struct str value = {0};
    form_get(&visit_of(rq)->form, name, &value);
    return value;
}

struct str visit_key(struct req *rq) {
    struct str key = visit_field(rq, "key");
    struct uuid id;
    return uuid_parse(key, &id) ? key : (struct str){0};
}

struct str visit_new_key(struct req *rq) {
    struct uuid id = uuid_v7();
    char *text = req_alloc(rq, UUID_TEXT);
    uuid_format(&id, text);
    return (struct str){text, UUID_TEXT};
}

struct str visit_next(struct req *rq) {
    struct str next = visit_field(rq, "next");
    if (next.n == 0) req_query(rq, "next", &next);
    return html_own_path(next) ? next : STR("/");
}

struct str visit_words(struct req *rq, struct str words) {
    if (words.n == 0) return words;
    char *copy = (char *)arena_str(req_arena(rq), words).p;
    copy[0] = (char)toupper((unsigned char)copy[0]);
    return (struct str){copy, words.n};
}

struct str visit_sentence(struct req *rq, struct str words) {
    words = visit_words(rq, words);
    if (words.n == 0 || strchr(".!?", words.p[words.n - 1]) != NULL) return words;
    char *copy = req_alloc(rq, words.n + 1);
    memcpy(copy, words.p, words.n);
    copy[words.n] = '.';
    return (struct str){copy, words.n + 1};
}

void visit_ask(struct req *rq, enum api_part part, const char *method, api_then *then, const char *path,
               ...) {
    struct web *web = req_service(rq);
    struct buf text = {0};
    va_list ap;
    va_start(ap, path);
    buf_vprintf(&text, path, ap);
    va_end(ap);
    api_ask(rq, web->api,
            &(struct api_ask){.part = part,
                              .method = method,
                              .path = {(const char *)text.data, text.len},
                              .session = visit_of(rq)->session,
                              .then = then});
    buf_free(&text);
}

void visit_send(struct req *rq, enum api_part part, const char *method, const char *path, struct json *body,
                int64_t version, api_then *then) {
    struct web *web = req_service(rq);
    api_ask(rq, web->api,
            &(struct api_ask){.part = part,
                              .method = method,
                              .path = str_of(path),
                              .body = {(const char *)body->out.data, body->out.len},
                              .key = visit_key(rq),
                              .version = version,
                              .session = visit_of(rq)->session,
                              .then = then});
    buf_free(&body->out);
}

void visit_id(struct req *rq, char out[UUID_TEXT]) {
    struct uuid id = req_path_uuid(rq, 0);
    uuid_format(&id, out);
}

struct str visit_cursor(struct req *rq) {
    struct str cursor = {0};
    struct uuid id;
    return req_query(rq, "cursor", &cursor) && uuid_parse(cursor, &id) ? cursor : (struct str){0};
}

struct str visit_link(struct req *rq, const char *path, ...) {
    struct buf text = {0};
    va_list ap;
    va_start(ap, path);
    buf_vprintf(&text, path, ap);
    va_end(ap);
    struct str kept = arena_str(req_arena(rq), (struct str){(const char *)text.data, text.len});
    buf_free(&text);
    return kept;
}

struct str visit_trouble(struct req *rq, const struct api_answer *answer, const char *away) {
    if (answer->away) return str_of(away);
    if (answer->code == 409 && api_error(answer, NULL).n == 0) return (struct str){0};
    return visit_sentence(rq, api_error(answer, NULL));
}
