/* routes: the HTTP side of orders, as a table. */
#pragma once

#include "http.h"

struct admission_keys;

struct orders {
    int64_t hold_seconds, grace_seconds, max_holds;
    struct admission_keys *admissions;
};

extern const struct route orders_routes[];
