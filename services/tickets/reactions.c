#include "reactions.h"

#include "events.h"
#include "queries.h"

/* All of an order's events go through one statement: it looks at the state the order is in after the event.
 */
static void bind_order(struct sql_params *item, const void *event, struct str traceparent) {
    const struct order_event *order = event;
    put_uuid(item, &order->id);
    put_uuid(item, &order->ticket_id);
    put_uuid(item, &order->user_id);
    put_int(item, order->version);
    put_text(item, str_of(order_event_status_symbols[order->status]));
    put_optional_text(item, traceparent);
}

static void bind_stock(struct sql_params *item, const void *event, struct str traceparent) {
    const struct stock_event *stock = event;
    (void)traceparent;
    put_uuid(item, &stock->id);
    put_int(item, stock->places);
}

static void bind_show_sales(struct sql_params *item, const void *event, struct str traceparent) {
    const struct show_sales_event *sales = event;
    (void)traceparent;
    put_uuid(item, &sales->show_id);
    put_time(item, sales->minute);
    put_uuid(item, &sales->area_id);
    put_int(item, sales->part);
    put_int(item, sales->version);
    put_int(item, sales->placed);
    put_int(item, sales->sold);
    put_int(item, sales->returned);
    put_int(item, sales->revenue);
}

static void bind_sale(struct sql_params *item, const void *event, struct str traceparent) {
    const struct payment_event *payment = event;
    (void)traceparent;
    put_uuid(item, &payment->order_id);
    put_uuid(item, &payment->user_id);
    put_bool(item, payment->type == PAYMENT_REFUNDED);
}

const struct reaction tickets_reactions[] = {
    {&topic_orders, ORDER_CREATED, &sql_on_order, bind_order},    /* lock */
    {&topic_orders, ORDER_COMPLETED, &sql_on_order, bind_order},  /* sold */
    {&topic_orders, ORDER_CANCELLED, &sql_on_order, bind_order},  /* unlock */
    {&topic_stock, AREA_STOCKED, &sql_on_stock, bind_stock},      /* may be announced when all is known */
    {&topic_payments, PAYMENT_CREATED, &sql_on_sale, bind_sale},  /* whose code it is */
    {&topic_payments, PAYMENT_REFUNDED, &sql_on_sale, bind_sale}, /* it admits nobody any more */
    {&topic_show_sales, AREA_COUNTED, &sql_on_show_sales, bind_show_sales}, /* shown to the seller */
    {0},
};
