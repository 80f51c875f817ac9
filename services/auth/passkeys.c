/* A passkey stands in place of a password and a code: the authenticator has seen that its owner is there, and
 * that it is he. To add one takes both, as nothing else keeps a stolen session from staying for good. */
#include "passkeys.h"

#include "arena.h"
#include "queries.h"
#include "request.h"

/* False: there are none here, answered. */
static bool has_site(struct req *rq) {
    const struct auth *auth = req_service(rq);
    bool here = auth->site.host != NULL;
    if (!here) req_fail(rq, 404, NULL, "Nobody signs in by a passkey here");
    return here;
}

/* --- GET /api/users/passkeys/challenge --- */

void passkeys_challenge(struct req *rq) {
    const struct auth *auth = req_service(rq);
    char challenge[CHALLENGE_TEXT];
    if (!has_site(rq)) return;
    challenge_write(&auth->site, challenge);
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_put_text(out, "challenge", str_of(challenge));
    json_put_text(out, "rpId", str_of(auth->site.host));
    json_close(out, '}');
    req_reply(rq, 200);
}

/* --- GET /api/users/me/passkeys --- */

static void write_passkey(struct json *out, struct uuid id, struct str credential, struct str name,
                          int64_t added_us) {
    char text[BASE64_TEXT(PASSKEY_ID)];
    base64_encode((const uint8_t *)credential.p, credential.n, text);
    json_put_uuid(out, "id", id);
    json_put_text(out, "credentialId", str_of(text));
    json_put_text(out, "name", name);
    json_key(out, "addedAt");
    json_time(out, added_us);
}

/* The columns of list_passkeys. */
enum { PASSKEY = 1, CREDENTIAL, NAME, ADDED, USED };

static void write_row(struct json *out, const struct rows *rows, int row) {
    json_open(out, '{');
    write_passkey(out, row_uuid(rows, row, PASSKEY), row_text(rows, row, CREDENTIAL),
                  row_text(rows, row, NAME), row_time(rows, row, ADDED));
    if (!row_null(rows, row, USED)) {
        json_key(out, "usedAt");
        json_time(out, row_time(rows, row, USED));
    }
    json_close(out, '}');
}

static void on_listed(struct req *rq, const struct rows *rows) {
    struct json *out = req_json(rq);
    json_open(out, '[');
    for (int i = 0; i < rows->count; i++)
        write_row(out, rows, i);
    json_close(out, ']');
    req_reply(rq, 200);
}

void passkeys_list(struct req *rq) {
    if (!has_site(rq)) return;
    struct sql_params *item = req_exec(rq, &sql_list_passkeys, on_listed);
    if (item != NULL) req_put_user(rq, item);
}

/* --- POST /api/users/me/passkeys --- */

/* The columns of add_passkey. */
enum { VERDICT = 1, ADDED_ID, ADDED_AT };

static void reply_added(struct req *rq, const struct rows *rows) {
    const struct auth_request *a = req_state(rq);
    struct json *out = req_json(rq);
    json_open(out, '{');
    write_passkey(out, row_uuid(rows, 0, ADDED_ID), a->passkey->made.credential, a->passkey->name,
                  row_time(rows, 0, ADDED_AT));
    json_close(out, '}');
    req_reply(rq, 201);
}

static void on_added(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, VERDICT);
    if (str_eq(verdict, STR("done")))
        reply_added(rq, rows);
    else if (str_eq(verdict, STR("code")))
        auth_code_taken(rq, "PasskeyAdd");
    else if (str_eq(verdict, STR("known")))
        req_fail(rq, 409, NULL, "This passkey was added before");
    else if (str_eq(verdict, STR("full")))
        req_fail(rq, 409, NULL, "You have 20 passkeys already: remove one first");
    else
        auth_fail_current(rq); /* it was, a moment ago */
}

static void put_passkey(struct sql_params *item, const struct passkey_sent *sent) {
    put_bytes(item, sent->made.credential);
    put_int(item, sent->made.algorithm);
    put_bytes(item, sent->made.key);
    put_int(item, sent->made.count);
    put_text(item, sent->name);
}

static void on_add_allowed(struct req *rq, void *done) {
    const struct auth_request *a = req_state(rq);
    if (!auth_current_right(rq, "PasskeyAdd", done)) return;
    struct sql_params *item = req_exec(rq, &sql_add_passkey, on_added);
    if (item == NULL) return;
    put_uuid(item, &req_user(rq)->user);
    put_text(item, a->job.known);
    put_passkey(item, a->passkey);
    put_text(item, a->language);
    put_text(item, req_traceparent(rq));
    auth_put_asking(rq, item);
    factor_put(item, &a->factor);
}

static void on_user_adds(struct req *rq, const struct rows *rows) {
    if (auth_look_up(rq, rows)) auth_hash(rq, on_add_allowed);
}

