/* A second factor of who is signed in: it is begun, confirmed and turned off. The account's page says whether
 * there is one. */
#include "arena.h"
#include "qr.h"
#include "routes.h"
#include "views_read.h"

enum { GROUP = 4 };

/* --- begun: a page with the secret, which is told there alone --- */

/* In groups of four, to be typed. */
static struct str spaced(struct req *rq, struct str secret) {
    char *text = req_alloc(rq, secret.n + secret.n / GROUP + 1), *end = text;
    for (size_t i = 0; i < secret.n; i++) {
        if (i > 0 && i % GROUP == 0) *end++ = ' ';
        *end++ = secret.p[i];
    }
    return (struct str){text, (size_t)(end - text)};
}

static void render_secret(struct req *rq, struct factor_view *view) {
    struct qr qr;
    if (!qr_draw(req_arena(rq), view->uri, &qr)) {
        page_go(rq, "/account");
        return;
    }
    view->page = visit_of(rq)->page;
    view->spaced = spaced(rq, view->secret);
    view->qr = qr.path;
    view->box = qr.box;
    factor_render(page_begin(rq), view);
    page_end(rq);
}

static void on_begun(struct req *rq, const struct api_answer *answer) {
    struct factor_view view = {0};
    if (answer->code == 200 && read_text(answer->body, "secret", &view.secret) &&
        read_text(answer->body, "uri", &view.uri)) {
        render_secret(rq, &view);
    } else if (account_refused(rq, answer)) {
        render_account(rq, &(struct account_view){
                               .factor.begin_error = visit_words(rq, api_error(answer, "currentPassword")),
                               .problem = visit_trouble(rq, answer, TEXT_AWAY_NOTHING_DONE),
                           });
    }
}

void begin_factor(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct json body = {0};
    json_open(&body, '{');
    json_put_text(&body, "currentPassword", visit_field(rq, "begin-current"));
    json_close(&body, '}');
    visit_send(rq, API_USERS, "POST", "/api/users/me/second-factor", &body, 0, on_begun);
}

/* --- confirmed: a page with the recovery codes, which are told there alone --- */

/* A line each. */
static bool read_codes(struct req *rq, const json_t *body, struct str *out) {
    const json_t *codes = json_object_get(body, "recoveryCodes");
    struct buf lines = {0};
    for (size_t i = 0; i < json_array_size(codes); i++)
        buf_printf(&lines, "%s%s", i > 0 ? "\n" : "", json_string_value(json_array_get(codes, i)));
    *out = arena_str(req_arena(rq), buf_str(&lines));
    buf_free(&lines);
    return out->n > 0;
}

static void on_confirmed(struct req *rq, const struct api_answer *answer) {
    struct factor_codes_view codes = {.page = visit_of(rq)->page};
    if (answer->code == 200 && read_codes(rq, answer->body, &codes.codes)) {
        factor_codes_render(page_begin(rq), &codes);
        page_end(rq);
    } else if (account_refused(rq, answer)) {
        render_secret(rq,
                      &(struct factor_view){.secret = visit_field(rq, "secret"),
                                            .uri = visit_field(rq, "uri"),
                                            .code_error = visit_words(rq, api_error(answer, "code")),
                                            .problem = visit_trouble(rq, answer, TEXT_AWAY_NOTHING_DONE)});
    }
}

void confirm_factor(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct json body = {0};
    json_open(&body, '{');
    json_put_text(&body, "code", visit_field(rq, "code"));
    json_close(&body, '}');
    visit_send(rq, API_USERS, "POST", "/api/users/me/second-factor/confirm", &body, 0, on_confirmed);
}

/* --- off --- */

static void on_turned_off(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 204) {
        page_go(rq, "/account?done=factor-off");
    } else if (account_refused(rq, answer)) {
        render_account(rq,
                       &(struct account_view){
                           .factor.current_error = visit_words(rq, api_error(answer, "currentPassword")),
                           .factor.code_error = factor_code_error(rq, answer),
                           .problem = answer->code == 403 ? (struct str){0}
                                                          : visit_trouble(rq, answer, TEXT_AWAY_NOTHING_DONE),
                       });
    }
}

void turn_factor_off(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct json body = {0};
    json_open(&body, '{');
    json_put_text(&body, "currentPassword", visit_field(rq, "factor-current"));
    json_put_text(&body, "code", visit_field(rq, "factor-code"));
    json_close(&body, '}');
    visit_send(rq, API_USERS, "POST", "/api/users/me/second-factor/off", &body, 0, on_turned_off);
}
