#include "objects.h"

#include <stdio.h>

#include "uuid.h"

void object_new_id(char out[ID_TEXT], const char *prefix) {
    char text[UUID_TEXT];
    struct uuid id = uuid_v7();
    uuid_format(&id, text);
    char *p = stpcpy(out, prefix);
    for (int i = 0; i < UUID_TEXT; i++)
        if (text[i] != '-') *p++ = text[i];
    *p = '\0';
}

/* --- members --- */

static void word(struct json *out, const char *key, const char *value) {
    json_put_text(out, key, str_of(value));
}

static void optional(struct json *out, const char *key, struct str value) {
    json_key(out, key);
    if (value.n == 0)
        json_nil(out);
    else
        json_text(out, value);
}

static void flag(struct json *out, const char *key, bool value) {
    json_key(out, key);
    json_bool(out, value);
}

static void moment(struct json *out, const char *key, int64_t us) {
    json_put_int(out, key, us / 1000000);
}

static void raw(struct json *out, const char *key, const char *json) {
    json_key(out, key);
    json_raw(out, str_of(json));
}

static void nils(struct json *out, const char *const *keys) {
    for (; *keys != NULL; keys++) {
        json_key(out, *keys);
        json_nil(out);
    }
}

static void open(struct json *out, const char *key) {
    json_key(out, key);
    json_open(out, '{');
}

/* --- payment methods --- */

static struct str tail_of(struct str id) {
    const char *at = memchr(id.p, '_', id.n);
    return at == NULL ? id : (struct str){at + 1, id.n - (size_t)(at + 1 - id.p)};
}

/* Stripe makes a new payment method of a test one, with an id of its own: one an intent here. */
static void method_id(struct json *out, const char *key, const struct intent *in) {
    struct str tail = tail_of(in->id);
    char id[ID_TEXT + 4];
    snprintf(id, sizeof id, "pm_%.*s", (int)tail.n, tail.p);
    if (in->payment_method.n == 0)
        optional(out, key, (struct str){0});
    else
        word(out, key, id);
}

static void card_details(struct json *out, struct str method) {
    const struct card *card = card_of(method);
    char fingerprint[FINGERPRINT_TEXT] = "";
    open(out, "card");
    if (card != NULL) card_fingerprint(card, fingerprint);
    word(out, "brand", card == NULL ? "visa" : card->brand);
    raw(out, "checks",
        "{\"address_line1_check\":null,\"address_postal_code_check\":null,\"cvc_check\":\"pass\"}");
    word(out, "country", "US");
    json_put_int(out, "exp_month", 12);
    json_put_int(out, "exp_year", 2034);
    optional(out, "fingerprint", str_of(fingerprint));
    word(out, "funding", "credit");
    word(out, "last4", card == NULL ? "4242" : card->last4);
    raw(out, "networks", "{\"available\":[\"visa\"],\"preferred\":null}");
    static const char *const none[] = {"generated_from", "wallet", NULL};
    nils(out, none);
    raw(out, "three_d_secure_usage", "{\"supported\":true}");
    json_close(out, '}');
}

#define BILLING_DETAILS                                                                                      \
    "{\"address\":{\"city\":null,\"country\":null,\"line1\":null,\"line2\":null,\"postal_code\":null,"       \
    "\"state\":null},\"email\":null,\"name\":null,\"phone\":null}"

static void method_fields(struct json *out, struct str method, int64_t created_us) {
    word(out, "object", "payment_method");
    raw(out, "billing_details", BILLING_DETAILS);
    card_details(out, method);
    moment(out, "created", created_us);
    raw(out, "customer", "null");
    flag(out, "livemode", false);
    raw(out, "metadata", "{}");
    word(out, "type", "card");
}

static void method_object(struct json *out, const struct intent *in) {
    if (in->payment_method.n == 0) return;
    open(out, "payment_method");
    method_id(out, "id", in);
    method_fields(out, in->payment_method, in->created_us);
    json_close(out, '}');
}

void object_write_method(struct json *out, struct str method, int64_t created_us) {
    json_open(out, '{');
    json_put_text(out, "id", method);
    method_fields(out, method, created_us);
    json_close(out, '}');
}

void object_write_token(struct json *out, struct str token, int64_t created_us) {
    json_open(out, '{');
    json_put_text(out, "id", token);
    word(out, "object", "token");
    card_details(out, token);
    raw(out, "client_ip", "null");
    moment(out, "created", created_us);
    flag(out, "livemode", false);
    word(out, "type", "card");
    flag(out, "used", false);
    json_close(out, '}');
}

/* --- errors --- */

static void failure_members(struct json *out, const struct failure *failure, struct str charge) {
    if (charge.n > 0 && failure->decline_code != NULL) json_put_text(out, "charge", charge);
    word(out, "code", failure->code);
    if (failure->decline_code != NULL) word(out, "decline_code", failure->decline_code);
    word(out, "message", failure->message);
}

