#include "routes.h"

#include <stdio.h>

#include "arena.h"
#include "currency.h"
#include "entries.h"
#include "fields.h"
#include "lists.h"
#include "phases.h"
#include "pictures.h"
#include "queries.h"
#include "show_sales.h"
#include "shows.h"

/* What a request needs beyond its callback. */
struct ticket_request {
    struct ticket_input input;
    struct uuid id;
    struct str key;
    int32_t if_version; /* -1: any */
};

/* --- answers: every statement gives a ticket's columns in this order, behind `ordinal` --- */

enum column { ORDINAL, ID, TITLE, PRICE, CURRENCY, USER, STATUS, ORDER, VERSION, DATE, VENUE, CITY, VERDICT };
enum place_column { SHOW = CITY + 1, AREA, AREA_NAME, ROW_NAME, SEAT }; /* of get_ticket */

static void write_optional(struct json *out, const char *name, const struct rows *rows, int row, int column) {
    if (!row_null(rows, row, column)) json_put_text(out, name, row_text(rows, row, column));
}

/* The members of a ticket; the caller opens and closes the object. */
static void write_members(struct json *out, const struct rows *rows, int row) {
    json_put_uuid(out, "id", row_uuid(rows, row, ID));
    json_put_text(out, "title", row_text(rows, row, TITLE));
    struct str currency = row_text(rows, row, CURRENCY);
    json_key(out, "price");
    json_minor(out, row_int(rows, row, PRICE), currency_decimals(currency));
    json_put_text(out, "currency", currency);
    json_put_uuid(out, "userId", row_uuid(rows, row, USER));
    json_put_text(out, "status", row_text(rows, row, STATUS));
    if (!row_null(rows, row, ORDER)) json_put_uuid(out, "orderId", row_uuid(rows, row, ORDER));
    json_put_int(out, "version", row_int(rows, row, VERSION));
    write_optional(out, "date", rows, row, DATE);
    write_optional(out, "venue", rows, row, VENUE);
    write_optional(out, "city", rows, row, CITY);
}

static void write_ticket(struct json *out, const struct rows *rows, int row) {
    json_open(out, '{');
    write_members(out, rows, row);
    json_close(out, '}');
}

static void write_place(struct json *out, const struct rows *rows, int row) {
    json_open(out, '{');
    write_members(out, rows, row);
    json_put_uuid(out, "showId", row_uuid(rows, row, SHOW));
    json_put_uuid(out, "areaId", row_uuid(rows, row, AREA));
    json_put_text(out, "area", row_text(rows, row, AREA_NAME));
    if (!row_null(rows, row, ROW_NAME)) {
        json_put_text(out, "row", row_text(rows, row, ROW_NAME));
        json_put_int(out, "seat", row_int(rows, row, SEAT));
    }
    json_close(out, '}');
}

static void reply_written(struct req *rq, int status, const struct rows *rows) {
    char etag[24];
    int n = snprintf(etag, sizeof etag, "\"%lld\"", (long long)row_int(rows, 0, VERSION));
    req_set_header(rq, "etag", (struct str){etag, (size_t)n});
    req_reply(rq, status);
}

static void reply_ticket(struct req *rq, int status, const struct rows *rows) {
    write_ticket(req_json(rq), rows, 0);
    reply_written(rq, status, rows);
}

static void fail_missing(struct req *rq) {
    req_fail(rq, 404, NULL, "No such ticket");
}

/* Answers for every verdict but 'done' and 'again'. */
static void fail_verdict(struct req *rq, struct str verdict) {
    if (str_eq(verdict, STR("missing")))
        fail_missing(rq);
    else if (str_eq(verdict, STR("forbidden")))
        req_fail(rq, 403, NULL, "This ticket is somebody else's");
    else if (str_eq(verdict, STR("place")))
        req_fail(rq, 409, NULL, "This ticket is a place of a show, and can only be changed with it");
    else if (str_eq(verdict, STR("changed")))
        req_fail(rq, 412, NULL, "The ticket has changed since the version in If-Match");
    else if (str_eq(verdict, STR("cancelled")))
        req_fail(rq, 409, NULL, "This ticket has been withdrawn");
    else
        req_fail(rq, 409, NULL, "This ticket is %.*s", (int)verdict.n, verdict.p);
}

/* --- GET /api/tickets/:id --- */

static void on_ticket(struct req *rq, const struct rows *rows) {
    if (rows->count == 0) {
        fail_missing(rq);
        return;
    }
    if (row_null(rows, 0, SHOW))
        write_ticket(req_json(rq), rows, 0);
    else
        write_place(req_json(rq), rows, 0);
    reply_written(rq, 200, rows);
}

