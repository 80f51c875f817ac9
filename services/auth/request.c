#include "request.h"

#include "arena.h"
#include "browser.h"
#include "language.h"
#include "passwords.h"
#include "queries.h"

struct auth_request *auth_request_new(struct req *rq) {
    struct auth_request *a = req_alloc(rq, sizeof *a);
    struct str accept = {0}, agent = {0};
    req_header(rq, "accept-language", &accept);
    language_use(language_wanted(accept));
    a->language = language_form()->tag;
    a->address = req_client_address(rq);
    req_header(rq, "user-agent", &agent);
    a->browser = browser_of(agent);
    req_set_state(rq, a);
    return a;
}

void auth_write_user(struct json *out, const struct uuid *id, struct str email) {
    json_put_uuid(out, "id", *id);
    json_put_text(out, "email", email);
}

void auth_reply_signed_in(struct req *rq, int status) {
    const struct auth *auth = req_service(rq);
    const struct hash_job *job = &((struct auth_request *)req_state(rq))->job;
    req_set_cookie(rq, "session", str_of(job->token), auth->session_ms / 1000);
    struct json *out = req_json(rq);
    json_open(out, '{');
    auth_write_user(out, &job->session.user, job->session.email);
    json_close(out, '}');
    req_reply(rq, status);
}

void auth_put_session(struct req *rq, struct sql_params *item) {
    const struct auth_request *a = req_state(rq);
    put_uuid(item, &a->job.session.session);
    put_int(item, a->job.session_s);
    put_text(item, a->address);
    put_optional_text(item, a->browser);
}

void auth_put_asking(struct req *rq, struct sql_params *item) {
    const struct auth_request *a = req_state(rq);
    put_optional_uuid(item, req_user(rq)->version > 0, &req_user(rq)->session);
    put_text(item, a->address);
}

/* By the token of a session, which may be over: its id, whose it was, and the version of his sessions then.
 */
static void put_device(struct req *rq, struct auth_request *a, struct sql_params *item) {
    static const struct uuid none;
    struct identity was;
    bool given = req_was(rq, &was);
    if (given) a->device = uuid_eq(&was.session, &none) ? was.user : was.session;
    put_optional_uuid(item, given, &a->device);
    put_optional_uuid(item, given, &was.user);
    put_int(item, given && was.version > 0 ? was.version : 1);
}

void auth_attempt(struct req *rq, struct str what, int64_t most, const struct uuid *user, req_done *done) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = req_state(rq);
    struct sql_params *item = req_exec(rq, &sql_attempt, done);
    if (item == NULL) return;
    put_text(item, what);
    put_int(item, most);
    put_text(item, a->address);
    if (user == NULL) {
        put_optional_text(item, a->in.email);
        put_null(item);
    } else {
        put_null(item);
        put_uuid(item, user);
    }
    put_optional_text(item, a->key);
    put_device(rq, a, item);
    put_int(item, auth->failed_a_day);
}

bool auth_let_through(struct req *rq, const struct rows *rows) {
    struct auth_request *a = req_state(rq);
    int wait = (int)row_int(rows, 0, WAIT);
    a->device_known = row_bool(rows, 0, KNOWN);
    a->account_known = !row_null(rows, 0, ID);
    if (a->account_known) a->account_id = a->factor.user = row_uuid(rows, 0, ID);
    if (!row_null(rows, 0, FACTOR)) a->factor.sealed = auth_copy_text(rq, rows, FACTOR);
    a->factor.on = row_bool(rows, 0, FACTOR_ON);
    a->account = row_null(rows, 0, EMAIL) ? a->in.email : arena_str(req_arena(rq), row_text(rows, 0, EMAIL));
    if (wait > 0) req_retry_after(rq, 429, wait, "Too many attempts, try again later");
    return wait == 0;
}

void auth_hash(struct req *rq, void (*then)(struct req *rq, void *job)) {
    const struct auth *auth = req_service(rq);
    struct hash_job *job = &((struct auth_request *)req_state(rq))->job;
    job->session_s = auth->session_ms / 1000;
    job->known_device = ((struct auth_request *)req_state(rq))->device_known;
    if (hasher_give(auth->hasher, job, rq, then) != ST_OK)
        req_retry_after(rq, 503, hasher_patience(auth->hasher), "Too many people are signing in, try again");
}

