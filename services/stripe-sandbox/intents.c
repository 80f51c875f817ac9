#include "intents.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "clock.h"
#include "params.h"
#include "queries.h"

/* What Stripe charges at least and at most, in minor units: 0.50 of most currencies, eight digits. */
enum { LEAST_AMOUNT = 50, MOST_AMOUNT = 99999999 };

#define METHOD_PARAMS                                                                                        \
    "payment_method", "payment_method_data[type]", "payment_method_data[card][token]", "return_url",         \
        "error_on_requires_action", "off_session", "use_stripe_sdk", "expand["

static struct str copy_text(struct call *c, const char *s) {
    return arena_str(req_arena(c->rq), str_of(s));
}

/* Of what Stripe can expand, the sandbox does one. */
static bool wants_method(const struct call *c) {
    static const char *const names[] = {"expand[]", "expand[0]"};
    struct str what;
    for (int i = 0; i < 2; i++)
        if (call_param(c, names[i], &what) || req_query(c->rq, names[i], &what))
            return str_eq(what, STR("payment_method"));
    return false;
}

static struct str intent_json(struct call *c, const struct intent *in, bool with_method) {
    struct json out = {0};
    object_write_intent(&out, in, with_method, &c->sandbox->objects);
    return call_take(c, &out);
}

/* --- paying --- */

static struct str decline_json(struct call *c, const struct intent *in) {
    struct json out = {0};
    object_write_problem(&out, &(struct problem){.type = in->failure->type, .intent = in},
                         &c->sandbox->objects);
    return call_take(c, &out);
}

static void new_charge(struct call *c, struct intent *in) {
    char id[ID_TEXT];
    object_new_id(id, "ch_");
    in->charge = copy_text(c, id);
}

/* Commits the outcome of an attempt. decline: how a failed one is answered. */
static void conclude(struct call *c, struct intent *in, const char *event, int decline) {
    struct str object = intent_json(c, in, false);
    struct act act = {.intent = in, .event = event, .object = object};
    if (in->failure != NULL && decline != 200)
        call_commit(c, decline, decline_json(c, in), &act);
    else
        call_commit(c, 200, wants_method(c) ? intent_json(c, in, true) : object, &act);
}

static void fail_payment(struct call *c, struct intent *in, const struct failure *failure, int decline) {
    in->failure = failure;
    in->status = STR("requires_payment_method");
    if (failure->decline_code != NULL) new_charge(c, in);
    conclude(c, in, "payment_intent.payment_failed", decline);
}

/* The bank is asked. */
static void pay(struct call *c, struct intent *in, int decline) {
    const struct card *card = card_of(in->payment_method);
    if (card->failure != NULL) {
        fail_payment(c, in, card->failure, decline);
        return;
    }
    new_charge(c, in);
    in->failure = NULL;
    in->status = STR("succeeded");
    in->received = in->amount;
    conclude(c, in, "payment_intent.succeeded", decline);
}

static void attempt(struct call *c, struct intent *in, bool nobody_there) {
    if (!card_of(in->payment_method)->authenticate) {
        pay(c, in, 402);
    } else if (nobody_there) {
        fail_payment(c, in, &card_failure_not_now, 402);
    } else {
        in->failure = NULL;
        in->status = STR("requires_action");
        conclude(c, in, "payment_intent.requires_action", 402);
    }
}

/* --- parameters --- */

static bool read_method(struct call *c, struct str *out) {
    struct str method, token, type;
    bool has_method = call_param(c, "payment_method", &method);
    bool has_token = call_param(c, "payment_method_data[card][token]", &token);
    if (has_token && (!call_param(c, "payment_method_data[type]", &type) || !str_eq(type, STR("card")))) {
        param_refuse(c, "payment_method_data[type]", "parameter_missing",
                     "Missing required param: payment_method_data[type].");
        return false;
    }
    if (has_method && (method.n < 3 || memcmp(method.p, "pm_", 3) != 0 || card_of(method) == NULL)) {
        call_refuse_missing(c, "PaymentMethod", "payment_method", method);
        return false;
    }
    if (!has_method && has_token &&
        (token.n < 4 || memcmp(token.p, "tok_", 4) != 0 || card_of(token) == NULL)) {
        call_refuse_missing(c, "token", "payment_method_data[card][token]", token);
        return false;
    }
    if (has_method || has_token) *out = has_method ? method : token;
    return true;
}

