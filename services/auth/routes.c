/* Each of the three requests about a password goes the same way: count the attempt and look the user up (one
 * statement), do the slow cryptography on another thread (hasher.h), write (one statement). */
#include "routes.h"

#include <strings.h>

#include "arena.h"
#include "fields.h"
#include "letters.h"
#include "passkeys.h"
#include "queries.h"
#include "request.h"
#include "second_factor.h"
#include "sessions.h"

/* --- answers --- */

static void fail_in_use(struct req *rq) {
    req_fail(rq, 409, "email", "Email in use");
}

/* --- the steps that they share --- */

/* Has the password checked that the user of the row has, and a session signed for him. */
static void check_password(struct req *rq, const struct rows *rows, struct str password,
                           void (*then)(struct req *rq, void *job)) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = req_state(rq);
    struct hash_job *job = &a->job;
    auth_try(rq, password, a->in.code);
    if (!row_null(rows, 0, ID)) {
        job->known = auth_copy_text(rq, rows, HASH);
        job->session.user = row_uuid(rows, 0, ID);
        job->session.email = auth_copy_text(rq, rows, EMAIL);
        job->session.version = (int32_t)row_int(rows, 0, SESSIONS);
        job->session.unverified = auth->verify_email && !row_bool(rows, 0, VERIFIED);
    }
    auth_hash(rq, then);
}

/* Begins the session that the job signed for whose password and code were right. */
static void begin_session(struct req *rq, req_done *then) {
    const struct auth_request *a = req_state(rq);
    const struct hash_job *job = &a->job;
    struct sql_params *item = req_exec(rq, &sql_begin_session, then);
    if (item == NULL) return;
    put_uuid(item, &job->session.user);
    put_int(item, job->session.version);
    auth_put_session(rq, item);
    put_text(item, job->known);
    put_optional_text(item, str_of(job->hash));
    put_text(item, req_traceparent(rq));
    factor_put(item, &a->factor);
}

/* Of an account that has changed meanwhile the password is checked again. */
static void reply_begun(struct req *rq, const struct rows *rows, int status, req_handler *again) {
    if (row_bool(rows, 0, 1))
        auth_reply_signed_in(rq, status);
    else if (row_bool(rows, 0, 2))
        auth_code_taken(rq, "SignIn");
    else
        req_again(rq, again);
}

/* --- POST /api/users/signup --- */

static bool same_email(struct str a, struct str b) {
    return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

static void sign_up(struct req *rq);

static void on_begun_again(struct req *rq, const struct rows *rows) {
    reply_begun(rq, rows, 201, sign_up);
}

/* Who has turned on a second factor since then needs a code, and here there is no place for one. */
static void on_repeated(struct req *rq, void *job) {
    if (!((struct hash_job *)job)->right)
        req_fail(rq, 422, NULL, "This Idempotency-Key came with another body before");
    else if (auth_code_right(rq, "SignIn"))
        begin_session(rq, on_begun_again);
}

/* The key signed somebody up before: the same person again, if e-mail and password say so. */
static void repeat(struct req *rq, const struct rows *rows) {
    const struct auth_request *a = req_state(rq);
    if (same_email(a->in.email, row_text(rows, 0, EMAIL)))
        check_password(rq, rows, a->in.password, on_repeated);
    else
        req_fail(rq, 422, NULL, "This Idempotency-Key came with another body before");
}

/* Somebody was faster by a moment. Himself, with the same key? */
static void on_lost(struct req *rq, const struct rows *rows) {
    if (row_bool(rows, 0, BY_KEY))
        repeat(rq, rows);
    else
        fail_in_use(rq);
}

static void on_added(struct req *rq, const struct rows *rows) {
    const struct auth_request *a = req_state(rq);
    if (row_bool(rows, 0, 1))
        auth_reply_signed_in(rq, 201);
    else if (a->key.n > 0)
        auth_attempt(rq, STR("signup"), 0, NULL, on_lost);
    else
        fail_in_use(rq);
}

static void on_hashed(struct req *rq, void *done) {
    const struct auth_request *a = req_state(rq);
    const struct hash_job *job = done;
    struct sql_params *item = req_exec(rq, &sql_add_user, on_added);
    if (item == NULL) return;
    put_uuid(item, &job->session.user);
    put_text(item, a->in.email);
    put_text(item, str_of(job->hash));
    put_text(item, a->address);
    put_optional_text(item, a->key);
    put_text(item, req_traceparent(rq));
    put_uuid(item, &job->session.session);
    put_int(item, job->session_s);
    put_optional_text(item, a->browser);
}

static void on_taken(struct req *rq, const struct rows *rows) {
    (void)rows;
    fail_in_use(rq);
}

static void on_signup(struct req *rq, const struct rows *rows) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = req_state(rq);
    if (!auth_let_through(rq, rows)) return;
    if (auth->verify_email) {
        letters_sign_up(rq);
    } else if (row_bool(rows, 0, BY_KEY)) {
        repeat(rq, rows);
    } else if (!row_null(rows, 0, ID)) {
        auth_note_refusal(rq, "SignUp", "taken", 0, on_taken);
    } else {
        a->job.fresh = a->in.password;
        a->job.session.user = uuid_v7();
        a->job.session.email = a->in.email;
        a->job.session.version = 1;
        auth_hash(rq, on_hashed);
    }
}

