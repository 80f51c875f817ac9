/* What Stripe's answers mean. */
#include <jansson.h>

#include "stripe.h"

static struct str text_of(const json_t *object, const char *key) {
    return str_of(json_string_value(json_object_get(object, key)));
}

static struct str first_of(struct str a, struct str b) {
    return a.n > 0 ? a : b;
}

static bool is(struct str s, const char *text) {
    return str_eq(s, str_of(text));
}

/* The issuer's reason says more than Stripe's own code, where there is one. */
static struct str reason_of(const json_t *error) {
    struct str reason = first_of(text_of(error, "decline_code"), text_of(error, "code"));
    return first_of(first_of(reason, text_of(error, "type")), STR("card_declined"));
}

/* An intent's status, and the input that it is. One that wants a payment method has seen one fail, if it
 * tells of an error. */
static const struct {
    const char *status, *input;
} inputs[] = {
    {"succeeded", "succeeded"},
    {"requires_action", "requires_action"},
    {"requires_payment_method", "declined"},
    {"canceled", "canceled"},
    {"processing", "processing"},
};

const char *stripe_intent_read(const json_t *intent, struct stripe_told *told) {
    struct str status = text_of(intent, "status");
    told->intent = text_of(intent, "id");
    told->input = NULL;
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (is(status, inputs[i].status)) told->input = inputs[i].input;
    const json_t *error = json_object_get(intent, "last_payment_error");
    if (told->input != NULL && strcmp(told->input, "declined") == 0) {
        if (!json_is_object(error)) told->input = NULL; /* it was not tried yet */
        told->reason = reason_of(error);
    }
    if (told->input == NULL) return NULL;
    if (strcmp(told->input, "requires_action") == 0) told->secret = text_of(intent, "client_secret");
    return told->input;
}

static void not_known(struct stripe_told *told, const char *words, bool again) {
    *told = (struct stripe_told){.words = words, .again = again};
}

/* A refund that is on its way counts as made: the bank takes days. */
static void read_refund(const json_t *refund, struct stripe_told *told) {
    struct str status = text_of(refund, "status");
    if (is(status, "succeeded") || is(status, "pending"))
        told->input = "refunded";
    else
        not_known(told, "the refund failed", false);
}

static void read_object(const struct stripe_ask *ask, json_t *root, struct stripe_told *told) {
    if (ask->question == STRIPE_REFUND)
        read_refund(root, told);
    else if (stripe_intent_read(root, told) == NULL)
        not_known(told, "an intent in a state that is not known here", false);
}

/* The payment method is no good, for a reason that a card's issuer has nothing to do with; or it is the
 * request as a whole. Nothing was charged. */
static void read_refusal(const json_t *error, struct stripe_told *told) {
    struct str param = text_of(error, "param"), code = text_of(error, "code");
    bool token = param.n >= 14 && memcmp(param.p, "payment_method", 14) == 0;
    told->input = "declined";
    told->reason = token ? STR("invalid_token") : first_of(code, STR("invalid_request"));
}

static void read_error(const struct stripe_ask *ask, int code, json_t *root, struct stripe_told *told) {
    const json_t *error = json_object_get(root, "error"), *intent = json_object_get(error, "payment_intent");
    struct str type = text_of(error, "type"), what = text_of(error, "code");
    bool refused = code == 400 || code == 402 || code == 404;
    if (!refused || is(type, "idempotency_error"))
        not_known(told, code == 401 || code == 403 ? "the key is not accepted" : "refused", false);
    else if (ask->question == STRIPE_REFUND && is(what, "charge_already_refunded"))
        told->input = "refunded";
    else if (ask->question == STRIPE_REFUND)
        not_known(told, "the refund is refused", false);
    else if (is(type, "card_error")) {
        told->input = "declined";
        told->reason = reason_of(error);
        told->intent = text_of(intent, "id");
    } else if (json_is_object(intent) && stripe_intent_read(intent, told) != NULL)
        return; /* it cannot be cancelled: this is why */
    else if (ask->question == STRIPE_CREATE)
        read_refusal(error, told);
    else
        not_known(told, "refused", false);
}

void stripe_answer_read(const struct stripe_ask *ask, int code, struct str body, struct stripe_told *told,
                        json_t **keep) {
    *told = (struct stripe_told){0};
    json_t *root = *keep = body.n == 0 ? NULL : json_loadb(body.p, body.n, 0, NULL);
    if (code >= 500 || code == 409 || code == 429 || code == 408)
        not_known(told, "busy or broken", true);
    else if (!json_is_object(root))
        not_known(told, "not the answer of Stripe; is STRIPE_URL right?", false);
    else if (code >= 200 && code < 300)
        read_object(ask, root, told);
    else
        read_error(ask, code, root, told);
}