void passkeys_add(struct req *rq) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = auth_request_new(rq);
    struct passkey_sent *sent = a->passkey = req_alloc(rq, sizeof *sent);
    struct str key;
    if (!has_site(rq) || !req_idempotency_key(rq, &key) || !req_body(rq, new_passkey_fields, sent)) return;
    const char *wrong = passkey_made(&auth->site, &sent->said, req_arena(rq), &sent->made);
    if (wrong != NULL) {
        req_fail(rq, 400, "authenticatorData", "%s", wrong);
        return;
    }
    auth_try(rq, sent->current_password, sent->code);
    auth_attempt(rq, STR("signin"), auth->signin_rate, &req_user(rq)->user, on_user_adds);
}

/* --- DELETE /api/users/me/passkeys/:id --- */

static void on_removed(struct req *rq, const struct rows *rows) {
    if (row_bool(rows, 0, 1))
        req_reply(rq, 204);
    else
        req_fail(rq, 404, NULL, "No such passkey");
}

void passkeys_remove(struct req *rq) {
    struct uuid id = req_path_uuid(rq, 0);
    const struct auth_request *a = auth_request_new(rq);
    struct sql_params *item = req_exec(rq, &sql_remove_passkey, on_removed);
    if (item == NULL) return;
    put_uuid(item, &req_user(rq)->user);
    put_uuid(item, &id);
    put_text(item, a->language);
    put_text(item, req_traceparent(rq));
    auth_put_asking(rq, item);
}

/* --- POST /api/users/passkeys/signin --- */

static void on_refused(struct req *rq, const struct rows *rows) {
    (void)rows;
    req_fail(rq, 400, NULL, "This passkey is not known here, or its answer came too late");
}

/* Whatever is wrong with it: nobody learns what is known here. */
static void refuse(struct req *rq) {
    auth_note_refusal(rq, "SignIn", "passkey", 0, on_refused);
}

/* Of an account that has changed meanwhile it is looked up again. */
static void on_begun(struct req *rq, const struct rows *rows) {
    if (row_bool(rows, 0, 1))
        auth_reply_signed_in(rq, 200);
    else if (row_bool(rows, 0, 2))
        refuse(rq);
    else
        req_again(rq, passkeys_sign_in);
}

static void on_signed(struct req *rq, void *done) {
    const struct hash_job *job = done;
    const struct auth_request *a = req_state(rq);
    if (job->token[0] == '\0') {
        refuse(rq);
        return;
    }
    struct sql_params *item = req_exec(rq, &sql_sign_in_by_passkey, on_begun);
    if (item == NULL) return;
    put_uuid(item, &job->session.user);
    put_int(item, job->session.version);
    auth_put_session(rq, item);
    put_text(item, req_traceparent(rq));
    put_bytes(item, a->passkey->credential);
    put_int(item, a->passkey->made.count);
    put_bytes(item, (struct str){(const char *)a->passkey->nonce, CHALLENGE_NONCE});
}

/* On the hasher's thread. */
static bool check_signature(void *sent) {
    struct passkey_sent *s = sent;
    return passkey_signed(s->site, &s->said, &s->made, &s->made.count, s->nonce);
}

/* The columns of find_passkey. */
enum { OWNER = 1, OWNER_EMAIL, OWNER_SESSIONS, OWNER_VERIFIED, ALGORITHM, KEY };

static void on_found(struct req *rq, const struct rows *rows) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = req_state(rq);
    struct hash_job *job = &a->job;
    a->account_known = !row_null(rows, 0, OWNER);
    if (!a->account_known) {
        refuse(rq);
        return;
    }
    a->account_id = job->session.user = row_uuid(rows, 0, OWNER);
    a->account = job->session.email = arena_str(req_arena(rq), row_text(rows, 0, OWNER_EMAIL));
    job->session.version = (int32_t)row_int(rows, 0, OWNER_SESSIONS);
    job->session.unverified = auth->verify_email && !row_bool(rows, 0, OWNER_VERIFIED);
    a->passkey->made = (struct passkey){.algorithm = (int)row_int(rows, 0, ALGORITHM),
                                        .key = arena_str(req_arena(rq), row_text(rows, 0, KEY))};
    a->passkey->site = &auth->site;
    job->also = check_signature;
    job->also_arg = a->passkey;
    auth_hash(rq, on_signed);
}

static void on_counted(struct req *rq, const struct rows *rows) {
    const struct auth_request *a = req_state(rq);
    if (!auth_let_through(rq, rows)) return;
    struct sql_params *item = req_exec(rq, &sql_find_passkey, on_found);
    if (item != NULL) put_bytes(item, a->passkey->credential);
}

/* As of a password: once more is as good as once, so the key is only looked at. It is counted by itself:
 * there is nothing to be guessed, and whoever guesses passwords from the same address keeps nobody out. */
void passkeys_sign_in(struct req *rq) {
    const struct auth *auth = req_service(rq);
    struct auth_request *a = auth_request_new(rq);
    struct str key;
    a->passkey = req_alloc(rq, sizeof *a->passkey);
    if (!has_site(rq) || !req_idempotency_key(rq, &key) || !req_body(rq, passkey_sign_in_fields, a->passkey))
        return;
    auth_attempt(rq, STR("passkey"), auth->signin_rate, NULL, on_counted);
}
