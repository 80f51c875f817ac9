/* routes: the HTTP side of orders, as a table. */
#pragma once

#include "http.h"

struct orders {
    int64_t hold_seconds, grace_seconds, max_holds;
};

extern const struct route orders_routes[];
