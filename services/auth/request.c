#include "request.h"

#include "arena.h"
#include "browser.h"
#include "language.h"
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

void auth_put_session(struct req *rq, struct sql_params *item) {
    const struct auth_request *a = req_state(rq);
    put_uuid(item, &a->job.session.session);
    put_int(item, a->job.session_s);
    put_text(item, a->address);
    put_optional_text(item, a->browser);
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
    if (a->account_known) a->account_id = row_uuid(rows, 0, ID);
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
