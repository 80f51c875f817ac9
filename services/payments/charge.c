#include "charge.h"

#include <assert.h>

#include "currency.h"
#include "declines.h"
#include "mem.h"

enum column {
    ORDINAL,
    VERDICT,
    ID,
    PURCHASE,
    STATE,
    ATTEMPT,
    FINAL,
    REASON,
    AMOUNT,
    CURRENCY,
    SECRET,
    ACTION,
    STARTED_AT,
    CHANGED_AT,
    SIZE,
    AHEAD,
    SECONDS,
    BRAND,
    LAST4,
    COLUMNS
};
static_assert((int)COLUMNS == CHARGE_COLUMNS, "what comes behind them");

static struct str optional(const struct rows *rows, int row, int column) {
    return row_null(rows, row, column) ? (struct str){0} : row_text(rows, row, column);
}

void charge_read(const struct rows *rows, int row, struct charge *out) {
    *out = (struct charge){.verdict = row_text(rows, row, VERDICT)};
    if (row_null(rows, row, ID)) return;
    out->id = row_uuid(rows, row, ID);
    out->purchase = row_uuid(rows, row, PURCHASE);
    out->size = row_null(rows, row, SIZE) ? 1 : (int)row_int(rows, row, SIZE);
    out->state = row_text(rows, row, STATE);
    out->attempt = (int)row_int(rows, row, ATTEMPT);
    out->final = row_bool(rows, row, FINAL);
    out->reason = optional(rows, row, REASON);
    out->amount = row_int(rows, row, AMOUNT);
    out->currency = row_text(rows, row, CURRENCY);
    out->secret = optional(rows, row, SECRET);
    out->action = optional(rows, row, ACTION);
    out->started_us = row_time(rows, row, STARTED_AT);
    out->changed_us = row_time(rows, row, CHANGED_AT);
    out->brand = optional(rows, row, BRAND);
    out->last4 = optional(rows, row, LAST4);
    out->waits = !row_null(rows, row, AHEAD);
    if (!out->waits) return;
    out->ahead = row_int(rows, row, AHEAD);
    out->seconds = row_int(rows, row, SECONDS);
}

struct charge *charge_copy(const struct charge *c) {
    const struct str *from[] = {&c->verdict, &c->state, &c->reason, &c->currency, &c->secret, &c->action};
    size_t room = 0;
    for (size_t i = 0; i < sizeof from / sizeof *from; i++)
        room += from[i]->n;
    struct charge *copy = mem_alloc(sizeof *copy + room);
    *copy = *c;
    copy->brand = copy->last4 = (struct str){0}; /* a list's alone */
    struct str *to[] = {&copy->verdict,  &copy->state,  &copy->reason,
                        &copy->currency, &copy->secret, &copy->action};
    char *end = (char *)(copy + 1);
    for (size_t i = 0; i < sizeof from / sizeof *from; i++) {
        if (from[i]->n > 0) memcpy(end, from[i]->p, from[i]->n);
        to[i]->p = end;
        end += from[i]->n;
    }
    return copy;
}

bool charge_in(const struct charge *c, const char *state) {
    return str_eq(c->state, str_of(state));
}

/* As the world sees it: functions/charge_status.sql. */
static struct str status_of(const struct charge *c) {
    if (charge_in(c, "action") || charge_in(c, "abandoned")) return STR("requires_action");
    return charge_in(c, "refunding") ? STR("succeeded") : c->state;
}

/* They differ in the last hex digit (functions/orders_of.sql); a purchase of one has its order's id. */
static void write_orders(struct json *out, const struct charge *c) {
    json_key(out, "orderIds");
    json_open(out, '[');
    for (int i = 0; i < c->size; i++) {
        struct uuid order = c->purchase;
        if (c->size > 1) order.b[15] = (uint8_t)((order.b[15] & 0xf0) | i);
        json_uuid(out, &order);
    }
    json_close(out, ']');
}

static void write_line(struct json *out, const struct charge *c) {
    json_key(out, "waiting");
    json_open(out, '{');
    json_put_int(out, "ahead", c->ahead);
    json_put_int(out, "seconds", c->seconds);
    json_close(out, '}');
}

/* By which it was paid. One that is to be confirmed, or was declined, has paid nothing. */
static void write_card(struct json *out, const struct charge *c) {
    bool paid = charge_in(c, "succeeded") || charge_in(c, "refunding") || charge_in(c, "refunded");
    if (!paid || c->brand.n == 0) return;
    json_key(out, "card");
    json_open(out, '{');
    json_put_text(out, "brand", c->brand);
    json_put_text(out, "last4", c->last4);
    json_close(out, '}');
}

void charge_write(struct json *out, const struct charge *c) {
    json_open(out, '{');
    json_put_uuid(out, "id", c->id);
    json_put_uuid(out, "orderId", c->purchase); /* the first one's */
    json_put_uuid(out, "purchaseId", c->purchase);
    write_orders(out, c);
    json_put_text(out, "status", status_of(c));
    json_key(out, "amount");
    json_minor(out, c->amount, currency_decimals(c->currency));
    json_put_text(out, "currency", c->currency);
    json_put_int(out, "attempt", c->attempt);
    if (charge_in(c, "failed"))
        json_put_text(out, "reason", decline_reason(c->reason));
    else if (charge_in(c, "refunding") || charge_in(c, "refunded"))
        json_put_text(out, "reason", c->reason);
    write_card(out, c);
    if (c->waits) write_line(out, c);
    if (c->secret.n > 0) json_put_text(out, "clientSecret", c->secret);
    if (c->action.n > 0) {
        json_key(out, "nextAction");
        json_raw(out, c->action);
    }
    json_key(out, "startedAt");
    json_time(out, c->started_us);
    json_key(out, "changedAt");
    json_time(out, c->changed_us);
    json_close(out, '}');
}
