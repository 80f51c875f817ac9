#include "purchases.h"

#include <stdio.h>
#include <string.h>

#include "admission.h"
#include "answers.h"
#include "asking.h"
#include "clock.h"
#include "origins.h"
#include "presale_routes.h"
#include "prices.h"
#include "queries.h"
#include "refusals.h"
#include "routes.h"

/* A show just announced may not have come here yet. */
enum { SHOW_WAIT_MS = 300, KEY_OF_TURN = 80 };

/* --- the body of POST /api/purchases --- */

struct purchase_body {
    struct purchase_request wanted;
    struct presale_code code;
    bool code_spent;
    struct asking *asking;
    char tickets[PURCHASE_MAX * (UUID_TEXT + 1) + 3];
};

static const char *read_show(const json_t *value, void *out, struct arena *arena) {
    struct purchase_request *p = out;
    p->has_show = true;
    return body_uuid(value, &p->show, arena);
}

static const char *read_area(const json_t *value, void *out, struct arena *arena) {
    struct purchase_request *p = out;
    p->has_area = true;
    return body_uuid(value, &p->area, arena);
}

static const char *read_quantity(const json_t *value, void *out, struct arena *arena) {
    (void)arena;
    struct purchase_request *p = out;
    int64_t n;
    if (!body_whole(value, 1, PURCHASE_MAX, &n)) return "must be a whole number from 1 to 8";
    p->quantity = (int)n;
    p->has_quantity = true;
    return NULL;
}

static const char *read_flag(const json_t *value, void *out, struct arena *arena) {
    (void)arena;
    if (!json_is_boolean(value)) return "must be true or false";
    *(bool *)out = json_is_true(value);
    return NULL;
}

static bool is_among(const struct uuid *id, const struct uuid *ids, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (uuid_eq(id, &ids[i])) return true;
    return false;
}

static const char *read_tickets(const json_t *value, void *out, struct arena *arena) {
    struct purchase_body *b = out;
    struct uuid ids[PURCHASE_MAX];
    size_t n = json_array_size(value); /* 0 when it is no array */
    if (n < 1 || n > PURCHASE_MAX) return "must be a list of 1 to 8 tickets";
    for (size_t i = 0; i < n; i++) {
        if (body_uuid(json_array_get(value, i), &ids[i], arena) != NULL) return "must be a list of UUIDs";
        if (is_among(&ids[i], ids, i)) return "must not have the same ticket twice";
    }
    b->wanted.tickets = purchases_list(ids, (int)n, b->tickets);
    return NULL;
}

static const struct body_field purchase_fields[] = {
    {"showId", read_show, offsetof(struct purchase_body, wanted), false},
    {"areaId", read_area, offsetof(struct purchase_body, wanted), false},
    {"quantity", read_quantity, offsetof(struct purchase_body, wanted), false},
    {"maxPrice", prices_read, offsetof(struct purchase_body, wanted.max_price), false},
    {"together", read_flag, offsetof(struct purchase_body, wanted.together), false},
    {"accessible", read_flag, offsetof(struct purchase_body, wanted.accessible), false},
    {"ticketIds", read_tickets, 0, false},
    {"code", presale_read_code, offsetof(struct purchase_body, code), false},
    {"admission", body_text, offsetof(struct purchase_body, wanted.admission), false},
    {0},
};

struct str purchases_list(const struct uuid *ids, int n, char *text) {
    char *end = text;
    for (int i = 0; i < n; i++) {
        *end++ = i == 0 ? '{' : ',';
        uuid_format(&ids[i], end);
        end += UUID_TEXT;
    }
    *end++ = '}';
    return (struct str){text, (size_t)(end - text)};
}

