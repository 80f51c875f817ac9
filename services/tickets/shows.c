#include "shows.h"

#include <stdio.h>

#include "clock.h"
#include "currency.h"
#include "fields.h"
#include "making.h"
#include "percent.h"
#include "queries.h"
#include "routes.h"
#include "show_answers.h"
#include "show_fields.h"
#include "utf8.h"

enum { QUERY_MAX = 100, PER_USER_DEFAULT = 8 };

/* What a request needs beyond its callback. */
struct show_request {
    struct show_input input;
    struct uuid id;
    struct str key;
    int32_t if_version; /* -1: any */
};

/* --- answers: every statement gives a show's columns in this order, behind `ordinal` --- */

enum column {
    ORDINAL,
    ID,
    TITLE,
    VENUE,
    CITY,
    STARTS_AT,
    TIME_ZONE,
    DESCRIPTION,
    CURRENCY,
    STATUS,
    PER_USER,
    USER,
    VERSION,
    VERDICT,
    AREA = VERDICT, /* of get_show */
    PLACES,         /* this and the next two: of announce_show */
    MADE,
    KNOWN,
};

/* The members of a show; the caller opens and closes the object. */
static void write_show(struct json *out, const struct rows *rows, int row) {
    json_put_uuid(out, "id", row_uuid(rows, row, ID));
    json_put_text(out, "title", row_text(rows, row, TITLE));
    json_put_text(out, "venue", row_text(rows, row, VENUE));
    json_put_text(out, "city", row_text(rows, row, CITY));
    json_key(out, "startsAt");
    json_time(out, row_time(rows, row, STARTS_AT));
    json_put_text(out, "timeZone", row_text(rows, row, TIME_ZONE));
    if (!row_null(rows, row, DESCRIPTION))
        json_put_text(out, "description", row_text(rows, row, DESCRIPTION));
    json_put_text(out, "currency", row_text(rows, row, CURRENCY));
    json_put_text(out, "status", row_text(rows, row, STATUS));
    json_put_int(out, "perUser", row_int(rows, row, PER_USER));
    json_put_uuid(out, "userId", row_uuid(rows, row, USER));
    json_put_int(out, "version", row_int(rows, row, VERSION));
}

static void reply_show(struct req *rq, int status, const struct rows *rows) {
    char etag[24];
    int n = snprintf(etag, sizeof etag, "\"%lld\"", (long long)row_int(rows, 0, VERSION));
    req_set_header(rq, "etag", (struct str){etag, (size_t)n});
    struct json *out = req_json(rq);
    json_open(out, '{');
    write_show(out, rows, 0);
    json_close(out, '}');
    req_reply(rq, status);
}

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
    struct str verdict = row_text(rows, 0, VERDICT);
    if (str_eq(verdict, STR("done")))
        reply_show(rq, 201, rows);
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
    struct str verdict = row_text(rows, 0, VERDICT);
    if (str_eq(verdict, STR("done")))
        reply_show(rq, 200, rows);
    else if (!shows_fail(rq, verdict))
        req_again(rq, ask_update);
}

static void put_positive(struct sql_params *item, int64_t v, bool given) {
    if (given)
        put_int(item, v);
    else
        put_null(item);
}

static void ask_update(struct req *rq) {
    const struct show_request *s = req_state(rq);
    const struct show_input *in = &s->input;
    struct sql_params *item = req_exec(rq, &sql_update_show, on_updated);
    if (item == NULL) return;
    put_show(rq, item);
    if (in->description.p == NULL)
        put_null(item);
    else
        put_text(item, in->description);
    put_optional_text(item, in->currency);
    put_positive(item, currency_decimals(in->currency), in->currency.n > 0);
    put_positive(item, in->per_user, in->per_user > 0);
    put_positive(item, s->if_version, s->if_version >= 0);
    put_text(item, req_traceparent(rq));
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
}

/* --- POST /api/shows/:id/announce --- */

static void ask_announce(struct req *rq);

