/* What letters lead to, and what asks for one: a verified address, a new password. A link is followed by a
 * form that a person sends: programs that look into letters only load its page. */
#include "held.h"
#include "routes.h"

/* Links of the page lead to the first one: its own address has the token. */
static void begin(struct req *rq) {
    visit_begin(rq)->page.path = STR("/");
}

/* Whose sessions have ended by it is nobody here, too. */
static void sign_in_again(struct req *rq, const char *done) {
    req_set_cookie(rq, "session", STR(""), 0);
    held_drop(rq, (struct str){0});
    page_go(rq, "/signin?first=again&done=%s", done);
}

/* The link's, from its address or from the form. */
static struct str token_of(struct req *rq) {
    struct str token = visit_field(rq, "token");
    if (token.n == 0) req_query(rq, "token", &token);
    return token;
}

static struct str problem_of(struct req *rq, const struct api_answer *answer) {
    if (answer == NULL) return (struct str){0};
    visit_of(rq)->status = answer->away ? 503 : answer->code;
    if (api_error(answer, "token").n > 0) return text_of(TEXT_LETTERS_OVER);
    return visit_trouble(rq, answer, TEXT_AWAY_NOTHING_DONE);
}

void show_sent(struct req *rq) {
    begin(rq);
    sent_render(page_begin(rq), &(struct sent_view){.page = visit_of(rq)->page});
    page_end(rq);
}

/* --- asking for a new password --- */

static void render_forgot(struct req *rq, const struct api_answer *answer) {
    struct forgot_view view = {.email = visit_field(rq, "email"), .problem = problem_of(rq, answer)};
    if (answer != NULL) view.email_error = visit_words(rq, api_error(answer, "email"));
    view.page = visit_of(rq)->page;
    forgot_render(page_begin(rq), &view);
    page_end(rq);
}

void show_forgot(struct req *rq) {
    begin(rq);
    render_forgot(rq, NULL);
}

static void on_asked(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 202)
        page_go(rq, "/sent");
    else
        render_forgot(rq, answer);
}

void ask_reset(struct req *rq) {
    begin(rq);
    if (!page_form(rq)) return;
    struct json body = {0};
    json_open(&body, '{');
    json_put_text(&body, "email", visit_field(rq, "email"));
    json_close(&body, '}');
    visit_send(rq, API_USERS, "POST", "/api/users/password-reset", &body, 0, on_asked);
}

/* --- choosing it --- */

static void render_reset(struct req *rq, const struct api_answer *answer) {
    struct reset_view view = {.token = token_of(rq), .problem = problem_of(rq, answer)};
    if (answer != NULL) view.password_error = visit_words(rq, api_error(answer, "password"));
    view.page = visit_of(rq)->page;
    reset_render(page_begin(rq), &view);
    page_end(rq);
}

void show_reset(struct req *rq) {
    begin(rq);
    render_reset(rq, NULL);
}

static void on_reset(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 200)
        sign_in_again(rq, "password");
    else
        render_reset(rq, answer);
}

void reset_password(struct req *rq) {
    begin(rq);
    if (!page_form(rq)) return;
    struct json body = {0};
    json_open(&body, '{');
    json_put_text(&body, "token", token_of(rq));
    json_put_text(&body, "password", visit_field(rq, "password"));
    json_close(&body, '}');
    visit_send(rq, API_USERS, "POST", "/api/users/password-reset/follow", &body, 0, on_reset);
}

/* --- verifying an address --- */

static void render_verify(struct req *rq, const struct api_answer *answer) {
    struct verify_view view = {.token = token_of(rq), .problem = problem_of(rq, answer)};
    view.page = visit_of(rq)->page;
    verify_render(page_begin(rq), &view);
    page_end(rq);
}

void show_verify(struct req *rq) {
    begin(rq);
    render_verify(rq, NULL);
}

static void on_verified(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 200)
        sign_in_again(rq, "verified");
    else
        render_verify(rq, answer);
}

void verify_address(struct req *rq) {
    begin(rq);
    if (!page_form(rq)) return;
    struct json body = {0};
    json_open(&body, '{');
    json_put_text(&body, "token", token_of(rq));
    json_close(&body, '}');
    visit_send(rq, API_USERS, "POST", "/api/users/verify", &body, 0, on_verified);
}