static void sign_up(struct req *rq) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = auth_request_new(rq);
    if (!req_idempotency_key(rq, &a->key) || !req_body(rq, sign_up_fields, &a->in)) return;
    auth_attempt(rq, STR("signup"), auth->signup_rate, NULL, on_signup);
}

/* --- POST /api/users/signin --- */

static void sign_in(struct req *rq);

static void on_begun(struct req *rq, const struct rows *rows) {
    reply_begun(rq, rows, 200, sign_in);
}

static void on_wrong(struct req *rq, const struct rows *rows) {
    (void)rows;
    req_fail(rq, 400, NULL, "Invalid credentials");
}

static void on_checked(struct req *rq, void *done) {
    const struct hash_job *job = done;
    const struct auth_request *a = req_state(rq);
    if (!job->right)
        auth_note_failure(rq, "SignIn", a->account_known ? "password" : "no account", on_wrong);
    else if (auth_code_right(rq, "SignIn"))
        begin_session(rq, on_begun);
}

/* Whether there is such a user or not, the same work is done. */
static void on_signin(struct req *rq, const struct rows *rows) {
    const struct auth_request *a = req_state(rq);
    if (auth_let_through(rq, rows)) check_password(rq, rows, a->in.password, on_checked);
}

/* Signing in twice is as good as once, so the key is only looked at. */
static void sign_in(struct req *rq) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = auth_request_new(rq);
    struct str key;
    if (!req_idempotency_key(rq, &key) || !req_body(rq, sign_in_fields, &a->in)) return;
    auth_attempt(rq, STR("signin"), auth->signin_rate, NULL, on_signin);
}

/* --- PATCH /api/users/me --- */

static void on_changed(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, 1);
    if (str_eq(verdict, STR("done")))
        auth_reply_signed_in(rq, 200);
    else if (str_eq(verdict, STR("taken")))
        fail_in_use(rq);
    else
        auth_fail_current(rq); /* it was, a moment ago */
}

static void on_change_allowed(struct req *rq, void *done) {
    const struct auth *auth = req_service(rq);
    const struct auth_request *a = req_state(rq);
    const struct hash_job *job = done;
    if (!auth_current_right(rq, "AccountChange", job)) return;
    struct sql_params *item = req_exec(rq, &sql_update_user, on_changed);
    if (item == NULL) return;
    put_uuid(item, &job->session.user);
    put_text(item, job->known);
    put_optional_text(item, a->in.email);
    put_optional_text(item, str_of(job->hash));
    put_text(item, req_traceparent(rq));
    put_text(item, a->language);
    put_bool(item, auth->verify_email);
    put_uuid(item, &a->letter);
    auth_put_session(rq, item);
}

static void on_me(struct req *rq, const struct rows *rows) {
    struct auth_request *a = req_state(rq);
    if (!auth_let_through(rq, rows)) return;
    if (row_null(rows, 0, ID)) {
        req_fail(rq, 401, NULL, "This account is no more");
        return;
    }
    const struct auth *auth = req_service(rq);
    int32_t sessions = (int32_t)row_int(rows, 0, SESSIONS);
    bool moves =
        auth->verify_email && a->in.email.n > 0 && !same_email(a->in.email, row_text(rows, 0, EMAIL));
    a->ended = auth_session_is_old(rq, rows);
    struct hash_job *job = &a->job;
    job->known = auth_copy_text(rq, rows, HASH);
    job->fresh = a->in.password;
    bool others_end = job->fresh.n > 0 || moves;
    job->session.version = sessions + others_end;
    if (!others_end) job->session.session = req_user(rq)->session;
    job->session.unverified = moves || (auth->verify_email && !row_bool(rows, 0, VERIFIED));
    job->session.user = row_uuid(rows, 0, ID);
    job->session.email = a->in.email.n > 0 ? a->in.email : auth_copy_text(rq, rows, EMAIL);
    auth_hash(rq, on_change_allowed);
}

