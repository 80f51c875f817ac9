#include "reactions.h"

#include "events.h"
#include "queries.h"

static void bind_order(struct sql_params *item, const void *event, struct str traceparent) {
    const struct order_event *order = event;
    put_uuid(item, &order->id);
    put_int(item, order->version);
    put_uuid(item, &order->ticket_id);
    put_uuid(item, &order->user_id);
    put_text(item, str_of(order_event_status_symbols[order->status]));
    put_int(item, order->price);
    put_text(item, order->currency);
    put_time(item, order->expires_at);
    put_optional_text(item, traceparent);
    put_optional_uuid(item, order->has_purchase_id, &order->purchase_id);
    if (order->has_purchase_size)
        put_int(item, order->purchase_size);
    else
        put_null(item);
    put_uuid(item, &order->seller_id);
}

const struct reaction payments_reactions[] = {
    {&topic_orders, ORDER_CREATED, &sql_on_order, bind_order},
    {&topic_orders, ORDER_UPDATED, &sql_on_order, bind_order},
    {&topic_orders, ORDER_COMPLETED, &sql_on_order, bind_order},
    {&topic_orders, ORDER_CANCELLED, &sql_on_order, bind_order},
    {0},
};
