/* The account of who is signed in: what it is, and where. */
#include "arena.h"
#include "held.h"
#include "routes.h"
#include "views_read.h"

/* --- the page: with his sessions, his passkeys and his second factor, which auth is asked for --- */

/* The one that the page was asked with is there in any case. */
static bool read_sessions(const json_t *json, struct arena *arena, struct session_list *out) {
    size_t n = json_array_size(json);
    struct session_view *sessions = arena_alloc(arena, n * sizeof *sessions);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(json, i);
        sessions[i] = (struct session_view){.current = json_is_true(json_object_get(one, "current"))};
        if (!read_uuid(one, "id", &sessions[i].id) || !read_time(one, "signedInAt", &sessions[i].at))
            return false;
        read_text(one, "address", &sessions[i].address);
        if (!read_text(one, "browser", &sessions[i].browser))
            sessions[i].browser = text_of(TEXT_ACCOUNT_A_BROWSER);
    }
    *out = (struct session_list){sessions, n};
    return json_is_array(json);
}

static bool read_passkeys(const json_t *json, struct arena *arena, struct passkey_list *out) {
    size_t n = json_array_size(json);
    struct passkey_view *passkeys = arena_alloc(arena, n * sizeof *passkeys);
    for (size_t i = 0; i < n; i++) {
        const json_t *one = json_array_get(json, i);
        if (!read_uuid(one, "id", &passkeys[i].id) || !read_text(one, "name", &passkeys[i].name) ||
            !read_time(one, "addedAt", &passkeys[i].at))
            return false;
        passkeys[i].used = read_time(one, "usedAt", &passkeys[i].used_at);
    }
    *out = (struct passkey_list){passkeys, n};
    return json_is_array(json);
}

static void on_sessions(struct req *rq, const struct api_answer *answer) {
    struct account_view *view = visit_of(rq)->own;
    if (answer->code == 401) {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
        return;
    }
    view->away = answer->code != 200 || !read_sessions(answer->body, req_arena(rq), &view->sessions);
    account_render(page_begin(rq), view);
    page_end(rq);
}

static void on_passkeys(struct req *rq, const struct api_answer *answer) {
    struct account_view *view = visit_of(rq)->own;
    if (answer->code == 401) {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
        return;
    }
    view->passkeys_here = answer->code != 404;
    view->passkeys_known = answer->code == 200 && read_passkeys(answer->body, req_arena(rq), &view->passkeys);
    visit_ask(rq, API_USERS, "GET", on_sessions, "/api/users/sessions");
}

/* Whether there is a second factor; when that is not known, the page says so. */
static void on_factor(struct req *rq, const struct api_answer *answer) {
    struct factor_state_view *factor = &((struct account_view *)visit_of(rq)->own)->factor;
    const json_t *enabled = json_object_get(answer->body, "enabled");
    if (answer->code == 401) {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
        return;
    }
    factor->known = answer->code == 200 && json_is_boolean(enabled);
    factor->enabled = factor->known && json_is_true(enabled);
    factor->left = json_integer_value(json_object_get(answer->body, "recoveryCodesLeft"));
    visit_ask(rq, API_USERS, "GET", on_passkeys, "/api/users/me/passkeys");
}

void render_account(struct req *rq, const struct account_view *view) {
    struct account_view *kept = req_alloc(rq, sizeof *kept);
    *kept = *view;
    kept->page = visit_of(rq)->page;
    kept->unverified = visit_of(rq)->user->unverified;
    visit_of(rq)->own = kept;
    visit_ask(rq, API_USERS, "GET", on_factor, "/api/users/me/second-factor");
}

struct str factor_code_error(struct req *rq, const struct api_answer *answer) {
    return answer->code == 403 ? visit_words(rq, api_error(answer, NULL)) : (struct str){0};
}

bool account_refused(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 401) {
        page_refusal(rq, answer, TEXT_AWAY_NOTHING_DONE);
        return false;
    }
    visit_of(rq)->status = answer->away ? 503 : answer->code;
    return true;
}

