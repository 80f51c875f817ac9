/* answers: how orders look in JSON. Any thread. */
#pragma once

#include "http.h"

/* Statements give an order's columns in this order, behind `ordinal`; those about purchases give all, others
 * the first ones. */
enum order_column {
    ORDINAL,
    ID,
    STATUS,
    EXPIRES_AT,
    USER,
    VERSION,
    TICKET,
    TITLE,
    PRICE,
    CURRENCY,
    TICKET_VERSION,
    REASON, /* null: not cancelled */
    SHOW,   /* null: no place of a show, or ordered by its id alone */
    VERDICT,
    PURCHASE_SIZE,
    AREA, /* this and the next two: null for a ticket that is no place of a show */
    ROW,  /* null: a standing place */
    SEAT,
    REMAINING,
    ASKED_SHOW /* null: of no show, or of none that is known */
};

void write_status(struct json *out, struct str status);
void write_order(struct json *out, const struct rows *rows, int row);
/* The orders [first, first + count) as one purchase. */
void write_purchase(struct json *out, const struct rows *rows, int first, int count);
/* "Stalls, row A, seats 12–14; row C, seat 3". Empty: no places of a show. */
void write_seats(struct buf *out, const struct rows *rows, int first, int count);