static void change_me(struct req *rq) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = auth_request_new(rq);
    struct change change = {0};
    if (!req_body(rq, change_fields, &change)) return;
    if (change.email.n == 0 && change.password.n == 0) {
        req_fail(rq, 400, NULL, "Give a new email, a new password, or both");
        return;
    }
    a->in = (struct credentials){.email = change.email, .password = change.password};
    auth_try(rq, change.current_password, (struct str){0});
    a->job.also = NULL; /* the password alone: he is signed in, and a letter tells of it */
    a->letter = uuid_v7();
    auth_attempt(rq, STR("signin"), auth->signin_rate, &req_user(rq)->user, on_me);
}

/* --- POST /api/users/me/delete --- */

/* One that is gone was deleted before: as good as now. */
static void reply_deleted(struct req *rq) {
    req_set_cookie(rq, "session", STR(""), 0);
    req_reply(rq, 204);
}

static void on_deleted(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, 1);
    if (str_eq(verdict, STR("stale")))
        auth_fail_current(rq);
    else if (str_eq(verdict, STR("code")))
        auth_code_taken(rq, "AccountDelete");
    else
        reply_deleted(rq);
}

static void on_delete_allowed(struct req *rq, void *done) {
    const struct auth_request *a = req_state(rq);
    const struct hash_job *job = done;
    if (!auth_current_right(rq, "AccountDelete", job)) return;
    struct sql_params *item = req_exec(rq, &sql_delete_user, on_deleted);
    if (item == NULL) return;
    put_uuid(item, &req_user(rq)->user);
    put_text(item, job->known);
    put_text(item, req_traceparent(rq));
    auth_put_asking(rq, item);
    factor_put(item, &a->factor);
}

static void on_me_to_delete(struct req *rq, const struct rows *rows) {
    struct auth_request *a = req_state(rq);
    if (!auth_let_through(rq, rows)) return;
    if (row_null(rows, 0, ID)) {
        reply_deleted(rq);
        return;
    }
    a->ended = auth_session_is_old(rq, rows);
    a->job.known = auth_copy_text(rq, rows, HASH);
    auth_hash(rq, on_delete_allowed);
}

static void delete_me(struct req *rq) {
    const struct auth *auth = req_service(rq);
    struct change change = {0};
    struct str key;
    auth_request_new(rq);
    if (!req_idempotency_key(rq, &key) || !req_body(rq, current_fields, &change)) return;
    auth_try(rq, change.current_password, change.code);
    auth_attempt(rq, STR("signin"), auth->signin_rate, &req_user(rq)->user, on_me_to_delete);
}

/* --- GET /.well-known/jwks.json --- */

static void jwks(struct req *rq) {
    const struct auth *auth = req_service(rq);
    req_set_header(rq, "cache-control", STR("public, max-age=300"));
    req_reply_raw(rq, 200, "application/json", session_jwks(auth->signer));
}

const struct route auth_routes[] = {
    {"POST", "/api/users/signup", sign_up, 0},
    {"POST", "/api/users/signin", sign_in, 0},
    {"POST", "/api/users/signout", sessions_sign_out, 0},
    {"GET", "/api/users/currentuser", sessions_current, 0},
    {"GET", "/api/users/sessions", sessions_list, ROUTE_SESSION},
    {"DELETE", "/api/users/sessions/{uuid}", sessions_end, ROUTE_SESSION},
    {"PATCH", "/api/users/me", change_me, ROUTE_SESSION},
    {"POST", "/api/users/me/delete", delete_me, ROUTE_SESSION},
    {"GET", "/api/users/me/second-factor", second_factor_show, ROUTE_SESSION},
    {"POST", "/api/users/me/second-factor", second_factor_begin, ROUTE_SESSION},
    {"POST", "/api/users/me/second-factor/confirm", second_factor_confirm, ROUTE_SESSION},
    {"POST", "/api/users/me/second-factor/off", second_factor_off, ROUTE_SESSION},
    {"GET", "/api/users/me/passkeys", passkeys_list, ROUTE_SESSION},
    {"POST", "/api/users/me/passkeys", passkeys_add, ROUTE_SESSION},
    {"DELETE", "/api/users/me/passkeys/{uuid}", passkeys_remove, ROUTE_SESSION},
    {"GET", "/api/users/passkeys/challenge", passkeys_challenge, 0},
    {"POST", "/api/users/passkeys/signin", passkeys_sign_in, 0},
    {"POST", "/api/users/verify", letters_verify, 0},
    {"POST", "/api/users/password-reset", letters_ask_reset, 0},
    {"POST", "/api/users/password-reset/follow", letters_reset, 0},
    {"GET", "/.well-known/jwks.json", jwks, 0},
    {0},
};
