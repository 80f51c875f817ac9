#include <jansson.h>
#include <stdlib.h>

#include "webhook.h"

static struct str text_of(const json_t *object, const char *key) {
    return str_of(json_string_value(json_object_get(object, key)));
}

/* Those that tell how an attempt ended, or what it waits for. (payment_intent.created, for one, does not:
 * what it shows is an intent before it was confirmed.) */
static bool tells(struct str type) {
    static const char *const types[] = {"payment_intent.succeeded", "payment_intent.payment_failed",
                                        "payment_intent.canceled", "payment_intent.requires_action",
                                        "payment_intent.processing"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (str_eq(type, str_of(types[i]))) return true;
    return false;
}

/* Whose intent it is stands in the metadata that we gave it. */
static bool is_ours(const json_t *intent, struct webhook *out) {
    const json_t *metadata = json_object_get(intent, "metadata");
    struct str attempt = text_of(metadata, "attempt");
    if (!uuid_parse(text_of(metadata, "orderId"), &out->order) || attempt.n < 1 || attempt.n > 9)
        return false;
    char *end;
    out->attempt = (int)strtol(attempt.p, &end, 10);
    return *end == '\0' && out->attempt > 0;
}

const char *webhook_read(const json_t *root, struct webhook *out) {
    const json_t *intent = json_object_get(json_object_get(root, "data"), "object");
    *out = (struct webhook){.id = text_of(root, "id")};
    if (!json_is_object(root)) return "must be a JSON object";
    if (out->id.n == 0 || out->id.n > EVENT_ID_MAX) return "must have an id";
    out->ours = tells(text_of(root, "type")) && is_ours(intent, out) &&
                stripe_intent_read(intent, &out->result) != NULL;
    return NULL;
}
