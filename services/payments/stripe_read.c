/* What Stripe's answers mean. */
#include <jansson.h>
#include <stdlib.h>

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

/* An intent has its payment method as a whole where that was asked for; else its id alone. */
static void read_card(const json_t *intent, struct stripe_result *result) {
    const json_t *card = json_object_get(json_object_get(intent, "payment_method"), "card");
    struct str brand = text_of(card, "brand"), last4 = text_of(card, "last4");
    if (brand.n == 0 || brand.n > STRIPE_BRAND_MAX || last4.n != 4) return;
    result->brand = brand;
    result->last4 = last4;
}

/* holder: an intent's last error, or an error as the answer to one. It has the payment method as a whole. */
static void read_declined_card(const json_t *holder, struct stripe_result *result) {
    const json_t *card = json_object_get(json_object_get(holder, "payment_method"), "card");
    struct str fingerprint = text_of(card, "fingerprint");
    if (fingerprint.n <= STRIPE_FINGERPRINT_MAX) result->fingerprint = fingerprint;
}

const char *stripe_intent_read(const json_t *intent, struct stripe_result *result) {
    struct str status = text_of(intent, "status");
    result->intent = text_of(intent, "id");
    result->input = NULL;
    read_card(intent, result);
    for (size_t i = 0; i < sizeof inputs / sizeof *inputs; i++)
        if (is(status, inputs[i].status)) result->input = inputs[i].input;
    const json_t *error = json_object_get(intent, "last_payment_error");
    if (result->input != NULL && strcmp(result->input, "declined") == 0) {
        if (!json_is_object(error)) result->input = NULL; /* it was not tried yet */
        result->reason = reason_of(error);
        read_declined_card(error, result);
    }
    if (result->input == NULL) return NULL;
    if (strcmp(result->input, "requires_action") == 0) result->secret = text_of(intent, "client_secret");
    return result->input;
}

static void not_known(struct stripe_result *result, const char *error, bool again) {
    *result = (struct stripe_result){.error = error, .again = again};
}

/* A refund's status, and the input that it is. Only what succeeded counts as made: a bank may still send
 * back what is pending. */
static const char *refund_input(const json_t *refund) {
    struct str status = text_of(refund, "status");
    if (is(status, "succeeded")) return "refunded";
    if (is(status, "pending") || is(status, "requires_action")) return "refund_pending";
    return is(status, "failed") || is(status, "canceled") ? "refund_failed" : NULL;
}

static void read_refund(const json_t *refund, struct stripe_result *result) {
    result->input = refund_input(refund);
    result->reason = text_of(refund, "failure_reason");
    if (result->input == NULL) not_known(result, "a refund in a state that is not known here", false);
}

/* All refunds of an intent together, newest first. */
static void read_refunds(const struct stripe_ask *ask, const json_t *list, struct stripe_result *result) {
    const json_t *data = json_object_get(list, "data"), *refund;
    int64_t amount = stripe_amount(ask->amount, ask->currency), made = 0, pending = 0;
    size_t i;
    if (!json_is_array(data)) {
        not_known(result, "not a list of refunds", false);
        return;
    }
    json_array_foreach(data, i, refund) {
        const char *input = refund_input(refund);
        int64_t part = json_integer_value(json_object_get(refund, "amount"));
        if (input == NULL) continue;
        if (strcmp(input, "refunded") == 0) made += part;
        if (strcmp(input, "refund_pending") == 0) pending += part;
        if (result->reason.n == 0) result->reason = text_of(refund, "failure_reason");
    }
    result->input = made >= amount             ? "refunded"
                    : made + pending >= amount ? "refund_pending"
                                               : "refund_failed";
}

/* --- the intents of an order --- */

bool stripe_metadata_read(const json_t *object, struct uuid *order, int *attempt) {
    const json_t *metadata = json_object_get(object, "metadata");
    struct str number = text_of(metadata, "attempt");
    if (!uuid_parse(text_of(metadata, "orderId"), order)) return false;
    if (attempt == NULL) return true;
    if (number.n < 1 || number.n > 9) return false;
    char *end;
    *attempt = (int)strtol(number.p, &end, 10);
    return *end == '\0' && *attempt > 0;
}

/* Of several intents of one attempt the one counts that has got furthest; what is in none of these states
 * was never confirmed, and moves no money. */
static int rank_of(const char *input) {
    static const char *const ranks[] = {"canceled", "declined", "requires_action", "processing", "succeeded"};
    for (int i = 0; input != NULL && i < (int)(sizeof ranks / sizeof *ranks); i++)
        if (strcmp(input, ranks[i]) == 0) return i + 1;
    return 0;
}