void show_account(struct req *rq) {
    visit_begin(rq);
    if (page_signed_in(rq)) render_account(rq, &(struct account_view){0});
}

/* --- another e-mail or password --- */

/* true: changed, or nobody's any more; answered. */
static bool changed(struct req *rq, const struct api_answer *answer, const char *what) {
    if (answer->code == 200) {
        take_session(rq, answer);
        page_go(rq, "/account?done=%s", what);
    } else if (account_refused(rq, answer)) {
        return false;
    }
    return true;
}

static const enum text not_changed = TEXT_AWAY_NOT_CHANGED;

static void on_email(struct req *rq, const struct api_answer *answer) {
    if (changed(rq, answer, "email")) return;
    struct account_view view = {
        .email = visit_field(rq, "email"),
        .email_error = visit_words(rq, api_error(answer, "email")),
        .email_current_error = visit_words(rq, api_error(answer, "currentPassword")),
        .problem = visit_trouble(rq, answer, not_changed),
    };
    render_account(rq, &view);
}

static void on_password(struct req *rq, const struct api_answer *answer) {
    if (changed(rq, answer, "password")) return;
    struct account_view view = {
        .password_error = visit_words(rq, api_error(answer, "password")),
        .password_current_error = visit_words(rq, api_error(answer, "currentPassword")),
        .problem = visit_trouble(rq, answer, not_changed),
    };
    render_account(rq, &view);
}

static void send_change(struct req *rq, const char *field, const char *current, api_then *then) {
    struct json body = {0};
    json_open(&body, '{');
    json_put_text(&body, field, visit_field(rq, field));
    json_put_text(&body, "currentPassword", visit_field(rq, current));
    json_close(&body, '}');
    visit_send(rq, API_USERS, "PATCH", "/api/users/me", &body, 0, then);
}

void change_email(struct req *rq) {
    visit_begin(rq);
    if (page_own_form(rq)) send_change(rq, "email", "email-current", on_email);
}

void change_password(struct req *rq) {
    visit_begin(rq);
    if (page_own_form(rq)) send_change(rq, "password", "password-current", on_password);
}

/* --- the end of a session that he sees there --- */

/* One that is not there any more has ended, too. */
static void on_ended(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 204 || answer->code == 404) {
        take_session(rq, answer);
        page_go(rq, "/account?done=session");
    } else if (account_refused(rq, answer)) {
        render_account(rq,
                       &(struct account_view){.problem = visit_trouble(rq, answer, TEXT_AWAY_NOTHING_DONE)});
    }
}

void end_session(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct str session = visit_field(rq, "session");
    struct uuid id;
    if (uuid_parse(session, &id))
        visit_ask(rq, API_USERS, "DELETE", on_ended, "/api/users/sessions/%.*s", (int)session.n, session.p);
    else
        page_go(rq, "/account");
}

/* --- its end --- */

/* The device is nobody's any more, too. */
static void on_deleted(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 204) {
        req_set_cookie(rq, "session", STR(""), 0);
        req_set_cookie(rq, "device", STR(""), 0);
        held_drop(rq, (struct str){0});
        page_go(rq, "/?done=deleted");
    } else if (account_refused(rq, answer)) {
        struct account_view view = {
            .delete_error = visit_words(rq, api_error(answer, "currentPassword")),
            .delete_code_error = factor_code_error(rq, answer),
            .problem =
                answer->code == 403 ? (struct str){0} : visit_trouble(rq, answer, TEXT_AWAY_NOTHING_DONE),
        };
        render_account(rq, &view);
    }
}

void delete_account(struct req *rq) {
    visit_begin(rq);
    if (!page_own_form(rq)) return;
    struct str code = visit_field(rq, "delete-code");
    struct json body = {0};
    json_open(&body, '{');
    json_put_text(&body, "currentPassword", visit_field(rq, "delete-current"));
    if (code.n > 0) json_put_text(&body, "code", code);
    json_close(&body, '}');
    visit_send(rq, API_USERS, "POST", "/api/users/me/delete", &body, 0, on_deleted);
}
