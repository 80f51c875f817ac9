/* asking: what a request asks for of a show, and what becomes of it, for the topic `demand`. It counts once,
 * when the request is over. On the request's thread, and as long as the request. */
#pragma once

#include "demand.h"
#include "purchases.h"

struct asking;
struct asking *asking_begin(struct req *rq, const struct purchase_request *wanted);
/* What place_purchase.sql says of it; the last one counts. */
void asking_judged(struct asking *a, const struct rows *rows);
/* The same of spend_code.sql. */
void asking_spent(struct asking *a, const struct rows *rows);
/* Why there were none, by how many were left. */
enum demand_number asking_none(int64_t left, int wanted);
/* The area of a place of a show, by its id. */
struct uuid asking_area_of(const struct uuid *ticket);
