#include "routes.h"

#include "answers.h"
#include "asking.h"
#include "origins.h"
#include "presale_routes.h"
#include "prices.h"
#include "purchases.h"
#include "queries.h"
#include "refusals.h"

/* A ticket just listed may not have come here yet; whoever follows its link at once waits as long as this. */
enum { TICKET_WAIT_MS = 300 };

static void reply_order(struct req *rq, int status, const struct rows *rows) {
    write_order(req_json(rq), rows, 0);
    req_reply(rq, status);
}

static void fail_missing(struct req *rq) {
    req_fail(rq, 404, NULL, "No such order");
}

/* Answers unless the order is there and the asker's own. */
static bool is_own(struct req *rq, const struct rows *rows, int user_column) {
    if (rows->count == 0) {
        fail_missing(rq);
        return false;
    }
    struct uuid buyer = row_uuid(rows, 0, user_column);
    if (uuid_eq(&buyer, &req_user(rq)->user)) return true;
    req_fail(rq, 403, NULL, "This order is somebody else's");
    return false;
}

/* --- POST /api/orders --- */

struct order_request {
    struct uuid id, ticket;
    struct str key, admission;
    int64_t max_price, version; /* that the buyer is ready to pay; that he saw: 0: any */
    struct presale_code code;
    bool code_spent;
    bool of_show;          /* place_purchase.sql is asked, not place_order.sql */
    struct asking *asking; /* NULL: it was not, yet */
};

static const char *read_version(const json_t *value, void *out, struct arena *arena) {
    (void)arena;
    return body_whole(value, 1, INT32_MAX, out) ? NULL : "must be the version of a ticket";
}

static const struct body_field order_fields[] = {
    {"ticketId", body_uuid, offsetof(struct order_request, ticket), true},
    {"maxPrice", prices_read, offsetof(struct order_request, max_price), false},
    {"version", read_version, offsetof(struct order_request, version), false},
    {"code", presale_read_code, offsetof(struct order_request, code), false},
    {"admission", body_text, offsetof(struct order_request, admission), false},
    {0},
};

static void ask_place(struct req *rq);

static void on_refused(struct req *rq, struct str verdict) {
    const struct order_request *o = req_state(rq);
    struct str list = purchases_list(&o->ticket, 1, req_alloc(rq, UUID_TEXT + 3));
    if (purchases_refuse_used(rq, verdict, o->admission)) return;
    if (prices_refuse(rq, str_eq(verdict, STR("behind")) ? STR("changed") : verdict, list)) return;
    if (str_eq(verdict, STR("own")))
        req_fail(rq, 409, NULL, "This ticket is your own");
    else if (str_eq(verdict, STR("withdrawn")))
        req_fail(rq, 409, NULL, "This ticket has been withdrawn");
    else if (str_eq(verdict, STR("other body")))
        req_fail(rq, 422, NULL, "This Idempotency-Key came with another body before");
    else if (str_eq(verdict, STR("accessible")))
        req_fail(rq, 409, NULL, "This place is kept for people who need its accessibility");
    else if (str_eq(verdict, STR("limit")))
        purchases_fail_limit(rq);
    else if (!refusals_answer_show(rq, verdict) && !origins_refuse(rq, verdict))
        req_fail(rq, 409, NULL, "This ticket is %.*s", (int)verdict.n, verdict.p);
}

static void on_placed(struct req *rq, const struct rows *rows);

/* Its show has a say, too. */
static void ask_place_of_show(struct req *rq) {
    struct order_request *o = req_state(rq);
    char ticket[UUID_TEXT + 3];
    const struct purchase_request wanted = {.id = o->id,
                                            .tickets = purchases_list(&o->ticket, 1, ticket),
                                            .max_price = o->max_price,
                                            .key = o->key,
                                            .admission = o->admission};
    if (o->asking == NULL) o->asking = asking_begin(rq, &wanted);
    o->of_show = true;
    purchases_ask(rq, &wanted, on_placed);
}

static void spend_code(struct req *rq);

static void on_spent(struct req *rq, const struct rows *rows) {
    struct order_request *o = req_state(rq);
    asking_spent(o->asking, rows);
    if (!presale_is_spent(rq, rows, spend_code)) return;
    o->code_spent = true;
    ask_place_of_show(rq);
}

static void spend_code(struct req *rq) {
    const struct order_request *o = req_state(rq);
    char ticket[UUID_TEXT + 3];
    presale_spend(rq, &o->code, NULL, purchases_list(&o->ticket, 1, ticket), on_spent);
}

static void on_placed(struct req *rq, const struct rows *rows) {
    const struct order_request *o = req_state(rq);
    struct str verdict = row_text(rows, 0, VERDICT);
    if (o->of_show) asking_judged(o->asking, rows);
    if (str_eq(verdict, STR("placed")) || str_eq(verdict, STR("repeated"))) {
        reply_order(rq, 201, rows);
    } else if (str_eq(verdict, STR("again"))) {
        req_again(rq, ask_place);
    } else if (str_eq(verdict, STR("place"))) {
        ask_place_of_show(rq);
    } else if (str_eq(verdict, STR("code required")) && o->code.given && !o->code_spent) {
        spend_code(rq);
    } else if (str_eq(verdict, STR("missing"))) {
        if (!req_later_within(rq, ask_place, TICKET_WAIT_MS)) req_fail(rq, 404, NULL, "No such ticket");
    } else if (!str_eq(verdict, STR("behind")) || !req_later_within(rq, ask_place, TICKET_WAIT_MS)) {
        on_refused(rq, verdict);
    }
}

