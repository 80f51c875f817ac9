#include <jansson.h>

#include "webhook.h"

static struct str text_of(const json_t *object, const char *key) {
    return str_of(json_string_value(json_object_get(object, key)));
}

/* --- by what they are about: the object is a payment intent, a charge or a refund, a dispute --- */

static bool read_attempt(const json_t *intent, struct webhook *out) {
    return stripe_metadata_read(intent, &out->order, &out->attempt) &&
           stripe_intent_read(intent, &out->result) != NULL;
}

/* A charge has its intent's metadata. A refund has that which we gave it; one made by hand has none. */
static bool read_refund(const json_t *object, struct webhook *out) {
    out->intent = text_of(object, "payment_intent");
    out->has_order = stripe_metadata_read(object, &out->order, NULL);
    return out->intent.n > 0 && out->intent.n <= STRIPE_ID_MAX;
}

static bool read_dispute(const json_t *dispute, struct webhook *out) {
    static const char *const ends[] = {"won", "lost", "warning_closed", "prevented"};
    out->intent = text_of(dispute, "payment_intent");
    out->dispute.id = text_of(dispute, "id");
    out->dispute.status = text_of(dispute, "status");
    out->dispute.currency = text_of(dispute, "currency");
    out->dispute.reason = text_of(dispute, "reason");
    out->dispute.amount = json_integer_value(json_object_get(dispute, "amount"));
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_eq(out->dispute.status, str_of(ends[i]))) out->dispute.closed = true;
    return out->intent.n > 0 && out->dispute.id.n > 0 && out->dispute.status.n > 0;
}

/* Whatever its status is called. */
static bool read_closed_dispute(const json_t *dispute, struct webhook *out) {
    bool read = read_dispute(dispute, out);
    out->dispute.closed = true;
    return read;
}

/* Those that tell how an attempt ended, or what it waits for. (payment_intent.created, for one, does not:
 * what it shows is an intent before it was confirmed.) */
static const struct {
    const char *type;
    enum webhook_kind kind;
    bool (*read)(const json_t *object, struct webhook *out);
} types[] = {
    {"payment_intent.succeeded", WEBHOOK_ATTEMPT, read_attempt},
    {"payment_intent.payment_failed", WEBHOOK_ATTEMPT, read_attempt},
    {"payment_intent.canceled", WEBHOOK_ATTEMPT, read_attempt},
    {"payment_intent.requires_action", WEBHOOK_ATTEMPT, read_attempt},
    {"payment_intent.processing", WEBHOOK_ATTEMPT, read_attempt},
    {"charge.refunded", WEBHOOK_REFUND, read_refund},
    {"charge.refund.updated", WEBHOOK_REFUND, read_refund},
    {"refund.created", WEBHOOK_REFUND, read_refund},
    {"refund.updated", WEBHOOK_REFUND, read_refund},
    {"refund.failed", WEBHOOK_REFUND, read_refund},
    {"charge.dispute.created", WEBHOOK_DISPUTE, read_dispute},
    {"charge.dispute.updated", WEBHOOK_DISPUTE, read_dispute},
    {"charge.dispute.closed", WEBHOOK_DISPUTE, read_closed_dispute},
};

const char *webhook_read(const json_t *root, struct webhook *out) {
    const json_t *object = json_object_get(json_object_get(root, "data"), "object");
    struct str type = text_of(root, "type");
    *out = (struct webhook){.id = text_of(root, "id")};
    if (!json_is_object(root)) return "must be a JSON object";
    if (out->id.n == 0 || out->id.n > EVENT_ID_MAX) return "must have an id";
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_eq(type, str_of(types[i].type)) && types[i].read(object, out)) out->kind = types[i].kind;
    return NULL;
}
