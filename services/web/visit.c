#include "visit.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "buf.h"
#include "clock.h"
#include "csrf.h"
#include "held.h"
#include "live.h"
#include "percent.h"
#include "views.h"

/* --- the start --- */

struct visit *visit_of(struct req *rq) {
    return req_state(rq);
}

/* Where a form that was sent stands: /orders/1 for /orders/1/pay. */
static struct str page_of_target(struct str path) {
    static const char *const actions[] = {"/buy",           "/withdraw", "/pay",      "/confirm",  "/cancel",
                                          "/email",         "/password", "/areas",    "/announce", "/discard",
                                          "/remove",        "/codes",    "/sessions", "/delete",   "/off",
                                          "/second-factor", "/passkeys"};
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++) {
        size_t n = strlen(actions[i]);
        if (path.n > n && memcmp(path.p + path.n - n, actions[i], n) == 0) path.n -= n;
    }
    return path;
}

static struct str notice_of(struct req *rq) {
    static const struct {
        struct str done;
        enum text words;
    } notices[] = {
        {STR("listed"), TEXT_DONE_LISTED},
        {STR("saved"), TEXT_DONE_SAVED},
        {STR("drafted"), TEXT_DONE_DRAFTED},
        {STR("area"), TEXT_DONE_AREA},
        {STR("announced"), TEXT_DONE_ANNOUNCED},
        {STR("phased"), TEXT_DONE_PHASED},
        {STR("withdrawn"), TEXT_DONE_WITHDRAWN},
        {STR("email"), TEXT_DONE_EMAIL},
        {STR("password"), TEXT_DONE_PASSWORD},
        {STR("out"), TEXT_DONE_OUT},
        {STR("welcome"), TEXT_DONE_WELCOME},
        {STR("discarded"), TEXT_DONE_DISCARDED},
        {STR("picture"), TEXT_DONE_PICTURE},
        {STR("verified"), TEXT_DONE_VERIFIED},
        {STR("session"), TEXT_DONE_SESSION},
        {STR("deleted"), TEXT_DONE_DELETED},
        {STR("factor-off"), TEXT_DONE_FACTOR_OFF},
        {STR("passkey"), TEXT_DONE_PASSKEY},
        {STR("passkey-removed"), TEXT_DONE_PASSKEY_REMOVED},
    };
    struct str done;
    for (size_t i = 0; req_query(rq, "done", &done) && i < sizeof notices / sizeof *notices; i++)
        if (str_eq(done, notices[i].done)) return text_of(notices[i].words);
    return (struct str){0};
}

struct visit *visit_begin(struct req *rq) {
    const struct web *web = req_service(rq);
    struct visit *visit = req_alloc(rq, sizeof *visit);
    req_set_state(rq, visit);
    if (req_get_cookie(rq, "session", &visit->session))
        visit->session = arena_str(req_arena(rq), visit->session);
    visit->user = req_user(rq);
    struct str accept = {0}, target = req_target(rq);
    req_header(rq, "accept-language", &accept);
    visit->language = language_wanted(accept);
    language_use(visit->language);
    visit->page = (struct page_view){
        .now = clock_wall_us(),
        .email = visit->user == NULL ? (struct str){0} : visit->user->email,
        .notice = notice_of(rq),
        .since = live_since(rq, web->live),
        .path = html_own_path(target) ? arena_str(req_arena(rq), page_of_target(target)) : STR("/"),
    };
    if (visit->user != NULL) held_tell(rq, &visit->page);
    visit->page.csrf = csrf_token(rq, visit->session);
    return visit;
}

struct str visit_field(struct req *rq, const char *name) {
    struct str value = {0};
    form_get(&visit_of(rq)->form, name, &value);
    return value;
}