static void get_ticket(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_get_ticket, on_ticket);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    const struct identity *asker = req_user(rq);
    if (asker == NULL)
        put_null(item);
    else
        put_uuid(item, &asker->user);
}

static void put_when_and_where(struct sql_params *item, const struct ticket_input *input) {
    put_optional_text(item, input->date);
    put_optional_text(item, input->venue);
    put_optional_text(item, input->city);
}

/* --- POST /api/tickets --- */

static void ask_create(struct req *rq);

static void on_created(struct req *rq, const struct rows *rows) {
    if (row_null(rows, 0, ID))
        req_again(rq, ask_create);
    else if (!row_bool(rows, 0, VERDICT))
        req_fail(rq, 422, NULL, "This Idempotency-Key came with another body before");
    else
        reply_ticket(rq, 201, rows);
}

static void ask_create(struct req *rq) {
    const struct ticket_request *t = req_state(rq);
    const struct tickets *service = req_service(rq);
    struct sql_params *item = req_exec(rq, &sql_create_ticket, on_created);
    if (item == NULL) return;
    put_uuid(item, &t->id);
    req_put_user(rq, item);
    put_text(item, t->input.title);
    put_int(item, t->input.price);
    put_text(item, str_of(service->currency));
    put_optional_text(item, t->key);
    put_text(item, req_traceparent(rq));
    put_when_and_where(item, &t->input);
    req_put_asker(rq, item);
}

static struct ticket_request *new_state(struct req *rq) {
    struct ticket_request *t = req_alloc(rq, sizeof *t);
    req_set_state(rq, t);
    return t;
}

static void post_ticket(struct req *rq) {
    struct ticket_request *t = new_state(rq);
    if (!req_idempotency_key(rq, &t->key) || !req_body(rq, ticket_fields, &t->input)) return;
    t->id = uuid_v7();
    ask_create(rq);
}

/* --- PUT /api/tickets/:id --- */

static void ask_update(struct req *rq);

static void on_updated(struct req *rq, const struct rows *rows) {
    struct str verdict = rows->count == 0 ? STR("missing") : row_text(rows, 0, VERDICT);
    if (str_eq(verdict, STR("done")))
        reply_ticket(rq, 200, rows);
    else if (str_eq(verdict, STR("again")))
        req_again(rq, ask_update);
    else
        fail_verdict(rq, verdict);
}

static void ask_update(struct req *rq) {
    const struct ticket_request *t = req_state(rq);
    struct sql_params *item = req_exec(rq, &sql_update_ticket, on_updated);
    if (item == NULL) return;
    put_uuid(item, &t->id);
    req_put_user(rq, item);
    put_text(item, t->input.title);
    put_int(item, t->input.price);
    if (t->if_version < 0)
        put_null(item);
    else
        put_int(item, t->if_version);
    put_text(item, req_traceparent(rq));
    put_when_and_where(item, &t->input);
    req_put_asker(rq, item);
}

static void put_ticket(struct req *rq) {
    struct ticket_request *t = new_state(rq);
    struct str if_match;
    t->if_version = -1;
    if (!req_body(rq, ticket_fields, &t->input)) return;
    if (req_header(rq, "if-match", &if_match) && !fields_parse_if_match(if_match, &t->if_version)) {
        req_fail(rq, 400, NULL, "If-Match must be the ticket's version, like \"3\"");
        return;
    }
    t->id = req_path_uuid(rq, 0);
    ask_update(rq);
}

/* --- DELETE /api/tickets/:id --- */

static void on_cancelled(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, 1);
    if (str_eq(verdict, STR("done")))
        req_reply(rq, 204);
    else
        fail_verdict(rq, verdict);
}

static void delete_ticket(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_cancel_ticket, on_cancelled);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_text(item, req_traceparent(rq));
    req_put_asker(rq, item);
}

/* --- GET /api/tickets --- */

struct list {
    struct req_page page;
    bool has_cursor, by_date;
    struct list_filter filter;
};

/* One row more than the page was asked for, to know whether there is a next one. */
static void on_page(struct req *rq, const struct rows *rows) {
    const struct list *list = req_state(rq);
    struct json *out = req_json(rq);
    json_open(out, '[');
    for (int i = 0; i < rows->count && i < list->page.size; i++)
        write_ticket(out, rows, i);
    json_close(out, ']');
    if (rows->count > list->page.size)
        req_link_next(rq, &list->page, row_uuid(rows, list->page.size - 1, ID),
                      lists_query(rq, &list->filter));
    req_reply(rq, 200);
}

