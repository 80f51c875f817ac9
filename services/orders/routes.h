/* routes: the HTTP side of orders, as a table. */
#pragma once

#include "load.h"

struct admission_keys;
struct demand;

struct orders {
    int64_t hold_seconds, grace_seconds, max_holds;
    int64_t lapse_wait_ms, network_most; /* 0: nobody waits; any number */
    struct admission_keys *admissions;
    struct demand *demand; /* a slot for each HTTP thread, and behind these one for the publisher's */
    int threads;
    struct http *http; /* from when it serves */
    struct load load;  /* the teller's */
};

extern const struct route orders_routes[];