/* Answers 400 unless it asks for places of a show, or else for tickets. */
static bool is_one_of_two(struct req *rq, const struct purchase_request *p) {
    if (p->tickets.n > 0 && (p->has_show || p->has_area || p->has_quantity))
        req_fail(rq, 400, "ticketIds", "cannot be combined with showId, areaId or quantity");
    else if (p->tickets.n == 0 && !p->has_show)
        req_fail(rq, 400, "showId", "is required, unless ticketIds says which tickets");
    else if (p->tickets.n == 0 && !p->has_quantity)
        req_fail(rq, 400, "quantity", "is required");
    else
        return true;
    return false;
}

/* --- POST /api/purchases --- */

void purchases_fail_limit(struct req *rq) {
    const struct orders *service = req_service(rq);
    req_fail(rq, 409, NULL,
             "You hold %lld unpaid tickets already, which is the most; pay for one or cancel one first",
             (long long)service->max_holds);
}

/* "left": for a program that asks for fewer. */
static void fail_none(struct req *rq, const struct rows *rows) {
    const struct purchase_body *b = req_state(rq);
    int64_t left = row_int(rows, 0, REMAINING);
    char message[96];
    static const char *const reasons[] = {
        [DEMAND_SOLD_OUT] = "sold_out", [DEMAND_TOO_FEW] = "too_few", [DEMAND_NOT_TOGETHER] = "not_together"};
    const char *reason = reasons[asking_none(left, b->wanted.quantity)];
    if (left == 0)
        snprintf(message, sizeof message, "%s",
                 b->wanted.max_price == INT64_MAX ? "Sold out" : "No place is left at this price");
    else if (left < b->wanted.quantity)
        snprintf(message, sizeof message, left == 1 ? "Only %lld place is left" : "Only %lld places are left",
                 (long long)left);
    else
        snprintf(message, sizeof message, "There are not %d places side by side any more; %lld are left",
                 b->wanted.quantity, (long long)left);
    struct json *out = req_problem(rq, reason, message);
    json_put_int(out, "left", left);
    json_close(out, '}');
    req_reply(rq, 409);
}

static void fail_refused(struct req *rq, struct str verdict) {
    static const struct refusal refusals[] = {
        {"no area", 404, "This show has no such area", NULL},
        {"accessible", 409, "These places are kept for people who need their accessibility", NULL},
        {"not accessible", 409, "There are no places there for people who need accessibility", NULL},
        {"withdrawn", 409, "One of these tickets has been withdrawn", NULL},
        {"sold", 409, "One of these tickets is sold", NULL},
        {"reserved", 409, "One of these tickets is reserved", NULL},
        {"currencies", 409, "These tickets are sold in different currencies", NULL},
        {"other body", 422, "This Idempotency-Key came with another body before", NULL},
    };
    const struct purchase_body *b = req_state(rq);
    if (purchases_refuse_used(rq, verdict, b->wanted.admission)) return;
    if (!refusals_answer(rq, verdict, refusals, sizeof refusals / sizeof *refusals))
        req_fail(rq, 409, NULL, "This cannot be bought");
}

static void ask_purchase(struct req *rq);

static void ask_spend(struct req *rq);

static void on_spent(struct req *rq, const struct rows *rows) {
    struct purchase_body *b = req_state(rq);
    asking_spent(b->asking, rows);
    if (!presale_is_spent(rq, rows, ask_spend)) return;
    b->code_spent = true;
    ask_purchase(rq);
}

static void ask_spend(struct req *rq) {
    const struct purchase_body *b = req_state(rq);
    const struct purchase_request *p = &b->wanted;
    presale_spend(rq, &b->code, p->has_show ? &p->show : NULL, p->tickets, on_spent);
}

/* The code that came with it is spent first; without one it is refused. */
static void on_code_required(struct req *rq, struct str verdict) {
    const struct purchase_body *b = req_state(rq);
    if (b->code.given && !b->code_spent)
        ask_spend(rq);
    else
        refusals_answer_show(rq, verdict);
}