static void on_announced(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, VERDICT);
    if (shows_fail(rq, verdict)) return;
    long long places = row_int(rows, 0, PLACES);
    if (str_eq(verdict, STR("making")))
        req_fail(rq, 409, NULL, "This show is not complete yet: %lld of its %lld places are made",
                 (long long)row_int(rows, 0, MADE), places);
    else if (str_eq(verdict, STR("unknown")))
        req_fail(rq, 409, NULL, "This show is not complete yet: %lld of its %lld places can be ordered",
                 (long long)row_int(rows, 0, KNOWN), places);
    else if (row_null(rows, 0, ID))
        req_again(rq, ask_announce); /* a neighbour in the batch has just announced it */
    else
        reply_show(rq, 200, rows);
}

static void ask_announce(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_announce_show, on_announced);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_text(item, req_traceparent(rq));
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
    if (str_eq(row_text(rows, 0, STATUS), STR("announced")))
        req_set_header(rq, "cache-control", STR("public, max-age=1"));
    struct json *out = req_json(rq);
    json_open(out, '{');
    write_show(out, rows, 0);
    json_key(out, "areas");
    json_open(out, '[');
    for (int i = 0; i < rows->count && !row_null(rows, i, AREA); i++)
        areas_write(out, rows, i, AREA);
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

/* --- GET /api/shows --- */

struct list {
    struct req_page page;
    bool has_cursor;
    struct str q, city, from, to;
    int64_t begins, ends; /* where from and to are given */
};

/* What a link to the next page says beyond where it begins. */
static struct str list_query(struct req *rq, const struct list *list) {
    const struct {
        const char *name;
        struct str value;
    } parts[] = {{"q", list->q}, {"city", list->city}, {"from", list->from}, {"to", list->to}};
    struct buf query = {0};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].value.n == 0) continue;
        buf_printf(&query, "&%s=", parts[i].name);
        percent_encode(&query, parts[i].value);
    }
    struct str text = arena_str(req_arena(rq), buf_str(&query));
    buf_free(&query);
    return text;
}

/* One row more than the page was asked for, to know whether there is a next one. */
static void on_page(struct req *rq, const struct rows *rows) {
    const struct list *list = req_state(rq);
    struct json *out = req_json(rq);
    json_open(out, '[');
    for (int i = 0; i < rows->count && i < list->page.size; i++) {
        json_open(out, '{');
        write_show(out, rows, i);
        json_close(out, '}');
    }
    json_close(out, ']');
    if (rows->count > list->page.size)
        req_link_next(rq, &list->page, row_uuid(rows, list->page.size - 1, ID), list_query(rq, list));
    req_reply(rq, 200);
}

static bool read_words(struct req *rq, const char *name, struct str *out) {
    struct str v;
    if (!req_query(rq, name, &v)) return true;
    *out = fields_trim(v);
    if (utf8_valid(*out) && utf8_length(*out) <= QUERY_MAX) return true;
    req_fail(rq, 400, name, "must be a text of at most %d characters", QUERY_MAX);
    return false;
}

static bool read_time(struct req *rq, const char *name, struct str *text, int64_t *us) {
    if (!req_query(rq, name, text) || clock_parse(*text, us)) return true;
    req_fail(rq, 400, name, "must be a date, or a date and time like 2027-06-01T20:00:00Z");
    return false;
}

static void put_moment(struct sql_params *item, struct str text, int64_t us) {
    if (text.n == 0)
        put_null(item);
    else
        put_time(item, us);
}

void shows_list(struct req *rq) {
    struct list *list = req_alloc(rq, sizeof *list);
    struct str cursor;
    req_set_state(rq, list);
    if (!req_page(rq, &list->page) || !read_words(rq, "q", &list->q) ||
        !read_words(rq, "city", &list->city) || !read_time(rq, "from", &list->from, &list->begins) ||
        !read_time(rq, "to", &list->to, &list->ends))
        return;
    list->has_cursor = req_query(rq, "cursor", &cursor);
    struct sql_params *item = req_exec(rq, &sql_list_shows, on_page);
    if (item == NULL) return;
    if (list->has_cursor)
        put_uuid(item, &list->page.before);
    else
        put_null(item);
    put_int(item, list->page.size + 1);
    put_optional_text(item, list->q.n == 0 ? list->q : fields_ilike_pattern(req_arena(rq), list->q));
    put_optional_text(item, list->city);
    put_moment(item, list->from, list->begins);
    put_moment(item, list->to, list->ends);
}
