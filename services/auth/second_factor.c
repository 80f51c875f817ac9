/* As the requests about a password go (routes.c): each counts the attempt and looks the user up, does the
 * slow cryptography on another thread, and writes. */
#include "second_factor.h"

#include "arena.h"
#include "queries.h"
#include "request.h"

/* --- GET /api/users/me/second-factor --- */

static void on_shown(struct req *rq, const struct rows *rows) {
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_key(out, "enabled");
    json_bool(out, row_bool(rows, 0, 1));
    json_put_int(out, "recoveryCodesLeft", row_int(rows, 0, 2));
    json_close(out, '}');
    req_reply(rq, 200);
}

void second_factor_show(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_get_second_factor, on_shown);
    if (item != NULL) req_put_user(rq, item);
}

/* --- the steps that they share --- */

/* Counts it as a try of a password, by whom it is about. */
static void attempt(struct req *rq, req_done *then) {
    const struct auth *auth = req_service(rq);
    auth_attempt(rq, STR("signin"), auth->signin_rate, &req_user(rq)->user, then);
}

static bool read_current(struct req *rq) {
    auth_request_new(rq);
    struct change change = {0};
    struct str key;
    if (!req_idempotency_key(rq, &key) || !req_body(rq, current_fields, &change)) return false;
    auth_try(rq, change.current_password, change.code);
    return true;
}

static void fail_on(struct req *rq) {
    req_fail(rq, 409, NULL, "The second factor is on already: turn it off first");
}

/* --- POST /api/users/me/second-factor: a secret, which is not on before it was confirmed --- */

static void reply_begun(struct req *rq) {
    struct auth_request *a = req_state(rq);
    struct buf uri = {0};
    totp_uri(&uri, a->secret, a->account);
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_put_text(out, "secret", str_of(a->secret));
    json_put_text(out, "uri", buf_str(&uri));
    json_close(out, '}');
    sodium_memzero(a->secret, TOTP_TEXT);
    sodium_memzero(uri.data, uri.len);
    buf_free(&uri);
    req_reply(rq, 200);
}

static void on_begun(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, 1);
    if (str_eq(verdict, STR("begun")))
        reply_begun(rq);
    else if (str_eq(verdict, STR("on")))
        fail_on(rq);
    else
        auth_fail_current(rq); /* it was, a moment ago */
}

static void on_begin_allowed(struct req *rq, void *done) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = req_state(rq);
    uint8_t secret[TOTP_SECRET], sealed[SEALED];
    if (!auth_current_right(rq, "SecondFactorOn", done)) return;
    struct sql_params *item = req_exec(rq, &sql_begin_second_factor, on_begun);
    if (item == NULL) return;
    randombytes_buf(secret, sizeof secret);
    sealed_write(auth->links, &req_user(rq)->user, secret, sealed);
    a->secret = req_alloc(rq, TOTP_TEXT);
    totp_text(secret, a->secret);
    sodium_memzero(secret, sizeof secret);
    put_uuid(item, &req_user(rq)->user);
    put_text(item, a->job.known);
    put_bytes(item, (struct str){(const char *)sealed, sizeof sealed});
}

/* Where one is on there is nothing to begin, whatever the code. */
static void on_user_begins(struct req *rq, const struct rows *rows) {
    struct auth_request *a = req_state(rq);
    if (!auth_look_up(rq, rows)) return;
    a->job.also = NULL;
    auth_hash(rq, on_begin_allowed);
}

void second_factor_begin(struct req *rq) {
    if (read_current(rq)) attempt(rq, on_user_begins);
}

/* --- POST /api/users/me/second-factor/confirm: on, from now on --- */

static void reply_recovery(struct req *rq) {
    struct auth_request *a = req_state(rq);
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_key(out, "recoveryCodes");
    json_open(out, '[');
    for (int i = 0; i < RECOVERY_CODES; i++)
        json_text(out, str_of(a->recovery[i]));
    json_close(out, ']');
    json_close(out, '}');
    sodium_memzero(a->recovery, RECOVERY_CODES * sizeof a->recovery[0]);
    req_reply(rq, 200);
}

