#include "outside.h"

#include <stdio.h>
#include <stdlib.h>

#include "arena.h"
#include "call.h"
#include "clock.h"
#include "queries.h"
#include "refunds.h"
#include "webhooks.h"

enum { MOST_SECONDS = 90 * 86400 };

/* A parameter of the body, and then what is wrong with it if it is none of these. */
static bool read_word(struct req *rq, const char *name, const char *const *words, struct str *out) {
    struct form form;
    const char *error = form_read(req_raw_body(rq), &form, req_arena(rq));
    if (error == NULL && form_get(&form, name, out))
        for (; *words != NULL; words++)
            if (str_eq(*out, str_of(*words))) return true;
    req_fail(rq, 400, name, "must be one that there is");
    return false;
}

static void reply_done(struct req *rq) {
    webhooks_wake(((struct sandbox *)req_service(rq))->webhooks);
    req_reply_raw(rq, 200, "application/json", STR("{}"));
}

static void put_event(struct json *out, const char *type, struct str object) {
    char id[ID_TEXT];
    object_new_id(id, "evt_");
    object_write_event(out, id, type, clock_wall_us(), object, (struct str){0}, (struct str){0});
}

/* --- POST /sandbox/clock: seconds=86400 --- */

static void on_moved(struct req *rq, const struct rows *rows) {
    (void)rows;
    reply_done(rq);
}

void post_clock(struct req *rq) {
    struct form form;
    struct str given = {0};
    const char *error = form_read(req_raw_body(rq), &form, req_arena(rq));
    long seconds = error == NULL && form_get(&form, "seconds", &given) ? strtol(given.p, NULL, 10) : 0;
    if (seconds < 1 || seconds > MOST_SECONDS) {
        req_fail(rq, 400, "seconds", "must be a number from 1 to %d", MOST_SECONDS);
        return;
    }
    struct sql_params *item = req_exec(rq, &sql_move_clock, on_moved);
    if (item != NULL) put_int(item, seconds);
}

/* --- POST /sandbox/refunds/:id: outcome=failed --- */

static const char *const outcomes[] = {"succeeded", "failed", NULL};

static void on_settled(struct req *rq, const struct rows *rows) {
    if (row_bool(rows, 0, 1))
        reply_done(rq);
    else
        req_fail(rq, 409, NULL, "This refund has ended so before");
}

/* A JSON array of what Stripe sends: of a failure three events. */
static void write_refund_events(struct json *out, const struct refund *refund) {
    struct json object = {0};
    object_write_refund(&object, refund);
    struct str text = buf_str(&object.out);
    json_open(out, '[');
    put_event(out, "refund.updated", text);
    if (refund->failure.n > 0) {
        put_event(out, "refund.failed", text);
        put_event(out, "charge.refund.updated", text);
    }
    json_close(out, ']');
    buf_free(&object.out);
}

static void on_refund(struct req *rq, const struct rows *rows) {
    struct str *outcome = req_state(rq);
    struct refund refund;
    if (rows->count == 0) {
        req_fail(rq, 404, NULL, "No such refund");
        return;
    }
    refund_read(rows, 0, &refund);
    refund.status = *outcome;
    if (str_eq(*outcome, STR("failed"))) refund.failure = STR("expired_or_canceled_card");
    struct sql_params *item = req_exec(rq, &sql_settle_refund, on_settled);
    if (item == NULL) return;
    struct json events = {0};
    write_refund_events(&events, &refund);
    put_text(item, refund.id);
    put_text(item, refund.status);
    put_optional_text(item, refund.failure);
    put_text(item, buf_str(&events.out));
    put_time(item, clock_wall_us());
    buf_free(&events.out);
}

void post_settle(struct req *rq) {
    struct str *outcome = req_alloc(rq, sizeof *outcome);
    if (!read_word(rq, "outcome", outcomes, outcome)) return;
    req_set_state(rq, outcome);
    struct sql_params *item = req_exec(rq, &sql_get_refunds, on_refund);
    if (item == NULL) return;
    put_text(item, req_path_text(rq, 0));
    put_null(item);
}

/* --- POST /sandbox/disputes/:intent: status=needs_response --- */

enum dispute_column { D_ORDINAL, D_ID, D_INTENT, D_CHARGE, D_CREATED, D_AMOUNT, D_CURRENCY, D_STATUS };

static const char *const statuses[] = {"needs_response", "won", "lost", NULL};

static void on_disputed(struct req *rq, const struct rows *rows) {
    (void)rows;
    reply_done(rq);
}

static void put_dispute(struct sql_params *item, const struct dispute *d) {
    bool opened = str_eq(d->status, STR("needs_response"));
    struct json object = {0}, event = {0};
    object_write_dispute(&object, d);
    put_event(&event, opened ? "charge.dispute.created" : "charge.dispute.closed", buf_str(&object.out));
    put_text(item, d->id);
    put_text(item, d->intent);
    put_time(item, d->created_us);
    put_text(item, d->status);
    put_text(item, buf_str(&event.out));
    buf_free(&object.out);
    buf_free(&event.out);
}

static void on_charge(struct req *rq, const struct rows *rows) {
    const struct str *status = req_state(rq);
    bool opened = str_eq(*status, STR("needs_response"));
    if (rows->count == 0 || row_null(rows, 0, D_ID) != opened) {
        req_fail(rq, 409, NULL, "There is nothing to dispute, or it is disputed, or it is not");
        return;
    }
    char id[ID_TEXT];
    object_new_id(id, "du_");
    struct dispute d = {.id = opened ? str_of(id) : row_text(rows, 0, D_ID),
                        .intent = row_text(rows, 0, D_INTENT),
                        .charge = row_text(rows, 0, D_CHARGE),
                        .created_us = opened ? clock_wall_us() : row_time(rows, 0, D_CREATED),
                        .amount = row_int(rows, 0, D_AMOUNT),
                        .currency = row_text(rows, 0, D_CURRENCY),
                        .status = *status};
    struct sql_params *item = req_exec(rq, &sql_put_dispute, on_disputed);
    if (item != NULL) put_dispute(item, &d);
}

void post_dispute(struct req *rq) {
    struct str *status = req_alloc(rq, sizeof *status);
    if (!read_word(rq, "status", statuses, status)) return;
    req_set_state(rq, status);
    struct sql_params *item = req_exec(rq, &sql_get_dispute, on_charge);
    if (item != NULL) put_text(item, req_path_text(rq, 0));
}