static bool read_return_url(struct call *c, struct str *out) {
    struct str url;
    if (!call_param(c, "return_url", &url)) return true;
    if (strncmp(url.p, "http://", 7) == 0 || strncmp(url.p, "https://", 8) == 0) {
        *out = url;
        return true;
    }
    param_refuse(c, "return_url", "url_invalid", "Not a valid URL");
    return false;
}

static bool nobody_there(struct call *c, bool *out) {
    bool error_on_action = false, off_session = false;
    bool ok = param_bool(c, "error_on_requires_action", &error_on_action) &&
              param_bool(c, "off_session", &off_session);
    *out = error_on_action || off_session;
    return ok;
}

/* What a confirmation takes. */
static bool read_confirmation(struct call *c, struct intent *in, bool *nobody) {
    return read_method(c, &in->payment_method) && read_return_url(c, &in->return_url) &&
           nobody_there(c, nobody);
}

static void refuse_state(struct call *c, const struct intent *in, const char *message) {
    /* Stripe keeps this answer for the key, as it depends on more than the parameters. */
    struct json out = {0};
    object_write_problem(&out,
                         &(struct problem){.type = "invalid_request_error",
                                           .code = "payment_intent_unexpected_state",
                                           .message = message,
                                           .intent = in},
                         &c->sandbox->objects);
    call_commit(c, 400, call_take(c, &out), &(struct act){0});
}

static bool may_confirm(struct call *c, const struct intent *in) {
    if (in->payment_method.n == 0) {
        refuse_state(c, in, "You cannot confirm this PaymentIntent because it's missing a payment method.");
        return false;
    }
    if ((in->flags & (INTENT_AUTOMATIC | INTENT_NO_REDIRECTS)) == INTENT_AUTOMATIC && in->return_url.n == 0) {
        param_refuse(
            c, "return_url", NULL,
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. Because "
            "some of these payment methods might redirect your customer off of your page, you must provide "
            "a `return_url`.");
        return false;
    }
    return true;
}

/* --- POST /v1/payment_intents --- */

static const char *const create_params[] = {"amount",
                                            "currency",
                                            "confirm",
                                            "description",
                                            "metadata[",
                                            "automatic_payment_methods[enabled]",
                                            "automatic_payment_methods[allow_redirects]",
                                            "payment_method_types[",
                                            "capture_method",
                                            "confirmation_method",
                                            METHOD_PARAMS,
                                            NULL};

static bool read_amount(struct call *c, int64_t *out) {
    struct str given;
    if (!call_param(c, "amount", &given)) {
        param_refuse(c, "amount", "parameter_missing", "Missing required param: amount.");
        return false;
    }
    if (!param_integer(c, "amount", out)) return false;
    if (*out < 1)
        param_refuse(c, "amount", "parameter_invalid_integer",
                     "This value must be greater than or equal to 1.");
    else if (*out < LEAST_AMOUNT)
        param_refuse(c, "amount", "amount_too_small", "Amount must be at least %d of the smallest unit.",
                     LEAST_AMOUNT);
    else if (*out > MOST_AMOUNT)
        param_refuse(c, "amount", "amount_too_large", "Amount must be no more than %d.", MOST_AMOUNT);
    return *out >= LEAST_AMOUNT && *out <= MOST_AMOUNT;
}

static bool read_automatic(struct call *c, int *flags) {
    bool enabled = false;
    struct str redirects = STR("always");
    if (!param_bool(c, "automatic_payment_methods[enabled]", &enabled)) return false;
    call_param(c, "automatic_payment_methods[allow_redirects]", &redirects);
    if (enabled) *flags |= INTENT_AUTOMATIC;
    if (str_eq(redirects, STR("never")))
        *flags |= INTENT_NO_REDIRECTS;
    else if (!str_eq(redirects, STR("always"))) {
        param_refuse(c, "automatic_payment_methods[allow_redirects]", NULL,
                     "Invalid automatic_payment_methods[allow_redirects]: must be one of always or never");
        return false;
    }
    return true;
}

