#include "arena.h"
#include "held.h"
#include "kept.h"
#include "routes.h"
#include "views_read.h"

/* How long a browser remembers where somebody was signed in. */
enum { DEVICE_S = 365 * 24 * 3600 };

/* The token, when its session is over, still says that this is a device of his, whom strangers' wrong
 * passwords do not keep out. */
void take_session(struct req *rq, const struct api_answer *answer) {
    if (answer->session.n > 0 || answer->signed_out)
        req_set_cookie(rq, "session", answer->session, answer->session_s);
    if (answer->session.n > 0) req_set_cookie(rq, "device", answer->session, DEVICE_S);
}

/* The accounts' service is asked as from there. */
static void ask_as_device(struct req *rq) {
    struct str device;
    if (req_get_cookie(rq, "device", &device)) visit_of(rq)->session = arena_str(req_arena(rq), device);
}

static void leave_to_next(struct req *rq) {
    struct str next = visit_next(rq);
    page_go(rq, "%.*s", (int)next.n, next.p);
}

/* The ways to sign in and up lead on to where one was, not to themselves. */
static struct visit *begin(struct req *rq) {
    struct visit *visit = visit_begin(rq);
    visit->page.path = visit_next(rq);
    return visit;
}

/* code: empty: none. */
static void send_credentials(struct req *rq, const char *path, struct str password, struct str code,
                             api_then *then) {
    struct json body = {0};
    json_open(&body, '{');
    json_put_text(&body, "email", visit_field(rq, "email"));
    json_put_text(&body, "password", password);
    if (code.n > 0) json_put_text(&body, "code", code);
    json_close(&body, '}');
    visit_send(rq, API_USERS, "POST", path, &body, 0, then);
}

/* --- signing in --- */

static void render_signin(struct req *rq, struct str problem) {
    const struct web *web = req_service(rq);
    struct visit *visit = visit_of(rq);
    struct str first, reason = {0};
    if (req_query(rq, "first", &first))
        reason = str_eq(first, STR("again")) ? text_of(TEXT_SIGN_SESSION_OVER) : text_of(TEXT_SIGN_FIRST);
    signin_render(page_begin(rq), &(struct signin_view){.page = visit->page,
                                                        .next = visit_next(rq),
                                                        .email = visit_field(rq, "email"),
                                                        .problem = problem,
                                                        .reason = reason,
                                                        .passkeys = *web->passkey_origin != '\0'});
    page_end(rq);
}

/* Whose session a service refused is not sent back there, or they would go in circles. */
void show_signin(struct req *rq) {
    struct str first = {0};
    req_query(rq, "first", &first);
    if (begin(rq)->user != NULL && !str_eq(first, STR("again")))
        leave_to_next(rq);
    else
        render_signin(rq, (struct str){0});
}

/* The code that was sent: of the app, or for a lost device. */
static struct str sent_code(struct req *rq) {
    struct str code = visit_field(rq, "code");
    return code.n > 0 ? code : visit_field(rq, "recovery");
}

/* The second step: the page asks for the code, and has the password with it. */
static void render_code(struct req *rq, struct str password, struct str wrong, struct str problem) {
    struct visit *visit = visit_of(rq);
    bool recovery = visit_field(rq, "code").n == 0 && visit_field(rq, "recovery").n > 0;
    signin_code_render(page_begin(rq),
                       &(struct signin_code_view){.page = visit->page,
                                                  .next = visit_next(rq),
                                                  .email = visit_field(rq, "email"),
                                                  .kept = kept_write(rq, password),
                                                  .code_error = recovery ? (struct str){0} : wrong,
                                                  .recovery_error = recovery ? wrong : (struct str){0},
                                                  .problem = problem});
    page_end(rq);
}

static void on_signed_in(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    const struct str *password = visit->own;
    bool code_sent = sent_code(rq).n > 0;
    if (answer->code == 200 && answer->session.n > 0) {
        take_session(rq, answer);
        held_drop(rq, (struct str){0});
        leave_to_next(rq);
        return;
    }
    visit->status = answer->away ? 503 : answer->code;
    if (answer->code == 403)
        render_code(rq, *password, code_sent ? text_of(TEXT_SIGN_WRONG_CODE) : (struct str){0},
                    (struct str){0});
    else if (code_sent && answer->code != 400)
        render_code(rq, *password, (struct str){0}, visit_trouble(rq, answer, TEXT_AWAY_SIGNIN));
    else
        render_signin(rq, answer->code == 400 ? text_of(TEXT_SIGN_WRONG)
                                              : visit_trouble(rq, answer, TEXT_AWAY_SIGNIN));
}

void sign_in(struct req *rq) {
    visit_begin(rq);
    if (!page_form(rq)) return;
    struct visit *visit = visit_of(rq);
    struct str *password = req_alloc(rq, sizeof *password), kept = visit_field(rq, "kept");
    visit->page.path = visit_next(rq);
    visit->own = password;
    *password = visit_field(rq, "password");
    if (kept.n > 0 && !kept_read(rq, kept, password)) {
        visit->status = 403;
        render_signin(rq, text_of(TEXT_SIGN_TOO_LATE));
        return;
    }
    ask_as_device(rq);
    send_credentials(rq, "/api/users/signin", *password, sent_code(rq), on_signed_in);
}

/* --- signing up --- */

static void render_signup(struct req *rq, const struct api_answer *answer) {
    struct visit *visit = visit_of(rq);
    struct signup_view view = {
        .page = visit->page, .next = visit_next(rq), .email = visit_field(rq, "email")};
    if (answer != NULL) {
        visit->status = answer->away ? 503 : answer->code;
        view.email_error =
            answer->code == 409 ? text_of(TEXT_SIGN_TAKEN) : visit_words(rq, api_error(answer, "email"));
        view.password_error = visit_words(rq, api_error(answer, "password"));
        view.problem = visit_trouble(rq, answer, TEXT_AWAY_SIGNUP);
    }
    signup_render(page_begin(rq), &view);
    page_end(rq);
}

void show_signup(struct req *rq) {
    if (begin(rq)->user != NULL)
        leave_to_next(rq);
    else
        render_signup(rq, NULL);
}

static void on_signed_up(struct req *rq, const struct api_answer *answer) {
    if (answer->code == 201 && answer->session.n > 0) {
        struct str next = visit_next(rq);
        const char *mark = memchr(next.p, '?', next.n) == NULL ? "?" : "&";
        take_session(rq, answer);
        held_drop(rq, (struct str){0});
        page_go(rq, "%.*s%sdone=welcome", (int)next.n, next.p, mark);
    } else if (answer->code == 202) {
        page_go(rq, "/sent");
    } else {
        render_signup(rq, answer);
    }
}

void sign_up(struct req *rq) {
    visit_begin(rq);
    if (!page_form(rq)) return;
    visit_of(rq)->page.path = visit_next(rq);
    send_credentials(rq, "/api/users/signup", visit_field(rq, "password"), (struct str){0}, on_signed_up);
}

/* --- signing out: the session ends everywhere; the cookie goes, whether the service answers or not --- */

static void on_signed_out(struct req *rq, const struct api_answer *answer) {
    (void)answer;
    req_set_cookie(rq, "session", STR(""), 0);
    held_drop(rq, (struct str){0});
    page_go(rq, "/?done=out");
}

void sign_out(struct req *rq) {
    visit_begin(rq);
    if (!page_form(rq)) return;
    bool everywhere = str_eq(visit_field(rq, "everywhere"), STR("true"));
    visit_ask(rq, API_USERS, "POST", on_signed_out, "/api/users/signout%s",
              everywhere ? "?everywhere=true" : "");
}
