#include "routes.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "charge_metrics.h"
#include "clock.h"
#include "declines.h"
#include "queries.h"
#include "stripe_metrics.h"

enum {
    ORDER_WAIT_MS = 300, /* an order just placed may not have come here yet ... */
    ORDER_YOUNG_MS = 5000,
    ORDER_LOOK_MS = 128, /* ... nor for so long, if Kafka is slow: looked for less often */
    POLL_MS = 80,        /* how often whoever waits for what another request began looks */
    SOON_MS = 2000,      /* a payment whose turn is later is answered while it waits in line */
    TOO_MANY_S = 3600,   /* the first of them may be a day old by then */
    SETTLE_MS = 1000,    /* what waiting may take beyond Stripe's own time */
};

/* --- answers --- */

static void fail_ended(struct req *rq) {
    req_fail(rq, 409, NULL, "This order has ended");
}

static void fail_declined(struct req *rq, const struct charge *c) {
    req_fail(rq, 402, NULL, "%s%s", decline_words(c->reason),
             c->final ? ". The order has ended, as this was the last try" : "");
}

/* An attempt that is over, or waits for the buyer. */
static void reply_charge(struct req *rq, const struct charge *c) {
    bool paid = charge_in(c, "succeeded");
    if (paid || charge_in(c, "action")) {
        charge_write(req_json(rq), c);
        req_reply(rq, paid ? 201 : 202);
    } else if (charge_in(c, "refunded") && str_eq(c->reason, STR("refunded_outside"))) {
        req_fail(rq, 409, NULL, "This payment was refunded");
    } else if (charge_in(c, "refunding") || charge_in(c, "refunded")) {
        req_fail(rq, 409, NULL, "This order ended before the payment was made; the money goes back");
    } else if (str_eq(c->reason, STR("order_ended"))) {
        fail_ended(rq);
    } else {
        fail_declined(rq, c);
    }
}

static void reply_waiting(struct req *rq, const struct charge *c) {
    charge_write(req_json(rq), c);
    req_reply(rq, 202);
}

static void fail_not_known(struct req *rq) {
    req_retry_after(rq, 503, 2,
                    "It is not known yet what became of the payment. Ask again: nothing is charged twice");
}

struct given_id {
    bool given;
    struct uuid id;
};

static const char *read_id(const json_t *value, void *out, struct arena *arena) {
    struct given_id *g = out;
    g->given = true;
    return body_uuid(value, &g->id, arena);
}

static void put_if_given(struct sql_params *item, const struct given_id *g) {
    if (g->given)
        put_uuid(item, &g->id);
    else
        put_null(item);
}

/* --- POST /api/payments --- */

struct payment_request {
    struct given_id of_order, of_purchase; /* which purchase: one of them is given */
    struct uuid charge, purchase;          /* purchase: once it is known */
    struct str token, key;
    struct str address, email; /* what Stripe is told: where this came from, and the session's; or empty */
    int attempt;               /* that is waited for */
    int64_t began_us;
};