/* Of what Stripe can, the sandbox does one: capture at once, with cards. */
static bool is_within_reach(struct call *c) {
    struct str value;
    if (call_param(c, "capture_method", &value) && str_eq(value, STR("manual"))) {
        param_refuse(c, "capture_method", NULL, "The sandbox captures automatically only.");
        return false;
    }
    if (call_param(c, "confirmation_method", &value) && !str_eq(value, STR("automatic"))) {
        param_refuse(c, "confirmation_method", NULL, "The sandbox confirms automatically only.");
        return false;
    }
    return true;
}

static void decide_create(struct call *c) {
    char id[ID_TEXT];
    bool confirm = false, nobody = false;
    struct intent in = {
        .version = 1, .created_us = clock_wall_us(), .status = STR("requires_payment_method")};
    if (!read_amount(c, &in.amount) || !param_currency(c, &in.currency) ||
        !param_bool(c, "confirm", &confirm) || !is_within_reach(c) || !read_automatic(c, &in.flags) ||
        !param_metadata(c, &in.metadata) || !read_confirmation(c, &in, &nobody))
        return;
    call_param(c, "description", &in.description);
    object_new_id(id, "pi_");
    in.id = copy_text(c, id);
    if (confirm) {
        if (may_confirm(c, &in)) attempt(c, &in, nobody);
        return;
    }
    if (in.payment_method.n > 0) in.status = STR("requires_confirmation");
    call_commit(c, 200, intent_json(c, &in, wants_method(c)), &(struct act){.intent = &in});
}

void post_intent(struct req *rq) {
    call_post(rq, "/v1/payment_intents", create_params, (struct str){0}, decide_create);
}

/* --- POST /v1/payment_intents/:id/confirm --- */

static const char *const confirm_params[] = {METHOD_PARAMS, NULL};

static bool is_over(const struct intent *in) {
    return str_eq(in->status, STR("succeeded")) || str_eq(in->status, STR("canceled"));
}

static void decide_confirm(struct call *c) {
    struct intent in = c->intent;
    bool nobody = false;
    in.version++;
    if (is_over(&in)) {
        refuse_state(
            c, &c->intent,
            str_eq(in.status, STR("succeeded"))
                ? "You cannot confirm this PaymentIntent because it has already succeeded after being "
                  "previously confirmed."
                : "You cannot confirm this PaymentIntent because it has a status of canceled.");
        return;
    }
    if (in.failure != NULL) in.payment_method = (struct str){0}; /* who failed is not tried again by itself */
    if (read_confirmation(c, &in, &nobody) && may_confirm(c, &in)) attempt(c, &in, nobody);
}

void post_confirm(struct req *rq) {
    call_post(rq, "/v1/payment_intents/{text}/confirm", confirm_params, req_path_text(rq, 0), decide_confirm);
}

/* --- POST /v1/payment_intents/:id/cancel --- */

static const char *const cancel_params[] = {"cancellation_reason", "expand[", NULL};

static void decide_cancel(struct call *c) {
    struct intent in = c->intent;
    if (is_over(&in)) {
        char message[256];
        snprintf(
            message, sizeof message,
            "You cannot cancel this PaymentIntent because it has a status of %.*s. Only a PaymentIntent with one "
            "of the following statuses may be canceled: requires_payment_method, requires_capture, "
            "requires_confirmation, requires_action, processing.",
            (int)in.status.n, in.status.p);
        refuse_state(c, &c->intent, message);
        return;
    }
    in.version++;
    in.status = STR("canceled");
    in.canceled_us = clock_wall_us();
    call_param(c, "cancellation_reason", &in.cancel_reason);
    struct str object = intent_json(c, &in, false);
    call_commit(c, 200, object,
                &(struct act){.intent = &in, .event = "payment_intent.canceled", .object = object});
}

void post_cancel(struct req *rq) {
    call_post(rq, "/v1/payment_intents/{text}/cancel", cancel_params, req_path_text(rq, 0), decide_cancel);
}

/* --- GET /v1/payment_intents/:id --- */

static void decide_get(struct call *c) {
    call_reply(c, 200, intent_json(c, &c->intent, wants_method(c)));
}

void get_intent(struct req *rq) {
    call_get(rq, "/v1/payment_intents/{text}", req_path_text(rq, 0), (struct str){0}, decide_get);
}

/* --- GET /v1/payment_methods/:id, /v1/tokens/:id --- */

