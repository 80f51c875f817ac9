/* prices: what a buyer saw when he ordered: a price that he is ready to pay, or a version of the ticket. If
 * it is not so any more, the refusal says what it is now. Any HTTP thread. */
#pragma once

#include "http.h"

/* Reads a price into an int64_t: thousandths of a unit. */
body_reader prices_read;

/* Answers the verdicts 'dearer' and 'changed' with what these tickets cost now; false: it is another.
 * `tickets` as Postgres writes an array; it lives as long as the request. */
bool prices_refuse(struct req *rq, struct str verdict, struct str tickets);
