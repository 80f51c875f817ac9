/* purchases: the HTTP side of tickets that are bought together. Any HTTP thread. */
#pragma once

#include "http.h"

enum { PURCHASE_MAX = 8 };

struct purchase_request {
    struct uuid id; /* of the purchase and of its first order; its last digit is 0 if there are more */
    struct uuid show, area;
    bool has_show, has_area, has_quantity;
    int quantity;
    bool together, accessible;
    int64_t max_price;  /* in thousandths; INT64_MAX: any */
    struct str tickets; /* their ids as Postgres writes an array; empty: the best places of the show */
    struct str key;
    struct str admission; /* from the queue of the show; empty: none */
};

/* Adds the request to the open batch of place_purchase.sql. */
void purchases_ask(struct req *rq, const struct purchase_request *p, req_done *done);
/* '{ID,ID}' into text, which has room for n ids, their commas, the brackets and a NUL. */
struct str purchases_list(const struct uuid *ids, int n, char *text);
void purchases_fail_limit(struct req *rq);
/* Answers, and is true, when somebody has made another purchase before by an admission that is for one. */
bool purchases_refuse_used(struct req *rq, struct str verdict, struct str admission);

req_handler purchases_post, purchases_get, purchases_list_page, purchases_delete;