static bool token_byte(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static const char *read_token(const json_t *value, void *out, struct arena *arena) {
    struct str token;
    const char *error = body_text(value, &token, arena);
    if (error != NULL) return error;
    bool ok = token.n > 4 && token.n <= STRIPE_TOKEN_MAX &&
              (strncmp(token.p, "pm_", 3) == 0 || strncmp(token.p, "tok_", 4) == 0);
    for (size_t i = 0; ok && i < token.n; i++)
        ok = token_byte(token.p[i]);
    if (!ok) return "must be a payment method (pm_...) or a token (tok_...)";
    *(struct str *)out = token;
    return NULL;
}

static const struct body_field payment_fields[] = {
    {"orderId", read_id, offsetof(struct payment_request, of_order), BODY_OR_NEXT},
    {"purchaseId", read_id, offsetof(struct payment_request, of_purchase), false},
    {"token", read_token, offsetof(struct payment_request, token), true},
    {0},
};

/* Why no attempt is made. */
static const struct {
    const char *verdict;
    int status;
    const char *message;
} refusals[] = {
    {"forbidden", 403, "This order is somebody else's"},
    {"other body", 422, "This Idempotency-Key came with another body before"},
    {"paid", 409, "This order is paid"},
    {"ended", 409, "This order has ended"},
    {"limit", 409, "No further try is possible"},
};

static void ask_start(struct req *rq);
static void ask_attempt(struct req *rq);

/* Asks again in a moment, unless it has been going on for longer than Stripe may take. */
static void wait_for_outcome(struct req *rq, req_handler *ask) {
    const struct payments *service = req_service(rq);
    const struct payment_request *p = req_state(rq);
    int64_t patience_ms = service->stripe_timeout_ms + SETTLE_MS;
    if (clock_mono_us() - p->began_us >= patience_ms * 1000)
        fail_not_known(rq);
    else
        req_after(rq, POLL_MS, ask);
}

/* Not known: a webhook may say it, or the worker asks again in a moment. */
static void on_asked(struct req *rq, const struct charge *charge, int64_t stripe_us) {
    const struct payment_request *p = req_state(rq);
    metric_observe_us(M_PAYMENT_TIME, clock_mono_us() - p->began_us - stripe_us);
    if (charge == NULL || charge_in(charge, "started"))
        wait_for_outcome(rq, ask_attempt);
    else
        reply_charge(rq, charge);
}

static void begin(struct req *rq, const struct charge *c, bool wary) {
    const struct payments *service = req_service(rq);
    struct payment_request *p = req_state(rq);
    p->purchase = c->purchase;
    p->attempt = c->attempt;
    struct stripe_ask ask = {.question = STRIPE_CREATE,
                             .order = c->purchase,
                             .charge = c->id,
                             .attempt = c->attempt,
                             .amount = c->amount};
    memcpy(ask.token, p->token.p, p->token.n);
    memcpy(ask.currency, c->currency.p, c->currency.n < 3 ? c->currency.n : 3);
    ask.user = req_user(rq)->user;
    snprintf(ask.address, sizeof ask.address, "%.*s", (int)p->address.n,
             p->address.n == 0 ? "" : p->address.p);
    snprintf(ask.email, sizeof ask.email, "%.*s", (int)p->email.n, p->email.n == 0 ? "" : p->email.p);
    ask.wary = wary;
    charge_worker_ask(service->worker, &ask, rq, on_asked);
}

/* An attempt that another began, or the same request before: its answer is this one's, once there is one. */
static void repeat(struct req *rq, const struct charge *c) {
    struct payment_request *p = req_state(rq);
    p->purchase = c->purchase;
    p->attempt = c->attempt;
    if (charge_in(c, "started"))
        wait_for_outcome(rq, ask_attempt);
    else
        reply_charge(rq, c);
}

/* A turn that comes in a moment is waited for. */
static bool waits_long(struct req *rq, const struct charge *c) {
    const struct payment_request *p = req_state(rq);
    return c->waits && clock_mono_us() - p->began_us + c->seconds * 1000000 > SOON_MS * 1000;
}

static void refuse(struct req *rq, struct str verdict) {
    if (str_eq(verdict, STR("too many"))) {
        req_retry_after(rq, 429, TOO_MANY_S, "Too many payments failed; try again tomorrow");
        return;
    }
    if (str_eq(verdict, STR("often"))) {
        req_retry_after(rq, 429, TOO_MANY_S,
                        "Too many payments from your network failed; try again tomorrow");
        return;
    }
    if (str_eq(verdict, STR("refused"))) { /* as if its bank had been asked */
        metric_add(M_CARDS_REFUSED, 1);
        req_fail(rq, 402, NULL, "%s", decline_words(STR("card_declined")));
        return;
    }
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        if (str_eq(verdict, str_of(refusals[i].verdict)))
            req_fail(rq, refusals[i].status, NULL, "%s", refusals[i].message);
}

static bool is_young(const struct given_id *g) {
    return g->given && llabs(clock_wall_us() / 1000 - uuid_ms(&g->id)) < ORDER_YOUNG_MS;
}

/* It may be on its way here, or be nobody's. */
static void await_order(struct req *rq) {
    const struct payment_request *p = req_state(rq);
    if (req_later_within(rq, ask_start, ORDER_WAIT_MS)) return;
    bool known_soon = is_young(&p->of_order) || is_young(&p->of_purchase);
    if (known_soon && clock_mono_us() - p->began_us < ORDER_YOUNG_MS * INT64_C(1000))
        req_after(rq, ORDER_LOOK_MS, ask_start);
    else
        req_fail(rq, 404, NULL, "No such order");
}

static void on_started(struct req *rq, const struct rows *rows) {
    struct charge c;
    charge_read(rows, 0, &c);
    const struct payments *service = req_service(rq);
    if (str_eq(c.verdict, STR("started")) && service->stripe_rate > 0) {
        charge_worker_wake(service->worker); /* it is in line */
        repeat(rq, &c);
    } else if (str_eq(c.verdict, STR("started"))) {
        begin(rq, &c, row_bool(rows, 0, CHARGE_COLUMNS));
    } else if (str_eq(c.verdict, STR("repeated"))) {
        repeat(rq, &c);
    } else if (str_eq(c.verdict, STR("busy")) && waits_long(rq, &c)) {
        reply_waiting(rq, &c);
    } else if (str_eq(c.verdict, STR("busy"))) {
        if (charge_in(&c, "abandoned")) charge_worker_wake(service->worker);
        wait_for_outcome(rq, ask_start);
    } else if (str_eq(c.verdict, STR("missing"))) {
        await_order(rq);
    } else {
        refuse(rq, c.verdict);
    }
}

static void ask_start(struct req *rq) {
    const struct payments *service = req_service(rq);
    const struct payment_request *p = req_state(rq);
    struct sql_params *item = req_exec(rq, &sql_start_attempt, on_started);
    if (item == NULL) return;
    put_if_given(item, &p->of_order);
    put_uuid(item, &p->charge);
    req_put_user(rq, item);
    put_text(item, p->token);
    put_optional_text(item, p->key);
    put_int(item, service->max_attempts);
    put_text(item, req_traceparent(rq));
    put_if_given(item, &p->of_purchase);
    put_bool(item, service->stripe_rate > 0);
    put_int(item, service->failed_a_day);
    req_put_network(rq, item);
    put_int(item, service->failed_from_network);
    put_int(item, service->failed_by_card);
    put_int(item, service->failed_of_seller);
    put_optional_text(item, p->address);
    put_optional_text(item, p->email);
    put_bool(item, charge_worker_refuses_cards(service->worker));
    req_put_asker(rq, item);
}

static void on_attempt(struct req *rq, const struct rows *rows) {
    struct charge c;
    if (rows->count == 0) { /* somebody emptied the table */
        fail_not_known(rq);
        return;
    }
    charge_read(rows, 0, &c);
    if (waits_long(rq, &c))
        reply_waiting(rq, &c);
    else if (charge_in(&c, "started"))
        wait_for_outcome(rq, ask_attempt);
    else
        reply_charge(rq, &c);
}

static void ask_attempt(struct req *rq) {
    const struct payment_request *p = req_state(rq);
    struct sql_params *item = req_exec(rq, &sql_get_attempt, on_attempt);
    if (item == NULL) return;
    put_uuid(item, &p->purchase);
    put_int(item, p->attempt);
}

/* As long as Stripe takes them, or not at all. */
static void read_buyer(struct req *rq, struct payment_request *p) {
    struct str address = req_client_address(rq), email = req_user(rq)->email;
    if (address.n <= STRIPE_ADDRESS_MAX) p->address = arena_str(req_arena(rq), address);
    if (email.n <= STRIPE_EMAIL_MAX) p->email = arena_str(req_arena(rq), email);
}

static void post_payment(struct req *rq) {
    struct payment_request *p = req_alloc(rq, sizeof *p);
    req_set_state(rq, p);
    if (!req_idempotency_key(rq, &p->key) || !req_body(rq, payment_fields, p)) return;
    if (p->of_order.given && p->of_purchase.given) {
        req_fail(rq, 400, "purchaseId", "must not come together with orderId");
        return;
    }
    p->charge = uuid_v7();
    p->began_us = clock_mono_us();
    read_buyer(rq, p);
    ask_start(rq);
}

/* --- GET /api/payments --- */

struct list_request {
    struct req_page page;
    struct given_id order;
};

/* One row more than the page was asked for, to know whether there is a next one. */
static void on_page(struct req *rq, const struct rows *rows) {
    const struct list_request *l = req_state(rq);
    struct json *out = req_json(rq);
    struct charge c = {0};
    json_open(out, '[');
    for (int i = 0; i < rows->count && i < l->page.size; i++) {
        charge_read(rows, i, &c);
        charge_write(out, &c);
    }
    json_close(out, ']');
    if (rows->count > l->page.size) req_link_next(rq, &l->page, c.id, (struct str){0});
    req_reply(rq, 200);
}

static void list_payments(struct req *rq) {
    struct list_request *l = req_alloc(rq, sizeof *l);
    struct str order;
    req_set_state(rq, l);
    if (!req_page(rq, &l->page)) return;
    l->order.given = req_query(rq, "orderId", &order);
    if (l->order.given && !uuid_parse(order, &l->order.id)) {
        req_fail(rq, 400, "orderId", "must be a UUID");
        return;
    }
    struct sql_params *item = req_exec(rq, &sql_list_charges, on_page);
    if (item == NULL) return;
    req_put_user(rq, item);
    put_if_given(item, &l->order);
    put_uuid(item, &l->page.before);
    put_int(item, l->page.size + 1);
}

const struct route payments_routes[] = {
    {"GET", "/api/payments", list_payments, ROUTE_SESSION},
    {"POST", "/api/payments", post_payment, ROUTE_SESSION},
    {"POST", "/api/payments/webhook", post_webhook, 0},
    {0},
};
