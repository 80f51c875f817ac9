#include "call_commit.h"

#include "clock.h"

static void put_answer(struct sql_params *item, const struct call *c) {
    put_text(item, str_of(c->request));
    put_optional_text(item, c->key);
    put_text(item, str_of(c->path));
    put_bytes(item, (struct str){(const char *)c->fingerprint, sizeof c->fingerprint});
    put_int(item, c->status);
    put_text(item, c->body);
}

static void put_intent(struct sql_params *item, const struct intent *in) {
    put_text(item, in->id);
    put_int(item, in->version);
    put_time(item, in->created_us);
    put_int(item, in->amount);
    put_text(item, in->currency);
    put_text(item, in->status);
    put_optional_text(item, in->payment_method);
    put_optional_text(item, in->charge);
    put_optional_text(item, str_of(in->failure == NULL ? NULL : in->failure->name));
    put_int(item, in->received);
    put_text(item, in->metadata);
    put_optional_text(item, in->description);
    put_optional_text(item, in->return_url);
    put_int(item, in->flags);
    if (in->canceled_us == 0)
        put_null(item);
    else
        put_time(item, in->canceled_us);
    put_optional_text(item, in->cancel_reason);
}

enum { INTENT_PARAMS = 16, EVENT_PARAMS = 5 };

static void put_nulls(struct sql_params *item, int count) {
    while (count-- > 0)
        put_null(item);
}

static void put_refund(struct sql_params *item, const struct act *act) {
    put_text(item, act->intent->id);
    put_int(item, act->intent->version);
    put_text(item, act->refund->id);
    put_time(item, act->refund->created_us);
    put_int(item, act->refund->amount);
    put_optional_text(item, act->refund->reason);
    put_text(item, act->refund->metadata);
    put_text(item, act->refund->status);
}

static void put_event(struct sql_params *item, struct call *c, const struct act *act) {
    if (act->event == NULL) {
        put_nulls(item, EVENT_PARAMS);
        return;
    }
    struct faults *faults = &c->sandbox->faults;
    int64_t now_us = clock_wall_us();
    int64_t wait_ms = faults_delay(faults, DELAY_WEBHOOK_DELAY) +
                      faults_random(faults_delay(faults, DELAY_WEBHOOK_SHUFFLE));
    char id[ID_TEXT];
    struct json body = {0};
    object_new_id(id, "evt_");
    object_write_event(&body, id, act->event, now_us, act->object, str_of(c->request), c->key);
    put_text(item, str_of(id));
    put_text(item, str_of(act->event));
    put_text(item, buf_str(&body.out));
    put_time(item, now_us + wait_ms * 1000);
    put_int(item, faults_strike(faults, FAULT_WEBHOOK_DUPLICATE) ? 2 : 1);
    buf_free(&body.out);
}

void call_commit_put(struct sql_params *item, struct call *c, const struct act *act) {
    put_answer(item, c);
    if (act->refund != NULL)
        put_refund(item, act);
    else if (act->intent != NULL)
        put_intent(item, act->intent);
    else
        put_nulls(item, INTENT_PARAMS);
    put_event(item, c, act);
}
