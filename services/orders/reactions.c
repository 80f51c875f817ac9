#include "reactions.h"

#include "currency.h"
#include "events.h"
#include "queries.h"

/* In thousandths, whatever the currency's decimals: as limits are asked for. */
static int64_t price_thousandths(const struct ticket_event *ticket) {
    static const int thousandths[] = {1000, 100, 10, 1};
    return ticket->price * thousandths[currency_decimals(ticket->currency)];
}

/* Which place of which show it is; all null for a ticket that is none. */
static void bind_place(struct sql_params *item, const struct ticket_event *ticket) {
    put_optional_uuid(item, ticket->has_show_id, &ticket->show_id);
    put_optional_uuid(item, ticket->has_area_id, &ticket->area_id);
    put_optional_text(item, ticket->area_name);
    put_optional_text(item, ticket->row_name);
    put_int(item, ticket->seat);
    put_int(item, ticket->rank);
    put_bool(item, ticket->accessible);
    put_int(item, price_thousandths(ticket));
}

static void bind_ticket(struct sql_params *item, const void *event, struct str traceparent) {
    const struct ticket_event *ticket = event;
    put_uuid(item, &ticket->id);
    put_int(item, ticket->version);
    put_uuid(item, &ticket->user_id);
    put_text(item, ticket->title);
    put_int(item, ticket->price);
    put_text(item, ticket->currency);
    put_text(item, str_of(ticket_event_status_symbols[ticket->status]));
    put_optional_text(item, traceparent);
    bind_place(item, ticket);
}

static void bind_show(struct sql_params *item, const void *event, struct str traceparent) {
    (void)traceparent;
    const struct show_event *show = event;
    put_uuid(item, &show->id);
    put_int(item, show->version);
    put_uuid(item, &show->user_id);
    put_text(item, str_of(show_event_status_symbols[show->status]));
    put_int(item, show->per_user);
    put_optional_text(item, show->phases);
    put_time(item, show->starts_at);
}

static void bind_expiration(struct sql_params *item, const void *event, struct str traceparent) {
    const struct expiration_event *expiration = event;
    put_uuid(item, &expiration->order_id);
    put_uuid(item, &expiration->ticket_id);
    put_time(item, expiration->expires_at);
    put_optional_text(item, traceparent);
}

/* After a failure the buyer may try another card, unless the charge says that no try is left. */
static const char *status_after(const struct payment_event *payment) {
    switch (payment->type) {
    case PAYMENT_STARTED:
        return "awaiting_payment";
    case PAYMENT_CREATED:
        return "complete";
    default:
        return payment->final ? "cancelled" : "created";
    }
}

static void bind_payment(struct sql_params *item, const void *event, struct str traceparent) {
    const struct payment_event *payment = event;
    put_uuid(item, &payment->order_id);
    put_uuid(item, &payment->id);
    put_int(item, payment->version);
    put_text(item, str_of(status_after(payment)));
    put_uuid(item, &payment->ticket_id);
    put_uuid(item, &payment->user_id);
    put_optional_text(item, traceparent);
    put_bool(item, payment->type == PAYMENT_STARTED && payment->has_reason &&
                       str_eq(payment->reason, STR("waiting")));
    put_time(item, payment->occurred_at);
}

static void bind_refund(struct sql_params *item, const void *event, struct str traceparent) {
    const struct payment_event *payment = event;
    put_uuid(item, &payment->order_id);
    put_uuid(item, &payment->id);
    put_int(item, payment->version);
    put_bool(item, payment->has_reason && str_eq(payment->reason, STR("order_ended")));
    put_optional_text(item, traceparent);
}

const struct reaction orders_reactions[] = {
    {&topic_tickets, TICKET_CREATED, &sql_on_ticket, bind_ticket},
    {&topic_tickets, TICKET_UPDATED, &sql_on_ticket, bind_ticket},
    {&topic_tickets, TICKET_CANCELLED, &sql_on_ticket, bind_ticket},
    {&topic_shows, SHOW_CREATED, &sql_on_show, bind_show},
    {&topic_shows, SHOW_UPDATED, &sql_on_show, bind_show},
    {&topic_shows, SHOW_ANNOUNCED, &sql_on_show, bind_show},
    {&topic_shows, SHOW_CANCELLED, &sql_on_show, bind_show},
    {&topic_expirations, ORDER_EXPIRED, &sql_on_expiration, bind_expiration},
    {&topic_payments, PAYMENT_STARTED, &sql_on_payment, bind_payment},
    {&topic_payments, PAYMENT_CREATED, &sql_on_payment, bind_payment},
    {&topic_payments, PAYMENT_FAILED, &sql_on_payment, bind_payment},
    {&topic_payments, PAYMENT_REFUNDED, &sql_on_refund, bind_refund},
    {0},
};