struct str auth_copy_text(struct req *rq, const struct rows *rows, enum auth_column column) {
    return arena_str(req_arena(rq), row_text(rows, 0, column));
}

/* --- passwords and codes --- */

/* On the hasher's thread, once the password was right: whether there is a second factor does not show where
 * it was wrong. */
static bool check_code(void *factor) {
    return factor_check(factor);
}

void auth_try(struct req *rq, struct str password, struct str code) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = req_state(rq);
    struct hash_job *job = &a->job;
    job->check = true;
    job->password = passwords_normal(req_arena(rq), password);
    if (!str_eq(job->password, password)) job->as_typed = password;
    a->factor.keys = auth->links;
    a->factor.typed = code;
    job->also = check_code;
    job->also_arg = &a->factor;
}

void auth_note_refusal(struct req *rq, const char *what, const char *reason, int64_t most, req_done *then) {
    const struct auth_request *a = req_state(rq);
    const struct identity *user = req_user(rq); /* who signs in may still be somebody else */
    bool own = user != NULL && a->account_known && uuid_eq(&user->user, &a->account_id);
    struct sql_params *item = req_exec(rq, &sql_note_failure, then);
    if (item == NULL) return;
    put_text(item, a->account);
    put_text(item, a->address);
    put_optional_uuid(item, a->device_known, &a->device);
    put_int(item, most);
    put_text(item, str_of(what));
    put_text(item, str_of(reason));
    put_optional_uuid(item, a->account_known, &a->account_id);
    put_optional_uuid(item, own && user->version > 0, own ? &user->session : NULL);
    put_text(item, req_traceparent(rq));
}

void auth_note_failure(struct req *rq, const char *what, const char *reason, req_done *then) {
    const struct auth *auth = req_service(rq);
    auth_note_refusal(rq, what, reason, auth->signin_rate == 0 ? 0 : auth->failed_a_day, then);
}

/* One reason for both: a program asks for the code, whether it had sent one or not. */
static void on_no_code(struct req *rq, const struct rows *rows) {
    (void)rows;
    req_refuse(rq, 403, "second_factor", "Send a code of the second factor along");
}

static void on_wrong_code(struct req *rq, const struct rows *rows) {
    (void)rows;
    req_refuse(rq, 403, "second_factor", "This code is wrong, or was used before");
}

bool auth_code_right(struct req *rq, const char *what) {
    const struct auth_request *a = req_state(rq);
    if (a->factor.found == FACTOR_MISSING)
        auth_note_refusal(rq, what, "no code", 0, on_no_code);
    else if (a->factor.found == FACTOR_WRONG)
        auth_code_taken(rq, what);
    return a->factor.found != FACTOR_MISSING && a->factor.found != FACTOR_WRONG;
}

/* To guess one is as good as to have seen it: it counts as a wrong one. */
void auth_code_taken(struct req *rq, const char *what) {
    auth_note_failure(rq, what, "code", on_wrong_code);
}

void auth_fail_current(struct req *rq) {
    req_fail(rq, 400, "currentPassword", "is wrong");
}

static void on_wrong_current(struct req *rq, const struct rows *rows) {
    (void)rows;
    auth_fail_current(rq);
}

bool auth_current_right(struct req *rq, const char *what, const struct hash_job *job) {
    const struct auth_request *a = req_state(rq);
    if (!job->right)
        auth_note_failure(rq, what, "password", on_wrong_current);
    else if (a->ended)
        req_fail(rq, 401, NULL, "sign in first");
    else
        return auth_code_right(rq, what);
    return false;
}

bool auth_session_is_old(struct req *rq, const struct rows *rows) {
    int64_t sessions = row_int(rows, 0, SESSIONS);
    return sessions > 1 && req_user(rq)->version < sessions;
}

bool auth_look_up(struct req *rq, const struct rows *rows) {
    struct auth_request *a = req_state(rq);
    if (!auth_let_through(rq, rows)) return false;
    if (!a->account_known) {
        req_fail(rq, 401, NULL, "This account is no more");
        return false;
    }
    a->ended = auth_session_is_old(rq, rows);
    a->job.known = auth_copy_text(rq, rows, HASH);
    return true;
}