static void last_error(struct json *out, const struct intent *in) {
    if (in->failure == NULL) {
        raw(out, "last_payment_error", "null");
        return;
    }
    open(out, "last_payment_error");
    failure_members(out, in->failure, in->charge);
    method_object(out, in);
    word(out, "type", in->failure->type);
    json_close(out, '}');
}

void object_write_problem(struct json *out, const struct problem *p, const struct objects_options *options) {
    json_open(out, '{');
    open(out, "error");
    if (p->message == NULL) {
        failure_members(out, p->intent->failure, p->intent->charge);
        method_object(out, p->intent);
    } else {
        if (p->code != NULL) word(out, "code", p->code);
        word(out, "message", p->message);
    }
    if (p->param != NULL) word(out, "param", p->param);
    if (p->intent != NULL) {
        json_key(out, "payment_intent");
        object_write_intent(out, p->intent, false, options);
    }
    word(out, "type", p->type);
    json_close(out, '}');
    json_close(out, '}');
}

/* --- payment intents --- */

static void automatic(struct json *out, const struct intent *in) {
    if ((in->flags & INTENT_AUTOMATIC) == 0)
        raw(out, "automatic_payment_methods", "null");
    else if ((in->flags & INTENT_NO_REDIRECTS) != 0)
        raw(out, "automatic_payment_methods", "{\"allow_redirects\":\"never\",\"enabled\":true}");
    else
        raw(out, "automatic_payment_methods", "{\"allow_redirects\":\"always\",\"enabled\":true}");
}

static void next_action(struct json *out, const struct intent *in, const struct objects_options *options) {
    if (!str_eq(in->status, STR("requires_action"))) {
        raw(out, "next_action", "null");
        return;
    }
    char url[512];
    snprintf(url, sizeof url, "%s/sandbox/3ds/%.*s", options->public_url, (int)in->id.n, in->id.p);
    open(out, "next_action");
    open(out, "redirect_to_url");
    optional(out, "return_url", in->return_url);
    word(out, "url", url);
    json_close(out, '}');
    word(out, "type", "redirect_to_url");
    json_close(out, '}');
}

/* Whoever knows the id may know this too: it opens nothing here. */
static void client_secret(struct json *out, const struct intent *in) {
    struct str tail = tail_of(in->id);
    char secret[128];
    snprintf(secret, sizeof secret, "%.*s_secret_%.*s", (int)in->id.n, in->id.p, (int)tail.n, tail.p);
    word(out, "client_secret", secret);
}

static void intent_state(struct json *out, const struct intent *in, const struct objects_options *options) {
    json_put_int(out, "amount", in->amount);
    json_put_int(out, "amount_capturable", 0);
    raw(out, "amount_details", "{\"tip\":{}}");
    json_put_int(out, "amount_received", in->received);
    automatic(out, in);
    if (in->canceled_us == 0)
        raw(out, "canceled_at", "null");
    else
        moment(out, "canceled_at", in->canceled_us);
    optional(out, "cancellation_reason", in->cancel_reason);
    client_secret(out, in);
    moment(out, "created", in->created_us);
    json_put_text(out, "currency", in->currency);
    optional(out, "description", in->description);
    last_error(out, in);
    optional(out, "latest_charge", in->charge);
    json_key(out, "metadata");
    json_raw(out, in->metadata);
    next_action(out, in, options);
    json_put_text(out, "status", in->status);
}

void object_write_intent(struct json *out, const struct intent *in, bool with_method,
                         const struct objects_options *options) {
    json_open(out, '{');
    json_put_text(out, "id", in->id);
    word(out, "object", "payment_intent");
    intent_state(out, in, options);
    if (with_method && in->payment_method.n > 0)
        method_object(out, in);
    else
        method_id(out, "payment_method", in);
    word(out, "capture_method", "automatic");
    word(out, "confirmation_method", "automatic");
    flag(out, "livemode", false);
    raw(out, "payment_method_options",
        "{\"card\":{\"installments\":null,\"mandate_options\":null,\"network\":null,"
        "\"request_three_d_secure\":\"automatic\"}}");
    raw(out, "payment_method_types", "[\"card\"]");
    static const char *const none[] = {"application",
                                       "application_fee_amount",
                                       "customer",
                                       "invoice",
                                       "on_behalf_of",
                                       "payment_method_configuration_details",
                                       "processing",
                                       "receipt_email",
                                       "review",
                                       "setup_future_usage",
                                       "shipping",
                                       "source",
                                       "statement_descriptor",
                                       "statement_descriptor_suffix",
                                       "transfer_data",
                                       "transfer_group",
                                       NULL};
    nils(out, none);
    json_close(out, '}');
}

/* --- charges: one attempt that reached the bank; the latest of an intent --- */