static void ask_place(struct req *rq) {
    struct order_request *o = req_state(rq);
    const struct orders *service = req_service(rq);
    o->of_show = false;
    struct sql_params *item = req_exec(rq, &sql_place_order, on_placed);
    if (item == NULL) return;
    put_uuid(item, &o->id);
    req_put_user(rq, item);
    put_uuid(item, &o->ticket);
    put_optional_text(item, o->key);
    put_text(item, req_traceparent(rq));
    put_int(item, service->hold_seconds);
    put_int(item, service->grace_seconds);
    put_int(item, service->max_holds);
    put_int(item, o->max_price);
    if (o->version > 0)
        put_int(item, o->version);
    else
        put_null(item);
    origins_put(rq, item);
}

static void post_order(struct req *rq) {
    struct order_request *o = req_alloc(rq, sizeof *o);
    req_set_state(rq, o);
    if (!req_idempotency_key(rq, &o->key) || !req_body(rq, order_fields, o)) return;
    o->id = uuid_v7();
    ask_place(rq);
}

/* --- GET /api/orders/:id --- */

static void on_order(struct req *rq, const struct rows *rows) {
    if (is_own(rq, rows, USER)) reply_order(rq, 200, rows);
}

static void get_order(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_get_order, on_order);
    if (item != NULL) req_put_path_uuid(rq, 0, item);
}

/* --- GET /api/orders/:id/history --- */

enum history_column { H_ORDINAL, H_USER, H_TYPE, H_STATUS, H_VERSION, H_OCCURRED_AT, H_REASON };

static void write_event(struct json *out, const struct rows *rows, int row) {
    json_open(out, '{');
    json_put_text(out, "type", row_text(rows, row, H_TYPE));
    write_status(out, row_text(rows, row, H_STATUS));
    json_put_int(out, "version", row_int(rows, row, H_VERSION));
    json_key(out, "occurredAt");
    json_time(out, row_time(rows, row, H_OCCURRED_AT));
    if (!row_null(rows, row, H_REASON)) json_put_text(out, "reason", row_text(rows, row, H_REASON));
    json_close(out, '}');
}

static void on_history(struct req *rq, const struct rows *rows) {
    if (!is_own(rq, rows, H_USER)) return;
    struct json *out = req_json(rq);
    json_open(out, '[');
    for (int i = 0; i < rows->count && !row_null(rows, i, H_TYPE); i++)
        write_event(out, rows, i);
    json_close(out, ']');
    req_reply(rq, 200);
}

static void get_history(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_get_history, on_history);
    if (item != NULL) req_put_path_uuid(rq, 0, item);
}

/* --- DELETE /api/orders/:id --- */

static void delete_order(struct req *rq);

static void on_cancelled(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, 1);
    if (str_eq(verdict, STR("done")))
        req_reply(rq, 204);
    else if (str_eq(verdict, STR("again")))
        req_again(rq, delete_order);
    else if (str_eq(verdict, STR("missing")))
        fail_missing(rq);
    else if (str_eq(verdict, STR("forbidden")))
        req_fail(rq, 403, NULL, "This order is somebody else's");
    else
        req_fail(rq, 409, NULL, "This order is complete: the ticket is yours");
}

static void delete_order(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_cancel_order, on_cancelled);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_text(item, req_traceparent(rq));
    req_put_asker(rq, item);
}

/* --- GET /api/orders --- */

/* One row more than the page was asked for, to know whether there is a next one. */
static void on_page(struct req *rq, const struct rows *rows) {
    const struct req_page *page = req_state(rq);
    struct json *out = req_json(rq);
    json_open(out, '[');
    for (int i = 0; i < rows->count && i < page->size; i++)
        write_order(out, rows, i);
    json_close(out, ']');
    if (rows->count > page->size)
        req_link_next(rq, page, row_uuid(rows, page->size - 1, ID), (struct str){0});
    req_reply(rq, 200);
}

static void list_orders(struct req *rq) {
    struct req_page *page = req_alloc(rq, sizeof *page);
    req_set_state(rq, page);
    if (!req_page(rq, page)) return;
    struct sql_params *item = req_exec(rq, &sql_list_orders, on_page);
    if (item == NULL) return;
    req_put_user(rq, item);
    put_uuid(item, &page->before);
    put_int(item, page->size + 1);
}

const struct route orders_routes[] = {
    {"GET", "/api/orders", list_orders, ROUTE_SESSION},
    {"POST", "/api/orders", post_order, ROUTE_SESSION | ROUTE_VERIFIED | ROUTE_MEASURED},
    {"GET", "/api/orders/{uuid}", get_order, ROUTE_SESSION},
    {"GET", "/api/orders/{uuid}/history", get_history, ROUTE_SESSION},
    {"DELETE", "/api/orders/{uuid}", delete_order, ROUTE_SESSION},
    {"GET", "/api/purchases", purchases_list_page, ROUTE_SESSION},
    {"POST", "/api/purchases", purchases_post, ROUTE_SESSION | ROUTE_VERIFIED | ROUTE_MEASURED},
    {"GET", "/api/purchases/{uuid}", purchases_get, ROUTE_SESSION},
    {"DELETE", "/api/purchases/{uuid}", purchases_delete, ROUTE_SESSION},
    {"POST", "/api/shows/{uuid}/codes", presale_post, ROUTE_SESSION},
    {"POST", "/api/shows/{uuid}/codes/spend", presale_post_spend, ROUTE_SESSION},
    {0},
};