static void on_purchase(struct req *rq, const struct rows *rows) {
    const struct purchase_body *b = req_state(rq);
    struct str verdict = row_text(rows, 0, VERDICT);
    bool by_ids = b->wanted.tickets.n > 0;
    asking_judged(b->asking, rows);
    if (str_eq(verdict, STR("placed")) || str_eq(verdict, STR("repeated"))) {
        write_purchase(req_json(rq), rows, 0, rows->count);
        req_reply(rq, 201);
    } else if (str_eq(verdict, STR("again"))) {
        req_again(rq, ask_purchase);
    } else if (str_eq(verdict, STR("missing"))) {
        if (!req_later_within(rq, ask_purchase, SHOW_WAIT_MS))
            req_fail(rq, 404, NULL, by_ids ? "No such ticket" : "No such show");
    } else if (str_eq(verdict, STR("own"))) {
        req_fail(rq, 409, NULL, by_ids ? "One of these tickets is your own" : "This show is your own");
    } else if (str_eq(verdict, STR("none"))) {
        fail_none(rq, rows);
    } else if (str_eq(verdict, STR("limit"))) {
        purchases_fail_limit(rq);
    } else if (str_eq(verdict, STR("code required"))) {
        on_code_required(rq, verdict);
    } else if (!refusals_answer_show(rq, verdict) && !origins_refuse(rq, verdict) &&
               !prices_refuse(rq, verdict, b->wanted.tickets)) {
        fail_refused(rq, verdict);
    }
}

/* By the admission of whoever asks, if it is his turn. One that is not his, or over, is none: zero. */
static struct admission admission_of(struct req *rq, struct str text) {
    const struct orders *service = req_service(rq);
    struct admission a;
    if (text.n == 0 || !admission_read(service->admissions, text, &a) ||
        !uuid_eq(&a.user, &req_user(rq)->user) || a.until_us <= clock_wall_us())
        return (struct admission){0};
    return a;
}

static int places_of(const struct purchase_request *p) {
    return p->tickets.n == 0 ? p->quantity : (int)(p->tickets.n - 1) / (UUID_TEXT + 1);
}

/* By an admission that is for one purchase nobody makes two: whatever key it comes with, it has that of the
 * admission, so the index of keys has the last word. */
static struct str key_of(const struct purchase_request *p, const struct admission *a,
                         char text[KEY_OF_TURN]) {
    char show[UUID_TEXT];
    if (a->most == 0) return p->key;
    uuid_format(&a->show, show);
    int n =
        snprintf(text, KEY_OF_TURN, "admission %.*s %lld", UUID_TEXT, show, (long long)a->until_us / 1000);
    return (struct str){text, (size_t)n};
}

bool purchases_refuse_used(struct req *rq, struct str verdict, struct str admission) {
    if (!str_eq(verdict, STR("other body")) || admission_of(rq, admission).most == 0) return false;
    req_refuse(rq, 409, "admission_used", "Your turn was for one purchase, and you have made it");
    return true;
}

void purchases_ask(struct req *rq, const struct purchase_request *p, req_done *done) {
    const struct orders *service = req_service(rq);
    const struct admission a = admission_of(rq, p->admission);
    char key[KEY_OF_TURN], message[64];
    if (a.most > 0 && places_of(p) > a.most) {
        snprintf(message, sizeof message,
                 a.most == 1 ? "Your turn is for %d place" : "Your turn is for %d places", a.most);
        return req_refuse(rq, 409, "admission_exceeded", message);
    }
    struct sql_params *item = req_exec(rq, &sql_place_purchase, done);
    if (item == NULL) return;
    put_uuid(item, &p->id);
    req_put_user(rq, item);
    put_optional_uuid(item, p->has_show, &p->show);
    put_optional_uuid(item, p->has_area, &p->area);
    put_int(item, p->quantity);
    put_bool(item, p->together);
    put_bool(item, p->accessible);
    put_int(item, p->max_price);
    put_optional_text(item, p->tickets);
    put_optional_text(item, key_of(p, &a, key));
    put_text(item, req_traceparent(rq));
    put_int(item, service->hold_seconds);
    put_int(item, service->grace_seconds);
    put_int(item, service->max_holds);
    put_optional_uuid(item, a.until_us > 0, &a.show);
    origins_put(rq, item);
}