/* A test payment method is one for all; Stripe makes one with an id of its own of it. */
static void decide_method(struct call *c) {
    struct json out = {0};
    if (card_of(c->wanted) == NULL || memcmp(c->wanted.p, "pm_", 3) != 0) {
        call_refuse_missing(c, "PaymentMethod", "payment_method", c->wanted);
        return;
    }
    object_write_method(&out, c->wanted, clock_wall_us());
    call_reply(c, 200, call_take(c, &out));
}

void get_method(struct req *rq) {
    call_get(rq, "/v1/payment_methods/{text}", (struct str){0}, req_path_text(rq, 0), decide_method);
}

static void decide_token(struct call *c) {
    struct json out = {0};
    if (card_of(c->wanted) == NULL || memcmp(c->wanted.p, "tok_", 4) != 0) {
        call_refuse_missing(c, "token", "token", c->wanted);
        return;
    }
    object_write_token(&out, c->wanted, clock_wall_us());
    call_reply(c, 200, call_take(c, &out));
}

void get_token(struct req *rq) {
    call_get(rq, "/v1/tokens/{text}", (struct str){0}, req_path_text(rq, 0), decide_token);
}

/* --- GET /v1/payment_intents/search?query=metadata['orderId']:'7' --- */

static void on_found(struct req *rq, const struct rows *rows) {
    struct call *c = call_of(rq);
    struct json out = {0};
    json_open(&out, '{');
    json_put_text(&out, "object", STR("search_result"));
    json_key(&out, "data");
    json_open(&out, '[');
    for (int i = 0; i < rows->count; i++) {
        call_read_intent(c, rows, i);
        object_write_intent(&out, &c->intent, false, &c->sandbox->objects);
    }
    json_close(&out, ']');
    json_key(&out, "has_more");
    json_bool(&out, false);
    json_key(&out, "next_page");
    json_nil(&out);
    json_put_text(&out, "url", STR("/v1/payment_intents/search"));
    json_close(&out, '}');
    call_reply(c, 200, call_take(c, &out));
}

/* Of Stripe's query language one clause: metadata['NAME']:'VALUE'. As JSON; NULL: it is another. */
static json_t *query_metadata(struct str query) {
    static const char start[] = "metadata['", middle[] = "']:'";
    size_t from = sizeof start - 1;
    if (query.n <= from || strncmp(query.p, start, from) != 0 || query.p[query.n - 1] != '\'') return NULL;
    const char *name = query.p + from, *end = query.p + query.n - 1;
    const char *at = strstr(name, middle);
    if (at == NULL) return NULL;
    const char *value = at + sizeof middle - 1;
    if (value > end || memchr(value, '\'', (size_t)(end - value)) != NULL) return NULL;
    json_t *doc = json_object();
    json_object_setn_new(doc, name, (size_t)(at - name), json_stringn(value, (size_t)(end - value)));
    return doc;
}

static void decide_search(struct call *c) {
    json_t *doc = query_metadata(c->wanted);
    if (doc == NULL) {
        param_refuse(c, "query", NULL, "The sandbox searches by one metadata['name']:'value' only.");
        return;
    }
    struct sql_params *item = req_exec(c->rq, &sql_search_intents, on_found);
    if (item != NULL) {
        char *text = json_dumps(doc, JSON_COMPACT);
        put_text(item, str_of(text));
        put_int(item, faults_delay(&c->sandbox->faults, DELAY_SEARCH_LAG));
        put_bool(item, faults_strike(&c->sandbox->faults, FAULT_SEARCH_OLD));
        free(text);
    }
    json_decref(doc);
}

void search_intents(struct req *rq) {
    struct str query = {0};
    if (req_query(rq, "query", &query)) query = arena_str(req_arena(rq), query); /* ends with a NUL */
    call_get(rq, "/v1/payment_intents/search", (struct str){0}, query, decide_search);
}

/* --- 3-D Secure --- */

void intent_authenticated(struct call *c, bool passed) {
    struct intent in = c->intent;
    if (!str_eq(in.status, STR("requires_action"))) {
        call_refuse(c, 400,
                    &(struct problem){.type = "invalid_request_error",
                                      .code = "payment_intent_unexpected_state",
                                      .message = "This PaymentIntent does not wait for its customer."});
        return;
    }
    in.version++;
    if (passed)
        pay(c, &in, 200);
    else
        fail_payment(c, &in, &card_failure_authentication, 200);
}
