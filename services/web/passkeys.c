/* Passkeys: those of who is signed in, and signing in by one. The browser talks to the authenticator
 * (static/passkey.js); what both say comes here in a form, and goes on to auth. */
#include "arena.h"
#include "held.h"
#include "routes.h"
#include "views_read.h"

static bool read_challenge(const struct api_answer *answer, struct str *challenge, struct str *host) {
    return answer->code == 200 && read_text(answer->body, "challenge", challenge) &&
           read_text(answer->body, "rpId", host);
}

/* What the form has, under the API's names. */
static void put_fields(struct req *rq, struct json *body, const char *const names[][2]) {
    for (size_t i = 0; names[i][0] != NULL; i++)
        json_put_text(body, names[i][0], visit_field(rq, names[i][1]));
}

/* --- a new one --- */

static void on_challenge(struct req *rq, const struct api_answer *answer) {
    struct new_passkey_view *view = visit_of(rq)->own;
    if (read_challenge(answer, &view->challenge, &view->host)) {
        new_passkey_render(page_begin(rq), view);
        page_end(rq);
    } else {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
    }
}

static struct str ids_of(struct req *rq, const json_t *passkeys) {
    struct buf ids = {0};
    struct str id;
    for (size_t i = 0; i < json_array_size(passkeys); i++)
        if (read_text(json_array_get(passkeys, i), "credentialId", &id))
            buf_printf(&ids, "%s%.*s", i > 0 ? " " : "", (int)id.n, id.p);
    struct str all = arena_str(req_arena(rq), buf_str(&ids));
    buf_free(&ids);
    return all;
}

/* A device that makes another one forgets the one before, so it has to know of that. */
static void on_others(struct req *rq, const struct api_answer *answer) {
    struct new_passkey_view *view = visit_of(rq)->own;
    if (answer->code == 200) {
        view->others = ids_of(rq, answer->body);
        visit_ask(rq, API_USERS, "GET", on_challenge, "/api/users/passkeys/challenge");
    } else {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
    }
}

static void on_factor(struct req *rq, const struct api_answer *answer) {
    struct new_passkey_view *view = visit_of(rq)->own;
    if (answer->code == 401) {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
        return;
    }
    view->coded = json_is_true(json_object_get(answer->body, "enabled"));
    visit_ask(rq, API_USERS, "GET", on_others, "/api/users/me/passkeys");
}

/* With what was wrong. */
static void render(struct req *rq, struct new_passkey_view view) {
    struct new_passkey_view *kept = req_alloc(rq, sizeof *kept);
    *kept = view;
    kept->page = visit_of(rq)->page;
    kept->user = visit_of(rq)->user->user;
    visit_of(rq)->own = kept;
    visit_ask(rq, API_USERS, "GET", on_factor, "/api/users/me/second-factor");
}

void show_new_passkey(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) render(rq, (struct new_passkey_view){0});
}

static void on_added(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 201) {
        page_go(rq, "/account?done=passkey");
    } else if (account_refused(rq, answer)) {
        struct str of_browser = visit_words(rq, api_error(answer, "authenticatorData"));
        render(rq, (struct new_passkey_view){
                       .name = visit_field(rq, "name"),
                       .name_error = visit_words(rq, api_error(answer, "name")),
                       .current_error = visit_words(rq, api_error(answer, "currentPassword")),
                       .code_error = factor_code_error(rq, answer),
                       .problem = answer->code == 403 ? (struct str){0}
                                  : of_browser.n > 0  ? text_of(TEXT_PASSKEY_FAILED)
                                                      : visit_trouble(rq, answer, TEXT_AWAY_NOTHING_DONE),
                   });
    }
}

void add_passkey(struct req *rq) {
    static const char *const names[][2] = {{"name", "name"},
                                           {"currentPassword", "passkey-current"},
                                           {"clientDataJSON", "clientData"},
                                           {"authenticatorData", "authenticatorData"},
                                           {NULL, NULL}};
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct str code = visit_field(rq, "code");
    struct json body = {0};
    json_open(&body, '{');
    put_fields(rq, &body, names);
    if (code.n > 0) json_put_text(&body, "code", code);
    json_close(&body, '}');
    visit_send(rq, API_USERS, "POST", "/api/users/me/passkeys", &body, 0, on_added);
}

/* --- one that goes --- */

/* One that is not there any more is gone, too. */
static void on_removed(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 204 || answer->code == 404)
        page_go(rq, "/account?done=passkey-removed");
    else if (account_refused(rq, answer))
        render_account(rq,
                       &(struct account_view){.problem = visit_trouble(rq, answer, TEXT_AWAY_NOTHING_DONE)});
}

void remove_passkey(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct str passkey = visit_field(rq, "passkey");
    struct uuid id;
    if (uuid_parse(passkey, &id))
        visit_ask(rq, API_USERS, "DELETE", on_removed, "/api/users/me/passkeys/%.*s", (int)passkey.n,
                  passkey.p);
    else
        page_go(rq, "/account");
}

/* --- signing in --- */

static void on_signin_challenge(struct req *rq, const struct api_answer *answer) {
    struct signin_passkey_view *view = visit_of(rq)->own;
    if (read_challenge(answer, &view->challenge, &view->host)) {
        signin_passkey_render(page_begin(rq), view);
        page_end(rq);
    } else {
        page_refusal(rq, answer, TEXT_AWAY_SIGNIN);
    }
}

static void render_signin(struct req *rq, struct str problem) {
    struct signin_passkey_view *view = req_alloc(rq, sizeof *view);
    *view =
        (struct signin_passkey_view){.page = visit_of(rq)->page, .next = visit_next(rq), .problem = problem};
    view->page.path = view->next;
    visit_of(rq)->own = view;
    visit_ask(rq, API_USERS, "GET", on_signin_challenge, "/api/users/passkeys/challenge");
}

void show_passkey_signin(struct req *rq) {
    visit_begin(rq);
    render_signin(rq, (struct str){0});
}

static void on_signed_in(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 200 && answer->session.n > 0) {
        struct str next = visit_next(rq);
        take_session(rq, answer);
        held_drop(rq, (struct str){0});
        page_go(rq, "%.*s", (int)next.n, next.p);
        return;
    }
    visit_of(rq)->status = answer->away ? 503 : answer->code;
    render_signin(rq, answer->code == 400 ? text_of(TEXT_PASSKEY_NOT_KNOWN)
                                          : visit_trouble(rq, answer, TEXT_AWAY_SIGNIN));
}

void sign_in_by_passkey(struct req *rq) {
    static const char *const names[][2] = {{"credentialId", "credential"},
                                           {"clientDataJSON", "clientData"},
                                           {"authenticatorData", "authenticatorData"},
                                           {"signature", "signature"},
                                           {NULL, NULL}};
    visit_begin(rq);
    if (!page_form(rq)) return;
    struct json body = {0};
    json_open(&body, '{');
    put_fields(rq, &body, names);
    json_close(&body, '}');
    visit_send(rq, API_USERS, "POST", "/api/users/passkeys/signin", &body, 0, on_signed_in);
}