void stripe_found_read(const struct stripe_ask *ask, const json_t *intents, struct stripe_result *result) {
    struct stripe_result best = {.input = "absent"}, one;
    const json_t *intent;
    size_t i;
    json_array_foreach(intents, i, intent) {
        struct uuid order;
        int attempt;
        one = (struct stripe_result){0};
        if (stripe_metadata_read(intent, &order, &attempt) && attempt == ask->attempt &&
            rank_of(stripe_intent_read(intent, &one)) > rank_of(best.input))
            best = one;
    }
    *result = best;
    result->found = intents;
}

static void read_found(const struct stripe_ask *ask, const json_t *list, struct stripe_result *result) {
    const json_t *data = json_object_get(list, "data");
    if (json_is_array(data))
        stripe_found_read(ask, data, result);
    else
        not_known(result, "not a list of intents", false);
}

static void read_object(const struct stripe_ask *ask, json_t *root, struct stripe_result *result) {
    if (ask->question == STRIPE_REFUND)
        read_refund(root, result);
    else if (ask->question == STRIPE_REFUNDS)
        read_refunds(ask, root, result);
    else if (ask->question == STRIPE_FIND)
        read_found(ask, root, result);
    else if (stripe_intent_read(root, result) == NULL)
        not_known(result, "an intent in a state that is not known here", false);
}

/* The payment method is no good, for a reason that a card's issuer has nothing to do with; or it is the
 * request as a whole. Nothing was charged. */
static void read_refusal(const json_t *error, struct stripe_result *result) {
    struct str param = text_of(error, "param"), code = text_of(error, "code");
    bool token = param.n >= 14 && memcmp(param.p, "payment_method", 14) == 0;
    result->input = "declined";
    result->reason = token ? STR("invalid_token") : first_of(code, STR("invalid_request"));
}

/* One that was made before may be pending: which there are is asked next. Any other refusal (no balance, a
 * dispute) is worth another try later, with another key. */
static void read_refused_refund(const json_t *error, struct stripe_result *result) {
    struct str code = text_of(error, "code");
    result->input = is(code, "charge_already_refunded") ? "refund_pending" : "refund_failed";
    result->reason = first_of(code, STR("refused"));
}

static void read_error(const struct stripe_ask *ask, int code, json_t *root, struct stripe_result *result) {
    const json_t *error = json_object_get(root, "error"), *intent = json_object_get(error, "payment_intent");
    struct str type = text_of(error, "type");
    bool refused = code == 400 || code == 402 || code == 404;
    bool of_one = ask->question != STRIPE_REFUNDS && ask->question != STRIPE_FIND; /* and not a list */
    if (!refused || is(type, "idempotency_error"))
        not_known(result, code == 401 || code == 403 ? "the key is not accepted" : "refused", false);
    else if (ask->question == STRIPE_REFUND)
        read_refused_refund(error, result);
    else if (of_one && is(type, "card_error")) {
        result->input = "declined";
        result->reason = reason_of(error);
        result->intent = text_of(intent, "id");
        read_declined_card(error, result);
    } else if (of_one && json_is_object(intent) && stripe_intent_read(intent, result) != NULL)
        return; /* it cannot be cancelled: this is why */
    else if (ask->question == STRIPE_CREATE)
        read_refusal(error, result);
    else
        not_known(result, "refused", false);
}

void stripe_answer_read(const struct stripe_ask *ask, int code, struct str body, struct stripe_result *result,
                        json_t **keep) {
    *result = (struct stripe_result){0};
    json_t *root = *keep = body.n == 0 ? NULL : json_loadb(body.p, body.n, 0, NULL);
    if (code >= 500 || code == 409 || code == 429 || code == 408) {
        not_known(result, "busy or broken", true);
        result->limited = code == 429 && !is(text_of(json_object_get(root, "error"), "code"), "lock_timeout");
    } else if (!json_is_object(root))
        not_known(result, "not the answer of Stripe; is STRIPE_URL right?", false);
    else if (code >= 200 && code < 300)
        read_object(ask, root, result);
    else
        read_error(ask, code, root, result);
    bool returns = ask->question == STRIPE_REFUND || ask->question == STRIPE_REFUNDS;
    if (result->input != NULL && returns) result->intent = str_of(ask->intent);
}

/* A payment method and a token have their card in the same place. */
struct str stripe_card_read(int code, struct str body, json_t **keep) {
    json_t *root = *keep = code != 200 || body.n == 0 ? NULL : json_loadb(body.p, body.n, 0, NULL);
    return text_of(json_object_get(root, "card"), "fingerprint");
}