static void ask_purchase(struct req *rq) {
    const struct purchase_body *b = req_state(rq);
    purchases_ask(rq, &b->wanted, on_purchase);
}

void purchases_post(struct req *rq) {
    struct purchase_body *b = req_alloc(rq, sizeof *b);
    req_set_state(rq, b);
    b->wanted.together = true;
    b->wanted.max_price = INT64_MAX;
    if (!req_idempotency_key(rq, &b->wanted.key) || !req_body(rq, purchase_fields, b) ||
        !is_one_of_two(rq, &b->wanted))
        return;
    b->wanted.id = uuid_v7();
    b->wanted.id.b[15] &= 0xf0;
    b->asking = asking_begin(rq, &b->wanted);
    ask_purchase(rq);
}

/* --- GET /api/purchases/:id --- */

static void on_found(struct req *rq, const struct rows *rows) {
    if (rows->count == 0) return req_fail(rq, 404, NULL, "No such purchase");
    struct uuid buyer = row_uuid(rows, 0, USER);
    if (!uuid_eq(&buyer, &req_user(rq)->user))
        return req_fail(rq, 403, NULL, "This purchase is somebody else's");
    write_purchase(req_json(rq), rows, 0, rows->count);
    req_reply(rq, 200);
}

void purchases_get(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_get_purchase, on_found);
    if (item != NULL) req_put_path_uuid(rq, 0, item);
}

/* --- GET /api/purchases --- */

/* One purchase more than the page was asked for, to know whether there is a next one. */
static void on_page(struct req *rq, const struct rows *rows) {
    const struct req_page *page = req_state(rq);
    struct json *out = req_json(rq);
    json_open(out, '[');
    int row = 0, last = 0;
    for (int n = 0; row < rows->count && n < page->size; n++) {
        last = row;
        int count = (int)row_int(rows, row, PURCHASE_SIZE);
        write_purchase(out, rows, row, count);
        row += count;
    }
    json_close(out, ']');
    if (row < rows->count) req_link_next(rq, page, row_uuid(rows, last, ID), (struct str){0});
    req_reply(rq, 200);
}

void purchases_list_page(struct req *rq) {
    struct req_page *page = req_alloc(rq, sizeof *page);
    req_set_state(rq, page);
    if (!req_page(rq, page)) return;
    struct sql_params *item = req_exec(rq, &sql_list_purchases, on_page);
    if (item == NULL) return;
    req_put_user(rq, item);
    put_uuid(item, &page->before);
    put_int(item, page->size + 1);
}

/* --- DELETE /api/purchases/:id --- */

static void on_cancelled(struct req *rq, const struct rows *rows) {
    struct str verdict = row_text(rows, 0, 1);
    if (str_eq(verdict, STR("done")))
        req_reply(rq, 204);
    else if (str_eq(verdict, STR("again")))
        req_again(rq, purchases_delete);
    else if (str_eq(verdict, STR("missing")))
        req_fail(rq, 404, NULL, "No such purchase");
    else if (str_eq(verdict, STR("forbidden")))
        req_fail(rq, 403, NULL, "This purchase is somebody else's");
    else
        req_fail(rq, 409, NULL, "This purchase is complete: the tickets are yours");
}

void purchases_delete(struct req *rq) {
    struct sql_params *item = req_exec(rq, &sql_cancel_order, on_cancelled);
    if (item == NULL) return;
    req_put_path_uuid(rq, 0, item);
    req_put_user(rq, item);
    put_text(item, req_traceparent(rq));
    req_put_asker(rq, item);
}
