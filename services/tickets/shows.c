#include "shows.h"

#include "currency.h"
#include "fields.h"
#include "making.h"
#include "queries.h"
#include "routes.h"
#include "show_answers.h"
#include "show_fields.h"

enum { PER_USER_DEFAULT = 8 };

/* What a request needs beyond its callback. */
struct show_request {
    struct show_input input;
    struct uuid id;
    struct str key;
    int32_t if_version; /* -1: any */
};

static struct show_request *new_state(struct req *rq) {
    struct show_request *s = req_alloc(rq, sizeof *s);
    req_set_state(rq, s);
    return s;
}

/* What creating and editing begin with. */
static void put_show(struct req *rq, struct sql_params *item) {
    const struct show_request *s = req_state(rq);
    put_uuid(item, &s->id);
    req_put_user(rq, item);
    put_text(item, s->input.title);
    put_text(item, s->input.venue);
    put_text(item, s->input.city);
    put_time(item, s->input.starts_at);
    put_text(item, s->input.time_zone);
}

/* --- POST /api/shows --- */

static void ask_create(struct req *rq);

static void on_created(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, SHOW_VERDICT);
    if (str_eq(verdict, STR("done")))
        shows_reply(rq, 201, rows);
    else if (!shows_fail(rq, verdict))
        req_again(rq, ask_create);
}

static void ask_create(struct req *rq) {
    const struct show_request *s = req_state(rq);
    const struct show_input *in = &s->input;
    struct sql_params *item = req_exec(rq, &sql_create_show, on_created);
    if (item == NULL) return;
    put_show(rq, item);
    put_optional_text(item, in->description);
    put_text(item, in->currency);
    put_int(item, currency_decimals(in->currency));
    put_int(item, in->per_user);
    put_optional_text(item, s->key);
    put_text(item, req_traceparent(rq));
    put_optional_text(item, in->organizer);
    req_put_asker(rq, item);
}

void shows_post(struct req *rq) {
    const struct tickets *service = req_service(rq);
    struct show_request *s = new_state(rq);
    if (!req_idempotency_key(rq, &s->key) || !req_body(rq, show_fields, &s->input)) return;
    if (s->input.currency.n == 0) s->input.currency = str_of(service->currency);
    if (s->input.per_user == 0) s->input.per_user = PER_USER_DEFAULT;
    s->id = uuid_v7();
    ask_create(rq);
}

/* --- PUT /api/shows/:id --- */

static void ask_update(struct req *rq);

static void on_updated(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, SHOW_VERDICT);
    if (str_eq(verdict, STR("done")))
        shows_reply(rq, 200, rows);
    else if (!shows_fail(rq, verdict))
        req_again(rq, ask_update);
}

static void put_positive(struct sql_params *item, int64_t v, bool given) {
    if (given)
        put_int(item, v);
    else
        put_null(item);
}

/* An empty one takes away what there is. */
static void put_given(struct sql_params *item, struct str text) {
    if (text.p == NULL)
        put_null(item);
    else
        put_text(item, text);
}

static void ask_update(struct req *rq) {
    const struct show_request *s = req_state(rq);
    const struct show_input *in = &s->input;
    struct sql_params *item = req_exec(rq, &sql_update_show, on_updated);
    if (item == NULL) return;
    put_show(rq, item);
    put_given(item, in->description);
    put_optional_text(item, in->currency);
    put_positive(item, currency_decimals(in->currency), in->currency.n > 0);
    put_positive(item, in->per_user, in->per_user > 0);
    put_positive(item, s->if_version, s->if_version >= 0);
    put_text(item, req_traceparent(rq));
    put_given(item, in->organizer);
    req_put_asker(rq, item);
}

void shows_put(struct req *rq) {
    struct show_request *s = new_state(rq);
    struct str if_match;
    s->if_version = -1;
    if (!req_body(rq, show_fields, &s->input)) return;
    if (req_header(rq, "if-match", &if_match) && !fields_parse_if_match(if_match, &s->if_version)) {
        req_fail(rq, 400, NULL, "If-Match must be the show's version, like \"3\"");
        return;
    }
    s->id = req_path_uuid(rq, 0);
    ask_update(rq);
}

/* --- DELETE /api/shows/:id --- */

static void on_cancelled(struct req *rq, const struct rows *rows) {
    const struct tickets *service = req_service(rq);
    struct str verdict = row_text(rows, 0, 1);
    if (shows_fail(rq, verdict)) return;
    making_wake(service->making);
    req_reply(rq, 204);
}

void shows_delete(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_cancel_show, on_cancelled);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_text(item, req_traceparent(rq));
    req_put_asker(rq, item);
}

/* --- POST /api/shows/:id/announce --- */

static void ask_announce(struct req *rq);

static void on_announced(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, SHOW_VERDICT);
    if (shows_fail(rq, verdict)) return;
    long long places = row_int(rows, 0, SHOW_PLACES);
    if (str_eq(verdict, STR("making")))
        req_fail(rq, 409, NULL, "This show is not complete yet: %lld of its %lld places are made",
                 (long long)row_int(rows, 0, SHOW_MADE), places);
    else if (str_eq(verdict, STR("unknown")))
        req_fail(rq, 409, NULL, "This show is not complete yet: %lld of its %lld places can be ordered",
                 (long long)row_int(rows, 0, SHOW_KNOWN), places);
    else if (row_null(rows, 0, SHOW_ID))
        req_again(rq, ask_announce); /* a neighbour in the batch has just announced it */
    else
        shows_reply(rq, 200, rows);
}

static void ask_announce(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_announce_show, on_announced);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_text(item, req_traceparent(rq));
    req_put_asker(rq, item);
}

void shows_announce(struct req *rq) {
    struct str key; /* only checked: announcing twice is announcing once */
    if (req_idempotency_key(rq, &key)) ask_announce(rq);
}

/* --- GET /api/shows/:id --- */

static void on_show(struct req *rq, const struct rows *rows) {
    if (rows->count == 0) {
        shows_fail(rq, STR("missing"));
        return;
    }
    if (str_eq(row_text(rows, 0, SHOW_STATUS), STR("announced")))
        req_set_header(rq, "cache-control", STR("public, max-age=1"));
    struct json *out = req_json(rq);
    json_open(out, '{');
    shows_write(out, rows, 0);
    json_key(out, "areas");
    json_open(out, '[');
    for (int i = 0; i < rows->count && !row_null(rows, i, SHOW_AREA); i++)
        areas_write(out, rows, i, SHOW_AREA);
    json_close(out, ']');
    json_close(out, '}');
    req_reply(rq, 200);
}

void shows_get(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_get_show, on_show);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    shows_put_viewer(rq, item);
}
