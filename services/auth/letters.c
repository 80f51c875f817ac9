#include "letters.h"

#include "link.h"
#include "queries.h"
#include "request.h"

static void reply_empty(struct req *rq, int status) {
    req_reply_raw(rq, status, "application/json", STR("{}"));
}

/* --- POST /api/users/signup, where addresses are verified --- */

static void on_written(struct req *rq, const struct rows *rows) {
    (void)rows;
    reply_empty(rq, 202);
}

static void on_sign_up_hashed(struct req *rq, void *done) {
    const struct auth_request *a = req_state(rq);
    const struct hash_job *job = done;
    struct uuid user = uuid_v7();
    struct sql_params *item = req_exec(rq, &sql_sign_up, on_written);
    if (item == NULL) return;
    put_uuid(item, &user);
    put_uuid(item, &a->letter);
    put_text(item, a->in.email);
    put_text(item, str_of(job->hash));
    put_text(item, a->language);
    put_text(item, req_traceparent(rq));
    put_text(item, a->address);
}

/* The hash is made in any case: it is most of the time that an answer takes. An Idempotency-Key is not looked
 * at: what it is good for, one account and one letter, holds without it. */
void letters_sign_up(struct req *rq) {
    struct auth_request *a = req_state(rq);
    a->letter = uuid_v7();
    a->job.fresh = a->in.password;
    auth_hash(rq, on_sign_up_hashed);
}

/* --- POST /api/users/password-reset --- */

static void on_reset_asked(struct req *rq, const struct rows *rows) {
    const struct auth_request *a = req_state(rq);
    if (!auth_let_through(rq, rows)) return;
    struct uuid letter = uuid_v7();
    struct sql_params *item = req_exec(rq, &sql_ask_reset, on_written);
    if (item == NULL) return;
    put_uuid(item, &letter);
    put_text(item, a->in.email);
    put_text(item, a->language);
    put_text(item, req_traceparent(rq));
    put_text(item, a->address);
}

void letters_ask_reset(struct req *rq) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = auth_request_new(rq);
    struct str key;
    if (!req_idempotency_key(rq, &key) || !req_body(rq, lost_fields, &a->in)) return;
    auth_attempt(rq, STR("reset"), auth->signup_rate, NULL, on_reset_asked);
}

/* --- the links of letters --- */

static void fail_link(struct req *rq) {
    req_fail(rq, 400, "token", "is not good any more, ask for another letter");
}

static void on_followed(struct req *rq, const struct rows *rows) {
    if (row_bool(rows, 0, 1))
        reply_empty(rq, 200);
    else
        fail_link(rq);
}

static void follow(struct req *rq, struct str kind, struct str hash) {
    const struct auth_request *a = req_state(rq);
    struct sql_params *item = req_exec(rq, &sql_follow_link, on_followed);
    if (item == NULL) return;
    put_uuid(item, &a->letter);
    put_text(item, kind);
    put_optional_text(item, hash);
    put_text(item, a->language);
    put_text(item, req_traceparent(rq));
    put_text(item, a->address);
}

static void on_verify_counted(struct req *rq, const struct rows *rows) {
    if (auth_let_through(rq, rows)) follow(rq, STR("verify"), (struct str){0});
}

static void on_reset_hashed(struct req *rq, void *done) {
    follow(rq, STR("reset"), str_of(((const struct hash_job *)done)->hash));
}

static void on_reset_counted(struct req *rq, const struct rows *rows) {
    if (auth_let_through(rq, rows)) auth_hash(rq, on_reset_hashed);
}

/* Reads what follows a link, and counts it by its address. A token that is none of ours costs no more. */
static void read_link(struct req *rq, const struct body_field *fields, req_done *counted) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = auth_request_new(rq);
    struct following following = {0};
    struct str key;
    if (!req_idempotency_key(rq, &key) || !req_body(rq, fields, &following)) return;
    if (!link_read(auth->links, following.token, &a->letter)) {
        fail_link(rq);
        return;
    }
    a->job.fresh = following.password;
    auth_attempt(rq, STR("link"), auth->signup_rate, NULL, counted);
}

void letters_verify(struct req *rq) {
    read_link(rq, verify_fields, on_verify_counted);
}

void letters_reset(struct req *rq) {
    read_link(rq, reset_fields, on_reset_counted);
}