static void on_turned_on(struct req *rq, const struct rows *rows) {
    if (row_bool(rows, 0, 1))
        reply_recovery(rq);
    else
        fail_on(rq); /* or another was begun: as if this one had come before */
}

static void put_recovery(struct req *rq, struct sql_params *item) {
    struct auth_request *a = req_state(rq);
    uint8_t hashes[RECOVERY_CODES][RECOVERY_HASH];
    a->recovery = req_alloc(rq, RECOVERY_CODES * sizeof a->recovery[0]);
    for (int i = 0; i < RECOVERY_CODES; i++) {
        recovery_make(a->recovery[i]);
        recovery_hash(&req_user(rq)->user, str_of(a->recovery[i]), hashes[i]);
    }
    put_bytes(item, (struct str){(const char *)hashes, sizeof hashes});
}

static void on_unconfirmed(struct req *rq, const struct rows *rows) {
    (void)rows;
    req_fail(rq, 400, "code", "is wrong; see that the clock of your device is right");
}

static void turn_on(struct req *rq) {
    const struct auth_request *a = req_state(rq);
    struct sql_params *item = req_exec(rq, &sql_turn_on_second_factor, on_turned_on);
    if (item == NULL) return;
    put_uuid(item, &req_user(rq)->user);
    put_bytes(item, a->factor.sealed);
    put_int(item, a->factor.step);
    put_recovery(rq, item);
    put_text(item, a->language);
    put_text(item, req_traceparent(rq));
    auth_put_asking(rq, item);
}

static void on_user_confirms(struct req *rq, const struct rows *rows) {
    struct auth_request *a = req_state(rq);
    if (!auth_look_up(rq, rows)) return;
    if (a->ended) {
        req_fail(rq, 401, NULL, "sign in first");
    } else if (a->factor.on) {
        fail_on(rq);
    } else if (a->factor.sealed.n == 0) {
        req_fail(rq, 409, NULL, "There is no second factor to confirm: begin first");
    } else {
        a->factor.step = factor_step(&a->factor);
        if (a->factor.step > 0)
            turn_on(rq);
        else
            auth_note_failure(rq, "SecondFactorOn", "code", on_unconfirmed);
    }
}

void second_factor_confirm(struct req *rq) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = auth_request_new(rq);
    struct change change = {0};
    struct str key;
    if (!req_idempotency_key(rq, &key) || !req_body(rq, confirm_fields, &change)) return;
    a->factor.keys = auth->links;
    a->factor.typed = change.code;
    attempt(rq, on_user_confirms);
}

/* --- POST /api/users/me/second-factor/off --- */

/* One that is off was turned off before: as good as now. */
static void on_turned_off(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, 1);
    if (str_eq(verdict, STR("stale")))
        auth_fail_current(rq);
    else if (str_eq(verdict, STR("code")))
        auth_code_taken(rq, "SecondFactorOff");
    else
        req_reply(rq, 204);
}

static void on_off_allowed(struct req *rq, void *done) {
    const struct auth_request *a = req_state(rq);
    if (!auth_current_right(rq, "SecondFactorOff", done)) return;
    struct sql_params *item = req_exec(rq, &sql_turn_off_second_factor, on_turned_off);
    if (item == NULL) return;
    put_uuid(item, &req_user(rq)->user);
    put_text(item, a->job.known);
    put_text(item, a->language);
    put_text(item, req_traceparent(rq));
    auth_put_asking(rq, item);
    factor_put(item, &a->factor);
}

static void on_user_turns_off(struct req *rq, const struct rows *rows) {
    if (auth_look_up(rq, rows)) auth_hash(rq, on_off_allowed);
}

void second_factor_off(struct req *rq) {
    if (read_current(rq)) attempt(rq, on_user_turns_off);
}
