#include "refunds.h"

#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "params.h"
#include "queries.h"

/* --- POST /v1/refunds --- */

static const char *const refund_params[] = {"payment_intent", "amount",  "reason",
                                            "metadata[",      "expand[", NULL};

/* Kept for the key, as it depends on more than the parameters. */
static void refuse_refund(struct call *c, const char *code, const char *param, const char *message) {
    struct json out = {0};
    object_write_problem(
        &out,
        &(struct problem){.type = "invalid_request_error", .code = code, .param = param, .message = message},
        &c->sandbox->objects);
    call_commit(c, 400, call_take(c, &out), &(struct act){0});
}

/* What may be refunded; amount: what is asked for, 0 for all that is left. */
static bool is_coverable(struct call *c, int64_t amount) {
    const struct intent *in = &c->intent;
    char message[256];
    if (in->received == 0) {
        snprintf(message, sizeof message,
                 "This PaymentIntent (%.*s) does not have a successful charge to refund.", (int)in->id.n,
                 in->id.p);
        refuse_refund(c, NULL, NULL, message);
    } else if ((in->flags & INTENT_DISPUTED) != 0) {
        snprintf(message, sizeof message, "Charge %.*s has been charged back; cannot issue a refund.",
                 (int)in->charge.n, in->charge.p);
        refuse_refund(c, "charge_disputed", NULL, message);
    } else if (in->refunded == in->received) {
        snprintf(message, sizeof message, "Charge %.*s has already been refunded.", (int)in->charge.n,
                 in->charge.p);
        refuse_refund(c, "charge_already_refunded", NULL, message);
    } else if (amount > in->received - in->refunded) {
        snprintf(message, sizeof message,
                 "Refund amount (%lld) is greater than unrefunded amount on charge (%lld)", (long long)amount,
                 (long long)(in->received - in->refunded));
        refuse_refund(c, NULL, "amount", message);
    } else if (faults_strike(&c->sandbox->faults, FAULT_REFUND_REFUSED)) {
        refuse_refund(c, "balance_insufficient", NULL, "Insufficient funds in your Stripe account.");
    } else {
        return true;
    }
    return false;
}

static void commit_refund(struct call *c, int64_t amount, struct str metadata) {
    struct intent in = c->intent;
    char id[ID_TEXT];
    object_new_id(id, "re_");
    struct refund refund = {.id = str_of(id),
                            .intent = in.id,
                            .charge = in.charge,
                            .created_us = clock_wall_us(),
                            .amount = amount,
                            .currency = in.currency,
                            .metadata = metadata};
    call_param(c, "reason", &refund.reason);
    refund.status =
        faults_strike(&c->sandbox->faults, FAULT_REFUND_PENDING) ? STR("pending") : STR("succeeded");
    in.version++;
    in.refunded += amount;
    struct json answer = {0}, charge = {0};
    object_write_refund(&answer, &refund);
    object_write_charge(&charge, &in);
    struct str body = call_take(c, &answer);
    call_commit(
        c, 200, body,
        &(struct act){
            .intent = &in, .refund = &refund, .event = "charge.refunded", .object = call_take(c, &charge)});
}

static bool read_reason(struct call *c) {
    struct str reason = STR("duplicate");
    call_param(c, "reason", &reason);
    if (str_eq(reason, STR("duplicate")) || str_eq(reason, STR("fraudulent")) ||
        str_eq(reason, STR("requested_by_customer")))
        return true;
    param_refuse(c, "reason", NULL,
                 "Invalid reason: must be one of duplicate, fraudulent, or requested_by_customer");
    return false;
}

static void decide_refund(struct call *c) {
    struct str given, metadata;
    int64_t amount = 0;
    bool partial = call_param(c, "amount", &given);
    if (!c->found) {
        param_refuse(
            c, "payment_intent", "parameter_missing",
            "One of the following params should be provided for this request: payment_intent or charge.");
        return;
    }
    if (!param_integer(c, "amount", &amount) || !read_reason(c) || !param_metadata(c, &metadata)) return;
    if (partial && amount < 1) {
        param_refuse(c, "amount", "parameter_invalid_integer",
                     "This value must be greater than or equal to 1.");
        return;
    }
    if (is_coverable(c, amount))
        commit_refund(c, partial ? amount : c->intent.received - c->intent.refunded, metadata);
}

void post_refund(struct req *rq) {
    call_post(rq, "/v1/refunds", refund_params, (struct str){0}, decide_refund);
}

/* --- GET /v1/refunds/:id, GET /v1/refunds?payment_intent= --- */

enum column {
    R_ORDINAL,
    R_ID,
    R_INTENT,
    R_CHARGE,
    R_CREATED,
    R_AMOUNT,
    R_CURRENCY,
    R_REASON,
    R_METADATA,
    R_STATUS,
    R_FAILURE
};

static struct str optional(const struct rows *rows, int row, int column) {
    return row_null(rows, row, column) ? (struct str){0} : row_text(rows, row, column);
}

void refund_read(const struct rows *rows, int row, struct refund *out) {
    *out = (struct refund){.id = row_text(rows, row, R_ID),
                           .intent = row_text(rows, row, R_INTENT),
                           .charge = row_text(rows, row, R_CHARGE),
                           .created_us = row_time(rows, row, R_CREATED),
                           .amount = row_int(rows, row, R_AMOUNT),
                           .currency = row_text(rows, row, R_CURRENCY),
                           .reason = optional(rows, row, R_REASON),
                           .metadata = row_text(rows, row, R_METADATA),
                           .status = row_text(rows, row, R_STATUS),
                           .failure = optional(rows, row, R_FAILURE)};
}

static void write_row(struct json *out, const struct rows *rows, int row) {
    struct refund refund;
    refund_read(rows, row, &refund);
    object_write_refund(out, &refund);
}

static void on_refund(struct req *rq, const struct rows *rows) {
    struct call *c = call_of(rq);
    struct json out = {0};
    if (rows->count == 0) {
        call_refuse_missing(c, "refund", "id", c->wanted);
        return;
    }
    write_row(&out, rows, 0);
    call_reply(c, 200, call_take(c, &out));
}

static void decide_get(struct call *c) {
    struct sql_params *item = req_exec(c->rq, &sql_get_refunds, on_refund);
    if (item == NULL) return;
    put_text(item, c->wanted);
    put_null(item);
}

void get_refund(struct req *rq) {
    call_get(rq, "/v1/refunds/{text}", (struct str){0}, req_path_text(rq, 0), decide_get);
}

static void on_refunds(struct req *rq, const struct rows *rows) {
    struct call *c = call_of(rq);
    struct json out = {0};
    json_open(&out, '{');
    json_key(&out, "object");
    json_text(&out, STR("list"));
    json_key(&out, "data");
    json_open(&out, '[');
    for (int i = 0; i < rows->count; i++)
        write_row(&out, rows, i);
    json_close(&out, ']');
    json_key(&out, "has_more");
    json_bool(&out, false);
    json_key(&out, "url");
    json_text(&out, STR("/v1/refunds"));
    json_close(&out, '}');
    call_reply(c, 200, call_take(c, &out));
}

static void decide_list(struct call *c) {
    struct sql_params *item = req_exec(c->rq, &sql_get_refunds, on_refunds);
    if (item == NULL) return;
    put_null(item);
    put_text(item, c->wanted);
}

void list_refunds(struct req *rq) {
    struct str intent = {0};
    req_query(rq, "payment_intent", &intent);
    call_get(rq, "/v1/refunds", (struct str){0}, intent, decide_list);
}