struct str visit_price(struct req *rq, const char *name) {
    struct str typed = visit_field(rq, name);
    char point = language_form()->point;
    const char *at = typed.n == 0 ? NULL : memchr(typed.p, point, typed.n);
    if (at == NULL || point == '.') return typed;
    size_t before = (size_t)(at - typed.p);
    /* with both there are thousands, which no price is typed with */
    if (memchr(typed.p, '.', typed.n) != NULL) return typed;
    char *copy = (char *)arena_str(req_arena(rq), typed).p;
    copy[before] = '.';
    return (struct str){copy, typed.n};
}

struct str visit_amount(struct req *rq, const struct price *price) {
    struct buf amount = {0};
    html_amount(&amount, price);
    struct str text = arena_str(req_arena(rq), buf_str(&amount));
    buf_free(&amount);
    char *point = text.n == 0 ? NULL : memchr(text.p, '.', text.n);
    if (point != NULL) *point = language_form()->point;
    return text;
}

struct str visit_trim(struct str s) {
    while (s.n > 0 && strchr(" \t\r", s.p[0]) != NULL)
        s.p++, s.n--;
    while (s.n > 0 && strchr(" \t\r", s.p[s.n - 1]) != NULL)
        s.n--;
    return s;
}

void visit_put_number(struct req *rq, struct json *body, const char *member, const char *field) {
    struct str text = visit_field(rq, field);
    int64_t number = 0;
    bool whole = text.n > 0 && text.n <= 9;
    for (size_t i = 0; i < text.n && whole; i++) {
        whole = isdigit((unsigned char)text.p[i]);
        number = number * 10 + (text.p[i] - '0');
    }
    if (whole)
        json_put_int(body, member, number);
    else
        json_put_text(body, member, text);
}

int64_t visit_version(struct str text) {
    int64_t v = 0;
    for (size_t i = 0; i < text.n && i < 9 && text.p[i] >= '0' && text.p[i] <= '9'; i++)
        v = v * 10 + (text.p[i] - '0');
    return v;
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
                              .path = buf_str(&text),
                              .session = visit_of(rq)->session,
                              .then = then,
                              .language = visit_of(rq)->language});
    buf_free(&text);
}

void visit_send(struct req *rq, enum api_part part, const char *method, const char *path, struct json *body,
                int64_t version, api_then *then) {
    struct web *web = req_service(rq);
    api_ask(rq, web->api,
            &(struct api_ask){.part = part,
                              .method = method,
                              .path = str_of(path),
                              .body = buf_str(&body->out),
                              .key = visit_key(rq),
                              .version = version,
                              .session = visit_of(rq)->session,
                              .then = then,
                              .language = visit_of(rq)->language});
    buf_free(&body->out);
}

void visit_ask_page(struct req *rq, enum api_part part, const char *path, struct str cursor, api_then *then) {
    visit_ask(rq, part, "GET", then, "%s?limit=%d%s%.*s", path, PAGE_ITEMS, cursor.n > 0 ? "&cursor=" : "",
              (int)cursor.n, cursor.p);
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

struct str visit_next_page(struct req *rq, const char *path, struct str cursor) {
    return visit_text(rq, "%s?cursor=%.*s", path, (int)cursor.n, cursor.p);
}

struct str visit_text(struct req *rq, const char *format, ...) {
    struct buf text = {0};
    va_list ap;
    va_start(ap, format);
    buf_vprintf(&text, format, ap);
    va_end(ap);
    struct str kept = arena_str(req_arena(rq), buf_str(&text));
    buf_free(&text);
    return kept;
}

struct str visit_trouble(struct req *rq, const struct api_answer *answer, enum text away) {
    if (answer->away) return text_of(away);
    if (answer->code == 409 && api_error(answer, NULL).n == 0) return (struct str){0};
    return visit_sentence(rq, api_error(answer, NULL));
}

enum viewer show_viewer(const struct visit *visit, const struct show *show) {
    if (visit->user == NULL) return VIEWER_STRANGER;
    return uuid_eq(&show->seller, &visit->user->user) ? VIEWER_SELLER : VIEWER_BUYER;
}