static bool read_day(struct req *rq, const char *name, struct str *text) {
    int64_t us;
    if (!req_query(rq, name, text) || fields_day(*text, &us)) return true;
    req_fail(rq, 400, name, "must be a date like 2027-06-01");
    return false;
}

static bool read_sort(struct req *rq, struct str *sort) {
    if (!req_query(rq, "sort", sort) || str_eq(*sort, STR("newest")) || str_eq(*sort, STR("date")))
        return true;
    req_fail(rq, 400, "sort", "must be newest or date");
    return false;
}

/* Reads the query string; false: answered. */
static bool read_list(struct req *rq, struct list *list) {
    struct list_filter *filter = &list->filter;
    struct str cursor;
    if (!lists_mine(rq, "Sign in to see your own tickets", &filter->mine) || !req_page(rq, &list->page) ||
        !lists_words(rq, filter) || !read_day(rq, "from", &filter->from) ||
        !read_day(rq, "to", &filter->to) || !read_sort(rq, &filter->sort))
        return false;
    list->has_cursor = req_query(rq, "cursor", &cursor);
    list->by_date =
        filter->city.n > 0 || filter->from.n > 0 || filter->to.n > 0 || str_eq(filter->sort, STR("date"));
    return true;
}

static void find_by_date(struct req *rq, const struct list *list) {
    struct sql_params *item = req_exec(rq, &sql_find_tickets, on_page);
    if (item == NULL) return;
    put_optional_uuid(item, list->has_cursor, &list->page.before);
    put_int(item, list->page.size + 1);
    put_optional_text(item, lists_pattern(rq, &list->filter));
    put_optional_text(item, list->filter.city);
    put_optional_text(item, list->filter.from);
    put_optional_text(item, list->filter.to);
}

static void list_tickets(struct req *rq) {
    struct list *list = req_alloc(rq, sizeof *list);
    req_set_state(rq, list);
    if (!read_list(rq, list)) return;
    if (list->by_date && !list->filter.mine) {
        find_by_date(rq, list);
        return;
    }
    struct str pattern = lists_pattern(rq, &list->filter);
    const struct sql *statement = list->filter.mine ? &sql_list_own_tickets
                                  : pattern.n > 0   ? &sql_search_tickets
                                                    : &sql_list_tickets;
    struct sql_params *item = req_exec(rq, statement, on_page);
    if (item == NULL) return;
    put_uuid(item, &list->page.before);
    put_int(item, list->page.size + 1);
    if (list->filter.mine || pattern.n > 0) put_optional_text(item, pattern);
    if (list->filter.mine) req_put_user(rq, item);
}

const struct route tickets_routes[] = {
    {"GET", "/api/tickets", list_tickets, 0},
    {"POST", "/api/tickets", post_ticket, ROUTE_SESSION},
    {"GET", "/api/tickets/{uuid}", get_ticket, 0},
    {"PUT", "/api/tickets/{uuid}", put_ticket, ROUTE_SESSION},
    {"DELETE", "/api/tickets/{uuid}", delete_ticket, ROUTE_SESSION},
    {"GET", "/api/tickets/{uuid}/code", entries_get_code, ROUTE_SESSION},
    {"POST", "/api/tickets/{uuid}/admit", entries_admit_ticket, ROUTE_SESSION},
    {"GET", "/.well-known/onsale-ticket-keys.json", entries_get_keys, 0},
    {"GET", "/api/shows", shows_list, 0},
    {"POST", "/api/shows", shows_post, ROUTE_SESSION},
    {"GET", "/api/shows/{uuid}", shows_get, 0},
    {"PUT", "/api/shows/{uuid}", shows_put, ROUTE_SESSION},
    {"DELETE", "/api/shows/{uuid}", shows_delete, ROUTE_SESSION},
    {"POST", "/api/shows/{uuid}/announce", shows_announce, ROUTE_SESSION},
    {"PUT", "/api/shows/{uuid}/phases", phases_put, ROUTE_SESSION},
    {"PUT", "/api/shows/{uuid}/picture", pictures_put, ROUTE_SESSION | ROUTE_LARGE_BODY},
    {"POST", "/api/shows/{uuid}/picture-form", pictures_post, ROUTE_LARGE_BODY},
    {"GET", "/api/shows/{uuid}/pictures/{text}", pictures_get, 0},
    {"GET", "/api/shows/{uuid}/sales", show_sales_get, ROUTE_SESSION},
    {"POST", "/api/shows/{uuid}/areas", areas_post, ROUTE_SESSION},
    {"GET", "/api/shows/{uuid}/areas/{uuid}/seats", areas_get_seats, 0},
    {"POST", "/api/shows/{uuid}/admit", entries_admit_show, ROUTE_SESSION},
    {0},
};