static void charge_outcome(struct json *out, const struct intent *in) {
    const struct failure *f = in->failure;
    flag(out, "captured", f == NULL);
    optional(out, "failure_code", str_of(f == NULL ? NULL : f->code));
    optional(out, "failure_message", str_of(f == NULL ? NULL : f->message));
    open(out, "outcome");
    word(out, "network_status", f == NULL ? "approved_by_network" : "declined_by_network");
    optional(out, "reason", str_of(f == NULL ? NULL : f->decline_code));
    word(out, "risk_level", "normal");
    word(out, "seller_message",
         f == NULL ? "Payment complete." : "The bank did not return any further details with this decline.");
    word(out, "type", f == NULL ? "authorized" : "issuer_declined");
    json_close(out, '}');
    flag(out, "paid", f == NULL);
    word(out, "status", f == NULL ? "succeeded" : "failed");
}

void object_write_charge(struct json *out, const struct intent *in) {
    json_open(out, '{');
    json_put_text(out, "id", in->charge);
    word(out, "object", "charge");
    json_put_int(out, "amount", in->amount);
    json_put_int(out, "amount_captured", in->received);
    json_put_int(out, "amount_refunded", in->refunded);
    raw(out, "billing_details", BILLING_DETAILS);
    moment(out, "created", in->created_us);
    json_put_text(out, "currency", in->currency);
    optional(out, "description", in->description);
    flag(out, "disputed", (in->flags & INTENT_DISPUTED) != 0);
    raw(out, "fraud_details", "{}");
    flag(out, "livemode", false);
    json_key(out, "metadata");
    json_raw(out, in->metadata);
    charge_outcome(out, in);
    json_put_text(out, "payment_intent", in->id);
    method_id(out, "payment_method", in);
    open(out, "payment_method_details");
    card_details(out, in->payment_method);
    word(out, "type", "card");
    json_close(out, '}');
    flag(out, "refunded", in->refunded > 0 && in->refunded == in->received);
    static const char *const none[] = {"application",
                                       "application_fee",
                                       "application_fee_amount",
                                       "balance_transaction",
                                       "calculated_statement_descriptor",
                                       "customer",
                                       "failure_balance_transaction",
                                       "invoice",
                                       "on_behalf_of",
                                       "receipt_email",
                                       "receipt_number",
                                       "receipt_url",
                                       "review",
                                       "shipping",
                                       "source",
                                       "source_transfer",
                                       "statement_descriptor",
                                       "statement_descriptor_suffix",
                                       "transfer_data",
                                       "transfer_group",
                                       NULL};
    nils(out, none);
    json_close(out, '}');
}

/* --- refunds and events --- */

void object_write_refund(struct json *out, const struct refund *r) {
    json_open(out, '{');
    json_put_text(out, "id", r->id);
    word(out, "object", "refund");
    json_put_int(out, "amount", r->amount);
    json_put_text(out, "charge", r->charge);
    moment(out, "created", r->created_us);
    json_put_text(out, "currency", r->currency);
    json_key(out, "metadata");
    json_raw(out, r->metadata);
    json_put_text(out, "payment_intent", r->intent);
    optional(out, "reason", r->reason);
    json_put_text(out, "status", r->status);
    if (r->failure.n > 0) json_put_text(out, "failure_reason", r->failure);
    static const char *const none[] = {"balance_transaction", "receipt_number", "source_transfer_reversal",
                                       "transfer_reversal", NULL};
    nils(out, none);
    json_close(out, '}');
}

void object_write_dispute(struct json *out, const struct dispute *d) {
    json_open(out, '{');
    json_put_text(out, "id", d->id);
    word(out, "object", "dispute");
    json_put_int(out, "amount", d->amount);
    raw(out, "balance_transactions", "[]");
    json_put_text(out, "charge", d->charge);
    moment(out, "created", d->created_us);
    json_put_text(out, "currency", d->currency);
    raw(out, "enhanced_eligibility_types", "[]");
    raw(out, "evidence", "{\"enhanced_evidence\":{}}");
    raw(out, "evidence_details",
        "{\"due_by\":null,\"enhanced_eligibility\":{},\"has_evidence\":false,\"past_due\":false,"
        "\"submission_count\":0}");
    flag(out, "is_charge_refundable", false);
    flag(out, "livemode", false);
    raw(out, "metadata", "{}");
    json_put_text(out, "payment_intent", d->intent);
    word(out, "reason", "fraudulent");
    json_put_text(out, "status", d->status);
    json_close(out, '}');
}

void object_write_event(struct json *out, const char *id, const char *type, int64_t created_us,
                        struct str object, struct str request, struct str key) {
    json_open(out, '{');
    word(out, "id", id);
    word(out, "object", "event");
    word(out, "api_version", API_VERSION);
    moment(out, "created", created_us);
    open(out, "data");
    json_key(out, "object");
    json_raw(out, object);
    json_close(out, '}');
    flag(out, "livemode", false);
    json_put_int(out, "pending_webhooks", 1);
    open(out, "request");
    optional(out, "id", request);
    optional(out, "idempotency_key", key);
    json_close(out, '}');
    word(out, "type", type);
    json_close(out, '}');
}
