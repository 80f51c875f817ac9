/* refunds: /v1/refunds. Never more is given back than was captured: the statement and the table have the last
 * word. */
#pragma once

#include "call.h"

req_handler post_refund, get_refund, list_refunds;
