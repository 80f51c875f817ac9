/* refunds: /v1/refunds. A refund of more than was captured is refused by the statement, and by a constraint
 * of the table. */
#pragma once

#include "call.h"

req_handler post_refund, get_refund, list_refunds;
/* A row of sql/get_refunds.sql. strs are the rows'. */
void refund_read(const struct rows *rows, int row, struct refund *out);
