/* POST /api/payments/webhook: Stripe tells what became of an intent or a refund, or of a dispute. It is
 * written before it is answered, so that what Stripe believes to be delivered is. */
#include "webhook.h"

#include <jansson.h>

#include "clock.h"
#include "queries.h"
#include "routes.h"

static void reply_received(struct req *rq) {
    struct json *out = req_json(rq);
    json_open(out, '{');
    json_key(out, "received");
    json_bool(out, true);
    json_close(out, '}');
    req_reply(rq, 200);
}

static void on_taken(struct req *rq, const struct rows *rows) {
    (void)rows;
    reply_received(rq);
}

static void take_attempt(struct req *rq, const struct webhook *event, const json_t *intent) {
    struct sql_params *item = req_exec(rq, &sql_take_webhook, on_taken);
    if (item == NULL) return;
    put_text(item, event->id);
    put_uuid(item, &event->order);
    put_int(item, event->attempt);
    put_text(item, str_of(event->result.input));
    put_optional_text(item, event->result.intent);
    put_optional_text(item, event->result.reason);
    put_optional_text(item, event->result.secret);
    char *action = json_dumps(json_object_get(intent, "next_action"), JSON_COMPACT);
    put_optional_text(item, str_of(action));
    free(action);
    put_text(item, req_traceparent(rq));
    put_optional_text(item, event->result.fingerprint);
}

static void take_refund(struct req *rq, const struct webhook *event) {
    struct sql_params *item = req_exec(rq, &sql_take_refund_news, on_taken);
    if (item == NULL) return;
    put_text(item, event->id);
    if (event->has_order)
        put_uuid(item, &event->order);
    else
        put_null(item);
    put_text(item, event->intent);
}

static void take_dispute(struct req *rq, const struct webhook *event) {
    struct sql_params *item = req_exec(rq, &sql_take_dispute, on_taken);
    if (item == NULL) return;
    put_text(item, event->dispute.id);
    put_text(item, event->intent);
    put_text(item, event->dispute.status);
    put_bool(item, event->dispute.closed);
    put_int(item, event->dispute.amount);
    put_text(item, event->dispute.currency);
    put_optional_text(item, event->dispute.reason);
}

static void take_event(struct req *rq, const json_t *root) {
    struct webhook event;
    const char *wrong = webhook_read(root, &event);
    if (wrong != NULL) {
        req_fail(rq, 400, NULL, "%s", wrong);
        return;
    }
    switch (event.kind) {
    case WEBHOOK_ATTEMPT:
        take_attempt(rq, &event, json_object_get(json_object_get(root, "data"), "object"));
        break;
    case WEBHOOK_REFUND:
        take_refund(rq, &event);
        break;
    case WEBHOOK_DISPUTE:
        take_dispute(rq, &event);
        break;
    case WEBHOOK_OTHER:
        reply_received(rq);
        break;
    }
}

void post_webhook(struct req *rq) {
    const struct payments *service = req_service(rq);
    struct str signature, body = req_raw_body(rq);
    const char *wrong = "a webhook needs a Stripe-Signature";
    if (req_header(rq, "stripe-signature", &signature))
        wrong = signature_check(&service->webhook_secrets, signature, body, clock_wall_us() / 1000000);
    if (wrong != NULL) {
        req_fail(rq, 400, NULL, "%s", wrong);
        return;
    }
    json_t *root = body.n == 0 ? NULL : json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
    take_event(rq, root);
    json_decref(root);
}
