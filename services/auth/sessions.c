#include "sessions.h"

#include "queries.h"
#include "request.h"

/* --- GET /api/users/currentuser --- */

void sessions_current(struct req *rq) {
    const struct identity *user = req_user(rq);
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_key(out, "currentUser");
    if (user == NULL) {
        json_nil(out);
    } else {
        json_open(out, '{');
        auth_write_user(out, &user->user, user->email);
        json_key(out, "iat");
        json_int(out, user->issued_s);
        json_close(out, '}');
    }
    json_close(out, '}');
    req_reply(rq, 200);
}

/* --- POST /api/users/signout --- */

static void reply_signed_out(struct req *rq) {
    req_set_cookie(rq, "session", STR(""), 0);
    req_reply_raw(rq, 200, "application/json", STR("{}"));
}

/* The one that asks, of before they had ids, has none. */
static void put_ended(struct req *rq, struct sql_params *item, const struct uuid *session, bool everywhere) {
    const struct identity *user = req_user(rq);
    bool has_id = user->version > 0;
    put_uuid(item, &user->user);
    put_optional_uuid(item, has_id || session != &user->session, session);
    put_bool(item, everywhere);
    put_text(item, req_traceparent(rq));
    put_optional_uuid(item, has_id, &user->session);
    put_text(item, req_client_address(rq));
}

static void on_signed_out(struct req *rq, const struct rows *rows) {
    if (row_bool(rows, 0, 1))
        reply_signed_out(rq);
    else
        req_again(rq, sessions_sign_out);
}

/* ?everywhere=true; false: answered. */
static bool read_everywhere(struct req *rq, bool *everywhere) {
    struct str said = STR("false");
    req_query(rq, "everywhere", &said);
    *everywhere = str_eq(said, STR("true"));
    if (*everywhere || str_eq(said, STR("false"))) return true;
    req_fail(rq, 400, "everywhere", "must be true or false");
    return false;
}

/* Nobody may sign out, too. A session of before they had ids ends by itself. */
void sessions_sign_out(struct req *rq) {
    struct str key;
    bool everywhere;
    if (!req_idempotency_key(rq, &key) || !read_everywhere(rq, &everywhere)) return;
    const struct identity *user = req_user(rq);
    if (user == NULL || (user->version == 0 && !everywhere)) {
        reply_signed_out(rq);
        return;
    }
    struct sql_params *item = req_exec(rq, &sql_end_sessions, on_signed_out);
    if (item != NULL) put_ended(rq, item, &user->session, everywhere);
}

/* --- GET /api/users/sessions --- */

static void write_text(struct json *out, const char *key, const struct rows *rows, int row, int column) {
    if (!row_null(rows, row, column) && row_text(rows, row, column).n > 0)
        json_put_text(out, key, row_text(rows, row, column));
}

static void write_session(struct json *out, struct uuid id, int64_t signed_in_us, bool current) {
    json_put_uuid(out, "id", id);
    json_key(out, "signedInAt");
    json_time(out, signed_in_us);
    json_key(out, "current");
    json_bool(out, current);
}

/* The columns of list_sessions. */
enum { SESSION = 1, BEGUN, ADDRESS, BROWSER };

/* True: it is the one that asks. */
static bool write_row(struct json *out, const struct rows *rows, int row, const struct uuid *asking) {
    struct uuid id = row_uuid(rows, row, SESSION);
    bool current = uuid_eq(&id, asking);
    json_open(out, '{');
    write_session(out, id, row_time(rows, row, BEGUN), current);
    write_text(out, "address", rows, row, ADDRESS);
    write_text(out, "browser", rows, row, BROWSER);
    json_close(out, '}');
    return current;
}

/* The one that asks is there in any case: those of before there was a list are not on it. */
static void on_listed(struct req *rq, const struct rows *rows) {
    const struct identity *user = req_user(rq);
    struct json *out = req_json(rq);
    bool found = user->version == 0;
    json_open(out, '[');
    for (int i = 0; i < rows->count; i++)
        found = write_row(out, rows, i, &user->session) || found;
    if (!found) {
        json_open(out, '{');
        write_session(out, user->session, user->issued_s * 1000000, true);
        json_close(out, '}');
    }
    json_close(out, ']');
    req_reply(rq, 200);
}

void sessions_list(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_list_sessions, on_listed);
    if (item != NULL) req_put_user(rq, item);
}

/* --- DELETE /api/users/sessions/:id --- */

static void on_ended(struct req *rq, const struct rows *rows) {
    struct uuid id = req_path_uuid(rq, 0);
    if (!row_bool(rows, 0, 1)) {
        req_again(rq, sessions_end);
    } else if (!row_bool(rows, 0, 2)) {
        req_fail(rq, 404, NULL, "No such session");
    } else {
        if (uuid_eq(&id, &req_user(rq)->session)) req_set_cookie(rq, "session", STR(""), 0);
        req_reply(rq, 204);
    }
}

void sessions_end(struct req *rq) {
    struct uuid id = req_path_uuid(rq, 0);
    struct sql_params *item = req_exec(rq, &sql_end_sessions, on_ended);
    if (item != NULL) put_ended(rq, item, &id, false);
}
